//! Seeded streams of random numbers: a seed, a purpose and an index give one ChaCha8 stream, the same on every
//! platform. Streams are independent of one another, so what token i draws does not depend on how many there are.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// One stream of draws.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha8Rng,
    /// The second half of the last pair of normals.
    spare: Option<f64>,
}

impl Stream {
    /// Stream `index` of `seed`, for one purpose (at most 24 bytes of its name count).
    pub fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let name = &purpose.as_bytes()[..purpose.len().min(24)];
        key[8..][..name.len()].copy_from_slice(name);
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(index);
        Self { generator, spare: None }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
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
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
