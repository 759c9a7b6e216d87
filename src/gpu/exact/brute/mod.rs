//! Brute force: every row against every key, as lists of dispatches.

mod masks;
mod order;

use std::ops::Range;

use crate::error::{Error, Result};
use crate::exact::{Grid, Step, StripWidth, TokenMatrix};
use crate::gpu::device::Device;
use crate::gpu::exact::brute::order::KeyOrder;
use crate::gpu::exact::job::Job;
use crate::gpu::exact::kernels::{self, SUPERTILE, score_rows};
use crate::gpu::exact::layout::{Layout, Uses, element_bytes, filter_bytes, limb_bytes};
use crate::gpu::exact::matrix::StepMatrix;
use crate::gpu::memory::Line;
use crate::gpu::pairs::Pairs;
use crate::gpu::report::{REPORT_KEYS, REPORT_WORDS, REPORTS, counter, report};
use crate::gpu::resident::{Bound, Resident, within};
use crate::gpu::seen::{keys_a_row, slice_rows};
use crate::gpu::share::{Computed, Share};
use crate::gpu::table::{Kernel, Span, compile};
use crate::gpu::words::{tokens, words};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::tokens::{Precision, Tokens};

/// The cost of a coordinate's mean and move, in multiply-adds.
const MOVE: f64 = 100.0;

/// n tokens on a device, in rows.
pub(crate) struct BruteForce {
    resident: Resident<Job>,
    grid: Grid,
    layout: Layout,
    /// X and X' are exchanged by every step; which of the buffers is X.
    current: usize,
    matrix: StepMatrix,
    /// The pairs of the step at hand.
    pairs: Pairs,
    /// Rows and keys are tokens in this order.
    order: KeyOrder,
    /// The kernel for scores of limbs, where the device holds them.
    of_limbs: Option<Kernel>,
    /// Whether the next steps rule supertiles out by them.
    filters: bool,
    /// Keys that rows read in the supertiles that limbs left, in the last step.
    opened: u64,
}

impl BruteForce {
    /// Moves tokens to the device; `pairs` are what steps will compare. With limbs, steps rule supertiles out by
    /// their scores: see [`BruteForce::filter`].
    ///
    /// # Errors
    /// [`crate::error::Error::Memory`] before anything is allocated; device failures.
    pub(crate) async fn new(device: &Device, tokens: &Tokens, grid: Grid, uses: Uses, pairs: Pairs) -> Result<Self> {
        let (n, d) = (tokens.n(), tokens.d());
        let layout = Self::layout(device, (n, d), grid.precision, uses)?;
        let mut resident = Resident::new(device, grid.precision, &layout.memory).await?;
        resident.hold(Line::new(("extent", 0), "extent", d as u64 * 4)).await?;
        let by_units = device.has_units && device.hostile.is_none();
        let of_limbs = if by_units { kernels::SCORES_BY_UNITS } else { kernels::SCORES_OF_LIMBS };
        let of_limbs = Some(of_limbs).filter(|_| uses.limbs);
        let kernels = kernels::of_brute_force(uses.matrix, pairs, of_limbs, grid.precision, d);
        compile::<Job>(device, &kernels.iter().collect::<Vec<_>>(), grid.precision, d).await?;
        let lattice = grid.coordinates(tokens);
        resident.write(("extent", 0), &extents(&lattice, d)).await?;
        let order = if pairs.ranged || !layout.has_order { KeyOrder::default() } else { KeyOrder::near(&lattice, d) };
        let (matrix, filters) = (StepMatrix::default(), uses.limbs);
        let mut state = Self { resident, grid, layout, current: 0, matrix, pairs, order, of_limbs, filters, opened: 0 };
        state.load(&lattice).await?;
        Ok(state)
    }

