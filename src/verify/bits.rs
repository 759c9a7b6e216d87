//! Two states side by side: the same bits, the same tokens in another order, or how far apart.

use std::fmt;

use crate::tokens::Tokens;

/// A coordinate in which two states differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The token.
    pub token: usize,
    /// Coordinate of that token.
    pub coordinate: usize,
    /// In the first state.
    pub a: f64,
    /// In the second.
    pub b: f64,
}

impl Difference {
    fn size(&self) -> f64 {
        (self.a - self.b).abs()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} coordinate {}: {:e} against {:e}", self.token, self.coordinate, self.a, self.b)
    }
}

/// Comparison of two states.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// Every bit.
    Equal,
    /// Shape or stored width differ.
    Unlike,
    /// Only the order of the tokens differs.
    Permuted,
    /// Coordinates differ.
    Apart {
        /// Number of coordinates that differ.
        coordinates: usize,
        /// In how many tokens.
        tokens: usize,
        /// The first of them.
        first: Difference,
        /// The largest.
        largest: Difference,
    },
}

/// Compares two states bit by bit. 0 and −0 are one, as in [`Tokens::hash`]: the lattice has one
/// zero.
pub fn compare(a: &Tokens, b: &Tokens) -> Comparison {
    if (a.n(), a.d(), a.precision()) != (b.n(), b.d(), b.precision()) {
        return Comparison::Unlike;
    }
    let (n, d) = (a.n(), a.d());
    let bits = |x: f64| (x + 0.0).to_bits();
    let row = |tokens: &Tokens, i: usize| -> Vec<u64> { (0..d).map(|k| bits(tokens.get(i, k))).collect() };
    let (mut coordinates, mut tokens) = (0, 0);
    let mut ends: Option<(Difference, Difference)> = None;
    for i in 0..n {
        let before = coordinates;
        for k in 0..d {
            let here = Difference { token: i, coordinate: k, a: a.get(i, k), b: b.get(i, k) };
            if bits(here.a) != bits(here.b) {
                coordinates += 1;
                let (first, largest) = ends.unwrap_or((here, here));
                ends = Some((first, if here.size() > largest.size() { here } else { largest }));
            }
        }
        tokens += usize::from(coordinates > before);
    }
    let Some((first, largest)) = ends else { return Comparison::Equal };
    let sorted = |tokens: &Tokens| {
        let mut rows: Vec<Vec<u64>> = (0..n).map(|i| row(tokens, i)).collect();
        rows.sort_unstable();
        rows
    };
    if sorted(a) == sorted(b) {
        Comparison::Permuted
    } else {
        Comparison::Apart { coordinates, tokens, first, largest }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal => write!(f, "the same bits"),
            Self::Unlike => write!(f, "another shape or width"),
            Self::Permuted => write!(f, "the same tokens in another order"),
            Self::Apart { coordinates, tokens, first, largest } => write!(
                f,
                "{coordinates} coordinates of {tokens} tokens differ; the first is {first}; the largest difference, {:e}, is {largest}",
                largest.size()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Coordinates;

    fn cloud(values: &[f64]) -> Tokens {
        Tokens::from_flat(values.len() / 2, 2, values.to_vec()).expect("a cloud")
    }

    /// A comparison that missed a bit would let two different trajectories pass for one.
    #[test]
    fn every_bit_counts() {
        let a = cloud(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(compare(&a, &a), Comparison::Equal);
        assert_eq!(compare(&a, &cloud(&[3.0, 4.0, 1.0, 2.0])), Comparison::Permuted);
        let zeros = (cloud(&[0.0, 1.0]), cloud(&[-0.0, 1.0]));
        assert_eq!(compare(&zeros.0, &zeros.1), Comparison::Equal);
        assert_eq!(zeros.0.hash(), zeros.1.hash());
        let Comparison::Apart { coordinates, tokens, first, largest } =
            compare(&a, &cloud(&[1.0, 2.0_f64.next_up(), 3.5, 4.25]))
        else {
            panic!("three coordinates differ")
        };
        assert_eq!((coordinates, tokens), (3, 2));
        assert_eq!((first.token, first.coordinate, largest.token, largest.coordinate), (0, 1, 1, 0));
    }

    /// The first and the largest are each the earliest of their kind, and a token that is the same
    /// is not counted.
    #[test]
    fn differences_are_told_by_their_places() {
        let a = cloud(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let apart = compare(&a, &cloud(&[1.0, 2.5, 3.0, 4.0, 4.5, 6.25]));
        assert_eq!(
            apart.to_string(),
            "3 coordinates of 2 tokens differ; the first is token 0 coordinate 1: 2e0 against 2.5e0; \
             the largest difference, 5e-1, is token 0 coordinate 1: 2e0 against 2.5e0"
        );
        assert_eq!(Comparison::Equal.to_string(), "the same bits");
        assert_eq!(Comparison::Unlike.to_string(), "another shape or width");
        assert_eq!(Comparison::Permuted.to_string(), "the same tokens in another order");
    }

    /// An f32 file and an f64 file hold different states even where the numbers are the same.
    #[test]
    fn widths_and_shapes_count() {
        let a = cloud(&[1.0, 2.0]);
        let narrow = Tokens::from_flat(1, 2, Coordinates::F32(vec![1.0, 2.0])).expect("a cloud");
        assert_eq!(compare(&a, &narrow), Comparison::Unlike);
        assert_eq!(compare(&a, &cloud(&[1.0, 2.0, 1.0, 2.0])), Comparison::Unlike);
    }
}
