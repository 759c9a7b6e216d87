//! The pictures of a run, from its directory alone.

use std::path::PathBuf;

use crate::engine::strip::{Strip, StripsAt, require_token};
use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::io::{input, npy};
use crate::plot::document::{Block, Document, TextTable};
use crate::plot::{Comparison, Metrics, Picture, Player, Size, StepMetrics, StripView, Trajectories};
use crate::run::folder::RunDir;
use crate::run::limits::Limits;
use crate::run::metrics::MetricsRow;
use crate::tokens::Tokens;

const SIZE: Size = Size { width: 960, height: 720 };
/// A sheet for four panels.
const SHEET: Size = Size { width: 1180, height: 1060 };

/// Coordinates that a picture of trajectories may hold in memory; longer runs are drawn from every
/// k-th frame.
const MOST_COORDINATES: usize = 40_000_000;

/// Clusters that the report lists.
const CLUSTERS: usize = 100;
/// Tokens looked at on either side of the middle one.
const SOUGHT: usize = 8;

/// The strip to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// The token; otherwise one of middle length that attends to several.
    pub token: Option<usize>,
    /// The frame; otherwise the first.
    pub step: Option<u64>,
}

/// Draws trajectories and metrics into `plots/`, with a GIF and a page that has all of it; the
/// files written.
///
/// # Errors
/// Files that are missing or damaged; a token or a frame that the run does not have.
pub fn draw(run: &RunDir, choice: Choice) -> Result<Vec<PathBuf>> {
    let config = run.config()?;
    let frames = frames(run, choice.step, config.n().saturating_mul(config.d()))?;
    let meta = run.meta()?;
    let word = |value: &serde_json::Value| value.as_str().unwrap_or("unknown").to_owned();
    let (name, engine) = (word(&meta["name"]), word(&meta["engine"]["engine"]));
    let title = config.model.title();
    let last = frames.last().map_or(0, |(step, _)| *step);
    let subtitle = format!("{name}: n = {}, d = {}, {last} steps, {engine} engine", config.n(), config.d());
    let strip = if config.model.has_strips() { Some(strip(&config, &frames, choice)?) } else { none(&config, choice)? };
    let steps: Vec<StepMetrics> = run.metrics()?.iter().filter_map(step_metrics).collect();
    let figure = |name: &str, caption: &str, picture| Block::Figure {
        name: name.to_owned(),
        caption: caption.to_owned(),
        picture,
    };
    let paths = Trajectories { title: title.clone(), subtitle: subtitle.clone(), frames: &frames, strip };
    let mut blocks = vec![figure("trajectories", "The paths of the tokens, from start to end.", paths.draw(SIZE)?)];
    let player = Player::new(&frames)?;
    blocks.push(Block::Player { name: "trajectory".into(), caption: format!("{title}."), player });
    if !steps.is_empty() {
        let metrics = Metrics { title: title.clone(), subtitle: subtitle.clone(), steps: &steps };
        blocks.push(figure(
            "metrics",
            "Strip sizes and the number of tokens that moved, at each recorded step.",
            metrics.draw(SIZE).map_err(|e| Error::input(format!("{}: {e}", run.metrics_path().display())))?,
        ));
    }
    if let Ok(limits) = serde_json::from_value::<Limits>(meta["limits"].clone()) {
        blocks.push(Block::Heading("Clusters at the end".into()));
        let (head, rows) = limits.table(CLUSTERS);
        let rest = limits.left_out(rows.len()).map_or(String::new(), |rest| format!(" {rest}."));
        blocks.push(Block::Table(TextTable { caption: format!("{}.{rest}", limits.counts()), head, rows }));
    }
    blocks.push(Block::Heading("Config".into()));
    blocks.push(Block::Table(settings(run)?));
    Document { title, subtitle, blocks }.save(&run.plots(), "report")
}