    /// Moves the tokens to the device in the order of keys.
    async fn load(&mut self, lattice: &[i64]) -> Result<()> {
        let keys = self.order.keys_of(lattice, self.layout.d as usize);
        self.resident.write(("tokens", self.current), &words(&keys, self.grid.precision)).await?;
        let listed = if self.layout.has_order { self.layout.n } else { 0 };
        self.resident.write(("order", 0), &(0..listed).map(|key| self.order.token_of(key)).collect::<Vec<_>>()).await
    }

    /// Makes the order of keys fit a mask: one that counts tokens has them in their own.
    async fn turn_to(&mut self, mask: Mask) -> Result<()> {
        if mask == Mask::FULL || self.order.is_own() {
            return Ok(());
        }
        let lattice = self.grid.coordinates(&self.tokens().await?);
        self.order = KeyOrder::default();
        self.load(&lattice).await
    }

    fn layout(device: &Device, shape: (usize, usize), precision: Precision, uses: Uses) -> Result<Layout> {
        Layout::new(shape, precision, uses, device.limits(), device.adapter().card_memory())
    }

    /// Looks at an interrupt from now on.
    pub(crate) fn heed(&mut self, interrupt: &Interrupt) {
        self.resident.queue.interrupt = interrupt.clone();
    }

    /// Whether the next steps rule supertiles out by scores of limbs, where there are any, or by those of floats,
    /// which cost more and leave less.
    pub(crate) fn filter(&mut self, filters: bool) {
        self.filters = filters && self.of_limbs.is_some();
    }

    /// Whether they do.
    pub(crate) fn filters(&self) -> bool {
        self.filters
    }

    /// Keys that rows read in the supertiles that limbs left, in the last step.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// Applies the steps in order, up to an interrupt.
    ///
    /// # Errors
    /// [`Error::Interrupted`] before the first was taken whole. Device failures; the state is then
    /// undefined.
    pub(crate) async fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for group in steps.chunks(REPORTS) {
            self.resident.start_reports(group.len()).await?;
            let mut whole = 0;
            for step in group {
                match self.advance(step, whole as u32, 0..self.layout.n).await {
                    Err(Error::Interrupted(_)) if reports.len() + whole > 0 => break,
                    taken => taken?,
                }
                self.current = 1 - self.current;
                whole += 1;
            }
            let read = self.resident.reports(whole).await?;
            let words = read.chunks_exact(REPORT_WORDS as usize);
            self.opened = words.clone().last().map_or(0, |words| counter(words, REPORT_KEYS));
            reports.extend(group.iter().zip(words).map(|(step, words)| report(step.t, words)));
            if whole < group.len() {
                break;
            }
        }
        Ok(reports)
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn tokens(&self) -> Result<Tokens> {
        let (n, d) = (self.layout.n as usize, self.layout.d as usize);
        let [bytes, ..] = element_bytes(self.grid.precision);
        let words = self.resident.read(("tokens", self.current), n * d * bytes as usize / 4).await?;
        tokens(self.grid, (n, d), &words, |i| self.order.key_of(i))
    }

