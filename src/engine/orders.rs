//! What rank 0 tells the others to do, as bytes.

use std::borrow::Cow;
use std::iter;

use crate::choice::{EngineChoice, Plan};
use crate::engine::held::Shape;
use crate::engine::preflight::When;
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::ranks::Ranks;
use crate::tokens::{Coordinates, Precision, Tokens};

/// What a rank hears of a state that ranks open an engine on, before it has tokens of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// What names the system, the same on all ranks.
    pub system: String,
    /// The engine: the CPU's, or the GPU's.
    pub engine: EngineChoice,
    /// The plan.
    pub plan: Plan,
    /// The lattice of an exact rule; in every rule the precision of the tokens.
    pub grid: Grid,
    /// The number of tokens.
    pub n: usize,
    /// Their dimension.
    pub d: usize,
}

impl Outline {
    /// The outline of a state.
    pub fn of(system: String, (engine, plan): (EngineChoice, Plan), grid: Grid, tokens: &Tokens) -> Self {
        Self { system, engine, plan, grid, n: tokens.n(), d: tokens.d() }
    }

    fn line(&self) -> String {
        let Self { system, engine, plan, grid, n, d } = self;
        let engine = engine.name();
        format!("{system} {engine} {} {} {} {n} {d}\n", plan.name(), grid.precision.name(), grid.exponent)
    }

    /// The outline that some bytes are.
    fn only(bytes: &[u8]) -> Option<Self> {
        Self::split(bytes).filter(|(_, rest)| rest.is_empty()).map(|(outline, _)| outline)
    }

    /// The outline at the beginning of some bytes, and what follows it.
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let mut words = std::str::from_utf8(&bytes[..end]).ok()?.split(' ');
        let (system, engine) = (words.next()?.to_owned(), EngineChoice::parse(words.next()?).ok()?);
        let plan = Plan::parse(words.next()?).ok()?;
        let precision = if words.next()? == Precision::F64.name() { Precision::F64 } else { Precision::F32 };
        let grid = Grid { exponent: words.next()?.parse().ok()?, precision };
        let (n, d) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((Self { system, engine, plan, grid, n, d }, &bytes[end + 1..]))
    }
}

/// What rank 0 has the others do.
#[derive(Debug, PartialEq)]
pub(super) enum Order<'a> {
    /// To see whether there is memory for a state.
    Fit(Shape, When),
    Open(Outline, Cow<'a, Tokens>),
    /// To open an engine on tokens that rank 0 then deals out.
    Deal(Outline),
    /// To read or draw a stretch of a first state, and to open an engine on what is dealt out of it. Its grid has
    /// no exponent yet.
    Begin(Outline),
    /// Steps, by their t.
    Steps(Vec<u64>),
    /// The tokens, of ranks that hold a part of them each.
    Tokens,
    /// Argmax and strip size of every token, of such ranks and of those with GPUs.
    Strips,
    /// The masks of some rows in step t, of ranks with GPUs.
    Masks(u64, Vec<usize>),
    End,
}

