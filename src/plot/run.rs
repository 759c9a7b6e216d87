//! The pictures of a run, from its directory alone.

use std::path::PathBuf;

use super::{Metrics, Size, StripView, Trajectories};
use crate::error::{Error, Result};
use crate::field;
use crate::io::config::Config;
use crate::io::npy;
use crate::io::run_dir::{Row, RunDir};
use crate::model::{Gain, Model, Rule, Update};
use crate::outcome::StepReport;
use crate::reference::spec;
use crate::tokens::Tokens;

const SIZE: Size = Size { width: 960, height: 720 };

/// Coordinates that a picture of trajectories may hold in memory; longer runs are drawn from every k-th frame.
const MOST_COORDINATES: usize = 40_000_000;

/// Whose strip is shown, where a person has asked for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// The token; otherwise one of middle length.
    pub token: Option<usize>,
    /// The frame; otherwise the first.
    pub step: Option<u64>,
}

/// Draws trajectories and metrics into `plots/`; the files written.
///
/// # Errors
/// Files that are missing or damaged; a token or a frame that the run does not have.
pub fn draw(run: &RunDir, choice: Choice) -> Result<Vec<PathBuf>> {
    let config = run.config()?;
    let frames = frames(run, choice.step, config.n() * config.d())?;
    let engine = run.meta()?["engine"]["engine"].as_str().unwrap_or("unknown").to_owned();
    let title = title(&config.model);
    let last = frames.last().map_or(0, |(step, _)| *step);
    let subtitle = format!("{}: n = {}, d = {}, {last} steps, {engine} engine", config.name, config.n(), config.d());
    let strip = strip(&config, &frames, choice)?;
    let pictures = [
        ("trajectories", {
            let (title, subtitle) = (title.clone(), subtitle.clone());
            Trajectories { title, subtitle, frames: &frames, strip: Some(strip) }.draw(SIZE)?
        }),
        ("metrics", {
            let rows: Vec<StepReport> = run.metrics()?.iter().filter_map(|row| report(row, config.n())).collect();
            if rows.is_empty() {
                return save(
                    run,
                    "trajectories",
                    &Trajectories { title, subtitle, frames: &frames, strip: None }.draw(SIZE)?,
                );
            }
            Metrics { title, subtitle, n: config.n(), rows: &rows }.draw(SIZE)?
        }),
    ];
    let mut written = Vec::new();
    for (name, picture) in &pictures {
        written.extend(save(run, name, picture)?);
    }
    Ok(written)
}

fn save(run: &RunDir, name: &str, picture: &super::Picture) -> Result<Vec<PathBuf>> {
    picture.save(&run.plots(), name)?;
    Ok(["svg", "png"].map(|ending| run.plots().join(format!("{name}.{ending}"))).into())
}

/// The frames to draw: first, last, the one asked for, and as many between as memory allows.
fn frames(run: &RunDir, wanted: Option<u64>, coordinates: usize) -> Result<Vec<(u64, Tokens)>> {
    let files = run.frames()?;
    if files.is_empty() {
        let path = run.path().display();
        return Err(Error::input(format!("{path} has no frames to draw; set output.frames, e.g. to \"log\"")));
    }
    if let Some(step) = wanted.filter(|step| !files.iter().any(|(s, _)| s == step)) {
        let have: Vec<String> = files.iter().map(|(s, _)| s.to_string()).collect();
        return Err(Error::input(format!("there is no frame of step {step}; there are {}", have.join(", "))));
    }
    let affordable = (MOST_COORDINATES / coordinates.max(1)).max(2);
    let stride = files.len().div_ceil(affordable).max(1);
    let last = files.len() - 1;
    let kept = files.iter().enumerate().filter(|(at, (s, _))| at % stride == 0 || *at == last || Some(*s) == wanted);
    kept.map(|(_, (step, path))| Ok((*step, npy::read(path)?))).collect()
}

fn title(model: &Model) -> String {
    let what = match &model.rule {
        Rule::Localmax { delta, strip } => format!(", {} strip, δ = {delta}", strip.name()),
        Rule::Softmax { beta } | Rule::Exponential { beta, .. } | Rule::Markov { beta, .. } => format!(", β = {beta}"),
        Rule::Hardmax | Rule::FrankWolfe => String::new(),
    };
    let how = match &model.update {
        Update::Average { gain: Gain::Alpha(alpha), .. } => format!(", α = {alpha}"),
        Update::Average { gain: Gain::Gamma(gamma), .. } => format!(", γ = {gamma}"),
        Update::Flow { dt, integrator, .. } => format!(", {} with dt = {dt}", integrator.name()),
    };
    let name = model.name();
    format!("{}{}{what}{how}", name[..1].to_uppercase(), &name[1..])
}

/// The strip of the chosen token at the chosen frame, by SPEC's mathematics on the stored tokens.
fn strip(config: &Config, frames: &[(u64, Tokens)], choice: Choice) -> Result<StripView> {
    let wanted = choice.step.unwrap_or(frames[0].0);
    let (step, tokens) = frames.iter().find(|(s, _)| *s == wanted).unwrap_or(&frames[0]);
    let token = match choice.token {
        Some(token) if token >= tokens.n() => {
            let n = tokens.n();
            return Err(Error::input(format!("token {token}: there are {n} tokens, 0 to {}", n - 1)));
        }
        Some(token) => token,
        None => middle(tokens),
    };
    let (t, state) = (*step, spec::State::new(tokens));
    let step = field::Steps::new(&config.model, tokens.d()).at(t)?;
    let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
    let attended = state.attention(&step, stage, head, token);
    let threshold = state.threshold(stage.weights, head, token, state.scores(&step, head, token).max);
    let members = attended.weights.iter().map(|(j, _)| *j).collect();
    Ok(StripView { step: t, token, members, query: head.scores.apply(state.row(token)), threshold })
}

/// The token of median length; the lowest index among equals.
fn middle(tokens: &Tokens) -> usize {
    let mut lengths: Vec<(f64, usize)> =
        (0..tokens.n()).map(|i| (tokens.row(i).iter().map(|x| x * x).sum::<f64>(), i)).collect();
    let at = lengths.len() / 2;
    lengths.select_nth_unstable_by(at, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).1.1
}

/// A recorded row as the step that made it.
fn report(row: &Row, n: usize) -> Option<StepReport> {
    let taken = row.taken?;
    Some(StepReport {
        t: row.step - 1,
        moved: taken.moved,
        strip_min: taken.strip_min,
        strip_max: taken.strip_max,
        strip_total: (taken.strip_mean * n as f64).round() as u64,
        redone: 0,
    })
}
