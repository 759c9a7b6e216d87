//! `localmax strip`: who one token attends to.

use std::ops::ControlFlow;

use anyhow::Result;
use serde_json::json;

use super::output;
use super::progress::Bar;
use super::source::{Source, first_state, open_engine};
use crate::engine::{Simulation, Strip, Until};
use crate::error::Error;
use crate::io::config::start::Start;
use crate::model::Rule;
use crate::num;

/// Print the strip of one token: the tokens it averages over, with their scores and how far below
/// the maximum they are
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  localmax strip --preset non-vertex-limit --token 4 --step 10 --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The reference token, counted from 0
    #[arg(long, value_name = "I")]
    token: usize,
    /// The step whose strip is asked for, computed from X(T) and used for T → T+1
    #[arg(long, value_name = "T", default_value_t = 0)]
    step: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Takes the steps up to `step`; where the state is at rest or on a cycle, only those that change
/// it.
fn go_to(simulation: &mut Simulation, step: u64) -> Result<()> {
    let is_autonomous = simulation.model().is_autonomous();
    let mut progress = Bar::new(step);
    // A state that is compared with later ones (Brent 1980), and the step to go to.
    let (mut anchor, mut end) = ((simulation.t(), simulation.hash()?), step);
    loop {
        let mut period = None;
        let until = Until { end, past_fixed_point: false };
        simulation.run(
            until,
            |_| false,
            Simulation::take,
            |simulation, at| {
                progress.at(at.t, "");
                if at.is_last || !is_autonomous {
                    return Ok(ControlFlow::Continue(()));
                }
                let hash = simulation.hash()?;
                if hash == anchor.1 {
                    period = Some(at.t - anchor.0);
                    return Ok(ControlFlow::Break(()));
                }
                if at.t >= 2 * anchor.0 {
                    anchor = (at.t, hash);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let Some(period) = period else { break };
        // After this many steps the state is that of `step`.
        end = simulation.t() + (end - simulation.t()) % period;
    }
    progress.done();
    Ok(())
}

/// Members printed at most.
const SHOWN: usize = 40;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut config = arguments.source.config()?;
    let (n, token) = (config.n(), arguments.token);
    if token >= n {
        return Err(Error::input(format!("--token {token}: there are {n} tokens, 0 to {}", n - 1)).into());
    }
    if !config.model.has_strips() {
        return Err(Error::input(format!(
            "rule {0} has no strips: {1}; localmax and hardmax have",
            config.model.name(),
            {
                match config.model.rule {
                    Rule::FrankWolfe => "a token sees its one maximiser, the lowest index among equals",
                    Rule::Markov { .. } => "a token sees one key that is drawn",
                    Rule::Sparse { .. } => "a token sees the keys near its maximum, with weights that fall to 0",
                    _ => "every key has a weight",
                }
            }
        ))
        .into());
    }
    if arguments.step > config.run.steps {
        let steps = config.run.steps;
        config.require_values(arguments.step)?;
        output::note(&format!("step {} is past the config's last, {steps}: going on to it", arguments.step));
    }
    let Start { tokens, grid, .. } = first_state(&mut config)?;
    let engine = open_engine(&config, &tokens, grid)?;
    let shape = (tokens.n(), tokens.d());
    let mut simulation = Simulation::from_state(&config.model, grid, shape, engine, 0);
    go_to(&mut simulation, arguments.step)?;
    let now = simulation.tokens()?;
    let Strip { members, keys, scores, max, threshold, delta, .. } = simulation.strip(token)?;
    // Members are keys of the row.
    let score = |j: &usize| keys.binary_search(j).map_or(f64::NAN, |at| scores[at]);
    let inside = max - threshold;
    let form = config.model.strip_form().name();
    let key = config.model.strip_form().key();
    let max = max + 0.0; // a distance of 0 has the score -0
    if arguments.json {
        let text = json!({
            "token": token,
            "step": arguments.step,
            "x": now.row(token),
            "rule": config.model.rule.name(),
            "strip": form,
            "delta": delta,
            "sees": keys.len(),
            "max_score": (!keys.is_empty()).then_some(max),
            "threshold": (!keys.is_empty()).then_some(threshold),
            "members": members,
            "scores": members.iter().map(score).collect::<Vec<_>>(),
            "engine": simulation.engine().description().engine,
        });
        return Ok(output::print(&format!("{text:#}\n"))?);
    }
    let mut text = format!(
        "token {token} at step {}: x = {:?}\n{} ({form} strip), {key} = {}: ",
        arguments.step,
        now.row(token),
        config.model.rule.name(),
        num::short(delta),
    );
    if keys.is_empty() {
        return Ok(output::print(&format!("{text}it sees no token, and stays\n"))?);
    }
    let (what, column) = if config.model.keys.is_some() { ("fixed keys", "  key") } else { ("tokens", "token") };
    let seen = if keys.len() == n || config.model.keys.is_some() {
        format!("{} {what}", keys.len())
    } else {
        format!("the {} tokens that it sees", keys.len())
    };
    text += &format!(
        "{} of {seen} score within {inside:.6e} of the maximum {max:.6e}\n\n  {column}         score   below maximum\n",
        members.len(),
    );
    for j in members.iter().take(SHOWN) {
        let score = score(j);
        text += &format!("{j:>7}  {score:>12.6e}  {:>14.6e}\n", max - score);
    }
    if members.len() > SHOWN {
        text += &format!("  and {} more; --json prints all\n", members.len() - SHOWN);
    }
    Ok(output::print(&text)?)
}