impl Order<'_> {
    pub(super) fn tell(&self, ranks: &dyn Ranks) -> Result<()> {
        ranks.all_gather(&self.bytes()).map(drop)
    }

    pub(super) fn hear(ranks: &dyn Ranks) -> Result<Self> {
        let other =
            || Error::device("the ranks of this run are at different places; start the same program on all of them");
        Self::of(ranks.all_gather(&[])?.of(0)).ok_or_else(other)
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::End => vec![b'e'],
            Self::Fit(shape, When::Begin) => [b"f", shape.line().as_bytes()].concat(),
            Self::Fit(shape, When::Open) => [b"g", shape.line().as_bytes()].concat(),
            Self::Tokens => vec![b't'],
            Self::Strips => vec![b'c'],
            Self::Masks(t, rows) => {
                let rows = rows.iter().map(|&row| row as u64);
                [b"m".to_vec(), iter::once(*t).chain(rows).flat_map(u64::to_ne_bytes).collect()].concat()
            }
            Self::Steps(t) => [b"s".to_vec(), t.iter().flat_map(|t| t.to_ne_bytes()).collect()].concat(),
            Self::Deal(outline) => [b"d", outline.line().as_bytes()].concat(),
            Self::Begin(outline) => [b"b", outline.line().as_bytes()].concat(),
            Self::Open(outline, tokens) => {
                let mut bytes = [b"o", outline.line().as_bytes()].concat();
                match tokens.coordinates() {
                    Coordinates::F32(x) => bytes.extend(x.iter().flat_map(|x| x.to_ne_bytes())),
                    Coordinates::F64(x) => bytes.extend(x.iter().flat_map(|x| x.to_ne_bytes())),
                }
                bytes
            }
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (b'e', []) => Some(Self::End),
            (b't', []) => Some(Self::Tokens),
            (b'c', []) => Some(Self::Strips),
            (b's', t) => Some(Self::Steps(numbers(t)?)),
            (b'm', told) => {
                let told = numbers(told)?;
                let (t, rows) = told.split_first()?;
                Some(Self::Masks(*t, rows.iter().map(|&row| row as usize).collect()))
            }
            (b'f', shape) => Some(Self::Fit(Shape::parse(std::str::from_utf8(shape).ok()?)?, When::Begin)),
            (b'g', shape) => Some(Self::Fit(Shape::parse(std::str::from_utf8(shape).ok()?)?, When::Open)),
            (b'd', start) => Outline::only(start).map(Self::Deal),
            (b'b', start) => Outline::only(start).map(Self::Begin),
            (b'o', start) => {
                let (outline, x) = Outline::split(start)?;
                let coordinates = if outline.grid.precision == Precision::F64 {
                    let of = |x: &[u8]| x.try_into().ok().map(f64::from_ne_bytes);
                    Coordinates::F64(x.chunks(8).map(of).collect::<Option<_>>()?)
                } else {
                    let of = |x: &[u8]| x.try_into().ok().map(f32::from_ne_bytes);
                    Coordinates::F32(x.chunks(4).map(of).collect::<Option<_>>()?)
                };
                let tokens = Tokens::from_flat(outline.n, outline.d, coordinates).ok()?;
                Some(Self::Open(outline, Cow::Owned(tokens)))
            }
            _ => None,
        }
    }
}

/// Numbers of 64 bits.
fn numbers(bytes: &[u8]) -> Option<Vec<u64>> {
    bytes.chunks(8).map(|number| number.try_into().ok().map(u64::from_ne_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    /// An order read as another one would have ranks compute different things.
    #[test]
    fn orders_come_as_they_were_told() {
        let outline = |precision| {
            let grid = Grid { exponent: -3, precision };
            Outline { system: "a1f".into(), engine: EngineChoice::Gpu, plan: Plan::Tree, grid, n: 2, d: 3 }
        };
        let of = |coordinates: Coordinates, precision| {
            Order::Open(outline(precision), Cow::Owned(Tokens::from_flat(2, 3, coordinates).unwrap()))
        };
        let wide = of(Coordinates::F64((0..6).map(|x| f64::from(x).sqrt()).collect()), Precision::F64);
        let single = of(Coordinates::F32((0..6).map(|x| x as f32 / 3.0).collect()), Precision::F32);
        let model = Model::localmax(0.1).unwrap();
        for order in [
            Order::End,
            Order::Fit(Shape::of(3, Plan::Opened, &model, (70_000, 4), Precision::F64), When::Begin),
            Order::Fit(Shape::of(2, Plan::Auto, &Model::softmax(2.0).unwrap(), (7, 4), Precision::F32), When::Open),
            Order::Deal(outline(Precision::F32)),
            Order::Begin(outline(Precision::F64)),
            Order::Tokens,
            Order::Strips,
            Order::Masks(3, vec![0, 7, 2]),
            Order::Steps(vec![7, u64::MAX]),
            Order::Steps(vec![]),
            wide,
            single,
        ] {
            assert_eq!(Order::of(&order.bytes()).unwrap(), order);
        }
        for bytes in [&b""[..], b"x", b"ee", b"s1234567", b"m", b"oa cpu tree f32 0 2 3\n1234"] {
            assert!(Order::of(bytes).is_none());
        }
    }
}
