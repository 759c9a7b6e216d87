//! What the verifier counts, and what it says: engines that claim one step each, worked out by
//! hand.

use localmax::engine::{Engine, Step};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::model::{Gain, Head, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::outcome::{Description, StepReport, Strips};
use localmax::rng;
use localmax::schedule::Schedule;
use localmax::tokens::{Coordinates, Precision, Tokens};
use localmax::verify::{Findings, Place, Verifier};

/// An engine that says what it is told to, once.
struct Claims {
    states: Vec<Tokens>,
    masks: Vec<Vec<u32>>,
}

impl Engine for Claims {
    fn description(&self) -> Description {
        Description::default()
    }
    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        self.states.remove(0);
        Ok(vec![StepReport::new(0, 0, &[1], 0); steps.len()])
    }
    fn tokens(&mut self) -> Result<Tokens> {
        Ok(self.states[0].clone())
    }
    fn strips(&mut self) -> Result<Strips> {
        let count = self.masks.iter().map(|mask| mask.len() as u32).collect();
        Ok(Strips { argmax: self.masks.iter().map(|mask| mask.first().copied().unwrap_or(0)).collect(), count })
    }
    fn masks(&mut self, _: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        Ok(rows.iter().map(|&i| self.masks[i].clone()).collect())
    }
}

/// Tokens on a line.
fn line(x: &[f64]) -> Tokens {
    Tokens::from_flat(x.len(), 1, x.to_vec()).unwrap()
}

/// What is found where tokens on a line go from `x` to `after` in step t, attending to `masks`.
fn found(model: &Model, t: u64, x: &[f64], after: &[f64], masks: &[&[u32]]) -> Findings {
    let grid = Grid::of(&line(x), Precision::F64);
    let mut verifier = Verifier::new(model, grid, x.len(), 1, None);
    assert_eq!(verifier.rows(), x.len());
    let masks = masks.iter().map(|mask| mask.to_vec()).collect();
    verifier.step(&mut Claims { states: vec![line(x), line(after)], masks }, t).unwrap();
    assert_eq!((verifier.findings.steps, verifier.findings.rows), (1, x.len() as u64));
    verifier.findings
}

/// x ← x + ½(Σ_h V_h mean − x), V_h = v, and any integer rule is one in real numbers.
fn halving(rule: Rule, heads: &[f64], mask: Mask) -> Model {
    let mut model = Model::averaging(rule, Operator::identity(), mask, Gain::Gamma(Schedule::Constant(0.5)));
    let values = |v: &f64| Operator::constant(Matrix::multiple(*v).unwrap());
    model.heads = heads.iter().map(|v| Head { scores: Operator::identity(), values: values(v) }).collect();
    model
}

fn strip(delta: f64) -> Rule {
    Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Score }
}

/// What is counted of mask entries, and all breaches.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    entries: u64,
    /// Those on the edge, where either decision is right.
    inside: u64,
    /// Those that are decided otherwise than in f64.
    differing: u64,
    breaches: u64,
}

fn counts(f: &Findings) -> Counts {
    Counts { entries: f.entries, inside: f.entries_inside, differing: f.entries_differing, breaches: f.breach_count }
}

/// Of three tokens that see all, one entry is on the edge, and all are decided as in f64.
const HONEST: Counts = Counts { entries: 9, inside: 1, differing: 0, breaches: 0 };

