//! Cells of directions: a grid of squares on every face of the cube, of segments on every side of
//! the square.
//!
//! A direction q ≠ 0 with |q|_inf = ρ = |q_a| meets the face of axis a and of the sign of q_a in the
//! point q/ρ. With `side` cells along each axis of a face, cell i holds the coordinates from
//! (2i − side)/side to (2i + 2 − side)/side. Corners are scaled by `side`, so they are integers, and
//! q·side/ρ is a mean of the corners of its cell.
#![allow(clippy::inline_always)] // places belong into the function of their instruction set

/// A direction that is so far from a border of cells, in cells, is in the cell where floats of 32 bits find it.
const CLOSE: f32 = 1.0 / (1 << 14) as f32;
const SHIFT: f32 = 1.5 * (1 << 23) as f32;

/// The grid of `side` cells along each axis of a face, in D dimensions.
#[derive(Clone, Copy)]
pub(super) struct Cells<const D: usize> {
    pub(super) side: i64,
}

/// One cell: its face, and its place along the two axes of it (the second is 0 at D = 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) face: usize,
    pub(super) at: [i64; 2],
}

impl<const D: usize> Cells<D> {
    /// Number of cells.
    pub(super) fn count(self) -> usize {
        2 * D * (self.side as usize).pow(D as u32 - 1)
    }

    /// The index of a cell.
    pub(super) fn index(self, cell: Cell) -> usize {
        (0..D - 1).fold(cell.face, |index, s| index * self.side as usize + cell.at[s] as usize)
    }

    /// The cell with an index.
    pub(super) fn cell(self, index: usize) -> Cell {
        let side = self.side as usize;
        let (mut at, mut rest) = ([0; 2], index);
        for s in (0..D - 1).rev() {
            at[s] = (rest % side) as i64;
            rest /= side;
        }
        Cell { face: rest, at }
    }

    /// The axis of a face, and its coordinate in corners.
    fn face(self, face: usize) -> (usize, i64) {
        (face / 2, if face.is_multiple_of(2) { self.side } else { -self.side })
    }

    /// A corner of a cell, by the step along each axis of its face.
    pub(super) fn corner(self, cell: Cell, step: [i64; 2]) -> [i64; D] {
        let (axis, height) = self.face(cell.face);
        let mut corner = [0; D];
        corner[axis] = height;
        for s in 0..D - 1 {
            corner[(axis + 1 + s) % D] = 2 * (cell.at[s] + step[s]) - self.side;
        }
        corner
    }

    /// The largest product of x with a corner of a cell.
    #[inline]
    pub(super) fn highest(self, cell: Cell, x: [i64; D]) -> i64 {
        let (axis, height) = self.face(cell.face);
        (0..D - 1).fold(height * x[axis], |sum, s| {
            let (low, x) = (2 * cell.at[s] - self.side, x[(axis + 1 + s) % D]);
            sum + low * x + (2 * x).max(0)
        })
    }

    /// The face that the direction of q meets, |q|_inf, and q from the axis of the face on.
    #[inline(always)]
    pub(super) fn turned(q: [i64; D]) -> (i64, i64, [i64; D]) {
        // Selections in place of indices, so that vectors do it.
        let (mut face, mut size, mut turned) = (i64::from(q[0] < 0), q[0].abs(), q);
        for axis in 1..D {
            let is_larger = q[axis].abs() > size;
            face = if is_larger { 2 * axis as i64 + i64::from(q[axis] < 0) } else { face };
            size = size.max(q[axis].abs());
            for s in 1..D {
                turned[s] = if is_larger { q[(axis + s) % D] } else { turned[s] };
            }
        }
        (face, size, turned)
    }

    /// The index of a cell that holds the direction of q, and |q|_inf; any cell if that is 0.
    ///
    /// The float quotient is off by far less than a cell. Borders are compared in integers where it
    /// can be on the wrong side: fractions below 2^40 differ from borders by 2^-47 or nothing.
    #[inline(always)]
    pub(super) fn place(self, q: [i64; D]) -> (usize, i64) {
        let (face, size, turned) = Self::turned(q);
        let (scale, half) = (1.0 / size as f64, self.side as f64 / 2.0);
        let index = turned[1..].iter().fold(face, |index, &x| {
            let guess = ((x as f64 * scale + 1.0) * half) as i64;
            let mut at = guess.clamp(0, self.side - 1);
            if size >= 1 << 40 {
                let low = (2 * at - self.side) * size;
                at += i64::from(self.side * x > low + 2 * size) - i64::from(self.side * x < low);
            }
            index * self.side + at
        });
        (index as usize, size)
    }

    /// The indices of the cells that hold the directions of some queries, whose coordinates are given to the nearest
    /// float; where the floats leave two cells open, `place` says which. So it does where q = 0.
    #[inline(always)]
    pub(super) fn places<const N: usize>(self, q: &[[f32; N]; D], place: impl Fn(usize) -> u32) -> [u32; N] {
        debug_assert!(self.side <= 128, "the bound below is for half a side of 64");
        let (mut found, mut apart, mut is_open) = ([0; N], [0.0; N], false);
        for at in 0..N {
            (found[at], apart[at]) = self.near(std::array::from_fn(|k| q[k][at]));
        }
        // A distance that is no number is open.
        let is_sure = |apart: f32| apart >= CLOSE;
        (0..N).for_each(|at| is_open |= !is_sure(apart[at]));
        for at in (0..N).filter(|_| is_open) {
            found[at] = if is_sure(apart[at]) { found[at] } else { place(at) };
        }
        found
    }

