//! What does a step cost on the CPU engine, by dimension, by width of strip, by instruction set,
//! and late in a run?
//!
//! `cargo bench --bench cpu`. Throughput is in pairs (row, key) a second; the multiply-add peak of
//! the same machine is printed first, to measure against.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use localmax::cpu::{ExactCpu, InstructionSet, Options, fma_peak};
use localmax::engine::Engine;
use localmax::exact::{Grid, Step, Steps};
use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

/// A cloud of sums of uniforms: near normal, and the same everywhere.
fn cloud(n: usize, d: usize) -> Tokens {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let rows: Vec<f64> = (0..n * d).map(|_| (0..6).map(|_| uniform()).sum::<f64>() - 3.0).collect();
    Tokens::from_flat(n, d, rows).expect("a finite cloud")
}

fn step(delta: f64, grid: Grid, d: usize) -> Step {
    let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Score };
    let model = Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Alpha(Schedule::Constant(1.0)));
    Steps::new(&model, grid, d).at(0).expect("a step in its domain")
}

/// One step of a cloud that has gone `before` steps already.
fn measure(
    c: &mut Criterion,
    name: &str,
    n: usize,
    d: usize,
    delta: f64,
    options: (Precision, Options),
    before: usize,
) {
    let (precision, options) = options;
    let tokens = cloud(n, d);
    let grid = Grid::of(&tokens, precision);
    let step = [step(delta, grid, d).into()];
    let mut cpu = ExactCpu::new(&tokens, grid, options).expect("an engine");
    for _ in 0..before {
        cpu.step(&step).expect("a step");
    }
    let start = cpu.tokens().expect("tokens");
    let mut group = c.benchmark_group(name);
    let set = cpu.set().name();
    let label = format!("n={n} d={d} delta={delta} {} {set} after {before} steps", precision.name());
    group.sample_size(10).throughput(Throughput::Elements((n * n) as u64));
    group.bench_function(BenchmarkId::from_parameter(label), |b| {
        b.iter_batched_ref(
            || ExactCpu::new(&start, grid, options).expect("an engine"),
            |cpu| black_box(cpu.step(&step).expect("a step")),
            criterion::BatchSize::PerIteration,
        );
    });
}

fn what_does_a_step_cost(c: &mut Criterion) {
    for precision in [Precision::F32, Precision::F64] {
        let plain = (precision, Options::default());
        println!(
            "multiply-add peak, {}: {:.0} GFLOP/s",
            precision.name(),
            fma_peak(precision, plain.1).expect("a peak")
        );
        for d in [2, 3, 8, 16, 64] {
            measure(c, "by dimension", 16384, d, 0.1, plain, 0);
        }
        for delta in [0.0, 1.0, 1e9] {
            measure(c, "by width of strip", 16384, 3, delta, plain, 0);
        }
        for before in [10, 30, 60] {
            measure(c, "late in a run", 8192, 3, 0.0, plain, before);
            measure(c, "late in a run", 8192, 3, 0.1, plain, before);
        }
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            measure(
                c,
                "by instruction set",
                4096,
                16,
                0.1,
                (precision, Options { set: Some(set), ..Options::default() }),
                0,
            );
        }
    }
}

criterion_group!(benches, what_does_a_step_cost);
criterion_main!(benches);