/// Where a score lies on the threshold either decision is right; elsewhere one is, and only those
/// seen are there.
#[test]
fn a_strip_in_real_numbers_is_the_engines_own_only_at_its_edge() {
    let model = halving(strip(0.25), &[0.5], Mask::FULL);
    assert!(!model.is_exact());
    let x = [1.0, 0.5, -1.0];
    // Scores of token 1: 0.5, 0.25 and −0.5; 0.25 lies on its threshold. Its strip's mean is 0.75,
    // or 1 without itself.
    let both = found(&model, 0, &x, &[0.75, 0.4375, -0.75], &[&[0], &[0, 1], &[2]]);
    assert_eq!(counts(&both), HONEST, "{both}");
    assert!(both.passed() && both.max_share < 1.0);
    let one = found(&model, 0, &x, &[0.75, 0.5, -0.75], &[&[0], &[0], &[2]]);
    assert_eq!(counts(&one), Counts { differing: 1, ..HONEST }, "{one}");
    let says = |findings: &Findings, line: &str| {
        assert!(!findings.passed() && findings.breaches.iter().any(|breach| breach.contains(line)), "{findings}");
    };
    let far = found(&model, 0, &x, &[0.6875, 0.4375, -0.75], &[&[0, 1], &[0, 1], &[2]]);
    assert_eq!(counts(&far), Counts { differing: 1, breaches: 1, ..HONEST }, "{far}");
    says(&far, "token 0 at step 0: key 1 is farther from the threshold than rounding reaches");
    let none = found(&model, 0, &x, &[0.75, 0.4375, -0.75], &[&[], &[0, 1], &[2]]);
    assert_eq!(counts(&none), Counts { differing: 1, breaches: 2, ..HONEST }, "{none}");
    says(&none, "token 0 at step 0: 0 keys are attended to");
    let unseen = found(&model, 0, &x, &[0.75, 0.4375, -0.75], &[&[0, 3], &[0, 1], &[2]]);
    assert_eq!(counts(&unseen), Counts { breaches: 1, ..HONEST }, "{unseen}");
    says(&unseen, "token 0 at step 0: key 3 is not seen by this row");
    let causal = halving(strip(0.25), &[0.5], Mask::CAUSAL);
    let causal = found(&causal, 0, &x, &[0.75, 0.4375, -0.75], &[&[0], &[0, 1], &[2]]);
    assert_eq!(counts(&causal), Counts { entries: 6, ..HONEST }, "{causal}");
}

/// A maximum attained twice may be either key, but one of them, and no other.
#[test]
fn a_maximiser_is_one_of_those_that_attain_the_maximum() {
    let model = halving(Rule::FrankWolfe, &[0.5], Mask::FULL);
    let (x, after) = ([1.0, 1.0, -1.0], [0.75, 0.75, -0.75]);
    // Each of the two equal tokens attains its maximum at both of them, the third at itself.
    let tied = Counts { inside: 5, ..HONEST };
    for (masks, expected) in [
        ([&[0][..], &[0], &[2]], tied),
        ([&[1], &[0], &[2]], Counts { differing: 2, ..tied }),
        ([&[0, 1], &[0], &[2]], Counts { differing: 1, breaches: 1, ..tied }),
        ([&[], &[0], &[2]], Counts { differing: 1, breaches: 1, ..tied }),
    ] {
        let findings = found(&model, 0, &x, &after, &masks);
        assert_eq!(counts(&findings), expected, "{masks:?}: {findings}");
    }
    let far = found(&model, 0, &x, &[0.25, 0.75, -0.75], &[&[2], &[0], &[2]]);
    assert_eq!(counts(&far), Counts { differing: 2, breaches: 1, ..tied }, "{far}");
}

