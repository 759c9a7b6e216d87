//! The shaders' wide integers against their Rust twins, on every adapter: `cargo test --test shaders`.

use libtest_mimic::{Arguments, Trial};
use localmax::gpu::kernels::{Operands, functions};
use localmax::gpu::{Adapter, Device};
use localmax::tokens::Precision;

fn main() {
    let mut trials = Vec::new();
    let adapters = Adapter::all();
    if adapters.is_empty() {
        trials.push(Trial::test("gpu::arithmetic", || Ok(())).with_ignored_flag(true));
    }
    for adapter in adapters {
        let name = adapter.name().split(" (").next().unwrap_or_default().replace(' ', "-").to_lowercase();
        trials.push(Trial::test(format!("gpu_{name}::arithmetic_equals_its_twin"), move || {
            arithmetic(&Device::open(&adapter)?);
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// If a carry were lost, two devices would disagree in a bit that no test of small clouds may ever reach.
fn arithmetic(device: &Device) {
    let operands = operands();
    for precision in [Precision::F32, Precision::F64] {
        for function in functions(precision) {
            let got = device.apply(&function, precision, &operands).unwrap_or_else(|e| panic!("{e}"));
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
