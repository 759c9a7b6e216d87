//! Which tokens a rank holds.

use crate::tokens::Tokens;

/// The tokens of one of several ranks, ascending: the cloud is halved along its widest axis, and each part
/// again, until there is one for every rank. Neighbours so come to one rank, which needs little of the others.
pub(crate) fn part(tokens: &Tokens, size: usize, rank: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..tokens.n() as u32).collect();
    let (mut first, mut size) = (0, size);
    while size > 1 {
        let of = |i: u32, k: usize| tokens.get(i as usize, k);
        let extent = |k: usize| {
            let ends = ids.iter().map(|&i| of(i, k));
            let (low, high) = ends.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
            high - low
        };
        let left = size / 2;
        let at = (ids.len() as u128 * left as u128 / size as u128) as usize;
        if at < ids.len() {
            let extents: Vec<f64> = (0..tokens.d()).map(extent).collect();
            let axis = (0..tokens.d()).max_by(|&a, &b| extents[a].total_cmp(&extents[b])).unwrap_or(0);
            ids.select_nth_unstable_by(at, |&a, &b| of(a, axis).total_cmp(&of(b, axis)).then(a.cmp(&b)));
        }
        let right = ids.split_off(at);
        if rank < first + left {
            size = left;
        } else {
            (ids, first, size) = (right, first + left, size - left);
        }
    }
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token of nobody would be lost, one of two ranks counted twice.
    #[test]
    fn every_token_is_dealt_out_once() {
        for (n, d, size) in [(1, 2, 4), (100, 2, 7), (64, 3, 64), (1000, 1, 5)] {
            let x: Vec<f32> = (0..n * d).map(|i| ((i * 7919) % 13) as f32).collect();
            let tokens = Tokens::from_flat(n, d, x).unwrap();
            let parts: Vec<Vec<u32>> = (0..size).map(|rank| part(&tokens, size, rank)).collect();
            let (least, most) = parts.iter().map(Vec::len).fold((n, 0), |(a, b), len| (a.min(len), b.max(len)));
            assert!(most - least <= 1 + size.ilog2() as usize, "{least} to {most} tokens");
            let mut all = parts.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..n as u32), "n = {n}, {size} ranks");
        }
    }
}
