//! Every module through AMD's compiler, by a Vulkan driver that opens a card which is not there: what
//! each takes of a compute unit, kept in tables beside this file, so that a change of a kernel shows
//! what it costs.
// Vulkan is asked for pipelines alone; no memory is touched.
#![allow(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use ash::vk;
use libtest_mimic::Trial;
use localmax::gpu::modules::{ModuleText, modules};
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Families by the names that the driver knows: RDNA3 and RDNA2.
const FAMILIES: [&str; 2] = ["navi31", "navi21"];
/// A d of each way that kernels differ on a card.
const DIMENSIONS: [usize; 4] = [3, 16, 17, 64];
/// The argument by which this program becomes the one that compiles: drivers read their environment
/// once.
const COMPILE: &str = "--compile-every-module";
/// What the driver says of a module, or this program of its instructions, and its column.
const COLUMNS: [(&str, &str); 8] = [
    ("VGPRs", "registers"),
    ("Spilled VGPRs", "spilled"),
    ("LDS size", "workgroup"),
    ("Scratch size", "scratch"),
    ("Code size", "code"),
    (LOOP, "loop"),
    (SHARE, "fma"),
    (MATRICES, "matrix"),
];
/// The instructions of a module's main loop, the innermost one with the most multiply-adds; and the share of
/// those among them.
const LOOP: &str = "Instructions of the main loop";
const SHARE: &str = "Multiply-adds among them";
/// The instructions of a module that multiply matrices.
const MATRICES: &str = "Products of matrices";

pub(crate) fn trials() -> Vec<Trial> {
    let manifest = manifest();
    let trial = |family: &'static str| {
        let found = manifest.clone();
        let run = move || {
            costs_are_those_kept(family, &found.unwrap_or_default());
            Ok(())
        };
        Trial::test(format!("radv::costs_on_{family}_are_those_kept"), run).with_ignored_flag(manifest.is_none())
    };
    FAMILIES.map(trial).into()
}

/// AMD's driver, of Mesa's package.
fn manifest() -> Option<PathBuf> {
    let files = Path::new("/usr/share/vulkan/icd.d").read_dir().ok()?;
    files.flatten().map(|file| file.path()).find(|path| path.to_string_lossy().contains("radeon_icd"))
}

