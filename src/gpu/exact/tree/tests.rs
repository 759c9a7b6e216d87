//! Sorting and merging on every adapter, against [`crate::space`].

use pollster::block_on;

use crate::error::Error;
use crate::exact::Steps;
use crate::gpu::adapter::Adapter;
use crate::gpu::exact::brute::BruteForce;
use crate::gpu::exact::layout::Uses;
use crate::gpu::exact::tree::*;
use crate::gpu::pairs::Pairs;
use crate::gpu::share::{Computed, Share};
use crate::model::{Gain, Matrix, Model, Operator, Rule, StripForm};
use crate::schedule::Schedule;
use crate::space::{Keys, Order};
use crate::tokens::Precision;

fn devices() -> Vec<Device> {
    let adapters = Adapter::all();
    // Other software drivers take minutes to compile these kernels.
    let of_use = |adapter: &&Adapter| !adapter.is_software() || adapter.name().contains("llvmpipe");
    let devices: Vec<_> = adapters.iter().filter(of_use).map(|a| Device::open(a).expect("a device")).collect();
    assert!(!devices.is_empty(), "no adapter: bash tests/run.sh installs a software driver");
    devices
}

/// Keys as (row, weight, least token), in order, and the key of every token.
type Listed = (Vec<(Vec<i64>, u32, u32)>, Vec<u32>);

fn listed(state: &TreeSearch) -> Listed {
    let (keys, d) = (state.keys() as usize, state.d as usize);
    let per = if state.grid.precision == Precision::F32 { 1 } else { 2 };
    let read = |name, words| block_on(state.resident.read(name, words)).expect("a buffer");
    let rows = coordinates(&read(("tokens", state.sides.tokens), keys * d * per), state.grid.precision);
    let marks = read(("marks", state.sides.marks), 2 * keys);
    let key = |k: usize| (rows[k * d..][..d].to_vec(), marks[2 * k], marks[2 * k + 1]);
    ((0..keys).map(key).collect(), block_on(state.owners()).expect("owners"))
}

/// If a sort lost a token or a merge a bit, every later step would be of another cloud; if keys
/// close in space were far in order, boxes would rule nothing out.
#[test]
fn sorted_and_merged_as_on_the_cpu() {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64
    };
    for device in devices() {
        for (n, d, few, precision) in [
            (1, 1, 1, Precision::F32),
            (257, 2, 40, Precision::F32),
            (5000, 3, 5000, Precision::F32),
            (5000, 3, 700, Precision::F64),
            (3000, 20, 900, Precision::F32),
        ] {
            let span = if few == n as i64 { 1 << 22 } else { 3 };
            let kinds: Vec<Vec<i64>> = (0..few).map(|_| (0..d).map(|_| next() % span).collect()).collect();
            let rows: Vec<i64> = (0..n).flat_map(|_| kinds[next() as usize % kinds.len()].clone()).collect();
            let grid = Grid { exponent: 0, precision };
            let tokens = grid.tokens(n, d, &rows).expect("tokens");
            let searched =
                block_on(TreeSearch::new(&device, &tokens, grid, false, Upkeep::default())).expect("a search");
            let (keys, owner) = listed(&searched);
            let (expected, _) = Keys::of_tokens(rows.clone(), d).ordered(d, Order::Space, true);
            let mut sorted: Vec<_> = (0..expected.len())
                .map(|k| (expected.rows[k * d..][..d].to_vec(), expected.weight[k], expected.first[k]))
                .collect();
            sorted.sort();
            let mut got = keys.clone();
            got.sort();
            assert_eq!(got, sorted, "n = {n}, d = {d}");
            for (i, &key) in owner.iter().enumerate() {
                assert_eq!(keys[key as usize].0, rows[i * d..][..d], "token {i}");
            }
            if searched.code.exact && d <= 3 {
                let code = |row: &[i64]| {
                    let axes = &searched.code.axes;
                    (0..8 * searched.code.digits).fold(0u128, |code, place| {
                        let axis = axes[place as usize % axes.len()] as usize;
                        let x = row[axis] - searched.code.lowest[axis];
                        code | u128::from((x >> (place / axes.len() as u32) & 1) as u64) << place
                    })
                };
                assert!(keys.is_sorted_by_key(|key| code(&key.0)), "n = {n}, d = {d}");
            }
            assert_eq!(searched.first_key, owner[0]);
        }
    }
}

