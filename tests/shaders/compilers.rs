//! Every module through Tint, Chromium's compiler, and through naga to the languages of other systems:
//! no device runs, so no card is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use localmax::gpu::modules::{DIMENSIONS, ModuleText, modules};

pub(crate) fn trials() -> Vec<Trial> {
    let tint = tint();
    let lacking = tint.is_none();
    let [package, again] = [(); 2].map(|()| tint.clone().unwrap_or_default());
    let tints = [
        Trial::test("tint::takes_every_text", move || {
            takes_every_text(&package);
            Ok(())
        }),
        Trial::test("tint::refuses_what_browsers_refuse", move || {
            refuses_what_browsers_refuse(&again);
            Ok(())
        }),
    ];
    let mut trials: Vec<Trial> = tints.map(|trial| trial.with_ignored_flag(lacking)).into();
    trials.push(Trial::test("naga::translates_every_text", || {
        translates_every_text();
        Ok(())
    }));
    trials
}

/// The npm package with Tint, which `tests/run.sh` installs, if it and Node are there.
fn tint() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tint/node_modules/webgpu");
    let node = Command::new("node").arg("--version").output().is_ok_and(|said| said.status.success());
    (node && package.is_dir()).then_some(package)
}

/// The refusals of a program that is called with a folder of some texts, one a line.
fn refusals(program: &mut Command, texts: &[ModuleText]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for text in texts {
        std::fs::write(folder.path().join(format!("{}.{}", text.name, text.entry)), &text.source)
            .expect("a text is written");
    }
    let said = program.arg(folder.path()).output().expect("the program runs");
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let mut lines: Vec<String> = out.lines().map(String::from).collect();
    assert_eq!(lines.pop(), Some(format!("{} texts", texts.len())), "{out}{err}");
    lines
}

/// Tint on a folder.
fn in_chromium(package: &Path) -> Command {
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shaders/tint.mjs")).arg(package);
    node
}

/// naga on a folder, in a package beside this one.
fn translator() -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new("cargo"); // by its name: rustup then gives its children the same toolchain
    cargo.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(folder.join("tests/translate/Cargo.toml"));
    cargo.arg("--target-dir").arg(folder.join("target/translate")).arg("--");
    cargo
}

/// A text that naga cannot write in a system's language is an engine that cannot be opened there.
fn translates_every_text() {
    let mut all = modules(&DIMENSIONS);
    all.retain(|text| !text.units);
    let refused = refusals(&mut translator(), &all);
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    // Signed atomics have been mistaken for unsigned ones on the way.
    let mut text = all.iter().find(|text| text.name == "exact_scores_f32_d3").expect("scores").clone();
    text.source = text.source.replace("peak: atomic<u32>", "peak: atomic<i32>").replace(" ordered(peak", " i32(peak");
    let refused = refusals(&mut translator(), &[text]);
    assert!(refused.iter().any(|line| line.contains("signed atomic")), "{refused:?}");
    // The translators must be those that wgpu has.
    let version = |path: &str| {
        let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a lock");
        let lines: Vec<&str> = lock.lines().skip_while(|line| *line != "name = \"naga\"").collect();
        lines.get(1).map(|line| (*line).to_owned())
    };
    assert_eq!(version("tests/translate/Cargo.lock"), version("Cargo.lock"));
}

/// A text that Tint refuses is an engine that no browser can open, and mostly one that DX12 refuses
/// too.
fn takes_every_text(package: &Path) {
    let mut all = modules(&DIMENSIONS);
    all.retain(|text| !text.subgroups && !text.units);
    let refused = refusals(&mut in_chromium(package), &all);
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// Texts that Tint has refused before: were they taken, [`takes_every_text`] would say nothing.
fn refuses_what_browsers_refuse(package: &Path) {
    let mends = [
        ("exact_strips_f32_d17", "workgroupUniformLoad(&listed_count)", "atomicLoad(&listed_count)", "uniform"),
        ("exact_strips_f64_d9", "workgroupUniformLoad(&listed_count)", "atomicLoad(&listed_count)", "uniform"),
        ("real_draw_f32", "workgroupUniformLoad(&chosen)", "chosen", "uniform"),
        ("multiply_add", "(i + id.x) & 15u", "i + id.x & 15u", "mixing"),
    ];
    let all = modules(&DIMENSIONS);
    for (name, now, before, why) in mends {
        let mut text = all.iter().find(|text| text.name == name).expect(name).clone();
        assert!(text.source.contains(now), "{name} has no {now}");
        text.source = text.source.replace(now, before);
        let refused = refusals(&mut in_chromium(package), &[text]);
        assert!(refused.iter().any(|line| line.contains(why)), "{name}: {refused:?}");
    }
}
