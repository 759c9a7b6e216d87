//! Triggers: the steps at which something is written.

use std::fmt;

use crate::error::{Error, Result};

/// The steps at which a row or a frame is due. Step 0 is the initial state. Only the number of a
/// step and its events decide, so a resumed run writes at the same steps as an uninterrupted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Steps 0, K, 2K, ...; K at least 1.
    Every(u64),
    /// Steps 0, 1, 2, 5, 10, 20, 50, 100, ...
    Log,
    /// Step 0, and every step in which the number of moved tokens or the sizes of strips differ
    /// from the step before.
    Event,
    /// No step.
    Never,
}

impl Trigger {
    /// Reads `every K`, `log`, `event` or `never`.
    ///
    /// # Errors
    /// Any other text; the error lists the four forms.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["log"] => Ok(Self::Log),
            ["event"] => Ok(Self::Event),
            ["never"] => Ok(Self::Never),
            ["every", count] if count.parse().is_ok_and(|k: u64| k > 0) => Ok(Self::Every(count.parse().unwrap_or(1))),
            _ => Err(Error::input(format!(
                "{text:?} is no trigger; one of \"every K\" (K at least 1), \"log\", \"event\", \"never\""
            ))),
        }
    }

    /// True if `step` may be due, depending on its events.
    pub fn may_be_due(self, step: u64) -> bool {
        self.is_due(step, true)
    }

    /// True if `step` is due; `event` tells if there was an event in it.
    pub fn is_due(self, step: u64, event: bool) -> bool {
        match self {
            Self::Every(count) => step.is_multiple_of(count),
            Self::Log => {
                let mut leading = step;
                while leading > 0 && leading.is_multiple_of(10) {
                    leading /= 10;
                }
                matches!(leading, 0 | 1 | 2 | 5)
            }
            Self::Event => event || step == 0,
            Self::Never => false,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(count) => write!(f, "every {count}"),
            Self::Log => f.write_str("log"),
            Self::Event => f.write_str("event"),
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(trigger: Trigger, until: u64) -> Vec<u64> {
        (0..=until).filter(|&step| trigger.is_due(step, step == 4)).collect()
    }

    /// A row at a wrong step would shift every plot against time.
    #[test]
    fn due_steps() {
        assert_eq!(due(Trigger::Every(3), 10), [0, 3, 6, 9]);
        assert_eq!(due(Trigger::Log, 1100), [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]);
        assert_eq!(due(Trigger::Event, 10), [0, 4]);
        assert!((0..9).all(|step| Trigger::Event.may_be_due(step)));
        assert!(due(Trigger::Never, 10).is_empty());
    }

    /// A written trigger must read back as itself, and nothing else may pass for a trigger.
    #[test]
    fn texts() {
        for trigger in [Trigger::Every(7), Trigger::Log, Trigger::Event, Trigger::Never] {
            assert_eq!(Trigger::parse(&trigger.to_string()).unwrap(), trigger);
        }
        for text in
            ["every 0", "every", "every -1", "every 1.5", "sometimes", "", "log 2", "every 99999999999999999999"]
        {
            assert!(Trigger::parse(text).unwrap_err().to_string().contains("every K"), "{text}");
        }
    }
}
