//! Numbers in as many bits as they need, one after the other.

/// Bits that are written.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Bits in use of the last byte; 0 if it is full.
    used: u32,
}

/// Bits that are read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The number of bits that all numbers up to this one need.
pub(crate) fn bits_of(largest: u128) -> u32 {
    u128::BITS - largest.leading_zeros()
}

impl Writer {
    /// Writes the lowest bits of a number, the others of which are 0.
    pub(crate) fn put(&mut self, mut number: u128, mut bits: u32) {
        while bits > 0 {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let now = bits.min(8 - self.used);
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((number & ((1 << now) - 1)) as u8) << self.used;
            }
            number >>= now;
            bits -= now;
            self.used = (self.used + now) % 8;
        }
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.put(u128::from(flag), 1);
    }

    /// Everything written, in whole bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next number of so many bits; `None` past the end.
    pub(crate) fn get(&mut self, bits: u32) -> Option<u128> {
        let (mut number, mut got) = (0, 0);
        while got < bits {
            let (byte, used) = (self.bytes.get(self.at / 8)?, (self.at % 8) as u32);
            let now = (bits - got).min(8 - used);
            number |= (u128::from(*byte >> used) & ((1 << now) - 1)) << got;
            got += now;
            self.at += now as usize;
        }
        Some(number)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        Some(self.get(1)? == 1)
    }

    /// Whether nothing is left but the end of a byte.
    pub(crate) fn is_over(&self) -> bool {
        self.at.div_ceil(8) == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A bit in the wrong place is another box, and a strip that lacks a key.
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec((any::<u128>(), 0u32..=128), 0..80)) {
            let numbers: Vec<(u128, u32)> =
                numbers.into_iter().map(|(x, bits)| (if bits == 0 { 0 } else { x >> (128 - bits) }, bits)).collect();
            let mut written = Writer::default();
            for &(x, bits) in &numbers {
                written.put(x, bits);
            }
            let bytes = written.into_bytes();
            prop_assert_eq!(bytes.len(), numbers.iter().map(|x| x.1 as usize).sum::<usize>().div_ceil(8));
            let mut read = Reader::new(&bytes);
            for (x, bits) in numbers {
                prop_assert_eq!(read.get(bits), Some(x));
                prop_assert!(bits_of(x) <= bits);
            }
            prop_assert!(read.is_over() && read.get(8).is_none());
        }
    }
}
