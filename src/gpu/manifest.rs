//! The driver manifests that the Vulkan loader reads, and what is wrong with them.

use std::path::{Path, PathBuf};

/// A driver manifest that the Vulkan loader reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The JSON file.
    pub path: PathBuf,
    /// The problem with it, if any: it cannot be read, or names a library that is not there.
    pub problem: Option<String>,
}

/// The driver manifests that the Vulkan loader would read, in its order: those of `VK_DRIVER_FILES`
/// or `VK_ICD_FILENAMES` alone if set, else the system's folders.
pub fn manifests() -> Vec<Manifest> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(list) = set("VK_DRIVER_FILES").or_else(|| set("VK_ICD_FILENAMES")) {
        return std::env::split_paths(&list).flat_map(|path| inspect_path(&path)).collect();
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    let home = |name: &str, below: &str| {
        set(name).map(PathBuf::from).or_else(|| std::env::home_dir().map(|home| home.join(below)))
    };
    folders.extend(home("XDG_CONFIG_HOME", ".config"));
    folders.extend(["/etc/xdg", "/usr/local/etc", "/etc"].map(PathBuf::from));
    folders.extend(home("XDG_DATA_HOME", ".local/share"));
    match set("XDG_DATA_DIRS") {
        Some(list) => folders.extend(std::env::split_paths(&list)),
        None => folders.extend(["/usr/local/share", "/usr/share"].map(PathBuf::from)),
    }
    folders.iter().flat_map(|folder| inspect_path(&folder.join("vulkan/icd.d"))).collect()
}

/// Inspects a manifest, or all of a folder.
fn inspect_path(path: &Path) -> Vec<Manifest> {
    let Ok(entries) = path.read_dir() else {
        return if path.extension().is_some_and(|end| end == "json") { vec![inspect(path)] } else { Vec::new() };
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "json"));
    files.sort();
    files.iter().map(|file| inspect(file)).collect()
}

fn inspect(path: &Path) -> Manifest {
    let problem = match std::fs::read_to_string(path).map(|text| serde_json::from_str::<serde_json::Value>(&text)) {
        Err(error) => Some(error.to_string()),
        Ok(Err(error)) => Some(format!("not JSON: {error}")),
        Ok(Ok(json)) => match json["ICD"]["library_path"].as_str() {
            None => Some("no ICD.library_path".into()),
            // A bare name is the dynamic loader's to find.
            Some(library) if library.contains('/') => {
                let library = path.parent().unwrap_or(Path::new("")).join(library);
                (!library.exists()).then(|| format!("its library {} does not exist", library.display()))
            }
            Some(_) => None,
        },
    };
    Manifest { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest without its library is why a driver is not found; `doctor` must say so.
    #[test]
    fn manifests_without_a_library_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good.json");
        let bad = folder.path().join("bad.json");
        std::fs::write(&good, r#"{"ICD": {"library_path": "libvulkan_lvp.so"}}"#).unwrap();
        std::fs::write(&bad, r#"{"ICD": {"library_path": "./nothing.so"}}"#).unwrap();
        let seen = inspect_path(folder.path());
        assert_eq!(seen.len(), 2);
        assert!(seen[0].problem.as_ref().is_some_and(|text| text.contains("nothing.so")), "{:?}", seen[0]);
        assert_eq!(seen[1], Manifest { path: good, problem: None });
    }
}
