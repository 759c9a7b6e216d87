//! Rules that choose keys: the second pass of a strip, and the key that a row draws.
#![allow(clippy::needless_range_loop)] // lanes are best read by index

use crate::cpu::lanes::LANES;
use crate::cpu::real::cloud::Cloud;
use crate::cpu::real::kernels::{KEYS, Real};
use crate::cpu::real::packet::{StageInput, Worker};
use crate::model::StripForm;
use crate::num;
use crate::rng;

impl<W: Real> Worker<W> {
    /// Makes the second pass of a strip, by the limits `max − δ·s_i`.
    pub(super) fn strip(
        &mut self,
        cloud: &Cloud<'_, W>,
        input: &StageInput<'_>,
        delta: f64,
        form: StripForm,
        mut members: Option<&mut [Vec<u32>]>,
    ) {
        let head = input.head;
        let mut limits = [W::default(); LANES];
        for l in 0..self.width {
            let i = self.rows[l.min(self.rows.len() - 1)] as usize;
            let delta = input.deltas.map_or(delta, |deltas| deltas[i]);
            let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
            let scale = match form {
                _ if delta == 0.0 => 0.0,
                StripForm::Score | StripForm::Radius => form.constant(delta),
                StripForm::Width => {
                    let query = head.scores.apply(cloud.row(i));
                    dot(&query, &query).sqrt()
                }
                StripForm::ANorm => dot(&head.scores.apply(cloud.row(i)), cloud.row(i)).max(0.0).sqrt(),
            };
            let limit = self.max[l].to_f64() - num::scale(delta * scale, -self.exponent[l]);
            // Finite, so that no key is inside that the row does not see.
            limits[l] = W::nearest(limit.max(W::LEAST.to_f64()));
        }
        self.factor.fill(1.0);
        for at in 0..self.marks.len() / self.width {
            let tile = self.first_tile + at;
            if (0..self.width).all(|l| self.marks[at * self.width + l] < limits[l]) {
                continue;
            }
            self.score(cloud, tile);
            self.largest.copy_from_slice(&limits[..self.width]);
            self.weigh(false);
            if let Some(members) = &mut members {
                for (j, row) in self.tile.chunks_exact(self.width).take(self.keys).enumerate() {
                    for (members, &weight) in members.iter_mut().zip(row) {
                        if weight > W::default() {
                            members.push((tile * KEYS + j) as u32);
                        }
                    }
                }
            } else {
                self.accumulate(cloud, tile);
            }
        }
    }

    /// Draws for every lane the lowest key at which the sums of weights, in index order, pass u
    /// times their total.
    pub(super) fn draw(&mut self, cloud: &Cloud<'_, W>, t: u64, seed: u64) -> [u32; LANES] {
        let tiles = self.marks.len() / self.width;
        let mut drawn = [0; LANES];
        // For each lane, the tile that holds its key and the level inside it.
        let mut inside = [(0, 0.0); LANES];
        for l in 0..self.rows.len() {
            let mass = |tile: usize| {
                let at = tile * self.width + l;
                self.masses[at].to_f64() * self.decay(l, self.marks[at])
            };
            let total: f64 = (0..tiles).map(mass).sum();
            let level = rng::uniform_at(seed, t, u64::from(self.rows[l])) * total;
            let mut before = 0.0;
            // u < 1 leaves the last sum above the level, but for rounding at the very top.
            let tile = (0..tiles).find(|&tile| {
                let crossed = before + mass(tile) > level;
                before += if crossed { 0.0 } else { mass(tile) };
                crossed
            });
            inside[l] = tile.map_or((tiles - 1, f64::INFINITY), |tile| (tile, level - before));
        }
        for at in 0..tiles {
            if (0..self.rows.len()).all(|l| inside[l].0 != at) {
                continue;
            }
            let tile = self.first_tile + at;
            self.score(cloud, tile);
            self.weigh(true);
            for l in (0..self.rows.len()).filter(|&l| inside[l].0 == at) {
                let (mut sum, mut key) = (0.0, 0);
                for (j, row) in self.tile.chunks_exact(self.width).take(self.keys).enumerate() {
                    if row[l] > W::default() && sum <= inside[l].1 {
                        key = j;
                    }
                    sum += row[l].to_f64();
                }
                drawn[l] = (tile * KEYS + key) as u32;
            }
        }
        drawn
    }
}
