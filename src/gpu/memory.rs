//! The memory that an engine takes on a device, buffer by buffer, checked before anything is
//! allocated.

use std::fmt;

use crate::error::{Error, Result};

/// One buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The buffer's name on the device; none if the line stands for several, which come when they
    /// are first needed.
    pub(crate) name: Option<Name>,
    /// Its contents, in words.
    pub what: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// The most bytes that a kernel binds of it. What one allocation does not hold is several, of whole
    /// windows.
    pub(crate) window: u64,
}

/// A buffer's name on the device, beside its number among those of one name.
pub(crate) type Name = (&'static str, usize);

impl Line {
    /// A buffer that holds `what`, bound whole.
    pub(crate) fn new(name: Name, what: &'static str, bytes: u64) -> Self {
        Self { name: Some(name), what, bytes, window: bytes }
    }

    /// This buffer, bound in windows of so many bytes.
    pub(crate) fn in_windows(self, window: u64) -> Self {
        Self { window: window.min(self.bytes), ..self }
    }
}

/// The buffers for n tokens in R^d.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// Every buffer.
    pub lines: Vec<Line>,
    /// Rows whose partial results the buffers of a slice hold.
    pub slice_rows: u32,
    /// The advice where it is too much.
    pub mend: &'static str,
}

impl Memory {
    /// Bytes of all buffers.
    pub fn total(&self) -> u64 {
        self.lines.iter().map(|line| line.bytes).sum()
    }

    /// Checks what is bound of every buffer against what the adapter binds.
    ///
    /// # Errors
    /// [`Error::Memory`] with both numbers.
    pub(crate) fn check_each(&self, limits: &wgpu::Limits) -> Result<()> {
        let available = largest_binding(limits);
        match self.lines.iter().find(|line| line.window > available) {
            Some(Line { what, window, .. }) => {
                Err(exceeds(&format!("the buffer of {what} on this adapter"), *window, available, self.mend))
            }
            None => Ok(()),
        }
    }

    /// Checks the total against the memory there is.
    ///
    /// # Errors
    /// [`Error::Memory`] with both numbers.
    pub fn check_total(&self, available: u64) -> Result<()> {
        if self.total() <= available {
            return Ok(());
        }
        let what = format!("{} tokens in R^{} on this adapter", self.n, self.d);
        Err(exceeds(&what, self.total(), available, self.mend))
    }
}

/// The memory that n tokens take; where it is refused, the advice names the most tokens that fit.
///
/// # Errors
/// As `memory` says.
pub fn or_largest(n: usize, memory: impl Fn(usize) -> Result<Memory>) -> Result<Memory> {
    memory(n).map_err(|error| match error {
        Error::Memory { what, needed, available, mend } => {
            let mend = match largest(n, |n| memory(n).is_ok()) {
                0 => mend,
                most => mend.replace("fewer tokens", &format!("at most {most} tokens")),
            };
            Error::Memory { what, needed, available, mend }
        }
        other => other,
    })
}

/// The most tokens below `refused` that fit.
fn largest(refused: usize, fit: impl Fn(usize) -> bool) -> usize {
    let (mut fits, mut refused) = (0, refused);
    while refused - fits > 1 {
        let middle = fits.midpoint(refused);
        *(if fit(middle) { &mut fits } else { &mut refused }) = middle;
    }
    fits
}

/// Bytes of a scratch buffer beside a state of so many bytes: an eighth of a card's memory, if that is
/// known, and no more than a quarter of what the state leaves, since there are several; at least 128
/// MiB. Rows are taken in slices so that it suffices.
pub(crate) fn scratch_bytes(card: Option<u64>, state: u64) -> u64 {
    let card = card.unwrap_or(0);
    let share = (card / 8).min(card.saturating_sub(state) / 4);
    share.max(128 << 20)
}

/// The most bytes that a kernel binds in one place.
pub(crate) fn largest_binding(limits: &wgpu::Limits) -> u64 {
    limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
}

/// n as an index of tokens in the shaders.
///
/// # Errors
/// [`Error::Memory`], if 32 bits are too few.
pub(crate) fn index_of(n: usize, mend: &str) -> Result<u32> {
    u32::try_from(n)
        .map_err(|_| exceeds("a 32-bit index of the tokens on a GPU, whose tokens,", n as u64, u32::MAX.into(), mend))
}

/// The error of a need above what there is.
pub(crate) fn exceeds(what: &str, needed: u64, available: u64, mend: &str) -> Error {
    Error::Memory { what: what.into(), needed, available, mend: mend.into() }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{:>16} bytes  {}", line.bytes, line.what)?;
        }
        write!(f, "{:>16} bytes  in all; {} rows a slice", self.total(), self.slice_rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is refused must not have to guess: the number named fits, and one more does not.
    #[test]
    fn a_refusal_names_the_most_tokens_that_fit() {
        let of = |n: usize| {
            let line = Line::new(("tokens", 0), "tokens", n as u64 * 12);
            let memory =
                Memory { n, d: 3, lines: vec![line], slice_rows: 64, mend: "take fewer tokens or --engine cpu" };
            memory.check_total(1200 * 12 + 5).map(|()| memory)
        };
        assert_eq!(or_largest(1200, of).unwrap().total(), 1200 * 12);
        for n in [1201, 1_000_000, usize::MAX / 12] {
            let text = or_largest(n, of).unwrap_err().to_string();
            assert!(text.ends_with("take at most 1200 tokens or --engine cpu"), "{text}");
        }
        assert_eq!(largest(5, |_| false), 0);
    }
}
