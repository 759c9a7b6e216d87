//! Orders of rows in which near rows come near, and equal rows side by side.
//!
//! The Morton code of a row interleaves the leading bits of its coordinates, 63 in all. Where many
//! rows share a code, they are ordered among themselves by codes that are as fine as their own box
//! allows, and so on: tight clusters in a wide cloud are ordered as well as the cloud. Few rows of
//! one code are ordered coordinate by coordinate.

use rayon::prelude::*;

use super::coordinate::Coordinate;

/// The rule that rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Rows close in space have indices close together.
    Space,
    /// Descending norm.
    Norm,
}

/// Number of rows up to which they are compared outright, not coded once more.
const FEW: usize = 64;

/// Number of codings within one another, at most.
const DEPTH: usize = 40;

/// Number of bits of a code.
const BITS: usize = 63;

/// A permutation that puts the rows of an (n, d) lattice array in order; equal rows are neighbours.
///
/// # Panics
/// More than 2^32 − 1 rows.
pub fn order<I: Coordinate>(rows: &[I], d: usize, order: Order) -> Vec<u32> {
    let n = u32::try_from(rows.len() / d).expect("rows are counted in 32 bits");
    let mut coded: Vec<(u64, u32)> = (0..n).map(|i| (0, i)).collect();
    match order {
        Order::Space => in_space(rows, d, &mut coded, 0),
        Order::Norm => {
            coded.par_iter_mut().for_each(|(code, i)| *code = !norm(row(rows, d, *i)).to_bits());
            sort(&mut coded);
            let runs = coded.par_chunk_by_mut(|a, b| a.0 == b.0);
            runs.filter(|run| run.len() > 1).for_each(|run| lexicographically(rows, d, run));
        }
    }
    coded.into_par_iter().map(|(_, i)| i).collect()
}

fn row<I>(rows: &[I], d: usize, i: u32) -> &[I] {
    &rows[i as usize * d..][..d]
}

/// |x|, to a few roundings; equal for equal rows.
fn norm<I: Coordinate>(row: &[I]) -> f64 {
    row.iter().map(|x| (x.to_i64() as f64).powi(2)).sum::<f64>().sqrt()
}

fn lexicographically<I: Coordinate>(rows: &[I], d: usize, some: &mut [(u64, u32)]) {
    // Equal rows by their indices: no other order is the same on any number of threads.
    let by_row = |a: &(u64, u32), b: &(u64, u32)| row(rows, d, a.1).cmp(row(rows, d, b.1)).then(a.1.cmp(&b.1));
    if some.len() > FEW { some.par_sort_unstable_by(by_row) } else { some.sort_unstable_by(by_row) }
}

fn in_space<I: Coordinate>(rows: &[I], d: usize, some: &mut [(u64, u32)], depth: usize) {
    if some.len() < 2 {
        return;
    }
    if (some.len() <= FEW && depth > 0) || depth == DEPTH {
        return lexicographically(rows, d, some);
    }
    let Some(coding) = Coding::of(rows, d, some) else { return };
    some.par_iter_mut().with_min_len(1024).for_each(|(code, i)| *code = coding.code(row(rows, d, *i)));
    sort(some);
    if !coding.is_exact {
        let runs = some.par_chunk_by_mut(|a, b| a.0 == b.0);
        runs.filter(|run| run.len() > 1).for_each(|run| in_space(rows, d, run, depth + 1));
    }
}

/// Number of leading bits that choose a bucket; number of rows up to which there are none.
const DIGIT: u32 = 11;
const BUCKETED: usize = 1 << 12;

/// Sorts by code, ties in any order: into buckets by the leading bits, then within every bucket.
fn sort(coded: &mut [(u64, u32)]) {
    let mut scratch = vec![(0, 0); if coded.len() > BUCKETED { coded.len() } else { 0 }];
    let widest = coded.par_iter().map(|(code, _)| *code).max().unwrap_or(0);
    sort_below(coded, &mut scratch, 64 - widest.leading_zeros());
}

