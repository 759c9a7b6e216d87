//! Any bytes are tokens, or one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use localmax::io::npy;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("localmax-fuzz-{}.npy", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    match npy::read(&path) {
        Ok(tokens) => assert!(tokens.n() * tokens.d() * 4 <= bytes.len()),
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    }
    let _ = npy::header(&path);
    let _ = npy::read_matrix(&path);
});
