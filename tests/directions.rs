//! Steps by tables of query directions, of width 0 and in classes of width, against brute force: the same tokens, counts and argmaxes of
//! every row, from the start to late states.

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, Options};
use localmax::engine::Engine;
use localmax::exact::{Grid, Steps};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::outcome::StepReport;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

/// Tokens that are changed one by one, from a drawn cloud.
type Change = fn(usize, &mut [f64]);

const AS_DRAWN: Change = |_, _| {};

/// Clouds and what is done to their tokens.
const CLOUDS: [(Cloud, Change); 12] = [
    (Cloud::Gaussian, AS_DRAWN),
    (Cloud::Ball, AS_DRAWN),
    (Cloud::Cube, AS_DRAWN),
    (Cloud::Sphere, AS_DRAWN),
    (Cloud::Ties, AS_DRAWN),
    (Cloud::Line, AS_DRAWN),
    (Cloud::Clusters, AS_DRAWN),
    // Flat, away from the origin, with one outlier, all equal but one, many at 0 among ties.
    (Cloud::Ball, |_, x| x[0] = 0.0),
    (Cloud::Ball, |_, x| x[0] += 5.0),
    (Cloud::Ball, |i, x| x[0] *= if i == 7 { 1e30 } else { 1.0 }),
    (Cloud::Cube, |i, x| x.fill(if i == 0 { 0.5 } else { 0.25 })),
    (Cloud::Cube, |i, x| {
        for x in x {
            *x = if i % 3 == 0 { 0.0 } else { (*x * 4.0).round() };
        }
    }),
];

