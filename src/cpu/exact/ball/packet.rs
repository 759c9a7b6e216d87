//! One packet of rows: the sums over the keys in their balls.
//!
//! **What floats decide.** A square of a distance is computed as s̃ from differences of coordinates, which
//! floats hold. A difference meets one rounding, its square and the sum at most d + 1 more, in any order,
//! fused or not; all terms are at least 0, and nothing underflows, as integers are 0 or at least 1. So s̃
//! is within κs of s, with `κ = 1.01 (d + 8) r`, r the relative error of one rounding, d ≤ 2^12: there is
//! room for the three roundings of the limits, too. For a ball of the square radius R, a row's own where rows have one,
//!
//! * s̃ ≤ R(1 − κ): inside it;
//! * s̃ > R(1 + κ): outside it;
//! * in between: decided by the exact square.
//!
//! **Boxes.** Between the box of the packet's rows, |x − a| ≤ h, and that of a node, |y − c| ≤ g, a
//! coordinate's distance lies between `|a − c| − h − g` and f = `|a − c| + h + g`. In f64 each of the two takes
//! at most six roundings of ε = 2^-53 of f, so that `f − 2(h + g) − 8εf` is a lower bound; the roundings of
//! f itself, of squares, of sums and of R are of relative size, and `1 ± 2^-30` has room for them (d ≤ 2^12). A
//! node is outside the balls of all rows if it is outside the largest R, and inside if it is inside the least.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `brute::packet`

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::ball::radii::Balls;
use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::scores::{at_least, load, squared_distances, unrolled};
use crate::cpu::exact::step::{Tally, Watch};
use crate::cpu::exact::sums::{Moved, Sums};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{Job, LANES, Lanes, VECTORS};
use crate::space::{Coordinate, LEAF, Tree};

/// The keys that rows are compared with, and their boxes.
pub(crate) struct Keys<'a, W: Width> {
    pub(crate) cloud: &'a Cloud<W>,
    /// Tokens at each key, and the least index among them.
    pub(crate) weight: &'a [u32],
    pub(crate) first: &'a [u32],
    /// Boxes, if there are any.
    pub(crate) tree: Option<&'a Tree<W::Int>>,
}

/// A row: the key whose coordinates it has, and the tokens that it sees, from `first` to `visible`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) key: u32,
    pub(crate) first: u32,
    pub(crate) visible: u32,
}

/// Buffers that a thread keeps from packet to packet.
pub(crate) struct BallScratch<W: Width> {
    /// `[coordinate][lane]`.
    query: Aligned<W>,
    own: Aligned<W::Int>,
    sums: Sums<W>,
    /// Sums and number of the tokens in boxes inside the balls of all rows.
    whole: Vec<<W::Int as Coordinate>::Sum>,
    count: u32,
    open: Vec<u32>,
    /// The box of the rows: centre and half-width of every coordinate.
    around: Vec<[f64; 2]>,
}

impl<W: Width> BallScratch<W> {
    pub(crate) fn new(d: usize, lanes: usize) -> Self {
        Self {
            query: Aligned::new(d * lanes),
            own: Aligned::new(d * lanes),
            sums: Sums::new(d, lanes),
            whole: vec![<W::Int as Coordinate>::Sum::default(); d],
            count: 0,
            open: Vec::new(),
            around: vec![[0.0; 2]; d],
        }
    }
}

/// A packet of rows and their balls.
pub(crate) struct BallPacket<'a, W: Width> {
    pub(crate) keys: &'a Keys<'a, W>,
    pub(crate) balls: &'a Balls<'a, W>,
    pub(crate) scratch: &'a mut BallScratch<W>,
    /// At least one and no more than lanes.
    pub(crate) rows: &'a [Row],
    /// Their new coordinates, and the sizes of their strips.
    pub(crate) x: &'a mut [W::Int],
    pub(crate) count: &'a mut [u32],
    pub(crate) watch: &'a Watch<'a>,
}

/// The place of a box to the balls of all rows.
enum Side {
    Outside,
    Inside,
    Between,
}

impl<W: Width> Job<W, W::Int> for BallPacket<'_, W> {
    type Output = Tally;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(mut self, lanes: L) -> Tally {
        let width = VECTORS * L::WIDTH;
        let mut tally = Tally { rows: self.rows.len() as u64, ..Tally::default() };
        self.gather(width);
        if self.balls.own.is_some() {
            let [low, high] = self.own_limits(lanes);
            self.visit(lanes, [&low, &high], &mut tally);
        } else {
            // Alike in all lanes, which leaves registers to the scores.
            let [low, high] = self.limits(W::approximate(self.balls.square)).map(|limit| [lanes.splat(limit); VECTORS]);
            self.visit(lanes, [&low, &high], &mut tally);
        }
        if self.watch.is_left() {
            return tally;
        }
        let BallScratch { sums, whole, count, .. } = &mut *self.scratch;
        if *count > 0 {
            sums.add_whole(u64::MAX >> (LANES - width), whole.iter().copied(), *count);
        }
        self.finish(width, &mut tally);
        tally
    }
}

