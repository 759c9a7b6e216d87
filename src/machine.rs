//! Memory and threads of this machine.

use std::fs::read_to_string;
use std::path::Path;

/// Bytes of memory that a new allocation can still take, under the limits of the control groups
/// (containers) that the process is in; `None` if the system does not say.
pub fn available_memory() -> Option<u64> {
    let text = read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    let group = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or("");
    let below = Path::new("/sys/fs/cgroup").join(group);
    Some(below.ancestors().filter_map(left_in_group).fold(free, u64::min))
}

/// Bytes that a control group (version 2) has left. Cached files count as free.
fn left_in_group(folder: &Path) -> Option<u64> {
    let number = |name: &str| read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number("memory.max")?;
    let stat = read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")).and_then(|v| v.parse().ok());
    Some(limit.saturating_sub(number("memory.current")?.saturating_sub(cached.unwrap_or(0))))
}

/// Number of threads that can run at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container's limit is what ends a process there, whatever its host has free.
    #[test]
    fn a_group_leaves_its_limit_less_what_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(left_in_group(folder.path()), None);
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(left_in_group(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left_in_group(folder.path()), Some(300));
        write("memory.stat", "anon 500\ninactive_file 100\n");
        assert_eq!(left_in_group(folder.path()), Some(400));
    }
}
