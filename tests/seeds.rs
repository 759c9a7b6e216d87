//! Every study's claims at other seeds than the first: what is proved holds at any.
//!
//! Everyday runs take three small ranges of seeds. `LOCALMAX_FULL=1 cargo test --release --test seeds
//! -- --nocapture` takes 200 seeds at the sizes of `--quick` and prints every claim whose verdict
//! changes from range to range.

use std::collections::BTreeMap;

use localmax::study::catalogue::{CATALOGUE, Entry};
use localmax::study::{Basis, Claim, Folder, Verdict};

/// Sizes at which a range of seeds takes a second or so without its pictures.
const SMALL: [(&str, &str); 12] = [
    ("strip", "--tokens 40"),
    ("quiescent", "--tokens 60 --alphas 0.5,3"),
    ("vanishing", "--tokens 30 --steps 600"),
    ("asymmetric", "--tokens 30 --steps 400"),
    ("rates", "--tokens 80"),
    ("lyapunov", "--seeds 2"),
    ("artefacts", "--deltas 0.3"),
    ("cells", "--seeds 2"),
    ("consensus", "--steps 600"),
    ("diagram", "--seeds 8 --betas 3 --steps 60 --checkpoints 13"),
    ("phase", "--tokens 300 --decades 2 --seeds 8 --widths 0,1 --dim 3"),
    ("census", "--clouds 300"),
];

/// The claims of a study at a range of seeds, without a report.
fn claims(entry: &Entry, first: u64, options: &str) -> Vec<Claim> {
    let place = tempfile::tempdir().expect("a folder");
    let first = first.to_string();
    let words = [entry.name, "--engine", "cpu", "--first-seed", &first].into_iter().chain(options.split_whitespace());
    let matches = (entry.options)(clap::Command::new(entry.name)).get_matches_from(words);
    let study = (entry.ask)(&matches, true).expect("options that fit");
    let folder = Folder::create(Some(&place.path().join("s")), entry.name, &study.to_toml().expect("a question"));
    study.judge(&folder.expect("a folder")).expect("a study that ends")
}

/// Studies with claims.
fn studies() -> impl Iterator<Item = (&'static Entry, &'static str)> {
    SMALL.iter().map(|(name, options)| (CATALOGUE.iter().find(|entry| entry.name == *name).expect(name), *options))
}

/// Proved by a paper or derived in full, or true by definition.
fn is_founded(claim: &Claim) -> bool {
    matches!(claim.basis, Basis::Proved | Basis::Reconstructed | Basis::Illustration)
}

/// A theorem that is refuted at some seed is a wrong bound, a cloud that is no test of it, or a bug:
/// a verdict that hangs on the seeds cannot be published.
#[test]
fn no_theorem_is_refuted_at_other_seeds() {
    for (entry, options) in studies() {
        for first in [11, 1001, 123_456_789] {
            for claim in claims(entry, first, options) {
                assert!(!is_founded(&claim) || claim.agrees != Verdict::No, "{}, seed {first}: {claim:#?}", entry.name);
            }
        }
    }
}

/// Prints the claims whose verdicts change over 200 seeds; a theorem that is refuted fails.
#[test]
fn verdicts_over_two_hundred_seeds() {
    if !std::env::var("LOCALMAX_FULL").is_ok_and(|value| value == "1") {
        return;
    }
    let mut refuted = Vec::new();
    for (entry, _) in studies() {
        let mut found: BTreeMap<String, BTreeMap<&str, Vec<u64>>> = BTreeMap::new();
        for first in (1..=200).step_by(2) {
            for claim in claims(entry, first, "--seeds 2") {
                if is_founded(&claim) && claim.agrees == Verdict::No {
                    refuted.push(format!("{}, seed {first}: {claim:#?}", entry.name));
                }
                found.entry(claim.claim).or_default().entry(claim.agrees.name()).or_default().push(first);
            }
        }
        println!("{}: {} claims", entry.name, found.len());
        for (claim, verdicts) in found.iter().filter(|(_, verdicts)| verdicts.len() > 1) {
            println!("  {claim}");
            for (verdict, seeds) in verdicts {
                println!("    {verdict}: {} ranges, the first from seed {}", seeds.len(), seeds[0]);
            }
        }
    }
    assert!(refuted.is_empty(), "{}", refuted.join("\n"));
}
