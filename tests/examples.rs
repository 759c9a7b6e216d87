//! The library as its user meets it: the programs in `examples/`, and a crate of one's own.

use std::path::Path;
use std::process::Command;

/// Runs a command to its end; stdout.
fn good(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    // The folder of this program's own build: what is built there already is not built again.
    let program = std::env::current_exe().expect("a path");
    let target = program.ancestors().nth(3).expect("target/debug/deps/examples");
    let mut command = Command::new("cargo"); // by its name: rustup then gives its children the same toolchain
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target);
    command
}

fn example(name: &str, arguments: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    good(&mut cargo(here, &["build", "--quiet", "--offline", "--locked", "--workspace", "--examples"]));
    let program = std::env::current_exe().expect("a path");
    let built = program.ancestors().nth(2).expect("target/debug").join("examples").join(name);
    good(Command::new(built).args(arguments))
}

/// An example that does not build, or ends with an error, sends its reader away.
#[test]
fn examples_build_and_run() {
    let text = example("first_steps", &[]);
    assert!(text.contains("token 0 attends to tokens [") && text.contains("hash "), "{text}");
    let text = example("own_tokens_and_schedule", &[]);
    assert!(text.lines().count() == 1 + 30 + 12 && text.contains("token 11 ends at ["), "{text}");

    let folder = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_localmax");
    let run = folder.path().join("r");
    let out = run.to_str().expect("text");
    good(Command::new(program).args(["run", "--engine", "cpu", "--steps", "12", "--no-plot", "--out", out]));
    let text = example("reading_a_run", &[out]);
    assert!(text.contains("step   1: moved") && text.ends_with("again: the same bits\n"), "{text}");
}

/// The program of the front page, in a crate that knows nothing of this one but its path.
///
/// The lock and the profile are this crate's, so that the two share what is built of their
/// dependencies.
fn five_lines_outside(verb: &str, features: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(here.join("Cargo.toml")).expect("a manifest");
    let profile =
        &manifest[manifest.find("[profile.dev]").expect("a profile")..manifest.find("[lints]").expect("lints")];
    let page = std::fs::read_to_string(here.join("README.md")).expect("a page");
    let code = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    std::fs::create_dir(folder.path().join("src")).expect("a folder");
    write("src/main.rs", code);
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nlocalmax = {{ path = \"{}\", {features} }}\n\n{profile}",
            here.display()
        ),
    );
    write("Cargo.lock", &std::fs::read_to_string(here.join("Cargo.lock")).expect("a lock"));
    good(&mut cargo(folder.path(), &[verb, "--quiet", "--offline"]))
}

/// If something that the face hands out could not be named or reached, only a crate outside would
/// notice.
///
/// Everyday runs check the crate without default features; with LOCALMAX_FULL=1 it is built and run
/// with and without them, which takes minutes.
#[test]
fn a_crate_of_ones_own_takes_the_five_lines() {
    five_lines_outside("check", "default-features = false");
    if std::env::var("LOCALMAX_FULL").is_ok_and(|value| value == "1") {
        let text = five_lines_outside("run", "default-features = false");
        assert!(text.ends_with("of 1000 tokens moved in the last step\n"), "{text}");
        assert_eq!(five_lines_outside("run", "default-features = true"), text);
    }
}
