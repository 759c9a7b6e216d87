//! Tokens that attend to their neighbours in a graph: exact rules have one hash, real ones keep their bounds, nothing
//! comes from where no path leads, and what is no graph is refused.

use std::fs;
use std::path::Path;

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, InstructionSet, Options};
use localmax::engine::{Engine, ExactReference, Steps, on_cpu};
use localmax::exact::Grid;
use localmax::init::{Cloud, CloudSample};
use localmax::io::config::Config;
use localmax::model::{Graph, Integrator, Mask, Model, Rule, Scoring, Sparse, StripForm};
use localmax::rng::Stream;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use localmax::verify::Verifier;

fn cloud(kind: Cloud, n: usize, d: usize) -> Tokens {
    CloudSample::new(kind, n, d).tokens(5, Precision::F64).unwrap()
}

/// The graph of what rows see under another mask.
fn of_mask(mask: Mask, n: usize) -> Graph {
    let edges: Vec<[u32; 2]> = (0..n).flat_map(|i| mask.keys(i, n).map(move |j| [i as u32, j as u32])).collect();
    Graph::new(n, &edges).unwrap()
}

/// `degree` edges a token on average, drawn; some tokens have none.
fn drawn(n: usize, degree: usize, seed: u64) -> Graph {
    let mut stream = Stream::new(seed, "graph", n as u64);
    let mut token = || stream.below(n as u64) as u32;
    let edges: Vec<[u32; 2]> =
        (0..n * degree).map(|_| [token() | 1, token()]).map(|[i, j]| [i.min(n as u32 - 1), j]).collect();
    Graph::new(n, &edges).unwrap()
}

fn exact_models(d: usize) -> [Model; 6] {
    let dense: Vec<Vec<f64>> =
        (0..d).map(|r| (0..d).map(|c| if r == c { 1.0 } else { 0.3 / (r + 2 * c + 1) as f64 }).collect()).collect();
    let wide = (d as f64).sqrt();
    [
        Model::localmax(0.3 * wide).unwrap().strip(StripForm::Width).unwrap(),
        Model::localmax("1/(t+1)").unwrap().matrix(dense.clone()).unwrap(),
        Model::localmax(0.2).unwrap().strip(StripForm::ANorm).unwrap(),
        Model::hardmax().alpha("1+t/8").unwrap().matrix(dense).unwrap(),
        Model::frank_wolfe("2/(t+2)").unwrap(),
        Model::hegselmann_krause(0.6 * wide).unwrap(),
    ]
}

/// Every kind of state that the CPU engine may begin in.
fn engines(model: &Model, tokens: &Tokens, grid: Grid) -> Vec<(String, Box<dyn Engine>)> {
    let near = model.scoring != Scoring::Inner;
    let sets = InstructionSet::ALL.into_iter().filter(|set| set.is_available());
    let options = sets.enumerate().flat_map(|(at, set)| {
        let plans = [Plan::Brute, [Plan::Tree, Plan::Filter, Plan::Auto][at % 3]];
        plans.map(|plan| Options { set: Some(set), threads: Some(at % 2 + 1), plan, near, ..Options::default() })
    });
    let engine = |options: Options| {
        let name = format!("{:?}", options.set);
        (name, Box::new(ExactCpu::new(tokens, grid, options).unwrap()) as Box<dyn Engine>)
    };
    options.map(engine).collect()
}

