//! Morton codes of lattice points, as the sort's digits take them.

/// Digits of a code, at most: 128 bits.
const DIGITS: u32 = 16;

/// How bits of coordinates are interleaved, least first: the bits from `skipped` on of each axis in
/// turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MortonCode {
    pub(crate) skipped: u32,
    pub(crate) axes: Vec<u32>,
    pub(crate) digits: u32,
    /// Whether different points have different codes.
    pub(crate) exact: bool,
    /// The least of every coordinate.
    pub(crate) lowest: Vec<i64>,
}

impl MortonCode {
    /// The code of the box of an (n, d) array of points; it holds for as long as they stay inside.
    pub(crate) fn of(points: &[i64], d: usize) -> Self {
        let (mut lowest, mut highest) = (vec![i64::MAX; d], vec![i64::MIN; d]);
        for point in points.chunks_exact(d) {
            for ((low, high), &x) in lowest.iter_mut().zip(&mut highest).zip(point) {
                *low = (*low).min(x);
                *high = (*high).max(x);
            }
        }
        let extent = |k: u32| highest[k as usize] - lowest[k as usize];
        let mut axes: Vec<u32> = (0..d as u32).filter(|&k| extent(k) > 0).collect();
        axes.sort_by_key(|&k| std::cmp::Reverse(extent(k)));
        let needed = axes.first().map_or(0, |&k| 64 - extent(k).leading_zeros());
        let wide = axes.len();
        // At least four bits an axis: fewer say nothing of where a point lies.
        axes.truncate(2 * DIGITS as usize);
        let count = axes.len().max(1) as u32;
        let bits = needed.min(8 * DIGITS / count);
        if axes.is_empty() {
            axes.push(0);
        }
        Self {
            skipped: needed - bits,
            digits: (bits * count).div_ceil(8),
            exact: bits == needed && wide <= axes.len(),
            axes,
            lowest,
        }
    }

    /// The code as the shaders read it, in at most d + 2 words.
    pub(crate) fn words(&self) -> Vec<u32> {
        [&[self.skipped, self.axes.len() as u32], &self.axes[..]].concat()
    }
}
