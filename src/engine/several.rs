//! One engine made of several on devices of their own, of one process or of several ranks: each holds the whole state
//! as keys and computes a share of the rows of every step; the new rows meet on the host, which hands them to all.
//!
//! A row is computed as one device alone would, so under the contract no bit depends on the number of
//! devices or on which they are. Shares have the same number of rows, or of pairs under a causal mask:
//! nothing is timed. What decides over plans and sorts is counted over all shares, so that every
//! device comes to the same decisions and holds the keys in the same order.

use std::sync::Arc;
use std::thread;

use crate::choice::Plan;
use crate::engine::interface::{Engine, Rounding};
use crate::engine::step::Step;
use crate::error::{Error, Result};
use crate::gpu::{Computed, Share, require_rows};
use crate::interrupt::Interrupt;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::ranks::{Alone, Shared, agree};
use crate::tokens::Tokens;

/// An engine that can compute a share of a step, where others compute the rest.
pub(super) trait Part: Engine {
    /// The plan of the next step; never [`Plan::Auto`].
    fn plan(&self) -> Plan;

    /// Parts of a step that follow one another, each from the rows of all shares of the one before.
    fn stages(&self, step: &Step) -> Result<usize>;

    /// Computes a share of a stage. None where all shares are to be computed again, which `is_again`
    /// then says.
    fn compute(&mut self, step: &Step, stage: usize, share: Share, is_again: bool) -> Result<Option<Computed>>;

    /// Takes the rows of all shares of a stage.
    fn accept(&mut self, step: &Step, stage: usize, all: &Computed) -> Result<()>;
}

/// Engines that share the rows of one state, as many on each of several ranks, which make all calls but
/// [`Engine::tokens`] and those that only tell together.
pub(super) struct Several {
    parts: Vec<Box<dyn Part>>,
    ranks: Shared,
    description: Description,
    n: usize,
    /// The strips of the last step, once they were asked for or would be lost.
    strips: Option<Strips>,
    taken: bool,
}

impl Several {
    /// At least one engine, all opened alike on the same n tokens.
    ///
    /// # Errors
    /// As [`Several::among`].
    pub(super) fn new(parts: Vec<Box<dyn Part>>, n: usize) -> Result<Self> {
        Self::among(Arc::new(Alone), parts, n)
    }

    /// As many engines on every rank, at least one, all opened alike on the same n tokens.
    ///
    /// # Errors
    /// A rank that cannot be reached.
    pub(super) fn among(ranks: Shared, parts: Vec<Box<dyn Part>>, n: usize) -> Result<Self> {
        let own: Vec<Description> = parts.iter().map(|part| part.description()).collect();
        let told = |one: fn(&Description) -> &str| -> Result<String> {
            let own: Vec<&str> = own.iter().map(one).collect();
            let all = ranks.all_gather(own.join("\n").as_bytes())?;
            let all: Vec<String> = all.iter().map(|told| String::from_utf8_lossy(told).into_owned()).collect();
            Ok(counted(all.iter().flat_map(|told| told.split('\n'))))
        };
        let (device, driver) = (told(|part| &part.device)?, told(|part| &part.driver)?);
        let description = Description { engine: own[0].engine.clone(), device, driver };
        Ok(Self { parts, ranks, description, n, strips: None, taken: false })
    }

    /// Has every part of this rank do something on a thread of its own, as each waits for its device; what they
    /// made, in their order.
    fn each<T: Send>(&mut self, work: impl Fn(&mut dyn Part, Share) -> Result<T> + Sync) -> Result<Vec<T>> {
        let (work, own) = (&work, self.parts.len());
        let (first, count) = (own * self.ranks.rank(), own * self.ranks.size());
        thread::scope(|scope| {
            let begun: Vec<_> = (first..)
                .zip(&mut self.parts)
                .map(|(index, part)| {
                    let share = Share { index, count };
                    thread::Builder::new().spawn_scoped(scope, move || work(part.as_mut(), share))
                })
                .collect();
            let end = |thread: thread::ScopedJoinHandle<'_, Result<T>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            let failed = |error| Error::device(format!("no thread for each of {own} adapters: {error}; take fewer"));
            // All have ended before any error is returned.
            let ended: Vec<Result<T>> = begun.into_iter().map(|thread| thread.map_err(failed).and_then(end)).collect();
            ended.into_iter().collect()
        })
    }