/// A kernel that spills, or takes twice the registers, runs at half its speed with the same bits: no
/// other test would tell. Another version of the driver compiles otherwise, and is not compared.
fn costs_are_those_kept(family: &str, manifest: &Path) {
    let said = Command::new(std::env::current_exe().expect("this program"))
        .arg(COMPILE)
        .env("VK_DRIVER_FILES", manifest)
        .env("RADV_FORCE_FAMILY", family)
        .env("RADV_DEBUG", "asm,shaderstats,nocache")
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{text}");
    let table = table(&text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shaders/{family}.txt"));
    if std::env::var_os("LOCALMAX_KEEP_COSTS").is_some() {
        std::fs::write(&path, &table).expect("the table is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(table.lines().count() > 90, "{text}");
    if table.lines().next() == kept.lines().next() {
        let changed: Vec<&str> = table.lines().filter(|line| !kept.contains(line)).collect();
        assert!(table == kept, "LOCALMAX_KEEP_COSTS=1 keeps the new costs:\n{}", changed.join("\n"));
    }
}

/// The driver's words as a table: its version, then a line for each module.
fn table(text: &str) -> String {
    let (mut driver, mut name) = ("", "");
    let mut costs: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        if let Some(version) = line.strip_prefix("driver ") {
            driver = version;
        } else if let Some(module) = line.strip_prefix("module ") {
            name = module;
        } else if let Some((key, value)) = line.split_once(": ").filter(|_| !name.is_empty()) {
            costs.entry(name).or_default().insert(key.trim(), value.trim().into());
        } else {
            lines.entry(name).or_default().push(line);
        }
    }
    for (name, costs) in &mut costs {
        if let Some((all, products)) = main_loop(&lines[name]) {
            costs.insert(LOOP, all.to_string());
            costs.insert(SHARE, format!("{} %", products * 100 / all));
        }
        let matrices = lines[name].iter().filter(|line| line.trim_start().starts_with("v_wmma")).count();
        if matrices > 0 {
            costs.insert(MATRICES, matrices.to_string());
        }
    }
    let line = |name: &str, values: [&str; COLUMNS.len()]| {
        format!("{name:28}{}\n", values.map(|value| format!("{value:>10}")).concat())
    };
    let rows = costs
        .iter()
        .map(|(name, costs)| line(name, COLUMNS.map(|(key, _)| costs.get(key).map_or("-", String::as_str))));
    [format!("{driver}\n"), line("module", COLUMNS.map(|(_, column)| column))].into_iter().chain(rows).collect()
}

/// The instructions of the main loop in the lines of a module, and the multiply-adds among them, first products
/// of a sum counted with them. What only tells the processor when to wait takes no slot of a unit.
fn main_loop(lines: &[&str]) -> Option<(usize, usize)> {
    let (mut instructions, mut labels, mut loops) = (Vec::new(), HashMap::new(), Vec::new());
    for line in lines {
        if let Some(label) = line.strip_suffix(':').filter(|label| label.starts_with("BB")) {
            labels.insert(label, instructions.len());
        }
        let mut words = line.trim_start_matches('\t').split([' ', '\t']);
        let name = words.next().filter(|name| line.starts_with('\t') && name.contains('_')).unwrap_or_default();
        let is_hint = ["s_delay_alu", "s_waitcnt", "s_clause", "s_nop"].iter().any(|hint| name.starts_with(hint));
        if name.is_empty() || is_hint {
            continue;
        }
        let back = words.next().filter(|_| name.contains("branch")).and_then(|label| labels.get(label));
        loops.extend(back.map(|&first| first..instructions.len() + 1));
        instructions.push(name);
    }
    let is_product = |name: &&&str| ["v_fma", "v_mul_f32", "v_mac_f32"].iter().any(|start| name.starts_with(start));
    let is_innermost = |at: &Range<usize>| {
        !loops.iter().any(|other: &Range<usize>| other != at && at.start <= other.start && other.end <= at.end)
    };
    let counts = loops.iter().filter(|at| is_innermost(at)).map(|at| {
        let inside = &instructions[at.clone()];
        (inside.len(), inside.iter().filter(is_product).count())
    });
    counts.filter(|&(_, products)| products > 0).max_by_key(|&(all, products)| (products, Reverse(all)))
}

/// Compiles every module on the one device there is, if this program was called for that: each name
/// is told before the driver speaks of it.
pub(crate) fn compiles() -> bool {
    if std::env::args().nth(1).is_none_or(|argument| argument != COMPILE) {
        return false;
    }
    // SAFETY: every structure is filled as Vulkan asks, lives through its call, and nothing is
    // destroyed before the program ends.
    unsafe { compile_all() }.expect("a device that is not there compiles");
    true
}

unsafe fn compile_all() -> Result<(), vk::Result> {
    let entry = unsafe { ash::Entry::load() }.expect("a Vulkan loader");
    let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    let instance = vk::InstanceCreateInfo::default().application_info(&application);
    let instance = unsafe { entry.create_instance(&instance, None) }?;
    let physical = unsafe { instance.enumerate_physical_devices() }?[0];
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
    unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
    eprintln!("driver {}", driver.driver_info_as_c_str().unwrap_or_default().to_string_lossy());

    // As wgpu opens devices: every storage access is checked.
    let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
    let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    let mut extensions = vec![ash::ext::robustness2::NAME.as_ptr()];
    // With units for matrices where the family has them.
    let has = unsafe { instance.enumerate_device_extension_properties(physical) }?;
    let units = ash::khr::cooperative_matrix::NAME;
    let has_units = has.iter().any(|extension| extension.extension_name_as_c_str() == Ok(units));
    let mut matrices = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
    let mut halves = vk::PhysicalDevice16BitStorageFeatures::default().storage_buffer16_bit_access(true);
    let mut model = vk::PhysicalDeviceVulkanMemoryModelFeatures::default()
        .vulkan_memory_model(true)
        .vulkan_memory_model_device_scope(true);
    let mut float16 = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true);
    if has_units {
        extensions.push(units.as_ptr());
    }
    let device = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .enabled_features(&features)
        .push_next(&mut robust);
    let device = if has_units {
        device.push_next(&mut matrices).push_next(&mut halves).push_next(&mut model).push_next(&mut float16)
    } else {
        device
    };
    let device = unsafe { instance.create_device(physical, &device, None) }?;

    let binding = |binding: usize, kind| {
        let binding = vk::DescriptorSetLayoutBinding::default().binding(binding as u32).descriptor_type(kind);
        binding.descriptor_count(1).stage_flags(vk::ShaderStageFlags::COMPUTE)
    };
    let jobs = [binding(0, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC)];
    let buffers: [_; 8] = std::array::from_fn(|at| binding(at, vk::DescriptorType::STORAGE_BUFFER));
    let layout = |bindings: &[_]| {
        let layout = vk::DescriptorSetLayoutCreateInfo::default().bindings(bindings);
        unsafe { device.create_descriptor_set_layout(&layout, None) }
    };
    let sets = [layout(&jobs)?, layout(&buffers)?];
    let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
    let layout = unsafe { device.create_pipeline_layout(&layout, None) }?;
    let is_for = |text: &ModuleText| text.source.contains("@group(1)") && (has_units || !text.units);
    for text in modules(&DIMENSIONS).into_iter().filter(is_for) {
        eprintln!("module {}", text.name);
        let words = spirv(&text);
        let module = vk::ShaderModuleCreateInfo::default().code(&words);
        let module = unsafe { device.create_shader_module(&module, None) }?;
        let entry = std::ffi::CString::new(text.entry).expect("a name without zeros");
        let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE);
        let stage = stage.module(module).name(&entry);
        let pipeline = [vk::ComputePipelineCreateInfo::default().layout(layout).stage(stage)];
        let made = unsafe { device.create_compute_pipelines(vk::PipelineCache::null(), &pipeline, None) };
        made.map_err(|(_, error)| error)?;
    }
    Ok(())
}

/// SPIR-V as wgpu makes it of a module.
fn spirv(text: &ModuleText) -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(&text.source).expect("a module");
    let capabilities = Capabilities::SUBGROUP | Capabilities::COOPERATIVE_MATRIX | Capabilities::SHADER_FLOAT16;
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module).expect("a valid module");
    let options = spv::Options {
        lang_version: (1, 5),
        bounds_check_policies: BoundsCheckPolicies {
            index: if text.checks.check_indices() { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked },
            ..BoundsCheckPolicies::default()
        },
        force_loop_bounding: text.checks.count_loops(),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        flags: spv::WriterFlags::empty(),
        ..spv::Options::default()
    };
    spv::write_vec(&module, &info, &options, None).expect("SPIR-V")
}