/// The config's keys and values, shortened where they are tables of numbers.
fn settings(run: &RunDir) -> Result<TextTable> {
    const LONGEST: usize = 120;
    let path = run.path().join("config.toml");
    let text = input::text(&path, input::SHORT)?;
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            let short = match value.char_indices().nth(LONGEST) {
                Some((at, _)) => format!("{}…", &value[..at]),
                None => value.to_owned(),
            };
            rows.push(vec![format!("{section}{key}"), short]);
        }
    }
    let caption = "config.toml runs again as it is: localmax run config.toml".to_owned();
    Ok(TextTable { caption, head: vec!["key".into(), "value".into()], rows })
}

/// Draws runs of one cloud side by side.
///
/// # Errors
/// No runs, runs of different clouds, files that are missing or damaged.
pub fn compare(runs: &[RunDir], title: &str) -> Result<Picture> {
    let read = runs.iter().map(|run| {
        let config = run.config()?;
        let frames = frames(run, None, config.n().saturating_mul(config.d()).saturating_mul(runs.len()))?;
        Ok((config, run.meta()?["engine"]["engine"].as_str().unwrap_or("unknown").to_owned(), frames))
    });
    let read = read.collect::<Result<Vec<_>>>()?;
    let Some((config, engine, _)) = read.first() else { return Err(Error::input("there are no runs to compare")) };
    let subtitle = format!("n = {}, d = {}, {} steps, {engine} engine", config.n(), config.d(), config.run.steps);
    let panels: Vec<Trajectories<'_>> = read
        .iter()
        .map(|(config, _, frames)| Trajectories {
            title: config.model.title(),
            subtitle: String::new(),
            frames,
            strip: None,
        })
        .collect();
    Comparison { title: title.to_owned(), subtitle, panels: &panels }.draw(SHEET)
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

/// A rule without strips shows none, and says so to who has asked for one.
fn none(config: &Config, choice: Choice) -> Result<Option<StripView>> {
    match choice.token {
        Some(token) => Err(Error::input(format!(
            "token {token} has no strip to show: rule {} has none; leave out --token",
            config.model.name()
        ))),
        None => Ok(None),
    }
}

/// The strip of the chosen token at the chosen frame, by the mathematics on the stored tokens.
fn strip(config: &Config, frames: &[(u64, Tokens)], choice: Choice) -> Result<StripView> {
    let wanted = choice.step.unwrap_or(frames[0].0);
    let (step, tokens) = frames.iter().find(|(s, _)| *s == wanted).unwrap_or(&frames[0]);
    if let Some(token) = choice.token {
        require_token(token, tokens.n())?;
    }
    let strips = StripsAt::new(&config.model, tokens, *step)?;
    let token = choice.token.unwrap_or_else(|| middle(tokens, |i| strips.size(i) > 1));
    let Strip { members, query, threshold, .. } = strips.of(token)?;
    Ok(StripView { step: *step, token, members, query, threshold })
}

/// The token of median length, the lowest index among equals; or the nearest to it in order that
/// attends to several, if that is not far to seek.
fn middle(tokens: &Tokens, attends_to_several: impl Fn(usize) -> bool) -> usize {
    let mut lengths: Vec<(f64, usize)> =
        (0..tokens.n()).map(|i| (tokens.row(i).iter().map(|x| x * x).sum::<f64>(), i)).collect();
    lengths.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let at = lengths.len() / 2;
    let around = (0..=SOUGHT).flat_map(|k| [at.checked_sub(k), at.checked_add(k)]).flatten();
    let mut near = around.filter_map(|k| lengths.get(k)).map(|(_, i)| *i);
    near.find(|&i| attends_to_several(i)).unwrap_or(lengths[at].1)
}

/// The metrics of the step that made a recorded row; `None` for the initial state.
fn step_metrics(row: &MetricsRow) -> Option<StepMetrics> {
    let taken = row.taken?;
    let strips = taken.strips.map(|s| [f64::from(s.min), s.mean, f64::from(s.max)]);
    Some(StepMetrics { t: row.step - 1, moved: taken.moved, strips })
}
