//! One cloud under four rules, side by side: who is attended to is all that differs between the first three.
//!
//! | rule | who is averaged | gain |
//! |---|---|---|
//! | localmax | the δ-strip, width form | α/(1+α) |
//! | hardmax | the exact maximisers | α/(1+α) |
//! | softmax | everybody, by `e^{βS}` | α/(1+α) |
//! | Frank–Wolfe | the maximiser of lowest index | γ(t) of its own |
//!
//! With one gain hardmax and Frank–Wolfe would be one picture: they differ in exact ties alone. Frank–Wolfe therefore takes
//! the steps 2/(t+2) that its name stands for, unless told otherwise.

use crate::choice::{EngineChoice, Plan};
use crate::error::Result;
use crate::init::CloudSample;
use crate::io::config::{Config, OutputOptions, RunOptions, TokenSource, Trigger};
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::schedule::Schedule;
use crate::tokens::Precision;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cloud.
    pub cloud: CloudSample,
    /// Its seed.
    pub seed: u64,
    /// Steps of every run.
    pub steps: u64,
    /// α of localmax, hardmax and softmax.
    pub alpha: Schedule,
    /// δ of localmax.
    pub delta: Schedule,
    /// β of softmax.
    pub beta: Schedule,
    /// γ of Frank–Wolfe.
    pub gamma: Schedule,
    /// Stored width.
    pub precision: Precision,
    /// Who computes.
    pub engine: EngineChoice,
}

/// One config a rule, checked.
///
/// # Errors
/// A parameter outside its domain.
pub fn configs(options: &Options) -> Result<Vec<Config>> {
    options.cloud.validate()?;
    let alpha = || Gain::Alpha(options.alpha.clone());
    let rules = [
        (Rule::Localmax { delta: options.delta.clone(), strip: StripForm::Width }, alpha()),
        (Rule::Hardmax, alpha()),
        (Rule::Softmax { beta: options.beta.clone() }, alpha()),
        (Rule::FrankWolfe, Gain::Gamma(options.gamma.clone())),
    ];
    let config = |(rule, gain): (Rule, Gain)| {
        let config = Config {
            name: rule.name().to_owned(),
            seed: options.seed,
            tokens: TokenSource::Cloud(options.cloud.clone()),
            model: Model::averaging(rule, Operator::identity(), Mask::Full, gain),
            run: RunOptions {
                steps: options.steps,
                engine: options.engine,
                plan: Plan::Auto,
                precision: options.precision,
            },
            output: OutputOptions {
                record: Trigger::Every(1),
                frames: frames(options),
                measures: Trigger::Never,
                checkpoint_seconds: 300.0,
            },
        };
        config.validate().map(|()| config)
    };
    rules.into_iter().map(config).collect()
}

/// At most about 200 frames a run.
fn frames(options: &Options) -> Trigger {
    Trigger::Every(options.steps.div_ceil(200).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Cloud;

    fn options() -> Options {
        let schedule = |text| Schedule::parse(text).unwrap();
        Options {
            cloud: CloudSample::new(Cloud::Gaussian, 30, 2),
            seed: 1,
            steps: 10,
            alpha: schedule("0.5"),
            delta: schedule("0.3"),
            beta: schedule("8"),
            gamma: schedule("2/(t+2)"),
            precision: Precision::F64,
            engine: EngineChoice::Reference,
        }
    }

    /// A comparison of different clouds would compare nothing.
    #[test]
    fn one_cloud_four_rules() {
        let configs = configs(&options()).unwrap();
        let names: Vec<&str> = configs.iter().map(|config| config.name.as_str()).collect();
        assert_eq!(names, ["localmax", "hardmax", "softmax", "frank-wolfe"]);
        for config in &configs {
            assert_eq!(config.load_tokens().unwrap(), configs[0].load_tokens().unwrap());
            let again = Config::parse(&config.to_toml(), "c", &config.name, std::path::Path::new(""), &[]).unwrap();
            assert_eq!(again, *config);
        }
    }

    /// A parameter of one rule must be refused before any rule has run.
    #[test]
    fn bad_parameters_are_named() {
        let bad = Options { beta: Schedule::Constant(-1.0), ..options() };
        assert!(configs(&bad).unwrap_err().to_string().contains("model.beta is -1 at step 0"));
    }
}
