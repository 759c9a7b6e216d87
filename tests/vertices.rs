//! Vertices of K are vertices, however a state is rounded: `localmax::observe::Places`.

use localmax::choice::EngineChoice;
use localmax::engine::Simulation;
use localmax::exact::Grid;
use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::observe::{Directions, Limits, Observer, Places, Points, Rounding};
use localmax::rng::Stream;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];
/// The tokens constructed for Remark 3.1 of arXiv 2509.15958: the last one rests between the first
/// two, which are fixed.
const REMARK: [[f64; 2]; 5] = [[1.0, 1.0], [1.1, -1.0], [-1.2, 0.9], [-1.0, -1.1], [1.03, 0.02]];

/// Turns to try: 200, or 1000 if `LOCALMAX_FULL` is 1.
fn turns() -> u64 {
    if std::env::var("LOCALMAX_FULL").is_ok_and(|full| full == "1") { 1000 } else { 200 }
}

fn model(delta: f64) -> Model {
    Model::averaging(
        Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Width },
        Operator::identity(),
        Mask::FULL,
        Gain::Alpha(Schedule::Constant(1.0)),
    )
}

/// `count` orthonormal vectors of R^d, drawn at random.
fn frame(stream: &mut Stream, d: usize, count: usize) -> Vec<Vec<f64>> {
    let mut frame: Vec<Vec<f64>> = Vec::new();
    while frame.len() < count {
        let mut v: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
        for u in &frame {
            let along: f64 = u.iter().zip(&v).map(|(a, b)| a * b).sum();
            v.iter_mut().zip(u).for_each(|(x, u)| *x -= along * u);
        }
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        frame.push(v.iter().map(|x| x / length).collect());
    }
    frame
}

/// Rows of R^k in the frame of k vectors of R^d.
fn embed(rows: &[Vec<f64>], frame: &[Vec<f64>]) -> Vec<f64> {
    let d = frame[0].len();
    rows.iter().flat_map(|row| (0..d).map(|k| row.iter().zip(frame).map(|(x, u)| x * u[k]).sum::<f64>())).collect()
}

/// A state on its lattice.
fn on_lattice(d: usize, rows: Vec<f64>, precision: Precision) -> (Tokens, Grid) {
    let cloud = Tokens::from_flat(rows.len() / d, d, rows).unwrap();
    let grid = Grid::of(&cloud, precision);
    (grid.snap(&cloud).unwrap(), grid)
}

/// The places of a state of [`model`] on its lattice, a few steps after the start.
fn places(d: usize, rows: Vec<f64>, precision: Precision) -> Places {
    let (tokens, grid) = on_lattice(d, rows, precision);
    let points = Points::of(&tokens);
    Places::of(&points, &Rounding::of(&model(0.01), grid, d, 100, points.largest_magnitude()))
}

/// The last state of the localmax dynamics, and the step after which nothing moves.
fn at_rest(delta: f64, d: usize, rows: Vec<f64>, precision: Precision) -> (Tokens, Grid, u64) {
    let (tokens, grid) = on_lattice(d, rows, precision);
    let mut simulation = Simulation::new(&model(delta), &tokens, EngineChoice::Reference).unwrap();
    for _ in 0..300 {
        if simulation.advance(10).unwrap().moved == 0 {
            return (simulation.tokens().unwrap(), grid, simulation.t());
        }
    }
    panic!("no rest after 3000 steps");
}

/// Else measures.csv would call the very limit that is no vertex one: rounded to the lattice, the
/// middle of two vertices lies a unit outside the edge, or the plane, in most turns.
#[test]
fn the_non_vertex_limit_is_none_however_it_is_turned() {
    let rows: Vec<Vec<f64>> = REMARK.iter().map(|row| row.to_vec()).collect();
    for (d, precision) in (2..=4).flat_map(|d| PRECISIONS.map(|precision| (d, precision))) {
        for turn in 0..turns() {
            let frame = frame(&mut Stream::new(turn, "turn", d as u64), d, 2);
            let (tokens, grid, step) = at_rest(0.5, d, embed(&rows, &frame), precision);
            let model = model(0.5);
            let row = Observer::new(&model, d, grid).measure(step, &tokens);
            let hull = row.hull.unwrap();
            let told = format!("turn {turn} in R^{d} at {}: {row:?}", precision.name());
            assert_eq!((row.distinct, hull.vertices, hull.quiescent), (5, 4, Some(4)), "{told}");
            assert!((hull.distance_max - 1.001_249_219_725).abs() < 1e-5, "{told}");
            assert!((row.gap.unwrap()[1] - 0.0525).abs() < 1e-5, "{told}");
            let end = Limits::of(&model, grid, step, &tokens);
            let counts = (end.places.len(), end.vertices(), end.outside(), end.leaders());
            assert_eq!(counts, (5, Some(4), Some(1), Some(4)), "{told}");
        }
    }
}

