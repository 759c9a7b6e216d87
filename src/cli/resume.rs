//! `localmax resume DIR`: go on with a run that was left.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::run;
use super::source::{count, named, time};
use super::{interrupt, output, ranks};
use crate::choice::{EngineChoice, Plan};
use crate::engine::{Lead, When};
use crate::io::config::Override;
use crate::run::among;
use crate::run::opening::{self, Opening};
use crate::run::record;
use crate::run::resume::{self, Request, Resumable};
use crate::run::{Meta, RunDir, Segment};

/// Go on with a run that was interrupted, killed or failed, to the files that it would have left in
/// one go
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax resume runs/default-1                on from its last checkpoint, to its last step
  localmax resume runs/default-1 --steps 1000   1000 steps more than it was to take
  localmax resume runs/default-1 --steps 100 --set model.delta=0.5     and with another delta from here on
  localmax resume runs/default-1 --engine cpu   without the GPU; the same bits in localmax, hardmax and frank-wolfe")]
pub(super) struct Arguments {
    /// A run's directory
    dir: PathBuf,
    /// Take K steps more than the run was to take
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = count)]
    steps: u64,
    /// Change a key of the config from here on, e.g. --set model.delta=0.2 (may be given again)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Engine that computes from here on, instead of the config's
    #[arg(long, value_name = "ENGINE", value_parser = named(&EngineChoice::ALL))]
    engine: Option<String>,
    /// Search for keys from here on
    #[arg(long, value_name = "PLAN", value_parser = named(&Plan::ALL))]
    plan: Option<String>,
    /// Check sampled rows against the reference every K steps, if not as before; 0 never
    #[arg(long, value_name = "K", value_parser = count)]
    verify: Option<u64>,
    /// End after this time, as after a signal: `resume` goes on; 3600 (seconds), 90m, 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    wall: Option<Duration>,
    /// Go on after no bit moves any more, as if the run had begun with this option
    #[arg(long)]
    past_fixed_point: bool,
    /// Go on though frames are gone or changed, such as those moved to an archive
    #[arg(long)]
    without_frames: bool,
    /// Draw no pictures
    #[arg(long)]
    no_plot: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let ranks = ranks::join()?;
    let set = || arguments.set.iter().map(|text| Override::set(text)).collect::<Result<Vec<_>, _>>();
    if ranks.rank() > 0 {
        let run = |identity: &str, tokens| RunDir::open(&arguments.dir)?.config_like(identity, &tokens, &set()?);
        return ranks::follow(&ranks, run);
    }
    let lead = Lead::of(&ranks);
    let set = set()?;
    let dir = arguments.dir.display();
    interrupt::watch(&format!("nothing was changed; go on with `localmax resume {dir}`"), arguments.wall)?;
    let run = RunDir::open(&arguments.dir)?;
    let lock = run.lock()?;
    if let Some(note) = lock.note() {
        output::note(&note);
    }
    let Resumable { config: kept, mut options, mut checkpoint, change, done, notes } = {
        let &Arguments { steps: more, past_fixed_point, without_frames, .. } = arguments;
        resume::look(&run, Request { more, set: &set, past_fixed_point, without_frames })?
    };
    for note in notes {
        output::note(&note);
    }
    options.no_plot |= arguments.no_plot;
    if let Some(done) = done {
        output::print(&format!("nothing to do: {done}\n"))?;
        // The page is written last.
        let is_drawn = run.plots().join("report.html").is_file();
        return run::draw(&run, options.no_plot || is_drawn);
    }
    options.verify_every = arguments.verify.unwrap_or(options.verify_every);
    let mut config = kept.clone();
    if let Some(engine) = &arguments.engine {
        config.run.engine = EngineChoice::parse(engine)?;
    }
    if let Some(plan) = &arguments.plan {
        config.run.plan = Plan::parse(plan)?;
    }

    if options.verify_every > 0 {
        config.require_one_cloud("--verify")?;
    }
    let (mut start, engine) = if let Some(from) = &mut checkpoint {
        among::preflight(&ranks, &config, (When::Open, options.verify_every > 0), &mut output::note)?;
        let engine = opening::reopen(&ranks, &config, from, &mut output::note)?;
        let progress = &mut from.progress;
        if progress.continue_with(engine.description())
            && let [.., before, now] = &progress.segments[..]
        {
            output::note(&changed(before, now, config.model.is_exact()));
        }
        if change.is_some() {
            let set: Vec<String> = set.iter().map(Override::given_as).collect();
            output::note(&format!("from step {} on {}", progress.step, set.join(", ")));
        }
        progress.options = options;
        (from.start(), engine)
    } else {
        output::note("there is no checkpoint yet: from the start");
        let Opening { start, engine, .. } = opening::open_among(&ranks, &mut config, options, output::note)?;
        (start, engine)
    };
    interrupt::begin(run::LOST);
    let step = checkpoint.as_ref().map(|from| from.progress.step);
    run.cut_back(checkpoint.as_ref())
        .and_then(|()| {
            let Some((change, from)) = change.zip(checkpoint.as_mut()) else { return Ok(()) };
            change.write(&run, &kept, from)?;
            start = from.start();
            Ok(())
        })
        .and_then(|()| run.write_meta(&Meta::new(&config, &start.progress)))
        .and_then(|()| if arguments.steps > 0 { run.save_config(&start.progress, &kept) } else { Ok(()) })
        .map_err(|error| record::stopped(error, &run, 0, false, step))?;
    run::go_on(&ranks, &config, &run, start, engine)?;
    drop(lead); // before pictures, which are rank 0's alone
    run::draw(&run, options.no_plot)
}

