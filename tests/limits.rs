//! The program under the limits of a machine, and with what a person does to a run in between.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_localmax");

/// Four tokens that come to rest within a few steps.
const FEW: &str = "[tokens]\nrows = [[1, 0], [0.5, 1], [-1, 0.2], [0.3, -0.7]]\n[model]\nrule = \"localmax\"\nalpha = 0.5\n\
                   delta = 0.1\n[run]\nsteps = 5\nengine = \"cpu\"\n";

struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with [`FEW`] in it, as `c.toml`.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("c.toml", FEW);
        folder
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Runs words behind a shell's limit, such as `ulimit -v 400000`; the exit status and stderr.
    fn limited(&self, program: &Path, limit: &str, arguments: &str) -> (Option<i32>, String) {
        let line = format!("{limit} && exec \"$0\" {arguments}");
        let mut command = Command::new("bash");
        command.args(["-c", &line]).arg(program).current_dir(self.0.path());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// Runs, expects an exit status, and returns stdout and stderr.
    fn expect(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        said
    }

    fn meta(&self, run: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(run).join("meta.json")).unwrap()).unwrap()
    }
}

/// On a login node with a small limit on processes a run must say so before it begins, not panic
/// with a folder half begun; and where the threads fit, it must run.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_processes_is_an_error_before_anything_is_written() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = Folder::new();
    let place = folder.0.path();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut program = Path::new(PROGRAM).to_owned();
    if is_root {
        // The limit does not hold for root; another user may not see the program where it was built,
        // and has no processes of its own, which the limit would count.
        program = folder.path("localmax");
        fs::copy(PROGRAM, &program).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let user = if is_root { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
    for (processes, status) in [(6, 3), (9, 3), (14, 0)] {
        let line = format!(
            "exec {user} bash -c 'ulimit -u {processes}; HOME=. exec \"$0\" run c.toml --threads 8 --engine cpu --no-plot --out r' "
        );
        let output =
            Command::new("bash").args(["-c", &format!("{line} \"$0\"")]).arg(&program).current_dir(place).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if is_root {
            assert_eq!(output.status.code(), Some(status), "{processes}: {said}");
        }
        assert!(!said.contains("panicked"), "{processes}: {said}");
        assert_eq!(folder.path("r").exists(), output.status.success(), "{processes}: {said}");
        if processes == 6 && is_root {
            assert!(
                said.contains("cannot start 8 threads") && said.contains("--threads or RAYON_NUM_THREADS"),
                "{said}"
            );
        }
    }
}

/// A batch system limits the address space, which the system's free memory does not show: the
/// program would abort in the middle of a run.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_the_address_space_is_an_error_before_anything_is_written() {
    let folder = Folder::new();
    let run =
        "run --set tokens.kind=normal --set tokens.n=4000000 --set tokens.d=3 --steps 2 --engine cpu --no-plot --out r";
    let (status, said) = folder.limited(Path::new(PROGRAM), "ulimit -v 400000", run);
    assert!(status == Some(2) && said.contains("bytes, ") && said.contains(" are available"), "{status:?}: {said}");
    assert!(!folder.path("r").exists());
}

/// A disk that fills up while pictures are drawn must leave no half picture, and must not let a
/// finished run pass for a bad command.
#[cfg(target_os = "linux")]
#[test]
fn a_picture_is_whole_or_not_there() {
    let folder = Folder::new();
    let (status, said) = folder.limited(Path::new(PROGRAM), "ulimit -f 16", "run c.toml --out r");
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("ulimit -f") && said.contains("the run is complete; `localmax plot r` draws"), "{said}");
    for entry in fs::read_dir(folder.path("r/plots")).unwrap() {
        let path = entry.unwrap().path();
        let is_png = path.extension().is_some_and(|ending| ending == "png");
        assert!(!is_png || fs::read(&path).unwrap().ends_with(b"IEND\xaeB`\x82"), "{} is cut off", path.display());
    }
    // Exit status 4 promises that this goes on.
    folder.expect(0, &["resume", "r"]);
    assert!(folder.path("r/plots/report.html").is_file());
}

/// The number of threads that was asked for must be the number that computes.
#[test]
fn threads_are_as_asked_for() {
    let folder = Folder::new();
    folder.expect(0, &["run", "c.toml", "--threads", "3", "--no-plot", "--out", "r"]);
    assert!(folder.meta("r")["engine"]["device"].as_str().unwrap().ends_with(", 3 threads"), "{}", folder.meta("r"));
    let said = folder.expect(2, &["run", "c.toml", "--threads", "0"]);
    assert!(said.contains("--threads") && said.contains("at least 1"), "{said}");
}