/// Else the middle of a segment would be a vertex of it, in the plane or in space, where moving it
/// along the segment does not bring it back.
#[test]
fn a_segment_has_two_vertices() {
    let rows: Vec<Vec<f64>> = [REMARK[0], REMARK[1], REMARK[4]].iter().map(|row| row.to_vec()).collect();
    for (d, precision) in (2..=4).flat_map(|d| PRECISIONS.map(|precision| (d, precision))) {
        for turn in 0..turns() {
            let frame = frame(&mut Stream::new(turn, "segment", d as u64), d, 2);
            let (tokens, grid, step) = at_rest(0.5, d, embed(&rows, &frame), precision);
            let row = Observer::new(&model(0.5), d, grid).measure(step, &tokens);
            assert_eq!(row.hull.unwrap().vertices, 2, "turn {turn} in R^{d} at {}: {row:?}", precision.name());
        }
    }
}

/// Corners on the unit sphere of R^k at least 0.2 apart, so that each stands out by more than 0.01,
/// and mixtures of a few of them, on faces and inside.
fn polytope(stream: &mut Stream, k: usize, corners: usize, mixtures: usize) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::new();
    while rows.len() < corners {
        let v = frame(stream, k, 1).remove(0);
        let apart = |w: &Vec<f64>| v.iter().zip(w).map(|(a, b)| (a - b).powi(2)).sum::<f64>() > 0.04;
        if rows.iter().all(apart) {
            rows.push(v);
        }
    }
    for _ in 0..mixtures {
        let of = 1 + stream.below(corners.min(k + 1) as u64) as usize;
        let picked: Vec<(usize, f64)> =
            (0..of).map(|_| (stream.below(corners as u64) as usize, 0.1 + stream.uniform())).collect();
        let total: f64 = picked.iter().map(|(_, w)| w).sum();
        let corner = picked.iter().fold(vec![0.0; k], |mut sum, &(i, w)| {
            sum.iter_mut().zip(&rows[i]).for_each(|(s, x)| *s += w / total * x);
            sum
        });
        rows.push(corner);
    }
    rows
}

/// Else a polygon in space, or any flat K, would have more vertices than it has, or fewer; and so
/// would a K whose vertices are groups a few units wide.
#[test]
fn a_polytope_of_any_flatness_has_its_vertices() {
    for turn in 0..turns() / 4 {
        for (k, d) in [(1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3), (2, 4), (3, 5)] {
            let mut stream = Stream::new(turn, "polytope", (k * 10 + d) as u64);
            let corners = if k == 1 { 2 } else { k + 1 + stream.below(5) as usize };
            let rows = polytope(&mut stream, k, corners, 20);
            let mut embedded = embed(&rows, &frame(&mut stream, d, k));
            for precision in PRECISIONS {
                let (tokens, grid) = on_lattice(d, embedded.clone(), precision);
                // Off by a unit more, as tokens that still move are.
                let mut shaken = tokens.to_f64();
                if turn % 2 == 1 {
                    for x in &mut shaken {
                        *x += (stream.below(3) as f64 - 1.0) * grid.unit();
                    }
                }
                let (n, told) = (rows.len(), format!("turn {turn}, R^{k} in R^{d} at {}", precision.name()));
                let points = Points::new(d, shaken).unwrap();
                let found = Places::of(&points, &Rounding::of(&model(0.0), grid, d, 100, 1.0));
                let mut vertices: Vec<u32> = found.vertices.iter().map(|&p| found.members[p][0]).collect();
                vertices.sort_unstable();
                assert_eq!(vertices, (0..corners as u32).collect::<Vec<_>>(), "{told}");
                // The other way round, the places are the same ones.
                let backwards: Vec<u32> = (0..n as u32).rev().collect();
                let again = Places::of(&points.select(&backwards), &Rounding::of(&model(0.0), grid, d, 100, 1.0));
                assert!((0..n).all(|i| again.label[n - 1 - i] == found.label[i]), "{told}");
                assert_eq!((again.centres, again.vertices), (found.centres, found.vertices), "{told}");
            }
            // Every token becomes a group a few units wide.
            let (tokens, grid) = on_lattice(d, std::mem::take(&mut embedded), Precision::F32);
            let wide = |(i, x): (usize, f64)| {
                let mut stream = Stream::new(turn, "group", i as u64);
                (0..4).map(move |_| x + (stream.below(5) as f64 - 2.0) * grid.unit()).collect::<Vec<f64>>()
            };
            let groups: Vec<Vec<f64>> = tokens.to_f64().into_iter().enumerate().map(wide).collect();
            let rows = groups.chunks(d).flat_map(|row| (0..4).flat_map(|g| row.iter().map(move |x| x[g]))).collect();
            let found = places(d, rows, Precision::F32);
            assert_eq!(found.vertices.len(), corners, "turn {turn}, R^{k} in R^{d}: groups");
        }
    }
}

