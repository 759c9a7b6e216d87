//! All pairs of rows and keys, by floats or in 8 bits first.

use crate::cpu::exact::brute::packet::{Packet, PacketScratch};
use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::coarse::ByteKeys;
use crate::cpu::exact::coarse::packet::{BytePacket, ByteScratch};
use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Vectors};

/// All pairs of a cloud, ready for packets of rows.
pub(crate) struct Pairs<'a, W: Width> {
    cloud: &'a Cloud<W>,
    set: InstructionSet,
    /// The keys in 8 bits, where scores are computed in them first.
    bytes: Option<ByteKeys>,
}

/// Buffers that a thread keeps from packet to packet.
pub(crate) enum PairScratch<W: Width> {
    Floats(Box<PacketScratch<W>>),
    Bytes(Box<ByteScratch<W>>),
}

impl<'a, W: Width> Pairs<'a, W> {
    /// Prepares a cloud, for scores in 8 bits first if `coarse`.
    pub(crate) fn of(cloud: &'a Cloud<W>, set: InstructionSet, coarse: bool) -> Self {
        Self { cloud, set, bytes: coarse.then(|| ByteKeys::of(cloud, set)) }
    }

    /// Rows in a packet.
    pub(crate) fn lanes(&self) -> usize {
        if self.bytes.is_some() { self.set.byte_rows() } else { self.set.packet_rows(W::PRECISION) }
    }

    /// Prices of the work of packets.
    pub(crate) fn prices(d: usize, set: InstructionSet, coarse: bool) -> Prices {
        if coarse { Prices::of_bytes::<W>(d) } else { Prices::of_pairs::<W>(d, set) }
    }

    pub(crate) fn scratch(&self) -> PairScratch<W> {
        let (n, d, lanes) = (self.cloud.n, self.cloud.d, self.lanes());
        match &self.bytes {
            Some(keys) => PairScratch::Bytes(Box::new(ByteScratch::new(keys, n, d, lanes))),
            None => PairScratch::Floats(Box::new(PacketScratch::new(n, d, lanes))),
        }
    }

    /// Computes a packet of rows, ascending and no more than lanes.
    pub(crate) fn run(
        &self,
        plan: &PreparedStep<'_, W>,
        scratch: &mut PairScratch<W>,
        rows: &[u32],
        purpose: Purpose<'_, W>,
        watch: &Watch<'_>,
    ) -> Tally {
        let cloud = self.cloud;
        match (&self.bytes, scratch) {
            (Some(keys), PairScratch::Bytes(scratch)) => {
                self.set.run_bytes(BytePacket { cloud, keys, plan, scratch, rows, purpose, watch })
            }
            (None, PairScratch::Floats(scratch)) => {
                <W as Vectors>::run(self.set, Packet { cloud, plan, scratch, rows, purpose, watch })
            }
            _ => unreachable!("a scratch of other pairs"),
        }
    }
}
