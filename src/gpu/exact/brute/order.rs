//! The order of keys, which are rows too: near ones near one another, so that a strip begins and ends in few of the
//! supertiles that it goes through, and a supertile's box says much of its keys.

use crate::space::{Keys, Order};

/// The tokens that keys are, in the order of keys; none where every key is the token of its number.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyOrder {
    tokens: Vec<u32>,
    keys: Vec<u32>,
}

impl KeyOrder {
    /// Near rows of an (n, d) lattice array near one another.
    pub(super) fn near(lattice: &[i64], d: usize) -> Self {
        let (_, keys) = Keys::of_tokens(lattice.to_vec(), d).ordered(d, Order::Space, false);
        let mut tokens = vec![0; keys.len()];
        (0..).zip(&keys).for_each(|(token, &key)| tokens[key as usize] = token);
        Self { tokens, keys }
    }

    /// Whether every key is the token of its number.
    pub(super) fn is_own(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn token_of(&self, key: u32) -> u32 {
        self.tokens.get(key as usize).copied().unwrap_or(key)
    }

    pub(super) fn key_of(&self, token: usize) -> usize {
        self.keys.get(token).map_or(token, |&key| key as usize)
    }

    /// The rows of an (n, d) array of tokens in the order of keys.
    pub(super) fn keys_of(&self, lattice: &[i64], d: usize) -> Vec<i64> {
        let row = |token: &u32| &lattice[*token as usize * d..][..d];
        if self.is_own() { lattice.to_vec() } else { self.tokens.iter().flat_map(row).copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::Grid;
    use crate::gpu::exact::kernels::SUPERTILE;
    use crate::init::{Cloud, CloudSample};
    use crate::tokens::Precision;

    /// Of each row in some, whether its border, of a strip of half the keys, cuts each supertile's box.
    fn cuts(keys: &[i64], d: usize, rows: std::ops::Range<usize>) -> Vec<Vec<bool>> {
        let row = |at: usize| &keys[at * d..][..d];
        let of_row = |q: &[i64]| {
            let score = |x: &[i64]| q.iter().zip(x).map(|(q, x)| q * x).sum::<i64>();
            let scores: Vec<i64> = keys.chunks_exact(d).map(score).collect();
            let mut sorted = scores.clone();
            let threshold = *sorted.select_nth_unstable(scores.len() / 2).1;
            let tile = |(scores, keys): (&[i64], &[i64])| {
                let least = |k: usize| {
                    let x = keys.iter().skip(k).step_by(d).map(|x| q[k] * x);
                    x.min().unwrap_or_default()
                };
                scores.iter().any(|&s| s >= threshold) && (0..d).map(least).sum::<i64>() < threshold
            };
            let side = SUPERTILE as usize;
            scores.chunks(side).zip(keys.chunks(side * d)).map(tile).collect()
        };
        rows.map(|at| of_row(row(at))).collect()
    }

    /// Were near keys strewn over all supertiles, every strip would cut every one of them.
    #[test]
    fn strips_of_half_the_keys_cut_few_supertiles() {
        let d = 3;
        for (n, most) in [(16_384, [0.40, 0.70]), (65_536, [0.28, 0.52])] {
            let tokens = CloudSample::new(Cloud::Gaussian, n, d).tokens(7, Precision::F32).unwrap();
            let lattice = Grid::of(&tokens, Precision::F32).coordinates(&tokens);
            let keys = KeyOrder::near(&lattice, d).keys_of(&lattice, d);
            let mut sums = [0.0; 2];
            let firsts: Vec<usize> = (0..n - 128).step_by(n / 8).collect();
            for &first in &firsts {
                let cuts = cuts(&keys, d, first..first + 128);
                let share =
                    |is_cut: &dyn Fn(usize) -> f64| (0..cuts[0].len()).map(is_cut).sum::<f64>() / cuts[0].len() as f64;
                sums[0] += share(&|tile| cuts.iter().filter(|row| row[tile]).count() as f64 / cuts.len() as f64);
                sums[1] += share(&|tile| f64::from(u8::from(cuts.iter().any(|row| row[tile]))));
            }
            let shares = sums.map(|sum| sum / firsts.len() as f64);
            println!("n = {n}: a row cuts {:.2} of all supertiles, 128 rows {:.2}", shares[0], shares[1]);
            assert!(shares[0] < most[0] && shares[1] < most[1], "n = {n}: {shares:?}");
            let strewn = cuts(&lattice, d, 0..1);
            assert!(strewn[0].iter().all(|&is_cut| is_cut));
        }
    }
}
