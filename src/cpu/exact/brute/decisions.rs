//! Exact decisions of a packet, kept: late states repeat few tokens often.

/// A table of a packet's decisions by token; of tokens that share a slot it keeps the last.
pub(super) struct Decisions {
    slots: Vec<(u32, u64)>,
}

impl Decisions {
    const SLOTS: usize = 1 << 10;
    const NONE: (u32, u64) = (u32::MAX, 0);

    pub(super) fn new() -> Self {
        Self { slots: vec![Self::NONE; Self::SLOTS] }
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(Self::NONE);
    }

    /// The lanes decided for a distinct token.
    pub(super) fn get(&self, token: u32) -> Option<u64> {
        let (kept, bits) = self.slots[token as usize % Self::SLOTS];
        (kept == token).then_some(bits)
    }

    pub(super) fn set(&mut self, token: u32, bits: u64) {
        self.slots[token as usize % Self::SLOTS] = (token, bits);
    }
}
