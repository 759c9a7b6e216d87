//! The kernels that a driver has compiled, kept on the disk from process to process, where a driver
//! hands them out (Vulkan): cards take seconds over what a file answers at once.
//!
//! A file is a line, the blake3 of what follows it, and the driver's bytes. What cannot be read, was
//! cut or damaged, or is of another version, adapter or driver is made anew in silence: nothing but
//! the time to compile depends on it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::gpu::adapter::Adapter;

/// The feature that it needs.
pub(crate) const FEATURES: wgpu::Features = wgpu::Features::PIPELINE_CACHE;

/// Environment variable with the folder of the files, or `off`.
const VARIABLE: &str = "LOCALMAX_CACHE";

/// The first line of a file.
const HEAD: &[u8] = b"localmax pipelines 1\n";

/// The most bytes that are kept. Every d adds its own kernels; a larger file is begun anew.
const MOST: usize = 64 << 20;

/// Compiled kernels of a device, and their file.
#[derive(Debug)]
pub(crate) struct PipelineCache {
    pub(crate) raw: wgpu::PipelineCache,
    path: PathBuf,
    /// The hash of what the file holds, as far as this process knows.
    stored: Mutex<Option<blake3::Hash>>,
}

impl PipelineCache {
    /// The path of an adapter's file in a folder; none where its driver hands nothing out.
    pub(crate) fn path(adapter: &Adapter, folder: &Path) -> Option<PathBuf> {
        let has = adapter.handle.features().contains(FEATURES);
        let key = wgpu::util::pipeline_cache_key(&adapter.handle.get_info()).filter(|_| has)?;
        Some(folder.join(format!("{key}-{}.bin", env!("CARGO_PKG_VERSION"))))
    }

    /// The cache of a device with [`FEATURES`], kept in a file and filled with what was `kept` there.
    // The only unsafe code: a driver trusts the bytes it is given.
    #[allow(unsafe_code)]
    pub(crate) fn new(raw: &wgpu::Device, path: PathBuf, kept: Option<&[u8]>) -> Self {
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("localmax"), data: kept, fallback: true };
        // SAFETY: the bytes must come from `get_data` of this kind of cache. `read` returns only what
        // `write` was given, by its hash. wgpu checks in its own header that they are of this backend,
        // adapter and build of the driver, and whole; if not, it refuses or begins an empty cache.
        let raw = unsafe { raw.create_pipeline_cache(&descriptor) };
        Self { raw, path, stored: Mutex::new(kept.map(blake3::hash)) }
    }

    /// Writes the file, if there is anything new to keep. Where that fails, the next process compiles
    /// again.
    pub(crate) fn store(&self) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(data) = self.raw.get_data() else { return };
        let hash = blake3::hash(&data);
        if *stored == Some(hash) {
            return;
        }
        if data.len() > MOST {
            let _ = fs::remove_file(&self.path);
        } else if write(&self.path, &data, hash).is_ok() {
            *stored = Some(hash);
        }
    }
}

/// The driver's bytes in a file, if they are what was written.
pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    let (hash, data) = bytes.strip_prefix(HEAD)?.split_first_chunk::<32>()?;
    (blake3::hash(data) == *hash).then(|| data.to_vec())
}

