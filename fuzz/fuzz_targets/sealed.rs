//! A header of any text before any bytes, sealed as it is: what lies behind the seal is read with the same care. Each `#` in
//! the header becomes the blake3 of the bytes up to the seal, so that tensors can be true too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use localmax::run::checkpoint;

fuzz_target!(|input: (String, Vec<u8>)| {
    let (header, body) = input;
    let header = header.replace('#', &blake3::hash(&body).to_hex());
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let seal = blake3::hash(&start);
    let path = std::env::temp_dir().join(format!("localmax-fuzz-{}.sealed", std::process::id()));
    std::fs::write(&path, [&start[..], &body, seal.as_bytes()].concat()).unwrap();
    if let Err(error) = checkpoint::read(&path) {
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
});
