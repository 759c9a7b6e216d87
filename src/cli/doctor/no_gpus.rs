//! `doctor` in a build without the feature `gpu`.

use serde_json::{Value, json};

pub(super) struct Gpus;

impl Gpus {
    pub(super) fn probe(_: Option<(usize, usize)>, _: bool) -> Self {
        Self
    }

    pub(super) fn default_engine(&self) -> String {
        "cpu".into()
    }

    pub(super) fn advice(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn text(&self) -> String {
        "\nadapter    none is looked for: this build has no GPU engine (feature `gpu`)\n".into()
    }

    pub(super) fn add_to(&self, all: &mut Value) {
        (all["adapters"], all["drivers"]) = (json!([]), json!([]));
    }
}