/// Steps of localmax at α = 1 of a cloud; below `meeting` tokens creep.
fn steps_of(n: usize, meeting: u64, count: u64, scores: Operator) -> (Tokens, Grid, Vec<Step>) {
    let rows: Vec<f64> =
        (0..n).flat_map(|i| [7919, 104_729, 611_953].map(|p| (i * p % 65_521) as f64 / 65_521.0)).collect();
    let tokens = Tokens::from_flat(n, 3, rows).expect("tokens");
    let grid = Grid::of(&tokens, Precision::F32);
    let rule = Rule::Localmax { delta: Schedule::Constant(0.001), strip: StripForm::Score };
    let model = Model::averaging(rule, scores, Mask::FULL, Gain::Alpha(Schedule::Constant(1.0)));
    let mut steps = Steps::new(&model, grid, 3);
    let mut at = |t: u64| {
        let step = steps.at(t).expect("a step");
        Step { gain: if t < meeting { 1 } else { (1 << 32) - 1 }, ..step }
    };
    (tokens, grid, (0..count).map(&mut at).collect())
}

/// A card that waits for its host between two steps computes half of the time. Which steps are
/// preceded by a sort must not depend on how many steps are asked for at once, or on what the host
/// knows by then.
#[test]
fn steps_follow_one_another_without_a_wait() {
    let (tokens, grid, steps) = steps_of(FEW as usize + 100, 0, 21, Operator::constant(Matrix::Identity));
    for device in devices() {
        let device = device.counted();
        let run = |batch: usize| {
            block_on(async {
                let mut search = TreeSearch::new(&device, &tokens, grid, false, Upkeep::default()).await?;
                device.take_timings();
                let compiled = device.pipelines();
                let (mut sorts, mut reports) = (Vec::new(), Vec::new());
                for steps in steps.chunks(batch) {
                    reports.extend(search.step(steps).await?);
                    sorts.push((search.counts, search.effort()));
                }
                assert_eq!(device.pipelines(), compiled, "a step waited for a compiler");
                Ok::<_, Error>((sorts, reports, search.tokens().await?.hash(), device.take_timings()))
            })
            .expect("a run")
        };
        let (one, reports, hash, _) = run(1);
        for batch in [7, 21] {
            let (some, also, same, timings) = run(batch);
            assert_eq!((also, same), (reports.clone(), hash));
            let expected: Vec<_> = one.iter().skip(batch - 1).step_by(batch).copied().collect();
            assert_eq!(some, expected, "{batch} steps at once");
            // Sorts are waited for, and the ends of batches, and the tokens; nothing else.
            let [sorts, left] = some[some.len() - 1].0;
            let most = u64::from(sorts + 2 * left) + 21 / batch as u64 + 1;
            assert!(timings.stalls <= most, "{timings:?}, and {sorts} sorts");
        }
    }
}