impl<W: Width> BallPacket<'_, W> {
    /// Adds the keys to the rows that they are near, all or those of the leaves on the edges of the balls.
    #[inline(always)]
    fn visit<L: Lanes<W, W::Int>>(&mut self, lanes: L, limits: [&[L::Floats; VECTORS]; 2], tally: &mut Tally) {
        let (d, n, least) = (self.keys.cloud.d, self.keys.cloud.n, self.least());
        if self.keys.tree.is_some() {
            self.scratch.open.push(1);
            while let Some(leaf) = self.next_leaf(least, tally) {
                if self.watch.is_left() {
                    return;
                }
                unrolled!(d, |d| self.scan(lanes, leaf * LEAF, d, limits, tally));
            }
        } else {
            for first in self.seen(n).step_by(LEAF) {
                if self.watch.is_left() {
                    return;
                }
                unrolled!(d, |d| self.scan(lanes, first, d, limits, tally));
            }
        }
    }

    /// Lays out the rows, lanes past the last repeat it, and draws the box around them.
    #[inline(always)]
    fn gather(&mut self, lanes: usize) {
        let BallScratch { query, own, sums, whole, count, open, around } = &mut *self.scratch;
        sums.clear();
        open.clear();
        whole.fill(<W::Int as Coordinate>::Sum::default());
        *count = 0;
        let d = self.keys.cloud.d;
        for l in 0..lanes {
            let row = self.keys.cloud.row(self.rows[l.min(self.rows.len() - 1)].key as usize);
            for (k, &x) in row.iter().enumerate() {
                own[k * lanes + l] = x;
                query[k * lanes + l] = W::of(x);
            }
        }
        for k in 0..d {
            let column = &query[k * lanes..][..lanes];
            let (mut least, mut most) = (column[0], column[0]);
            for &x in column {
                least = if x < least { x } else { least };
                most = if most < x { x } else { most };
            }
            // Both are exact in f64, and rounding down to a whole centre is made up for.
            let centre = (0.5 * (least.to_f64() + most.to_f64())).floor();
            around[k] = [centre, (most.to_f64() - centre).max(centre - least.to_f64()) * (1.0 + f64::EPSILON)];
        }
    }

    /// The limits of squares inside a ball of this square radius and outside.
    fn limits(&self, square: f64) -> [W; 2] {
        let slack = 1.01 * (self.keys.cloud.d + 8) as f64 * W::ROUNDING;
        [W::nearest(square * (1.0 - slack)), W::nearest(square * (1.0 + slack))]
    }

    /// The limits of the balls of lanes that have radii of their own.
    #[inline(always)]
    fn own_limits<L: Lanes<W, W::Int>>(&self, lanes: L) -> [[L::Floats; VECTORS]; 2] {
        let mut limits = [[W::default(); LANES]; 2];
        for l in 0..VECTORS * L::WIDTH {
            let square = W::approximate(self.square(l.min(self.rows.len() - 1)));
            [limits[0][l], limits[1][l]] = self.limits(square);
        }
        limits.map(|limits| load::<W, L>(lanes, &limits))
    }

    /// The square radius of a lane's ball.
    fn square(&self, lane: usize) -> W::Wide {
        self.balls.own.as_ref().map_or(self.balls.square, |own| own[self.rows[lane].key as usize])
    }

    /// The least square radius of the rows' balls.
    fn least(&self) -> f64 {
        if self.balls.own.is_none() {
            return W::approximate(self.balls.square);
        }
        let least = (0..self.rows.len()).map(|l| self.square(l)).min();
        W::approximate(least.unwrap_or(self.balls.square))
    }

    /// The next leaf on the edge of the balls; boxes outside are dropped, boxes inside summed.
    #[inline(always)]
    fn next_leaf(&mut self, least_square: f64, tally: &mut Tally) -> Option<usize> {
        let tree = self.keys.tree?;
        let [least, most] = self.visible();
        while let Some(node) = self.scratch.open.pop() {
            let node = node as usize;
            let [first, last] = tree.span()[node];
            if tree.weight()[node] == 0 || first >= most {
                continue;
            }
            tally.shared += 1;
            match self.side(&tree.boxes()[node * 2 * self.keys.cloud.d..], least_square) {
                Side::Outside => {}
                Side::Inside if last < least => self.take_whole(node),
                _ if node >= tree.first_leaf() => return Some(node - tree.first_leaf()),
                _ => self.scratch.open.extend([2 * node as u32, 2 * node as u32 + 1]),
            }
        }
        None
    }

    /// The keys that some row sees, from a leaf's first on. Rows that do not see the first key are in the order of
    /// tokens, as keys are.
    fn seen(&self, n: usize) -> std::ops::Range<usize> {
        match self.rows {
            [row, .., last] if row.first > 0 => row.first as usize / LEAF * LEAF..last.visible as usize,
            [row] if row.first > 0 => row.first as usize / LEAF * LEAF..row.visible as usize,
            _ => 0..n,
        }
    }

    /// The ends of the tokens that rows see, the least and the largest.
    fn visible(&self) -> [u32; 2] {
        let all = || self.rows.iter().map(|row| row.visible);
        [all().min().unwrap_or(0), all().max().unwrap_or(0)]
    }

    #[inline(always)]
    fn side(&self, node: &[W], least_square: f64) -> Side {
        let d = self.keys.cloud.d;
        let (mut near, mut far) = (0.0, 0.0);
        for (k, &[centre, half]) in self.scratch.around.iter().enumerate() {
            let extent = half + node[d + k].to_f64();
            let most = (centre - node[k].to_f64()).abs() + extent;
            let least = (most - 2.0 * extent - 4.0 * f64::EPSILON * most).max(0.0);
            near += least * least;
            far += most * most;
        }
        let slack = (-30f64).exp2();
        if near * (1.0 - slack) > W::approximate(self.balls.square) {
            Side::Outside
        } else if far * (1.0 + slack) < least_square {
            Side::Inside
        } else {
            Side::Between
        }
    }

    /// Adds all tokens below a node to every row.
    fn take_whole(&mut self, node: usize) {
        let Some(tree) = self.keys.tree else { return };
        for (sum, &of) in self.scratch.whole.iter_mut().zip(tree.sum(node)) {
            *sum += of;
        }
        self.scratch.count += tree.weight()[node];
    }

    /// Adds the keys of a leaf to the rows that they are near.
    #[inline(always)]
    fn scan<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        first: usize,
        d: usize,
        [low, high]: [&[L::Floats; VECTORS]; 2],
        tally: &mut Tally,
    ) {
        let (cloud, width) = (self.keys.cloud, VECTORS * L::WIDTH);
        let count = LEAF.min(cloud.n - first);
        tally.scores += (count * self.rows.len()) as u64;
        let block = first / BLOCK * BLOCK;
        let floats = &cloud.floats[block * d..][..BLOCK * d];
        let [least, _] = self.visible();
        let most = self.rows.iter().map(|row| row.first).max().unwrap_or(0);
        let mut light = [(0, 0); LEAF];
        let mut length = 0;
        for j in (0..count).step_by(L::KEYS) {
            let squares = squared_distances(lanes, &self.scratch.query, floats, d, first - block + j);
            for (c, squares) in squares[..L::KEYS].iter().enumerate().take(count - j) {
                let mut inside = at_least(lanes, low, squares);
                let mut band = at_least(lanes, high, squares) & !inside;
                if inside | band == 0 {
                    continue;
                }
                let key = first + j + c;
                if band != 0 {
                    tally.redone += u64::from((band & (u64::MAX >> (LANES - self.rows.len()))).count_ones());
                    while band != 0 {
                        let l = band.trailing_zeros() as usize;
                        let square = W::squared_distance(&self.scratch.own, width, l, cloud.row(key));
                        inside |= u64::from(square <= self.square(l.min(self.rows.len() - 1))) << l;
                        band &= band - 1;
                    }
                }
                let token = self.keys.first[key];
                if token >= least || token < most {
                    for (l, row) in self.rows.iter().enumerate() {
                        inside &= !(u64::from(row.visible <= token || token < row.first) << l);
                    }
                }
                if inside == 0 {
                    continue;
                }
                let weight = self.keys.weight[key];
                if weight == 1 {
                    light[length] = (key as u32, inside);
                    length += 1;
                } else {
                    let sum = cloud.row(key).iter().map(|x| x.times(weight));
                    self.scratch.sums.add_whole(inside & (u64::MAX >> (LANES - width)), sum, weight);
                }
            }
        }
        self.scratch.sums.add(lanes, &cloud.x, &light[..length]);
    }

    /// Writes the result: step 4 of the contract.
    #[inline(always)]
    fn finish(&mut self, width: usize, tally: &mut Tally) {
        let d = self.keys.cloud.d;
        let BallScratch { sums, own, .. } = &mut *self.scratch;
        let step = self.balls.step;
        let Moved { x: next, sums: totals, counts: sizes } = sums.moved(own, step.gain);
        for (l, row) in self.rows.iter().enumerate() {
            let to = &mut self.x[l * d..][..d];
            for (k, x) in to.iter_mut().enumerate() {
                *x = next[k * width + l];
            }
            self.count[l] = W::narrow(sizes[l]) as u32;
            if let Some(of) = step.own.as_ref().filter(|_| self.count[l] > 0) {
                let token = self.keys.first[row.key as usize] as usize;
                for (k, x) in to.iter_mut().enumerate() {
                    let (own, sum) = (Integer::to_i64(own[k * width + l]), W::narrow(totals[k * width + l]));
                    *x = W::Int::of(of.moved((token, k), own, (sum, self.count[l]), step.gain));
                }
            }
            let is_moved = (0..d).any(|k| to[k] != own[k * width + l]);
            tally.moved += u64::from(is_moved) * u64::from(self.keys.weight[row.key as usize]);
        }
    }
}
