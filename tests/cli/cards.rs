//! Commands about adapters: `doctor`, `selftest`, `bench`, and the memory of a run on one.

use super::*;

/// What a user of a new card runs first: it must take every adapter that `doctor` shows, and pass
/// on those that the other tests pass on.
#[test]
fn selftest_takes_every_adapter() {
    let folder = Folder::new();
    let doctor: Value = serde_json::from_str(&folder.good(&["doctor", "--json"])).unwrap();
    let found: Value = serde_json::from_str(&folder.good(&["selftest", "--json"])).unwrap();
    let lines = found["lines"].as_array().unwrap();
    assert_eq!(found["passed"], true);
    let of = |part: &str| lines.iter().filter(|line| line["engine"].as_str().unwrap().contains(part)).count();
    assert!(of("cpu") >= 40);
    for adapter in doctor["adapters"].as_array().unwrap() {
        let name = adapter["name"].as_str().unwrap();
        assert!(of(name) >= 30, "{name}: {} lines", of(name));
    }
    let refused = folder.run(&["selftest", "--adapter", "no such card"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3));
    assert!(error.contains("--adapter no such card: no adapter has") && error.contains("(found: 0 "), "{error}");
}

/// The first software adapter, by the number that `--adapter` takes.
fn software(folder: &Folder) -> String {
    let doctor: Value = serde_json::from_str(&folder.good(&["doctor", "--json"])).unwrap();
    let is_software = |adapter: &&Value| adapter["software"] == true;
    let found = doctor["adapters"].as_array().unwrap().iter().find(is_software);
    found.expect("`bash tests/run.sh drivers` installs a software driver")["number"].to_string()
}

