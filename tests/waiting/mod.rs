//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// What `look` finds in the end. Nothing here takes as long as it is given.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
