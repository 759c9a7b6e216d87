//! Every module through Tint, Chromium's compiler: no device runs, so no card is needed.

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
    tints.map(|trial| trial.with_ignored_flag(lacking)).into()
}

/// The npm package with Tint, which `tests/run.sh` installs, if it and Node are there.
fn tint() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tint/node_modules/webgpu");
    let node = Command::new("node").arg("--version").output().is_ok_and(|said| said.status.success());
    (node && package.is_dir()).then_some(package)
}

/// The refusals among some texts, one a line.
fn refusals(package: &Path, texts: &[ModuleText]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for text in texts {
        std::fs::write(folder.path().join(format!("{}.{}", text.name, text.entry)), &text.source)
            .expect("a text is written");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shaders/tint.mjs");
    let said = Command::new("node").arg(script).arg(package).arg(folder.path()).output().expect("node runs");
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let mut lines: Vec<String> = out.lines().map(String::from).collect();
    assert_eq!(lines.pop(), Some(format!("{} texts", texts.len())), "{out}{err}");
    lines
}

/// A text that Tint refuses is an engine that no browser can open, and mostly one that DX12 refuses
/// too.
fn takes_every_text(package: &Path) {
    let refused = refusals(package, &modules(&DIMENSIONS));
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
        let refused = refusals(package, &[text]);
        assert!(refused.iter().any(|line| line.contains(why)), "{name}: {refused:?}");
    }
}
