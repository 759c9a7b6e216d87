//! Wide strips on GPUs: what a row takes by whole supertiles, by subsets of four keys and key by key is what brute force
//! on the CPU adds one by one.

use localmax::choice::Plan;
use localmax::engine::{Step, Steps, on_cpu, on_gpu};
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Model, StripForm};
use localmax::tokens::{Precision, Tokens};

/// Tokens that are drawn, tied, in clusters, twice and mirrored, in a plane, or one of them far away.
fn clouds(n: usize, d: usize) -> Vec<(&'static str, Tokens)> {
    let draw = |kind| CloudSample::new(kind, n, d).tokens(5, Precision::F32).unwrap();
    let normal = draw(Cloud::Gaussian);
    let some = |coordinate: &dyn Fn(usize, usize, f64) -> f64| {
        let rows = (0..n).flat_map(|i| {
            let row = normal.row(i * 7919 % (n / 2 + 1)).clone();
            (0..d).map(move |k| coordinate(i, k, row[k])).collect::<Vec<_>>()
        });
        Tokens::from_flat(n, d, rows.collect::<Vec<_>>()).unwrap()
    };
    vec![
        ("normal", normal.clone()),
        ("tied", draw(Cloud::Ties)),
        ("clustered", draw(Cloud::Clusters)),
        ("mirrored", some(&|i, _, x| if i % 2 == 0 { x } else { -x })),
        ("flat", some(&|_, k, x| if k == 0 { 0.5 } else { x })),
        ("outlier", some(&|i, _, x| if i == 1 { 4096.0 } else { x })),
    ]
}

/// A supertile that is taken whole with one key outside, or a sign that a rounding turned, is another mean, and from
/// there another trajectory. The strips hold from few keys to all, in early and in late steps, also by filters that are
/// off by next to all that their bounds allow.
#[test]
fn wide_strips_have_the_bits_of_brute_force() {
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    let device = adapters.first().map(|adapter| Device::open(adapter).unwrap());
    let hostile = device.clone().map(|device| device.with_hostile_filter(0.99));
    let (plain, hostile) = (
        device.map(|device| (device, &[(1, 500), (3, 700), (16, 260)][..])),
        hostile.map(|device| (device, &[(3, 260)][..])),
    );
    let mut wide = 0;
    for (device, dims) in plain.iter().chain(&hostile) {
        for &(d, n) in *dims {
            for (name, tokens) in clouds(n, d) {
                let grid = Grid::of(&tokens, Precision::F32);
                let tokens = grid.snap(&tokens).unwrap();
                let size = (0..n).map(|i| tokens.row(i).iter().map(|x| x * x).sum::<f64>()).sum::<f64>() / n as f64;
                let score = |share: f64| Model::localmax(share * size).unwrap().alpha("1 + t/4").unwrap();
                let ball = Model::localmax(size.sqrt()).unwrap().distances().alpha("1 + t/4").unwrap();
                let width = Model::localmax(size.sqrt()).unwrap().strip(StripForm::Width).unwrap();
                for (kind, model) in [
                    ("0.7", score(0.7)),
                    ("2", score(2.0)),
                    ("ball", ball),
                    ("width", width),
                    ("causal", score(1.0).causal()),
                ] {
                    let at = format!("{name}, n = {n}, d = {d}, {kind}");
                    let mut cpu = on_cpu(Plan::Brute, &model, &tokens, grid).unwrap();
                    let mut gpu = on_gpu(device, Plan::Brute, &model, &tokens, grid).unwrap();
                    let mut steps = Steps::new(&model, grid, d);
                    for t in 0..3 {
                        let step: Step = steps.at(t).unwrap();
                        let total = gpu.step(std::slice::from_ref(&step)).unwrap()[0].strip_total;
                        cpu.step(&[step]).unwrap();
                        assert!(gpu.strips().unwrap() == cpu.strips().unwrap(), "{at}: strips of step {t}");
                        assert_eq!(gpu.tokens().unwrap().hash(), cpu.tokens().unwrap().hash(), "{at}: step {t}");
                        wide += u32::from(total > (n * n) as u64 / 4);
                    }
                }
            }
        }
    }
    assert!(adapters.is_empty() || wide > 100, "only {wide} steps had wide strips");
}
