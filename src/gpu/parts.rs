//! The parts of the shaders' text, and the modules that are made of them.
//!
//! The first line of a part may name others that it needs, `// needs: a, b`. Buffers are declared in the parts, one
//! a line, and go by their variables' names.
//!
//! Lines that begin with [`HOSTILE`] are comments but in the modules of a device with a hostile
//! filter, which tests alone have: there they take effect, and put into the place of every float that
//! filters the exact score, moved by up to a share of its bound. A share below 1 leaves all bits as
//! they are, on every device, or a bound is wrong.

use crate::gpu::pipeline::Slot;
use crate::tokens::Precision;

/// A part of the shaders' text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The path below `shaders/`, without the ending.
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// The part at a path below `shaders/`.
macro_rules! part {
    ($name:literal) => {
        $crate::gpu::parts::Part {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
        }
    };
}
pub(crate) use part;

/// What modules with units for matrices begin with.
pub(crate) const UNITS: &str = "enable f16;\nenable wgpu_cooperative_matrix;\n";

/// What begins the lines of a hostile filter.
pub(crate) const HOSTILE: &str = "// HOSTILE: ";

/// The parts that others need.
const PARTS: [Part; 33] = [
    part!("arithmetic/compensated"),
    part!("arithmetic/exponential"),
    part!("arithmetic/ordered"),
    part!("arithmetic/philox"),
    part!("arithmetic/powers"),
    part!("arithmetic/roots"),
    part!("arithmetic/words"),
    part!("dispatch"),
    part!("exact/cut"),
    part!("exact/decide"),
    part!("exact/dot"),
    part!("exact/hostile"),
    part!("exact/opened"),
    part!("exact/place"),
    part!("exact/row"),
    part!("exact/scores_wide"),
    part!("exact/strips"),
    part!("exact/sums"),
    part!("exact/tree/boxes"),
    part!("exact/tree/fit"),
    part!("exact/tree/members"),
    part!("exact/tree/part"),
    part!("exact/tree/patience"),
    part!("exact/tree/search"),
    part!("exact/tree/shares"),
    part!("exact/tree/sort"),
    part!("exact/tree/sought"),
    part!("exact/tree/strip"),
    part!("exact/tree/summed"),
    part!("exact/tree/whole"),
    part!("exact/width"),
    part!("real/records"),
    part!("report"),
];

/// `integers`: the contract's coordinates, scores and sums at a precision.
fn integers(precision: Precision) -> Part {
    match precision {
        Precision::F32 => part!("arithmetic/f32"),
        Precision::F64 => part!("arithmetic/f64"),
    }
}

/// `walk`: whether threads of a subgroup search a tree together.
fn walk(subgroups: bool) -> Part {
    if subgroups { part!("exact/tree/together") } else { part!("exact/tree/alone") }
}

/// What the text of a module is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub(crate) precision: Precision,
    /// The share of a hostile filter.
    pub(crate) hostile: Option<f32>,
    /// Whether threads may ask others of their subgroup.
    pub(crate) subgroups: bool,
}

impl Variant {
    /// What every device runs.
    pub(crate) fn of(precision: Precision) -> Self {
        Self { precision, hostile: None, subgroups: false }
    }
}

/// A part behind all that it needs, each once. `opaque` has the functions whose values no
/// compiler looks through.
pub(crate) fn with_needs(part: Part, variant: Variant, opaque: Part) -> Vec<&'static str> {
    fn gather(part: Part, find: &impl Fn(&str) -> Part, hostile: bool, into: &mut Vec<&'static str>) {
        if into.contains(&part.text) {
            return;
        }
        let needs = |line: &'static str| {
            let more = line.strip_prefix("// HOSTILE needs: ").filter(|_| hostile);
            line.strip_prefix("// needs: ").or(more)
        };
        for name in part.text.lines().take(2).filter_map(needs).flat_map(|names| names.split(", ")) {
            gather(find(name), find, hostile, into);
        }
        into.push(part.text);
    }
    let find = |name: &str| match name {
        "integers" => integers(variant.precision),
        "opaque" => opaque,
        "walk" => walk(variant.subgroups),
        _ => *PARTS.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no part of the shaders is {name}")),
    };
    let mut texts = Vec::new();
    gather(part, &find, variant.hostile.is_some(), &mut texts);
    texts
}

/// The buffers that some texts declare in group 1, in the order of their bindings.
pub(crate) fn slots(texts: &[&'static str], hostile: bool) -> Vec<Slot> {
    let mut found: Vec<(u32, Slot)> = texts
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| line.strip_prefix(HOSTILE).filter(|_| hostile).unwrap_or(line))
        .filter_map(|line| {
            let (binding, rest) = line.strip_prefix("@group(1) @binding(")?.split_once(") var<storage, ")?;
            let (access, rest) = rest.split_once("> ")?;
            let (name, _) = rest.split_once(':')?;
            Some((binding.parse().ok()?, Slot { name, writes: access == "read_write" }))
        })
        .collect();
    found.sort_unstable_by_key(|&(binding, _)| binding);
    found.into_iter().map(|(_, slot)| slot).collect()
}