    /// The cell of a query, in floats, and how far, in cells, it is from a border of that.
    ///
    /// With η = 2^-24 a coordinate is off by η of itself, and so is each rounding below. x/size is off by less than 4.01η
    /// then, and after the sum, which is at most 2, by less than 6.1η; times half a side, at most 64, that is below 2^-15.
    /// So a place that is 2^-14 ([`CLOSE`]) from a border is in its cell. Where two coordinates are equal as floats
    /// and the larger one is not seen, the place is as near to a border.
    #[inline(always)]
    fn near(self, q: [f32; D]) -> (u32, f32) {
        // Selections in place of indices, so that vectors do it.
        let (mut face, mut size, mut turned) = (u32::from(q[0] < 0.0), q[0].abs(), q);
        for axis in 1..D {
            let (is_larger, here) = (q[axis].abs() > size, 2 * axis as u32 + u32::from(q[axis] < 0.0));
            face = if is_larger { here } else { face };
            size = if is_larger { q[axis].abs() } else { size };
            for s in 1..D {
                turned[s] = if is_larger { q[(axis + s) % D] } else { turned[s] };
            }
        }
        let (scale, half) = (1.0 / size, self.side as f32 / 2.0);
        turned[1..].iter().fold((face, f32::INFINITY), |(index, least), x| {
            let along = (x * scale + 1.0) * half;
            // Adding SHIFT rounds to an integer, which the low bits of the sum then hold.
            let sum = along + SHIFT;
            let (border, apart) = (sum - SHIFT, (along - (sum - SHIFT)).abs());
            let at = sum.to_bits().wrapping_sub(SHIFT.to_bits()).wrapping_sub(u32::from(along < border));
            (index.wrapping_mul(self.side as u32).wrapping_add(at), if least < apart { least } else { apart })
        })
    }
    /// The index of a cell, of `side` along each axis, that holds the direction of a query of integers below 2^40 as
    /// floats; any cell if that is 0. Everything is a float, so that vectors do it.
    #[inline(always)]
    pub(super) fn place_of_floats(side: f64, q: [f64; D]) -> f64 {
        let (mut face, mut size, mut turned) = (if q[0] < 0.0 { 1.0 } else { 0.0 }, q[0].abs(), q);
        for axis in 1..D {
            let (is_larger, up) = (q[axis].abs() > size, 2.0 * axis as f64);
            let here = if q[axis] < 0.0 { up + 1.0 } else { up };
            face = if is_larger { here } else { face };
            size = if is_larger { q[axis].abs() } else { size };
            for s in 1..D {
                turned[s] = if is_larger { q[(axis + s) % D] } else { turned[s] };
            }
        }
        let (scale, half) = (1.0 / if size > 0.0 { size } else { 1.0 }, side / 2.0);
        turned[1..].iter().fold(face, |index, x| {
            let at = ((x * scale + 1.0) * half).floor();
            let at = if at > side - 1.0 { side - 1.0 } else { at };
            index * side + if at > 0.0 { at } else { 0.0 }
        })
    }
}

/// The integer that a float below 2^51 is.
#[inline(always)]
pub(super) fn integer(x: f64) -> i64 {
    // Adding SHIFT leaves it in the low bits.
    const SHIFT: f64 = 1.5 * (1u64 << 52) as f64;
    (x + SHIFT).to_bits() as i64 - SHIFT.to_bits() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds<const D: usize>(side: i64, q: [i64; D]) {
        let cells = Cells::<D> { side };
        let (index, size) = cells.place(q);
        let cell = cells.cell(index);
        if size < 1 << 40 {
            let q = q.map(|x| x as f64);
            assert_eq!(Cells::<D>::place_of_floats(side as f64, q), index as f64);
        }
        if size < 1 << 26 {
            let found = cells.places(&q.map(|x| [x as f32]), |_| index as u32);
            assert_eq!(found, [index as u32], "{q:?}");
            let (_, apart) = cells.near(q.map(|x| x as f32));
            let is_close = |x: &i64| {
                let along = (*x as f64 / size as f64 + 1.0) * side as f64 / 2.0;
                (along - along.round()).abs() < 1.0 / 1024.0
            };
            let (_, _, turned) = Cells::<D>::turned(q);
            assert!(apart >= CLOSE || turned[1..].iter().any(is_close), "{q:?} is left open {apart} from a border");
        }
        assert_eq!((cells.index(cell), size), (index, q.iter().map(|x| x.abs()).max().unwrap()));
        let (low, high) = (cells.corner(cell, [0, 0]), cells.corner(cell, [1, 1]));
        for k in 0..D {
            let x = i128::from(side) * i128::from(q[k]);
            let [low, high] = [low[k], high[k]].map(|c| i128::from(c) * i128::from(size));
            assert!(low <= x && x <= high, "{q:?} of {size} outside cell {cell:?}");
        }
    }

    proptest! {
        /// A query in a cell that does not hold its direction would be given the keys of other
        /// directions. Queries on borders are drawn too.
        #[test]
        fn a_direction_lies_in_its_cell(
            q in proptest::array::uniform3(-(1i64 << 53)..=1 << 53), shift in 0u32..53,
            border in 0i64..=64, side in proptest::sample::select(vec![1i64, 8, 16, 64, 128]), nudge in -1i64..=1,
        ) {
            let q = q.map(|x| x >> shift);
            let size = q[0] >> 6 << 5;
            for q in [q, [size, (2 * border - 64) * (size >> 6) + nudge, q[2] % (size.abs() + 1)]] {
                if q != [0; 3] {
                    holds(side, q);
                }
                if q[..2] != [0; 2] {
                    holds(side, [q[0], q[1]]);
                }
            }
        }
    }
}
