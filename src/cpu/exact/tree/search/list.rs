//! Keys listed one by one: what a few neighbouring rows may need of a cloud is often less than a
//! leaf holds.
//!
//! The boxes of sparse regions are large, and it is there that maxima lie. So what a group's
//! descent leaves of the tree is sifted key by key, by the same bounds over the fan of its queries,
//! and every packet of the group sifts that list once more by its own fan. What remains is scored
//! against every lane, [`LEAF`] keys at a time.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use crate::cpu::exact::scores::unrolled;
use crate::cpu::exact::tree::search::scan::{Cutoffs, Fan, Origin};
use crate::cpu::exact::width::Width;
use crate::space::LEAF;

/// The number of keys whose bounds are computed side by side.
pub(crate) const SIDE: usize = 16;

/// Keys and their coordinates: `[coordinate][key]`.
pub(crate) struct List<W> {
    keys: Vec<u32>,
    floats: Vec<W>,
    /// The number of keys listed; beyond them, up to `room`, anything may stand.
    count: usize,
    room: usize,
}

impl<W: Width> List<W> {
    /// Makes an empty list with room for some keys.
    pub(crate) fn new(d: usize, room: usize) -> Self {
        let room = room.next_multiple_of(SIDE);
        Self { keys: vec![0; room], floats: vec![W::default(); d * room], count: 0, room }
    }

    /// The keys listed.
    pub(crate) fn keys(&self) -> &[u32] {
        &self.keys[..self.count]
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Lists the keys from `first` on with these rows in R^d, and no others; there must be room.
    #[inline(always)]
    pub(crate) fn fill(&mut self, first: usize, rows: &[W], d: usize) {
        self.count = rows.len() / d;
        let (keys, room) = (&mut self.keys[..self.count], self.room);
        for (c, key) in keys.iter_mut().enumerate() {
            *key = (first + c) as u32;
        }
        for k in 0..d {
            let column = &mut self.floats[k * room..][..self.count];
            for (x, row) in column.iter_mut().zip(rows.chunks_exact(d)) {
                *x = row[k];
            }
        }
    }

    /// Appends the key at a place of another list; false if there is no room.
    #[inline(always)]
    pub(crate) fn push_of(&mut self, other: &Self, place: usize) -> bool {
        let at = self.count;
        if at == self.room {
            return false;
        }
        self.keys[at] = other.keys[place];
        let columns = self.floats.chunks_exact_mut(self.room).zip(other.floats.chunks_exact(other.room));
        columns.for_each(|(to, from)| to[at] = from[place]);
        self.count += 1;
        true
    }

    /// The place of a key with the largest score for the middle of a fan, by floats: any key would
    /// do.
    #[inline(always)]
    pub(crate) fn best(&self, fan: &[Fan<W>]) -> Option<usize> {
        let (mut best, mut place) = (W::LOWEST, None);
        for start in (0..self.count).step_by(SIDE) {
            let mut scores = [W::default(); SIDE];
            for (k, [centre, ..]) in fan.iter().enumerate() {
                let column = &self.floats[k * self.room + start..][..SIDE];
                for c in 0..SIDE {
                    scores[c] = scores[c] + *centre * column[c];
                }
            }
            for (c, &score) in scores.iter().enumerate().take(self.count - start) {
                if best < score {
                    (best, place) = (score, Some(start + c));
                }
            }
        }
        place
    }

    /// Calls `keep` with the place of each key that reaches the outer limit for some query of the
    /// fan, ascending, and with whether it reaches the inner limit for every query; stops when told
    /// so. The bounds are those of [`crate::cpu::exact::tree::search::scan::fan_bounds`] for boxes
    /// of one key each.
    #[inline(always)]
    pub(crate) fn sift(
        &self,
        fan: &[Fan<W>],
        origin: Origin<'_, W>,
        limits: Cutoffs<W>,
        mut keep: impl FnMut(usize, bool) -> bool,
    ) {
        for start in (0..self.count).step_by(SIDE) {
            let [lower, upper] = unrolled!(few fan.len(), |d| self.bounds(&fan[..d], origin, start));
            let (mut reached, mut inside) = (0u32, 0u32);
            for c in 0..SIDE {
                reached |= u32::from(limits.outside <= upper[c]) << c;
                inside |= u32::from(limits.inside <= lower[c]) << c;
            }
            reached &= u32::MAX >> (32 - (self.count - start).min(SIDE));
            while reached != 0 {
                let place = reached.trailing_zeros();
                if !keep(start + place as usize, inside >> place & 1 == 1) {
                    return;
                }
                reached &= reached - 1;
            }
        }
    }

    /// A bound on the scores of the fan's queries.
    #[inline(always)]
    pub(crate) fn most(&self, fan: &[Fan<W>], origin: Origin<'_, W>) -> W {
        let mut most = W::LOWEST;
        for start in (0..self.count).step_by(SIDE) {
            let [_, upper] = unrolled!(few fan.len(), |d| self.bounds(&fan[..d], origin, start));
            for &upper in &upper[..(self.count - start).min(SIDE)] {
                most = if most < upper { upper } else { most };
            }
        }
        most
    }

    /// Bounds on the scores of some keys side by side: the least and the largest.
    #[inline(always)]
    fn bounds(&self, fan: &[Fan<W>], origin: Origin<'_, W>, start: usize) -> [[W; SIDE]; 2] {
        let slack = origin.slack + origin.slack;
        let (mut middle, mut reach) = ([W::default(); SIDE], [W::default(); SIDE]);
        for (k, &[centre, half, largest]) in fan.iter().enumerate() {
            let (at, spread) = (origin.at[k], half + slack * largest);
            let column = &self.floats[k * self.room + start..][..SIDE];
            for c in 0..SIDE {
                let distance = column[c] - at;
                middle[c] = middle[c] + centre * distance;
                reach[c] = reach[c] + spread * distance.size();
            }
        }
        let mut lower = middle;
        for c in 0..SIDE {
            lower[c] = middle[c] - reach[c];
            middle[c] = middle[c] + reach[c];
        }
        [lower, middle]
    }
}

/// The keys that one packet scores, in parts of [`LEAF`].
pub(crate) struct Parts<W> {
    d: usize,
    pub(crate) keys: Vec<u32>,
    /// Their coordinates from the origin, `[key][coordinate]`.
    near: Vec<W>,
    /// The box around them: the origin, and `max |x_k − o_k|`.
    pub(crate) around: Vec<W>,
}

impl<W: Width> Parts<W> {
    pub(crate) fn new(d: usize) -> Self {
        Self { d, keys: Vec::new(), near: Vec::new(), around: vec![W::default(); 2 * d] }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len().div_ceil(LEAF)
    }

