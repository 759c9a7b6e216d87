//! Initial tokens: samples of n tokens in R^d from a seed, the same bits on every platform.
//!
//! Token i draws from a stream of its own, so it does not depend on n (the regular kinds, `polygon`
//! and `grid`, draw nothing and are laid out for their n). In the table s is the scale, `e_1` the
//! first axis.
//!
//! | kind | token i |
//! |---|---|
//! | `normal` | s·N(0, I) |
//! | `ball` | uniform in the ball of radius s |
//! | `cube` | uniform in [−s, s)^d |
//! | `sphere` | uniform on the sphere of radius s |
//! | `circle` | uniform on the circle of radius s in the plane of the first two axes |
//! | `polygon` | vertex i of the regular n-gon of radius s in that plane |
//! | `line` | uniform on the segment from −s·`e_1` to s·`e_1` |
//! | `clusters` | s·(centre + spread·N(0, I)), centre i mod k of k drawn from N(0, I) |
//! | `grid` | point i of an integer lattice around 0, times s |
//! | `ties` | uniform in {−2, −1, 0, 1, 2}^d, times s: equal scores and coincident tokens |

use std::ops::Range;

use rayon::prelude::*;

use crate::choice::named;
use crate::error::{Error, Result};
use crate::num;
use crate::rng::Stream;
use crate::tokens::{Coordinates, Precision, Tokens};

/// A distribution of tokens; its name in configs is in the table of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cloud {
    /// Independent normal coordinates, `normal` in configs.
    Gaussian,
    /// Uniform in the unit ball.
    Ball,
    /// Uniform in [−1, 1)^d.
    Cube,
    /// Uniform on the unit sphere.
    Sphere,
    /// Uniform on the unit circle in the plane of the first two axes.
    Circle,
    /// The vertices of the regular n-gon on that circle.
    Polygon,
    /// Uniform on the segment between −1 and 1 on the first axis.
    Line,
    /// Five narrow clusters ([`CloudSample`] has their number and width).
    Clusters,
    /// The points of an integer lattice around 0.
    Grid,
    /// Uniform in {−2, −1, 0, 1, 2}^d: equal scores and coincident tokens.
    Ties,
}

named!(
    Cloud,
    "kind of cloud",
    [
        Gaussian = "normal",
        Ball = "ball",
        Cube = "cube",
        Sphere = "sphere",
        Circle = "circle",
        Polygon = "polygon",
        Line = "line",
        Clusters = "clusters",
        Grid = "grid",
        Ties = "ties",
    ]
);

impl Cloud {
    /// Draws n tokens in R^d, stored as f32; equal seeds give equal bits on every platform.
    /// [`CloudSample`] draws at another scale or precision.
    ///
    /// # Errors
    /// n or d outside its domain; more memory than there is.
    pub fn sample(self, n: usize, d: usize, seed: u64) -> Result<Tokens> {
        CloudSample::new(self, n, d).tokens(seed, Precision::F32)
    }
}

/// Number of clusters unless given.
pub const CLUSTERS: u64 = 5;
/// Spread of a cluster unless given, in units of the scale.
pub const SPREAD: f64 = 0.05;

/// A sample to be drawn of a cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudSample {
    /// The cloud.
    pub kind: Cloud,
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// s, the unit of every coordinate.
    pub scale: f64,
    /// k, for `clusters`.
    pub clusters: u64,
    /// Standard deviation inside a cluster, in units of the scale, for `clusters`.
    pub spread: f64,
}

