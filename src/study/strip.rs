//! The strip of a token beside hardmax and softmax (first experiment of arXiv 2509.15958, section 1.9 of the plane).
//!
//! ```text
//! hardmax   { j : S_ij = max_l S_il }                  one key, but for ties
//! localmax  C_i(δ) = { j : max_l S_il − S_ij <= δ s_i }   some keys, C_i(δ) ⊆ C_i(δ') for δ <= δ'
//! softmax   every j, weight e^{β S_ij} / Σ_l e^{β S_il}    all n keys
//! ```
//!
//! A cell is a cloud and a δ: the engine's own masks of some rows, beside the mathematics of the plain reference.

use std::ops::ControlFlow;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench};
use crate::error::{Error, Result};
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::real;
use crate::reference;
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};

const SOURCE: &str = "2509.15958, Eq. 5 and section 2";
/// Rows whose masks are asked for, at most, evenly spread; and the keys that their masks may hold together.
const MOST_ROWS: usize = 400;
const MOST_KEYS: usize = 20_000_000;
/// Masks asked for at once: each may hold n keys.
const AT_ONCE: usize = 16;
/// Tokens of the pictured cloud, at most.
const MOST_PICTURED: usize = 1500;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Strip {
    /// Widths of the strip
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub deltas: Vec<f64>,
    /// The width whose strip is pictured; one of the list
    #[arg(long, value_name = "DELTA")]
    pub shown: f64,
    /// Inverse temperature of the softmax beside it
    #[arg(long, value_name = "BETA")]
    pub beta: f64,
    /// Step size of the trajectory that is played
    #[arg(long, value_name = "ALPHA")]
    pub alpha: f64,
    /// What a width is measured in
    #[arg(long, value_name = "FORM", value_parser = form())]
    pub form: String,
}

fn form() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(StripForm::ALL.map(|(_, name)| name))
}

impl Default for Strip {
    fn default() -> Self {
        let deltas = vec![0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        Self { deltas, shown: 0.5, beta: 2.0, alpha: 0.5, form: "width".into() }
    }
}

/// A cloud and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    seed: u64,
    delta: f64,
}

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Seed of the cloud.
    pub seed: u64,
    /// δ.
    pub delta: f64,
    /// Rows examined.
    pub rows: u64,
    /// Keys of the smallest strip.
    pub strip_min: u64,
    /// Keys of a strip on average.
    pub strip_mean: f64,
    /// Keys of the largest strip.
    pub strip_max: u64,
    /// Rows whose mask on the engine is not the one of the formula, pairs within rounding of the edge excepted.
    pub differ: u64,
    /// Rows whose strip at δ/2 is not inside the one at δ.
    pub not_nested: u64,
    /// Rows with more than one maximiser.
    pub hardmax_ties: u64,
    /// Rows in which a softmax weight is 0 in f64.
    pub softmax_zeros: u64,
    /// `exp(entropy)` of the softmax weights on average: how many keys count.
    pub softmax_keys: f64,
}

impl Strip {
    fn form(&self) -> StripForm {
        StripForm::ALL.iter().find(|(_, name)| *name == self.form).map_or(StripForm::Width, |(form, _)| *form)
    }

    fn localmax(&self, delta: f64) -> Model {
        self.model(Rule::Localmax { delta: Schedule::Constant(delta), strip: self.form() })
    }

    fn softmax(&self) -> Model {
        self.model(Rule::Softmax { beta: Schedule::Constant(self.beta) })
    }

    fn model(&self, rule: Rule) -> Model {
        Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Alpha(Schedule::Constant(self.alpha)))
    }
}

/// A cloud under one rule, by the mathematics of the plain reference.
struct Plain<'a> {
    state: &'a reference::real::State,
    step: real::Step,
}

impl<'a> Plain<'a> {
    fn new(state: &'a reference::real::State, model: &Model) -> Result<Self> {
        Ok(Self { state, step: real::Steps::new(model, state.d).at(0)? })
    }

    /// The keys of row i with their weights, which sum to 1.
    fn attended(&self, i: usize) -> Vec<(usize, f64)> {
        let stage = &self.step.stages[0];
        let attention = self.state.attention(&self.step, stage, &stage.heads[0], i);
        attention.weights.iter().map(|&(j, weight)| (j, weight / attention.total)).collect()
    }

    /// Whether a mask of row i has a key that the formula leaves out, or lacks one that it takes, farther from the edge than
    /// rounding.
    fn differs(&self, i: usize, mask: &[u32], rounding: f64) -> bool {
        let stage = &self.step.stages[0];
        let scores = self.state.scores(&self.step, &stage.heads[0], i);
        let threshold = self.state.threshold(stage.weights, &stage.heads[0], i, scores.max);
        let off = |(j, score): (usize, &f64)| {
            let inside = mask.binary_search(&(j as u32)).is_ok();
            inside != (*score >= threshold) && (score - threshold).abs() > rounding
        };
        scores.values.iter().enumerate().any(off)
    }
}

