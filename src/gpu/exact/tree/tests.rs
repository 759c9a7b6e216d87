//! Sorting and merging on every adapter, against [`crate::space`].

use pollster::block_on;

use crate::gpu::adapter::Adapter;
use crate::gpu::exact::tree::*;
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
    let (keys, d) = (state.keys as usize, state.d as usize);
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
