//! Any text is a config that runs again as it is, or one line.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use localmax::io::config::Config;

fuzz_target!(|text: &str| match Config::parse(text, "fuzz", "fuzz", Path::new("/nonexistent"), &[]) {
    Ok(config) => {
        let again = Config::parse(&config.to_toml(), "fuzz", "fuzz", Path::new("/nonexistent"), &[]);
        // What is large stands in files beside it, which nobody has written here.
        if !config.to_toml().contains(".npy\"") {
            assert_eq!(again.unwrap(), config);
        }
    }
    Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
});
