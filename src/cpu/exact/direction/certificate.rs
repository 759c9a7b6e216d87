//! The certificate that a step hands to the next: tokens at rest, and the cover by them. One process has one, or each rank.

use crate::cpu::exact::direction::candidates::sample;
use crate::cpu::exact::direction::cover::{Cover, SLACKS};
use crate::cpu::exact::direction::moves::Covered;
use crate::cpu::exact::direction::rows::place;
use crate::cpu::exact::width::Width;

/// Tokens at rest, and what their hull covers.
pub(crate) struct Certificate<A> {
    /// The tokens at rest: by index, or on ranks by the coordinates of their places.
    pub(super) anchors: Vec<A>,
    cover: Cover,
    /// All tokens but the candidates have this slack.
    slack: f64,
    /// Ascending.
    candidates: Vec<u32>,
}

impl<A> Certificate<A> {
    /// Before its slack is known.
    pub(super) fn new(anchors: Vec<A>, cover: Cover) -> Self {
        Self { anchors, cover, slack: 0.0, candidates: Vec::new() }
    }

    /// The number of tokens of a sample that lack each slack, and last of all in it.
    pub(super) fn lacking<W: Width, const D: usize>(&self, x: &[W::Int]) -> Vec<u64> {
        let rows = || sample::<W, D>(x).map(place::<W, D>);
        let lacks = |slack: f64| rows().filter(|&row| !self.cover.holds(row, slack)).count() as u64;
        SLACKS.into_iter().map(lacks).chain([rows().len() as u64]).collect()
    }

    /// Takes the largest slack that all but one in `2·share` tokens of a sample have; `None` if there is none.
    pub(super) fn with_slack(self, lacking: &[u64], share: usize) -> Option<Self> {
        let (count, lacking) = lacking.split_last()?;
        let few = count / (2 * share as u64);
        let slack = SLACKS.into_iter().zip(lacking).find(|(_, lacking)| **lacking <= few)?.0;
        Some(Self { slack, ..self })
    }

    /// The tokens that may be a maximum.
    pub(crate) fn candidates(&self) -> &[u32] {
        &self.candidates
    }

    /// The cover over a step of this gain; `None` if no slack is left after it.
    pub(super) fn over<W: Width>(&self, gain: u64, is_first: bool) -> Option<Covered<'_>> {
        let after = self.cover.slack_after(self.slack, gain, W::PRECISION);
        (after > 0.0).then_some(Covered { cover: &self.cover, before: self.slack, after, is_first })
    }

    /// The certificate after a step of this gain. `outside` are the tokens that the step found outside the cover, and
    /// `next_place` gives each old candidate's place after it, if an anchor led its row.
    pub(super) fn after<W: Width, const D: usize>(
        self,
        gain: u64,
        outside: Vec<u32>,
        next_place: impl Fn(usize, u32) -> Option<[i64; D]>,
    ) -> Self {
        let slack = self.cover.slack_after(self.slack, gain, W::PRECISION);
        let remains = |&(at, &key): &(usize, &u32)| next_place(at, key).is_some_and(|to| !self.cover.holds(to, slack));
        let mut candidates = outside;
        candidates.extend(self.candidates.iter().enumerate().filter(remains).map(|(_, &key)| key));
        candidates.sort_unstable();
        Self { slack, candidates, ..self }
    }
}
