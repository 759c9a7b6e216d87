//! The support function of the cloud's hull, `h_u(t) = max_i <u, x_i(t)>`, in fixed directions u:
//! `±e_k`, then seeded random unit vectors.
//!
//! conv X(t+1) ⊂ conv X(t) (arXiv 2509.15958, section 3) says that h_u never rises, for any u.
//! [`SupportLedger`] holds a run to it: the largest rise of any h_u above its own lowest value
//! before, in units in the last place of the radius.
//!
//! A value is rounded once: candidates are found in plain f64 and summed again in twice the
//! precision, so that the rounding of sums is not taken for a rise.

use rayon::prelude::*;

use super::points::Points;
use crate::num::{self, dot, dot_exactly, norm};
use crate::rng::Stream;
use crate::tokens::Precision;

/// Number of points that share one maximum.
const CHUNK: usize = 1024;
/// Number of directions computed at once.
const WIDE: usize = 8;

/// Directions of R^d: `+e_0, −e_0, +e_1, …`, then random unit vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Directions {
    d: usize,
    /// Random directions, row-major.
    random: Vec<f64>,
}

/// h_u, and the token that attains it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// h_u, in the points' unit (u has length 1).
    pub value: f64,
    /// The lowest index that attains h_u, as far as twice the precision tells.
    pub token: u32,
}

impl Directions {
    /// Makes the 2d axis directions and `random` more, uniform on the sphere, from `seed`.
    pub fn new(d: usize, random: usize, seed: u64) -> Self {
        let mut vectors = Vec::with_capacity(random * d);
        for index in 0..random {
            let mut stream = Stream::new(seed, "directions", index as u64);
            let vector: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
            let length = norm(&vector);
            // A draw of length 0 has probability 0.
            vectors.extend(vector.iter().map(|x| x / length.max(f64::MIN_POSITIVE)));
        }
        Self { d, random: vectors }
    }

    /// Number of directions: 2d + `random`.
    pub fn len(&self) -> usize {
        2 * self.d + self.random.len() / self.d
    }

    /// Always false: d is at least 1.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Direction j, a unit vector.
    pub fn vector(&self, j: usize) -> Vec<f64> {
        if j < 2 * self.d {
            let mut axis = vec![0.0; self.d];
            axis[j / 2] = if j.is_multiple_of(2) { 1.0 } else { -1.0 };
            return axis;
        }
        self.random(j).to_vec()
    }

    fn random(&self, j: usize) -> &[f64] {
        &self.random[(j - 2 * self.d) * self.d..][..self.d]
    }

    /// h_u of the points in every direction; O(n·d·[`Directions::len`]) at most.
    ///
    /// <u, x> <= |x|, so a point whose length is less than every h_u is nowhere extreme. The h_u of some of
    /// the points are lower bounds of those of all.
    pub fn support(&self, points: &Points) -> Vec<Support> {
        let (d, count) = (self.d, self.len() - 2 * self.d);
        let padded = count.div_ceil(WIDE) * WIDE;
        // [block of directions][coordinate][direction]
        let mut transposed = vec![0.0; padded * d];
        for j in 0..count {
            for k in 0..d {
                transposed[(j / WIDE * d + k) * WIDE + j % WIDE] = self.random[j * d + k];
            }
        }
        // Σ|u_k x_k| <= √d·max|x|; either sum strays by less than (d + 2) roundings of it.
        let error = (d + 2) as f64 * f64::EPSILON * (d as f64).sqrt() * points.largest_magnitude();
        // Maxima of some points: those of ±x_k, then those of the random directions.
        let maxima = |rows: &[f64], shorter: f64| {
            let mut best = vec![f64::NEG_INFINITY; 2 * d + padded];
            let (axes, random) = best.split_at_mut(2 * d);
            for row in rows.chunks_exact(d).filter(|row| dot(row, row) >= shorter) {
                for (k, &x) in row.iter().enumerate() {
                    axes[2 * k] = larger(axes[2 * k], x);
                    axes[2 * k + 1] = larger(axes[2 * k + 1], -x);
                }
                for (best, vectors) in random.chunks_exact_mut(WIDE).zip(transposed.chunks_exact(WIDE * d)) {
                    let mut sums = [0.0; WIDE];
                    for (&x, vector) in row.iter().zip(vectors.chunks_exact(WIDE)) {
                        for (sum, u) in sums.iter_mut().zip(vector) {
                            *sum += x * u;
                        }
                    }
                    for (best, sum) in best.iter_mut().zip(sums) {
                        *best = larger(*best, sum);
                    }
                }
            }
            best
        };
        let some: Vec<u32> = num::evenly(points.n(), CHUNK).map(|i| i as u32).collect();
        let some = maxima(points.select(&some).coordinates(), 0.0);
        let least = some[..self.len()].iter().copied().fold(f64::INFINITY, f64::min);
        // Candidates reach h_u − 4·error. Their sums, their squares and the length of u stray by an
        // error each at most, where nothing overflows or loses digits near 0.
        let shorter = (least - 16.0 * error).max(0.0).powi(2);
        let shorter = if (1e-290..1e290).contains(&shorter) { shorter } else { 0.0 };
        let maxima: Vec<Vec<f64>> =
            points.coordinates().par_chunks(CHUNK * d).map(|rows| maxima(rows, shorter)).collect();
        let one = |j: usize| {
            let largest = maxima.iter().fold(f64::NEG_INFINITY, |m, chunk| larger(m, chunk[j]));
            let slack = if j < 2 * d { 0.0 } else { 2.0 * error };
            let mut best = Support { value: f64::NEG_INFINITY, token: 0 };
            for (at, _) in maxima.iter().enumerate().filter(|(_, chunk)| chunk[j] >= largest - slack) {
                for i in at * CHUNK..((at + 1) * CHUNK).min(points.n()) {
                    let row = points.row(i);
                    let (plain, value) = if j < 2 * d {
                        let x = if j.is_multiple_of(2) { row[j / 2] } else { -row[j / 2] };
                        (x, x)
                    } else {
                        let plain = dot(self.random(j), row);
                        // The sums above and this one may differ by their order.
                        if plain < largest - 2.0 * slack {
                            continue;
                        }
                        (plain, dot_exactly(self.random(j), row))
                    };
                    if plain >= largest - 2.0 * slack && value > best.value {
                        best = Support { value, token: i as u32 };
                    }
                }
            }
            Support { value: best.value + 0.0, ..best }
        };
        (0..self.len()).into_par_iter().map(one).collect()
    }
}

fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// A rise of a support function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// The height of the rise, in units in the last place of the radius.
    pub ulps: f64,
    /// The direction's number in its [`Directions`].
    pub direction: usize,
    /// The step whose state rose.
    pub step: u64,
}

/// Monotone ledger of support functions: lowest values so far, and the largest rise above them.
///
/// A pure function of the values recorded, so that a ledger is rebuilt by recording them again.
#[derive(Clone, Debug, PartialEq)]
pub struct SupportLedger {
    ulp: f64,
    lowest: Vec<f64>,
    largest: Option<Rise>,
}

impl SupportLedger {
    /// Starts a ledger in units in the last place, at the stored precision, of `radius`: the
    /// largest magnitude of a coordinate of the first state ([`Points::largest_magnitude`]).
    pub fn new(radius: f64, precision: Precision) -> Self {
        let ulp = match precision {
            Precision::F32 => f64::from((radius as f32).next_up()) - f64::from(radius as f32),
            Precision::F64 => radius.next_up() - radius,
        };
        Self { ulp, lowest: Vec::new(), largest: None }
    }

    /// One unit in the last place of the radius, in the tokens' unit.
    pub fn ulp(&self) -> f64 {
        self.ulp
    }

    /// Records h_u of a later state, in the order of [`Directions`]; the largest rise of this state
    /// above the lowest values before it, in ulps, 0 if none.
    pub fn record(&mut self, step: u64, values: &[f64]) -> f64 {
        if self.lowest.is_empty() {
            self.lowest = values.to_vec();
        }
        let mut here = 0.0;
        for (direction, (lowest, &value)) in self.lowest.iter_mut().zip(values).enumerate() {
            let ulps = (value - *lowest) / self.ulp;
            if ulps > here {
                here = ulps;
                if self.largest.is_none_or(|rise| ulps > rise.ulps) {
                    self.largest = Some(Rise { ulps, direction, step });
                }
            }
            *lowest = lowest.min(value);
        }
        here
    }

    /// The largest rise ever; `None` while nothing has risen.
    pub fn largest(&self) -> Option<Rise> {
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// If a maximum were missed, a hull that grows would pass for one that shrinks.
        #[test]
        fn support_is_the_plain_maximum(
            d in 1usize..6, random in 0usize..20, seed in any::<u64>(), n in 1usize..2500, scale in -600i32..600,
            on_sphere in any::<bool>(),
        ) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let mut x: Vec<f64> = (0..n * d).map(|_| stream.uniform() - 0.5).collect();
            if on_sphere {
                // All are as long as the longest, but for rounding.
                for row in x.chunks_exact_mut(d) {
                    let length = norm(row).max(1e-300);
                    for x in row {
                        *x /= length;
                    }
                }
            }
            for x in &mut x {
                *x = num::scale(*x, scale);
            }
            let points = Points::new(d, x).unwrap();
            let directions = Directions::new(d, random, seed);
            for (j, support) in directions.support(&points).iter().enumerate() {
                let u = directions.vector(j);
                let exact = points.rows().map(|row| dot_exactly(&u, row)).fold(f64::NEG_INFINITY, f64::max);
                prop_assert_eq!(support.value, exact);
                prop_assert_eq!(dot_exactly(&u, points.row(support.token as usize)), exact);
                prop_assert!((dot(&u, &u) - 1.0).abs() < 1e-14);
            }
        }
    }

    /// A ledger that forgot its lowest values would miss a slow climb.
    #[test]
    fn rises_count_from_the_lowest_value() {
        let mut ledger = SupportLedger::new(1.5, Precision::F32);
        assert_eq!(ledger.ulp(), f64::from(f32::EPSILON));
        let u = ledger.ulp();
        assert_eq!(ledger.record(0, &[1.0, 1.0]), 0.0);
        assert_eq!(ledger.record(1, &[0.5, 1.0 + u]), 1.0);
        assert_eq!(ledger.record(2, &[0.5 + u, 1.0 + 2.0 * u]), 2.0);
        assert_eq!(ledger.record(3, &[0.5 + 3.0 * u, 0.0]), 3.0);
        assert_eq!(ledger.record(4, &[0.5, 0.0]), 0.0);
        assert_eq!(ledger.largest(), Some(Rise { ulps: 3.0, direction: 0, step: 3 }));
    }

    /// One token, or a cloud at the origin, has a support function too.
    #[test]
    fn small_clouds() {
        let directions = Directions::new(2, 3, 1);
        let at_zero = directions.support(&Points::new(2, vec![0.0, -0.0]).unwrap());
        assert!(at_zero.iter().all(|s| s.value == 0.0 && s.token == 0));
        let mut ledger = SupportLedger::new(0.0, Precision::F64);
        let values: Vec<f64> = at_zero.iter().map(|s| s.value).collect();
        assert_eq!((ledger.record(0, &values), ledger.record(1, &values)), (0.0, 0.0));
        assert!(ledger.largest().is_none());
    }
}