/// Says what changed from a step on (engine, driver, version), and whether the bits stay the same.
fn changed(before: &Segment, now: &Segment, is_exact: bool) -> String {
    let who = |s: &Segment| format!("{} ({})", s.engine.engine, s.engine.device);
    let driver = |s: &Segment| if s.engine.driver.is_empty() { "none".into() } else { s.engine.driver.clone() };
    // An engine has its bits from its instructions, not from the number of threads.
    let kernels = |s: &Segment| s.engine.device.split(", ").next().map(str::to_owned);
    let mut changes = Vec::new();
    if who(now) != who(before) {
        changes.push(format!("on {}, before {}", who(now), who(before)));
    } else if now.engine.driver != before.engine.driver {
        changes.push(format!("with the driver {}, before {}", driver(now), driver(before)));
    }
    if now.localmax != before.localmax {
        changes.push(format!("by localmax {}, before {}", now.localmax, before.localmax));
    }
    if now.contract != before.contract {
        changes.push(format!("in arithmetic of version {}, before {}", now.contract, before.contract));
    }
    let is_same_code = now.localmax == before.localmax && now.engine.engine == "cpu" && before.engine.engine == "cpu";
    let bits = if now.contract != before.contract {
        "not the bits of one run"
    } else if is_exact || (is_same_code && kernels(now) == kernels(before)) {
        "the same bits"
    } else {
        "equal within the bounds of the engines, not in bits"
    };
    format!("from step {} {}: {bits}", now.from_step, changes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Description;

    fn segment(from_step: u64, engine: &str, device: &str, driver: &str) -> Segment {
        let [engine, device, driver] = [engine, device, driver].map(str::to_owned);
        Segment {
            localmax: "1.0.0".into(),
            contract: 3,
            ..Segment::new(from_step, Description { engine, device, driver })
        }
    }

    /// A person told that bits may differ where they cannot throws a good run away; told the
    /// reverse, trusts a bad one.
    #[test]
    fn what_changed_is_said_and_what_becomes_of_the_bits() {
        let bounds = "equal within the bounds of the engines, not in bits";
        let two = segment(0, "cpu", "avx512, 2 threads", "");
        let one = segment(7, "cpu", "avx512, 1 thread", "");
        let threads = "from step 7 on cpu (avx512, 1 thread), before cpu (avx512, 2 threads): the same bits";
        assert_eq!(changed(&two, &one, false), threads);
        assert_eq!(changed(&two, &one, true), threads);
        let other = segment(7, "cpu", "avx2, 2 threads", "");
        assert!(
            changed(&two, &other, false).ends_with(bounds) && changed(&two, &other, true).ends_with("the same bits")
        );
        let (old, new) = (segment(0, "gpu", "Card", "25.0"), segment(7, "gpu", "Card", "26.2"));
        assert_eq!(changed(&old, &new, false), format!("from step 7 with the driver 26.2, before 25.0: {bounds}"));
        assert_eq!(changed(&old, &new, true), "from step 7 with the driver 26.2, before 25.0: the same bits");
        let newer = Segment { localmax: "1.1.0".into(), from_step: 7, ..two.clone() };
        assert_eq!(changed(&two, &newer, false), format!("from step 7 by localmax 1.1.0, before 1.0.0: {bounds}"));
        let apart = Segment { contract: 4, from_step: 7, ..two.clone() };
        let text = "from step 7 in arithmetic of version 4, before 3: not the bits of one run";
        assert_eq!(changed(&two, &apart, true), text);
        assert_eq!(changed(&two, &apart, false), text);
    }
}
