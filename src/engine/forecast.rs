//! What a step of several ranks is expected to take: bytes, calls and seconds. A model, for one who plans a run;
//! nothing is decided by it but how much memory is asked for.

/// The strips that a run has, as far as they rule what ranks tell one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// δ = 0.
    Thin,
    /// A score strip of 0.01·max|x|².
    Wide,
}

/// What a rank hears in a step, and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Talk {
    /// Bytes from other ranks.
    pub bytes: u64,
    /// Calls, which all ranks make together.
    pub calls: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Dimensions with figures of their own.
const MOST: usize = 4;

/// Bytes that a rank hears in the first step of 10^6 normal tokens, by d from 1 on, and the exponent of n that it
/// grows with.
const THIN: [(f64, f64); MOST] = [(3e3, 0.1), (3e4, 0.1), (1.0e5, 0.2), (2.5e6, 0.4)];
const WIDE: [(f64, f64); MOST] = [(3e4, 0.1), (1e6, 0.5), (1.1e6, 0.53), (6e6, 0.8)];

/// Nanoseconds of one thread for a row of 10^6, by d from 1 on.
const THIN_ROW: [f64; MOST] = [50.0, 80.0, 130.0, 1000.0];
const WIDE_ROW: [f64; MOST] = [100.0, 200.0, 400.0, 3000.0];

/// Bytes that a rank hears for every rank: its root, and what is told of it in any case.
const ROOT: f64 = 350.0;

/// Calls of a step of parts, and of one with all keys.
const CALLS: u64 = 20;

/// What a call takes for every doubling of ranks, in seconds, and a byte.
const CALL: f64 = 3e-6;
const BYTE: f64 = 1e-10;

impl Talk {
    /// The first step of normal tokens under plan `opened`; later ones take less.
    pub fn opened((n, d): (usize, usize), size: usize, threads: usize, width: Width) -> Self {
        let (at, scale) = (d.clamp(1, MOST) - 1, n as f64 / 1e6);
        let ((bytes, growth), row) = match width {
            Width::Thin => (THIN[at], THIN_ROW[at]),
            Width::Wide => (WIDE[at], WIDE_ROW[at]),
        };
        let all = (n * (4 * d + 8)) as f64;
        // Beyond the dimensions that were measured, boxes say little.
        let opened = if d > MOST { all } else { (bytes * scale.powf(growth)).min(all) };
        let bytes = if size == 1 { 0.0 } else { opened + ROOT * size as f64 };
        Self::new(n as f64 * row, bytes, if size == 1 { 0 } else { CALLS }, size, threads)
    }

    /// A step in which all rows are gathered, each of so many bytes.
    pub fn gathered((n, d): (usize, usize), size: usize, threads: usize, width: Width) -> Self {
        let at = d.clamp(1, MOST) - 1;
        let row = if width == Width::Thin { THIN_ROW[at] } else { WIDE_ROW[at] };
        let bytes = (n * (4 * d + 8)) as f64 * (size - 1) as f64 / size as f64;
        Self::new(n as f64 * row, bytes, u64::from(size > 1), size, threads)
    }

    /// From the nanoseconds of all rows.
    fn new(rows: f64, bytes: f64, calls: u64, size: usize, threads: usize) -> Self {
        let talk = calls as f64 * 2.0 * (size as f64).log2() * CALL + bytes * BYTE;
        Self { bytes: bytes as u64, calls, seconds: rows * 1e-9 / (size * threads) as f64 + talk }
    }
}
