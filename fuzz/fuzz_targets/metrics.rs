//! Any bytes are rows of metrics, or one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use localmax::run::read_metrics;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("localmax-fuzz-{}.csv", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    if let Err(error) = read_metrics(&path) {
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
});