/// Tokens that meet in one step all test one another in the next: it must be left, with the one after
/// it that is under way already, and both taken again to the same state.
#[test]
fn a_step_that_turns_dear_is_taken_again() {
    let turned = Matrix::dense(&[vec![0.5, 0.25, 0.0], vec![-0.25, 0.5, 0.0], vec![0.0, 0.0, 0.75]]).expect("a matrix");
    for scores in [Matrix::Identity, turned] {
        let plain = scores == Matrix::Identity;
        let (tokens, grid, steps) = steps_of(FEW as usize + 100, 12, 18, Operator::constant(scores));
        for device in devices() {
            let run = |device: &Device, sort_every, batch: usize| {
                block_on(async {
                    let upkeep = Upkeep { sort_every, merge: true };
                    let mut search = TreeSearch::new(device, &tokens, grid, !plain, upkeep).await?;
                    let mut reports = Vec::new();
                    for steps in steps.chunks(batch) {
                        reports.extend(search.step(steps).await?);
                    }
                    let moved: Vec<_> = reports.iter().map(|r| (r.t, r.moved, r.strip_total)).collect();
                    Ok::<_, Error>((search.counts, moved, search.tokens().await?.hash()))
                })
                .expect("a run")
            };
            let (_, reports, hash) = run(&device, Some(1), 18);
            let (counts, also, same) = run(&device, None, 18);
            assert_eq!((also, same), (reports.clone(), hash));
            assert!(counts[1] > 0, "no step was left: {counts:?}");
            if plain {
                let batch = 1;
                assert_eq!(run(&device, None, batch), (counts, reports.clone(), hash), "{batch} steps at once");
                // The same where every part has a say in what a step may cost.
                let (counts, also, same) = run(&of_small_bindings(device.adapter(), 100 << 10), None, 18);
                assert_eq!((also, same), (reports, hash), "in parts");
                assert!(counts[1] > 0, "no step was left in parts: {counts:?}");
            }
        }
    }
}

/// An adapter that binds little more than the reports of steps, so that few tokens are in several parts.
fn of_small_bindings(adapter: &Adapter, bytes: u64) -> Device {
    let (max_storage_buffer_binding_size, max_buffer_size) = (bytes, bytes * 3 / 2);
    let limits = wgpu::Limits { max_storage_buffer_binding_size, max_buffer_size, ..adapter.limits() };
    Device::open_within(adapter, limits).expect("a device")
}

/// Tokens that come in so many parts.
fn tokens_of_parts(d: usize, precision: Precision, parts: u32, device: &Device) -> usize {
    let count = |n: usize| {
        let layout = Layout::new((n, d), precision, device.limits()).expect("a layout");
        Parts::of(n as u32, layout.part).count()
    };
    (1..200).map(|k| 50 * k + 7).find(|&n| count(n) == parts).expect("a number")
}

