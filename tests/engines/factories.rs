//! Every engine of this build, by name.

use std::sync::Arc;

use localmax::contract::Grid;
use localmax::cpu::{InstructionSet, Options};
use localmax::engine::{CpuEngine, Engine, ReferenceEngine};
use localmax::error::Result;
use localmax::tokens::Tokens;

/// Makes an engine that holds the given tokens.
type Make = dyn Fn(&Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync;

/// A named engine; `make` is `None` where this machine lacks it.
#[derive(Clone)]
pub(crate) struct Factory {
    pub(crate) name: String,
    pub(crate) make: Option<Arc<Make>>,
}

impl Factory {
    fn new(
        name: impl Into<String>,
        make: impl Fn(&Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), make: Some(Arc::new(make)) }
    }

    fn missing(name: impl Into<String>) -> Self {
        Self { name: name.into(), make: None }
    }

    /// The engine, holding `tokens`.
    pub(crate) fn engine(&self, tokens: &Tokens, grid: Grid) -> Box<dyn Engine> {
        let make = self.make.as_ref().expect("ignored trials do not run");
        make(tokens, grid).unwrap_or_else(|e| panic!("{} cannot be made: {e}", self.name))
    }
}

/// Reference first, then every engine that is held to it.
pub(crate) fn all() -> Vec<Factory> {
    let mut all = vec![Factory::new("reference", |tokens, grid| Ok(Box::new(ReferenceEngine::new(tokens, grid))))];
    for set in InstructionSet::ALL {
        for threads in [1, 2] {
            let name = format!("cpu_{}_{threads}", set.name());
            let options = Options { set: Some(set), threads: Some(threads) };
            all.push(if set.is_available() {
                Factory::new(name, move |tokens, grid| Ok(Box::new(CpuEngine::new(tokens, grid, options)?)))
            } else {
                Factory::missing(name)
            });
        }
    }
    all
}
