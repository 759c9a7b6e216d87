//! From the outputs of the heads to the next state: projection, integrator, retraction.

use crate::error::Result;
use crate::gpu::real::head::is_relative;
use crate::gpu::real::job::Job;
use crate::gpu::real::job::motion::{
    ADVANCE, DIRECT, ELLIPSOID, FINISH, FIRST, LAST, PRODUCT, RETRACT, ROUND, SUMMED, TANGENT, WEIGHTED,
};
use crate::gpu::real::kernels::Kernel;
use crate::gpu::real::matrices::Role;
use crate::gpu::real::{RealGpu, Slot};
use crate::model::{Geometry, Integrator};
use crate::real::{Linear, Motion, Step};

impl RealGpu {
    /// From the outputs of a slice at stage s to the next stage, or to the next step.
    pub(crate) fn advance(&mut self, job: &Job, step: &Step, s: usize, source: Slot, target: Slot) -> Result<()> {
        let (window, last) = (Some(job.row_first / self.plan.window), s + 1 == step.stages.len());
        let windowed = Job { source_base: job.row_first / self.plan.window * self.plan.window, ..*job };
        let finish = if last { FINISH } else { 0 };
        let slots = [
            (Slot::Tokens(self.current), window),
            (source, window),
            (Slot::Outputs, None),
            (Slot::Products, None),
            (Slot::Slopes, (self.plan.bytes("sums over stages") > 16).then_some(window).flatten()),
            (target, window),
            (Slot::Traces, window),
            (Slot::Reports, None),
        ];
        match &step.motion {
            Motion::Average { gamma, preconditioner } => {
                let direct = if is_relative(step, &step.stages[s]) { 0 } else { DIRECT };
                let (factor, matrix) = self.load(Role::Preconditioner, preconditioner)?;
                if matrix {
                    self.push(Kernel::Moves, Job { flags: direct, ..*job }, &slots)?;
                    let apply = Job { flags: 0, factor: factor as f32, source_base: job.slice_first, ..*job };
                    self.apply(apply, (Slot::Outputs, None), Role::Preconditioner, Slot::Products)?;
                    let flags = ADVANCE | PRODUCT | FINISH;
                    self.push(Kernel::Moves, Job { flags, gain: *gamma as f32, ..*job }, &slots)
                } else {
                    let (flags, gain) = (direct | ADVANCE | FINISH, (gamma * factor) as f32);
                    self.push(Kernel::Moves, Job { flags, gain, ..*job }, &slots)
                }
            }
            Motion::Flow { dt, integrator, geometry } => {
                let (sums, gain, weight) = match integrator {
                    Integrator::Rk4 => {
                        let place = if s == 0 { FIRST } else { 0 } | if last { LAST } else { 0 };
                        (SUMMED | place, [0.5, 0.5, 1.0, 1.0 / 6.0][s] * dt, [1.0, 2.0, 2.0, 1.0][s])
                    }
                    _ => (0, *dt, 1.0),
                };
                let projected = *integrator != Integrator::EulerRenorm;
                let job = Job { gain: gain as f32, weight, radius: 1.0, ..*job };
                let mut flags = ADVANCE | sums;
                match geometry {
                    Geometry::Flat | Geometry::Rescaled => flags |= finish,
                    Geometry::Sphere => {
                        flags |= if projected { DIRECT | TANGENT } else { 0 };
                        flags |= if last { FINISH | RETRACT } else { 0 };
                    }
                    Geometry::Ellipsoid(w) => {
                        let (size, matrix) = self.load(Role::Weight, &Linear { factor: 1.0, matrix: w.clone() })?;
                        let job = Job { radius: size.sqrt().recip() as f32, ..job };
                        if !matrix {
                            flags |= if projected { DIRECT | ROUND } else { 0 };
                            flags |= if last { FINISH | RETRACT } else { 0 };
                            return self.push(Kernel::Moves, Job { flags, ..job }, &slots);
                        }
                        let apply = Job { flags: 0, factor: 1.0, ..windowed };
                        if projected {
                            flags |= DIRECT | ELLIPSOID;
                            self.apply(apply, (source, window), Role::Weight, Slot::Products)?;
                        }
                        self.push(Kernel::Moves, Job { flags, ..job }, &slots)?;
                        if last {
                            self.apply(apply, (target, window), Role::Weight, Slot::Products)?;
                            self.push(Kernel::Moves, Job { flags: FINISH | WEIGHTED, ..job }, &slots)?;
                        }
                        return Ok(());
                    }
                }
                self.push(Kernel::Moves, Job { flags, ..job }, &slots)
            }
        }
    }
}
