//! The motion between recorded states, as charts over the step.

use super::axes::coordinate;
use super::chart::Chart;
use super::chart::coordinate::Coordinate;
use super::time::{MOST_POINTS, Time};
use crate::num;
use crate::tokens::Tokens;

/// Number of tokens up to which each has a curve.
const FEW: usize = 6;

/// Charts of frames that ascend and share a shape: the first two coordinates of each of a few
/// tokens, and the largest move from one frame to the next.
pub(super) fn charts(frames: &[(u64, Tokens)], time: Time) -> Vec<Chart> {
    let Some((_, first)) = frames.first() else { return Vec::new() };
    let kept: Vec<usize> = num::evenly(frames.len(), MOST_POINTS).collect();
    let mut charts = Vec::new();
    if first.n() <= FEW {
        for k in 0..first.d().min(2) {
            let (name, label) = (coordinate(k + 1), format!("{} of each token", coordinate(k + 1)));
            let mut chart = Chart::new(label, time.axis(), Coordinate::linear(name));
            for i in 0..first.n() {
                let path = kept.iter().map(|&f| (time.at(frames[f].0), frames[f].1.get(i, k)));
                chart = chart.line(format!("token {i}"), path).colour(i);
            }
            charts.push(chart);
        }
    }
    let moves: Vec<(f64, f64)> = frames
        .array_windows()
        .step_by(frames.len().div_ceil(MOST_POINTS))
        .map(|[(from, before), (to, after)]| {
            let along = |i: usize, k: usize| after.get(i, k) - before.get(i, k);
            let far = |i| (0..first.d()).map(|k| along(i, k).powi(2)).sum::<f64>().sqrt();
            (time.at(*from), (0..first.n()).map(far).fold(0.0, f64::max) / (to - from) as f64)
        })
        .collect();
    if moves.iter().any(|(_, far)| *far > 0.0) {
        let y = Coordinate::decades("largest move (a step)", moves.iter().map(|(_, far)| *far));
        let title = "Largest move of a token, a step, between recorded states";
        charts.push(Chart::new(title, time.axis(), y).line("", moves).colour(2));
    }
    charts
}
