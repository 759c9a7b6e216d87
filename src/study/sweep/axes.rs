//! Axes of a sweep: which key takes which values.
//!
//! | values | meaning |
//! |---|---|
//! | `0.1,0.5,1` | these TOML values; a comma inside brackets or quotes does not part |
//! | `1..10` | whole numbers, both ends included |
//! | `lin(0,1,5)`, `log(0.01,1,5)` | so many numbers, evenly spaced in value or in logarithm, both ends included |
//! | `uniform(0,1)`, `log(0.01,1)` | a number drawn anew for each cell: with `--draws` only |

use crate::error::{Error, Result};
use crate::rng::Stream;
use crate::study::common::parts;

/// Largest number of values of one axis.
const MOST: u64 = 1_000_000;

/// A key and its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) key: String,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    /// Texts that TOML can read.
    List(Vec<String>),
    Uniform(f64, f64),
    Log(f64, f64),
}

impl Axis {
    /// Reads `KEY=VALUES`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let bad = |what: &str| Error::input(format!("--over {text}: {what}"));
        let (key, values) = text.split_once('=').ok_or_else(|| bad("write KEY=VALUES, as in model.alpha=0.1,0.5"))?;
        let (key, values) = (key.trim(), values.trim());
        if key.is_empty() || values.is_empty() {
            return Err(bad("write KEY=VALUES, as in model.alpha=0.1,0.5"));
        }
        let values = Values::parse(values).map_err(|what| bad(&what))?;
        Ok(Self { key: key.to_owned(), values })
    }

    /// The axis of `count` seeds from `first` on.
    pub(super) fn seeds(first: u64, count: u64) -> Result<Self> {
        if count > MOST {
            return Err(Error::input(format!("--seeds {count}: there are at most {MOST}")));
        }
        let seeds = first..first.saturating_add(count);
        Ok(Self { key: "seed".into(), values: Values::List(seeds.map(|seed| seed.to_string()).collect()) })
    }

    /// An axis with one value.
    pub(super) fn fixed(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), values: Values::List(vec![value.to_owned()]) }
    }

    /// True if the axis has more than one value.
    pub(super) fn varies(&self) -> bool {
        !matches!(&self.values, Values::List(values) if values.len() == 1)
    }
}

impl Values {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some((from, to)) = text.split_once("..")
            && let (Ok(from), Ok(to)) = (from.trim().parse::<i64>(), to.trim().parse::<i64>())
        {
            return match to.checked_sub(from) {
                Some(apart) if (0..MOST as i64).contains(&apart) => {
                    Ok(Self::List((from..=to).map(|k| k.to_string()).collect()))
                }
                _ => Err(format!("a range ascends and holds at most {MOST} numbers")),
            };
        }
        if let Some((name, numbers)) = call(text) {
            let finite = |ends: &[f64]| ends.iter().all(|end| end.is_finite()) && ends[0] < ends[1];
            let positive = "log(a,b) needs 0 < a < b";
            return match (name, &numbers[..]) {
                ("uniform", &[a, b]) if finite(&[a, b]) => Ok(Self::Uniform(a, b)),
                ("log", &[a, b]) if finite(&[a, b]) && a > 0.0 => Ok(Self::Log(a, b)),
                ("lin" | "log", &[a, b, count]) if finite(&[a, b]) && count.fract() == 0.0 && count >= 2.0 => {
                    if count > MOST as f64 {
                        return Err(format!("at most {MOST} values"));
                    }
                    if name == "log" && a <= 0.0 {
                        return Err(positive.into());
                    }
                    let share = |k: u64| k as f64 / (count - 1.0);
                    let value = |k: u64| match k {
                        0 => a,
                        _ if k as f64 == count - 1.0 => b,
                        _ if name == "lin" => a + (b - a) * share(k),
                        _ => rounded(a * libm::pow(b / a, share(k))),
                    };
                    Ok(Self::List((0..count as u64).map(|k| format!("{}", value(k))).collect()))
                }
                _ => Err(format!(
                    "{name} takes two ends in order, and a number of values of at least 2 for a grid; {positive}"
                )),
            };
        }
        let parts = parts(text);
        if parts.iter().any(String::is_empty) {
            return Err("an empty value between commas".into());
        }
        Ok(Self::List(parts))
    }

    fn draw(&self, stream: &mut Stream) -> String {
        match self {
            Self::List(values) => values[stream.below(values.len() as u64) as usize].clone(),
            Self::Uniform(a, b) => (a + (b - a) * stream.uniform()).to_string(),
            Self::Log(a, b) => (a * libm::pow(b / a, stream.uniform())).to_string(),
        }
    }
}

