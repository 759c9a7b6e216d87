//! Vectors of floats and of integers of the same width, one trait over every instruction set.
//!
//! A value of a [`Lanes`] type is proof that this machine has the instructions behind it: [`InstructionSet::run`] makes
//! one after asking the processor, inside a function compiled for that set. Kernels are generic over the trait and
//! `#[inline(always)]`, so that all of them end up in that function.
#![allow(unsafe_code)] // vector instructions; every block says which check it rests on

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::error::{Error, Result};
use crate::tokens::Precision;

/// Vectors of one packet of queries: its rows fill `VECTORS · WIDTH` lanes, at most 64, so that a set of them is a u64.
pub(crate) const VECTORS: usize = 4;

/// The most lanes of a packet.
pub(crate) const LANES: usize = 64;

/// The most keys that are scored side by side.
pub(crate) const MOST_KEYS: usize = 4;

/// A vector of floats F, one of integers I of the same size, and sets of lanes.
pub(crate) trait Lanes<F, I>: Copy {
    /// WIDTH floats.
    type Floats: Copy;
    /// WIDTH integers.
    type Ints: Copy;
    /// A set of lanes in the form that additions want.
    type Mask: Copy;
    /// Lanes in a vector.
    const WIDTH: usize;
    /// Keys scored side by side: as many as accumulators fit the registers, a divisor of the key block.
    const KEYS: usize;

    fn splat(self, x: F) -> Self::Floats;
    fn load(self, from: &[F]) -> Self::Floats;
    fn store(self, x: Self::Floats, to: &mut [F]);
    /// a·b + c, rounded once or twice.
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Bit l: `a[l] >= b[l]`.
    fn at_least(self, a: Self::Floats, b: Self::Floats) -> u64;
    /// x where a >= b, +0 elsewhere.
    fn where_at_least(self, a: Self::Floats, b: Self::Floats, x: Self::Floats) -> Self::Floats;
    /// x·2^k, where the lowest bits of z's pattern are those of the integer k and the result is normal.
    fn shift_exponent(self, x: Self::Floats, z: Self::Floats) -> Self::Floats;

    fn mask(self, bits: u64) -> Self::Mask;
    fn splat_int(self, x: I) -> Self::Ints;
    fn load_ints(self, from: &[I]) -> Self::Ints;
    fn store_ints(self, x: Self::Ints, to: &mut [I]);
    /// a + x in the lanes of the mask, a elsewhere.
    fn add_where(self, mask: Self::Mask, a: Self::Ints, x: Self::Ints) -> Self::Ints;
}

/// A computation that is generic over its lanes. `run` must be `#[inline(always)]`.
pub(crate) trait Job<F, I> {
    type Output;
    fn run<L: Lanes<F, I>>(self, lanes: L) -> Self::Output;
}

/// A pair of float and integer that every instruction set has lanes for.
pub(crate) trait Vectors: Sized {
    type Int;
    fn run<J: Job<Self, Self::Int>>(set: InstructionSet, job: J) -> J::Output;
}

/// Instruction sets with kernels of their own, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// Arrays that the compiler vectorises as it can.
    Portable,
    /// 128-bit vectors of 64-bit Arm.
    Neon,
    /// 256-bit vectors with fused multiply-adds.
    Avx2,
    /// 512-bit vectors (F, BW, DQ and VL).
    Avx512,
}

impl InstructionSet {
    /// Every set, on this machine or not.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// The name used in configs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The fastest set of this machine.
    pub fn best() -> Self {
        *Self::ALL.iter().rev().find(|set| set.is_available()).unwrap_or(&Self::Portable)
    }

    /// The set asked for, or the fastest.
    ///
    /// # Errors
    /// A set that this machine lacks.
    pub fn choose(asked: Option<Self>) -> Result<Self> {
        match asked {
            Some(set) if !set.is_available() => Err(Error::device(format!(
                "this machine has no {} instructions; leave the instruction set out to get {}",
                set.name(),
                Self::best().name()
            ))),
            Some(set) => Ok(set),
            None => Ok(Self::best()),
        }
    }

    /// Rows of one packet of queries.
    pub(crate) fn packet_rows(self, precision: Precision) -> usize {
        let bytes = match self {
            Self::Neon => 16,
            Self::Portable | Self::Avx2 => 32,
            Self::Avx512 => 64,
        };
        VECTORS * bytes / precision.bytes()
    }
}

macro_rules! vectors {
    ($float:ty, $int:ty, $portable:ident, $neon:ident, $avx2:ident, $avx512:ident) => {
        impl Vectors for $float {
            type Int = $int;

            fn run<J: Job<Self, $int>>(set: InstructionSet, job: J) -> J::Output {
                debug_assert!(set.is_available());
                match set {
                    // SAFETY: an engine holds only sets that `choose` found on this machine.
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 => unsafe { avx512::$avx512::run(job) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx2 => unsafe { avx2::$avx2::run(job) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "aarch64")]
                    InstructionSet::Neon => unsafe { neon::$neon::run(job) },
                    _ => job.run(portable::$portable),
                }
            }
        }
    };
}
vectors!(f32, i32, Single, Single, Single, Single);
vectors!(f64, i64, Double, Double, Double, Double);
