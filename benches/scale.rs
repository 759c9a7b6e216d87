//! How far below n² is a step, and at what growth? Prints the table of clouds and widths.
//!
//! `cargo bench --bench scale -- [n=100000,1000000] [d=2,3,8] [delta=0,0.01,0.1,0.5] [plan=auto]`.
//! Milliseconds a step are the median of several first steps, each from the same cloud, the sort
//! counted apart; brute force is this program's own, timed on sampled rows in the same run, and its
//! strips are compared with the search's. `run=N` takes one cloud (normal, d = 3, delta = 0.01,
//! alpha = 1; or `width=0`, and then `tables=0` for the tree alone) to its fixed point instead.

use std::time::Instant;

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, Options};
use localmax::engine::Engine;
use localmax::exact::{Grid, Steps};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

const KINDS: [Cloud; 4] = [Cloud::Gaussian, Cloud::Ball, Cloud::Cube, Cloud::Sphere];

fn model(delta: f64) -> Model {
    Model::averaging(
        Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Score },
        Operator::constant(Matrix::Identity),
        Mask::FULL,
        Gain::Alpha(Schedule::Constant(1.0)),
    )
}

fn largest_square(tokens: &Tokens) -> f64 {
    let square = |i| (0..tokens.d()).map(|k| tokens.get(i, k).powi(2)).sum::<f64>();
    (0..tokens.n()).map(square).fold(0.0, f64::max)
}

fn list<T: std::str::FromStr>(name: &str, default: &str) -> Vec<T> {
    let prefix = format!("{name}=");
    let given = std::env::args().find_map(|a| a.strip_prefix(&prefix).map(str::to_owned));
    given.as_deref().unwrap_or(default).split(',').filter_map(|v| v.parse().ok()).collect()
}

/// Processor time of this process in milliseconds, to a tick of 10: what a loaded machine tells
/// honestly. 0 where the system does not say.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

/// One row of the table.
fn measure(kind: Cloud, n: usize, d: usize, delta: f64, plan: Plan) {
    let tokens = CloudSample::new(kind, n, d).tokens(7, Precision::F32).expect("a cloud");
    let grid = Grid::of(&tokens, Precision::F32);
    let model = model(delta * largest_square(&tokens));
    let step = [Steps::new(&model, grid, d).at(0).expect("a step").into()];
    let start = Instant::now();
    let open =
        |plan| ExactCpu::new(&tokens, grid, Options { plan, thin: delta == 0.0, ..Options::default() }).expect("a cpu");
    let mut cpu = open(plan);
    let build = start.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.len() < 5 && (times.len() < 2 || begun.elapsed().as_secs_f64() < 4.0) {
        let (start, busy) = (Instant::now(), processor());
        cpu.step(&step).expect("a step");
        let busy = processor() - busy;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if times.len() == 1 {
            // The first step's strips, before the state moves on, against brute force on a few
            // rows.
            let strips = cpu.strips().expect("strips");
            let mut brute = open(Plan::Brute);
            let rows: Vec<usize> = (0..1024).map(|k| k * (n / 1024)).collect();
            let (start, brute_busy) = (Instant::now(), processor());
            let masks = brute.masks(&step[0], &rows).expect("masks");
            let ms = start.elapsed().as_secs_f64() * 1e3 * (n as f64 / rows.len() as f64);
            let brute_busy = (processor() - brute_busy) * (n as f64 / rows.len() as f64);
            for (row, mask) in rows.iter().zip(&masks) {
                assert_eq!(strips.count[*row] as usize, mask.len(), "row {row}");
            }
            let effort = cpu.effort().expect("an effort");
            print!(
                "{:>8} {n:>9} {d:>3} {delta:>6} {:>6} {:>9.1} {:>9.1} {:>9.0} {ms:>11.0} {:>8.1} {busy:>8.0} {:>9.1}",
                kind.name(),
                effort.plan.name(),
                effort.keys_a_row,
                effort.boxes_a_row,
                build,
                ms / times[0],
                brute_busy / busy.max(10.0)
            );
        }
    }
    let first = times[0];
    let later: Vec<String> = times[1..].iter().map(|ms| format!("{ms:.0}")).collect();
    println!(" {first:>9.1}  {}", later.join(" "));
}

fn run(n: usize) {
    let tokens = CloudSample::new(Cloud::Gaussian, n, 3).tokens(7, Precision::F32).expect("a cloud");
    let grid = Grid::of(&tokens, Precision::F32);
    let delta = list("width", "0.01");
    let model = model(delta[0]);
    let mut steps = Steps::new(&model, grid, 3);
    let start = Instant::now();
    let options = Options { thin: delta[0] == 0.0 && list::<u8>("tables", "1") == [1], ..Options::default() };
    let mut cpu = ExactCpu::new(&tokens, grid, options).expect("a cpu");
    for t in 0.. {
        let begun = Instant::now();
        let report = cpu.step(&[steps.at(t).expect("a step").into()]).expect("a step")[0];
        if t < 20 || t % 50 == 0 || report.moved == 0 {
            let (ms, effort) = (begun.elapsed().as_secs_f64() * 1e3, cpu.effort().expect("an effort"));
            println!(
                "step {t}: {ms:.1} ms, {} moved, {} redone, {effort:?}, {:.2} s in all",
                report.moved,
                report.redone,
                start.elapsed().as_secs_f64()
            );
        }
        if report.moved == 0 {
            break;
        }
    }
}

fn main() {
    if let Some(&n) = list("run", "").first() {
        return run(n);
    }
    println!(
        "   cloud         n   d  delta   plan  keys/row boxes/row  build ms    brute ms    ratio   cpu ms cpu ratio  first ms  later ms"
    );
    let kinds: Vec<String> = list("kind", "normal,ball,cube,sphere");
    for plan in list::<String>("plan", "auto") {
        let plan = Plan::parse(&plan).expect("a plan");
        for n in list("n", "100000,1000000") {
            for d in list("d", "2,3,8") {
                for kind in KINDS.into_iter().filter(|kind| kinds.iter().any(|k| k == kind.name())) {
                    for delta in list("delta", "0,0.01,0.1,0.5") {
                        measure(kind, n, d, delta, plan);
                    }
                }
            }
        }
    }
}
