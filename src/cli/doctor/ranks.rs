//! The lines of `doctor` about a run on several ranks: its memory, bytes and seconds.

use serde_json::{Value, json};

use crate::engine::{Talk, Width, rank_memory};
use crate::threads;

/// A run of n tokens in R^d on some ranks.
pub(super) struct Ranks {
    shape: (usize, usize),
    size: usize,
    threads: usize,
    plans: [Plan; 2],
}

/// One way to share it out.
struct Plan {
    name: &'static str,
    /// Bytes that rank 0 and each other one take.
    memory: [u64; 2],
    /// A step at δ = 0, and one with a wide strip.
    steps: [Talk; 2],
}

impl Ranks {
    pub(super) fn new(shape: (usize, usize), size: usize) -> Self {
        let threads = threads::count();
        let plan = |name, is_parted, step: fn((usize, usize), usize, usize, Width) -> Talk| Plan {
            name,
            memory: rank_memory(shape, size, threads, is_parted),
            steps: [Width::Thin, Width::Wide].map(|width| step(shape, size, threads, width)),
        };
        Self { shape, size, threads, plans: [plan("opened", true, Talk::opened), plan("tree", false, Talk::gathered)] }
    }

    pub(super) fn text(&self) -> String {
        let ((n, d), Self { size, threads, .. }) = (self.shape, self);
        let s = |count: usize| if count == 1 { "" } else { "s" };
        let mut text = format!(
            "\nranks      n = {n}, d = {d}, f32, on {size} rank{} of {threads} thread{}; steps are expected by a \
             model\n",
            s(*size),
            s(*threads)
        );
        for Plan { name, memory: [first, other], steps } in &self.plans {
            let others = if *size == 1 { String::new() } else { format!(", every other {other}") };
            text += &format!("           plan {name}: rank 0 takes {first} bytes{others}\n");
            for (what, Talk { bytes, calls, seconds }) in NAMES.iter().zip(steps) {
                text += &format!(
                    "           plan {name}, {what}: a step takes {seconds:.2e} s; a rank hears {bytes} bytes in \
                     {calls} call{}\n",
                    s(*calls as usize)
                );
            }
        }
        text
    }

    pub(super) fn as_json(&self) -> Value {
        let step =
            |&Talk { bytes, calls, seconds }: &Talk| json!({ "bytes": bytes, "calls": calls, "seconds": seconds });
        let plan = |plan: &Plan| {
            let [first, other] = plan.memory;
            let [thin, wide] = &plan.steps;
            let steps = json!({ "delta_0": step(thin), "score_0.01": step(wide) });
            (plan.name.to_owned(), json!({ "rank_0_bytes": first, "other_bytes": other, "steps": steps }))
        };
        let plans: serde_json::Map<String, Value> = self.plans.iter().map(plan).collect();
        json!({ "ranks": self.size, "threads": self.threads, "precision": "f32", "plans": plans })
    }
}

/// The steps that are told of.
const NAMES: [&str; 2] = ["δ = 0", "score strips of 0.01·max|x|²"];
