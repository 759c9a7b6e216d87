//! Buffers of searches between steps: to make them costs a step of few tokens more than its rows,
//! most of it in the system, which takes memory back and gives it again as zeros.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Buffers that no thread uses.
pub(crate) struct Spare<T>(Mutex<Vec<T>>);

/// A buffer in use; it is spare again when this is dropped.
pub(crate) struct Lent<'a, T> {
    buffer: Option<T>,
    home: &'a Spare<T>,
}

impl<T> Spare<T> {
    pub(crate) fn none() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A spare buffer as its last user left it, or a new one.
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> Lent<'_, T> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { buffer: Some(spare.unwrap_or_else(make)), home: self }
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.buffer.as_ref().unwrap_or_else(|| unreachable!("it is there until the drop"))
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.buffer.as_mut().unwrap_or_else(|| unreachable!("it is there until the drop"))
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.home.0.lock().unwrap_or_else(PoisonError::into_inner).extend(self.buffer.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If buffers did not come back, every step would make its own, and a step of few tokens would
    /// be mostly that; if one were lent twice, two threads would write to it.
    #[test]
    fn buffers_come_back_and_are_lent_to_one_at_a_time() {
        let spare = Spare::none();
        let (mut first, second) = (spare.take(|| 1), spare.take(|| 2));
        assert_eq!((*first, *second), (1, 2));
        *first = 3;
        drop(first);
        assert_eq!((*spare.take(|| 4), *second), (3, 2));
    }
}
