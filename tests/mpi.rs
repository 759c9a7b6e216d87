//! The program as mpirun starts it. The bits of ranks are tested in `tests/ranks.rs`, without MPI.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// `mpirun -n SIZE localmax ARGUMENTS`, also as root and on few cores.
fn mpirun(size: usize, arguments: &[&str], path: &Path) -> Output {
    Command::new("mpirun")
        .args(["--map-by", ":OVERSUBSCRIBE", "-n", &size.to_string(), env!("CARGO_BIN_EXE_localmax")])
        .args(arguments)
        .arg(path)
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), ("RAYON_NUM_THREADS", "1")])
        .env("OMPI_MCA_mpi_yield_when_idle", "1")
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none") // which containers forbid
        .output()
        .expect("mpirun starts: tests/run.sh installs it")
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

/// Where rank 0 cannot begin, the others must not wait for it, nor say the same once more.
#[test]
fn an_error_is_said_once_and_ends_all() {
    let ended = mpirun(3, &["run"], Path::new("no-such.toml"));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.matches("error: ").count()), (Some(2), 1), "{said}");
    assert!(said.contains("no-such.toml: there is no such file"), "{said}");
}
