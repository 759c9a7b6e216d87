//! The shaders: their arithmetic against its Rust twins on every adapter, and every text through
//! compilers that this machine's drivers do not have: `cargo test --test shaders`.

mod compilers;
#[cfg(target_os = "linux")]
mod nvidia;
#[cfg(target_os = "linux")]
mod radv;

use libtest_mimic::{Arguments, Trial};
use localmax::gpu::twins::{Operands, exponential, functions};
use localmax::gpu::{Adapter, Device};
use localmax::tokens::Precision;
use pollster::block_on;

fn main() {
    #[cfg(target_os = "linux")]
    if radv::compiles() {
        return;
    }
    let mut trials = compilers::trials();
    #[cfg(target_os = "linux")]
    trials.extend(radv::trials().into_iter().chain(nvidia::trials()));
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    if adapters.is_empty() {
        trials.push(Trial::test("gpu::arithmetic", || Ok(())).with_ignored_flag(true));
    }
    for adapter in adapters {
        let name = adapter.name().split(" (").next().unwrap_or_default().replace(' ', "-").to_lowercase();
        let another = adapter.clone();
        trials.push(Trial::test(format!("gpu_{name}::arithmetic_equals_its_twin"), move || {
            arithmetic(&Device::open(&adapter)?);
            Ok(())
        }));
        trials.push(Trial::test(format!("gpu_{name}::the_exponential_is_within_two_ulps"), move || {
            exponentials(&Device::open(&another)?);
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// If a carry were lost, two devices would disagree in a bit that no test of small clouds may ever
/// reach.
fn arithmetic(device: &Device) {
    let operands = operands();
    for precision in [Precision::F32, Precision::F64] {
        for function in functions(precision) {
            let got = block_on(function.apply(device, precision, &operands)).unwrap_or_else(|e| panic!("{e}"));
            let mut compared = 0;
            for (operand, got) in operands.iter().zip(got) {
                if let Some(want) = (function.twin)(*operand) {
                    assert_eq!(got, want, "{} at {} of {operand:x?}", function.name, precision.name());
                    compared += 1;
                }
            }
            assert!(compared > operands.len() / 4, "{}: only {compared} operands in its domain", function.name);
        }
    }
}

/// The bounds of every rule in real numbers rest on these 2 ulps, and on exact zeros.
fn exponentials(device: &Device) {
    let uniform = (0..160_000).map(|i| -80.0 + 160.0 * i as f32 / 160_000.0);
    let small = (0..4000).map(|i| (-(i as f32) / 60.0).exp2()).flat_map(|t| [t, -t]);
    let arguments: Vec<f32> = uniform.chain(small).collect();
    let operands: Vec<Operands> =
        arguments.as_chunks::<4>().0.iter().map(|t| [t.map(f32::to_bits), [0; 4], [0; 4]]).collect();
    let got = block_on(exponential().apply(device, Precision::F32, &operands)).unwrap_or_else(|e| panic!("{e}"));
    for (t, got) in arguments.iter().zip(got.as_flattened()) {
        let (want, got) = (f64::from(*t).exp(), f32::from_bits(*got));
        let ulp = f64::from((want as f32).next_up()) - f64::from(want as f32);
        let error = (f64::from(got) - want).abs() / ulp;
        assert!(error <= 2.0, "e^{t} is {got}, off by {error} ulps");
    }
    let edges = [0.0, -80.01, -f32::MAX, -1e30].map(f32::to_bits);
    let got = block_on(exponential().apply(device, Precision::F32, &[[edges, [0; 4], [0; 4]]]))
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(got[0].map(f32::from_bits), [1.0, 0.0, 0.0, 0.0]);
}

/// Random words among extreme ones, where carries run through.
fn operands() -> Vec<Operands> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    };
    let mut word = || {
        const EXTREME: [u32; 8] = [0, 1, 2, u32::MAX, u32::MAX - 1, 0x8000_0000, 0x7fff_ffff, 0xffff];
        let (kind, value) = (random(), random());
        if kind % 3 == 0 {
            EXTREME[value as usize % EXTREME.len()]
        } else {
            value >> ((kind >> 8 & 31) * (kind >> 16 & 1))
        }
    };
    (0..20_000).map(|_| std::array::from_fn(|_| std::array::from_fn(|_| word()))).collect()
}
