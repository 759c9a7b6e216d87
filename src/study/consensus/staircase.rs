//! The staircase of arXiv 2410.06833, by its authors' scheme (`staircase.py`): five tokens on a
//! circle under USA, in a time in which every merger takes about as long.
//!
//! ```text
//! g_i = −1/n² Σ_j sin(θ_i − θ_j) e^{β(cos(θ_i − θ_j) − 1)}       θ ← θ + 10^-5 ln β · g/|g|
//! E   = 1/n² Σ_ij e^{β(cos(θ_i − θ_j) − 1)}                       a cluster of m tokens gives m²/n²
//! ```
//!
//! If |g| < 10^-5, pairs closer than 10^-3 are glued. It is no model of the engines, whose steps
//! are even in t: the time of these steps is not. Once all are one nothing moves any more, and the
//! run ends.

/// Number of tokens, most iterations, and iterations between two records.
const N: usize = 5;
const ITERATIONS: u64 = 1_000_000;
const EVERY: u64 = 50;
/// Length of a step over ln β; below `STALLED` the field counts as 0, and pairs closer than `GLUED`
/// become one.
pub(super) const STEP: f64 = 1e-5;
const STALLED: f64 = 1e-5;
const GLUED: f64 = 1e-3;

/// The authors' first angles.
fn start() -> [f64; N] {
    let unit = 0.5 * libm::log(2000.0) / 2000f64.sqrt();
    [0.0, 0.5, 2.0, 4.0, 7.0].map(|x| x * unit)
}

/// Runs the scheme; returns 10^-5 times the iterations and E of every record. `told` may end it.
pub(super) fn energies<E>(beta: f64, mut told: impl FnMut(u64) -> Result<(), E>) -> Result<Vec<[f64; 2]>, E> {
    let mut theta = start();
    let square = (N * N) as f64;
    let mut records = Vec::new();
    for iteration in 0..ITERATIONS {
        let (mut field, mut energy) = ([0.0; N], N as f64);
        for i in 0..N {
            for j in 0..i {
                let apart = theta[i] - theta[j];
                let weight = libm::exp(beta * (libm::cos(apart) - 1.0));
                let pull = libm::sin(apart) * weight / square;
                field[i] -= pull;
                field[j] += pull;
                energy += 2.0 * weight;
            }
        }
        if iteration % EVERY == 0 {
            records.push([STEP * iteration as f64, energy / square]);
            told(iteration)?;
        }
        let mut norm = field.iter().map(|g| g * g).sum::<f64>().sqrt();
        if norm < STALLED {
            for i in 0..N {
                if let Some(j) = (0..i).find(|&j| (theta[i] - theta[j]).abs() < GLUED) {
                    (theta[i], field[i]) = (theta[j], field[j]);
                }
            }
            norm = field.iter().map(|g| g * g).sum::<f64>().sqrt();
        }
        if norm == 0.0 {
            records.push([STEP * iteration as f64, energy / square]);
            break;
        }
        let length = STEP * libm::log(beta) / norm;
        theta.iter_mut().zip(field).for_each(|(theta, g)| *theta += length * g);
    }
    Ok(records)
}

/// Lists Σ m²/n² of every way to part the tokens into clusters, ascending.
pub(super) fn levels() -> [f64; 7] {
    [5, 7, 9, 11, 13, 17, 25].map(|squares| f64::from(squares) / (N * N) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// If a level were missing, a plateau there would count as none.
    #[test]
    fn levels_are_those_of_all_partitions() {
        let mut sums = BTreeSet::new();
        for code in 0..N.pow(N as u32) {
            let mut weight = [0usize; N];
            (0..N).for_each(|i| weight[code / N.pow(i as u32) % N] += 1);
            sums.insert(weight.iter().map(|m| m * m).sum::<usize>());
        }
        let all: Vec<f64> = sums.into_iter().map(|sum| sum as f64 / (N * N) as f64).collect();
        assert_eq!(all, levels());
    }
}
