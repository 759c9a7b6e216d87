//! A cell's row: the ends of many clouds; and the list of the cycles.

use rayon::prelude::*;

use super::cycle::{Cycle, End};
use super::system::System;
use super::{Cell, Census, Row, SMALL};
use crate::engine::Engines;
use crate::error::Result;
use crate::model::{Matrix, Moment};
use crate::study::{Asked, Report, Results, Sizes, Workbench};
use crate::tokens::Precision;

/// Clouds that are taken side by side between two looks at the clock and at signals.
const AT_ONCE: usize = 200;
/// Buckets of resting times in each doubling.
const BUCKETS: f64 = 4.0;
/// The most bits after the point that a smallest cloud is rounded to.
const MOST_BITS: i32 = 12;

pub(super) fn row(asked: &Asked<Census>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (sizes, engines) = (&asked.sizes, work.engines);
    let mut row = Row {
        rule: cell.rule.clone(),
        family: cell.family.clone(),
        seed: cell.seed,
        first: cell.clouds.start,
        clouds: cell.clouds.end - cell.clouds.start,
        ..Row::default()
    };
    let (mut times, mut found_cycles): (Vec<f64>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    let mut smallest: Option<(usize, usize, u64)> = None;
    let all: Vec<u64> = cell.clouds.clone().collect();
    for some in all.chunks(AT_ONCE) {
        let end = |&index: &u64| {
            let system = System::of(cell, index, sizes)?;
            let shape = (system.cloud.n(), system.cloud.d());
            Ok((index, shape, End::of(&system, engines, sizes)?))
        };
        let ends: Vec<_> = some.par_iter().with_max_len(1).map(end).collect::<Result<_>>()?;
        for (index, (n, d), end) in ends {
            match end {
                End::Rest(steps) => {
                    row.rests += 1;
                    row.longest_rest = row.longest_rest.max(steps);
                    let bucket = (BUCKETS * libm::log2(steps.max(1) as f64)) as usize;
                    times.resize(times.len().max(bucket + 1), 0.0);
                    times[bucket] += 1.0;
                }
                End::Cycle(Cycle { found, period, units, size }) => {
                    row.longest_period = row.longest_period.max(period);
                    if size <= SMALL {
                        row.small_cycles += 1;
                    } else {
                        row.cycles += 1;
                        let fine = Sizes { precision: Precision::F64, ..sizes.clone() };
                        let is_in_f64 = cycles(&System::of(cell, index, sizes)?, engines, &fine)?.is_some();
                        row.cycles_in_f64 += u64::from(is_in_f64);
                        smallest = smallest.into_iter().chain([(n, d, index)]).min();
                    }
                    found_cycles.push(vec![index as f64, found as f64, period as f64, units, size]);
                }
                End::Open => row.open += 1,
            }
        }
        work.at.done += some.len() as u64;
        work.check()?;
    }
    if let Some((_, _, index)) = smallest {
        let (tokens, told) = shrunk(System::of(cell, index, sizes)?, engines, sizes)?;
        (row.smallest_tokens, row.smallest) = (Some(tokens), Some(told));
    }
    work.series(
        "times",
        &["bucket", "clouds"],
        (0..).zip(times).map(|(k, count)| vec![f64::from(k), count]).collect(),
    )?;
    work.series("cycles", &["index", "found", "period", "units", "size"], found_cycles)?;
    Ok(row)
}

/// The cycle of a system that cycles by more than a little.
fn cycles(system: &System, engines: &Engines, sizes: &Sizes) -> Result<Option<Cycle>> {
    let end = End::of(system, engines, sizes)?;
    Ok(if let End::Cycle(cycle) = end { Some(cycle).filter(|cycle| cycle.size > SMALL) } else { None })
}

/// Leaves out tokens and digits for as long as a system cycles; the number of tokens left, and the system.
fn shrunk(mut system: System, engines: &Engines, sizes: &Sizes) -> Result<(u64, String)> {
    let mut token = 0;
    while token < system.cloud.n() {
        match system.without(token)? {
            Some(less) if cycles(&less, engines, sizes)?.is_some() => (system, token) = (less, 0),
            _ => token += 1,
        }
    }
    for bits in 0..=MOST_BITS {
        let rounded = system.rounded(bits)?;
        if cycles(&rounded, engines, sizes).is_ok_and(|cycle| cycle.is_some()) {
            system = rounded;
            break;
        }
    }
    let period = cycles(&system, engines, sizes)?.map_or(0, |cycle| cycle.period);
    let d = system.cloud.d();
    let delta = system.delta.map_or(String::new(), |delta| format!(", δ = {delta:.6}"));
    let [x, a] = [rows(&system.cloud.to_f64(), d), matrix(&system.model.scores().matrix_at(0, d), d)];
    let (n, alpha) = (system.cloud.n(), system.alpha);
    Ok((n as u64, format!("n = {n}, d = {d}, period {period}: x = {x}, A = {a}, α = {alpha:.6}{delta}")))
}

/// Rows of numbers as JSON.
fn rows(flat: &[f64], d: usize) -> String {
    let row = |row: &[f64]| format!("[{}]", row.iter().map(f64::to_string).collect::<Vec<_>>().join(", "));
    format!("[{}]", flat.chunks_exact(d).map(row).collect::<Vec<_>>().join(", "))
}

/// A as JSON; `I`.
fn matrix(a: &Matrix, d: usize) -> String {
    if *a == Matrix::Identity {
        return "I".into();
    }
    let entry = |at: usize| a.entry(at / d, at % d);
    rows(&(0..d * d).map(entry).collect::<Vec<f64>>(), d)
}

/// Every cycle with its system, as `cycles.csv`.
pub(super) fn list_cycles(asked: &Asked<Census>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let columns = [
        "rule",
        "family",
        "seed",
        "index",
        "precision",
        "alpha",
        "gamma",
        "delta",
        "x0",
        "matrix",
        "found",
        "period",
        "units",
        "size",
    ];
    let mut lines = Vec::new();
    for (at, row) in results.cells(|row| row.cycles + row.small_cycles > 0) {
        let clouds = row.first..row.first + row.clouds;
        let cell = Cell { rule: row.rule.clone(), family: row.family.clone(), seed: row.seed, clouds };
        for cycle in results.series(at, "cycles")?.rows {
            let system = System::of(&cell, cycle[0] as u64, &asked.sizes)?;
            let d = system.cloud.d();
            let gamma = system.model.gamma_at(Moment::of_step(0))?;
            let mut line = vec![row.rule.clone(), row.family.clone(), row.seed.to_string(), cycle[0].to_string()];
            line.extend([asked.sizes.precision.name().to_owned(), system.alpha.to_string(), gamma.to_string()]);
            line.push(system.delta.map_or(String::new(), |delta| delta.to_string()));
            line.extend([rows(&system.cloud.to_f64(), d), matrix(&system.model.scores().matrix_at(0, d), d)]);
            line.extend(cycle[1..].iter().map(f64::to_string));
            lines.push(line);
        }
    }
    report.data("cycles", columns.map(str::to_owned).to_vec(), lines);
    Ok(())
}

/// Clouds of a kind that still move after so many steps, as shares; from the buckets of their resting times.
pub(super) fn surviving(results: &Results<Row>, rule: &str, family: &str) -> Result<Vec<(f64, f64)>> {
    let (mut times, mut all) = (Vec::<f64>::new(), 0);
    for (at, row) in results.cells(|row| row.rule == rule && row.family == family) {
        all += row.clouds;
        for (k, count) in results.series(at, "times")?.column("clouds")?.into_iter().enumerate() {
            times.resize(times.len().max(k + 1), 0.0);
            times[k] += count;
        }
    }
    let mut left = all as f64;
    let after = |(k, count): (usize, &f64)| {
        left -= count;
        (libm::pow(2.0, (k as f64 + 1.0) / BUCKETS), left / all.max(1) as f64)
    };
    Ok(times.iter().enumerate().map(after).collect())
}