/// A drawn key may be its neighbour where the level lies on the edge between them, and nowhere
/// else.
#[test]
fn a_drawn_key_is_a_neighbour_only_at_the_edge() {
    let (seed, beta) = (3, 1.5);
    let model = halving(Rule::Markov { beta: Schedule::Constant(beta), seed }, &[0.5], Mask::FULL);
    let x = [0.875, 0.5, -0.75, 0.25, -0.125, 0.625, -0.375, 0.8125];
    let narrow =
        |x: &[f64]| Tokens::from_flat(x.len(), 1, Coordinates::F32(x.iter().map(|&v| v as f32).collect())).unwrap();
    // The key drawn, the one beyond the nearer edge, and how far that edge is, as a share of the
    // sum.
    let drawn = |t: u64, i: usize| -> (usize, usize, f64) {
        let max = x.iter().map(|y| x[i] * y).fold(f64::MIN, f64::max);
        let weights = x.map(|y| (beta * (x[i] * y - max)).exp());
        let total: f64 = weights.iter().sum();
        let level = rng::uniform_at(seed, t, i as u64) * total;
        let edges: Vec<f64> = (0..=8).map(|j| weights[..j].iter().sum()).collect();
        let key = (0..8).find(|&j| edges[j + 1] > level).unwrap();
        let (below, above) = (level - edges[key], edges[key + 1] - level);
        let next = if above < below { key + 1 } else { key.wrapping_sub(1) };
        (key, next, below.min(above) / total)
    };
    let step = |t: u64, keys: [usize; 8]| {
        let after: Vec<f64> = (0..8).map(|i| 0.5 * x[i] + 0.25 * x[keys[i]]).collect();
        let masks = keys.map(|key| vec![key as u32]).to_vec();
        let mut verifier = Verifier::new(&model, Grid::of(&narrow(&x), Precision::F32), 8, 1, None);
        verifier.step(&mut Claims { states: vec![narrow(&x), narrow(&after)], masks }, t).unwrap();
        assert_eq!((verifier.findings.steps, verifier.findings.rows), (1, 8));
        verifier.findings
    };
    // Of the eight keys that each of eight tokens sees, the one drawn.
    let one_each = Counts { entries: 64, inside: 8, differing: 0, breaches: 0 };
    // B/Σw is 1.58e-5 for the sums and about 1e-6 for the weights.
    let (mut on_edges, mut off_edges) = (0, 0);
    for t in 0..16_000 {
        let all: [_; 8] = std::array::from_fn(|i| drawn(t, i));
        let keys = all.map(|(key, _, _)| key);
        let Some(i) = (0..8).find(|&i| all[i].2 < 1.5e-5 && all[i].1 < 8) else {
            if t % 400 == 0 && all.iter().all(|(_, _, off)| *off > 2.5e-5) {
                let honest = step(t, keys);
                assert_eq!(counts(&honest), one_each, "{honest}");
                let mut other = keys;
                other[0] = if keys[0] == 0 { 1 } else { keys[0] - 1 };
                let other = step(t, other);
                assert_eq!(counts(&other), Counts { differing: 2, breaches: 1, ..one_each }, "{other}");
                assert!(other.breaches[0].contains("is farther from the level drawn than rounding reaches"), "{other}");
                off_edges += 1;
            }
            continue;
        };
        let honest = step(t, keys);
        assert!(honest.passed() && honest.entries_inside >= 9 && honest.entries_differing == 0, "{honest}");
        let mut other = keys;
        other[i] = all[i].1;
        let other = step(t, other);
        assert!(other.passed() && other.entries_differing == 2, "{other}");
        on_edges += 1;
    }
    assert!(on_edges > 3 && off_edges > 20, "{on_edges} on edges, {off_edges} off");
}

/// What a second head attends to is not shown: where it has a choice, its mean is any in the cloud,
/// and known elsewhere.
#[test]
fn a_head_that_is_not_shown_is_unknown_only_where_it_has_a_choice() {
    // Token 1 has a key on the edge of its strip, the others none.
    let x = [1.0, 0.5, -1.0];
    let model = halving(strip(0.25), &[0.5, 0.25], Mask::FULL);
    let masks: [&[u32]; 3] = [&[0], &[0, 1], &[2]];
    let honest = [0.875, 0.53125, -0.875];
    assert!(found(&model, 0, &x, &honest, &masks).passed());
    let mut other = honest;
    // Its second head took key 0 alone.
    other[1] += 0.5 * 0.25 * 0.25;
    assert!(found(&model, 0, &x, &other, &masks).passed());
    for i in [0, 2] {
        let mut other = honest;
        other[i] += 1e-9;
        assert_eq!(found(&model, 0, &x, &other, &masks).breach_count, 1);
    }
    // One maximiser is no choice, two are.
    let model = halving(Rule::FrankWolfe, &[0.5, 0.25], Mask::FULL);
    for (x, free) in [([1.0, 0.5], false), ([1.0, 1.0], true)] {
        let after = [0.5 * x[0] + 0.375, 0.5 * x[1] + 0.375];
        assert!(found(&model, 0, &x, &after, &[&[0], &[0]]).passed());
        assert_eq!(found(&model, 0, &x, &[after[0] + 0.25, after[1]], &[&[0], &[0]]).passed(), free);
    }
}

