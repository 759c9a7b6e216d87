//! Figures of the study.

use super::measure::surviving;
use super::{Census, Row};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels};
use crate::study::common::total;
use crate::study::{Asked, Report, Results};

pub(super) fn figures(asked: &Asked<Census>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let own = &asked.own;
    let mut charts = Vec::new();
    for rule in &own.rules {
        let mut chart =
            Chart::new(rule.clone(), Coordinate::log("steps"), Coordinate::log("clouds that still move (share)"));
        for (k, family) in own.families.iter().enumerate() {
            chart = chart.line(format!("A: {family}"), surviving(results, rule, family)?).colour(k);
        }
        charts.push(chart);
    }
    let columns = charts.len().clamp(1, 3);
    let subtitle = format!("n = 2 to {}, d = 1 to {}", asked.sizes.tokens, asked.sizes.dim);
    let panels = Panels { title: "How long clouds move".into(), subtitle: subtitle.clone(), charts, columns };
    let caption =
        "A curve that ends level has clouds that never rest; a share of 0 has no place on a logarithmic axis.";
    report.panels("times", caption, &panels, 400 * columns.max(2) as u32, [60, 360])?;
    let share = |rule: &str, family: &String| {
        let of = || results.rows.iter().filter(|row| row.rule == rule && row.family == *family);
        100.0 * total(of(), |row| row.cycles) as f64 / total(of(), |row| row.clouds).max(1) as f64
    };
    let values = own.rules.iter().map(|rule| own.families.iter().map(|family| share(rule, family)).collect()).collect();
    let (x, y) = (("A", &own.families[..]), ("rule", &own.rules[..]));
    let heat = Chart::heat("Clouds that cycle", x, y, "share of clouds (%)", false, values).subtitle(subtitle);
    report.chart("cycles", "By more than a thousandth of their size.", &heat, [860, 520])
}
