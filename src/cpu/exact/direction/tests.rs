//! The claims at the head of the module, held against all keys.

use proptest::prelude::*;

use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::cones::{Cones, HalfSpace};
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::step::Watch;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::interrupt::Interrupt;
use crate::space::Coordinate;

fn dot<const D: usize>(q: [i64; D], x: [i64; D]) -> i128 {
    (0..D).map(|k| i128::from(q[k]) * i128::from(x[k])).sum()
}

/// Queries of every kind: as drawn, along borders and corners of cells of the finest grid, and those
/// by a unit beside them.
fn queries<const D: usize>(drawn: [i64; D], nudge: [i64; D]) -> Vec<[i64; D]> {
    let cells = Cells::<D> { side: 64 };
    let mut all = vec![drawn, nudge];
    if drawn != [0; D] {
        let cell = cells.cell(cells.place(drawn).0);
        for step in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            let corner = cells.corner(cell, if D == 2 { [step[0], 0] } else { step });
            all.extend([corner, std::array::from_fn(|k| (corner[k] << 40) + nudge[k])]);
        }
    }
    all.retain(|q| *q != [0; D]);
    all
}

/// Every key in the strip of a query is in the list of its cell, and no covered token is: for strips of width 0, and of
/// a width in units of the query's largest coordinate.
fn holds<const D: usize>(keys: &[[i64; D]], q: [i64; D], nudge: [i64; D], width: i64) {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    for width in [0, width] {
        let table = Table::new(&keys, 6, width).expect("a table");
        let covers = [1, 2, 4].map(|levels| Cover::new([0; D], &keys, levels, width));
        for q in queries(q, nudge) {
            let best = keys.iter().map(|&x| dot(q, x)).max().expect("a key");
            let (cell, size) = table.cells.place(q);
            let (list, least) = (table.list(cell), best - i128::from(width) * i128::from(size));
            for (at, &x) in keys.iter().enumerate() {
                assert!(dot(q, x) < least || list.contains(&(at as u32)), "{q:?} misses {x:?} within {width}");
            }
            for cover in covers.iter().flatten() {
                // Rays from the centre through the query, through keys and between them: the outermost
                // token on each that is covered.
                for ray in keys.iter().copied().chain([q, q.map(|x| x + x.signum())]) {
                    let size = ray.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0).max(1) as i128;
                    let at = |rho: i64| ray.map(|x| (i128::from(x) * i128::from(rho) / size) as i64);
                    let (mut inside, mut outside) = (0i64, 1i64 << 53);
                    while outside - inside > 1 {
                        let middle = i64::midpoint(inside, outside);
                        if cover.holds(at(middle), 0.0) { inside = middle } else { outside = middle }
                    }
                    let x = at(inside);
                    assert!(!cover.holds(x, 0.0) || dot(q, x) < least, "{q:?}: {x:?} is covered within {width}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// A list that lacks a maximum, or a cover that holds one, would be another strip: in clouds of
    /// any size around the centre, with ties and mirrors, and for queries on borders of cells.
    #[test]
    fn no_maximum_is_left_out(
        rows in proptest::collection::vec(proptest::array::uniform3(-(1i64 << 53)..=1 << 53), 1..40),
        q in proptest::array::uniform3(-(1i64 << 53)..=1 << 53), nudge in proptest::array::uniform3(-1i64..=1),
        shift in 0u32..53, width in 0i64..1 << 54, thinner in 0u32..8, mirrored in any::<bool>(),
    ) {
        let mut rows: Vec<[i64; 3]> = rows.into_iter().map(|row| row.map(|x| x >> shift)).collect();
        if mirrored {
            rows.extend(rows.clone().into_iter().map(|row| row.map(|x| -x)));
        }
        let width = width >> shift >> thinner;
        holds(&rows, q, nudge, width);
        let plane: Vec<[i64; 2]> = rows.iter().map(|row| [row[0], row[1]]).collect();
        holds(&plane, [q[0], q[1]], [nudge[0], nudge[1]], width);
        // A query that is a token, as where A = I.
        holds(&rows, rows[0], nudge, width);
    }
}

/// Sums over half spaces are those of all keys, on every instruction set: of borders that pass through keys, a unit on
/// either side of them, and in between.
fn sums_hold<W: Width, const D: usize>(keys: &[[i64; D]], queries: &[[i64; D]], levels: u32) {
    let rows: Vec<[W::Int; D]> = keys.iter().map(|key| key.map(W::Int::of)).collect();
    let mut asked: Vec<([i64; D], i128)> = Vec::new();
    for &q in queries {
        for &key in keys {
            let score = dot(q, key);
            asked.extend([score - 1, score, score + 1, score / 2].map(|least| (q, least.max(1))));
        }
    }
    let half = |&(q, least): &([i64; D], i128)| HalfSpace::<W, D>::new(q.map(W::Int::of), least);
    asked.sort_by(|a, b| half(a).bound.total_cmp(&half(b).bound));
    let halves: Vec<HalfSpace<W, D>> = asked.iter().map(half).collect();
    for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
        let cones = Cones::new(set, &rows, levels, halves[0].bound);
        let (interrupt, prices) = (Interrupt::default(), Prices::of_search::<W>(D, set));
        let (sums, _) = cones.sums(set, &halves, (prices, &Watch::new(&interrupt, None)));
        for (found, &(q, least)) in sums.iter().zip(&asked) {
            let inside: Vec<_> = keys.iter().filter(|&&key| dot(q, key) >= least).collect();
            assert_eq!(found.keys, inside.len() as u64, "{q:?} from {least} on, {levels} levels, {set:?}");
            for k in 0..D {
                let sum: i128 = inside.iter().map(|key| i128::from(key[k])).sum();
                assert_eq!(<W::Int as Coordinate>::widened(found.x[k]), sum);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// A bin that is taken whole or not at all, and should not be, would be another strip: at any number of cones, with
    /// ties, mirrors, keys and queries of 0, and queries on borders of cells.
    #[test]
    fn half_spaces_have_their_keys(
        rows in proptest::collection::vec(proptest::array::uniform3(-(1i64 << 53)..=1 << 53), 1..60),
        q in proptest::array::uniform3(-(1i64 << 53)..=1 << 53), nudge in proptest::array::uniform3(-1i64..=1),
        shift in 0u32..53, levels in 1u32..=5, mirrored in any::<bool>(),
    ) {
        let size = |(i, row): (usize, [i64; 3])| row.map(|x| x >> shift >> (i % 5));
        let mut rows: Vec<[i64; 3]> = rows.into_iter().enumerate().map(size).collect();
        rows.push([0; 3]);
        if mirrored {
            rows.extend(rows.clone().into_iter().map(|row| row.map(|x| -x)));
        }
        let mut asked = queries(q, nudge);
        asked.truncate(4);
        asked.extend([rows[0], nudge, [0; 3]]);
        // The most that a query may exceed a coordinate by.
        let asked: Vec<[i64; 3]> = asked.iter().map(|q| q.map(|x| x.clamp(-(1 << 53) - 1, (1 << 53) + 1))).collect();
        sums_hold::<f64, 3>(&rows, &asked, levels);
        let single = |rows: &[[i64; 3]]| rows.iter().map(|row| row.map(|x| x >> 29)).collect::<Vec<_>>();
        sums_hold::<f32, 3>(&single(&rows), &single(&asked), levels);
        let plane = |rows: &[[i64; 3]]| rows.iter().map(|row| [row[0] >> 29, row[1] >> 29]).collect::<Vec<_>>();
        sums_hold::<f32, 2>(&plane(&rows), &plane(&asked), levels);
    }
}

/// A cube covers all but its corners' surroundings; a flat cloud, and one beside the centre, cover
/// nothing. If a cover were empty where it need not be, every token would be a key.
#[test]
fn a_cover_holds_what_it_can() {
    let corner = |k: usize| [0, 1, 2].map(|axis| if k >> axis & 1 == 1 { 1000 } else { -1000 });
    let cube: Vec<[i64; 3]> = (0..8).map(corner).collect();
    let cover = Cover::new([0; 3], &cube, 4, 0).expect("a cover");
    assert!([[0; 3], [800, 0, 0], [850, 850, -850]].iter().all(|&x| cover.holds(x, 0.0)));
    assert!(![[1000; 3], [1000, 0, 0]].iter().any(|&x| cover.holds(x, 0.0)));
    assert!(cover.holds([400, 0, 0], 0.5) && !cover.holds([501, 0, 0], 0.5));
    let flat: Vec<[i64; 3]> = cube[..4].iter().map(|x| [x[0], x[1], 0]).collect();
    let beside: Vec<[i64; 3]> = cube.iter().map(|x| [x[0] + 1000, x[1], x[2]]).collect();
    assert!(Cover::new([0; 3], &flat, 4, 0).is_none() && Cover::new([0; 3], &beside, 4, 0).is_none());
}