    /// Argmax and strip size of every row in the last step taken, unless masks were asked for
    /// since.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn strips(&self) -> Result<Strips> {
        let [.., record] = element_bytes(self.grid.precision);
        let line = record as usize / 4;
        // best and width, then argmax and count.
        let at = match self.grid.precision {
            Precision::F32 => 4,
            Precision::F64 => 8,
        };
        let rows = self.resident.read(("rows", 0), self.layout.n as usize * line).await?;
        let of_token = |i: u32| &rows[self.order.key_of(i as usize) * line..][at..at + 2];
        // A row without keys is its own argmax.
        let argmax = |i: u32| if of_token(i)[1] == 0 { i } else { self.order.token_of(of_token(i)[0]) };
        let tokens = 0..self.layout.n;
        Ok(Strips { argmax: tokens.clone().map(argmax).collect(), count: tokens.map(|i| of_token(i)[1]).collect() })
    }

    /// Computes a share of the next state.
    ///
    /// # Errors
    /// [`Error::Interrupted`]: the state is as it was. Device failures.
    pub(crate) async fn compute(&mut self, step: &Step, share: Share) -> Result<Computed> {
        let rows = share.under(step.mask, self.layout.n);
        self.resident.start_reports(1).await?;
        self.advance(step, 0, rows.clone()).await?;
        let report = self.resident.reports(1).await?;
        let [bytes, ..] = element_bytes(self.grid.precision);
        let line = self.layout.d as usize * bytes as usize / 4;
        let words = rows.start as usize * line..rows.end as usize * line;
        Ok(Computed { rows: self.resident.read_some(("tokens", 1 - self.current), words).await?, report })
    }

    /// Takes the next state, of which every row is given.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn accept(&mut self, all: &Computed) -> Result<()> {
        self.current = 1 - self.current;
        self.opened = counter(&all.report, REPORT_KEYS);
        self.resident.write(("tokens", self.current), &all.rows).await
    }

    /// Computes some rows of the next state.
    async fn advance(&mut self, step: &Step, report: u32, rows: Range<u32>) -> Result<()> {
        self.resident.queue.interrupt.check()?;
        let base = self.prepare(step, report, self.filters).await?;
        let scores = self.of_limbs.filter(|_| base.limbs == 1).unwrap_or(kernels::SCORES);
        let has_dense = self.has_dense(step);
        let strips = &[&kernels::STRIPS, &kernels::STRIPS_DENSE][..=usize::from(has_dense)];
        let cost = self.row_cost(step.mask);
        let most = slice_rows(step.mask, self.layout.memory.slice_rows);
        let mut row = rows.start;
        while row < rows.end {
            let range = self.next_rows(row, cost, most, rows.end);
            row = range.end;
            let sums_first = if self.layout.moves_at_once { 0 } else { range.start };
            let (row_first, row_end, slice_first) = (range.start, range.end, range.start);
            let job = Job { row_first, row_end, slice_first, sums_first, ..base };
            for kernels in [&[&scores][..], &[&kernels::PEAKS], strips] {
                self.over_keys(kernels, &job, self.seen(&job, step.mask)).await?;
            }
            if !self.layout.moves_at_once {
                self.push(&kernels::MOVES, job, 0).await?;
            }
            self.resident.queue.charge(f64::from(range.end - range.start) * cost).await?;
        }
        let mut row = if self.layout.moves_at_once { rows.start } else { rows.end };
        while row < rows.end {
            let cost = MOVE * f64::from(self.layout.d);
            let range = self.next_rows(row, cost, u32::MAX, rows.end);
            row = range.end;
            self.push(&kernels::MOVES, Job { row_first: range.start, row_end: range.end, ..base }, 0).await?;
            self.resident.queue.charge(f64::from(range.end - range.start) * cost).await?;
        }
        Ok(())
    }

    /// Makes queries, filters and widths of all rows; returns the parameters that the step's
    /// dispatches share.
    async fn prepare(&mut self, step: &Step, report: u32, limbs: bool) -> Result<Job> {
        self.turn_to(step.mask).await?;
        self.pairs = Pairs::of(step.scoring, step.mask, 0.0);
        // Strips of rows that see ranges are whole in one kernel.
        let lacks_dense =
            !self.layout.has_dense && kernels::STRIPS_DENSE.is_for(self.grid.precision, self.layout.d as usize);
        self.pairs.ranged |= lacks_dense;
        let (d, wide) = (f64::from(self.layout.d), self.grid.precision == Precision::F64);
        let (kernel, cost) = match step.matrix {
            TokenMatrix::Identity => (&kernels::IDENTITY, d),
            TokenMatrix::Multiple(_) => (&kernels::MULTIPLE, 10.0 * d),
            TokenMatrix::Dense(_) => (&kernels::DENSE, if wide { 60.0 } else { 12.0 } * d * d),
        };
        let (n, columns, precision) = (self.layout.memory.n, self.layout.memory.d, self.grid.precision);
        let uses = Uses { matrix: true, ..self.layout.uses };
        let memory = |device: &Device| Ok(Self::layout(device, (n, columns), precision, uses)?.memory);
        self.matrix.load(&step.matrix, &mut self.resident, memory).await?;
        let (tiles, limbs) = (self.layout.tiles, u32::from(limbs && self.pairs == Pairs::default()));
        let base = Job { n: self.layout.n, tiles, report, filtered: 1, limbs, ..Job::of(step) };
        let mut row = 0;
        while row < self.layout.n {
            let range = self.next_rows(row, cost + d, u32::MAX, self.layout.n);
            row = range.end;
            let job = Job { row_first: range.start, row_end: range.end, ..base };
            self.push(kernel, job, 0).await?;
            self.push(&kernels::WIDTHS, job, 0).await?;
            if limbs == 1 {
                self.push(&kernels::LIMBS, job, 0).await?;
            }
            if self.has_dense(step) {
                self.push(&kernels::SUPERTILES, job, 0).await?;
            }
            self.resident.queue.charge(f64::from(range.end - range.start) * (cost + d)).await?;
        }
        Ok(base)
    }

    /// Whether wide strips have a kernel of their own in a step.
    fn has_dense(&self, step: &Step) -> bool {
        self.layout.has_dense && !self.pairs.ranged && step.width != StripWidth::Argmax
    }

    /// Cost of one row's scores, in multiply-adds and their like.
    fn row_cost(&self, mask: Mask) -> f64 {
        keys_a_row(mask, self.layout.n) * (f64::from(self.layout.d) + 8.0)
    }

    /// The keys that a slice sees, in whole supertiles.
    fn seen(&self, job: &Job, mask: Mask) -> Range<u32> {
        let n = self.layout.n;
        if mask.is_prefix() {
            return 0..n;
        }
        let [first, last] = [job.row_first, job.row_end - 1].map(|row| mask.range(row as usize, n as usize));
        first.start as u32 / SUPERTILE * SUPERTILE..last.end as u32
    }

    /// Rows from `row` on, before `end`: no more than the budget still holds, `most`, and the row's window.
    fn next_rows(&self, row: u32, cost: f64, most: u32, end: u32) -> Range<u32> {
        // Whole workgroups of every kernel, unless so few rows are too long for a submission of
        // their own.
        let group = score_rows(self.layout.d.into());
        let rows = self.resident.rows_that_fit(cost, group, group / 4);
        within(row, rows.min(most), self.layout.window, end)
    }

    /// Adds dispatches of kernels over some keys, all of them in a window before the next.
    async fn over_keys(&mut self, kernels: &[&Kernel], job: &Job, seen: Range<u32>) -> Result<()> {
        let Layout { n, window, .. } = self.layout;
        // Supertiles past the last row's own are invisible to a causal slice, but their maxima must
        // be set.
        for (index, key_base) in (0..).zip((0..n).step_by(window as usize)) {
            let keys = key_base.max(seen.start)..key_base.saturating_add(window).min(seen.end);
            if keys.is_empty() {
                continue;
            }
            let (tile_first, tile_end) = (keys.start / SUPERTILE, keys.end.div_ceil(SUPERTILE));
            let begins = u32::from(keys.start == seen.start);
            for kernel in kernels {
                self.push(kernel, Job { key_base, tile_first, tile_end, begins, ..*job }, index).await?;
            }
        }
        Ok(())
    }

    async fn push(&mut self, kernel: &Kernel, mut job: Job, key_window: u32) -> Result<()> {
        let Layout { d, window, tiles, .. } = self.layout;
        let row_window = job.row_first / window;
        (job.dims, job.row_base) = (d, row_window * window);
        let blocks = (job.tile_end - job.tile_first).div_ceil(tiles);
        let span = Span::of(job.row_end - job.row_first, blocks, d);
        let maxima = self.layout.maxima_bytes();
        let [coordinate, _, record] = element_bytes(self.grid.precision);
        let (state, filter) = (u64::from(d) * coordinate, filter_bytes(d.into()));
        let limbs = limb_bytes(d.into());
        let (current, next) = (("tokens", self.current), ("tokens", 1 - self.current));
        let own = self.matrix.is_identity;
        let rows = |name, line| Bound::window(name, row_window, window, line);
        let keys = |name, line| Bound::window(name, key_window, window, line);
        let slice = self.layout.memory.slice_rows.min(self.layout.n);
        self.resident
            .push(&kernel.of(self.pairs), span, job, |slot| match slot {
                "row_state" => rows(current, state),
                "key_state" => keys(current, state),
                "next_state" => rows(next, state),
                "query" => rows(if own { current } else { (slot, 0) }, state),
                "query_filter" => rows((if own { "state_filter" } else { slot }, 0), filter),
                "state_filter" => rows((slot, 0), filter),
                "key_filter" => keys(("state_filter", 0), filter),
                "state_limbs" | "query_limbs" => rows((slot, 0), limbs),
                "key_limbs" => keys(("state_limbs", 0), limbs),
                "rows" => rows((slot, 0), record),
                "maxima" => Bound::window((slot, 0), key_window, slice, maxima),
                _ => Bound::whole((slot, 0)),
            })
            .await
    }
}

