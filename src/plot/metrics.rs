//! What a run's tables say of its steps and states, as charts over the step.

use super::chart::Chart;
use super::chart::coordinate::Coordinate;
use super::chart::panels::Panels;
use super::motion;
use super::picture::{Picture, Size};
use super::time::{MOST_POINTS, Time};
use crate::error::{Error, Result};
use crate::num;
use crate::tokens::Tokens;

/// A picture of metrics, before it is drawn.
#[derive(Clone, Debug)]
pub struct Metrics<'a> {
    /// First line: rule and parameters.
    pub title: String,
    /// Second line: n, d, steps, engine.
    pub subtitle: String,
    /// The recorded steps, ascending in t; either all have strip sizes or none.
    pub steps: &'a [StepMetrics],
}

/// The metrics of one recorded step t → t + 1, or of a block of steps from t on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMetrics {
    /// t.
    pub t: u64,
    /// Number of tokens with any changed coordinate; of a block the largest.
    pub moved: u64,
    /// Smallest, mean and largest strip size, if the rule has strips; a block's extremes and mean.
    pub strips: Option<[f64; 3]>,
}

impl StepMetrics {
    fn of_block(steps: &[Self]) -> Self {
        let strips = || steps.iter().filter_map(|step| step.strips);
        let (least, most) = (num::range(strips().map(|s| s[0])).0, num::range(strips().map(|s| s[2])).1);
        let mean = strips().map(|s| s[1]).sum::<f64>() / steps.len() as f64;
        Self {
            t: steps[0].t,
            moved: steps.iter().map(|step| step.moved).max().unwrap_or(0),
            strips: steps[0].strips.map(|_| [least, mean, most]),
        }
    }
}

impl Metrics<'_> {
    /// Draws the picture; in a rule without strips with the motion between `frames`.
    ///
    /// # Errors
    /// No steps, or steps out of order.
    pub fn draw(self, frames: &[(u64, Tokens)], size: Size) -> Result<Picture> {
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else {
            return Err(Error::input("a picture of metrics needs at least one recorded step"));
        };
        if let Some([before, after]) = self.steps.array_windows().find(|[before, after]| after.t <= before.t) {
            let (before, after) = (before.t + 1, after.t + 1);
            return Err(Error::input(format!("metrics must ascend: step {after} after step {before}")));
        }
        let steps: Vec<u64> = self.steps.iter().map(|step| step.t).chain([last.t + 1]).collect();
        let time = Time::of(&steps);
        let few = self.steps.len() <= MOST_POINTS;
        let blocks: Vec<&[StepMetrics]> =
            self.steps.chunk_by(|a, b| !few && time.block(a.t) == time.block(b.t)).collect();
        let points: Vec<StepMetrics> = blocks.iter().map(|steps| StepMetrics::of_block(steps)).collect();

        let mut charts = Vec::new();
        if first.strips.is_some() {
            let sizes = || points.iter().filter_map(|p| Some((time.at(p.t), p.strips?)));
            let chart = Chart::new("Strip sizes |Cᵢ|", time.axis(), Coordinate::counts("strip size (tokens)"));
            let chart = chart.band("smallest to largest", sizes().map(|(t, s)| [t, s[0], s[2]]).collect()).colour(0);
            charts.push(chart.line("mean", sizes().map(|(t, s)| (t, s[1]))).colour(0));
        } else {
            charts = motion::charts(frames, time);
        }
        // A number that never changes is a sentence beside the motion.
        let mut subtitle = self.subtitle;
        let (least, most) = num::range(points.iter().map(|p| p.moved as f64));
        if first.strips.is_none() && !charts.is_empty() && least == most {
            subtitle += &format!("; {most} tokens moved in every recorded step");
        } else {
            let chart = Chart::new("Tokens that moved in the step", time.axis(), Coordinate::counts("moved (tokens)"));
            charts.push(chart.line("", points.iter().map(|p| (time.at(p.t), p.moved as f64))).colour(1));
        }
        let most = blocks.iter().map(|steps| steps.len()).max().unwrap_or(1);
        if most > 1 {
            let note = format!("A point stands for up to {most} recorded steps: their extremes and means.");
            charts = charts.into_iter().map(|chart| chart.foot(&*note)).collect();
        }
        let size = Size { height: size.height.max(60 + 210 * charts.len() as u32), ..size };
        Panels { title: self.title, subtitle, charts, columns: 1 }.draw(size)
    }
}