/// A rehearsal of what is asked of a new card: every stage passes, its trajectories are the CPU engine's, the files
/// say so, and no older file is touched.
#[test]
fn a_new_card_is_rehearsed() {
    let folder = Folder::new();
    let adapter = software(&folder);
    let rehearsal = ["selftest", "--full", "--quick", "--adapter", &adapter, "--out", "card"];
    let said = folder.good(&rehearsal);
    let results: Value = serde_json::from_slice(&fs::read(folder.path().join("card/results.json")).unwrap()).unwrap();
    assert_eq!((&results["is_rehearsal"], &results["sizes"]), (&Value::Bool(true), &Value::from("quick")));
    assert_eq!(results["facts"]["adapters"][0]["name"], results["card"]["name"]);
    let stages = results["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 5);
    for stage in stages {
        let (name, outcome) = (stage["name"].as_str().unwrap(), &stage["outcome"]);
        assert!(outcome == "passed" || (name == "kernels" && outcome == "left_out"), "{stage}");
        assert!(said.contains(name), "{said}");
    }
    assert!(results["peaks"]["card"].as_f64().unwrap() > 0.0 && results["lines"].as_array().unwrap().len() > 30);
    let table = fs::read_to_string(folder.path().join("card/table.md")).unwrap();
    let systems = results["systems"].as_array().unwrap();
    assert_eq!(systems.len(), 12);
    for system in systems {
        let trajectories = system["trajectories"].as_array().unwrap();
        let hash = trajectories[0]["hash"].as_str().unwrap();
        assert!(system["equal"] == true && trajectories.len() > 1, "{system}");
        assert!(trajectories.iter().all(|t| t["hash"] == hash) && table.contains(hash), "{system}");
    }
    let rows = |plan: &Value| plan["report"]["rows"].as_array().unwrap().clone();
    let speed: Vec<Value> = results["speed"].as_array().unwrap().iter().flat_map(rows).collect();
    let of = |cpu: bool| speed.iter().filter(|row| (row["engine"] == "cpu") == cpu).count();
    assert!(of(false) >= 4 && of(true) >= 4, "{speed:#?}");
    for words in [&results["card"]["driver"], &results["card"]["name"], &results["date"]] {
        assert!(table.contains(words.as_str().unwrap()), "no {words} in {table}");
    }
    for words in ["verdict: nothing failed", "a rehearsal", "| ms a step |", "of peak"] {
        assert!(table.contains(words), "no {words:?} in {table}");
    }
    folder.refused(&rehearsal, &["card is not empty", "--out"]);
    folder.refused(&["selftest", "--full"], &["--out"]);
    folder.refused(&["selftest", "--quick", "--json"], &["--full"]);
    folder.refused(&["selftest", "--full", "--adapter", "cpu", "--out", "new"], &["--adapter cpu", "doctor"]);
}

/// Who has to stop keeps every stage that was finished.
#[cfg(unix)]
#[test]
fn an_interrupted_card_keeps_its_stages() {
    use std::process::Stdio;
    let folder = Folder::new();
    let adapter = software(&folder);
    let child = Command::new(env!("CARGO_BIN_EXE_localmax"))
        .args(["selftest", "--full", "--adapter", &adapter, "--out", "card"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.path().join("card/table.md").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("interrupted: card has the stages that were finished"), "{said}");
    let results: Value = serde_json::from_slice(&fs::read(folder.path().join("card/results.json")).unwrap()).unwrap();
    assert_eq!(results["stages"][0]["outcome"], "passed");
    let mut files: Vec<_> = fs::read_dir(folder.path().join("card")).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["results.json", "table.md"]);
}

/// A machine without any Vulkan driver must still run, say what it has, and measure.
#[test]
fn a_machine_without_a_driver_is_served() {
    let folder = Folder::new();
    let bare = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_localmax"))
            .args(arguments)
            .current_dir(folder.path())
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .env("VK_ICD_FILENAMES", "/nonexistent.json")
            .output()
            .unwrap()
    };
    let doctor: Value = serde_json::from_slice(&bare(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(doctor["auto"], "cpu");
    assert_eq!(doctor["adapters"].as_array().unwrap().len(), 0);
    let mends = doctor["mend"].to_string();
    assert!(mends.contains("VK_DRIVER_FILES names /nonexistent.json, which is not there"), "{mends}");
    let gpu_alone = bare(&["bench", "--engines", "gpu"]);
    assert_eq!(gpu_alone.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&gpu_alone.stderr).contains("--engines cpu") && gpu_alone.stdout.is_empty());
    let card = bare(&["selftest", "--full", "--out", "card"]);
    assert_eq!(card.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&card.stderr).contains("no hardware GPU") && !folder.path().join("card").exists());
    assert!(bare(&["run", "--out", "r"]).status.success());
    let gpu = bare(&["run", "--engine", "gpu", "--out", "g"]);
    assert_eq!(gpu.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&gpu.stderr).contains("--engine cpu"));
    assert!(!folder.path().join("g").exists());
    let bench = bare(&["bench", "--tokens", "200", "--dims", "2", "--rounds", "1", "--seconds", "0.01", "--json"]);
    let bench: Value = serde_json::from_slice(&bench.stdout).unwrap();
    assert_eq!(bench["rows"].as_array().unwrap().len(), 4, "two rules on the CPU engine and the reference");
}

