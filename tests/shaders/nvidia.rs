//! The main kernels of brute force through NVIDIA's assembler, as CUDA that `sm_90.py` makes of their text: what each
//! takes of a multiprocessor, kept in a table beside this file.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use localmax::gpu::modules::modules;

/// Dimensions that are shown, one of each text.
const DIMENSIONS: [usize; 4] = [3, 16, 64, 256];
/// The least share of multiply-adds in the main loop of scores at them, in percent, and the most registers of a thread.
const LEAST: [u32; 4] = [70, 80, 85, 85];
const REGISTERS: u32 = 168;

pub(crate) fn trials() -> Vec<Trial> {
    let packages = packages();
    let lacking = packages.is_none();
    let run = move || {
        costs_are_those_kept(&packages.unwrap_or_default());
        Ok(())
    };
    vec![Trial::test("nvidia::costs_on_sm_90_are_those_kept", run).with_ignored_flag(lacking)]
}

/// The folder of NVIDIA's compiler, which `tests/run.sh` installs.
fn packages() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cuda/packages");
    folder.join("nvidia").is_dir().then_some(folder)
}

/// A loop whose multiply-adds wait for other instructions, or whose registers are moved to memory, finds the same bits,
/// later. Another version of the compiler is held to the bounds alone.
fn costs_are_those_kept(packages: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let is_shown = |name: &str| {
        ["exact_scores_f32", "exact_scores_of_limbs_f32", "exact_strips_dense_f32"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let texts = modules(&DIMENSIONS);
    let texts: Vec<_> = texts.iter().filter(|text| is_shown(&text.name) && !text.units).collect();
    for text in &texts {
        std::fs::write(folder.path().join(format!("{}.{}", text.name, text.entry)), &text.source).expect("a text");
    }
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shaders/sm_90.py")).arg(packages).arg(folder.path());
    let said = python.output().expect("python3 runs");
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let table = out.strip_suffix(&format!("{} texts\n", texts.len())).unwrap_or_else(|| panic!("{out}{err}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shaders/sm_90.txt");
    if std::env::var_os("LOCALMAX_KEEP_COSTS").is_some() {
        std::fs::write(&path, table).expect("the table is written");
    }
    for (d, least) in DIMENSIONS.iter().zip(LEAST) {
        let name = format!("exact_scores_f32_d{d}");
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(&name)).expect(&name);
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [registers, spilled, _, share, ..] = numbers[..] else { panic!("{line}") };
        assert!(registers <= REGISTERS && spilled == 0 && share >= least, "{line}");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if table.lines().next() == kept.lines().next() {
        let changed: Vec<&str> = table.lines().filter(|line| !kept.contains(line)).collect();
        assert!(table == kept, "LOCALMAX_KEEP_COSTS=1 keeps the new costs:\n{}", changed.join("\n"));
    }
}
