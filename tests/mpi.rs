//! The program as mpirun starts it. The bits of ranks are tested in `tests/ranks.rs`, without MPI.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

#[cfg(feature = "gpu")]
use localmax::gpu::Adapter;
use rand::{RngExt as _, SeedableRng as _};

mod waiting;

use waiting::wait_for;

/// `mpirun -n SIZE localmax ARGUMENTS`, also as root and on few cores.
fn mpirun(size: usize, arguments: &[&str], path: &Path) -> Output {
    begin(size, arguments, path).output().expect("mpirun starts: tests/run.sh installs it")
}

fn begin(size: usize, arguments: &[&str], path: &Path) -> Command {
    let mut command = on_few_cores();
    command.args(["-n", &size.to_string(), env!("CARGO_BIN_EXE_localmax")]).args(arguments).arg(path);
    command
}

/// `mpirun`, before it is told what to start.
fn on_few_cores() -> Command {
    let mut command = Command::new("mpirun");
    command
        .args(["--map-by", ":OVERSUBSCRIBE"])
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), ("RAYON_NUM_THREADS", "1")])
        .env("OMPI_MCA_mpi_yield_when_idle", "1")
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none"); // which containers forbid
    command
}

/// A cluster's run is held to a desk's by its files: another byte in one of them is another result.
#[test]
fn a_run_under_mpirun_leaves_the_folder_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let keys = ["--set", "tokens.n=3000", "--set", "output.frames=every 3", "--engine", "cpu", "--no-plot"];
    for size in [1, 2, 4] {
        // The last in two parts, on another number of ranks each.
        let (first, name) = (if size == 4 { "5" } else { "8" }, format!("on {size}"));
        let ended = mpirun(size, &[&["run"][..], &keys, &["--steps", first, "--out"]].concat(), &path(&name));
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{size} ranks: {ended:?}");
        assert_eq!(said.matches("hash ").count(), 1, "only rank 0 speaks: {said}");
        if size == 4 {
            let ended = mpirun(3, &["resume", "--steps", "3", "--no-plot"], &path(&name));
            assert!(ended.status.success(), "{ended:?}");
        }
        for file in ["metrics.csv", "final.npy", "labels.npy", "frames/step_000000000003.npy"] {
            let [one, found] = ["on 1", &name].map(|run| fs::read(path(run).join(file)).expect("a file"));
            assert!(one == found, "{size} ranks: {file}");
        }
    }
    // Each rank with a part of the tokens.
    for size in [2, 4] {
        let name = format!("in {size} parts");
        let parts = ["--plan", "opened", "--verify", "4", "--steps", "8", "--out"];
        let ended = mpirun(size, &[&["run"][..], &keys, &parts].concat(), &path(&name));
        assert!(ended.status.success(), "{size} ranks: {ended:?}");
        for file in ["metrics.csv", "final.npy", "labels.npy", "frames/step_000000000003.npy"] {
            let [one, found] = ["on 1", &name].map(|run| fs::read(path(run).join(file)).expect("a file"));
            assert!(one == found, "{size} ranks: {file}");
        }
    }
    assert!(fs::read_to_string(path("on 2").join("meta.json")).unwrap().contains("on each of 2 ranks"));
}

/// A run that changes on the way does so on all ranks, also where a change was made before, by one process.
#[test]
fn a_run_changes_on_all_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let keys = ["run", "--set", "tokens.n=3000", "--engine", "cpu", "--no-plot", "--steps", "4", "--out"];
    let parts = [["--set", "model.delta=0.05"], ["--set", "model.alpha=2"]];
    for sizes in [[1, 1, 1], [2, 3, 2], [2, 1, 2], [1, 2, 3]] {
        let name = format!("{sizes:?}");
        assert!(mpirun(sizes[0], &keys, &path(&name)).status.success());
        for (size, set) in sizes[1..].iter().zip(&parts) {
            let ended = mpirun(*size, &[&["resume", "--steps", "2", "--no-plot"], &set[..]].concat(), &path(&name));
            assert!(ended.status.success(), "{sizes:?}: {ended:?}");
        }
        let ended = mpirun(sizes[0], &["resume", "--steps", "2", "--no-plot"], &path(&name));
        assert!(ended.status.success(), "{sizes:?}: {ended:?}");
        for file in ["metrics.csv", "final.npy", "labels.npy", "changes/2/config.toml"] {
            let [one, found] = ["[1, 1, 1]", &name].map(|run| fs::read(path(run).join(file)).expect("a file"));
            assert!(one == found, "{sizes:?}: {file}");
        }
    }
}

