//! Every module: its text, for compilers that are no driver of this machine (`tests/shaders` hands
//! them all to each), and compiled by the driver of a device.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::gpu::device::Device;
use crate::gpu::parts::Variant;
use crate::gpu::peak::MULTIPLY_ADD;
use crate::gpu::pipeline::{Checks, Module};
use crate::gpu::probe::{PROBE, UNITS};
use crate::gpu::table::{self, Kernel};
use crate::gpu::wgsl::Parameters;
use crate::gpu::{exact, real};
use crate::tokens::Precision;

/// Values of d of every way that texts and loops differ: registers of 16, 8 and 4 rows a thread, one
/// d past each of their ends, and workgroup memory with and without a rest.
pub const DIMENSIONS: [usize; 8] = [1, 3, 8, 9, 16, 17, 64, 130];

/// The text of a module.
#[derive(Clone, Debug)]
pub struct ModuleText {
    /// The kernel, with the precision and d that the text is made for.
    pub name: String,
    /// The entry point.
    pub entry: &'static str,
    /// WGSL.
    pub source: String,
    /// The checks that it is compiled with.
    pub checks: Checks,
    /// Whether it needs subgroups, which no browser is asked for.
    pub subgroups: bool,
    /// Whether it needs units for matrices, of which only SPIR-V can tell a driver.
    pub units: bool,
}

/// The modules that runs compile, for these d and both precisions.
pub fn modules(dimensions: &[usize]) -> Vec<ModuleText> {
    let alone =
        [("multiply_add", MULTIPLY_ADD, Checks::Indices), ("probe", PROBE, Checks::All), ("units", UNITS, Checks::All)];
    let alone = alone.map(|(entry, source, checks)| ModuleText {
        name: entry.into(),
        entry,
        source: source.into(),
        checks,
        subgroups: false,
        units: entry == "units",
    });
    let mut all: Vec<ModuleText> = alone.into();
    for precision in [Precision::F32, Precision::F64] {
        add::<exact::Job>(&mut all, "exact", exact::KERNELS, precision, dimensions);
    }
    let narrow: Vec<usize> = dimensions.iter().copied().filter(|&d| d <= real::NARROW).collect();
    add::<real::Job>(&mut all, "real", real::KERNELS, Precision::F32, &narrow);
    all
}

/// Compiles the kernels of every rule for f32 and d; how many there are.
pub(crate) async fn compile(device: &Device, d: usize) -> Result<usize> {
    let all = |kernels: &'static [Kernel]| kernels.iter().collect::<Vec<_>>();
    let is_for = |kernel: &&Kernel| kernel.is_for(Precision::F32, d) && (device.has_units || !kernel.has_units);
    let exact: Vec<_> = exact::KERNELS.iter().filter(is_for).collect();
    table::compile::<exact::Job>(device, &exact, Precision::F32, d).await?;
    let real = if d <= real::NARROW { real::KERNELS } else { &[] };
    table::compile::<real::Job>(device, &all(real), Precision::F32, d).await?;
    Ok(exact.len() + real.len())
}

fn add<J: Parameters>(all: &mut Vec<ModuleText>, folder: &str, kernels: &[Kernel], precision: Precision, ds: &[usize]) {
    for kernel in kernels {
        let dimensions: BTreeSet<usize> = ds.iter().map(|&d| if kernel.of_every_d { 0 } else { d }).collect();
        for d in dimensions.into_iter().filter(|&d| kernel.is_for(precision, d)) {
            let of_d = if d == 0 { String::new() } else { format!("_d{d}") };
            let mut before = String::new();
            for (subgroups, how) in [(false, ""), (true, "_together")] {
                let variant = Variant { subgroups, ..Variant::of(precision) };
                let Module { entry, source, checks, .. } = kernel.module::<J>(d, variant);
                let (of, units) = (kernel.name, kernel.has_units);
                if source != before {
                    before.clone_from(&source);
                    let name = format!("{folder}_{of}_{}{of_d}{how}", precision.name());
                    all.push(ModuleText { name, entry, source, checks, subgroups, units });
                }
            }
        }
    }
}
