//! The tokens of one stage as its kernels read them.

use crate::cpu::aligned::Aligned;
use crate::cpu::real::kernels::{KEYS, Real};
use crate::num;

/// The tokens of one stage: as f64, and as scaled keys padded with zeros to whole tiles.
pub(crate) struct Cloud<'a, W> {
    pub(crate) n: usize,
    pub(crate) d: usize,
    pub(crate) x: &'a [f64],
    keys: Aligned<W>,
    /// Keys are x·2^−exponent.
    pub(crate) exponent: i32,
}

impl<'a, W: Real> Cloud<'a, W> {
    pub(crate) fn new(d: usize, x: &'a [f64]) -> Self {
        let n = x.len() / d;
        let exponent = num::exponent_above(x.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
        let mut keys = Aligned::new(n.next_multiple_of(KEYS) * d);
        let scale = power_of_two(-exponent);
        for (key, &x) in keys.iter_mut().zip(x) {
            *key = W::nearest(scale(x));
        }
        Self { n, d, x, keys, exponent }
    }

    /// The scaled keys, with their padding.
    pub(crate) fn keys(&self) -> &[W] {
        &self.keys
    }

    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.d..][..self.d]
    }
}

/// A function that multiplies by 2^exponent: by one product where that is a normal number.
pub(crate) fn power_of_two(exponent: i32) -> impl Fn(f64) -> f64 {
    let factor = num::scale(1.0, exponent);
    move |x| if factor.is_normal() { x * factor } else { num::scale(x, exponent) }
}