/// No matrix, a negative one, a general one, a singular one, and none at all.
fn matrices(d: usize) -> [Matrix; 5] {
    let dense = |entry: fn(usize, usize) -> f64| {
        Matrix::dense(&(0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect::<Vec<_>>()).expect("square")
    };
    [
        Matrix::Identity,
        Matrix::multiple(-0.7).expect("finite"),
        dense(|r, c| ((r * 7 + c * 13 + 5) % 11) as f64 / 11.0 - 0.4 + f64::from(u8::from(r == c))),
        dense(|r, c| (r + 1) as f64 * (c as f64 - 0.5)),
        Matrix::multiple(0.0).expect("finite"),
    ]
}

/// Steps under both plans, and how many of them a table took.
fn hold(name: &str, tokens: &Tokens, precision: Precision, model: &Model, steps: u64) -> u64 {
    let grid = Grid::of(tokens, precision);
    let tokens = grid.snap(tokens).expect("tokens");
    let cpu = |plan| ExactCpu::new(&tokens, grid, Options { plan, ..Options::default() }).expect("a cpu");
    let (mut brute, mut table) = (cpu(Plan::Brute), cpu(Plan::Direction));
    let (mut made, mut taken) = (Steps::new(model, grid, tokens.d()), 0);
    for t in 0..steps {
        let step = [made.at(t).expect("a step").into()];
        let at = format!("{name} at step {t}");
        let rows = [0, tokens.n() / 2, tokens.n() - 1];
        assert_eq!(table.masks(&step[0], &rows).expect("masks"), brute.masks(&step[0], &rows).expect("masks"), "{at}");
        let [want, got] = [&mut brute, &mut table].map(|cpu| cpu.step(&step).expect("a step")[0]);
        assert_eq!(StepReport { redone: 0, ..got }, StepReport { redone: 0, ..want }, "{at}");
        assert!(table.strips().expect("strips") == brute.strips().expect("strips"), "{at}: argmax or counts");
        assert!(table.tokens().expect("tokens") == brute.tokens().expect("tokens"), "{at}: tokens");
        taken += u64::from(table.effort().expect("an effort").plan == Plan::Direction);
        if want.moved == 0 {
            break;
        }
    }
    taken
}

fn model(rule: Rule, matrix: Matrix) -> Model {
    let gain = Gain::Gamma(Schedule::Constant(0.5));
    Model::averaging(rule, Operator::constant(matrix), Mask::FULL, gain)
}

fn drawn((kind, change): (Cloud, Change), n: usize, d: usize, precision: Precision) -> Tokens {
    let cloud = CloudSample::new(kind, n, d).tokens(5, precision).expect("a cloud");
    let mut rows: Vec<Vec<f64>> = cloud.rows().collect();
    rows.iter_mut().enumerate().for_each(|(i, row)| change(i, row));
    Tokens::from_flat(n, d, rows.concat()).expect("a cloud")
}

/// Every kind of cloud, matrix and rule of width 0, until clusters are a few units wide: a list that
/// lacked a key, or a weight that was lost, would send a token elsewhere.
#[test]
fn few_tokens_are_those_of_brute_force() {
    let zero = |strip| Rule::Localmax { delta: Schedule::Constant(0.0), strip };
    let rules = [Rule::Hardmax, Rule::FrankWolfe, zero(StripForm::Score), zero(StripForm::Width)];
    for (k, cloud) in CLOUDS.into_iter().enumerate() {
        for d in 2..=3 {
            for (l, matrix) in matrices(d).into_iter().enumerate() {
                let precision = if (k + l + d) % 2 == 0 { Precision::F64 } else { Precision::F32 };
                let name = format!("cloud {k}, d = {d}, matrix {l}, {precision:?}");
                let rule = rules[(k + 2 * l) % 4].clone();
                hold(&name, &drawn(cloud, 200, d, precision), precision, &model(rule, matrix), 12);
            }
        }
    }
}

/// Clouds of which most tokens must be covered for a table to serve: the cover is used, and what is
/// left out of it decides every row. In the first cloud it lasts until few tokens would be covered
/// anew.
#[test]
fn many_tokens_are_those_of_brute_force() {
    for (k, cloud) in CLOUDS.into_iter().enumerate() {
        let (d, precision) = (3 - k % 2, if k % 3 == 0 { Precision::F64 } else { Precision::F32 });
        let matrix = matrices(d)[k % 3].clone();
        let tokens = drawn(cloud, 9000, d, precision);
        let taken = hold(
            &format!("cloud {k}, d = {d}"),
            &tokens,
            precision,
            &model(Rule::Hardmax, matrix),
            if k == 0 { 12 } else { 3 },
        );
        assert!(taken > 0 || k > 1, "cloud {k}: no step by a table");
        assert!(taken == 12 || k > 0, "{taken} steps by a table");
    }
}

/// What lasts from step to step is used over whole runs: where leaders move, tie, are mirrored or an
/// outlier, under gains that are small, near 1 or change. A token that lost its slack unseen would
/// be missed as the maximum of another.
#[test]
fn whole_runs_are_those_of_brute_force() {
    let schedule = |text| Schedule::parse(text).expect("a schedule");
    let gains = [
        Gain::Alpha(Schedule::Constant(1.0)),
        Gain::Alpha(Schedule::Constant(0.05)),
        Gain::Gamma(schedule("0.9/(1+t)")),
        Gain::Gamma(Schedule::Constant(0.999)),
    ];
    let mirrored: Change = |i, x| x[0] = x[0].abs() * if i % 2 == 0 { 1.0 } else { -1.0 };
    let clouds = CLOUDS.into_iter().chain([(Cloud::Gaussian, mirrored)]);
    for (k, cloud) in clouds.enumerate() {
        for (l, gain) in gains.iter().enumerate() {
            let (d, precision) = (2 + (k + l) % 2, if l % 3 == 0 { Precision::F32 } else { Precision::F64 });
            let (rule, matrix) = match (k + 2 * l) % 5 {
                4 => (Rule::FrankWolfe, matrices(d)[2].clone()),
                3 => (Rule::Localmax { delta: Schedule::Constant(0.0), strip: StripForm::Score }, Matrix::Identity),
                _ => (Rule::Hardmax, Matrix::Identity),
            };
            let model = Model::averaging(rule, Operator::constant(matrix), Mask::FULL, gain.clone());
            let mut tokens = drawn(cloud, 600, d, precision);
            if k == 12 {
                // Every token and its mirror image.
                let rows: Vec<f64> = tokens.rows().flatten().collect();
                let images = rows.iter().map(|x| -x);
                let all: Vec<f64> = rows.iter().copied().chain(images).collect();
                tokens = Tokens::from_flat(1200, d, all).expect("a cloud");
            }
            hold(&format!("run of cloud {k}, gain {l}, d = {d}"), &tokens, precision, &model, 40);
        }
    }
}

/// Classes of width beside brute force: a key that a list lacks, or a row in a bucket that is not its own, would be
/// another strip. Widths range from a few units to the whole cloud, whose rows are left to the tree.
#[test]
fn strips_in_classes_are_those_of_brute_force() {
    for (k, cloud) in CLOUDS.into_iter().enumerate() {
        for l in 0..5 {
            let d = 2 + (k + l) % 2;
            let precision = if (k + l / 2) % 2 == 0 { Precision::F64 } else { Precision::F32 };
            let strip = StripForm::OF_PRODUCTS[(k + 2 * l) % 3].0;
            let tokens = drawn(cloud, 200, d, precision);
            let share = [1e-7, 0.003, 0.05, 0.3][(k + l) % 4];
            let rule = wide(&tokens, strip, share);
            let name = format!("cloud {k}, d = {d}, matrix {l}, {precision:?}, {share} {strip:?}");
            let steps = if l == 0 { 40 } else { 8 };
            hold(&name, &tokens, precision, &model(rule, matrices(d)[l].clone()), steps);
        }
    }
}

/// The same of clouds of which covers hold most tokens.
#[test]
fn many_strips_in_classes_are_those_of_brute_force() {
    for (k, cloud) in CLOUDS.into_iter().enumerate() {
        let (d, precision) = (3 - k % 2, if k % 3 == 0 { Precision::F64 } else { Precision::F32 });
        let tokens = drawn(cloud, 9000, d, precision);
        let rule = wide(&tokens, StripForm::OF_PRODUCTS[k % 3].0, [0.01, 0.001][k % 2]);
        let taken =
            hold(&format!("cloud {k}, d = {d}"), &tokens, precision, &model(rule, matrices(d)[k % 3].clone()), 3);
        assert!(taken > 0 || k > 1, "cloud {k}: no step in classes");
    }
}

/// Rows near the origin beside brute force: a bin that is not read, a complement of one key more, or a score that is
/// decided by a float would be another strip. Strips hold from a few keys to all; tokens are at the origin, a unit
/// from it, mirrored, far away or flat.
#[test]
fn rows_near_the_origin_are_those_of_brute_force() {
    let near: Change = |i, x| {
        for x in x {
            *x *= [0.0, 1e-7, 1e-3, 0.1, 1.0][i % 5];
        }
    };
    let mirrored: Change = |i, x| x[0] = x[0].abs() * if i % 2 == 0 { 1.0 } else { -1.0 };
    let clouds = CLOUDS.into_iter().chain([(Cloud::Gaussian, near), (Cloud::Cube, near), (Cloud::Ball, mirrored)]);
    for (k, cloud) in clouds.enumerate() {
        for l in 0..5 {
            let (d, precision) = (2 + (k + l) % 2, [Precision::F32, Precision::F64][(k / 2 + l) % 2]);
            let tokens = drawn(cloud, 500, d, precision);
            let strip = StripForm::OF_PRODUCTS[if l == 4 { k % 3 } else { 0 }].0;
            let rule = wide(&tokens, strip, [0.02, 0.1, 0.4, 1.2, 0.05][(k + l) % 5]);
            let name = format!("cloud {k}, d = {d}, matrix {l}, {precision:?}, {strip:?}");
            hold(&name, &tokens, precision, &model(rule, matrices(d)[l].clone()), 4);
        }
    }
}

/// No tree is made for rows near the origin: their keys are read as they come. If one were, the first step of a large
/// cloud would be mostly a sort.
#[test]
fn rows_near_the_origin_need_no_tree() {
    for (d, precision) in [(2, Precision::F32), (3, Precision::F32), (3, Precision::F64)] {
        let tokens = drawn(CLOUDS[0], 9000, d, precision);
        let model = model(wide(&tokens, StripForm::Score, 0.03), Matrix::Identity);
        hold(&format!("d = {d}"), &tokens, precision, &model, 1);
        let grid = Grid::of(&tokens, precision);
        let options = Options { plan: Plan::Direction, ..Options::default() };
        let mut cpu = ExactCpu::new(&tokens, grid, options).expect("a cpu");
        let report = cpu.step(&[Steps::new(&model, grid, d).at(0).expect("a step").into()]).expect("a step")[0];
        let effort = cpu.effort().expect("an effort");
        assert!(report.strip_max > 2000, "{report:?} has no row near the origin");
        assert!(effort.plan == Plan::Direction && effort.boxes_a_row == 0.0, "{effort:?}");
    }
}

/// Localmax of a width that is a share of the longest token's, in the form's unit.
fn wide(tokens: &Tokens, strip: StripForm, share: f64) -> Rule {
    let longest = tokens.rows().map(|x| x.iter().map(|x| x * x).sum::<f64>()).fold(0.0, f64::max).sqrt();
    let unit = if strip == StripForm::Score { longest * longest } else { longest };
    Rule::Localmax { delta: Schedule::Constant(share * unit), strip }
}

/// Strips that widen from 0 go from one table to the other.
#[test]
fn strips_that_widen_stay_with_directions() {
    let delta = Schedule::parse("max(0, 0.1*(t-1))").expect("a schedule");
    let model = model(Rule::Localmax { delta, strip: StripForm::Score }, Matrix::Identity);
    let tokens = drawn(CLOUDS[0], 500, 3, Precision::F32);
    assert_eq!(hold("a strip that widens", &tokens, Precision::F32, &model, 5), 5);
}