    /// Takes the keys of a list that a packet's fan leaves to be decided; calls `inside` with those
    /// that reach the inner limit.
    #[inline(always)]
    pub(crate) fn take(
        &mut self,
        list: &List<W>,
        fan: &[Fan<W>],
        origin: Origin<'_, W>,
        limits: Cutoffs<W>,
        mut inside: impl FnMut(u32),
    ) {
        let d = self.d;
        self.keys.clear();
        self.near.clear();
        let (centre, half) = self.around.split_at_mut(d);
        centre.copy_from_slice(origin.at);
        half.fill(W::default());
        let (keys, near) = (&mut self.keys, &mut self.near);
        list.sift(fan, origin, limits, |place, whole| {
            if whole {
                inside(list.keys[place]);
                return true;
            }
            keys.push(list.keys[place]);
            for k in 0..d {
                let distance = list.floats[k * list.room + place] - origin.at[k];
                half[k] = if distance.size() > half[k] { distance.size() } else { half[k] };
                near.push(distance);
            }
            true
        });
    }

    /// The keys of a part, and their coordinates from the origin.
    #[inline(always)]
    pub(crate) fn part(&self, part: usize) -> (&[u32], &[W]) {
        let range = part * LEAF..(part * LEAF + LEAF).min(self.keys.len());
        (&self.keys[range.clone()], &self.near[range.start * self.d..range.end * self.d])
    }
}
