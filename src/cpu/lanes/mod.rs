//! Vectors of floats and of integers of the same width: one trait, a table of instructions for each
//! instruction set.
//!
//! A value of a [`Lanes`] type proves that this machine has the instructions behind it:
//! [`Vectors::run`] makes one inside a function compiled for that set. Kernels are generic over the
//! trait and `#[inline(always)]`, so that all of them end up in that function.
//!
//! `fearless_simd` 1.2 was tried instead. It has every operation and gives the same bits; scores
//! take as long on AVX-512 and AVX2, within 3 %. But its AVX-512 level asks for the extensions of
//! Ice Lake, so that older processors with AVX-512 would lose theirs, and on plain x86 comparisons
//! of f64 at d = 3 take 1.7 times as long.
#![allow(unsafe_code)] // vector instructions; every block says which check it rests on

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod bytes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod table;

use crate::error::{Error, Result};
use crate::tokens::Precision;

/// Vectors in a packet of queries. Its rows fill `VECTORS · WIDTH` lanes, at most 64, so that a set
/// of them is a u64.
pub(crate) const VECTORS: usize = 4;

/// The most lanes of a packet.
pub(crate) const LANES: usize = 64;

/// The most keys that are scored side by side, over all instruction sets.
pub(crate) const MOST_KEYS: usize = 4;

/// Operations on vectors of floats F, on vectors of integers I of the same size, and on sets of
/// lanes.
pub(crate) trait Lanes<F, I>: Copy {
    /// WIDTH floats.
    type Floats: Copy;
    /// WIDTH integers.
    type Ints: Copy;
    /// A set of lanes in the form that [`Self::add_where`] takes.
    type Mask: Copy;
    /// Lanes in a vector.
    const WIDTH: usize;
    /// Keys scored side by side: as many as have room for their sums in registers; divides the key
    /// block.
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
    /// x·2^k for an integer k whose lowest bits are the lowest of z's pattern. The result must be
    /// normal.
    fn shift_exponent(self, x: Self::Floats, z: Self::Floats) -> Self::Floats;

    /// The lanes whose bit is set.
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

/// A float with the integer of its width: every instruction set has lanes for the pair.
pub(crate) trait Vectors: Sized {
    type Int;

    /// Runs a job compiled for an instruction set, which this machine must have.
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

    /// Whether this machine has this set.
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

    /// The set asked for, or the fastest one.
    ///
    /// # Errors
    /// This machine lacks the set asked for.
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

    /// Rows in a packet of queries.
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
    ($float:ty, $int:ty, $lanes:ident) => {
        impl Vectors for $float {
            type Int = $int;

            fn run<J: Job<Self, $int>>(set: InstructionSet, job: J) -> J::Output {
                debug_assert!(set.is_available());
                // SAFETY: an engine holds only sets that `choose` found on this machine.
                unsafe {
                    match set {
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx512 => avx512::$lanes::run(job),
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx2 => avx2::$lanes::run(job),
                        #[cfg(target_arch = "aarch64")]
                        InstructionSet::Neon => neon::$lanes::run(job),
                        _ => portable::$lanes::run(job),
                    }
                }
            }
        }
    };
}
vectors!(f32, i32, Single);
vectors!(f64, i64, Double);