impl Study for Strip {
    const NAME: &'static str = "strip";
    const TITLE: &'static str = "The strip of a token, between hardmax and softmax";
    const EXAMPLES: &'static str = "Examples:
  localmax study strip                                    300 tokens in the plane, in seconds
  localmax study strip --tokens 5000 --shown 0.2          more of them, a narrower strip pictured
  localmax study strip --form score --dim 3               the score form, in space";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(300, 2, 5, 40)
    }

    fn quick(asked: &mut Asked<Self>) {
        asked.sizes.tokens = 100;
        asked.sizes.seeds = 2;
        asked.own.deltas = vec![0.05, 0.5, 5.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let Strip { deltas, shown, beta, .. } = &asked.own;
        if let Some(delta) = deltas.iter().find(|delta| !(delta.is_finite() && **delta > 0.0)) {
            return Err(Error::input(format!("--deltas: {delta} is no width; each must be finite and above 0")));
        }
        if !deltas.contains(shown) {
            return Err(Error::input(format!("--shown {shown}: it must be one of --deltas")));
        }
        asked.own.localmax(*shown).validate(asked.sizes.dim, asked.sizes.steps)?;
        asked
            .own
            .softmax()
            .validate(asked.sizes.dim, 1)
            .map_err(|_| Error::input(format!("--beta {beta}: it must be finite and at least 0")))?;
        let seeds = 1..=asked.sizes.seeds;
        Ok(seeds.flat_map(|seed| deltas.iter().map(move |&delta| Cell { seed, delta })).collect())
    }

    fn label(cell: &Cell) -> String {
        format!("seed {}, δ = {}", cell.seed, cell.delta)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        let cloud = CloudSample::new(Cloud::Gaussian, sizes.tokens, sizes.dim).tokens(cell.seed, Precision::F64)?;
        let n = sizes.tokens;
        let examined = n.min(MOST_ROWS).min(MOST_KEYS / n).max(1);
        let rows: Vec<usize> = (0..examined).map(|k| k * n / examined).collect();
        let (wide, half, hardmax, softmax) =
            (own.localmax(cell.delta), own.localmax(cell.delta / 2.0), own.model(Rule::Hardmax), own.softmax());

        let mut inner: Vec<Vec<u32>> = Vec::new();
        work.simulate(
            &half,
            &cloud,
            0,
            |_| false,
            |look| {
                for some in rows.chunks(AT_ONCE) {
                    inner.extend(look.masks(some)?);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let mut row = Row {
            seed: cell.seed,
            delta: cell.delta,
            rows: rows.len() as u64,
            strip_min: u64::MAX,
            strip_mean: 0.0,
            strip_max: 0,
            differ: 0,
            not_nested: 0,
            hardmax_ties: 0,
            softmax_zeros: 0,
            softmax_keys: 0.0,
        };
        let pictured = cell.seed == 1 && cell.delta == own.shown;
        let mut frames = Vec::new();
        let mut weights = Vec::new();
        let steps = if pictured { sizes.steps } else { 0 };
        work.simulate(
            &wide,
            &cloud,
            steps,
            |_| pictured,
            |look| {
                if pictured && n <= MOST_PICTURED {
                    frames.push((look.t, look.tokens.clone()));
                }
                if look.t > 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                // Scores are at most R² d; an edge is known to a few units of the lattice times R.
                let reach = look.tokens.largest_magnitude();
                let rounding = 8.0 * look.unit() * reach * sizes.dim as f64;
                let state = reference::real::State::new(look.tokens);
                let plain = |model| Plain::new(&state, model);
                let (strip, hard, soft) = (plain(&wide)?, plain(&hardmax)?, plain(&softmax)?);
                let mut inside = inner.iter();
                for some in rows.chunks(AT_ONCE) {
                    for (&i, mask) in some.iter().zip(look.masks(some)?) {
                        let size = mask.len() as u64;
                        row.strip_min = row.strip_min.min(size);
                        row.strip_max = row.strip_max.max(size);
                        row.strip_mean += size as f64 / rows.len() as f64;
                        row.differ += u64::from(strip.differs(i, &mask, rounding));
                        let nested =
                            inside.next().is_some_and(|small| small.iter().all(|j| mask.binary_search(j).is_ok()));
                        row.not_nested += u64::from(!nested);
                        row.hardmax_ties += u64::from(hard.attended(i).len() > 1);
                        let weights = soft.attended(i);
                        row.softmax_zeros += u64::from(weights.len() < n || weights.iter().any(|(_, w)| *w <= 0.0));
                        let entropy: f64 = weights.iter().filter(|(_, w)| *w > 0.0).map(|(_, w)| -w * w.ln()).sum();
                        row.softmax_keys += entropy.exp() / rows.len() as f64;
                    }
                }
                if pictured && n <= MOST_PICTURED {
                    weights = pictured_weights(look.tokens, [&hard, &strip, &soft]);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        if !frames.is_empty() {
            work.frames(&frames)?;
            work.series("weights", &["token", "reference", "hardmax", "localmax", "softmax"], weights)?;
        }
        Ok(row)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let rows = &results.rows;
        let sum = |count: fn(&Row) -> u64| rows.iter().map(count).sum::<u64>();
        let examined = sum(|row| row.rows);
        let mut report = Report::new();
        report.claim(Claim::always(
            "A token attends to the tokens whose score is within δ·s of its largest score: a strip",
            SOURCE,
            Basis::Reconstructed,
            sum(|row| row.differ),
            examined,
            "rows, the engine's mask beside the formula",
        ));
        report.claim(Claim::always(
            "Strips are nested: a smaller δ attends to fewer tokens, down to hardmax",
            "2509.15958, section 2; from the definition",
            Basis::Proved,
            sum(|row| row.not_nested),
            examined,
            "rows, δ/2 inside δ",
        ));
        report.claim(Claim::always(
            "Hardmax attends to one key, but for ties",
            "2407.01602, section 2",
            Basis::Proved,
            sum(|row| row.hardmax_ties),
            examined,
            "rows of normal clouds, which have no ties",
        ));
        report.claim(Claim::always(
            "Softmax attends to all keys",
            "2509.15958, section 1",
            Basis::Proved,
            sum(|row| row.softmax_zeros),
            examined,
            "rows, a weight of 0",
        ));
        let widest = rows.iter().filter(|row| asked.own.deltas.iter().all(|delta| *delta <= row.delta));
        let n = asked.sizes.tokens as u64;
        let fewest = widest.map(|row| row.strip_min).min().unwrap_or(0);
        report.claim(Claim {
            claim: "A strip wider than the cloud holds all tokens".into(),
            source: "2509.15958, section 2; from the definition".into(),
            basis: Basis::Proved,
            measured: format!("at the widest δ the smallest strip holds {fewest} of {n}"),
            error: "none allowed where δ exceeds the diameter".into(),
            agrees: if fewest == n { Verdict::Yes } else { Verdict::Undecided },
        });
        report.text(format!(
            "Localmax averages over the tokens in a strip of width δ below a token's largest score ({} form here). It lies between \
             hardmax, which sees one key, and softmax, which weighs all of them. Equation 5 of the paper is reconstructed from its \
             summary; the strip's form is ours to choose, and both readings can be run (--form).",
            asked.own.form
        ));
        if asked.sizes.dim == 2
            && asked.sizes.tokens <= MOST_PICTURED
            && let Some(cell) = rows.iter().position(|row| row.seed == 1 && row.delta == asked.own.shown)
        {
            three_rules(asked, results, cell, &mut report)?;
        }
        report.figure(
            "strip-sizes",
            "Strip sizes over δ: from one key, as in hardmax, to all of them, as in softmax.",
            sizes(asked, rows)?,
        );
        if asked.sizes.tokens <= MOST_PICTURED
            && let Some(cell) = rows.iter().position(|row| row.seed == 1 && row.delta == asked.own.shown)
        {
            let caption = format!("Localmax with δ = {} and α = {}, seed 1.", asked.own.shown, asked.own.alpha);
            report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
        }
        Ok(report)
    }
}

/// The token of median length, and every key's weight in its row under each model.
fn pictured_weights(tokens: &Tokens, rules: [&Plain; 3]) -> Vec<Vec<f64>> {
    let length = |i: usize| tokens.row(i).iter().map(|x| x * x).sum::<f64>();
    let mut order: Vec<usize> = (0..tokens.n()).collect();
    order.sort_by(|&a, &b| length(a).total_cmp(&length(b)));
    let reference = order[order.len() / 2];
    let mut rows: Vec<Vec<f64>> =
        (0..tokens.n()).map(|j| vec![j as f64, f64::from(u8::from(j == reference)), 0.0, 0.0, 0.0]).collect();
    for (k, rule) in rules.into_iter().enumerate() {
        for (j, weight) in rule.attended(reference) {
            rows[j][2 + k] = weight;
        }
    }
    rows
}

/// One token's keys under three rules, side by side.
fn three_rules(asked: &Asked<Strip>, results: &Results<Row>, cell: usize, report: &mut Report) -> Result<()> {
    let series = results.series(cell, "weights")?;
    let tokens = &results.frames(cell)?[0].1;
    let at = |j: usize| (tokens.get(j, 0), tokens.get(j, 1));
    let reference = series.column("reference")?.iter().position(|&flag| flag == 1.0).unwrap_or(0);
    let (x, y) = at(reference);
    let reach = tokens.largest_magnitude() * 1.15;
    let titles = [
        ("hardmax", "Hardmax".to_owned()),
        ("localmax", format!("Localmax, δ = {}", asked.own.shown)),
        ("softmax", format!("Softmax, β = {}", asked.own.beta)),
    ];
    let mut charts = Vec::new();
    for (column, title) in titles {
        let weight = series.column(column)?;
        let heaviest = weight.iter().copied().fold(0.0, f64::max);
        let keys = weight.iter().filter(|w| **w > 0.0).count();
        let title = format!("{title}: {keys} key{}", if keys == 1 { "" } else { "s" });
        let axis = |name: &str| Coordinate::linear(format!("{name} (dimensionless)")).within(-reach, reach);
        let mut chart = Chart::new(title, axis("x₁"), axis("x₂")).equal_units();
        if column == "localmax" {
            let length = (x * x + y * y).sqrt();
            let best = (0..tokens.n()).map(&at).map(|(a, b)| a * x + b * y).fold(f64::NEG_INFINITY, f64::max);
            let width = if asked.own.form() == StripForm::Score { 1.0 } else { length };
            let edge = (best - asked.own.shown * width) / length;
            // The half-plane beyond the edge, far enough out.
            let (u, v) = (x / length, y / length);
            let far = 4.0 * reach;
            let corner = |along: f64, across: f64| (along * u - across * v, along * v + across * u);
            chart = chart
                .region("strip", vec![corner(edge, -far), corner(edge, far), corner(far, far), corner(far, -far)])
                .colour(5);
        }
        chart = chart.points("other tokens", (0..tokens.n()).map(at)).grey().radius(1.4);
        for (name, low, high, radius) in [
            ("keys below 1 % of the heaviest weight", 0.0, 0.01, 1.6),
            ("keys below 10 %", 0.01, 0.1, 2.2),
            ("keys below half", 0.1, 0.5, 3.0),
            ("keys above half", 0.5, f64::INFINITY, 4.2),
        ] {
            let of = |j: &usize| weight[*j] > low * heaviest && weight[*j] <= high * heaviest;
            chart = chart.points(name, (0..tokens.n()).filter(of).map(at)).colour(0).radius(radius);
        }
        charts.push(chart.points("the token that attends", [(x, y)]).colour(1).radius(5.0));
    }
    let subtitle = format!("n = {}, token {reference}, seed 1", tokens.n());
    let panels = Panels { title: "Whom one token attends to, under three rules".into(), subtitle, charts, columns: 3 };
    let caption = "The same token of the same cloud. Weights are equal inside the strip of localmax, and fall off with the score in softmax.";
    report.figure("three-rules", caption, panels.draw(Size { width: 1320, height: 480 })?);
    Ok(())
}

/// Strip sizes over δ.
fn sizes(asked: &Asked<Strip>, rows: &[Row]) -> Result<crate::plot::Picture> {
    let mut deltas = asked.own.deltas.clone();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let of = |delta: f64| rows.iter().filter(move |row| row.delta == delta);
    let band = deltas.iter().map(|&delta| {
        let least = of(delta).map(|row| row.strip_min).min().unwrap_or(0);
        [delta, least as f64, of(delta).map(|row| row.strip_max).max().unwrap_or(0) as f64]
    });
    let mean = deltas
        .iter()
        .map(|&delta| (delta, of(delta).map(|row| row.strip_mean).sum::<f64>() / of(delta).count().max(1) as f64));
    let soft = rows.iter().map(|row| row.softmax_keys).sum::<f64>() / rows.len() as f64;
    let unit = if asked.own.form() == StripForm::Score { "units of |x|²" } else { "units of |x|" };
    Chart::new(
        "Keys of a token's strip",
        Coordinate::log(format!("δ ({unit})")),
        Coordinate::log("strip size |Cᵢ| (tokens)"),
    )
    .subtitle(format!("n = {}, d = {}, {} clouds", asked.sizes.tokens, asked.sizes.dim, asked.sizes.seeds))
    .band("smallest to largest", band.collect())
    .line("mean", mean)
    .colour(0)
    .level(format!("all {} keys", asked.sizes.tokens), asked.sizes.tokens as f64)
    .level("hardmax: one key", 1.0)
    .grey()
    .level(format!("softmax, β = {}: keys that count, exp(entropy)", asked.own.beta), soft)
    .colour(1)
    .draw(Size { width: 960, height: 560 })
}
