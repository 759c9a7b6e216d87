//! The adapters of this machine, and the choice among them.

use crate::choice;
use crate::error::{Error, Result};

/// Which adapters a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Hardware only: `engine = auto`.
    Hardware,
    /// Hardware if there is any, else software: `engine = gpu`.
    Any,
}

/// What kernels need to multiply matrices of f16 by units.
pub(crate) const UNITS: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

/// An adapter of this machine.
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(crate) handle: wgpu::Adapter,
    info: wgpu::AdapterInfo,
    number: usize,
}

/// A product of an m × k and a k × n matrix, added to an m × n one, that a subgroup computes at once.
#[derive(Clone, Debug)]
pub struct CooperativeMatrix {
    /// m, n and k.
    pub size: [u32; 3],
    /// Numbers of the factors, such as `f16`.
    pub factors: String,
    /// Numbers of the sum.
    pub sum: String,
    /// Whether a sum too large becomes the largest number.
    pub saturates: bool,
}

impl Adapter {
    /// Every adapter, hardware first (discrete, integrated, other), then software, of which
    /// lavapipe runs and compiles kernels the fastest. (The loader lists drivers in any order.)
    pub async fn find_all() -> Vec<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::PRIMARY;
        // Creation fails cleanly when a device's own budget is nearly spent.
        descriptor.memory_budget_thresholds.for_resource_creation = Some(98);
        let instance = wgpu::Instance::new(descriptor);
        let mut all: Vec<Self> = instance
            .enumerate_adapters(wgpu::Backends::all())
            .await
            .into_iter()
            .map(|handle| Self { info: handle.get_info(), handle, number: 0 })
            .collect();
        all.sort_by_key(|adapter| match adapter.info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
            wgpu::DeviceType::Cpu if adapter.info.name.contains("llvmpipe") => 3,
            wgpu::DeviceType::Cpu => 4,
        });
        all.iter_mut().enumerate().for_each(|(number, adapter)| adapter.number = number);
        all
    }

    /// The adapters to work on one after another, each alone, or those of a list as one: those that
    /// `--adapter` or `LOCALMAX_ADAPTER` names, else all.
    ///
    /// # Errors
    /// One is named that is not there; the text lists those that are.
    pub async fn find_named() -> Result<Vec<Vec<Self>>> {
        let all = Self::find_all().await;
        let alone = |all: Vec<Self>| all.into_iter().map(|adapter| vec![adapter]).collect();
        match choice::adapter() {
            Some((by, name)) if is_list(&all, &name) => Ok(vec![listed(&all, by, &name)?]),
            Some((by, name)) => Ok(alone(named(&all, by, &name)?)),
            None => Ok(alone(all)),
        }
    }

    /// The adapters to share a run out over: those that `--adapter` or `LOCALMAX_ADAPTER` names, whatever
    /// else was asked for, or the first that is wanted.
    ///
    /// # Errors
    /// None fits, or several of one name do; the text lists those there are.
    pub async fn find(wanted: Wanted) -> Result<Vec<Self>> {
        Self::choose_from(&Self::find_all().await, wanted, choice::adapter())
    }

    fn choose_from(all: &[Self], wanted: Wanted, asked: Option<(&str, String)>) -> Result<Vec<Self>> {
        if let Some((by, name)) = asked {
            return if is_list(all, &name) { listed(all, by, &name) } else { Ok(vec![one_named(all, by, &name)?]) };
        }
        let first = all.iter().find(|adapter| wanted == Wanted::Any || !adapter.is_software());
        first.map(|adapter| vec![adapter.clone()]).ok_or_else(|| {
            Error::device(format!(
                "no {} (found: {}); install its Vulkan driver (`localmax doctor` says what is seen) or take --engine cpu",
                if wanted == Wanted::Any { "GPU adapter" } else { "hardware GPU" },
                list(all)
            ))
        })
    }

    /// Whether `--adapter` or `LOCALMAX_ADAPTER` names the adapters to take.
    pub(crate) fn is_named() -> bool {
        choice::adapter().is_some()
    }

    /// Why [`Adapter::find`] takes it.
    pub fn why(&self) -> String {
        match choice::adapter() {
            Some((by, name)) => format!("named by {by} {name}"),
            None if self.is_software() => "first adapter, as there is no hardware".into(),
            None => "first hardware adapter".into(),
        }
    }

    /// The adapter's index in [`Adapter::find_all`], from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The adapter's address on the PCI bus, such as `0000:65:00.0`; empty where none is told.
    pub fn pci(&self) -> &str {
        &self.info.device_pci_bus_id
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Driver name and version.
    pub fn driver(&self) -> String {
        format!("{} {}", self.info.driver, self.info.driver_info).trim().to_owned()
    }

    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub fn kind(&self) -> &'static str {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        }
    }

    /// Whether a processor does the work: a test device, never taken unasked.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Seconds that a submission should take: long against its overhead, and where the adapter draws
    /// the screen, as an integrated one does, a frame of it.
    pub(crate) fn submission_seconds(&self) -> f64 {
        match self.info.device_type {
            wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::Other => 0.016,
            _ => 0.05,
        }
    }

    /// `vulkan`, `metal` or `dx12`.
    pub fn backend(&self) -> &'static str {
        self.info.backend.to_str()
    }

    /// The limits that a layout is checked against.
    pub fn limits(&self) -> wgpu::Limits {
        self.handle.limits()
    }

    /// Bytes that all buffers together may take: the device's own memory, or this machine's if it
    /// shares that.
    pub fn memory(&self) -> Option<u64> {
        if self.is_software() {
            crate::machine::available_memory()
        } else {
            crate::gpu::heap::local_bytes(&self.handle)
        }
    }

    /// Bytes of a card's own memory, which nothing else needs; none where that is this machine's.
    pub fn card_memory(&self) -> Option<u64> {
        let own = matches!(self.info.device_type, wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu);
        self.memory().filter(|_| own)
    }

    /// Features of interest by name, with whether the adapter has them. None is needed to run.
    pub fn features(&self) -> [(&'static str, bool); 11] {
        use wgpu::Features as F;
        let has = self.handle.features();
        [
            ("timestamp-query", F::TIMESTAMP_QUERY),
            ("timestamp-query-inside-passes", F::TIMESTAMP_QUERY_INSIDE_PASSES),
            ("subgroup", F::SUBGROUP),
            ("subgroup-barrier", F::SUBGROUP_BARRIER),
            ("shader-f16", F::SHADER_F16),
            ("shader-f64", F::SHADER_F64),
            ("shader-int64", F::SHADER_INT64),
            ("shader-int64-atomic", F::SHADER_INT64_ATOMIC_ALL_OPS),
            ("cooperative-matrix", F::EXPERIMENTAL_COOPERATIVE_MATRIX),
            ("passthrough-shaders", F::PASSTHROUGH_SHADERS),
            ("pipeline-cache", F::PIPELINE_CACHE),
        ]
        .map(|(name, feature)| (name, has.contains(feature)))
    }

    /// Every limit that wgpu tells, by its name there.
    pub fn all_limits(&self) -> Vec<(String, u64)> {
        // wgpu lists them only as text, one a line: `    max_buffer_size: 1024,`.
        let text = format!("{:#?}", self.limits());
        let limit = |line: &str| {
            let (name, value) = line.trim().trim_end_matches(',').split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(limit).collect()
    }

    /// Threads of the smallest and the largest subgroup.
    pub fn subgroup_sizes(&self) -> [u32; 2] {
        [self.info.subgroup_min_size, self.info.subgroup_max_size]
    }

    /// Whether its subgroups of 32 threads multiply matrices of f16, 16 by 16, into f32.
    pub(crate) fn has_units(&self) -> bool {
        let is_one = |p: &wgpu::CooperativeMatrixProperties| {
            let numbers = (wgpu::CooperativeScalarType::F16, wgpu::CooperativeScalarType::F32);
            [p.m_size, p.n_size, p.k_size] == [16; 3] && (p.ab_type, p.cr_type) == numbers
        };
        self.info.subgroup_min_size == 32
            && self.handle.features().contains(UNITS)
            && self.handle.cooperative_matrix_properties().iter().any(is_one)
    }

    /// Products of matrices that a subgroup computes at once; none where wgpu tells of none.
    pub fn cooperative_matrices(&self) -> Option<Vec<CooperativeMatrix>> {
        let told = self.handle.cooperative_matrix_properties();
        let name = |scalar| format!("{scalar:?}").to_lowercase();
        let one = |p: &wgpu::CooperativeMatrixProperties| CooperativeMatrix {
            size: [p.m_size, p.n_size, p.k_size],
            factors: name(p.ab_type),
            sum: name(p.cr_type),
            saturates: p.saturating_accumulation,
        };
        (!told.is_empty()).then(|| told.iter().map(one).collect())
    }
}

/// Every hardware adapter, as `--adapter` names them.
const ALL: &str = "all";

/// The adapters with this number or PCI id, or else with this text in their names.
fn with_name(all: &[Adapter], name: &str) -> Vec<Adapter> {
    let is_it = |adapter: &Adapter| adapter.number.to_string() == name || adapter.pci() == name;
    let has_it = |adapter: &Adapter| adapter.name().to_lowercase().contains(&name.to_lowercase());
    let by_number = all.iter().any(is_it);
    all.iter().filter(|a| if by_number { is_it(a) } else { has_it(a) }).cloned().collect()
}

/// As [`with_name`], at least one.
fn named(all: &[Adapter], by: &str, name: &str) -> Result<Vec<Adapter>> {
    let fit = with_name(all, name);
    if fit.is_empty() {
        return Err(Error::device(format!(
            "{by} {name}: no adapter has this number, PCI id or text in its name (found: {})",
            list(all)
        )));
    }
    Ok(fit)
}

/// The adapter with this number, PCI id or text in its name; the first of those that differ in name.
fn one_named(all: &[Adapter], by: &str, name: &str) -> Result<Adapter> {
    let mut fit = named(all, by, name)?;
    let alike = |other: &Adapter| {
        let [a, b] = [&fit[0].info, &other.info];
        a.name == b.name && (a.device_pci_bus_id != b.device_pci_bus_id || a.device_pci_bus_id.is_empty())
    };
    if fit[1..].iter().any(alike) {
        return Err(Error::device(format!(
            "{by} {name}: several adapters have this name ({}); give a number or a PCI id",
            list(&fit)
        )));
    }
    Ok(fit.swap_remove(0))
}

/// Whether a text names several adapters to share a run, and not one with a comma in its name.
fn is_list(all: &[Adapter], name: &str) -> bool {
    (name == ALL || name.contains(',')) && with_name(all, name).is_empty()
}

/// The adapters of a list: each that is named, as often as it is; or every hardware adapter, a card
/// that has two drivers once.
fn listed(all: &[Adapter], by: &str, names: &str) -> Result<Vec<Adapter>> {
    if names != ALL {
        let one = |name: &str| match name.trim() {
            "" => Err(Error::device(format!("{by} {names}: an adapter is missing beside a comma; it takes 0,1"))),
            name => one_named(all, &format!("{by} {names}:"), name),
        };
        return names.split(',').map(one).collect();
    }
    let mut cards: Vec<Adapter> = Vec::new();
    for adapter in all.iter().filter(|adapter| !adapter.is_software()) {
        if adapter.pci().is_empty() || cards.iter().all(|card| card.pci() != adapter.pci()) {
            cards.push(adapter.clone());
        }
    }
    if cards.is_empty() {
        return Err(Error::device(format!(
            "{by} {ALL}: no hardware GPU (found: {}); name adapters by number",
            list(all)
        )));
    }
    Ok(cards)
}

/// Number, name and PCI id of each.
fn list(all: &[Adapter]) -> String {
    let one = |a: &Adapter| {
        format!("{} {} ({}{}{})", a.number, a.name(), a.kind(), if a.pci().is_empty() { "" } else { ", PCI " }, a.pci())
    };
    if all.is_empty() { "none".into() } else { all.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing fits, the user must read what there is and what to do.
    #[test]
    fn no_adapter_is_a_clear_error() {
        let text = Adapter::choose_from(&[], Wanted::Any, None).unwrap_err().to_string();
        assert!(text.contains("none") && text.contains("--engine cpu"), "{text}");
        let text = Adapter::choose_from(&[], Wanted::Any, Some(("--adapter", "H200".into()))).unwrap_err().to_string();
        assert!(text.contains("H200"), "{text}");
    }

    /// A card whose memory is unknown would take a run that it cannot hold.
    #[test]
    #[cfg(not(target_vendor = "apple"))]
    fn vulkan_adapters_tell_their_memory() {
        let adapters = Adapter::all();
        assert!(!adapters.is_empty(), "no adapter: bash tests/run.sh installs a software driver");
        for adapter in adapters {
            let bytes = crate::gpu::heap::local_bytes(&adapter.handle);
            assert!(
                adapter.backend() != "vulkan" || bytes.is_some_and(|b| b >= 1 << 26),
                "{}: {bytes:?}",
                adapter.name()
            );
        }
    }
}
