//! From the outputs of the heads to the next state: projection, integrator, retraction.

use crate::error::Result;
use crate::gpu::memory::Name;
use crate::gpu::real::head::is_relative;
use crate::gpu::real::job::{
    ADVANCE, COMMON, DENSE, DIRECT, ELLIPSOID, FINISH, FIRST, Job, LAST, PRODUCT, RETRACT, ROUND, SUMMED, TANGENT,
    TANH, WEIGHTED, pair,
};
use crate::gpu::real::kernels;
use crate::gpu::real::matrices::Role;
use crate::gpu::real::state::RealGpu;
use crate::gpu::resident::Bound;
use crate::model::{Activation, Geometry, Integrator};
use crate::real::{Linear, Motion, Stage, Step};

impl RealGpu {
    /// Takes from the outputs of a slice what lies along the values of its own tokens.
    pub(crate) async fn exclude(&mut self, job: &Job, step: &Step, stage: &Stage, source: Name) -> Result<()> {
        if !step.exclusive {
            return Ok(());
        }
        let source = self.window_of(source, job.row_first);
        // A factor of the value changes nothing.
        let (_, matrix) = self.load(Role::Values(0), &stage.heads[0].values).await?;
        if matrix {
            let source_base = job.row_first / self.layout.window * self.layout.window;
            self.apply(Job { flags: 0, factor: 1.0, source_base, ..*job }, source, Role::Values(0), "product").await?;
        }
        let flags = if matrix { DENSE } else { 0 };
        self.push(&kernels::EXCLUDE, Job { flags, ..*job }, &[("stage", source)]).await
    }

    /// Adds the perceptron to the outputs of a slice.
    pub(crate) async fn perceive(&mut self, job: &Job, step: &Step, source: Name) -> Result<()> {
        let Some(perceptron) = &step.perceptron else { return Ok(()) };
        let flags = if perceptron.activation == Activation::Tanh { TANH } else { 0 };
        let job = Job { flags, width: perceptron.omega.len() as u32, ..*job };
        let source = self.window_of(source, job.row_first);
        self.push(&kernels::PERCEPTRON, job, &[("stage", source)]).await
    }

    /// Adds the step's noise to the outputs of a slice: ν·P_x ξ, so that dt of it is √(2dt/κ)·P_x ξ.
    pub(crate) async fn shake(&mut self, job: &Job, step: &Step, source: Name) -> Result<()> {
        let (Some(noise), Motion::Flow { dt, .. }) = (step.noise, &step.motion) else { return Ok(()) };
        let flags = if noise.common { COMMON } else { 0 };
        let gain = (2.0 / (noise.kappa * dt)).sqrt() as f32;
        let job = Job { flags, gain, seed: pair(noise.seed), ..*job };
        let source = self.window_of(source, job.row_first);
        self.push(&kernels::NOISE, job, &[("stage", source)]).await
    }

    /// Moves a slice from its outputs at stage s to the next stage, or to the next step.
    pub(crate) async fn advance(&mut self, job: &Job, step: &Step, s: usize, source: Name, target: Name) -> Result<()> {
        let last = s + 1 == step.stages.len();
        let windowed = Job { source_base: job.row_first / self.layout.window * self.layout.window, ..*job };
        let finish = if last { FINISH } else { 0 };
        let tokens = self.window_of(("tokens", self.current), job.row_first);
        let [source, target] = [source, target].map(|name| self.window_of(name, job.row_first));
        let slots = [("tokens", tokens), ("stage", source), ("next", target)];
        match &step.motion {
            Motion::Average { gamma, preconditioner } => {
                let direct = if is_relative(step, &step.stages[s]) { 0 } else { DIRECT };
                let (factor, matrix) = self.load(Role::Preconditioner, preconditioner).await?;
                if matrix {
                    self.push(&kernels::MOVES, Job { flags: direct, ..*job }, &slots).await?;
                    let apply = Job { flags: 0, factor: factor as f32, source_base: job.slice_first, ..*job };
                    self.apply(apply, Bound::whole(("outputs", 0)), Role::Preconditioner, "product").await?;
                    let flags = ADVANCE | PRODUCT | FINISH;
                    self.push(&kernels::MOVES, Job { flags, gain: *gamma as f32, ..*job }, &slots).await
                } else {
                    let (flags, gain) = (direct | ADVANCE | FINISH, (gamma * factor) as f32);
                    self.push(&kernels::MOVES, Job { flags, gain, ..*job }, &slots).await
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
                    Geometry::Flat | Geometry::Normalised(_) | Geometry::Rescaled => flags |= finish,
                    Geometry::Sphere => {
                        flags |= if projected { DIRECT | TANGENT } else { 0 };
                        flags |= if last { FINISH | RETRACT } else { 0 };
                    }
                    Geometry::Ellipsoid(w) => {
                        let (size, matrix) =
                            self.load(Role::Weight, &Linear { factor: 1.0, matrix: w.clone() }).await?;
                        let job = Job { radius: size.sqrt().recip() as f32, ..job };
                        if !matrix {
                            flags |= if projected { DIRECT | ROUND } else { 0 };
                            flags |= if last { FINISH | RETRACT } else { 0 };
                            return self.push(&kernels::MOVES, Job { flags, ..job }, &slots).await;
                        }
                        let apply = Job { flags: 0, factor: 1.0, ..windowed };
                        if projected {
                            flags |= DIRECT | ELLIPSOID;
                            self.apply(apply, source, Role::Weight, "product").await?;
                        }
                        self.push(&kernels::MOVES, Job { flags, ..job }, &slots).await?;
                        if last {
                            self.apply(apply, target, Role::Weight, "product").await?;
                            self.push(&kernels::MOVES, Job { flags: FINISH | WEIGHTED, ..job }, &slots).await?;
                        }
                        return Ok(());
                    }
                }
                self.push(&kernels::MOVES, Job { flags, ..job }, &slots).await
            }
        }
    }
}