/// Clouds beyond one binding were refused once. From one part to the next a tie may go to another
/// token, a key may count twice or a mask may let in too much.
#[test]
fn parts_of_the_keys_find_what_brute_force_finds() {
    let turned = |d: usize| {
        let entry = |r: usize, c: usize| ((r * 7 + c * 13 + 5) % 11) as f64 / 22.0 - 0.2 + f64::from(u8::from(r == c));
        Matrix::dense(&(0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect::<Vec<_>>()).expect("square")
    };
    let strip = |delta, strip| Rule::Localmax { delta: Schedule::Constant(delta), strip };
    let (few, many) = (StripForm::Score, StripForm::Width);
    let cases = [
        (2, 3, Precision::F32, strip(0.05, few), Mask::FULL, false),
        (5, 3, Precision::F32, strip(0.4, StripForm::ANorm), Mask::FULL, true),
        (5, 3, Precision::F32, strip(0.1, many), Mask::CAUSAL, true),
        (5, 3, Precision::F32, Rule::Hardmax, Mask::FULL, false),
        (2, 3, Precision::F32, Rule::FrankWolfe, Mask::FULL, true),
        (5, 2, Precision::F64, strip(0.0, few), Mask::CAUSAL, false),
        (2, 2, Precision::F64, strip(0.02, StripForm::ANorm), Mask::FULL, true),
        (5, 2, Precision::F64, Rule::FrankWolfe, Mask::CAUSAL, false),
        (2, 8, Precision::F32, strip(0.3, many), Mask::FULL, true),
        (5, 8, Precision::F32, strip(0.2, few), Mask::FULL, false),
    ];
    for device in devices() {
        let small = of_small_bindings(device.adapter(), 57 * 256);
        let hostile = of_small_bindings(device.adapter(), 57 * 256).with_hostile_filter(0.99);
        for (parts, d, precision, rule, mask, dense) in &cases {
            let (d, precision) = (*d, *precision);
            let small = if d == 3 { &small } else { &hostile };
            let n = tokens_of_parts(d, precision, *parts, small);
            let at = format!("n = {n}, {parts} parts, d = {d}, {precision:?}, {rule:?}, {mask:?}, dense {dense}");
            // Two of three tokens coincide with others, some in other parts; token 0 is at the origin.
            let kind = |i: usize| if i.is_multiple_of(3) { i } else { i * 7919 % 400 * 3 };
            let coordinate = |i: usize, k: usize| (kind(i) * (7919 + 104_729 * k) % 65_521) as f64 / 65_521.0 - 0.5;
            let rows: Vec<f64> = (0..n * d).map(|at| if at < d { 0.0 } else { coordinate(at / d, at % d) }).collect();
            let tokens = Tokens::from_flat(n, d, rows).expect("tokens");
            let grid = Grid::of(&tokens, precision);
            let scores = Operator::constant(if *dense { turned(d) } else { Matrix::Identity });
            let model = Model::averaging(rule.clone(), scores, *mask, Gain::Alpha(Schedule::Constant(1.0)));
            let mut steps = Steps::new(&model, grid, d);
            let steps: Vec<Step> = (0..8).map(|t| steps.at(t).expect("a step")).collect();
            block_on(async {
                let mut brute = BruteForce::new(
                    &device,
                    &tokens,
                    grid,
                    Uses { matrix: *dense, ..Uses::default() },
                    Pairs::default(),
                )
                .await?;
                let mut search = TreeSearch::new(small, &tokens, grid, *dense, Upkeep::default()).await?;
                assert_eq!(search.parts.count(), *parts, "{at}");
                assert!(search.keys() < n as u32, "{at}: none were merged");
                for steps in [&steps[..1], &steps[1..2], &steps[2..]] {
                    let rows: Vec<usize> = (0..n).step_by(71).chain([1, n - 1]).collect();
                    assert_eq!(search.masks(&steps[0], &rows).await?, brute.masks(&steps[0], &rows).await?, "{at}");
                    let (got, want) = (search.step(steps).await?, brute.step(steps).await?);
                    let known =
                        |r: &crate::outcome::StepReport| (r.t, r.moved, r.strip_min, r.strip_max, r.strip_total);
                    assert!(got.iter().map(known).eq(want.iter().map(known)), "{at}: {got:?}, not {want:?}");
                    assert!(search.strips().await? == brute.strips().await?, "{at}: argmaxes or counts");
                    assert!(search.tokens().await? == brute.tokens().await?, "{at}");
                }
                Ok::<_, Error>(())
            })
            .expect("runs");
        }
    }
}

/// Two devices that share a step hold the same keys in the same parts, whose borders are not those of
/// the shares.
#[test]
fn parts_of_the_keys_are_shared_out() {
    let (tokens, grid, steps) = steps_of(3000, 0, 8, Operator::constant(Matrix::Identity));
    for device in devices() {
        let small = of_small_bindings(device.adapter(), 57 * 256);
        block_on(async {
            let mut brute = BruteForce::new(&small, &tokens, grid, Uses::default(), Pairs::default()).await?;
            let open = || TreeSearch::new(&small, &tokens, grid, false, Upkeep::default());
            let mut both = [open().await?, open().await?];
            assert_eq!(both[0].parts.count(), 3);
            for step in &steps {
                let mut computed = Vec::new();
                for (index, search) in both.iter_mut().enumerate() {
                    let share = Share { index, count: 2 };
                    computed.push(search.compute(step, share, false).await?.expect("a step that is not left"));
                }
                let all = Computed::join(computed);
                let want = brute.step(std::slice::from_ref(step)).await?[0];
                let got = all.report(step.t);
                assert_eq!((got.moved, got.strip_total), (want.moved, want.strip_total));
                let counts = [both[0].strips().await?.count, both[1].strips().await?.count];
                let joined: Vec<u32> = counts[0].iter().zip(&counts[1]).map(|(a, b)| a + b).collect();
                assert_eq!(joined, brute.strips().await?.count);
                for search in &mut both {
                    search.accept(&all).await?;
                    assert!(search.tokens().await? == brute.tokens().await?);
                }
            }
            Ok::<_, Error>(())
        })
        .expect("a run");
    }
}