/// A row that is compared with one key too many, or one too few, is another model: ties, tokens without edges, and rows
/// without themselves among them.
#[test]
fn exact_rules_have_one_hash() {
    let mut compared = 0;
    for (c, d) in [1, 2, 3, 18].into_iter().enumerate() {
        for (k, kind) in [Cloud::Cube, Cloud::Ties, Cloud::Clusters].into_iter().enumerate() {
            let n = 150;
            let tokens = cloud(kind, n, d);
            for (m, model) in exact_models(d).into_iter().enumerate() {
                let is_near = model.scoring == Scoring::Distance;
                let graph = drawn(n, [1, 4, 30][(k + m) % 3], m as u64);
                let model = model.graph(graph);
                let own = is_near || (c + m) % 2 == 0;
                let model = Model { mask: Mask { own, ..model.mask }, ..model };
                let grid = Grid::of(&tokens, [Precision::F32, Precision::F64][(k + m + c) % 2]);
                let mut steps = Steps::new(&model, grid, d);
                let mut reference = ExactReference::new(&tokens, grid);
                let mut all = engines(&model, &tokens, grid);
                for t in 0..4 {
                    let step = steps.at(t).unwrap();
                    let rows = [0, 3, 139, 149];
                    let masks = reference.masks(&step, &rows).unwrap();
                    for (engine, other) in &mut all {
                        let whose = format!("{kind:?}, d = {d}, {}, {engine}, step {t}", model.title());
                        assert_eq!(other.masks(&step, &rows).unwrap(), masks, "{whose}");
                    }
                    let report = reference.step(std::slice::from_ref(&step)).unwrap()[0];
                    let (want, strips) = (reference.tokens().unwrap().hash(), reference.strips().unwrap());
                    for (engine, other) in &mut all {
                        let got = other.step(std::slice::from_ref(&step)).unwrap()[0];
                        let whose = format!("{kind:?}, d = {d}, {}, {engine}, step {t}", model.title());
                        assert_eq!(other.strips().unwrap(), strips, "{whose}");
                        assert_eq!(other.tokens().unwrap().hash(), want, "{whose}");
                        let of = |r: localmax::outcome::StepReport| (r.moved, r.strip_min, r.strip_max, r.strip_total);
                        assert_eq!(of(got), of(report), "{whose}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 1000);
}

/// A graph of all edges, of those to tokens before, or of those of a window is that mask, to the bit.
#[test]
fn the_graph_of_a_mask_is_that_mask() {
    let (n, d) = (120, 2);
    let masks = [Mask::FULL, Mask::CAUSAL, Mask { window: Some(5), ..Mask::FULL }, Mask { own: false, ..Mask::FULL }];
    for mask in masks {
        for model in exact_models(d) {
            let tokens = cloud(Cloud::Ties, n, d);
            let own = mask.own || model.scoring == Scoring::Distance;
            let grid = Grid::of(&tokens, Precision::F32);
            let masked = Model { mask: Mask { own, ..mask }, ..model.clone() };
            let on_graph = model.graph(of_mask(mask, n));
            let on_graph = Model { mask: Mask { own, ..on_graph.mask }, ..on_graph };
            let run = |model: &Model| {
                let mut engine = on_cpu(Plan::Auto, model, &tokens, grid).unwrap();
                let mut steps = Steps::new(model, grid, d);
                let all: Vec<_> = (0..6).map(|t| steps.at(t).unwrap()).collect();
                engine.step(&all).unwrap();
                engine.tokens().unwrap().hash()
            };
            assert_eq!(run(&masked), run(&on_graph), "{} and {}", masked.title(), on_graph.title());
        }
    }
}

fn real_models() -> Vec<Model> {
    let turned = [[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.2, 0.0, 0.8]];
    let softmax = |beta: f64| Model::softmax(beta).unwrap();
    let sphere = || Model::sphere(3.0, 0.1).unwrap();
    let beta = || Schedule::Constant(3.0);
    vec![
        softmax(2.0),
        softmax(30.0).values(turned).unwrap(),
        softmax(1.0).distances().gamma(1.0).unwrap(),
        Model { rule: Rule::Sparse { beta: beta(), form: Sparse::Sparsemax }, ..softmax(1.0) },
        Model { rule: Rule::Sparse { beta: beta(), form: Sparse::Entmax15 }, ..sphere() },
        Model { rule: Rule::Linear { beta: beta(), rectified: true }, ..sphere() },
        Model::markov(2.0, 5).unwrap(),
        Model::localmax(0.2).unwrap().values(turned).unwrap(),
        Model::frank_wolfe(0.5).unwrap().preconditioner(turned).unwrap(),
        sphere().unnormalized(0.5).unwrap(),
        sphere().integrator(Integrator::Rk4).unwrap(),
        Model::rescaled(0.4, 0.1).unwrap(),
    ]
}

/// Every step within the bounds that are derived for it; no key is seen without an edge.
#[test]
fn real_rules_keep_their_bounds() {
    let d = 3;
    for (m, model) in real_models().into_iter().enumerate() {
        for (k, degree) in [1, 6, 60].into_iter().enumerate() {
            let n = if (m + k) % 5 == 0 { 700 } else { 170 };
            let graph = drawn(n, degree, m as u64);
            let own =
                (m + k) % 2 == 0 || graph.edges().map(|[i, _]| i).collect::<std::collections::BTreeSet<_>>().len() < n;
            let model = model.clone().graph(graph.clone());
            let model = Model { mask: Mask { own, ..model.mask }, ..model };
            model.validate(d, 3).unwrap();
            for precision in [Precision::F32, Precision::F64] {
                let tokens = cloud([Cloud::Cube, Cloud::Clusters][k % 2], n, d);
                let grid = Grid::of(&tokens, precision);
                let start = model.start(&tokens, precision).unwrap();
                let mut engine = on_cpu(Plan::Auto, &model, &start, grid).unwrap();
                let mut verifier = Verifier::new(&model, grid, n, d, Some(24));
                for t in 0..2 {
                    verifier.step(&mut *engine, t).unwrap();
                }
                assert!(verifier.findings.passed(), "{}, n = {n}: {:?}", model.title(), verifier.findings);
                let rows = [0, 1, 5, n - 1];
                let seen = engine.masks(&Steps::new(&model, grid, d).at(2).unwrap(), &rows).unwrap();
                for (i, keys) in rows.into_iter().zip(seen) {
                    let may = |j: &u32| graph.row(i).contains(j) && (own || *j as usize != i);
                    assert!(!keys.is_empty() && keys.iter().all(may), "{}, row {i}: {keys:?}", model.title());
                }
            }
        }
    }
}

/// Two groups without an edge between them are two runs, to the bit: in exact and in real rules.
#[test]
fn nothing_comes_from_where_no_path_leads() {
    let (n, d) = (60, 3);
    let tokens = cloud(Cloud::Cube, n, d);
    let other = {
        let x = (0..n).flat_map(|i| (0..d).map(move |k| (i, k)));
        let x = x.map(|(i, k)| if i % 2 == 1 { -tokens.get(i, k) } else { tokens.get(i, k) });
        Tokens::from_flat(n, d, x.collect::<Vec<_>>()).unwrap()
    };
    let edges: Vec<[u32; 2]> = (0..n as u32 - 2).flat_map(|i| [[i, i + 2], [i + 2, i]]).collect();
    for model in exact_models(d).into_iter().chain(real_models()) {
        let model = model.graph(Graph::new(n, &edges).unwrap());
        let grid = Grid::of(&tokens, Precision::F32);
        let run = |tokens: &Tokens| {
            let start = model.start(tokens, Precision::F32).unwrap();
            let start = if model.is_exact() { grid.snap(&start).unwrap() } else { start };
            let mut engine = on_cpu(Plan::Auto, &model, &start, grid).unwrap();
            let mut steps = Steps::new(&model, grid, d);
            let all: Vec<_> = (0..5).map(|t| steps.at(t).unwrap()).collect();
            engine.step(&all).unwrap();
            engine.tokens().unwrap()
        };
        let (a, b) = (run(&tokens), run(&other));
        let same = |i: usize| (0..d).all(|k| a.get(i, k).to_bits() == b.get(i, k).to_bits());
        assert!((0..n).step_by(2).all(same), "{}", model.title());
        assert!(!(1..n).step_by(2).all(same), "{}", model.title());
    }
}

fn parse(folder: &Path, mask: &str, more: &str) -> localmax::error::Result<Config> {
    let text = format!(
        "[tokens]\nkind = \"normal\"\nn = 5\nd = 2\n[model]\nrule = \"localmax\"\nalpha = 1\ndelta = 0.1\nmask = \
         {mask}\n{more}\n[run]\nsteps = 3\n"
    );
    Config::parse(&text, "my.toml", "my", folder, &[])
}

/// Files of all forms are one graph, and a config that is written has it still.
#[test]
fn edges_are_read_from_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("e.csv"), "\u{feff}from,to\n# who attends to whom\n0,1\n\n1, 2 # back\n4;0\n4\t0\n").unwrap();
    let listed = parse(path, "{ graph = [[0, 1], [1, 2], [4, 0]] }", "").unwrap();
    assert_eq!(parse(path, "{ graph = \"e.csv\" }", "").unwrap().model, listed.model);
    let rows: Vec<[f64; 2]> = vec![[4.0, 0.0], [1.0, 2.0], [0.0, 1.0]];
    localmax::io::npy::write(&path.join("e.npy"), &Tokens::from_rows(&rows).unwrap()).unwrap();
    assert_eq!(parse(path, "{ graph = \"e.npy\" }", "").unwrap().model, listed.model);
    assert_eq!(parse(path, "{ graph = [] }", "").unwrap().model.graph.unwrap().edges().count(), 0);
    // Few edges stand in the config, many beside it.
    let many: Vec<[u32; 2]> = (0..700).map(|k| [k % 699, (k + 1) % 700]).collect();
    let large = {
        let mut config = parse(path, "{ graph = [] }", "").unwrap();
        config.tokens = localmax::io::config::TokenSource::Rows(cloud(Cloud::Cube, 700, 2));
        config.model = Model::localmax(0.1).unwrap().graph(Graph::new(700, &many).unwrap());
        config
    };
    for (name, config) in [("small", listed), ("large", large)] {
        let folder = path.join(name);
        fs::create_dir(&folder).unwrap();
        config.save(&folder).unwrap();
        let again = Config::load_begun(&folder.join("config.toml"), None, &[]).unwrap();
        assert_eq!(again.model, config.model, "{name}");
        assert_eq!(again.identity(), config.identity(), "{name}");
        assert_eq!(folder.join("edges.npy").is_file(), name == "large");
    }
}

/// Whatever is no graph of these tokens is named where it stands, before the first step.
#[test]
fn what_is_no_graph_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refused = |mask: &str, more: &str, words: &[&str]| {
        let error = parse(path, mask, more).expect_err(mask).to_string();
        assert!(words.iter().all(|word| error.contains(word)) && error.lines().count() == 1, "{error}");
    };
    for (name, text) in [
        ("far.csv", "0,1\n# x\n1,5\n"),
        ("one.csv", "0\n"),
        ("text.csv", "0,1\nx,2\n"),
        ("half.csv", "0,1.5\n"),
        ("names.csv", "# friends\nfrom,to\nalice,bob\n"),
    ] {
        fs::write(path.join(name), text).unwrap();
    }
    localmax::io::npy::write(&path.join("far.npy"), &Tokens::from_rows(&[[0.0, 1.0], [-1.0, 0.0]]).unwrap()).unwrap();
    localmax::io::npy::write(&path.join("wide.npy"), &Tokens::from_rows(&[[0.0, 1.0, 2.0]]).unwrap()).unwrap();
    refused("{ graph = \"far.csv\" }", "", &["my.toml line 9", "far.csv line 3", "token 5", "there are 5, 0 to 4"]);
    refused("{ graph = \"one.csv\" }", "", &["one.csv line 1", "1 numbers where an edge has two"]);
    refused("{ graph = \"text.csv\" }", "", &["text.csv line 2", "\"x,2\" is no edge"]);
    refused("{ graph = \"names.csv\" }", "", &["names.csv line 3", "\"alice,bob\" is no edge"]);
    refused("{ graph = \"half.csv\" }", "", &["half.csv line 1", "1.5 is no number of a token"]);
    refused("{ graph = \"far.npy\" }", "", &["far.npy row 1", "-1.0 is no number of a token"]);
    refused("{ graph = \"wide.npy\" }", "", &["wide.npy row 0", "3 numbers where an edge has two"]);
    refused("{ graph = \"none.csv\" }", "", &["none.csv", "no such file"]);
    refused("{ graph = \"edges.txt\" }", "", &["neither a .csv nor a .npy"]);
    refused("{ graph = 3 }", "", &["model.mask.graph must be", "found the whole number 3"]);
    refused("{ graph = [[0, 7]] }", "", &["model.mask.graph[0]: token 7"]);
    refused("{ graph = [[0, 1]], window = 2 }", "", &["unknown key", "model.mask.window"]);
    refused("{ garph = [[0, 1]] }", "", &["unknown key", "model.mask.graph"]);
    refused("{ graph = [[0, 1]] }", "causal = true", &["model.mask.graph is given beside model.causal"]);
    refused("{ graph = [[0, 1], [1, 0]] }", "self = false", &["leaves token 2 with no edge", "attends to none"]);
    let model = Model::localmax(0.1).unwrap().graph(Graph::new(4, &[]).unwrap());
    assert!(model.validate_count(5).unwrap_err().to_string().contains("a graph of 4 tokens, and there are 5"));
    assert!(model.clone().window(2).validate(2, 1).unwrap_err().to_string().contains("beside model.causal, a window"));
    let tokens = cloud(Cloud::Cube, 4, 2);
    for plan in [Plan::Tree, Plan::Direction, Plan::Norm, Plan::Filter, Plan::Opened] {
        let error = on_cpu(plan, &model, &tokens, Grid::of(&tokens, Precision::F32)).map(drop).unwrap_err().to_string();
        assert!(error.contains("model.mask is a graph") && error.contains("take auto or brute"), "{error}");
    }
    assert!(model.title().ends_with(", graph of 0 edges"), "{}", model.title());
}

/// The GPU engine says that it reads no graph, and which engines do.
#[cfg(feature = "gpu")]
#[test]
fn the_gpu_engine_says_who_reads_graphs() {
    use localmax::engine::on_gpu;
    use localmax::gpu::{Adapter, Device, Wanted};
    let device = Device::open(&Adapter::choose(Wanted::Any).expect("a driver")).unwrap();
    let tokens = cloud(Cloud::Cube, 4, 2);
    for model in [Model::localmax(0.1).unwrap(), Model::softmax(1.0).unwrap()] {
        let model = model.graph(Graph::new(4, &[[0, 1]]).unwrap());
        let opened = on_gpu(&device, Plan::Auto, &model, &tokens, Grid::of(&tokens, Precision::F32)).map(drop);
        let error = opened.unwrap_err().to_string();
        assert!(error.contains("model.mask is a graph") && error.contains("take cpu or auto"), "{error}");
    }
}
