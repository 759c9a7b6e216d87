//! Any bytes are a checkpoint, or one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use localmax::run::checkpoint;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("localmax-fuzz-{}.safetensors", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    if let Err(error) = checkpoint::read(&path) {
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
});
