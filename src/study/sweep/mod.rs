//! Any config over any grid or random product of its parameters, measured alike, in one table.
//!
//! ```text
//! cells = values of key 1 × values of key 2 × ...        or K draws of all keys at once
//! ```
//!
//! Measures that do not apply are empty; `sweep.csv` has a column for each swept key and measure.

mod axes;
mod base;
mod figures;
mod measures;
mod narrow;
mod repeats;
mod seeds;

use std::collections::BTreeMap;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use self::axes::{Axis, Place, product};
pub use self::base::Base;
use super::common::positive;
use super::tables::parameters;
use super::{Asked, Report, Results, Sizes, Study, Workbench};
use crate::choice::EngineChoice;
use crate::error::{Error, Result};
use crate::io::config::{Config, Override, TokenSource};
use crate::io::presets;

pub use self::measures::Row;

/// The axes of a sweep that names nothing at all.
const UNASKED: [&str; 5] =
    ["model.alpha=0.1,0.5,1,3", "model.delta=log(0.05,1.6,6)", "seed=1..5", "run.steps=1000", "run.precision=f64"];

parameters! { Sweep:
    /// An embedded system to vary; `localmax presets` lists them
    preset: Option<String> = None, "NAME";
    /// A key of the config and its values, as model.alpha=0.1,0.5 or seed=1..10 or
    /// model.delta=log(0.01,1,5) (may be given again); where no system is named either, α and δ of
    /// the default preset
    over: Vec<String> = Vec::new(), "KEY=VALUES";
    /// Cells drawn at random instead of every combination; then also KEY=uniform(a,b) and
    /// KEY=log(a,b)
    draws: u64 = 0, "K";
    /// Seed of these draws
    draw_seed: u64 = 1, "SEED";
    /// Number of tokens of a generated cloud
    tokens: Option<u64> = None, "N";
    /// Dimension of a generated cloud
    dim: Option<u64> = None, "D";
    /// Repeats, each with a seed of its own
    seeds: Option<u64> = None, "K";
    /// The first seed: K repeats have the seeds S to S + K − 1
    first_seed: Option<u64> = None, "S", requires = "seeds";
    /// Take more seeds until the 95 % interval of each mean is at most R of the mean to either side, after the first K
    /// (10 unless given) and then half as many more each time
    within: Option<f64> = None, "R";
    /// The means that are to be so narrow: settled, clusters, heaviest, vertices, gap, spread_ratio, strip_mean
    means: Vec<String> = vec!["clusters".into()], "LIST", value_delimiter = ',';
    /// The most seeds of a mean
    most_seeds: u64 = 256, "M";
    /// Steps to take
    steps: Option<u64> = None, "T";
    /// Engine that computes
    engine: Option<String> = None, "ENGINE", value_parser = engine();
    /// Width of the stored tokens; auto takes f32, or f64 where an exact rule's lattice would be too
    /// coarse
    precision: Option<String> = None, "WIDTH", value_parser = ["auto", "f32", "f64"];
    /// A token has settled when it stays within this of where it ends, in units of the largest
    /// token at the start
    epsilon: f64 = 1e-6, "EPSILON";
    /// A config file to vary; its text is kept in study.toml, with the blake3 of files that it names
    config: Option<Base> = None, "FILE", value_parser = Base::read, conflicts_with = "preset";
}

fn engine() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(EngineChoice::ALL.map(|(_, name)| name))
}

/// A config with its values put in.
#[derive(Clone, Debug)]
pub struct Cell {
    at: Place,
    /// The keys that vary, with their values.
    label: String,
    config: Config,
}

