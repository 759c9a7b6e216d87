//! A kernel on a device: the module it is made of, its pipeline, and the layouts of its buffers.

use std::collections::HashMap;
use std::sync::Arc;

use crate::gpu::cache::PipelineCache;
use crate::gpu::pairs::Pairs;
use crate::tokens::Precision;

/// Kernels by the text they are made from, entry point, precision and d.
pub(crate) type Pipelines = HashMap<Key, Pipeline>;
pub(crate) type Key = (&'static str, &'static str, Precision, usize, Pairs);

/// A buffer that a kernel binds: the variable's name, and whether the kernel writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    pub(crate) writes: bool,
}

/// The source of a kernel.
pub(crate) struct Module {
    /// The entry point.
    pub(crate) entry: &'static str,
    /// The buffers of group 1.
    pub(crate) slots: Vec<Slot>,
    pub(crate) source: String,
    pub(crate) checks: Checks,
}

/// The checks that a module is compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Counters in every loop, which keep drivers from unrolling them, and checks of indices.
    All,
    /// Checks of indices alone.
    Indices,
    /// None: the plan of a step and the text itself keep indices within bounds. Debug builds, and so the
    /// tests, have the checks of indices.
    None,
}

impl Checks {
    /// Whether loops are counted.
    pub fn count_loops(self) -> bool {
        self == Self::All
    }

    /// Whether indices are checked in a release build.
    pub fn check_indices(self) -> bool {
        self != Self::None
    }

    /// The same for wgpu.
    fn of_wgpu(self) -> wgpu::ShaderRuntimeChecks {
        wgpu::ShaderRuntimeChecks {
            force_loop_bounding: self.count_loops(),
            bounds_checks: self.check_indices() || cfg!(debug_assertions),
            ..wgpu::ShaderRuntimeChecks::checked()
        }
    }
}

/// A kernel compiled for one d and precision.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    /// The entry point.
    pub(crate) entry: &'static str,
    /// The layout of group 1.
    pub(crate) layout: wgpu::BindGroupLayout,
    /// The buffers of group 1.
    pub(crate) slots: Arc<[Slot]>,
}

impl Pipeline {
    /// Compiles a module.
    pub(crate) fn new(
        raw: &wgpu::Device,
        jobs: &wgpu::BindGroupLayout,
        module: &Module,
        cache: Option<&PipelineCache>,
    ) -> Self {
        let slots = module.slots.iter();
        let types: Vec<_> = slots.map(|slot| wgpu::BufferBindingType::Storage { read_only: !slot.writes }).collect();
        let layout = layout(raw, &types);
        let layouts = raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(module.entry),
            bind_group_layouts: &[Some(jobs), Some(&layout)],
            immediate_size: 0,
        });
        let raw = compute_pipeline(raw, module.entry, &module.source, module.checks.of_wgpu(), Some(&layouts), cache);
        Self { raw, entry: module.entry, layout, slots: module.slots.as_slice().into() }
    }
}

/// A compiled module. One where the time goes does without naga's counters in every
/// loop, which keep drivers from unrolling them (3 times slower at d = 64 on lavapipe); the rest
/// keeps them, since unrolled integers only compile longer. Memory accesses stay checked but for those of
/// modules without any checks, where a clamp of each index costs more than a multiply-add. Workgroup
/// memory starts with anything in it: Metal and DX12 would have one thread of each workgroup clear
/// it, so kernels write first what they read.
#[allow(unsafe_code)]
pub(crate) fn compute_pipeline(
    raw: &wgpu::Device,
    entry: &str,
    source: &str,
    checks: wgpu::ShaderRuntimeChecks,
    layout: Option<&wgpu::PipelineLayout>,
    cache: Option<&PipelineCache>,
) -> wgpu::ComputePipeline {
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(entry), source: wgpu::ShaderSource::Wgsl(source.into()) };
    // SAFETY: without the counters a module must not contain an infinite loop. Those without are
    // this crate's own. Each of their loops counts up to a bound fixed before it starts, but for
    // those of a search over the nodes of a tree: one takes bits from a word, the others go from
    // node to node in depth-first order and never come back to one. Without checks of indices, none
    // must be past the end: those of modules without checks are less than what the plan allocates.
    let module = unsafe { raw.create_shader_module_trusted(descriptor, checks) };
    raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout,
        module: &module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..wgpu::PipelineCompilationOptions::default()
        },
        cache: cache.map(|cache| &cache.raw),
    })
}

/// A layout of buffers; a uniform one has a dynamic offset.
pub(crate) fn layout(raw: &wgpu::Device, types: &[wgpu::BufferBindingType]) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0..)
        .zip(types)
        .map(|(binding, &ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: ty == wgpu::BufferBindingType::Uniform,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
}

/// A group of buffers, in the order of their bindings.
pub(crate) fn bind_group<'a>(
    raw: &wgpu::Device,
    label: &str,
    layout: &wgpu::BindGroupLayout,
    buffers: impl IntoIterator<Item = wgpu::BufferBinding<'a>>,
) -> wgpu::BindGroup {
    let entries: Vec<_> = (0..)
        .zip(buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(buffer) })
        .collect();
    raw.create_bind_group(&wgpu::BindGroupDescriptor { label: Some(label), layout, entries: &entries })
}
