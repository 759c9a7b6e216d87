//! Groups of tokens: the measures of clusters, leaders, lone tokens, moved tokens, strip sizes.
//!
//! A **leader** is a token whose argmax is itself, of several maximisers the first (the authors'
//! code of arXiv 2407.01602); every other token is a follower. A token is **alone** if C_i
//! = {i}, the definition in that paper's text: the two agree at δ = 0 for distinct tokens. A token
//! that is alone does not move (arXiv 2509.15958).

use rayon::prelude::*;

use super::clusters::Clusters;
use super::hull::Hull;
use super::points::{Distinct, Points};
use crate::num::{self, squared_distance};
use crate::outcome::Strips;

/// Number of members up to which every pair is compared for a diameter.
const PAIRS: usize = 2048;

/// The measures of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Number of tokens.
    pub weight: usize,
    /// Mean of the tokens.
    pub centre: Vec<f64>,
    /// Bounds of the largest distance between two members; equal where it is known exactly.
    pub diameter: [f64; 2],
}

impl Clusters {
    /// Measures every cluster, in order.
    ///
    /// Diameters come from every pair of the hull's vertices (d ≤ 3) or of the distinct members:
    /// exact for up to 2048 of these. Beyond, the lower bound is the longest way from the member
    /// farthest from the centre, and the upper bound twice that, or twice the radius about the
    /// centre if that is less.
    ///
    /// # Panics
    /// If the clusters are not those of the points.
    pub fn groups(&self, points: &Points) -> Vec<Group> {
        assert_eq!(self.label.len(), points.n(), "a label a token");
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); self.weight.len()];
        for (i, &label) in (0..).zip(&self.label) {
            members[label].push(i);
        }
        members.into_par_iter().map(|members| group(points, &members)).collect()
    }
}

fn group(points: &Points, members: &[u32]) -> Group {
    // Differences to one member: the mean of coincident tokens is that token.
    let origin = points.row(members[0] as usize);
    let mut offset = vec![0.0; points.d()];
    for &i in members {
        let row = points.row(i as usize);
        offset.iter_mut().zip(row.iter().zip(origin)).for_each(|(sum, (x, o))| *sum += x - o);
    }
    let centre: Vec<f64> = origin.iter().zip(offset).map(|(o, sum)| o + sum / members.len() as f64).collect();
    let distinct = Distinct::of(&points.select(members)).points;
    let corners = if points.d() <= 3 { Hull::of(&distinct).points(&distinct) } else { distinct };
    Group { weight: members.len(), diameter: diameter(&corners, &centre), centre }
}

fn diameter(corners: &Points, centre: &[f64]) -> [f64; 2] {
    let (corners, exponent) = corners.in_range(256);
    let scaled = |x: f64| num::scale(x, exponent);
    let from = |point: &[f64]| {
        let mut farthest = (0, 0.0f64);
        for (i, row) in corners.rows().enumerate() {
            let square = squared_distance(row, point);
            if square > farthest.1 {
                farthest = (i, square);
            }
        }
        (farthest.0, farthest.1.sqrt())
    };
    if corners.n() <= PAIRS {
        let longest = corners.rows().map(|row| from(row).1).fold(0.0, f64::max);
        return [scaled(longest); 2];
    }
    let centre: Vec<f64> = centre.iter().map(|&c| num::scale(c, -exponent)).collect();
    let (far, radius) = from(&centre);
    let lower = from(corners.row(far)).1;
    [scaled(lower), scaled((2.0 * radius).min(2.0 * lower))]
}

/// Tokens that are their own first maximiser in the step that gave these strips.
pub fn leaders(strips: &Strips) -> Vec<u32> {
    (0..).zip(&strips.argmax).filter(|&(i, &argmax)| i == argmax).map(|(i, _)| i).collect()
}

/// Tokens with C_i = {i}.
pub fn alone(strips: &Strips) -> Vec<u32> {
    leaders(strips).into_iter().filter(|&i| strips.count[i as usize] == 1).collect()
}