/// Sorts by code where all codes are equal from bit `bits` on.
fn sort_below(coded: &mut [(u64, u32)], scratch: &mut [(u64, u32)], bits: u32) {
    if coded.len() <= BUCKETED || bits == 0 {
        return coded.sort_unstable_by_key(|&(code, _)| code);
    }
    let shift = bits.saturating_sub(DIGIT);
    let bucket = |code: u64| (code >> shift) as usize & ((1 << DIGIT) - 1);
    // Each part of the rows is bucketed by itself, then each bucket collects its pieces of all
    // parts.
    let part = coded.len().div_ceil(4 * rayon::current_num_threads()).max(BUCKETED);
    let parts: Vec<_> = coded
        .par_chunks(part)
        .zip(scratch.par_chunks_mut(part))
        .map(|(from, to)| {
            let mut ends = vec![0; (1 << DIGIT) + 1];
            for &(code, _) in from {
                ends[bucket(code) + 1] += 1;
            }
            (0..1 << DIGIT).for_each(|b| ends[b + 1] += ends[b]);
            let mut next = ends.clone();
            for &row in from {
                let place = &mut next[bucket(row.0)];
                to[*place] = row;
                *place += 1;
            }
            (&*to, ends) // rows by bucket, and where each ends
        })
        .collect();
    let mut rest = coded;
    let mut buckets = Vec::with_capacity(1 << DIGIT);
    for b in 0..1 << DIGIT {
        let size = parts.iter().map(|(_, ends)| ends[b + 1] - ends[b]).sum();
        let (bucket, others) = rest.split_at_mut(size);
        buckets.push(bucket);
        rest = others;
    }
    buckets.into_par_iter().enumerate().with_min_len(16).for_each(|(b, bucket)| {
        let mut at = 0;
        for (rows, ends) in &parts {
            let piece = &rows[ends[b]..ends[b + 1]];
            bucket[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        let mut scratch = vec![(0, 0); if bucket.len() > BUCKETED { bucket.len() } else { 0 }];
        sort_below(bucket, &mut scratch, shift);
    });
}

/// The map from rows inside one box to their Morton codes.
struct Coding {
    /// The coordinates that are coded, with the least value of each.
    low: Vec<(usize, i64)>,
    /// Number of bits dropped from each coordinate.
    shift: u32,
    /// Number of bytes kept of each coordinate.
    bytes: usize,
    /// For every byte, its bits moved apart by the number of coordinates.
    spread: Box<[u64; 256]>,
    /// Whether equal codes mean equal rows.
    is_exact: bool,
}

impl Coding {
    /// Chooses the finest codes of 63 bits in the box of these rows; `None` if they are all equal.
    fn of<I: Coordinate>(rows: &[I], d: usize, some: &[(u64, u32)]) -> Option<Self> {
        let none = || (vec![i64::MAX; d], vec![i64::MIN; d]);
        let (low, high) = some
            .par_chunks(1 << 14)
            .map(|some| {
                let (mut low, mut high) = none();
                for &(_, i) in some {
                    for ((low, high), x) in low.iter_mut().zip(&mut high).zip(row(rows, d, i)) {
                        *low = (*low).min(x.to_i64());
                        *high = (*high).max(x.to_i64());
                    }
                }
                (low, high)
            })
            .reduce(none, |mut a, b| {
                a.0.iter_mut().zip(b.0).for_each(|(a, b)| *a = (*a).min(b));
                a.1.iter_mut().zip(b.1).for_each(|(a, b)| *a = (*a).max(b));
                a
            });
        let extent = |k: usize| high[k] - low[k];
        let mut axes: Vec<usize> = (0..d).filter(|&k| extent(k) > 0).collect();
        axes.sort_by_key(|&k| std::cmp::Reverse(extent(k)));
        let wide = axes.len();
        axes.truncate(BITS);
        let needed = 64 - extent(*axes.first()?).leading_zeros();
        let bits = (BITS / axes.len()) as u32;
        let stride = axes.len() as u32;
        let mut spread = Box::new([0u64; 256]);
        for (byte, spread) in spread.iter_mut().enumerate() {
            *spread = (0..8).filter(|b| byte >> b & 1 == 1 && b * stride < 64).map(|b| 1u64 << (b * stride)).sum();
        }
        Some(Self {
            low: axes.iter().map(|&k| (k, low[k])).collect(),
            shift: needed.saturating_sub(bits),
            bytes: bits.min(needed).div_ceil(8) as usize,
            spread,
            is_exact: needed <= bits && wide == axes.len(),
        })
    }

    fn code<I: Coordinate>(&self, row: &[I]) -> u64 {
        let stride = self.low.len();
        let mut code = 0;
        for (place, &(k, low)) in self.low.iter().enumerate() {
            let x = ((row[k].to_i64() - low) as u64) >> self.shift;
            for byte in 0..self.bytes {
                code |= self.spread[(x >> (8 * byte) & 255) as usize] << (8 * byte * stride + place);
            }
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn permutation(order: &[u32]) -> bool {
        let mut seen = vec![false; order.len()];
        order.iter().all(|&i| !std::mem::replace(&mut seen[i as usize], true))
    }

    proptest! {
        /// If equal rows were not neighbours they would not be merged, and late steps would stay
        /// dear; if the order were no permutation, tokens would be lost.
        #[test]
        fn equal_rows_are_neighbours(
            d in 1usize..70, n in 0usize..300, few in 1i64..40, scale in 0u32..48, seed in any::<u64>(), by_norm in any::<bool>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as i64
            };
            let kinds: Vec<Vec<i64>> = (0..few).map(|_| (0..d).map(|_| (next() % 15 - 7) << (next() as u32 % (scale + 1))).collect()).collect();
            let rows: Vec<i64> = (0..n).flat_map(|_| kinds[next() as usize % kinds.len()].clone()).collect();
            let permuted = order(&rows, d, if by_norm { Order::Norm } else { Order::Space });
            prop_assert!(permutation(&permuted) && permuted.len() == n);
            let distinct: std::collections::HashSet<&[i64]> = rows.chunks(d).collect();
            let runs = permuted.chunk_by(|&a, &b| row(&rows, d, a) == row(&rows, d, b)).count();
            prop_assert_eq!(runs, distinct.len());
        }

        /// The norm order's stop rests on this.
        #[test]
        fn norms_descend(rows in proptest::collection::vec(-1000i32..1000, 0..90)) {
            let rows = &rows[..rows.len() / 3 * 3];
            let norms: Vec<f64> = order(rows, 3, Order::Norm).iter().map(|&i| norm(row(rows, 3, i))).collect();
            prop_assert!(norms.is_sorted_by(|a, b| a >= b));
        }
    }

    /// Tight clusters far apart are where a code of fixed cells says nothing: neighbours in order
    /// must be neighbours in space there too, or every strip in a cluster would be searched key by
    /// key.
    #[test]
    fn clusters_are_ordered_inside() {
        let side = 32;
        let rows: Vec<i64> = (0..2 * side * side)
            .flat_map(|i| [(i % 2) << 50, (i / 2 * 7919 % side * side) % side, i / 2 / side])
            .collect();
        let order = order(&rows, 3, Order::Space);
        let far = order.windows(2).filter(|w| {
            let (a, b) = (row(&rows, 3, w[0]), row(&rows, 3, w[1]));
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<i64>() > side
        });
        assert!(far.count() < 10);
    }
}