impl Sweep {
    /// Lists the axes: `--over` wins over the other options, and these over [`UNASKED`].
    fn axes(&self) -> Result<Vec<Axis>> {
        let text = |number: Option<u64>| number.map(|number| number.to_string());
        let options = [
            ("tokens.n", text(self.tokens)),
            ("tokens.d", text(self.dim)),
            ("run.steps", text(self.steps)),
            ("run.engine", self.engine.clone()),
            ("run.precision", self.precision.clone()),
        ];
        let fixed = options.iter().filter_map(|(key, value)| Some(Axis::fixed(key, value.as_ref()?)));
        let mut fixed: Vec<Axis> = fixed.collect();
        let first = self.first_seed.unwrap_or(1);
        let seeds = if self.within.is_some() { Some(self.most_seeds) } else { self.seeds };
        fixed.extend(seeds.map(|count| Axis::seeds(first, count)).transpose()?);
        let over = self.over.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>>>()?;
        let is_twice = |(k, axis): &(usize, &Axis)| over[..*k].iter().any(|other| other.key == axis.key);
        if let Some((_, twice)) = over.iter().enumerate().find(is_twice) {
            return Err(Error::input(format!("--over {}: given twice; list all of its values in one", twice.key)));
        }
        let unasked = over.is_empty() && self.config.is_none() && self.preset.is_none();
        let unasked = UNASKED.iter().filter(|_| unasked).map(|text| Axis::parse(text)).collect::<Result<Vec<_>>>()?;
        let mut axes = Vec::new();
        for axis in over.into_iter().chain(fixed).chain(unasked) {
            if axes.iter().all(|known: &Axis| known.key != axis.key) {
                axes.push(axis);
            }
        }
        Ok(axes)
    }

    fn config(&self, axes: &[Axis], place: &Place) -> Result<Config> {
        let given =
            axes.iter().zip(place).map(|(axis, value)| Override::given("--over", &format!("{}={value}", axis.key)));
        let overrides = given.collect::<Result<Vec<_>>>()?;
        match (&self.config, &self.preset) {
            (Some(base), _) => base.config(&overrides),
            (None, preset) => Config::preset(preset.as_deref().unwrap_or(presets::DEFAULT), &overrides),
        }
    }

    /// Names the varied system.
    fn base(&self) -> String {
        match (&self.config, &self.preset) {
            (Some(base), _) => base.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            (None, preset) => format!("preset {}", preset.as_deref().unwrap_or(presets::DEFAULT)),
        }
    }
}