/// Where rank 0 cannot begin, the others must not wait for it, nor say the same once more.
#[test]
fn an_error_is_said_once_and_ends_all() {
    let ended = mpirun(3, &["run"], Path::new("no-such.toml"));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.matches("error: ").count()), (Some(2), 1), "{said}");
    assert!(said.contains("no-such.toml: there is no such file"), "{said}");
}

/// A node has several cards: each rank takes its own, and the run is that of no card.
#[test]
#[cfg(feature = "gpu")]
fn ranks_with_a_card_each_leave_the_folder_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let keys = ["run", "--set", "tokens.n=2000", "--set", "output.frames=every 3", "--no-plot", "--steps", "6"];
    let on = |engine| [&keys[..], &["--engine", engine, "--verify", "4", "--out"]].concat();
    assert!(mpirun(1, &on("cpu"), &path("cpu")).status.success());
    let all = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    let named = format!("0,{}", all.len().min(2) - 1);
    let ended = begin(2, &on("gpu"), &path("gpu")).env("LOCALMAX_ADAPTER", named).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    for file in ["metrics.csv", "final.npy", "labels.npy", "frames/step_000000000003.npy"] {
        let [one, found] = ["cpu", "gpu"].map(|run| fs::read(path(run).join(file)).expect("a file"));
        assert!(one == found, "{file}");
    }
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(path("gpu").join("meta.json")).unwrap()).unwrap();
    let device = meta["engine"]["device"].as_str().unwrap();
    assert!(meta["engine"]["engine"] == "gpu" && (device.contains(" + ") || device.starts_with("2 x ")), "{meta}");
}

/// The reference is never shared: R processes of it would be R runs.
#[test]
fn the_reference_under_ranks_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "--engine", "reference", "--set", "tokens.n=50", "--no-plot", "--out"];
    let ended = mpirun(2, &arguments, &folder.path().join("r"));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.matches("error: ").count()), (Some(2), 1), "{said}");
    assert!(said.contains("is \"reference\", whose rows 2 ranks do not share"), "{said}");
}

/// A machine too small is found before tokens are drawn, by all ranks together, and said once.
#[test]
fn a_rank_without_memory_is_named() {
    let path = tempfile::tempdir().unwrap();
    let keys = ["run", "--set", "tokens.n=4000000000", "--set", "tokens.d=3", "--no-plot", "--out"];
    let ended = mpirun(3, &keys, &path.path().join("r"));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.matches("error: ").count()), (Some(2), 1), "{said}");
    assert!(said.contains("error: rank 0: its part of a run of 4000000000 tokens in R^3 needs "), "{said}");
    assert!(!path.path().join("r").exists());
}

/// A resumed run may come to other machines than it began on: one that lacks the memory is found before there are
/// tokens, by its rank.
#[test]
fn a_resumed_rank_without_memory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let sets = ["tokens.n=1000000", "tokens.d=3", "model.delta=0", "output.measures=never"];
    let sets: Vec<&str> = sets.into_iter().flat_map(|set| ["--set", set]).collect();
    let run = [&["run", "--engine", "cpu", "--no-plot", "--steps", "1"][..], &sets, &["--out"]].concat();
    let ended = mpirun(2, &run, &path);
    assert!(ended.status.success(), "{ended:?}");
    let before = fs::read(path.join("metrics.csv")).unwrap();
    let program = [env!("CARGO_BIN_EXE_localmax"), "resume", "--no-plot", "--steps", "1"];
    let limited = ["sh", "-c", "ulimit -d 65536; exec \"$0\" \"$@\""];
    let ended = on_few_cores()
        .args(["-n", "1"])
        .args(program)
        .arg(&path)
        .args([":", "-n", "1"])
        .args(limited.iter().chain(&program))
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.matches("error: ").count()), (Some(2), 1), "{said}");
    assert!(said.contains("error: rank 1: its part of a run of 1000000 tokens in R^3 needs "), "{said}");
    assert!(said.contains(" are available; take more machines, or fewer tokens"), "{said}");
    assert!(fs::read(path.join("metrics.csv")).unwrap() == before);
}

