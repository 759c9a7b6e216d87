//! Every text of a folder in SPIR-V, MSL and HLSL, as wgpu would have it: `translate FOLDER`. A file is
//! named NAME.ENTRY_POINT. Prints each refusal on a line, then the number of texts.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ScalarKind, TypeInner};

fn main() {
    let folder = std::env::args().nth(1).expect("translate FOLDER");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|file| file.path()).collect();
    files.sort();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let source = std::fs::read_to_string(file).expect("a text");
        for refusal in refusals(&source) {
            println!("{name}: {}", refusal.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    println!("{} texts", files.len());
}

fn refusals(source: &str) -> Vec<String> {
    let module = match naga::front::wgsl::parse_str(source) {
        Ok(module) => module,
        Err(error) => return vec![error.emit_to_string(source)],
    };
    let info = match Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP).validate(&module) {
        Ok(info) => info,
        Err(error) => return vec![error.emit_to_string(source)],
    };
    let mut refused: Vec<String> = [to_spirv(&module, &info), to_msl(&module, &info), to_hlsl(&module, &info)]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    let signed = |inner: &TypeInner| matches!(inner, TypeInner::Atomic(scalar) if scalar.kind == ScalarKind::Sint);
    if module.types.iter().any(|(_, of)| signed(&of.inner)) {
        refused.push("a signed atomic: translators to HLSL and MSL have taken it for an unsigned one".into());
    }
    refused
}

fn to_spirv(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let words = spv::write_vec(module, info, &spv::Options::default(), None);
    words.map(|_| ()).map_err(|error| format!("SPIR-V: {error}"))
}

fn to_msl(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let options = msl::Options {
        lang_version: (2, 4),
        fake_missing_bindings: true,
        zero_initialize_workgroup_memory: false,
        ..msl::Options::default()
    };
    let text = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
    text.map(|_| ()).map_err(|error| format!("MSL: {error}"))
}

fn to_hlsl(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let options = hlsl::Options {
        fake_missing_bindings: true,
        zero_initialize_workgroup_memory: false,
        ..hlsl::Options::default()
    };
    let (mut text, pipeline) = (String::new(), hlsl::PipelineOptions::default());
    let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
    written.map(|_| ()).map_err(|error| format!("HLSL: {error}"))
}