impl Study for Sweep {
    const NAME: &'static str = "sweep";
    const TITLE: &'static str = "A config over a grid or random product of its parameters";
    const EXAMPLES: &'static str = "Examples:
  localmax study sweep --preset default --over model.alpha=0.1,0.5 --over seed=1..10
  localmax study sweep --config my.toml --over 'model.delta=log(0.01,1,9)' --seeds 5
  localmax study sweep --config my.toml --over 'model.delta=log(0.01,1)' --over 'model.alpha=uniform(0.1,3)' --draws 500
  localmax study sweep --config my.toml --over seed=1..1000 --out s --shard 3/16      one job of an array";
    /// A sweep's sizes stand in its config.
    const SHARED: bool = false;

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, _: &mut Sizes) {
        (self.seeds, self.steps) = (Some(2), Some(200));
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let own = &asked.own;
        positive("--epsilon", own.epsilon)?;
        own.config.as_ref().map_or(Ok(()), Base::check)?;
        narrow::check(own)?;
        let axes = own.axes()?;
        let cell = |place: Place| {
            let config = own.config(&axes, &place)?;
            let varied = axes.iter().zip(&place).filter(|(axis, _)| axis.varies());
            let label: Vec<String> = varied.map(|(axis, value)| format!("{}={value}", axis.key)).collect();
            Ok(Cell { at: place, label: label.join(" "), config })
        };
        let cells = product(&axes, own.draws, own.draw_seed)?.into_iter().map(cell).collect::<Result<Vec<_>>>()?;
        // Seeds that draw nothing give one run several times.
        let varies = axes.iter().any(|axis| axis.key == "seed" && axis.varies());
        let draws = |config: &Config| matches!(config.tokens, TokenSource::Cloud(_)) || config.model.draws();
        if varies && !cells.iter().any(|cell| draws(&cell.config)) {
            return Err(Error::input(
                "several seeds, but the config's tokens are given and its rule draws nothing: every seed would be the \
                 same run; leave the seeds out",
            ));
        }
        Ok(cells)
    }

    fn needed(asked: &Asked<Self>, cells: &[Cell], rows: &BTreeMap<usize, Row>) -> Result<Vec<usize>> {
        Ok(match narrow::Narrow::asked(&asked.own) {
            Some(narrow) => narrow.needed(&asked.own.axes()?, cells, rows),
            None => (0..cells.len()).collect(),
        })
    }

    fn is_whole(asked: &Asked<Self>) -> Option<&'static str> {
        asked.own.within.map(|_| "how many seeds --within takes is known only after the seeds before")
    }

    fn label(cell: &Cell) -> String {
        cell.label.clone()
    }

    fn steps(_: &Asked<Self>, cell: &Cell) -> u64 {
        cell.config.run.steps
    }

    fn extent(asked: &Asked<Self>) -> String {
        asked.own.base()
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measures::row(cell.label.clone(), &cell.config, asked.own.epsilon, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        let own = &asked.own;
        let (axes, all) = (own.axes()?, Self::cells(asked)?);
        let cells: Vec<Cell> = results.cells(|_| true).map(|(cell, _)| all[cell].clone()).collect();
        let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
        let varied: Vec<&str> = axes.iter().filter(|axis| axis.varies()).map(|axis| axis.key.as_str()).collect();
        let settled = results.rows.iter().filter(|row| row.rests).count();
        report.text(format!(
            "{} over {}: {} cells{}. {settled} of them settled: in the last eighth of the steps or so no token \
             went farther than {} of what a token counts as settled within. sweep.csv has a row a cell, a column a \
             key and a column a measure.",
            own.base(),
            if varied.is_empty() { "nothing".to_owned() } else { varied.join(", ") },
            cells.len(),
            if own.draws > 0 { format!(", drawn at random (seed {})", own.draw_seed) } else { String::new() },
            "1/1000",
        ));
        let meanings = Row::MEANINGS.iter().skip(1).map(|(column, meaning)| vec![(*column).into(), (*meaning).into()]);
        report.table("The measures of a run.", "column | meaning", meanings.collect());
        figures::figures(&axes, &cells, results, own.draws == 0, report)?;
        if own.draws == 0 {
            seeds::means(&axes, &cells, &results.rows, narrow::Narrow::asked(own), report);
        }
        let (head, rows) = measures::table(&results.rows)?;
        let head = keys.iter().map(|&key| key.to_owned()).chain(head).collect();
        let rows = cells.iter().zip(rows).map(|(cell, row)| cell.at.iter().cloned().chain(row).collect()).collect();
        report.data("sweep", head, rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If a key of the config were lost on its way, a whole table would be of another system.
    #[test]
    fn cells_are_configs_with_their_values() {
        let mut asked = Asked::<Sweep>::new(false);
        asked.own.over = vec!["model.alpha=0.1,0.5".into(), "seed=3..4".into(), "run.engine=cpu".into()];
        asked.own.steps = Some(7);
        let cells = asked.cells().unwrap();
        assert_eq!(cells.len(), 4);
        assert_eq!(cells[1].label, "model.alpha=0.1 seed=4");
        assert_eq!((cells[1].config.seed, cells[1].config.run.steps), (4, 7));
        assert_eq!(cells[1].config.run.engine, EngineChoice::Cpu);
        asked.own.over.push("seed=9".into());
        assert!(asked.cells().unwrap_err().to_string().contains("given twice"));
        asked.own.over = vec!["model.alhpa=1".into()];
        assert!(asked.cells().unwrap_err().to_string().contains("model.alpha"));
    }
}
