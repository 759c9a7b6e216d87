//! What is counted, with bounds.

use super::{CYCLES, Census, RESTS, Row, SMALLEST};
use crate::observe::at_most;
use crate::study::common::{pairs, total};
use crate::study::{Asked, Report};

pub(super) fn judge(asked: &Asked<Census>, rows: &[Row], report: &mut Report) {
    let mut lines = Vec::new();
    for (rule, family) in pairs(&asked.own.rules, &asked.own.families) {
        let of = || rows.iter().filter(|row| row.rule == *rule && row.family == *family);
        let sum = |of_row: fn(&Row) -> u64| total(of(), of_row);
        let [all, rests, small, cycles, open] = [
            sum(|row| row.clouds),
            sum(|row| row.rests),
            sum(|row| row.small_cycles),
            sum(|row| row.cycles),
            sum(|row| row.open),
        ];
        let longest = of().map(|row| row.longest_rest).max().unwrap_or(0);
        let bound = at_most(all - rests, all);
        report.claim(RESTS.with("rule", rule).with("family", family).counted(
            format!(
                "{rests} of {all}, in at most {longest} steps; {small} cycle within a thousandth of \
                 their size, {cycles} by more, {open} open"
            ),
            format!("with 95 % certainty less than {bound:.2e} of such clouds do not come to rest"),
        ));
        let numbers = [all, rests, small, cycles, open, longest].map(|number| number.to_string());
        lines.push([rule.clone(), family.clone()].into_iter().chain(numbers).chain([format!("{bound:.2e}")]).collect());
    }
    let head = "rule | A | clouds | at rest | cycle within a thousandth | cycle by more | open | most steps to \
                rest | bound of the share that does not rest";
    report.table("The ends of clouds. cycles.csv has every cycle.", head, lines);
    let sum = |of_row: fn(&Row) -> u64| total(rows, of_row);
    let [all, cycles, in_f64] = [sum(|row| row.clouds), sum(|row| row.cycles), sum(|row| row.cycles_in_f64)];
    let period = rows.iter().map(|row| row.longest_period).max().unwrap_or(0);
    report.claim(CYCLES.counted(
        format!("{cycles} of {all}, {in_f64} of them in f64 too; the longest period of any cycle is {period}"),
        "cycles.csv has each",
    ));
    let cycling = rows.iter().filter(|row| row.smallest_tokens.is_some());
    if let Some(row) = cycling.min_by_key(|row| row.smallest_tokens) {
        let text = row.smallest.clone().unwrap_or_default();
        report.claim(SMALLEST.counted(format!("{}, A: {}: {text}", row.rule, row.family), "one of the fewest tokens"));
    }
}
