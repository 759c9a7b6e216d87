//! The contract's face: [`crate::exact`] steps 2 to 4 read aloud, every number an i128.

use crate::error::Result;
use crate::exact::{Grid, Step, StripWidth, TokenMatrix};
use crate::model::Scoring;
use crate::num;
use crate::tokens::Tokens;

/// The tokens on their lattice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The lattice.
    pub grid: Grid,
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// X, row-major.
    pub x: Vec<i64>,
}

/// The strip of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// m_i; 0 where the row sees no key.
    pub max: i128,
    /// The lowest index that attains it; i itself where the row sees no key.
    pub argmax: usize,
    /// D_i.
    pub width: i128,
    /// C_i, ascending.
    pub members: Vec<usize>,
}

impl State {
    /// X = rne(x/u).
    pub fn new(tokens: &Tokens, grid: Grid) -> Self {
        Self { grid, n: tokens.n(), d: tokens.d(), x: grid.coordinates(tokens) }
    }

    /// The state in the tokens' own unit and stored width.
    ///
    /// # Errors
    /// As [`Grid::tokens`].
    pub fn tokens(&self) -> Result<Tokens> {
        self.grid.tokens(self.n, self.d, &self.x)
    }

    /// X_i.
    pub fn row(&self, i: usize) -> &[i64] {
        &self.x[i * self.d..][..self.d]
    }

    /// Q_i.
    pub fn query(&self, step: &Step, i: usize) -> Vec<i64> {
        let b = self.grid.precision.state_bits();
        let rounded = |sum: i128| ((sum + (1 << (b - 1))) >> b) as i64;
        match &step.matrix {
            TokenMatrix::Identity => self.row(i).to_vec(),
            TokenMatrix::Multiple(a) => self.row(i).iter().map(|&x| rounded(i128::from(*a) * i128::from(x))).collect(),
            TokenMatrix::Dense(a) => a.chunks_exact(self.d).map(|row| rounded(dot(row, self.row(i)))).collect(),
        }
    }

    /// s_ij.
    fn score(&self, step: &Step, query: &[i64], j: usize) -> i128 {
        match step.scoring {
            Scoring::Inner => dot(query, self.row(j)),
            Scoring::Distance => -squared_distance(query, self.row(j)),
        }
    }

    /// C_i.
    pub fn strip(&self, step: &Step, i: usize) -> Strip {
        let query = self.query(step, i);
        let width = self.width(step, &query, i);
        let keys: Vec<usize> = step.keys(i, self.n).collect();
        let Some(&first) = keys.first() else { return Strip { max: 0, argmax: i, width, members: keys } };
        let (mut max, mut argmax) = (self.score(step, &query, first), first);
        for &j in &keys {
            let score = self.score(step, &query, j);
            if score > max {
                (max, argmax) = (score, j);
            }
        }
        let members = match step.width {
            StripWidth::Argmax => vec![argmax],
            _ => keys.into_iter().filter(|&j| self.score(step, &query, j) >= max - width).collect(),
        };
        Strip { max, argmax, width, members }
    }

    /// D_i.
    fn width(&self, step: &Step, query: &[i64], i: usize) -> i128 {
        let clamp = 1i128 << self.grid.precision.clamp_bits();
        match step.width_of(i) {
            StripWidth::Constant(width) => width,
            StripWidth::Argmax => 0,
            StripWidth::QueryNorm { factor } => factor.saturating_mul(dot(query, query).isqrt()).min(clamp),
            StripWidth::ANorm { factor, parity } => {
                let square = dot(query, self.row(i)).max(0) << parity;
                factor.saturating_mul(square.isqrt()).min(clamp)
            }
        }
    }

    /// X'_i, given C_i: X_i where that is empty.
    pub fn moved(&self, step: &Step, i: usize, members: &[usize]) -> Vec<i64> {
        if members.is_empty() {
            return self.row(i).to_vec();
        }
        let bits = self.grid.precision.gain_bits();
        let share = |length: i128, of: u64| (length * i128::from(of) + (1 << (bits - 1))) >> bits;
        (0..self.d)
            .map(|k| {
                let sum: i128 = members.iter().map(|&j| i128::from(self.row(j)[k])).sum();
                let x = i128::from(self.row(i)[k]);
                let mut mean = num::divide_to_nearest_even(sum, members.len() as i128);
                if let Some(truth) = step.own.as_ref().and_then(|own| own.truth.as_ref()) {
                    let apart = i128::from(truth.point[k]) - mean;
                    mean += apart.signum() * share(apart.abs(), truth.weight(i));
                }
                let towards = mean - x;
                if towards == 0 {
                    return x as i64;
                }
                (x + towards.signum() * share(towards.abs(), step.gain_of(i)).max(1)) as i64
            })
            .collect()
    }

    /// X(t+1), and every C_i that led to it.
    pub fn step(&self, step: &Step) -> (Self, Vec<Strip>) {
        let strips: Vec<Strip> = (0..self.n).map(|i| self.strip(step, i)).collect();
        let x = strips.iter().enumerate().flat_map(|(i, strip)| self.moved(step, i, &strip.members)).collect();
        (Self { x, ..self.clone() }, strips)
    }
}

/// Exact inner product.
pub fn dot(a: &[i64], b: &[i64]) -> i128 {
    a.iter().zip(b).map(|(&a, &b)| i128::from(a) * i128::from(b)).sum()
}

/// Exact square of a distance.
pub fn squared_distance(a: &[i64], b: &[i64]) -> i128 {
    a.iter().zip(b).map(|(&a, &b)| (i128::from(a) - i128::from(b)).pow(2)).sum()
}