/// The first thing that is asked of a machine with a new card, by a script: one JSON text, in which
/// every adapter tells its limits and times.
#[test]
fn doctor_tells_a_script_what_an_adapter_is() {
    let folder = Folder::new();
    let doctor: Value = serde_json::from_str(&folder.good(&["doctor", "--json"])).unwrap();
    let sets = doctor["cpu"]["instruction_sets"].as_array().unwrap();
    assert!(sets.contains(&doctor["cpu"]["instruction_set"]), "{sets:?}");
    for adapter in doctor["adapters"].as_array().unwrap() {
        for key in ["name", "kind", "driver", "backend", "pci", "probe"] {
            assert!(adapter[key].is_string(), "{key}: {adapter}");
        }
        let whole = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {adapter}"));
        let limits = &adapter["limits"];
        assert!(limits.as_object().unwrap().len() > 30, "{limits}");
        assert_eq!(whole(&limits["max_buffer_size"]), whole(&adapter["max_buffer_bytes"]));
        assert!(whole(&limits["max_compute_workgroup_storage_size"]) >= 16384);
        let subgroups = &adapter["subgroup_sizes"];
        assert!((1..=whole(&subgroups["most"])).contains(&whole(&subgroups["least"])), "{subgroups}");
        let tells = &adapter["features"]["cooperative-matrix"];
        assert_eq!(adapter["cooperative_matrices"].is_array(), tells.as_bool().unwrap(), "{adapter}");
        assert!(adapter["multiplies_matrices"].is_boolean() || adapter["problem"].is_string(), "{adapter}");
        if adapter["problem"].is_null() {
            assert!(adapter["open_seconds"].as_f64().unwrap() > 0.0 && adapter["probe"] == "right");
            assert!(adapter["compiled"]["seconds"].as_f64().unwrap() > 0.0, "{adapter}");
            assert!(whole(&adapter["compiled"]["kernels"]) > 20);
        }
    }
}

/// What an adapter cannot hold must be refused before minutes go into drawing a cloud, and what it
/// will hold be said.
#[test]
fn the_memory_on_an_adapter_is_checked_and_said() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let doctor: Value = serde_json::from_str(&folder.good(&["doctor", "--json", "--plan", "1000,3"])).unwrap();
    let adapter = doctor["adapters"].as_array().unwrap().first();
    let plan = &adapter.expect("an adapter: `bash tests/run.sh drivers` installs a software one")["plan"]["exact"];
    let sum: u64 = plan["buffers"].as_array().unwrap().iter().map(|b| b["bytes"].as_u64().unwrap()).sum();
    assert_eq!(plan["total_bytes"].as_u64(), Some(sum));
    let start = ["run", "my.toml", "--engine", "gpu", "--set"];
    folder.refused(&[&start[..], &["tokens.n=4000000000"]].concat(), &["bytes", "available", "take at most "]);
    folder.refused(&[&start[..], &["tokens.n=30000000", "--plan", "norm"]].concat(), &["norm", "gpu"]);
    let output = folder.run(&[&start[..], &["tokens.n=1000", "--no-plot"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains(&sum.to_string()) && said.contains("bytes of memory"), "{said}");
    assert!(said.contains("GPU engine on "), "{said}");
    let named = folder.run(&[&start[..], &["tokens.n=1000", "--no-plot", "--adapter", "0"]].concat());
    let said = String::from_utf8(named.stderr).unwrap();
    assert!(named.status.success() && said.contains("; named by --adapter 0)"), "{said}");
    let auto = ["run", "my.toml", "--engine", "auto", "--adapter", "no such card"];
    folder.refused_with(3, &auto, &["--adapter no such card", "(found: 0 "]);
}

/// Who has two cards has one run on both by naming them, with the bits of one, which goes on with the rest.
#[test]
fn a_list_of_adapters_shares_a_run() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let start = ["run", "my.toml", "--engine", "gpu", "--steps", "6", "--no-plot", "--out"];
    let run = |out: &str, adapter: &str| folder.run(&[&start[..], &[out, "--adapter", adapter]].concat());
    let (alone, shared) = (run("alone", "0"), run("shared", "0,0"));
    let said = String::from_utf8(shared.stderr).unwrap();
    assert!(alone.status.success() && shared.status.success(), "{said}");
    assert!(said.contains("rows shared by 2 adapters, on 0 ") && said.contains("named by --adapter 0,0)"), "{said}");
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(read("shared/metrics.csv"), read("alone/metrics.csv"));
    let meta: Value = serde_json::from_str(&read("shared/meta.json")).unwrap();
    assert!(meta.to_string().contains("\"2 x "), "{meta}");
    // It goes on with one of them, or the other way round.
    folder.good(&["resume", "shared", "--steps", "4", "--adapter", "0"]);
    folder.good(&["resume", "alone", "--steps", "4", "--adapter", "0, 0,0"]);
    assert_eq!(read("shared/metrics.csv"), read("alone/metrics.csv"));
    folder.good(&["verify", "my.toml", "--engine", "gpu", "--steps", "3", "--adapter", "0,0"]);
    let bench = ["bench", "--engines", "gpu", "--tokens", "200", "--dims", "3", "--rounds", "1", "--seconds", "0.01"];
    let json = folder.good(&[&bench[..], &["--json", "--adapter", "0,0"]].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    let count = |key: &str| report[key].as_array().unwrap().len();
    assert!((count("engines"), count("rows")) == (1, 2) && json.contains("\"2 x "), "one engine, two rules: {json}");
    // Every adapter of a list must be there, and be one.
    for (list, words) in
        [("0,99", ["0,99: 99: ", "(found: 0 "]), ("0,", ["0,: ", "comma"]), ("all", ["all: no hardware", "0 "])]
    {
        let refused = run("refused", list);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(3), "{list}: {error}");
        assert!(words.into_iter().all(|word| error.contains(word)), "{list}: {error}");
    }
    folder.refused(&["selftest", "--full", "--adapter", "0,0", "--out", "card"], &["--adapter 0,0", "one adapter"]);
}

