//! How ranks answer for the rows that are asked for.

use rayon::prelude::*;

use crate::cpu::exact::step::{Left, PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::tree::opened::asked::{Asked, put_sum, row_bytes, sum_of, words};
use crate::cpu::exact::tree::opened::net::{Net, apart};
use crate::cpu::exact::tree::opened::view::View;
use crate::cpu::exact::tree::opened::{Opened, view};
use crate::cpu::exact::tree::search::{Row, Search};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::Vectors;
use crate::cpu::share::{Word, take};
use crate::model::Mask;
use crate::ranks::Join;

impl<W: Width> Opened<W> {
    /// Has all ranks answer for rows, and moves them.
    pub(super) fn ask(
        &mut self,
        plan: &PreparedStep<'_, W>,
        view: &View<W>,
        asked: &[Asked<W>],
        watch: &Watch<'_>,
        net: &mut Net<'_>,
        (next, count): (&mut [W::Int], &mut [u32]),
    ) -> Result<Tally, Left> {
        let d = self.own.cloud.d;
        let (keys, mut told) = (self.keys(), Vec::new());
        if net.size() == 1 {
            return Ok(Tally::default());
        }
        for row in asked {
            self.own.cloud.row(row.key as usize).iter().for_each(|x| x.put(&mut told));
            row.visible.put(&mut told);
            let threshold = W::narrow(row.threshold);
            (threshold as u64).put(&mut told);
            ((threshold >> 64) as u64).put(&mut told);
        }
        let all = net.gather(&told)?;
        let size = row_bytes::<W>(d);
        if all.iter().any(|told| told.len() % size != 0) {
            return Err(apart().into());
        }
        let mine = (0..net.rank()).map(|rank| all.of(rank).len() / size).sum::<usize>();
        // All rows, behind everything else that is known.
        let (first, many) = (self.own.cloud.n, all.iter().map(|told| told.len() / size).sum::<usize>());
        if many == 0 {
            return Ok(Tally::default());
        }
        let mut rows = Vec::with_capacity(many);
        self.own.cloud.x.truncate(first * d);
        for mut told in all.iter() {
            while !told.is_empty() {
                let mut row = vec![W::Int::default(); d];
                let (mut visible, mut threshold) = ([0u32], [0u64; 2]);
                take(&mut told, &mut row).ok_or_else(apart)?;
                take(&mut told, &mut visible).ok_or_else(apart)?;
                take(&mut told, &mut threshold).ok_or_else(apart)?;
                self.own.cloud.x.extend(row);
                let threshold = W::wide((i128::from(threshold[1] as i64) << 64) | i128::from(threshold[0]));
                rows.push((
                    Row { key: (first + rows.len()) as u32, visible: visible[0], place: rows.len() as u32 },
                    threshold,
                ));
            }
        }
        self.own.cloud.n = first + many;
        view::pad(&mut self.own.cloud, keys as usize);
        if plan.step.mask == Mask::CAUSAL {
            rows.sort_by_key(|(row, _)| row.visible);
        }
        let (lanes, width) = (self.own.lanes(), words::<W>() * (d + 1));
        let sorted = &view.sorted_keys(&self.own, keys, 1, None);
        let answers = rows.par_chunks(lanes).map_init(
            || self.own.scratch(),
            |scratch, asked| {
                let scratch = &mut **scratch;
                scratch.begin_below(2);
                let (rows, thresholds): (Vec<Row>, Vec<W::Wide>) = asked.iter().copied().unzip();
                let mut sums = vec![W::Wide::default(); rows.len() * (d + 1)];
                let purpose = Purpose::Answer { thresholds: &thresholds, sums: &mut sums };
                let tally = <W as Vectors>::run(
                    self.own.set,
                    Search { keys: sorted, plan, scratch, rows: &rows, purpose, watch },
                );
                (tally, sums)
            },
        );
        let answers: Vec<(Tally, Vec<W::Wide>)> = answers.collect();
        let tally = answers.iter().fold(Tally::default(), |sum, (tally, _)| sum + *tally);
        let mut totals = vec![0u64; many * width];
        for ((row, _), sums) in rows.iter().zip(answers.iter().flat_map(|(_, sums)| sums.chunks_exact(d + 1))) {
            let into = totals[row.place as usize * width..][..width].chunks_exact_mut(words::<W>());
            into.zip(sums).for_each(|(into, &sum)| put_sum::<W>(sum, into));
        }
        net.reduce(Join::Sum, &mut totals)?;
        let mut tally = Tally { rows: 0, ..tally };
        for (row, total) in asked.iter().zip(totals[mine * width..].chunks_exact(width)) {
            let key = row.key as usize;
            let mut sums = total.chunks_exact(words::<W>()).map(sum_of::<W>);
            let size = sums.clone().next_back().map_or(1, W::narrow) as u32;
            let mut has_moved = false;
            for (k, sum) in sums.by_ref().take(d).enumerate() {
                let x = self.own.cloud.row(key)[k];
                next[key * d + k] = W::moved(x, sum, size, plan.step.gain);
                has_moved |= next[key * d + k] != x;
            }
            count[key] = size;
            tally.moved += u64::from(has_moved) * u64::from(self.own.weight[key]);
        }
        Ok(tally)
    }
}
