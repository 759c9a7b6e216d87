//! The timings of a card: the measurements of `bench`, and its tables of kernels.

use std::time::Duration;

use serde::Serialize;

use super::sizes::{Peaks, Sizes, TIMED_STEPS};
use crate::bench::{self, Contender};
use crate::choice::Plan;
use crate::error::Result;
use crate::gpu::Device;
use crate::init::Cloud;
use crate::tokens::Precision;

/// A report on one plan.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OnPlan<R> {
    /// The plan.
    pub plan: &'static str,
    /// The measurements.
    pub report: R,
}

/// The rules of each plan. Softmax has no plans: it compares all pairs.
const RULES: [(Plan, &[&str]); 2] = [(Plan::Brute, &["localmax", "softmax"]), (Plan::Auto, &["localmax", "hardmax"])];

/// Most dimensions in which something can be ruled out.
const FEW_DIMENSIONS: usize = 16;

/// The measurements that `bench` is asked for on each plan, on a card that takes so many multiply-adds a step.
fn plans(sizes: &Sizes, most: f64) -> Vec<(Plan, bench::Plan)> {
    let plan = |(search, rules): (Plan, &[&str])| {
        let few = |&d: &usize| search == Plan::Brute || d <= FEW_DIMENSIONS;
        let dimensions: Vec<usize> = sizes.dimensions.iter().copied().filter(few).collect();
        let least = dimensions.iter().min().map_or(1.0, |&d| d as f64);
        let fits = |&n: &usize| search != Plan::Brute || (n as f64).powi(2) * least <= most;
        let plan = bench::Plan {
            rules: rules.iter().map(|&rule| rule.into()).collect(),
            tokens: sizes.tokens.iter().copied().filter(fits).collect(),
            dimensions,
            precision: Precision::F32,
            kind: Cloud::Gaussian,
            delta: bench::DELTA,
            given: None,
            steps: TIMED_STEPS,
            batch: 1,
            rounds: sizes.rounds,
            round_time: Duration::from_millis(100),
        };
        (search, plan)
    };
    RULES.into_iter().map(plan).collect()
}

/// Number of rules and sizes that are timed at most.
pub(super) fn count(sizes: &Sizes) -> usize {
    plans(sizes, f64::INFINITY)
        .iter()
        .map(|(_, plan)| plan.rules.len() * plan.tokens.len() * plan.dimensions.len())
        .sum()
}

/// Times the card beside the CPU engine.
///
/// # Errors
/// A device that fails; sizes for which there is no memory.
pub(super) fn rows(
    device: &Device,
    sizes: &Sizes,
    peaks: Peaks,
    mut tell: impl FnMut(&str),
) -> Result<Vec<OnPlan<bench::Report>>> {
    let on_plan = |(search, plan): (Plan, bench::Plan)| {
        let card = Contender::gpu(vec![device.clone()], search, sizes.most_timed(peaks.card));
        let cpu = Contender { limit: sizes.most_timed(peaks.cpu), ..Contender::cpu(search, plan.precision) };
        Ok(OnPlan { plan: search.name(), report: bench::run(&plan, &[card, cpu], &mut tell)? })
    };
    plans(sizes, sizes.most_timed(peaks.card)).into_iter().map(on_plan).collect()
}

/// The time of each kernel, on a device with timestamps.
///
/// # Errors
/// As [`rows`].
pub(super) fn kernels(
    device: &Device,
    sizes: &Sizes,
    peaks: Peaks,
    mut tell: impl FnMut(&str),
) -> Result<Vec<OnPlan<bench::kernels::Report>>> {
    let most = sizes.most_timed(peaks.card);
    let on_plan = |(search, plan): (Plan, bench::Plan)| {
        let report = bench::kernels::run(&plan, search, &[(device.clone(), most)], &mut tell)?;
        Ok(OnPlan { plan: search.name(), report })
    };
    plans(sizes, most).into_iter().map(on_plan).collect()
}
