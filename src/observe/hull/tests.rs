use proptest::prelude::*;

use super::*;
use crate::rng::Stream;

fn points(d: usize, rows: &[&[f64]]) -> Points {
    Points::new(d, rows.concat()).unwrap()
}

/// Whether the distinct point `p` is a convex combination of the other distinct points, in exact
/// rational arithmetic on small integers (Carathéodory: of d + 1 or fewer of them).
fn is_vertex(rows: &[Vec<i64>], p: usize) -> bool {
    let d = rows[p].len();
    let others: Vec<&Vec<i64>> = rows.iter().filter(|r| **r != rows[p]).collect();
    // p is no vertex iff some point, segment, triangle or tetrahedron of others holds it.
    let holds = |of: &[&Vec<i64>]| -> bool {
        // Solve Σ λ_j (v_j − p) = 0, Σ λ_j = 1, λ >= 0 by exact elimination over fractions of i128.
        let m = of.len();
        let mut a: Vec<Vec<(i128, i128)>> = (0..=d)
            .map(|k| {
                (0..=m)
                    .map(|j| {
                        let value = match (k < d, j < m) {
                            (true, true) => i128::from(of[j][k] - rows[p][k]),
                            (true, false) => 0,
                            (false, _) => 1,
                        };
                        (value, 1)
                    })
                    .collect()
            })
            .collect();
        solve(&mut a, m).is_some_and(|x| x.iter().all(|&(n, d)| n * d >= 0))
    };
    let k = others.len();
    let mut subsets: Vec<Vec<usize>> = (0..k).map(|i| vec![i]).collect();
    for _ in 0..=d {
        if subsets.iter().any(|s| holds(&s.iter().map(|&i| others[i]).collect::<Vec<_>>())) {
            return false;
        }
        subsets = subsets
            .iter()
            .flat_map(|s| (s[s.len() - 1] + 1..k).map(move |i| s.iter().copied().chain([i]).collect()))
            .collect();
    }
    true
}

