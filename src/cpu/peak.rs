//! The machine's multiply-add peak: what the score loop would do if memory and decisions cost
//! nothing.
#![allow(clippy::inline_always)] // see `lanes`

use std::hint::black_box;
use std::time::Duration;

use crate::clock::Instant;
use crate::error::Result;
use crate::threads::Pool;
use crate::tokens::Precision;

use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Job, Lanes, MOST_KEYS, VECTORS};
use crate::cpu::options::Options;

/// Multiply-adds of a lane in one call of the kernel.
const ROUNDS: usize = 100_000;

/// Measures GFLOP/s of multiply-adds on registers alone, all threads together; a multiply-add
/// counts as 2. The median of several runs of about 10 ms.
///
/// # Errors
/// The options are refused as by [`crate::cpu::ExactCpu::new`].
pub fn fma_peak(precision: Precision, options: Options) -> Result<f64> {
    let set = InstructionSet::choose(options.set)?;
    let pool = Pool::start(options.threads)?;
    let mut rates: Vec<f64> = (0..7)
        .map(|_| {
            let rates = pool.broadcast(|| match precision {
                Precision::F32 => rate::<f32>(set),
                Precision::F64 => rate::<f64>(set),
            });
            rates.iter().sum()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}

/// GFLOP/s of the calling thread.
fn rate<W: Width>(set: InstructionSet) -> f64 {
    let (start, mut flops) = (Instant::now(), 0.0);
    while start.elapsed() < Duration::from_millis(10) {
        flops += W::run(set, Spin::<W>(black_box([W::default(); MOST_KEYS * VECTORS])));
    }
    flops / start.elapsed().as_secs_f64() / 1e9
}

/// Starts of the chains of multiply-adds, as many as the score loop has.
struct Spin<W>([W; MOST_KEYS * VECTORS]);

impl<W: Width> Job<W, W::Int> for Spin<W> {
    /// The number of operations done.
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, lanes: L) -> f64 {
        let x = lanes.splat(self.0[0]);
        let mut sums = [[x; VECTORS]; MOST_KEYS];
        for (sum, &start) in sums.iter_mut().flatten().zip(&self.0) {
            *sum = lanes.splat(start);
        }
        for _ in 0..ROUNDS {
            for sums in &mut sums[..L::KEYS] {
                for sum in sums {
                    *sum = lanes.mul_add(*sum, x, x);
                }
            }
        }
        let mut all = x;
        for sum in sums[..L::KEYS].iter().flatten() {
            all = lanes.max(all, *sum);
        }
        black_box(lanes.at_least(all, x));
        (2 * ROUNDS * L::KEYS * VECTORS * L::WIDTH) as f64
    }
}