/// The largest error, its place and its share of the bound are what a paper quotes.
#[test]
fn errors_are_measured_where_they_are_largest() {
    let model = halving(strip(0.25), &[0.5], Mask::FULL);
    let x = [1.0, 0.5, -1.0];
    let masks: [&[u32]; 3] = [&[0], &[0, 1], &[2]];
    let findings = found(&model, 7, &x, &[0.75 + 1e-3, 0.4375 - 1e-2, -0.75 + 1e-3], &masks);
    assert_eq!(findings.breach_count, 3);
    assert_eq!(findings.worst, Place { step: 7, token: 1 });
    assert!((findings.max_error - 1e-2).abs() < 1e-15 && findings.max_error_bound < 1e-12, "{findings}");
    assert!(findings.max_share >= findings.max_error / findings.max_error_bound, "{findings}");
    assert!(findings.max_share < 2.0 * findings.max_error / findings.max_error_bound, "{findings}");
    assert!(findings.breaches[1].starts_with("token 1 at step 7 coordinate 0: off by 1.000e-2, bound "), "{findings}");
    // Within the bound there is a share of it, and no breach; exact states have none.
    let near = found(&model, 7, &x, &[0.75, 0.4375_f64.next_up(), -0.75], &masks);
    assert!(near.passed() && near.max_share > 0.0 && near.max_share < 1.0, "{near}");
    assert_eq!((near.max_error, near.worst.token), (0.4375_f64.next_up() - 0.4375, 1));
    let exact = found(&model, 7, &x, &[0.75, 0.4375, -0.75], &masks);
    assert_eq!((exact.max_error, exact.max_share, exact.rows_unbounded), (0.0, 0.0, 0));
    // Weights of the unnormalised rule may be larger than any number where no key's is.
    let rule = Rule::Exponential { beta: Schedule::Constant(30.0), origin: 1.0 };
    let model = halving(rule, &[0.5], Mask::CAUSAL);
    let grid = Grid::of(&line(&[1.0, 30.0]), Precision::F64);
    let mut verifier = Verifier::new(&model, grid, 2, 1, Some(1));
    let states = vec![line(&[1.0, 30.0]), line(&[0.75, 30.0])];
    verifier.step(&mut Claims { states, masks: vec![vec![0], vec![0, 1]] }, 0).unwrap();
    assert_eq!((verifier.rows(), verifier.findings.rows_unbounded, verifier.findings.breach_count), (1, 1, 0));
    assert!(verifier.findings.max_share == 0.0 && verifier.findings.max_error == 0.0);
}

