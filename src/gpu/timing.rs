//! Counts of a device that is measured: dispatches, submissions, and the host's waiting.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// The counts of a device since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Timings {
    /// Each kernel by its entry point; none unless its dispatches are marked.
    pub kernels: BTreeMap<&'static str, Dispatches>,
    /// Submissions, of dispatches and of copies.
    pub submissions: u64,
    /// Times that the host waited for the device.
    pub waits: u64,
    /// Those of them that left the device without work, since nothing later had been submitted.
    pub stalls: u64,
    /// Seconds that the host waited for the device.
    pub waited: f64,
}

/// Dispatches of a kernel, and their seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dispatches {
    /// The number of dispatches.
    pub count: u64,
    /// From the first of their threads to the last.
    pub seconds: f64,
}

impl AddAssign for Dispatches {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.seconds += other.seconds;
    }
}
