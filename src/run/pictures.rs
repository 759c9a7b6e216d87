//! The pictures of a run, from its directory alone.

use std::path::PathBuf;

use crate::engine::strip::{Strip, StripsAt, require_token};
use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::io::{input, npy};
use crate::machine;
use crate::model::{Geometry, Rule, Scoring, Update};
use crate::num;
use crate::observe::Scalars;
use crate::plot::document::{Block, Document, TextTable};
use crate::plot::{
    Chart, Comparison, Coordinate, Metrics, Panels, Picture, Player, Size, StepMetrics, StripView, Time, Trajectories,
};
use crate::run::clouds::{CloudRow, read_clouds};
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

/// Rows of measures that a picture shows, evenly spread.
const MOST_ROWS: usize = 1500;
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
    let frames = frames(run, choice.step, config.rows().saturating_mul(config.d()), config.clouds.unwrap_or(1))?;
    let meta = run.meta()?;
    let word = |value: &serde_json::Value| value.as_str().unwrap_or("unknown").to_owned();
    let (name, engine) = (word(&meta["name"]), word(&meta["engine"]["engine"]));
    let title = config
        .clouds
        .map_or_else(|| config.model.title(), |m| format!("{}, cloud 0 of {m}", config.model.of_cloud(0).title()));
    let last = frames.last().map_or(0, |(step, _)| *step);
    let subtitle = format!("{name}: n = {}, d = {}, {last} steps, {engine} engine", config.n(), config.d());
    let has_strip = config.model.has_strips() && config.model.keys.is_none();
    let strip = if has_strip { Some(strip(&config, &frames, choice)?) } else { none(&config, choice)? };
    let steps: Vec<StepMetrics> = run.metrics()?.iter().filter_map(step_metrics).collect();
    let figure = |name: &str, caption: &str, picture| Block::Figure {
        name: name.to_owned(),
        caption: caption.to_owned(),
        picture,
    };
    // Principal axes would show where a rescaled cloud grows, and hide its clusters.
    let by_coordinates = matches!(config.model.update, Update::Flow { geometry: Geometry::Rescaled, .. });
    let paths =
        Trajectories { title: title.clone(), subtitle: subtitle.clone(), frames: &frames, strip, by_coordinates };
    let mut blocks = vec![figure("trajectories", "The paths of the tokens, from start to end.", paths.draw(SIZE)?)];
    let player = Player::new(&frames)?;
    blocks.push(Block::Player { name: "trajectory".into(), caption: format!("{title}."), player: Box::new(player) });
    if !steps.is_empty() {
        let metrics = Metrics { title: title.clone(), subtitle: subtitle.clone(), steps: &steps };
        let picture = metrics.draw(&frames, SIZE);
        blocks.push(figure(
            "metrics",
            if config.model.has_strips() {
                "Strip sizes and the number of tokens that moved, at each recorded step."
            } else {
                "The motion of the tokens: paths of a few, and the largest move."
            },
            picture.map_err(|e| Error::input(format!("{}: {e}", run.metrics_path().display())))?,
        ));
    }
    if run.measures_path().exists() {
        let panels = measures(&run.measures()?, &config, title.clone(), subtitle.clone());
        if !panels.charts.is_empty() {
            blocks.push(figure("measures", "Measures of the recorded states.", panels.draw(SIZE)?));
        }
    }
    if config.clouds.is_some() && run.clouds_path().exists() {
        let panels = clouds(&read_clouds(&run.clouds_path())?, config.model.title(), subtitle.clone());
        blocks.push(figure("clouds", "All clouds, at the recorded states.", panels.draw(SIZE)?));
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

/// The measures of a run's states over the step, a chart for each quantity.
fn measures(rows: &[(u64, Scalars)], config: &Config, title: String, subtitle: String) -> Panels {
    type Curve<'a> = (&'a str, &'a dyn Fn(&Scalars) -> Option<f64>);
    let time = Time::of(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
    let kept: Vec<&(u64, Scalars)> = num::evenly(rows.len(), MOST_ROWS).map(|at| &rows[at]).collect();
    let energy = if config.model.keys.is_some() {
        ["Energy of retrieval", "energy"]
    } else if config.model.rule == Rule::FrankWolfe {
        ["Objective −⟨A x, x⟩/2, mean over the tokens", "objective"]
    } else {
        ["Interaction energy", "energy"]
    };
    let quantities: [([&str; 2], &[Curve<'_>]); 5] = [
        (
            ["Distance to the nearest vertex of the hull", "distance"],
            &[("mean", &|row| Some(row.hull?.distance_mean)), ("largest", &|row| Some(row.hull?.distance_max))],
        ),
        (["Alignment gap", "gap"], &[("mean", &|row| Some(row.gap?[0])), ("largest", &|row| Some(row.gap?[1]))]),
        (["Diameter of the cloud", "diameter"], &[("", &|row| row.diameter)]),
        (energy, &[("", &|row| row.energy)]),
        (
            ["Counts", "tokens"],
            &[("distinct", &|row| Some(row.distinct as f64)), ("vertices", &|row| Some(row.hull?.vertices as f64))],
        ),
    ];
    let mut charts = Vec::new();
    for ([heading, label], curves) in quantities {
        let points = |(_, of): &Curve<'_>| -> Vec<(f64, f64)> {
            kept.iter().filter_map(|(step, row)| Some((time.at(*step), of(row)?))).collect()
        };
        let all: Vec<Vec<(f64, f64)>> = curves.iter().map(points).collect();
        let values = all.iter().flatten().map(|(_, y)| *y);
        if values.clone().all(|y| y == 0.0) {
            continue;
        }
        let y = if label == "tokens" { Coordinate::counts(label) } else { Coordinate::decades(label, values) };
        let mut chart = Chart::new(heading, time.axis(), y);
        for (((name, _), points), k) in curves.iter().zip(all).zip(0..) {
            // Where every token is a vertex, both counts are one curve.
            chart = match *name {
                "vertices" => chart.dashed(*name, points).colour(3),
                "distinct" => chart.line(*name, points).colour(2),
                "" => chart.line(*name, points).colour(4), // the legend of all charts has no name for it
                _ => chart.line(*name, points).colour(k),
            };
        }
        charts.push(chart);
    }
    Panels { title, subtitle, charts, columns: 2 }
}

/// All clouds over the step: their clusters, near pairs, and how many are at rest.
fn clouds(rows: &[CloudRow], title: String, subtitle: String) -> Panels {
    let states: Vec<&[CloudRow]> = rows.chunk_by(|a, b| a.step == b.step).collect();
    let time = Time::of(&states.iter().map(|rows| rows[0].step).collect::<Vec<_>>());
    let kept: Vec<&[CloudRow]> = num::evenly(states.len(), MOST_ROWS).map(|at| states[at]).collect();
    let over = |of: &dyn Fn(&[CloudRow]) -> f64| -> Vec<(f64, f64)> {
        kept.iter().map(|rows| (time.at(rows[0].step), of(rows))).collect()
    };
    let clusters = |share: f64| {
        over(&|rows: &[CloudRow]| {
            let mut counts: Vec<usize> = rows.iter().map(|row| row.clusters).collect();
            counts.sort_unstable();
            counts[(share * (counts.len() - 1) as f64).round() as usize] as f64
        })
    };
    let band = clusters(0.1).into_iter().zip(clusters(0.9)).map(|((t, low), (_, high))| [t, low, high]).collect();
    let mut charts = vec![
        Chart::new("Clusters of a cloud", time.axis(), Coordinate::counts("clusters"))
            .band("tenth to ninth in ten", band)
            .colour(2)
            .line("median", clusters(0.5))
            .colour(2),
    ];
    let percent = |label: &str| Coordinate::linear(label).within(-2.0, 102.0);
    if rows.iter().any(|row| row.near.is_some()) {
        let mean = |rows: &[CloudRow]| 100.0 * rows.iter().filter_map(|row| row.near).sum::<f64>() / rows.len() as f64;
        let chart = Chart::new("Pairs of tokens in nearly one direction", time.axis(), percent("pairs (%)"));
        charts.push(chart.line("", over(&mean)).colour(4));
    }
    if rows.iter().any(|row| row.rest.is_some()) {
        let at_rest =
            |rows: &[CloudRow]| 100.0 * rows.iter().filter(|row| row.rest.is_some()).count() as f64 / rows.len() as f64;
        charts
            .push(Chart::new("Clouds at rest", time.axis(), percent("clouds (%)")).line("", over(&at_rest)).colour(1));
    }
    Panels { title, subtitle, charts, columns: 2 }
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
        config.require_one_cloud("a comparison")?;
        let frames = frames(run, None, config.n().saturating_mul(config.d()).saturating_mul(runs.len()), 1)?;
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
            by_coordinates: false,
        })
        .collect();
    Comparison { title: title.to_owned(), subtitle, panels: &panels }.draw(SHEET)
}

/// The frames to draw: first, last, the one asked for, and as many between as memory allows.
fn frames(run: &RunDir, wanted: Option<u64>, coordinates: usize, clouds: usize) -> Result<Vec<(u64, Tokens)>> {
    let files = run.frames()?;
    if files.is_empty() {
        let path = run.path().display();
        return Err(Error::input(format!("{path} has no frames to draw; set output.frames, e.g. to \"log\"")));
    }
    if let Some(step) = wanted.filter(|step| !files.iter().any(|(s, _)| s == step)) {
        let have: Vec<String> = files.iter().map(|(s, _)| s.to_string()).collect();
        return Err(Error::input(format!("there is no frame of step {step}; there are {}", have.join(", "))));
    }
    // A coordinate is held a few times over, in f64.
    let free = machine::available_memory().map_or(MOST_COORDINATES, |bytes| bytes as usize / 64);
    let affordable = (MOST_COORDINATES.min(free) / coordinates.max(1)).max(2);
    let stride = files.len().div_ceil(affordable).max(1);
    let last = files.len() - 1;
    let kept = files.iter().enumerate().filter(|(at, (s, _))| at % stride == 0 || *at == last || Some(*s) == wanted);
    // Of many clouds the first is shown.
    kept.map(|(_, (step, path))| Ok((*step, npy::read_stacked(path)?.cloud(0, clouds)))).collect()
}

/// A rule without strips, and one with fixed keys, shows none, and says so to who has asked for one.
fn none(config: &Config, choice: Choice) -> Result<Option<StripView>> {
    match choice.token {
        Some(token) if config.model.keys.is_some() => Err(Error::input(format!(
            "token {token} has no strip to show: pictures have no fixed keys; leave out --token, and take `localmax \
             strip`"
        ))),
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
    let Strip { members, mut query, threshold, .. } = strips.of(token)?;
    if config.model.scoring == Scoring::Distance {
        // No half-plane: a ball is shown by its members.
        query.fill(f64::NAN);
    }
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
