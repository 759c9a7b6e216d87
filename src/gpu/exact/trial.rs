//! The alternation of a plan that rules keys out and of brute force, by counted costs.

/// Steps of brute force before a tree or limbs are tried again, at first and at most; and steps of theirs
/// between two looks.
const REST: [usize; 2] = [16, 256];
const LOOK: usize = 32;

/// The alternation of another plan and brute force under `auto`.
pub(crate) struct Trial {
    /// Steps that brute force is still to take; it is the other plan's turn if there are none.
    rest: usize,
    /// The rest after the other plan's next failure.
    interval: usize,
    /// Steps that the other plan has taken in its turn.
    taken: usize,
}

impl Trial {
    /// The other plan's turn.
    pub(crate) fn new() -> Self {
        Self { rest: 0, interval: REST[0], taken: 0 }
    }

    /// Whether it is the turn of brute force.
    pub(crate) fn rests(&self) -> bool {
        self.rest > 0
    }

    /// Steps until the next look.
    pub(crate) fn steps(&self) -> usize {
        match (self.rest, self.taken) {
            (0, 0) => 1,
            (0, _) => LOOK,
            (rest, _) => rest,
        }
    }

    /// Counts some steps, with the cost of the last and that of a step of brute force, in pairs.
    pub(crate) fn count(&mut self, steps: usize, cost: f64, brute: f64) {
        if self.rest > 0 {
            self.rest -= steps;
            self.taken = 0;
            return;
        }
        self.taken += steps;
        if cost > brute {
            self.rest = self.interval;
            self.interval = (2 * self.interval).min(REST[1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::choice::Plan;
    use crate::exact::{Grid, Steps};
    use crate::gpu::adapter::{Adapter, Wanted};
    use crate::gpu::device::Device;
    use crate::gpu::exact::{ExactGpu, Options};
    use crate::init::{Cloud, CloudSample};
    use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
    use crate::schedule::Schedule;
    use crate::tokens::{Precision, Tokens};
    use pollster::block_on;

    /// Limbs that rule out nothing cost more than all pairs; and where a card has no units, they always do.
    #[test]
    fn auto_takes_limbs_where_they_rule_keys_out() {
        let (n, d) = (2500, 17);
        let normal = CloudSample::new(Cloud::Gaussian, n, d).tokens(7, Precision::F32).unwrap();
        // One far token leaves all others without a limb.
        let far: Vec<f64> = (0..n * d).map(|i| if i < d { 1e6 } else { normal.row(i / d)[i % d] }).collect();
        let far = Tokens::from_flat(n, d, far).unwrap();
        let gain = Gain::Alpha(Schedule::Constant(0.5));
        let scores = Operator::constant(Matrix::Identity);
        let model = Model::averaging(Rule::Hardmax, scores, Mask::FULL, gain);
        let device = Device::open(&Adapter::choose(Wanted::Any).unwrap()).unwrap();
        // As on a card with units, by a filter off by nothing, which does without them.
        let mut with_units = device.clone().with_hostile_filter(0.0);
        with_units.has_units = true;
        let plans = |device: &Device, tokens: &Tokens| {
            let grid = Grid::of(tokens, Precision::F32);
            let tokens = grid.snap(tokens).unwrap();
            let step = Steps::new(&model, grid, d).at(0).unwrap();
            let steps = || std::slice::from_ref(&step);
            block_on(async {
                let mut auto = ExactGpu::new(device, &tokens, grid, false, Options::default()).await.unwrap();
                let brute = Options { plan: Plan::Brute, ..Options::default() };
                let mut brute = ExactGpu::new(device, &tokens, grid, false, brute).await.unwrap();
                let mut taken = Vec::new();
                for _ in 0..3 {
                    auto.step(steps()).await.unwrap();
                    brute.step(steps()).await.unwrap();
                    taken.push(auto.effort().unwrap().plan);
                    assert!(auto.tokens().await.unwrap() == brute.tokens().await.unwrap());
                }
                taken
            })
        };
        assert_eq!(plans(&with_units, &normal), [Plan::Filter; 3]);
        assert_eq!(plans(&with_units, &far), [Plan::Filter, Plan::Brute, Plan::Brute]);
        assert_eq!(plans(&device, &normal), [Plan::Brute; 3]);
    }
}