/// Both faces of the contract see what is not theirs.
#[test]
fn the_contract_and_the_mathematics_are_counted_apart() {
    let model = Model::averaging(strip(0.25), Operator::identity(), Mask::FULL, Gain::Gamma(Schedule::Constant(0.5)));
    let x = [1.0, 0.5, -1.0];
    let unit = Grid::of(&line(&x), Precision::F64).unit();
    let after = [1.0, 0.625, -1.0];
    let honest = found(&model, 4, &x, &after, &[&[0], &[0, 1], &[2]]);
    assert_eq!(counts(&honest), HONEST, "{honest}");
    assert!(honest.exact && honest.max_error == 0.0 && honest.rows_off_contract == 0);
    // A key on the edge left out: f64 may do that, the contract may not.
    let edge = found(&model, 4, &x, &[1.0, 0.75, -1.0], &[&[0], &[0], &[2]]);
    assert_eq!(counts(&edge), Counts { differing: 1, breaches: 1, ..HONEST }, "{edge}");
    assert_eq!(edge.rows_off_contract, 1);
    assert_eq!(edge.breaches, ["token 1 at step 4: mask, strip size, token not the contract's"]);
    // One that is far away: neither may.
    let far = found(&model, 4, &x, &[0.875, 0.625, -1.0], &[&[0, 1], &[0, 1], &[2]]);
    assert_eq!(counts(&far), Counts { differing: 1, breaches: 2, ..HONEST }, "{far}");
    assert_eq!(far.rows_off_contract, 1);
    assert!(far.breaches[1].starts_with("token 0 at step 4: key 1 is 2.500e-1 from the threshold, bound "), "{far}");
    let none = found(&model, 4, &x, &after, &[&[], &[0, 1], &[2]]);
    assert!(none.breaches.iter().any(|line| line == "token 0 at step 4: an empty strip"), "{none}");
    // A unit is not the contract's; nine are not the mathematics' either, whose f64 rounds by six
    // of them.
    for (units, breaches) in [(1.0, 1), (9.0, 2)] {
        let findings = found(&model, 4, &x, &[1.0, 0.625 + units * unit, -1.0], &[&[0], &[0, 1], &[2]]);
        assert_eq!((findings.breach_count, findings.max_error), (breaches, units), "{findings}");
        assert_eq!(findings.worst, Place { step: 4, token: 1 });
        assert!((7.5..7.6).contains(&findings.max_error_bound), "{findings}");
        let line = findings.breaches.last().unwrap();
        assert_eq!(line.starts_with("token 1 at step 4 coordinate 0: off by 9.000 units, bound 7.500"), units > 1.0);
    }
}

/// The lines that `localmax verify` prints; of many breaches the first ten.
#[test]
fn findings_are_told_in_full() {
    assert!(!Findings::default().passed(), "nothing was looked at");
    let model = Model::averaging(strip(0.25), Operator::identity(), Mask::FULL, Gain::Gamma(Schedule::Constant(0.5)));
    let all: Vec<u32> = (0..12).collect();
    let many = found(&model, 0, &[1.0; 12], &[0.5; 12], &[&all[..]; 12]);
    assert_eq!((many.breach_count, many.breaches.len()), (24, 10));
    let exact = Findings {
        exact: true,
        steps: 2,
        rows: 6,
        entries: 18,
        entries_inside: 3,
        entries_differing: 1,
        max_error: 0.75,
        max_error_bound: 1.5,
        worst: Place { step: 1, token: 4 },
        ..Findings::default()
    };
    assert_eq!(
        exact.to_string(),
        "checked          2 steps, 6 rows, 18 mask entries\n\
         against contract 0 of 6 rows differ\n\
         against the mathematics (f64): maximum error 0.750 units (bound 1.500), worst token 4 at step 1\n\
         mask entries     3 inside the rounding bound of the threshold, 1 of them decided otherwise in f64\n\
         verified"
    );
    let real = Findings {
        exact: false,
        entries: 0,
        max_share: 0.5,
        rows_unbounded: 2,
        breaches: vec!["one".into()],
        breach_count: 1,
        ..exact
    };
    assert_eq!(
        real.to_string(),
        "checked          2 steps, 6 rows, 0 mask entries\n\
         against the mathematics (f64): maximum error 7.500e-1 (bound 1.500e0), worst token 4 at step 1\n\
         share of bound   0.500 at most; 2 rows without a finite bound\n\
         BREACH           one\n\
         NOT VERIFIED"
    );
}
