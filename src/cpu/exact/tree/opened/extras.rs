//! Rows of the whole cloud that every rank knows before it searches.

use crate::cpu::exact::tree::opened::bits::Reader;
use crate::cpu::exact::tree::opened::known::Form;
use crate::cpu::exact::width::Integer;

/// Rows of the whole cloud that lie behind a rank's own.
pub(crate) struct Extras<I> {
    /// Token 0.
    pub(crate) first: Vec<I>,
    /// Rows that are far in some direction.
    pub(crate) seeds: Vec<I>,
}

impl<I: Integer> Extras<I> {
    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        1 + self.seeds.len() / self.first.len()
    }

    /// Hears what a rank tells of them.
    pub(crate) fn hear(&mut self, from: &mut Reader<'_>, form: Form) -> Option<()> {
        let has_first = from.flag()?;
        let seeds = from.get(16)?;
        let d = self.first.len();
        let row = |from: &mut Reader<'_>, into: &mut Vec<I>| {
            for _ in 0..d {
                into.push(I::of(i64::try_from(from.get(form.coordinate_bits())?).ok()? - form.limit));
            }
            Some(())
        };
        if has_first {
            self.first.clear();
            row(from, &mut self.first)?;
        }
        (0..seeds).try_for_each(|_| row(from, &mut self.seeds))
    }
}
