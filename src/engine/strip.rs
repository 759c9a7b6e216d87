//! The strip of one token: whom it attends to, with the scores that decide it (2509.15958, Z_i).

use crate::engine::keys::concat;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::real::{self, Weights};
use crate::reference::real::{Scores, State};
use crate::tokens::Tokens;

/// The keys that one token attends to (first head, first stage). Scores and threshold are those of
/// the mathematics in f64 on the stored tokens; in [`crate::Simulation::strip`] the engine decides
/// the members, which may differ from them where a score rounds onto the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// The token.
    pub token: usize,
    /// The query A x_i.
    pub query: Vec<f64>,
    /// Indices of the keys attended to, ascending.
    pub members: Vec<usize>,
    /// The keys that the token sees, ascending.
    pub keys: Vec<usize>,
    /// S_ij of each of them.
    pub scores: Vec<f64>,
    /// The largest score.
    pub max: f64,
    /// The score at which the strip ends; the largest score in rules without a strip.
    pub threshold: f64,
    /// δ at this step, in the unit of the strip's form; 0 in rules without one.
    pub delta: f64,
}

/// The strips of a state at one step.
pub(crate) struct StripsAt {
    /// The tokens, and fixed keys after them.
    state: State,
    n: usize,
    /// The number of the first key.
    first: usize,
    step: real::Step,
}

impl StripsAt {
    /// The strips computed from `tokens`, the state after t steps, for the step t → t + 1.
    ///
    /// # Errors
    /// A schedule outside its domain at step t.
    pub(crate) fn new(model: &Model, tokens: &Tokens, t: u64) -> Result<Self> {
        let step = real::Steps::new(model, tokens.d()).at(t)?;
        let (state, first) = match &model.keys {
            Some(keys) => (State::new(&concat(tokens, keys)?), tokens.n()),
            None => (State::new(tokens), 0),
        };
        Ok(Self { state, n: tokens.n(), first, step })
    }

    /// Number of keys that a token attends to.
    #[cfg(feature = "pictures")]
    pub(crate) fn size(&self, token: usize) -> usize {
        let stage = &self.step.stages[0];
        self.state.attention(&self.step, stage, &stage.heads[0], token).weights.len()
    }

    /// The strip of a token.
    ///
    /// # Errors
    /// A token beyond the last.
    pub(crate) fn of(&self, token: usize) -> Result<Strip> {
        require_token(token, self.n)?;
        let (step, state, first) = (&self.step, &self.state, self.first);
        let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
        let members = state.attention(step, stage, head, token).weights.iter().map(|(j, _)| j - first).collect();
        let Scores { keys, values: scores, max, .. } = state.scores(step, head, token);
        let keys = keys.into_iter().map(|j| j - first).collect();
        let weights = step.weights_of(token, stage.weights);
        let threshold = state.threshold(weights, head, token, max);
        let delta = if let Weights::Strip { delta, .. } = weights { delta } else { 0.0 };
        let query = head.scores.apply(state.row(token));
        Ok(Strip { token, query, members, keys, scores, max, threshold, delta })
    }
}

/// Refuses a token beyond the last.
///
/// # Errors
/// It, with the number of tokens.
pub(crate) fn require_token(token: usize, n: usize) -> Result<()> {
    if token < n {
        return Ok(());
    }
    Err(Error::input(format!("token {token}: there are {n} tokens, 0 to {}", n - 1)))
}
