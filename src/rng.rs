//! Seeded streams of random numbers: a seed, a purpose and an index give one ChaCha8 stream, the
//! same on every platform. Streams are independent of one another, so what token i draws does not
//! depend on how many there are.
//!
//! Draws inside a step come from a counter instead ([`uniform_at`]): a pure function of (seed,
//! step, token), cheap on any device.

/// Streams that [`Stream::side_by_side`] begins at once.
pub(crate) const SIDE: usize = 8;

/// One stream of draws.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 8],
    index: u64,
    /// The block at hand, the number of its words that are drawn, and the number of the next one.
    block: [u32; 16],
    drawn: usize,
    next: u64,
    /// The second normal of the last pair.
    spare: Option<f64>,
}

impl Stream {
    /// Stream `index` of `seed` for one purpose (only the first 24 bytes of its name count).
    pub fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let name = &purpose.as_bytes()[..purpose.len().min(24)];
        bytes[8..][..name.len()].copy_from_slice(name);
        let mut key = [0; 8];
        key.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
        Self { key, index, block: [0; 16], drawn: 16, next: 0, spare: None }
    }

    /// The streams from `first` on, as [`Stream::new`] gives them, with the first block of each
    /// computed in vectors: most tokens draw no more.
    pub(crate) fn side_by_side(seed: u64, purpose: &str, first: u64) -> [Self; SIDE] {
        let stream = Self::new(seed, purpose, first);
        let places: [_; SIDE] = std::array::from_fn(|l| (0, first + l as u64));
        let blocks = chacha(&stream.key, places);
        std::array::from_fn(|l| Self {
            index: first + l as u64,
            block: blocks.map(|words| words[l]),
            drawn: 0,
            next: 1,
            ..stream.clone()
        })
    }

    /// Its index.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        if self.drawn == 16 {
            self.block = chacha(&self.key, [(self.next, self.index)]).map(|[word]| word);
            (self.drawn, self.next) = (0, self.next + 1);
        }
        let [low, high] = [0, 1].map(|word| u64::from(self.block[self.drawn + word]));
        self.drawn += 2;
        high << 32 | low
    }

    /// Uniform in [0, 1): 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (f64::EPSILON / 2.0)
    }

    /// Uniform in 0..count, by the high half of a product (biased by at most count·2^-64).
    pub fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(count)) >> 64) as u64
    }

    /// Standard normal, by Box and Muller's pair.
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform())); // the logarithm's argument is in (0, 1]
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * self.uniform());
        self.spare = Some(radius * sin);
        radius * cos
    }
}

/// Blocks of ChaCha8 (Bernstein, ChaCha, a variant of Salsa20, 2008) side by side, `[word][block]`: of
/// one key, each with its number (64 bits) in its stream (64 bits).
#[allow(clippy::needless_range_loop)] // a loop over the blocks is one of vectors
fn chacha<const N: usize>(key: &[u32; 8], places: [(u64, u64); N]) -> [[u32; N]; 16] {
    let mut start = [[0; N]; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574].map(|word| [word; N]));
    start[4..12].copy_from_slice(&key.map(|word| [word; N]));
    start[12] = places.map(|(block, _)| block as u32);
    start[13] = places.map(|(block, _)| (block >> 32) as u32);
    start[14] = places.map(|(_, stream)| stream as u32);
    start[15] = places.map(|(_, stream)| (stream >> 32) as u32);
    let mut words = start;
    let mut quarter = |[a, b, c, d]: [usize; 4]| {
        for l in 0..N {
            for (to, from, by, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                words[to][l] = words[to][l].wrapping_add(words[from][l]);
                words[by][l] = (words[by][l] ^ words[to][l]).rotate_left(turn);
            }
        }
    };
    for _ in 0..4 {
        (0..4).for_each(|k| quarter([k, 4 + k, 8 + k, 12 + k]));
        (0..4).for_each(|k| quarter([k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4]));
    }
    for (words, start) in words.iter_mut().zip(start) {
        words.iter_mut().zip(start).for_each(|(word, start)| *word = word.wrapping_add(start));
    }
    words
}

/// Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC'11): 128 random
/// bits of a counter and a key, by 32-bit multiplications alone.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    for _ in 0..10 {
        let ((high0, low0), (high1, low1)) = (product(0xD251_1F53, counter[0]), product(0xCD9E_8D57, counter[2]));
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// The draw of token i at step t, uniform in [0, 1): the top 53 of the 64 bits that [`philox`] puts
/// into its words 1 (high) and 0 (low), for the counter (t low, t high, i low, i high) and the key
/// (seed low, seed high).
pub fn uniform_at(seed: u64, t: u64, i: u64) -> f64 {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    let ([t0, t1], [i0, i1]) = (halves(t), halves(i));
    let [low, high, _, _] = philox([t0, t1, i0, i1], halves(seed));
    (((u64::from(high) << 32) | u64::from(low)) >> 11) as f64 * (f64::EPSILON / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published answers of Random123 (kat_vectors): any other generator would draw other keys
    /// on other engines.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    /// Draws of neighbouring tokens, steps and seeds must look independent: mean and correlation of
    /// 20,000 pairs within 5 standard errors.
    #[test]
    fn draws_at_neighbouring_places_are_independent() {
        let count = 20_000;
        for neighbour in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
            let (mut mean, mut product) = (0.0, 0.0);
            for at in 0..count {
                let u = uniform_at(3, at % 100, at / 100);
                let v = uniform_at(3 + neighbour.0, at % 100 + neighbour.1, at / 100 + neighbour.2);
                assert!((0.0..1.0).contains(&u));
                mean += (u - 0.5) / count as f64;
                product += (u - 0.5) * (v - 0.5) / count as f64;
            }
            let error = (count as f64).sqrt().recip();
            assert!(mean.abs() < 5.0 * error / 12f64.sqrt() && product.abs() < 5.0 * error / 12.0);
        }
    }

    /// ChaCha8 as another library has it: over blocks, in streams of any number, begun one by one or
    /// side by side.
    #[test]
    fn streams_are_those_of_chacha() {
        use rand_chacha::rand_core::{Rng, SeedableRng};
        let mut key = [0; 32];
        key[0] = 5;
        key[8..13].copy_from_slice(b"other");
        for first in [0, 3, u64::from(u32::MAX) - 2] {
            for (l, mut side) in (0..).zip(Stream::side_by_side(5, "other", first)) {
                let mut alone = Stream::new(5, "other", first + l);
                let mut theirs = rand_chacha::ChaCha8Rng::from_seed(key);
                theirs.set_stream(first + l);
                for _ in 0..50 {
                    let bits = theirs.next_u64();
                    assert_eq!([side.bits(), alone.bits()], [bits; 2], "stream {}", first + l);
                }
            }
        }
    }

    /// If these bits changed, every published seed would mean another cloud.
    #[test]
    fn streams_are_fixed_for_ever() {
        let mut stream = Stream::new(7, "tokens", 0);
        let first = [stream.bits(), stream.bits()];
        assert_eq!(first, [FIRST, SECOND]);
        let normals: Vec<u64> = (0..3).map(|_| Stream::new(7, "tokens", 1).normal().to_bits()).collect();
        assert_eq!(normals, [NORMAL; 3]);
    }

    const FIRST: u64 = 17_262_254_760_537_363_326;
    const SECOND: u64 = 1_118_047_115_885_882_012;
    const NORMAL: u64 = 13_828_747_939_593_369_907;

    /// Streams that met would correlate tokens that ought to be independent.
    #[test]
    fn streams_differ_in_seed_purpose_and_index() {
        let draw = |seed, purpose, index| Stream::new(seed, purpose, index).bits();
        let all = [draw(1, "tokens", 0), draw(2, "tokens", 0), draw(1, "centres", 0), draw(1, "tokens", 1)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    /// Moments of 40,000 draws, within 5 standard errors of the truth.
    #[test]
    fn draws_have_their_moments() {
        let mut stream = Stream::new(3, "moments", 0);
        let count = 40_000;
        let (mut mean, mut square, mut uniform, mut whole) = (0.0, 0.0, 0.0, 0);
        for _ in 0..count {
            let x = stream.normal();
            mean += x / f64::from(count);
            square += x * x / f64::from(count);
            let u = stream.uniform();
            assert!((0.0..1.0).contains(&u));
            uniform += u / f64::from(count);
            whole += stream.below(6);
        }
        assert!(mean.abs() < 5.0 * 0.005);
        assert!((square - 1.0).abs() < 5.0 * 0.0071);
        assert!((uniform - 0.5).abs() < 5.0 * 0.00145);
        assert!((whole as f64 / f64::from(count) - 2.5).abs() < 5.0 * 0.0086);
    }
}