/// Rounds to twelve digits, so that a grid of powers of ten has them.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// Reads `name(number, ...)` with a name that is known.
fn call(text: &str) -> Option<(&str, Vec<f64>)> {
    let (name, rest) = text.split_once('(')?;
    let numbers: Result<Vec<f64>, _> = rest.strip_suffix(')')?.split(',').map(|part| part.trim().parse()).collect();
    ["lin", "log", "uniform"].contains(&name.trim()).then_some((name.trim(), numbers.ok()?))
}

/// A value for each axis, in the axes' order.
pub(super) type Place = Vec<String>;

/// Lists every combination, the last axis fastest; or draws all axes at once, `draws` times.
pub(super) fn product(axes: &[Axis], draws: u64, seed: u64) -> Result<Vec<Place>> {
    if draws > MOST {
        return Err(Error::input(format!("--draws {draws}: there are at most {MOST}")));
    }
    if draws > 0 {
        let draw = |k: u64| {
            let mut stream = Stream::new(seed, "sweep", k);
            axes.iter().map(|axis| axis.values.draw(&mut stream)).collect()
        };
        return Ok((0..draws).map(draw).collect());
    }
    let mut places: Vec<Place> = vec![Vec::new()];
    for axis in axes {
        let Values::List(values) = &axis.values else {
            return Err(Error::input(format!(
                "--over {}: values drawn at random need --draws K; for a grid write lin(a,b,k) or log(a,b,k)",
                axis.key
            )));
        };
        if places.len().saturating_mul(values.len()) > MOST as usize {
            return Err(Error::input(format!("more than {MOST} combinations; leave out values or take --draws K")));
        }
        let with = |place: &Place| {
            values.iter().map(|value| [&place[..], std::slice::from_ref(value)].concat()).collect::<Vec<_>>()
        };
        places = places.iter().flat_map(with).collect();
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        match Values::parse(text).unwrap() {
            Values::List(values) => values,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// If a value were read as another, a table would say what was not computed.
    #[test]
    fn values_are_read() {
        assert_eq!(list("0.1, 0.5"), ["0.1", "0.5"]);
        assert_eq!(list("-1..2"), ["-1", "0", "1", "2"]);
        assert_eq!(list("lin(0,1,5)"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(list("log(0.001,1,4)"), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(list("[[1,2],[3,4]],identity"), ["[[1,2],[3,4]]", "identity"]);
        assert_eq!(list("\"1/(t+1)\",1/(t+2)"), ["\"1/(t+1)\"", "1/(t+2)"]);
        assert_eq!(Values::parse("uniform(0,1)").unwrap(), Values::Uniform(0.0, 1.0));
        for bad in
            ["1,,2", "5..1", "log(0,1,3)", "log(-1,1)", "lin(1,0,3)", "uniform(0,inf)", "lin(0,1,1)", "0..9999999999"]
        {
            assert!(Values::parse(bad).is_err(), "{bad}");
        }
        for bad in ["model.alpha", "=1", "model.alpha="] {
            assert!(Axis::parse(bad).is_err(), "{bad}");
        }
    }

    /// Shards rely on one list of cells, and a draw must lie inside its range.
    #[test]
    fn products_are_whole_and_draws_repeat() {
        let axes: Vec<Axis> = ["a=1..3", "b=x,y"].iter().map(|text| Axis::parse(text)).collect::<Result<_>>().unwrap();
        let all = product(&axes, 0, 0).unwrap();
        assert_eq!(all.len(), 6);
        assert_eq!((&all[0][..], &all[1][..]), (&["1".into(), "x".into()][..], &["1".into(), "y".into()][..]));
        let axes = [Axis::parse("a=log(0.01,100)").unwrap(), axes[1].clone()];
        assert!(product(&axes, 0, 0).is_err());
        let drawn = product(&axes, 200, 7).unwrap();
        assert_eq!(drawn, product(&axes, 200, 7).unwrap());
        assert_ne!(drawn, product(&axes, 200, 8).unwrap());
        let values: Vec<f64> = drawn.iter().map(|place| place[0].parse().unwrap()).collect();
        assert!(values.iter().all(|v| (0.01..=100.0).contains(v)));
        let low = values.iter().filter(|v| **v < 1.0).count();
        assert!((60..140).contains(&low), "{low} of 200 in the lower half of the decades");
    }
}