/// max_j |x_jk| for each k, rounded up to an f32, as bits.
fn extents(coordinates: &[i64], d: usize) -> Vec<u32> {
    let mut most = vec![0u64; d];
    for row in coordinates.chunks_exact(d) {
        for (most, x) in most.iter_mut().zip(row) {
            *most = (*most).max(x.unsigned_abs());
        }
    }
    most.iter().map(|&x| if x == 0 { 0 } else { (x as f32).next_up().to_bits() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::adapter::{Adapter, Wanted};
    use crate::model::{Gain, Matrix, Model, Operator, Rule, StripForm};
    use crate::schedule::Schedule;
    use pollster::block_on;

    /// A plan that says fewer dispatches than are sent would hide that a card waits for the host.
    #[test]
    fn a_step_is_the_dispatches_of_its_plan() {
        let (n, d) = (3000, 3);
        let rows: Vec<f64> = (0..n * d).map(|i| ((i * 7919) % 1009) as f64 / 1009.0 - 0.5).collect();
        let tokens = Tokens::from_flat(n, d, rows).unwrap();
        let grid = Grid::of(&tokens, Precision::F32);
        let rule = Rule::Localmax { delta: Schedule::Constant(0.01), strip: StripForm::Score };
        let (scores, gain) = (Operator::constant(Matrix::Identity), Gain::Alpha(Schedule::Constant(1.0)));
        let model = Model::averaging(rule, scores, Mask::FULL, gain);
        let step = crate::exact::Steps::new(&model, grid, d).at(0).unwrap();
        let adapter = Adapter::choose(Wanted::Any).unwrap();
        let whole = adapter.limits().max_storage_buffer_binding_size;
        for (binding, limbs) in [(whole, false), (whole, true), (48 << 10, false), (48 << 10, true)] {
            let limits = wgpu::Limits { max_storage_buffer_binding_size: binding, ..adapter.limits() };
            let device = Device::open_within(&adapter, limits).unwrap();
            let counts = block_on(async {
                let mut state =
                    BruteForce::new(&device, &tokens, grid, Uses { limbs, ..Uses::default() }, Pairs::default())
                        .await?;
                let compiled = device.pipelines();
                state.step(std::slice::from_ref(&step)).await?;
                assert_eq!(device.pipelines(), compiled, "a step waited for a compiler");
                Ok::<_, Error>([state.resident.queue.count, state.layout.dispatches()])
            });
            let [sent, planned] = counts.unwrap();
            assert_eq!(sent, planned, "with bindings of {binding} bytes");
        }
    }
}
