//! The tokens behind merged keys.

use rayon::prelude::*;

/// The tokens of every key, ascending.
pub(crate) struct KeyTokens {
    starts: Vec<u32>,
    tokens: Vec<u32>,
}

impl KeyTokens {
    /// Lists n tokens by key, from the weight of each key and the key of each token.
    pub(crate) fn of(weights: &[u32], n: usize, key: impl Fn(usize) -> usize) -> Self {
        let mut starts = vec![0; weights.len() + 1];
        let mut ends: Vec<u32> = Vec::with_capacity(weights.len());
        let mut sum = 0;
        for (key, &weight) in weights.iter().enumerate() {
            ends.push(sum);
            sum += weight;
            starts[key + 1] = sum;
        }
        let mut tokens = vec![0; n];
        for i in 0..n {
            let end = &mut ends[key(i)];
            tokens[*end as usize] = i as u32;
            *end += 1;
        }
        Self { starts, tokens }
    }

    /// Tokens of some keys with an index below `visible`, ascending.
    pub(crate) fn below(&self, keys: &[u32], visible: u32) -> Vec<u32> {
        let of = |key: u32| &self.tokens[self.starts[key as usize] as usize..self.starts[key as usize + 1] as usize];
        let mut all: Vec<u32> = keys.iter().flat_map(|&key| of(key).iter().copied()).collect();
        all.retain(|&token| token < visible);
        all.sort_unstable();
        all
    }
}

/// The place of each token's key, in two hops, so that a sort of few keys touches few numbers.
pub(crate) struct Places {
    pub(crate) token: Vec<u32>,
    pub(crate) key: Vec<u32>,
}

impl Places {
    pub(crate) fn of(&self, token: usize) -> usize {
        self.key[self.token[token] as usize] as usize
    }

    pub(crate) fn follow(&mut self, moved: &[u32], keys: usize) {
        self.key.par_iter_mut().with_min_len(4096).for_each(|key| *key = moved[*key as usize]);
        if keys < self.key.len() / 2 {
            let Self { token, key } = self;
            token.par_iter_mut().with_min_len(4096).for_each(|place| *place = key[*place as usize]);
            *key = (0..keys as u32).collect();
        }
    }
}