/// Else many tokens between two vertices would be a vertex: drawn by two fixed tokens, W of them
/// stop W/4 units short of the middle. As many that nobody draws are where they are.
#[test]
fn a_heavy_group_may_stop_short_of_a_face_if_it_is_drawn() {
    let w = 60;
    let rows: Vec<Vec<f64>> = REMARK[..4].iter().chain(&[REMARK[4]; 60]).map(|row| row.to_vec()).collect();
    let mut farthest = 0.0f64;
    for turn in 0..turns() / 10 {
        let frame = frame(&mut Stream::new(turn, "heavy", 0), 3, 2);
        let (tokens, grid, step) = at_rest(0.5, 3, embed(&rows, &frame), Precision::F32);
        let points = Points::of(&tokens);
        let found = Places::of(&points, &Rounding::of(&model(0.5), grid, 3, step, 1.2));
        let weights: Vec<usize> = found.members.iter().map(Vec::len).collect();
        assert_eq!((weights, &found.vertices[..]), (vec![w, 1, 1, 1, 1], &[1, 2, 3, 4][..]), "turn {turn}");
        let off = |k: usize| points.row(0)[k] / 2.0 + points.row(1)[k] / 2.0 - points.row(4)[k];
        farthest = (0..3).map(|k| off(k).abs() / grid.unit()).fold(farthest, f64::max);
    }
    assert!(farthest > 12.0, "{farthest} units");
    let unit = 2.0f64.powi(-23);
    let rows = [vec![[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0]], vec![[0.5, 12.0 * unit]; w]].concat();
    let points = Points::new(2, rows.concat()).unwrap();
    let grid = Grid { exponent: 1, precision: Precision::F32 };
    let of = |delta: f64| Places::of(&points, &Rounding::of(&model(delta), grid, 2, 100, 1.0)).vertices.len();
    assert_eq!((of(0.6), of(0.1)), (3, 4));
}

/// Else a K with a smooth boundary would have no vertex at all, each being hidden by its
/// neighbours; what is left must still stand for K.
#[test]
fn a_smooth_boundary_keeps_enough_vertices() {
    for d in [2, 3] {
        let n = if d == 2 { 20_000 } else { 3000 };
        let mut stream = Stream::new(1, "sphere", 0);
        // In space a cap, where the tokens are close enough.
        let mut row = || {
            let mut row: Vec<f64> =
                (0..d).map(|_| if d == 2 { stream.normal() } else { 0.003 * stream.normal() }).collect();
            row[d - 1] += (d - 2) as f64;
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter().map(|x| x / length).collect::<Vec<f64>>()
        };
        let rows: Vec<f64> = (0..n).flat_map(|_| row()).collect();
        let (tokens, grid) = on_lattice(d, rows, Precision::F32);
        let points = Points::of(&tokens);
        let rounding = Rounding::of(&model(0.0), grid, d, 100, 1.0);
        let found = Places::of(&points, &rounding);
        assert!(found.vertices.len() > 100 && found.vertices.len() < n, "{}", found.vertices.len());
        let directions = Directions::new(d, 200, 0);
        let (all, some) = (directions.support(&points), directions.support(&found.points(&found.vertices)));
        for (all, some) in all.iter().zip(some) {
            assert!(all.value - some.value <= 6.0 * rounding.length(), "{all:?} {some:?}");
        }
    }
}

/// One token, two, equal ones, and rules without a lattice.
#[test]
fn small_clouds_have_places() {
    for d in 1..6 {
        let one = places(d, vec![0.3; d], Precision::F64);
        assert_eq!((one.members.len(), &one.vertices[..]), (1, &[0][..]));
        let equal = places(d, vec![0.3; 7 * d], Precision::F64);
        assert_eq!((equal.members.len(), &equal.vertices[..]), (1, &[0][..]));
        assert_eq!(equal.centres.row(0), vec![0.3; d].as_slice());
        let two = places(d, [vec![0.3; d], vec![-0.1; d]].concat(), Precision::F32);
        assert_eq!((two.members.len(), &two.vertices[..]), (2, &[0, 1][..]));
        let zeros = places(d, vec![0.0; 3 * d], Precision::F32);
        assert_eq!((zeros.members.len(), &zeros.vertices[..]), (1, &[0][..]));
    }
    let softmax = Model::softmax(1.0).unwrap();
    let rows = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 1.0 + 1e-7, 0.0, 0.5 + 1e-9, 0.5 + 1e-9];
    let points = Points::new(2, rows).unwrap();
    let grid = Grid { exponent: 0, precision: Precision::F64 };
    let found = Places::of(&points, &Rounding::of(&softmax, grid, 2, 10, 1.0));
    assert_eq!((found.members.len(), found.vertices.len()), (4, 3));
}