/// Whether each token has any changed coordinate.
///
/// # Panics
/// If the shapes differ.
pub fn moved(before: &Points, after: &Points) -> Vec<bool> {
    assert_eq!((before.n(), before.d()), (after.n(), after.d()), "two states of one cloud");
    before.rows().zip(after.rows()).map(|(a, b)| a != b).collect()
}

/// A histogram of strip sizes: entry b counts sizes from 2^b to 2^(b+1) − 1.
pub fn strip_histogram(strips: &Strips) -> Vec<u64> {
    let mut bins = Vec::new();
    for &count in strips.count.iter().filter(|&&count| count > 0) {
        let bin = count.ilog2() as usize;
        if bins.len() <= bin {
            bins.resize(bin + 1, 0);
        }
        bins[bin] += 1;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::tokens::Tokens;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// A diameter that is too small would call a spread-out group converged.
        #[test]
        fn groups_are_those_of_their_members(d in 1usize..6, n in 1usize..120, seed in any::<u64>(), scale in -300i32..300) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let unit = num::scale(1.0, scale);
            let x: Vec<f64> = (0..n * d).map(|_| (stream.below(3) as f64 + 0.02 * stream.uniform()) * unit).collect();
            let tokens = Tokens::from_flat(n, d, x).unwrap();
            let (points, clusters) = (Points::of(&tokens), Clusters::of(&tokens, 0.1 * unit));
            for (g, group) in clusters.groups(&points).iter().enumerate() {
                let members: Vec<usize> = (0..n).filter(|&i| clusters.label[i] == g).collect();
                prop_assert_eq!(group.weight, members.len());
                let distance = |i: usize, j: usize| {
                    let square = |k: usize| ((points.row(i)[k] - points.row(j)[k]) / unit).powi(2);
                    (0..d).map(square).sum::<f64>().sqrt() * unit
                };
                let longest = members.iter().flat_map(|&i| members.iter().map(move |&j| (i, j)));
                let longest = longest.map(|(i, j)| distance(i, j)).fold(0.0, f64::max);
                for bound in group.diameter {
                    prop_assert!((bound - longest).abs() <= 1e-14 * longest, "{} {}", bound, longest);
                }
                for k in 0..d {
                    let mean = members.iter().map(|&i| points.row(i)[k] / members.len() as f64).sum::<f64>();
                    prop_assert!((group.centre[k] - mean).abs() <= 1e-14 * unit * 3.0);
                }
            }
        }
    }

    /// Too many members to compare all pairs: the truth must be between the bounds.
    #[test]
    fn large_groups_have_bounds() {
        let mut stream = Stream::new(1, "cloud", 0);
        let (n, d) = (PAIRS + 500, 4);
        let x: Vec<f64> = (0..n * d).map(|_| stream.normal()).collect();
        let points = Points::new(d, x).unwrap();
        let one = Clusters { label: vec![0; n], weight: vec![n] };
        let [lower, upper] = one.groups(&points)[0].diameter;
        let longest =
            points.rows().flat_map(|a| points.rows().map(move |b| squared_distance(a, b))).fold(0.0, f64::max);
        assert!(lower <= longest.sqrt() && longest.sqrt() <= upper && upper <= 2.0 * lower);
    }

    /// Coincident tokens have the diameter 0 and the centre that they lie at, to the bit.
    #[test]
    fn coincident_tokens_are_a_point() {
        let points = Points::new(2, [0.1, 0.7].repeat(1000)).unwrap();
        let one = Clusters { label: vec![0; 1000], weight: vec![1000] };
        assert_eq!(one.groups(&points)[0], Group { weight: 1000, centre: vec![0.1, 0.7], diameter: [0.0; 2] });
    }

    /// If these were misread, followers would pass for leaders.
    #[test]
    fn strips_are_read_as_they_are() {
        let strips = Strips { argmax: vec![0, 0, 2, 2], count: vec![1, 3, 2, 4] };
        assert_eq!((leaders(&strips), alone(&strips)), (vec![0, 2], vec![0]));
        assert_eq!(strip_histogram(&strips), [1, 2, 1]);
        let at = |x: f64| Points::new(1, vec![1.0, x]).unwrap();
        assert_eq!(moved(&at(0.0), &at(5e-324)), [false, true]);
    }
}