fn reduced((n, d): (i128, i128)) -> (i128, i128) {
    let (mut a, mut b) = (n.abs().max(1), d.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if n == 0 { (0, 1) } else { (n / a * d.signum(), d.abs() / a) }
}

/// The unique solution, if there is one, of an overdetermined exact system with m unknowns.
fn solve(a: &mut [Vec<(i128, i128)>], m: usize) -> Option<Vec<(i128, i128)>> {
    let minus = |x: (i128, i128), y: (i128, i128)| reduced((x.0 * y.1 - y.0 * x.1, x.1 * y.1));
    let times = |x: (i128, i128), y: (i128, i128)| reduced((x.0 * y.0, x.1 * y.1));
    for c in 0..m {
        let pivot = (c..a.len()).find(|&r| a[r][c].0 != 0)?;
        a.swap(c, pivot);
        let inverse = {
            let (n, d) = a[c][c];
            reduced((d * n.signum(), n.abs()))
        };
        for x in &mut a[c] {
            *x = times(*x, inverse);
        }
        let lead = a[c].clone();
        for (_, row) in a.iter_mut().enumerate().filter(|(r, row)| *r != c && row[c].0 != 0) {
            let factor = row[c];
            for (x, &y) in row.iter_mut().zip(&lead) {
                *x = minus(*x, times(factor, y));
            }
        }
    }
    a[m..].iter().all(|row| row[m].0 == 0).then(|| (0..m).map(|c| a[c][m]).collect())
}

/// The vertices by their definition; of coincident ones the lowest index.
fn plain(rows: &[Vec<i64>]) -> Vec<u32> {
    (0..rows.len()).filter(|&p| !rows[..p].contains(&rows[p]) && is_vertex(rows, p)).map(|p| p as u32).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// On a coarse grid nearly everything is collinear, coplanar or coincident: if the hull had too
    /// few or too many vertices there, limits would be called vertices of K that are none.
    #[test]
    fn vertices_are_those_of_the_definition(
        d in 1usize..5, span in 1i64..4, values in proptest::collection::vec(0i64..1000, 4..44), scale in -300i32..300,
    ) {
        let count = (values.len() / d).min(if d == 4 { 9 } else { 13 });
        let rows: Vec<Vec<i64>> =
            values.chunks_exact(d).take(count.max(1)).map(|row| row.iter().map(|v| v % (2 * span + 1) - span).collect()).collect();
        prop_assume!(!rows.is_empty());
        let x = rows.iter().flatten().map(|&v| num::scale(v as f64, scale)).collect();
        let hull = Hull::of(&Points::new(d, x).unwrap());
        prop_assert_eq!(&hull.undecided, &Vec::<u32>::new());
        prop_assert_eq!(hull.vertices, plain(&rows), "{:?}", rows);
    }

    /// If putting tokens aside first lost a vertex, large clouds would have another hull than small
    /// ones; and shifting a cloud by exact amounts must not change its vertices.
    #[test]
    fn large_clouds_lose_no_vertex(d in 2usize..4, seed in any::<u64>(), kind in 0..4, n in 600usize..3000) {
        let mut stream = Stream::new(seed, "cloud", 0);
        let mut rows: Vec<f64> = Vec::new();
        for _ in 0..n {
            let row: Vec<f64> = match kind {
                0 => (0..d).map(|_| stream.normal()).collect(),
                1 => (0..d).map(|_| stream.below(9) as f64 - 4.0).collect(),
                2 => {
                    let v: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
                    let length = num::norm(&v);
                    v.iter().map(|x| x / length).collect()
                }
                // Almost flat, far from 0.
                _ => (0..d).map(|k| if k == 0 { 1e6 + 1e-9 * stream.uniform() } else { stream.uniform() }).collect(),
            };
            rows.extend(row);
        }
        let points = Points::new(d, rows).unwrap();
        let all: Vec<u32> = (0..n as u32).collect();
        let unfiltered = Hull::of_candidates(&points, all, 0, EFFORT);
        prop_assert_eq!(&Hull::of(&points).vertices, &unfiltered.vertices);
        // Whoever alone is extreme in some direction is a vertex.
        let directions = super::super::support::Directions::new(d, 40, seed);
        for (j, support) in directions.support(&points).iter().enumerate() {
            let u = directions.vector(j);
            let ties = points.rows().filter(|row| {
                num::dot_exactly(&u, row) > support.value - 1e-9
            }).count();
            prop_assert!(ties > 1 || unfiltered.vertices.contains(&support.token));
        }
    }

    /// In many dimensions every claim must hold: mixtures of corners are inside, corners are
    /// vertices.
    #[test]
    fn certificates_hold_in_many_dimensions(d in 4usize..9, seed in any::<u64>(), corners in 2usize..14, scale in -300i32..300) {
        let mut stream = Stream::new(seed, "cloud", 0);
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for _ in 0..corners {
            let v: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
            let length = num::norm(&v);
            rows.push(v.iter().map(|x| x / length).collect());
        }
        for at in 0..30 {
            if at % 5 == 0 {
                rows.push(rows[at % corners].clone());
                continue;
            }
            let weights: Vec<f64> = (0..corners).map(|_| stream.uniform().powi(3)).collect();
            let total: f64 = weights.iter().sum();
            rows.push((0..d).map(|k| weights.iter().zip(&rows).map(|(w, v)| w / total * v[k]).sum()).collect());
        }
        let x = rows.iter().flatten().map(|&x| num::scale(x, scale)).collect();
        let hull = Hull::of(&Points::new(d, x).unwrap());
        // A certificate may fail by rounding, and then nothing is claimed.
        prop_assert!(hull.undecided.len() <= 1, "{:?}", hull.undecided);
        let mut corners_found = [&hull.vertices[..], &hull.undecided].concat();
        corners_found.retain(|&token| token < corners as u32);
        corners_found.sort_unstable();
        prop_assert_eq!(corners_found, (0..corners as u32).collect::<Vec<_>>());
        prop_assert!(hull.vertices.iter().all(|&token| token < corners as u32), "{:?}", hull.vertices);
        prop_assert!(hull.tolerance <= num::scale(1.0, scale) * 1e-11);
    }
}

/// One token, coincident tokens, a line, a plane in space, a cube with everything on its faces.
#[test]
fn flat_clouds_have_hulls() {
    for d in 1..6 {
        let one = Points::new(d, vec![0.3; d]).unwrap();
        assert_eq!(Hull::of(&one).vertices, [0]);
        assert_eq!(Hull::of(&Points::new(d, vec![0.3; 4 * d]).unwrap()).vertices, [0]);
    }
    let line = points(3, &[&[1.0, 1.0, 1.0], &[2.0, 2.0, 2.0], &[0.0, 0.0, 0.0], &[3.0, 3.0, 3.0], &[0.0, 0.0, 0.0]]);
    assert_eq!(Hull::of(&line).vertices, [2, 3]);
    let plane = points(3, &[&[0.0, 0.0, 5.0], &[2.0, 0.0, 5.0], &[0.0, 2.0, 5.0], &[1.0, 1.0, 5.0], &[0.5, 0.5, 5.0]]);
    assert_eq!(Hull::of(&plane).vertices, [0, 1, 2]);
    let grid: Vec<f64> = (0..27).flat_map(|i| [i % 3, i / 3 % 3, i / 9].map(f64::from)).collect();
    assert_eq!(Hull::of(&Points::new(3, grid).unwrap()).vertices, [0, 2, 6, 8, 18, 20, 24, 26]);
}

/// A cloud whose hull cannot be afforded says so instead of guessing.
#[test]
fn what_is_not_known_is_undecided() {
    let mut stream = Stream::new(5, "cloud", 0);
    let n = 400;
    let x: Vec<f64> = (0..n * 8).map(|_| stream.normal()).collect();
    let points = Points::new(8, x).unwrap();
    let hull = Hull::with_effort(&points, 20_000);
    assert!(!hull.vertices.is_empty() && !hull.undecided.is_empty());
    let full = Hull::of(&points);
    assert!(full.undecided.is_empty());
    assert!(hull.vertices.iter().all(|v| full.vertices.contains(v)));
    let outside = full.vertices.iter().filter(|v| !hull.vertices.contains(v));
    assert!(outside.into_iter().all(|v| hull.undecided.contains(v)));
}

/// A tie of a few ulps must be decided by the tokens, not by the rounding of sums.
#[test]
fn one_unit_makes_a_vertex() {
    let up = 1.0f64.next_up();
    let rows: [&[f64]; 5] = [&[0.0, 0.0, 0.0], &[2.0, 0.0, 0.0], &[0.0, 2.0, 0.0], &[1.0, up, 0.0], &[0.5, 0.5, -1.0]];
    assert_eq!(Hull::of(&points(3, &rows)).vertices, [0, 1, 2, 3, 4]);
    let flat: [&[f64]; 5] = [&[0.0, 0.0, 0.0], &[2.0, 0.0, 0.0], &[0.0, 2.0, 0.0], &[1.0, 1.0, 0.0], &[0.5, 0.5, -1.0]];
    assert_eq!(Hull::of(&points(3, &flat)).vertices, [0, 1, 2, 4]);
}