    /// Takes a step.
    fn one_step(&mut self, step: &Step) -> Result<StepReport> {
        let mut last = None;
        for stage in 0..self.parts[0].stages(step)? {
            let all = match self.compute(step, stage, false)? {
                Some(all) => all,
                None => self
                    .compute(step, stage, true)?
                    .ok_or_else(|| Error::device("a sorted step was left unfinished; start again"))?,
            };
            let accepted = self.each(|part, _| part.accept(step, stage, &all));
            agree(self.ranks.as_ref(), accepted)?; // a rank without these rows must not compute the next ones
            last = Some(all.report(step.t()));
        }
        last.ok_or_else(|| Error::input("a step without stages"))
    }

    /// All shares of a stage. None where all are to be computed again, which `is_again` then says.
    fn compute(&mut self, step: &Step, stage: usize, is_again: bool) -> Result<Option<Computed>> {
        let shares = self.each(|part, share| part.compute(step, stage, share, is_again));
        let own: Option<Vec<Computed>> = agree(self.ranks.as_ref(), shares)?.into_iter().collect();
        let own = own.map(Computed::join);
        if self.ranks.size() == 1 {
            return Ok(own);
        }
        let all = self.ranks.all_gather(&own.map_or_else(Vec::new, |own| own.bytes()))?;
        if all.iter().any(<[u8]>::is_empty) {
            return Ok(None);
        }
        let shares: Option<Vec<Computed>> = all.iter().map(Computed::from_bytes).collect();
        let apart =
            || Error::device("the ranks of this run took different steps; start the same program on all of them");
        shares.map(Computed::join).map(Some).ok_or_else(apart)
    }

    /// The strips of the last step, of which every part has those of its share.
    fn all_strips(&mut self) -> Result<Strips> {
        let own = self.each(|part, _| part.strips());
        let own = joined(agree(self.ranks.as_ref(), own)?.into_iter());
        if self.ranks.size() == 1 {
            return Ok(own);
        }
        let told: Vec<u8> = own.argmax.iter().chain(&own.count).flat_map(|word| word.to_ne_bytes()).collect();
        let all = self.ranks.all_gather(&told)?;
        let of_rank = |told: &[u8]| {
            let words: Vec<u32> = told.as_chunks::<4>().0.iter().map(|word| u32::from_ne_bytes(*word)).collect();
            let (argmax, count) = words.split_at(words.len() / 2);
            Strips { argmax: argmax.to_vec(), count: count.to_vec() }
        };
        Ok(joined(all.iter().map(of_rank)))
    }
}

/// Strips of all rows, from those of shares: rows of other shares have no keys.
fn joined(mut shares: impl Iterator<Item = Strips>) -> Strips {
    let mut whole = shares.next().unwrap_or_default();
    for share in shares {
        for (i, count) in share.count.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            (whole.argmax[i], whole.count[i]) = (share.argmax[i], count);
        }
    }
    whole
}

impl Engine for Several {
    fn description(&self) -> Description {
        self.description.clone()
    }

    fn rounding(&self) -> Rounding {
        self.parts[0].rounding()
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.parts.iter_mut().for_each(|part| part.heed(interrupt));
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for step in steps {
            // An interrupt leaves the tokens as they were, but the strips are written over.
            (self.taken, self.strips) = (false, None);
            match self.one_step(step) {
                Err(Error::Interrupted(_)) if !reports.is_empty() => break,
                taken => reports.push(taken?),
            }
            self.taken = true;
        }
        Ok(reports)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.parts[0].tokens()
    }

    fn effort(&self) -> Option<Effort> {
        self.parts[0].effort()
    }

    fn strips(&mut self) -> Result<Strips> {
        if !self.taken {
            return Err(Error::input("no step has been taken yet"));
        }
        if self.strips.is_none() {
            self.strips = Some(self.all_strips()?);
        }
        Ok(self.strips.clone().unwrap_or_default())
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        require_rows(rows, self.n)?;
        // Masks are made in the places of the rows' records.
        if self.taken {
            self.strips()?;
        }
        // On all devices, as a change of mask brings keys into another order; each rank makes all.
        let count = self.parts.len();
        let shares = self.each(|part, share| {
            let at = |index: usize| rows.len() * index / count;
            let index = share.index % count;
            part.masks(step, &rows[at(index)..at(index + 1)])
        });
        Ok(agree(self.ranks.as_ref(), shares)?.concat())
    }
}

/// Different texts joined, with how often each is there.
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<(&str, u32)> = Vec::new();
    for text in texts {
        match seen.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => seen.push((text, 1)),
        }
    }
    let one = |(text, count): (&str, u32)| if count == 1 { text.to_owned() } else { format!("{count} x {text}") };
    seen.into_iter().map(one).collect::<Vec<_>>().join(" + ")
}
