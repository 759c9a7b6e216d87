//! Parts of the keys, of which each is a tree within what one binding reaches.

use std::ops::Range;

/// The keys of each part. A part's keys lie from its first place on; there is a place for each token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Places of a part; the last has what is left.
    places: u32,
    /// Keys of each part.
    pub(super) keys: Vec<u32>,
}

impl Parts {
    /// Parts of n tokens of which each is a key, so many places each.
    pub(super) fn of(n: u32, places: u32) -> Self {
        let keys = (0..n).step_by(places as usize).map(|first| places.min(n - first)).collect();
        Self { places, keys }
    }

    /// Number of parts.
    pub(super) fn count(&self) -> u32 {
        self.keys.len() as u32
    }

    /// Keys of all parts.
    pub(super) fn total(&self) -> u32 {
        self.keys.iter().sum()
    }

    /// The tokens of a part, of all n.
    pub(super) fn tokens(&self, part: u32, n: u32) -> u32 {
        self.places.min(n - part * self.places)
    }

    /// The place of the first key of a part.
    pub(super) fn first_place(&self, part: u32) -> u32 {
        part * self.places
    }

    /// Some of all keys, counted through the parts: of each part, those counted from its first key.
    pub(super) fn split(&self, keys: &Range<u32>) -> Vec<(u32, Range<u32>)> {
        let mut before = 0;
        let mut split = Vec::new();
        for (part, &count) in (0..).zip(&self.keys) {
            let inside = keys.start.max(before)..keys.end.min(before + count);
            if !inside.is_empty() {
                split.push((part, inside.start - before..inside.end - before));
            }
            before += count;
        }
        split
    }

    /// The key of each token among all keys, from its key in the token's part.
    pub(super) fn among_all(&self, owner: &mut [u32]) {
        let mut before = 0;
        for (owner, &count) in owner.chunks_mut(self.places as usize).zip(&self.keys) {
            for key in owner {
                *key += before;
            }
            before += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key counted in two parts would move twice, one in none never.
    #[test]
    fn every_key_is_in_one_part() {
        let mut parts = Parts::of(300, 128);
        assert_eq!((parts.keys.clone(), parts.total()), (vec![128, 128, 44], 300));
        assert_eq!([0, 2].map(|part| parts.tokens(part, 300)), [128, 44]);
        parts.keys = vec![100, 1, 44];
        for (from, to) in [(0, 145), (0, 0), (99, 102), (100, 101), (101, 145), (30, 60)] {
            let split = parts.split(&(from..to));
            let places: Vec<u32> =
                split.iter().flat_map(|(part, keys)| keys.clone().map(|key| parts.first_place(*part) + key)).collect();
            let all: Vec<u32> = (0..100).chain([128]).chain(256..300).collect();
            assert_eq!(places, all[from as usize..to as usize]);
        }
        let mut owner = vec![0; 300];
        owner[255] = 0;
        owner[299] = 43;
        parts.among_all(&mut owner);
        assert_eq!([0, 127, 128, 255, 256, 299].map(|token| owner[token]), [0, 0, 100, 100, 101, 144]);
    }
}