/// Frames fill disks and move to archives; the state is in the checkpoint, so the run must go on.
#[test]
fn a_run_goes_on_without_its_frames() {
    let folder = Folder::new();
    let run = ["run", "c.toml", "--past-fixed-point", "--no-plot", "--set", "output.frames=every 1"];
    folder.expect(0, &[&run[..], &["--steps", "9", "--out", "whole"]].concat());
    folder.expect(0, &[&run[..], &["--out", "r"]].concat());
    let frame = |step: u64| folder.path(&format!("r/frames/step_{step:012}.npy"));
    fs::remove_file(frame(0)).unwrap();
    folder.write("r/frames/step_000000000001.npy", "changed");
    let said = folder.expect(2, &["resume", "r", "--steps", "4"]);
    assert!(said.contains("step_000000000000.npy") && said.contains("localmax resume r --without-frames"), "{said}");
    folder.expect(0, &["resume", "r", "--steps", "4", "--without-frames"]);
    assert!(!frame(0).exists() && frame(9).exists());
    assert_eq!(fs::read(frame(1)).unwrap(), b"changed", "a frame of one's own was removed");
    let read = |run: &str, file: &str| fs::read(folder.path(run).join(file)).unwrap();
    for file in ["final.npy", "metrics.csv"] {
        assert_eq!(read("r", file), read("whole", file), "{file}");
    }
    fs::remove_dir_all(folder.path("r/frames")).unwrap();
    folder.expect(0, &["resume", "r", "--steps", "1", "--without-frames"]);
    assert!(frame(10).exists());
    let rows = String::from_utf8(read("r", "metrics.csv")).unwrap();
    folder.write("r/metrics.csv", rows.replace('\n', "\r\n"));
    let said = folder.expect(2, &["resume", "r", "--steps", "1", "--without-frames"]);
    assert!(said.contains("its line ends were changed to \\r\\n"), "{said}");
}

/// A run that stopped at its fixed point must go on beyond it where one asks, as if it had begun so.
#[test]
fn a_run_goes_on_past_its_fixed_point() {
    let folder = Folder::new();
    folder.expect(0, &["run", "c.toml", "--steps", "300", "--no-plot", "--out", "r"]);
    assert!(folder.meta("r")["steps"].as_u64().unwrap() < 300);
    folder.expect(0, &["resume", "r", "--past-fixed-point", "--no-plot"]);
    assert_eq!(folder.meta("r")["steps"], 300);
    folder.expect(0, &["run", "c.toml", "--steps", "300", "--past-fixed-point", "--no-plot", "--out", "whole"]);
    let metrics = |run: &str| fs::read_to_string(folder.path(run).join("metrics.csv")).unwrap();
    assert_eq!(metrics("r"), metrics("whole"));
}

/// A schedule that ends before the run would go on with its last value without a word, also where
/// the run is made longer.
#[test]
fn a_table_reaches_to_the_last_step() {
    let folder = Folder::new();
    folder.write("delta.csv", "0.3\n0.2\n0.1\n0.1\n0.1\n");
    let table = ["run", "c.toml", "--no-plot", "--past-fixed-point", "--set", "model.delta={ table = \"delta.csv\" }"];
    folder.expect(0, &[&table[..], &["--out", "r"]].concat());
    let said = folder.expect(2, &[&table[..], &["--steps", "300", "--out", "no"]].concat());
    assert!(said.contains("model.delta has 5 values for 300 steps") && !folder.path("no").exists(), "{said}");
    let said = folder.expect(2, &["resume", "r", "--steps", "1"]);
    assert!(said.contains("model.delta has 5 values for 6 steps"), "{said}");
    assert_eq!(folder.meta("r")["steps"], 5);
}

/// The strip of a step far ahead is that of the state that the system comes back to: to compute
/// every step would take for ever.
#[test]
fn strips_far_ahead_are_seen_from_rest_and_from_cycles() {
    let folder = Folder::new();
    folder.write(
        "swap.toml",
        "[tokens]\nrows = [[0.7, -1.0], [1.0, -0.7]]\n[model]\nrule = \"hardmax\"\nalpha = 0.5\na = -1\n[run]\nsteps = 40\n\
         precision = \"f32\"\n",
    );
    let place = |config: &str, step: &str| {
        let said = folder.expect(0, &["strip", config, "--token", "0", "--step", step, "--engine", "cpu", "--json"]);
        let json = &said[said.find('{').unwrap()..=said.rfind('}').unwrap()];
        serde_json::from_str::<Value>(json).unwrap()["x"].clone()
    };
    assert_eq!(place("c.toml", "1000000000000"), place("c.toml", "100"));
    let [even, odd] = ["38", "39"].map(|step| place("swap.toml", step));
    assert_ne!(even, odd);
    assert_eq!(place("swap.toml", "1000000000000"), even);
    assert_eq!(place("swap.toml", "1000000000001"), odd);
}

/// What a person writes first: a count as in Python, a value below 0, an array on its side.
#[test]
fn traps_of_the_first_hour() {
    let folder = Folder::new();
    folder.expect(0, &["run", "c.toml", "--set", "run.steps=1e1", "--no-plot", "--past-fixed-point", "--out", "a"]);
    folder.expect(0, &["run", "c.toml", "--steps", "1e1", "--no-plot", "--past-fixed-point", "--out", "b"]);
    assert_eq!((folder.meta("a")["steps"].as_u64(), folder.meta("b")["steps"].as_u64()), (Some(10), Some(10)));
    let said = folder.expect(2, &["study", "strip", "--alpha", "-1", "--out", "s"]);
    assert!(!said.contains("unexpected argument") && said.contains("-1"), "{said}");
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9), }";
    let header = format!("{header}{}\n", " ".repeat(128 - 11 - header.len()));
    let data: Vec<u8> = (0..18u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    folder.write("x.npy", [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), &data].concat());
    folder.write("x.toml", FEW.replace("rows = [[1, 0], [0.5, 1], [-1, 0.2], [0.3, -0.7]]", "file = \"x.npy\""));
    let said = folder.expect(0, &["run", "x.toml", "--no-plot", "--out", "x"]);
    assert!(said.contains("2 tokens in R^9, a row each; if a column is a token, transpose"), "{said}");
    folder.write("t.toml", folder.run(&["run", "--template"]).stdout);
    folder.expect(0, &["run", "t.toml", "--steps", "2", "--no-plot", "--engine", "cpu", "--out", "t"]);
}