/// Writes a file beside its place, and renames it: other processes find an old file or a new one. One
/// that a lost disk cuts fails its hash.
fn write(path: &Path, data: &[u8], hash: blake3::Hash) -> std::io::Result<()> {
    static NTH: AtomicU64 = AtomicU64::new(0);
    let nth = NTH.fetch_add(1, Relaxed);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let beside = path.with_extension(format!("{}-{nth}.part", std::process::id()));
    let written = fs::write(&beside, [HEAD, hash.as_bytes(), data].concat()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// The folder of the files: what the environment says, or the user's for such files; none if it is off.
pub(crate) fn folder() -> Option<PathBuf> {
    folder_by(|variable| std::env::var_os(variable).filter(|text| !text.is_empty()))
}

fn folder_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    match variable(VARIABLE) {
        Some(text) if text == "off" => return None,
        Some(folder) => return Some(folder.into()),
        None => {}
    }
    let home = || variable("HOME").map(PathBuf::from);
    let caches = if cfg!(windows) {
        variable("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_vendor = "apple") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        // A relative path is to be ignored, by the specification of the variable.
        let own = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        own.or_else(|| home().map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("localmax"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::Device;
    use crate::gpu::exact;
    use crate::gpu::table::compile;
    use crate::tokens::Precision;
    use pollster::block_on;

    /// A device whose kernels are kept in a folder, with some of them compiled.
    fn compiled(adapter: &Adapter, folder: &Path) -> Device {
        let features = wgpu::Features::empty();
        let device = block_on(Device::connect(adapter, adapter.limits(), features, Some(folder))).expect("a device");
        let kernels: Vec<_> = exact::KERNELS.iter().filter(|kernel| kernel.entry.starts_with("scan_")).collect();
        block_on(compile::<exact::Job>(&device, &kernels, Precision::F32, 3)).expect("kernels");
        device
    }

    /// A file that a crash cut or a disk damaged would be handed to a driver, which trusts it; one of
    /// another driver must cost nothing but time.
    #[test]
    fn what_is_damaged_is_made_anew() {
        let adapters: Vec<_> = Adapter::all().into_iter().filter(|a| a.handle.features().contains(FEATURES)).collect();
        assert!(!adapters.is_empty(), "no Vulkan adapter: bash tests/run.sh installs a software driver");
        for adapter in adapters {
            let folder = tempfile::tempdir().expect("a folder");
            let path = PipelineCache::path(&adapter, folder.path()).expect("a path");
            assert!(path.to_string_lossy().contains(env!("CARGO_PKG_VERSION")), "{path:?}");
            compiled(&adapter, folder.path());
            let whole = fs::read(&path).expect("a file");
            let data = read(&path).expect("what was written");
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "something is left beside it");
            let flipped = |at: usize| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                bytes
            };
            let last = whole.len() - 1;
            let damaged = [
                flipped(0),
                flipped(HEAD.len()),
                flipped(HEAD.len() + 32),
                flipped(last),
                whole[..last].to_vec(),
                whole[..HEAD.len() + 7].to_vec(),
                Vec::new(),
                [&whole[..], b"x"].concat(),
            ];
            for bytes in damaged {
                fs::write(&path, &bytes).expect("a file");
                assert_eq!(read(&path), None, "{} bytes", bytes.len());
                compiled(&adapter, folder.path()).check().expect("a sound device");
                assert!(read(&path).is_some(), "the file was not made anew");
            }
            // Whole, but of another driver, or not of one at all.
            let mut other = data.clone();
            other[24] ^= 1;
            for data in [other, b"not what a driver says".to_vec(), data[..data.len() - 1].to_vec()] {
                write(&path, &data, blake3::hash(&data)).expect("a file");
                compiled(&adapter, folder.path()).check().expect("a sound device");
                assert_ne!(read(&path), Some(data), "the file was not made anew");
            }
            // A folder in its place, and no folder to write to.
            fs::remove_file(&path).expect("a file");
            fs::create_dir(&path).expect("a folder");
            compiled(&adapter, folder.path()).check().expect("a sound device");
            let file = folder.path().join("file");
            fs::write(&file, "").expect("a file");
            compiled(&adapter, &file.join("below")).check().expect("a sound device");
        }
    }

    /// A program that writes where it should not, or where it was told not to, is not installed twice.
    #[test]
    fn the_folder_is_the_users_or_the_one_named() {
        let of = |set: &[(&str, &str)]| {
            folder_by(|variable| set.iter().find(|(name, _)| *name == variable).map(|(_, text)| text.into()))
        };
        assert_eq!(of(&[(VARIABLE, "off"), ("HOME", "/home/a"), ("LOCALAPPDATA", "/home/a")]), None);
        assert_eq!(of(&[(VARIABLE, "/tmp/kept"), ("HOME", "/home/a")]), Some("/tmp/kept".into()));
        assert_eq!(of(&[]), None);
        if cfg!(target_os = "linux") {
            assert_eq!(of(&[("HOME", "/home/a")]), Some("/home/a/.cache/localmax".into()));
            let set = [("HOME", "/home/a"), ("XDG_CACHE_HOME", "/var/kept")];
            assert_eq!(of(&set), Some("/var/kept/localmax".into()));
            assert_eq!(of(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "kept")]), Some("/home/a/.cache/localmax".into()));
        }
    }
}
