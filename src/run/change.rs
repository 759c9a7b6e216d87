//! A change of a run's config at the step that it has come to: the rest is a segment of its own.
//!
//! A new config goes into a folder of its own, `changes/1`, and the checkpoint of the step is written anew with it:
//! that is the one moment of the change. A kill before leaves the run as it was, and one after it a run that has
//! changed.
//!
//! A segment of another model begins as a run of its own would from these tokens: on the lattice that fits them, and
//! with nothing known of rest, cycles and hulls. But steps go on counting, and with them the time and the draws. Where
//! only `[run]` and `[output]` change, the trajectory is that of the run as it was.

use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::clouds::Lattice;
use crate::io::config::{Config, Override};
use crate::io::npy;
use crate::run::checkpoint::{self, Checkpoint};
use crate::run::folder::RunDir;
use crate::run::meta::Meta;
use crate::run::progress::{FrameFile, Progress, Segment, changed_config};
use crate::run::recorder::Recorder;
use crate::run::state::State;
use crate::tokens::{Slices as _, Tokens};

/// The tables and keys that no run changes, with the reason.
const KEPT: [(&str, &str); 4] = [
    ("seed", "a run draws from one seed"),
    ("tokens", "a run goes on with the tokens that it has, and with their number, dimension and fixed keys"),
    ("run.precision", "a run keeps the width in which its tokens are stored"),
    ("files", "the files of a run are those that it wrote"),
];

/// A change that is about to be written.
#[derive(Debug)]
pub struct Change {
    /// What the run was before.
    config: Config,
    progress: Progress,
    frames: Vec<FrameFile>,
}

impl Change {
    /// Changes a run at a checkpoint of it, which then belongs to the new config.
    ///
    /// # Errors
    /// A key that no run changes; a config that is none; a system that cannot go on with the tokens of this one.
    pub(crate) fn of(run: &RunDir, config: &mut Config, at: &mut Checkpoint, set: &[Override]) -> Result<Self> {
        let anew =
            format!("begin a new run from its last tokens, with tokens.file = \"{}\"", run.final_path().display());
        for change in set {
            let key = change.key();
            let is_of = |kept: &str| key == kept || key.strip_prefix(kept).is_some_and(|rest| rest.starts_with('.'));
            if let Some((_, why)) = KEPT.iter().find(|(kept, _)| is_of(kept)) {
                return Err(change.refused(&format!("{why}; {anew}")));
            }
        }
        let Checkpoint { tokens, progress, frames } = at;
        let ((n, d), precision) = ((&*tokens).shape(), (&*tokens).precision());
        let header = npy::Header::new(n, d, precision);
        let mut next = run.config_of(progress, header, set)?;
        next.name.clone_from(&config.name);
        next.require_values(next.run.steps)?;
        require_same_states(config, &next, &anew)?;

        let before = Self { config: config.clone(), progress: progress.clone(), frames: frames.clone() };
        progress.config = next.identity().to_hex().to_string();
        if next.model != config.model {
            begin_anew(progress, &next, &tokens.read()?);
        }
        if next.run.tolerance != config.run.tolerance {
            progress.settled = None;
        }
        let number = progress.segments.iter().filter_map(Segment::config_number).max().unwrap_or(0) + 1;
        let engine = progress.segments.last().map(|last| last.engine.clone()).unwrap_or_default();
        let set = set.iter().map(Override::given_as).collect();
        progress.begin(Segment { config: changed_config(number), set, ..Segment::new(progress.step, engine) });
        *config = next;
        Ok(before)
    }

    /// Writes the change of a run that was cut back to the checkpoint: the state as the last of the segment before,
    /// the config, and the checkpoint.
    ///
    /// # Errors
    /// A file that cannot be written; the run is then as it was.
    pub fn write(self, run: &RunDir, config: &Config, at: &mut Checkpoint) -> Result<()> {
        // Without the configs of a change that was lost with its checkpoint.
        run.write_meta(&Meta::new(&self.config, &self.progress))?;
        let recorder = Recorder::open(&self.config, run, self.progress, self.frames)?;
        (at.progress.tables, at.frames) = recorder.end_with(&mut State::Stored(&at.tokens))?;
        run.save_config(&at.progress, config)?;
        run.write_checkpoint(&at.tokens, &at.frames, &at.progress)?;
        *at = checkpoint::read(&run.checkpoint_path(at.progress.step))?; // in the place of the one that had the tokens
        Ok(())
    }
}

/// Checks that the tokens of a system are tokens of the one that follows it.
fn require_same_states(before: &Config, next: &Config, anew: &str) -> Result<()> {
    let kind = |config: &Config| {
        if config.model.is_exact() { "keeps its tokens on a lattice" } else { "is one in real numbers" }
    };
    let (was, is) = (before.model.name(), next.model.name());
    if before.model.is_exact() != next.model.is_exact() {
        let (had, has) = (kind(before), kind(next));
        return Err(Error::input(format!("the run's {was} {had}, and {is} with these changes {has}; {anew}")));
    }
    if next.model.takes_states_of(&before.model) {
        return Ok(());
    }
    Err(Error::input(format!("the tokens of {was} as it ran need not be tokens of {is} with these changes; {anew}")))
}

/// Forgets what is known of the system before, and lays the lattices out for the tokens as they are.
fn begin_anew(progress: &mut Progress, config: &Config, tokens: &Tokens) {
    let model = &config.model;
    (progress.since, progress.last, progress.event) = (progress.step, None, true);
    (progress.fixed_point, progress.settled) = (None, None);
    (progress.anchor, progress.cycle) = (None, None);
    progress.rests.fill(None);
    progress.radius = tokens.largest_magnitude();
    if !model.is_exact() {
        return;
    }
    let lattice = |tokens: &Tokens| Lattice {
        exponent: Grid::of(model.widest(tokens), config.run.precision).exponent,
        half_side: tokens.radius_beside(model.keys.as_deref()),
    };
    if let Some(m) = config.clouds {
        progress.lattices = (0..m).map(|c| lattice(&tokens.cloud(c, m))).collect();
        progress.half_side = Some(progress.lattices.iter().map(|of| of.half_side).fold(0.0, f64::max));
        progress.grid_exponent = progress.lattices[0].exponent;
    } else {
        let Lattice { exponent, half_side } = lattice(tokens);
        (progress.grid_exponent, progress.half_side) = (exponent, Some(half_side));
    }
}
