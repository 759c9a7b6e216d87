//! What a step of several ranks is expected to take: bytes, calls and seconds. A model, for one who plans a run,
//! and for how much memory its ranks are checked to have.

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

/// What one of 16 ranks hears in the first step of normal tokens, as `benches/ranks.rs` counts it.
#[derive(Clone, Copy)]
struct Heard {
    /// Bytes of 10^6 tokens, or more.
    bytes: f64,
    /// The power of n that they grow with.
    growth: f64,
    /// Bytes of every rank in any case.
    of_each: f64,
    /// Calls of 10^6 tokens and more.
    calls: u64,
}

/// By boxes: a rank tells its root, and most often the boxes below it.
const fn boxes(bytes: f64, growth: f64, calls: u64) -> Heard {
    Heard { bytes, growth, of_each: 50.0, calls }
}

/// By a table of directions.
const fn table(bytes: f64) -> Heard {
    Heard { bytes, growth: 0.0, of_each: 2.0, calls: 7 }
}

/// By d from 1 on. Growth is from 10^6 to 4·10^6, and in space to 10^7; of wide strips for d = 4 it is a guess.
const THIN: [Heard; MOST] = [boxes(4.9e3, 0.25, 23), table(1.6e3), table(3.4e4), boxes(3.6e5, 0.15, 28)];
const WIDE: [Heard; MOST] =
    [boxes(2.8e6, 1.0, 46), boxes(3.3e6, 0.66, 43), boxes(9.2e5, 0.55, 39), boxes(1.6e6, 0.6, 35)];

/// Nanoseconds of one thread (AVX-512) for a row, by d from 1 on.
const THIN_ROW: [f64; MOST] = [60.0, 60.0, 120.0, 300.0];
const WIDE_ROW: [f64; MOST] = [80.0, 250.0, 350.0, 1500.0];

/// Nanoseconds of one thread for a coordinate of a score: between 0.10 and 0.13 at d = 16 and 64.
const TERM: f64 = 0.12;

/// Seconds that a call takes there and back, for every doubling of ranks, and seconds a byte: a cluster's network of
/// 10 GB/s.
const CALL: f64 = 6e-6;
const BYTE: f64 = 1e-10;

impl Talk {
    /// The first step of normal tokens in f32 under plan `opened`.
    pub fn opened((n, d): (usize, usize), size: usize, threads: usize, width: Width) -> Self {
        let (at, rows) = (d.clamp(1, MOST) - 1, n as f64 * row((n, d), width));
        if size == 1 {
            return Self::new(rows, 0.0, 0, size, threads);
        }
        let Heard { bytes, growth, of_each, calls } = if width == Width::Thin { THIN[at] } else { WIDE[at] };
        let all = n as f64 * (4 * d + 8) as f64;
        // Beyond the dimensions that were measured, boxes say little.
        let opened = if d > MOST { all } else { bytes * (n as f64 / 1e6).powf(growth) };
        Self::new(rows, opened.min(all) + of_each * size as f64, calls, size, threads)
    }

    /// A step in which all rows are gathered, each of so many bytes.
    pub fn gathered((n, d): (usize, usize), size: usize, threads: usize, width: Width) -> Self {
        let bytes = n as f64 * (4 * d + 8) as f64 * (size - 1) as f64 / size as f64;
        Self::new(n as f64 * row((n, d), width), bytes, u64::from(size > 1), size, threads)
    }

    /// From the nanoseconds of all rows.
    fn new(rows: f64, bytes: f64, calls: u64, size: usize, threads: usize) -> Self {
        let talk = calls as f64 * (size as f64).log2() * CALL + bytes * BYTE;
        Self { bytes: bytes as u64, calls, seconds: rows * 1e-9 / (size * threads) as f64 + talk }
    }
}

/// Nanoseconds of one thread for a row of n; beyond the dimensions that were measured, where boxes say little, those
/// of a score with every key.
fn row((n, d): (usize, usize), width: Width) -> f64 {
    if d > MOST {
        return n as f64 * d as f64 * TERM;
    }
    let rows = if width == Width::Thin { THIN_ROW } else { WIDE_ROW };
    rows[d.clamp(1, MOST) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who plans a job by it must not be told that one rank talks to itself, nor that more ranks take longer where
    /// rows are all that there is to do.
    #[test]
    fn more_ranks_take_less_time_and_one_says_nothing() {
        let of = |size| Talk::opened((100_000_000, 3), size, 2, Width::Wide);
        assert_eq!((of(1).bytes, of(1).calls, Talk::gathered((1000, 3), 1, 2, Width::Thin).bytes), (0, 0, 0));
        assert!(of(64).seconds < of(4).seconds && of(4).seconds < of(1).seconds);
        assert!(of(64).bytes > 10_000_000 && of(64).bytes < 40_000_000);
        // Nothing is told that a gather of all rows would not tell, but for the roots.
        let small = Talk::opened((100, 3), 4, 2, Width::Wide);
        assert_eq!(small.bytes, 2000 + 4 * 50);
        assert_eq!(Talk::gathered((100, 3), 4, 2, Width::Wide).bytes, 1500);
    }
}
