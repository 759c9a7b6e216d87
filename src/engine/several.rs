//! One engine made of several on devices of their own: each holds the whole state as keys and computes
//! a share of the rows of every step; the new rows meet on the host, which hands them to all.
//!
//! A row is computed as one device alone would, so under the contract no bit depends on the number of
//! devices or on which they are. Shares have the same number of rows, or of pairs under a causal mask:
//! nothing is timed. What decides over plans and sorts is counted over all shares, so that every
//! device comes to the same decisions and holds the keys in the same order.

use std::thread;

use crate::choice::Plan;
use crate::engine::interface::{Engine, Rounding};
use crate::engine::step::Step;
use crate::error::{Error, Result};
use crate::gpu::{Computed, Share, require_rows};
use crate::interrupt::Interrupt;
use crate::outcome::{Description, Effort, StepReport, Strips};
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

/// Engines that share the rows of one state.
pub(super) struct Several {
    parts: Vec<Box<dyn Part>>,
    n: usize,
    /// The strips of the last step, once they were asked for or would be lost.
    strips: Option<Strips>,
    taken: bool,
}

impl Several {
    /// At least one engine, all opened alike on the same n tokens.
    pub(super) fn new(parts: Vec<Box<dyn Part>>, n: usize) -> Self {
        Self { parts, n, strips: None, taken: false }
    }

    /// Has every part do something on a thread of its own, as each waits for its device; what they
    /// made, in their order.
    fn each<T: Send>(&mut self, work: impl Fn(&mut dyn Part, Share) -> Result<T> + Sync) -> Result<Vec<T>> {
        let (work, count) = (&work, self.parts.len());
        thread::scope(|scope| {
            let begun: Vec<_> = (0..)
                .zip(&mut self.parts)
                .map(|(index, part)| {
                    let share = Share { index, count };
                    thread::Builder::new().spawn_scoped(scope, move || work(part.as_mut(), share))
                })
                .collect();
            let end = |thread: thread::ScopedJoinHandle<'_, Result<T>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            let failed = |error| Error::device(format!("no thread for each of {count} adapters: {error}; take fewer"));
            // All have ended before any error is returned.
            let ended: Vec<Result<T>> = begun.into_iter().map(|thread| thread.map_err(failed).and_then(end)).collect();
            ended.into_iter().collect()
        })
    }

    /// Takes a step.
    fn one_step(&mut self, step: &Step) -> Result<StepReport> {
        let mut last = None;
        for stage in 0..self.parts[0].stages(step)? {
            let shares = self.each(|part, share| part.compute(step, stage, share, false))?;
            let shares = match shares.into_iter().collect() {
                Some(shares) => shares,
                None => self.each(|part, share| {
                    let again = part.compute(step, stage, share, true)?;
                    again.ok_or_else(|| Error::device("a sorted step was left unfinished; start again"))
                })?,
            };
            let all = Computed::join(shares);
            self.each(|part, _| part.accept(step, stage, &all))?;
            last = Some(all.report(step.t()));
        }
        last.ok_or_else(|| Error::input("a step without stages"))
    }
}

impl Engine for Several {
    fn description(&self) -> Description {
        let all: Vec<Description> = self.parts.iter().map(|part| part.description()).collect();
        let told = |one: fn(&Description) -> &str| counted(all.iter().map(one));
        let [device, driver] = [told(|part| &part.device), told(|part| &part.driver)];
        Description { engine: all[0].engine.clone(), device, driver }
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
            let mut shares = self.each(|part, _| part.strips())?.into_iter();
            let mut whole = shares.next().unwrap_or_default();
            for share in shares {
                // Rows of other shares have no keys.
                for (i, count) in share.count.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                    (whole.argmax[i], whole.count[i]) = (share.argmax[i], count);
                }
            }
            self.strips = Some(whole);
        }
        Ok(self.strips.clone().unwrap_or_default())
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        require_rows(rows, self.n)?;
        // Masks are made in the places of the rows' records.
        if self.taken {
            self.strips()?;
        }
        // On all devices, as a change of mask brings keys into another order.
        let count = self.parts.len();
        let shares = self.each(|part, share| {
            let range = rows.len() * share.index / count..rows.len() * (share.index + 1) / count;
            part.masks(step, &rows[range])
        })?;
        Ok(shares.concat())
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
