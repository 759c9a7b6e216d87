//! What does a step cost on each GPU adapter, by n and d, in wall time and in processor time?
//!
//! `cargo bench --bench gpu [-- --tokens 10000,100000 --dims 2,3,16]`. Of a software driver the
//! processor time is the figure to watch: it hardly changes with what else the machine does. 2n²d
//! operations are charged to a step, whatever it really did; the share is of a multiply-add peak
//! measured first on the same adapter.

use std::time::Instant;

use clap::Parser;
use localmax::choice::Plan;
use localmax::engine::{Engine, Steps};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::gpu::ExactGpu;
use localmax::gpu::{Adapter, Device, Options, fma_peak};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::Precision;

#[derive(Parser)]
struct Arguments {
    /// Numbers of tokens.
    #[arg(long, value_delimiter = ',', default_value = "4096,16384")]
    tokens: Vec<usize>,
    /// Dimensions.
    #[arg(long, value_delimiter = ',', default_value = "3,16,64")]
    dims: Vec<usize>,
    /// Steps of each median, after one that is not counted.
    #[arg(long, default_value_t = 5)]
    steps: u64,
    /// The strip's width.
    #[arg(long, default_value_t = 0.1)]
    delta: f64,
    /// brute, tree or auto.
    #[arg(long, default_value = "brute", value_parser = Plan::parse)]
    plan: Plan,
    /// Store 53-bit tokens.
    #[arg(long)]
    f64: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Seconds of processor time of this process, where the system tells.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn measure(device: &Device, arguments: &Arguments, n: usize, d: usize, peak: f64) -> Result<()> {
    let rule = Rule::Localmax { delta: Schedule::Constant(arguments.delta), strip: StripForm::Score };
    let model = Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Alpha(Schedule::Constant(1.0)));
    let precision = if arguments.f64 { Precision::F64 } else { Precision::F32 };
    let cloud = CloudSample::new(Cloud::Gaussian, n, d).tokens(7, precision)?;
    let grid = Grid::of(&cloud, precision);
    let options = Options { plan: arguments.plan, ..Options::default() };
    let mut engine = pollster::block_on(ExactGpu::new(device, &grid.snap(&cloud)?, grid, false, options))?;
    let mut steps = Steps::new(&model, grid, d);
    engine.step(&[steps.at(0)?])?;
    let (mut times, before) = (Vec::new(), processor_seconds());
    for t in 1..=arguments.steps.max(1) {
        let start = Instant::now();
        engine.step(&[steps.at(t)?])?;
        times.push(start.elapsed().as_secs_f64());
    }
    let processor = processor_seconds().zip(before).map(|(after, before)| (after - before) / times.len() as f64);
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    let pairs = (n as f64).powi(2);
    println!(
        "| {n} | {d} | {:.2} | {} | {:.1} | {:.1} % | {:.3e} |",
        seconds * 1e3,
        processor.map_or_else(|| "–".into(), |s| format!("{:.0}", s * 1e3)),
        2e-9 * pairs * d as f64 / seconds,
        2e-7 * pairs * d as f64 / seconds / peak,
        pairs / seconds,
    );
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let adapters = Adapter::all_named()?;
    if adapters.is_empty() {
        println!("no GPU adapter here; `localmax doctor` says what was looked for");
    }
    for adapter in adapters {
        let device = Device::open(&adapter)?;
        let peak = fma_peak(&device)?.gflops;
        println!(
            "\n{} ({}, {}), multiply-add peak {peak:.0} GFLOP/s\n",
            adapter.name(),
            adapter.kind(),
            adapter.driver()
        );
        println!("| n | d | ms a step | processor ms | GFLOP/s | share of peak | pairs/s |");
        println!("|---|---|---|---|---|---|---|");
        for &d in &arguments.dims {
            for &n in &arguments.tokens {
                measure(&device, &arguments, n, d, peak)?;
            }
        }
    }
    Ok(())
}
