//! Memory and threads of this machine.

use std::fs::read_to_string;
use std::path::Path;

/// Bytes of memory that a new allocation can still take: what the system has free, under the limits
/// of the control groups (containers, jobs) that the process is in, and under its own limits
/// (`ulimit -v`, `ulimit -d`); `None` if the system does not say.
pub fn available_memory() -> Option<u64> {
    let read = |name: &str| read_to_string(Path::new("/proc").join(name)).unwrap_or_default();
    let (limits, status) = (read("self/limits"), read("self/status"));
    let free = shared_memory()?;
    Some(left_to_process(&limits, &status).fold(free, u64::min))
}

/// Bytes below which a machine's memory is not looked at.
const FEW: u64 = 1 << 24;

/// The bytes that a new allocation can still take, if they are fewer than `needed`. Memory is not looked at for a few
/// bytes: that would cost more than the steps of a small cloud.
pub fn lacking(needed: u64) -> Option<u64> {
    if needed < FEW { None } else { available_memory().filter(|&available| needed > available) }
}

/// Bytes that this process and those beside it in its control group can still take together: as
/// [`available_memory`], without the limits of one process.
pub fn shared_memory() -> Option<u64> {
    let read = |name: &str| read_to_string(Path::new("/proc").join(name)).unwrap_or_default();
    let free = kilobytes(&read("meminfo"), "MemAvailable:")?;
    let groups = left_in_groups(Path::new("/sys/fs/cgroup"), &read("self/cgroup"));
    Some(groups.into_iter().fold(free, u64::min))
}

/// A number that processes have in common which take their memory from the same: one system's start, one name of
/// the host, which containers have of their own, and one control group, but for the one that a batch system makes for
/// each task.
pub fn memory_place() -> u64 {
    let read = |name: &str| read_to_string(Path::new("/proc").join(name)).unwrap_or_default();
    let of_task = |line: &str| line.split("/task_").next().unwrap_or_default().to_owned();
    let groups: String = read("self/cgroup").lines().map(of_task).collect();
    let place = [read("sys/kernel/random/boot_id"), read("sys/kernel/hostname"), groups];
    let hash = blake3::hash(place.concat().as_bytes());
    hash.as_bytes()[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The bytes on the line of a text that begins with a name and gives kilobytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Bytes left under the soft limits of address space and of data.
fn left_to_process<'a>(limits: &'a str, status: &'a str) -> impl Iterator<Item = u64> + 'a {
    let left = move |(limit, held): (&str, &str)| {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
        let most = line.split_whitespace().next()?.parse::<u64>().ok()?; // "unlimited" is none
        Some(most.saturating_sub(kilobytes(status, held)?))
    };
    [("Max address space", "VmSize:"), ("Max data size", "VmData:")].into_iter().filter_map(left)
}

/// Bytes left in each control group of a process: version 2 in a line `0::/path`, version 1 in one
/// such as `9:memory:/path`.
fn left_in_groups(root: &Path, groups: &str) -> Vec<u64> {
    let folder = |line: &str| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(":/")?;
        match controllers {
            "" => Some(root.join(path)),
            _ if controllers.split(',').any(|name| name == "memory") => Some(root.join("memory").join(path)),
            _ => None,
        }
    };
    let folders: Vec<_> = groups.lines().filter_map(folder).collect();
    folders.iter().flat_map(|folder| folder.ancestors()).filter_map(left_in_group).collect()
}

/// Bytes that a control group has left. Cached files count as free.
fn left_in_group(folder: &Path) -> Option<u64> {
    let number = |name: &str| read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let either = |new: &str, old: &str| number(new).or_else(|| number(old));
    let limit = either("memory.max", "memory.limit_in_bytes")?;
    let held = either("memory.current", "memory.usage_in_bytes")?;
    let stat = read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let cached = cached("total_inactive_file ").or_else(|| cached("inactive_file ")).unwrap_or(0);
    Some(limit.saturating_sub(held.saturating_sub(cached)))
}

/// Number of threads that can run at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for beyond all memory lacks some; what costs nothing is never looked for.
    #[test]
    fn only_much_can_lack_memory() {
        assert_eq!(lacking(FEW - 1), None);
        assert_eq!(lacking(u64::MAX).is_some(), available_memory().is_some());
    }

    /// A container's or a job's limit is what ends a process there, whatever its host has free.
    #[test]
    fn a_group_leaves_its_limit_less_what_is_held() {
        let root = tempfile::tempdir().unwrap();
        let left = |groups: &str| left_in_groups(root.path(), groups);
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(left("0::/job/step\n").is_empty());
        write("job/memory.max", "max\n");
        write("job/memory.current", "700\n");
        assert!(left("0::/job/step\n").is_empty());
        write("job/memory.max", "1000\n");
        assert_eq!(left("0::/job/step\n"), [300]);
        write("job/memory.stat", "anon 500\ninactive_file 100\n");
        assert_eq!(left("0::/job/step\n"), [400]);
        write("memory/old/memory.limit_in_bytes", "5000\n");
        write("memory/old/memory.usage_in_bytes", "3000\n");
        write("memory/old/memory.stat", "inactive_file 1\ntotal_inactive_file 500\n");
        assert_eq!(left("9:cpu,cpuacct:/old\n8:memory:/old/step\n1:name=systemd:/job\n"), [2500]);
    }

    /// Under a limit of address space, as batch systems set it, the program would abort in the
    /// middle of a run.
    #[test]
    fn a_process_has_its_own_limits() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             unlimited            unlimited            bytes     \n\
                      Max address space         409600000            unlimited            bytes     \n";
        let status = "VmSize:\t  100000 kB\nVmData:\t  50000 kB\n";
        assert_eq!(left_to_process(limits, status).collect::<Vec<_>>(), [409_600_000 - 102_400_000]);
        assert_eq!(left_to_process("", status).count(), 0);
    }
}