/// What one sees of a machine's adapters, and a measurement on all of them.
#[test]
fn doctor_and_bench_speak() {
    let folder = Folder::new();
    let text = folder.good(&["doctor", "--plan", "1000000,3"]);
    for word in ["cpu ", "adapter", "auto ", "bytes"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    // The same shared by ranks: parts take less, and tell one another less.
    let text = folder.good(&["doctor", "--plan", "1e8,3", "--ranks", "64"]);
    for word in ["on 64 ranks of ", "plan opened: rank 0 takes ", "plan tree, δ = 0: a step takes "] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    let json = folder.good(&["doctor", "--json", "--plan", "100000000,3", "--ranks", "64"]);
    let ranks = &serde_json::from_str::<Value>(&json).unwrap()["ranks"]["plans"];
    let [opened, tree] = ["opened", "tree"].map(|plan| &ranks[plan]);
    assert!(opened["other_bytes"].as_u64().unwrap() * 10 < tree["other_bytes"].as_u64().unwrap(), "{ranks}");
    let heard = |plan: &Value| plan["steps"]["score_0.01"]["bytes"].as_u64().unwrap();
    assert!(heard(opened) > 0 && heard(opened) * 10 < heard(tree), "{ranks}");
    folder.refused(&["doctor", "--ranks", "4"], &["--plan"]);
    folder.refused(&["doctor", "--plan", "1000,3", "--ranks", "0"], &["0", "1..=1000000"]);
    let small = ["bench", "--tokens", "300", "--dims", "2", "--rounds", "1", "--seconds", "0.01"];
    let text = folder.good(&small);
    assert!(text.contains("hardmax") && text.contains("reference") && text.contains("of peak"), "{text}");
    let markdown = folder.good(&[&small[..], &["--markdown"]].concat());
    assert!(markdown.contains("| rule |") && markdown.contains("| localmax | 300 | 2 | cpu |"), "{markdown}");
    folder.refused(&["bench", "--seconds", "0"], &["--seconds", "above 0"]);
    folder.refused(&["bench", "--steps", "0"], &["--steps", "0"]);
    folder.refused(&["bench", "--file", "x0.npy"], &["x0.npy", "no such file"]);
    folder.refused(&["bench", "--file", "x0.npy", "--dims", "3"], &["--file", "--dims"]);
}

/// What is slow on a card is found by its kernels: each is listed once, with the dispatches that brute
/// force takes, and the shares are of a whole.
#[test]
fn bench_times_the_kernels_of_an_adapter() {
    let folder = Folder::new();
    let options = ["bench", "--kernels", "--tokens", "1000", "--dims", "3", "--plan", "brute", "--rules", "localmax"];
    let json = folder.good(&[&options[..], &["--adapter", "0", "--steps", "6", "--batch", "3", "--json"]].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((report["steps"].as_u64(), report["batch"].as_u64()), (Some(6), Some(3)));
    let table = &report["tables"][0];
    let of = |kernel: &Value, key: &str| kernel[key].as_f64().unwrap();
    let kernels = table["kernels"].as_array().unwrap();
    for name in ["identity", "widths", "scores", "peaks", "strips", "moves"] {
        let dispatches: Vec<f64> = kernels.iter().filter(|k| k["name"] == name).map(|k| of(k, "dispatches")).collect();
        assert!(matches!(dispatches[..], [count] if count >= 1.0), "{name}: {table}");
    }
    let shares: f64 = kernels.iter().map(|kernel| of(kernel, "share")).sum();
    assert!((shares - 1.0).abs() < 1e-9 && of(table, "kernels_ms") > 0.0, "{table}");
    assert!(of(table, "host_ms") <= of(table, "ms") && of(table, "submissions") > 0.0, "{table}");
    let text = folder.good(&[&options[..], &["--kind", "ball", "--delta", "0.3"]].concat());
    for word in ["dispatches a step", "a cloud (ball)", "δ = 0.3", "scores", "submissions a step"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    folder.refused(&["bench", "--kernels", "--engines", "gpu"], &["--kernels", "--engines"]);
    folder.refused(&["bench", "--rules", "hardmax", "--delta", "0.2"], &["--delta 0.2", "localmax"]);
    folder.refused(&["bench", "--delta=-1"], &["delta", "-1"]);
    folder.refused(&["bench", "--kind", "blob"], &["blob", "clusters"]);
}

/// A rate that charges a plan with the pairs it ruled out, or that times a cloud that has gathered
/// at a few points, shows shares of the peak that no machine has. The rate is of scored keys, on the
/// first steps of fresh clouds, and a share is at most one or not shown.
#[test]
fn bench_counts_the_work_that_was_done() {
    let folder = Folder::new();
    let config =
        "[tokens]\nkind = \"normal\"\nn = 2000\nd = 3\n[model]\nrule = \"hardmax\"\nalpha = 1.0\n[run]\nsteps = 0\n";
    folder.write("cloud.toml", config);
    folder.good(&["run", "cloud.toml", "--out", "cloud", "--no-plot"]);
    let measured = |plan: &str| {
        let options = ["bench", "--engines", "cpu", "--rules", "hardmax", "--file", "cloud/final.npy", "--steps", "2"];
        let json =
            folder.good(&[&options[..], &["--rounds", "2", "--seconds", "0.01", "--json", "--plan", plan]].concat());
        serde_json::from_str::<Value>(&json).unwrap()["rows"][0].clone()
    };
    let (brute, tree) = (measured("brute"), measured("tree"));
    for row in [&brute, &tree] {
        assert_eq!((row["n"].as_u64(), row["d"].as_u64(), row["steps"].as_u64()), (Some(2000), Some(3), Some(2)));
        assert!(row["share_of_peak"].as_f64().is_none_or(|share| share > 0.0 && share <= 1.0), "{row}");
        let (ms, keys, gflops) = (&row["ms"], &row["keys_a_row"], &row["gflops"]);
        let done = 2000.0 * keys.as_f64().unwrap() * 6.0 / (ms.as_f64().unwrap() * 1e6);
        assert!((done / gflops.as_f64().unwrap() - 1.0).abs() < 1e-9, "{row}");
    }
    let keys = |row: &Value| row["keys_a_row"].as_f64().unwrap();
    assert!(keys(&brute) >= 2000.0 && keys(&tree) < 1000.0, "{brute} {tree}");
}