/// The processes that mpirun has started and that are ranks by now.
fn ranks_of(mpirun: &Child) -> Vec<u32> {
    let is_rank = |pid: &u32| {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let parent = format!("PPid:\t{}\n", mpirun.id());
        read("status").contains(&parent) && read("comm").trim() == "localmax"
    };
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.parse().ok()).filter(is_rank).collect()
}

/// The step of a run's newest checkpoint.
fn saved(run: &Path) -> Option<u64> {
    let names = fs::read_dir(run.join("checkpoints")).ok()?.flatten().map(|entry| entry.file_name());
    let step = |name: String| name.strip_prefix("step_")?.strip_suffix(".safetensors")?.parse().ok();
    names.filter_map(|name| step(name.to_string_lossy().into_owned())).max()
}

/// A node that dies takes its rank with it, and with that the job: what it left must go on, on what nodes there are,
/// to the bytes of a run that nobody disturbed. LOCALMAX_KILLS asks for more kills than these few.
#[test]
fn a_run_whose_rank_is_killed_goes_on_on_other_ranks() {
    let kills: usize = std::env::var("LOCALMAX_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    // Where there is one, a folder that costs no time to bring to the disk.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let path = |name: &str| folder.path().join(name);
    // A checkpoint is due at every step.
    let sets = ["tokens.n=2000", "output.frames=every 8", "output.checkpoint_seconds=1e-9", "run.steps=40"];
    let sets: Vec<&str> = sets.into_iter().flat_map(|set| ["--set", set]).collect();
    let run = |plan| [&["run", "--engine", "cpu", "--no-plot"][..], &sets, &["--plan", plan, "--out"]].concat();
    let ended = mpirun(1, &run("tree"), &path("whole"));
    assert!(ended.status.success(), "{ended:?}");
    let mut stream = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let (mut killed, mut begun) = (0, 0);
    while killed < kills {
        begun += 1;
        assert!(begun <= 3 * kills + 3, "{killed} kills in {begun} runs: most ended first");
        let (name, plan) = (format!("run {begun}"), ["opened", "tree"][begun % 2]);
        let mut job = begin(4, &run(plan), &path(&name)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let has_ended = |job: &mut Child| job.try_wait().unwrap().is_some();
        let ranks = wait_for("four ranks", || {
            let ranks = ranks_of(&job);
            (ranks.len() == 4 || has_ended(&mut job)).then_some(ranks)
        });
        assert!(!ranks.is_empty(), "the job ended at once");
        let step = stream.random_range(0..30);
        wait_for("a step", || (saved(&path(&name)) >= Some(step) || has_ended(&mut job)).then_some(()));
        let rank = ranks[stream.random_range(0..ranks.len())];
        Command::new("sh").args(["-c", &format!("kill -9 {rank}")]).stderr(Stdio::null()).status().unwrap();
        let status = wait_for("a job with a dead rank to end", || job.try_wait().unwrap());
        if status.success() {
            continue; // it was faster
        }
        wait_for("its ranks to end", || ranks.iter().all(|pid| !is_alive(*pid)).then_some(()));
        killed += 1;
        let size = stream.random_range(1..=3);
        let ended = mpirun(size, &["resume", "--no-plot"], &path(&name));
        assert!(ended.status.success(), "after kill {killed}, on {size} ranks: {ended:?}");
        let frames = (0..=40).step_by(8).map(|step| format!("frames/step_{step:012}.npy"));
        for file in ["metrics.csv", "final.npy", "labels.npy"].map(str::to_owned).into_iter().chain(frames) {
            let [whole, found] = ["whole", &name].map(|run| fs::read(path(run).join(&file)).expect("a file"));
            assert!(whole == found, "after kill {killed}, plan {plan}, from step {step} on {size} ranks: {file}");
        }
        fs::remove_dir_all(path(&name)).unwrap();
    }
}

/// Whether a process is there, and not only its status for who started it.
fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| !status.contains("\nState:\tZ"))
}
