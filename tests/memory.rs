//! The memory of a run, as bytes that it allocates a token, counted. A person who opens 10^8 tokens on a
//! machine that the README says is large enough must not lose the run at its last step.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use localmax::engine::Engine;
use localmax::error::{Error, Result};
use localmax::io::config::{Config, Override};
use localmax::outcome::{Effort, StepReport};
use localmax::run::checkpoint::Checkpoint;
use localmax::run::opening::{self, Opening};
use localmax::run::record::{self, Callbacks};
use localmax::run::{Options, Place};

/// The system's allocator, which counts the bytes held and the most of them.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator is; this one only counts")]
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Quiet;

impl Callbacks for Quiet {
    fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
        Err(Error::device(lost.to_string()))
    }

    fn progress(&mut self, _: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The most bytes that a run to rest holds.
fn bytes(n: usize) -> usize {
    let changes = [
        &format!("tokens={{kind=\"normal\",n={n},d=3}}"),
        "model.delta=0",
        "model.alpha=1",
        "run.steps=10000",
        "run.engine=cpu",
        "output.record=log",
        "output.frames=never",
        "output.measures=never",
    ];
    let changes: Vec<Override> = changes.iter().map(|text| Override::set(text).expect("a change")).collect();
    let mut config = Config::preset("default", &changes).expect("a config");
    let folder = tempfile::tempdir().expect("a folder");
    MOST.store(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
    let before = HELD.load(Ordering::Relaxed);
    let Opening { start, engine, .. } = opening::open(&mut config, Options::default(), |_| {}).expect("an engine");
    let place = Place::new(Some(&folder.path().join("r")), "r").expect("a place");
    let (_, result) = record::begin(&config, &place, start, engine, &mut Quiet).expect("a run");
    assert!(result.limits.is_some() && result.last.is_some_and(|last| last.moved == 0));
    MOST.load(Ordering::Relaxed) - before
}

/// 8 GiB for 10^8 tokens are 85 bytes a token. Growth is what counts: some buffers are of any run.
#[test]
fn a_run_holds_few_bytes_a_token() {
    let [few, many] = [100_000, 400_000].map(bytes);
    let grown = (many - few) as f64 / 300_000.0;
    println!("{few} and {many} bytes, {grown:.1} a token");
    assert!(grown <= 80.0, "{grown:.1} bytes a token");
}