impl CloudSample {
    /// A sample at scale 1, with five clusters of standard deviation 0.05.
    pub fn new(kind: Cloud, n: usize, d: usize) -> Self {
        Self { kind, n, d, scale: 1.0, clusters: CLUSTERS, spread: SPREAD }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The parameter outside its domain, with its value.
    pub fn validate(&self) -> Result<()> {
        let bad = |name: &str, value: &dyn std::fmt::Display, domain: &str| {
            Err(Error::at_key(format!("tokens.{name}"), format!("is {value}; it must be {domain}")))
        };
        if self.n == 0 || u32::try_from(self.n).is_err() {
            return bad("n", &self.n, "from 1 to 4294967295");
        }
        if self.d == 0 || self.n.checked_mul(self.d).and_then(|c| c.checked_mul(8)).is_none() {
            return bad("d", &self.d, "at least 1, and n·d addressable");
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return bad("scale", &num::short(self.scale), "finite and above 0");
        }
        if matches!(self.kind, Cloud::Circle | Cloud::Polygon) && self.d < 2 {
            return bad("d", &self.d, &format!("at least 2 for kind {:?}", self.kind.name()));
        }
        if self.kind == Cloud::Clusters && self.clusters == 0 {
            return bad("clusters", &self.clusters, "at least 1");
        }
        if self.kind == Cloud::Clusters && !(self.spread.is_finite() && self.spread >= 0.0) {
            return bad("spread", &num::short(self.spread), "finite and at least 0");
        }
        Ok(())
    }

    /// Draws the tokens.
    ///
    /// # Errors
    /// A parameter outside its domain; a scale below the precision's normal numbers; more memory
    /// than there is.
    pub fn tokens(&self, seed: u64, precision: Precision) -> Result<Tokens> {
        let coordinates = self.rows(seed, precision, 0..self.n)?;
        Tokens::from_flat(self.n, self.d, coordinates)
    }

    /// Draws some of the tokens: their coordinates, row-major.
    ///
    /// # Errors
    /// As [`CloudSample::tokens`].
    pub fn rows(&self, seed: u64, precision: Precision, rows: Range<usize>) -> Result<Coordinates> {
        self.validate()?;
        let least = match precision {
            Precision::F32 => f64::from(f32::MIN_POSITIVE),
            Precision::F64 => f64::MIN_POSITIVE,
        };
        if self.scale < least {
            let (scale, least, name) = (num::short(self.scale), num::short(least), precision.name());
            return Err(Error::input(format!("tokens.scale is {scale}; in {name} it must be at least {least}")));
        }
        let first = rows.start;
        let coordinates = match precision {
            Precision::F32 => Coordinates::F32(self.fill(seed, rows, |x| x as f32)?),
            Precision::F64 => Coordinates::F64(self.fill(seed, rows, |x| x)?),
        };
        coordinates.require_finite(first, self.d)?;
        Ok(coordinates)
    }

    /// Every coordinate of some tokens, row-major, tokens in parallel.
    fn fill<T: Copy + Default + Send>(
        &self,
        seed: u64,
        rows: Range<usize>,
        narrow: impl Fn(f64) -> T + Sync,
    ) -> Result<Vec<T>> {
        let length = rows.len() * self.d;
        let mut all: Vec<T> = Vec::new();
        all.try_reserve_exact(length).map_err(|_| {
            let bytes = length * size_of::<T>();
            let shape = (rows.len(), self.d);
            Error::input(format!("tokens of shape {shape:?} need {bytes} bytes, more than there is"))
        })?;
        all.resize(length, T::default());
        let side = side(self.n as u64, self.d);
        all.par_chunks_mut(self.d).enumerate().for_each_init(
            || vec![0.0; self.d],
            |row, (i, out)| {
                self.token(seed, (rows.start + i) as u64, side, row);
                for (to, from) in out.iter_mut().zip(row.iter()) {
                    *to = narrow(self.scale * from);
                }
            },
        );
        Ok(all)
    }

    /// Token i at scale 1.
    fn token(&self, seed: u64, i: u64, side: u64, row: &mut [f64]) {
        let mut stream = Stream::new(seed, "tokens", i);
        match self.kind {
            Cloud::Gaussian => row.fill_with(|| stream.normal()),
            Cloud::Cube => row.fill_with(|| 2.0 * stream.uniform() - 1.0),
            Cloud::Sphere => direction(&mut stream, row),
            Cloud::Ball => {
                direction(&mut stream, row);
                let radius = libm::pow(stream.uniform(), 1.0 / self.d as f64);
                for x in row.iter_mut() {
                    *x *= radius;
                }
            }
            Cloud::Circle => on_circle(stream.uniform(), row),
            Cloud::Polygon => on_circle(i as f64 / self.n as f64, row),
            Cloud::Line => {
                row.fill(0.0);
                row[0] = 2.0 * stream.uniform() - 1.0;
            }
            Cloud::Clusters => {
                let mut centre = Stream::new(seed, "centres", i % self.clusters);
                row.fill_with(|| centre.normal() + self.spread * stream.normal());
            }
            Cloud::Grid => {
                let mut rest = i;
                row.fill_with(|| {
                    let digit = rest % side;
                    rest /= side;
                    digit as f64 - (side / 2) as f64
                });
            }
            Cloud::Ties => row.fill_with(|| stream.below(5) as f64 - 2.0),
        }
    }
}

/// The least side of a lattice cube in R^d with n points.
fn side(n: u64, d: usize) -> u64 {
    let holds = |side: u64| {
        let mut points = 1u64;
        (0..d).any(|_| {
            points = points.saturating_mul(side);
            points >= n
        })
    };
    let (mut low, mut high) = (0, n.max(1)); // low holds too few, high enough
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

/// Uniform on the unit sphere.
fn direction(stream: &mut Stream, row: &mut [f64]) {
    loop {
        row.fill_with(|| stream.normal());
        let norm = libm::sqrt(row.iter().map(|x| x * x).sum());
        if norm > 0.0 {
            for x in row.iter_mut() {
                *x /= norm;
            }
            return;
        }
    }
}

/// The point after a part of a turn.
fn on_circle(turn: f64, row: &mut [f64]) {
    let angle = std::f64::consts::TAU * turn;
    row.fill(0.0);
    row[0] = libm::cos(angle);
    row[1] = libm::sin(angle);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds() -> impl Strategy<Value = Cloud> {
        proptest::sample::select(Cloud::ALL.map(|(kind, _)| kind).to_vec())
    }

    proptest! {
        /// If a token depended on n, enlarging a study would change the tokens it already had.
        #[test]
        fn tokens_do_not_depend_on_n(kind in kinds(), n in 1usize..40, more in 0usize..40, d in 2usize..9, seed: u64) {
            prop_assume!(!matches!(kind, Cloud::Polygon | Cloud::Grid));
            let few = CloudSample::new(kind, n, d).tokens(seed, Precision::F64).unwrap().to_f64();
            let many = CloudSample::new(kind, n + more, d).tokens(seed, Precision::F64).unwrap().to_f64();
            prop_assert_eq!(&few, &many[..few.len()]);
        }

        /// Single precision is the same cloud, rounded once.
        #[test]
        fn widths_agree(kind in kinds(), n in 1usize..40, d in 2usize..9, seed: u64) {
            let cloud = CloudSample { scale: 0.3, ..CloudSample::new(kind, n, d) };
            let (narrow, wide) = (cloud.tokens(seed, Precision::F32).unwrap(), cloud.tokens(seed, Precision::F64).unwrap());
            for i in 0..n {
                for k in 0..d {
                    prop_assert_eq!(narrow.get(i, k), f64::from(wide.get(i, k) as f32));
                }
            }
        }

        /// Each kind lies where its line of the table puts it.
        #[test]
        fn clouds_have_their_shape(kind in kinds(), n in 1usize..200, d in 2usize..6, seed: u64) {
            let scale = 2.5;
            let cloud = CloudSample { scale, ..CloudSample::new(kind, n, d) }.tokens(seed, Precision::F64).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for i in 0..n {
                let row = cloud.row(i);
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                let whole = row.iter().all(|x| (x / scale).fract() == 0.0);
                seen.insert(row.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
                let inside = match kind {
                    Cloud::Gaussian | Cloud::Clusters => true,
                    Cloud::Ball => norm <= scale * (1.0 + 1e-12),
                    Cloud::Cube => row.iter().all(|x| x.abs() <= scale),
                    Cloud::Sphere => (norm - scale).abs() < 1e-12,
                    Cloud::Circle | Cloud::Polygon => (norm - scale).abs() < 1e-12 && row[2..].iter().all(|&x| x == 0.0),
                    Cloud::Line => norm <= scale && row[1..].iter().all(|&x| x == 0.0),
                    Cloud::Grid => whole,
                    Cloud::Ties => whole && row.iter().all(|x| x.abs() <= 2.0 * scale),
                };
                prop_assert!(inside, "token {} at {:?}", i, row);
            }
            prop_assert!(kind == Cloud::Ties || seen.len() == n, "{} of {} tokens are distinct", seen.len(), n);
        }

        /// A lattice cube must hold its tokens and not much more.
        #[test]
        fn sides_are_the_least(n in 1u64..5_000_000, d in 1usize..70) {
            let side = side(n, d);
            let holds = |side: u64| (0..d).fold(1u128, |p, _| (p * u128::from(side)).min(1 << 64)) >= u128::from(n);
            prop_assert!(holds(side) && (side == 1 || !holds(side - 1)));
        }
    }

    /// If these bits changed, every published seed would mean another cloud.
    #[test]
    fn clouds_are_fixed_for_ever() {
        let hash =
            |kind| CloudSample::new(kind, 100, 3).tokens(7, Precision::F64).unwrap().hash().to_hex()[..16].to_string();
        let all: Vec<String> = Cloud::ALL.iter().map(|(kind, name)| format!("{name} {}", hash(*kind))).collect();
        assert_eq!(all, FIXED);
    }

    const FIXED: [&str; 10] = [
        "normal 662da00bc3714c97",
        "ball 03ee23c15cba2198",
        "cube 4d0fa834a02f6aee",
        "sphere 6d75270997626d44",
        "circle 8ba7b982d549765e",
        "polygon b1ca28deb7a41888",
        "line c4a45a556641db7f",
        "clusters 28e53916f7f066ef",
        "grid bf84abe5db06ffa1",
        "ties 69240e3c21afed55",
    ];

    /// A bad parameter must be named, not drawn from.
    #[test]
    fn bad_parameters_are_named() {
        let good = CloudSample::new(Cloud::Clusters, 3, 2);
        for (cloud, wanted) in [
            (CloudSample { n: 0, ..good.clone() }, "tokens.n is 0"),
            (CloudSample { d: 0, ..good.clone() }, "tokens.d is 0"),
            (CloudSample { d: usize::MAX / 2, ..good.clone() }, "tokens.d is"),
            (CloudSample { n: 1 << 40, ..good.clone() }, "tokens.n is"),
            (CloudSample { scale: 0.0, ..good.clone() }, "tokens.scale is 0"),
            (CloudSample { scale: f64::NAN, ..good.clone() }, "tokens.scale is NaN"),
            (CloudSample { clusters: 0, ..good.clone() }, "tokens.clusters is 0"),
            (CloudSample { spread: -1.0, ..good.clone() }, "tokens.spread is -1"),
            (CloudSample::new(Cloud::Circle, 3, 1), "at least 2 for kind \"circle\""),
        ] {
            let error = cloud.tokens(1, Precision::F32).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let overflow =
            CloudSample { scale: 1e308, ..CloudSample::new(Cloud::Gaussian, 100, 2) }.tokens(1, Precision::F64);
        assert!(overflow.unwrap_err().to_string().contains("inf;"));
    }
}
