//! Bounds shared by the rows below a node: a box around their queries, bounds on the widths of their strips, and a
//! key near their maxima.
#![allow(clippy::inline_always)] // see `packet`

use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::scan::Fan;
use crate::cpu::exact::width::{Integer, Width};
use crate::exact::{StripWidth, TokenMatrix};
use crate::space::LEAF;

/// A box around the queries of the rows below a node.
pub(super) fn fan_of<W: Width>(keys: &SortedKeys<'_, W>, plan: &PreparedStep<'_, W>, node: usize) -> Vec<Fan<W>> {
    let d = keys.cloud.d;
    let (centre, half) = keys.tree.boxes()[node * 2 * d..][..2 * d].split_at(d);
    let unit = (-f64::from(W::PRECISION.state_bits())).exp2();
    let row = |k: usize| -> (f64, f64) {
        let mut weighted = (0.0, 0.0);
        let mut add = |entry: W::Int, c: W, h: W| {
            let entry = Integer::to_i64(entry) as f64 * unit;
            weighted.0 += entry * c.to_f64();
            // Room for the rounding of the sum.
            weighted.1 += entry.abs() * (h.to_f64() + (d + 4) as f64 * f64::EPSILON * (c.to_f64().abs() + h.to_f64()));
        };
        match &plan.step.matrix {
            TokenMatrix::Identity => return (centre[k].to_f64(), half[k].to_f64()),
            TokenMatrix::Multiple(entry) => add(W::Int::of(*entry), centre[k], half[k]),
            TokenMatrix::Dense(_) => {
                for (&entry, (&c, &h)) in plan.dense[k * d..][..d].iter().zip(centre.iter().zip(half)) {
                    add(entry, c, h);
                }
            }
        }
        (weighted.0, weighted.1 + 1.0) // queries are rounded to integers
    };
    (0..d)
        .map(|k| {
            let (middle, half) = row(k);
            let centre = W::nearest(middle);
            let half = half + (middle - centre.to_f64()).abs();
            [centre, W::above(half), W::above(centre.to_f64().abs() + half)]
        })
        .collect()
}

/// Bounds on the widths of these rows' strips: the narrowest and the widest.
pub(super) fn widths<W: Width>(
    keys: &SortedKeys<'_, W>,
    plan: &PreparedStep<'_, W>,
    node: usize,
    fan: &[Fan<W>],
) -> [W; 2] {
    let d = keys.cloud.d;
    let around = &keys.tree.boxes()[node * 2 * d..][..2 * d];
    // Ranges of |q_k|, and of q_k x_k.
    let size = |k: usize| {
        let [centre, half, largest] = fan[k].map(W::to_f64);
        [(centre.abs() - half).max(0.0), largest]
    };
    let product = |k: usize| {
        let ([q, r, _], x, h) = (fan[k].map(W::to_f64), around[k].to_f64(), around[d + k].to_f64());
        let spread = q.abs() * h + r * x.abs() + r * h;
        [q * x - spread, q * x + spread]
    };
    let sums = |of: &dyn Fn(usize) -> [f64; 2]| (0..d).map(of).fold([0.0, 0.0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    // Squares and widths are clamped; roots are taken of whole numbers, and rounded down.
    let clamp = f64::from(W::PRECISION.clamp_bits()).exp2();
    let of_squares = |factor: i128, [least, most]: [f64; 2]| {
        let least = (least.min(clamp) - 1.0).max(0.0).sqrt() - 1.0;
        [(factor as f64 * least).min(clamp), factor as f64 * most.max(0.0).sqrt()]
    };
    let [narrowest, widest] = match plan.step.width {
        StripWidth::Argmax => [0.0; 2],
        StripWidth::Constant(width) => [width as f64; 2],
        StripWidth::QueryNorm { factor } => of_squares(factor, sums(&|k| size(k).map(|q| q * q))),
        StripWidth::ANorm { factor, parity } => {
            let scale = f64::from(parity).exp2();
            // Rounding costs the sums far less than the share of their largest term that is taken
            // off.
            let largest = |k: usize| [0.0, fan[k][2].to_f64() * (around[k].to_f64().abs() + around[d + k].to_f64())];
            let spared = 1e-6 * sums(&largest)[1];
            let [least, most] = sums(&product);
            of_squares(factor, [(least - spared) * scale, (most + spared) * scale])
        }
    };
    // Room for their rounding.
    let narrowest = W::nearest((0.999 * narrowest - 2.0).max(0.0));
    [narrowest, if widest == 0.0 { W::default() } else { W::above(1.001 * widest + 2.0) }]
}

/// A key, of those in the tree, that is far in a direction.
pub(crate) fn farthest_key<W: Width>(keys: &SortedKeys<'_, W>, direction: &[W]) -> u32 {
    let fan: Vec<Fan<W>> = direction.iter().map(|&q| [q, W::default(), q.size()]).collect();
    nearest(keys, &fan, 0, &mut 0)
}

/// A key with a large score for the middle of a fan: by floats alone, since any key will do. Adds
/// to the number of `bounds`.
#[inline(always)]
pub(super) fn nearest<W: Width>(keys: &SortedKeys<'_, W>, fan: &[Fan<W>], near: u32, bounds: &mut u64) -> u32 {
    let (tree, d, floats) = (keys.tree, keys.cloud.d, &keys.cloud.floats);
    let score = |key: usize| fan.iter().zip(&floats[key * d..]).fold(W::default(), |sum, (q, &x)| sum + q[0] * x);
    let upper = |node: usize| {
        let (centre, half) = tree.boxes()[node * 2 * d..][..2 * d].split_at(d);
        fan.iter()
            .zip(centre.iter().zip(half))
            .fold(W::default(), |sum, (q, (&c, &h))| sum + q[0] * c + q[0].size() * h)
    };
    let (mut best, mut key) = (score(near as usize), near);
    for seed in keys.seeds.clone() {
        let score = score(seed as usize);
        if score > best {
            (best, key) = (score, seed);
        }
    }
    let mut open = vec![(1, W::LOWEST.size())];
    while let Some((node, bound)) = open.pop() {
        if bound <= best || tree.weight()[node] == 0 {
            continue;
        }
        *bounds += 1;
        if node >= tree.first_leaf() {
            *bounds += LEAF as u64 / 4;
            for other in tree.range(node) {
                let score = score(other);
                if score > best {
                    (best, key) = (score, other as u32);
                }
            }
            continue;
        }
        let [a, b] = [2 * node, 2 * node + 1].map(|child| (child, upper(child)));
        open.extend(if a.1 < b.1 { [a, b] } else { [b, a] });
    }
    key
}
