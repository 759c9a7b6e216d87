//! Which small clouds come to rest, which cycle, and how long it takes (open question 1 of arXiv
//! 2509.15958: does localmax converge?).
//!
//! ```text
//! rest    a step that moves no bit: with constant parameters no later step moves any
//! cycle   a state that repeats bit for bit, and is not at rest: with constant parameters it repeats for ever
//! open    neither within the steps that were allowed
//! ```
//!
//! A cell is many clouds of one rule and one kind of A. Each draws its n, d, α, δ, A and tokens from a stream of its
//! own. Under the integer contract a repeated state is a certificate: no rounding of another machine can lift it. A
//! small cycle may be one of roundings, between two neighbouring states of the lattice; a large one that is there on
//! the finer lattice of f64 as well is one of the system. `cycles.csv` has every cycle as it was drawn;
//! `tests/cycles.py` takes them again in big integers.

mod claims;
mod cycle;
mod draw;
mod measure;
mod system;

use super::common::texts;
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench};
use crate::choice::EngineChoice;
use crate::error::{Error, Result};
use crate::tokens::Precision;

sheet! {
    RESTS = Counted("2509.15958, section 7.1, open question 1", "Clouds that come to rest ({rule}, A: {family})");
    CYCLES = Counted("a state that repeats bit for bit",
        "Clouds that cycle by more than a thousandth of their size, over all rules and A");
    SMALLEST = Counted("found by leaving out tokens while it cycles", "The smallest cloud that does");
}

/// A cycle within this share of the cloud's largest coordinate may be one of roundings.
const SMALL: f64 = 1e-3;
/// Clouds of a cell.
const CELL: u64 = 1000;

parameters! { Census:
    /// Number of clouds, shared out evenly among the rules and the kinds of A
    clouds: u64 = 60_000, "N";
    /// Rules: localmax by its form of the strip, hardmax, frank-wolfe
    rules: Vec<String> = texts(system::RULES), "LIST", value_delimiter = ',', value_parser = system::rules();
    /// Kinds of A: I, QᵀQ, a symmetric one, −QᵀQ, KᵀQ, a skew one; Q and K are Gaussian
    families: Vec<String> = texts(system::FAMILIES), "LIST", value_delimiter = ',', value_parser = system::families();
}

/// Some clouds of one rule and one kind of A.
#[derive(Clone, Debug)]
pub struct Cell {
    rule: String,
    family: String,
    seed: u64,
    /// The first cloud and the one after the last.
    clouds: std::ops::Range<u64>,
}

columns! { Row:
    rule: String, "Rule, localmax by its form of the strip";
    family: String, "Kind of A";
    seed: u64, "Seed of the clouds";
    first: u64, "Number of the first cloud";
    clouds: u64, "Number of clouds";
    rests: u64, "Clouds that came to rest";
    small_cycles: u64, "Clouds that cycle within a thousandth of their largest coordinate: by roundings";
    cycles: u64, "Clouds that cycle by more";
    cycles_in_f64: u64, "Those of them that cycle by more in f64 too";
    open: u64, "Clouds that did neither within the steps";
    longest_rest: u64, "The most steps to rest";
    longest_period: u64, "The longest period";
    smallest_tokens: Option<u64>, "Number of tokens of the smallest cloud that cycles by more, after leaving out tokens";
    smallest: Option<String>, "That cloud";
}

impl Study for Census {
    const NAME: &'static str = "census";
    const TITLE: &'static str = "Which small clouds come to rest, and which cycle";
    const EXAMPLES: &'static str = "Examples:
  localmax study census                                      60,000 clouds, every exact rule, six kinds of A
  localmax study census --clouds 1000000                     a million
  localmax study census --rules width --families identity    localmax with A = I alone
  localmax study census --tokens 40 --dim 8                  larger clouds";
    const SIZES: Sizes = Sizes { engine: EngineChoice::Cpu, precision: Precision::F32, ..Sizes::new(8, 3, 1, 10_000) };

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (self.clouds, sizes.steps) = (3000, 2000);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let own = &asked.own;
        if own.clouds == 0 {
            return Err(Error::input("--clouds 0: it must be at least 1"));
        }
        let kinds: Vec<(&String, &String)> = super::common::pairs(&own.rules, &own.families).collect();
        let mut cells = Vec::new();
        for (at, (rule, family)) in (0..).zip(&kinds) {
            // The first kinds have one more where the clouds do not share out evenly.
            let of_kind = (own.clouds + kinds.len() as u64 - 1 - at) / kinds.len() as u64;
            for seed in asked.sizes.every_seed() {
                let cell = |first: u64| Cell {
                    rule: (*rule).clone(),
                    family: (*family).clone(),
                    seed,
                    clouds: first..of_kind.min(first + CELL),
                };
                cells.extend((0..of_kind.div_ceil(CELL)).map(|block| cell(block * CELL)));
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("{}, A: {}, clouds from {}", cell.rule, cell.family, cell.clouds.start)
    }

    fn steps(_: &Asked<Self>, cell: &Cell) -> u64 {
        cell.clouds.end - cell.clouds.start
    }

    fn extent(asked: &Asked<Self>) -> String {
        let Sizes { tokens, dim, seeds, steps, precision, .. } = &asked.sizes;
        let clouds = asked.own.clouds * seeds;
        format!("{clouds} clouds, n = 2 to {tokens}, d = 1 to {dim}, at most {steps} steps, {}", precision.name())
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims::judge(asked, &results.rows, report);
        report.text(format!(
            "Every cloud draws n from 2 to {}, d from 1 to {}, α and δ log-uniformly from 0.1 to 10 and from 0.01 to 2, \
             A of its kind, and tokens: normal ones, or of coordinates −2 to 2 in whole numbers, one half each. \
             Parameters are constant, so that a step that moves no bit is the end, and a state that comes again comes \
             again for ever. Shares that do not come to rest are bounded with 95 % certainty for clouds drawn this way.",
            asked.sizes.tokens, asked.sizes.dim
        ));
        measure::list_cycles(asked, results, report)?;
        draw::figures(asked, results, report)
    }
}
