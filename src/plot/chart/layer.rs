//! The layers of a chart, as data.

/// A point of the data.
pub(super) type Point = (f64, f64);

/// The data of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Lines {
        paths: Vec<Vec<Point>>,
        dashed: bool,
    },
    Points {
        at: Vec<Point>,
        radius: f64,
    },
    /// x, y, lower and upper end.
    Intervals(Vec<[f64; 4]>),
    /// x, lower and upper end.
    Band(Vec<[f64; 3]>),
    Region(Vec<Point>),
    /// Lower and upper end in x, height.
    Bars(Vec<[f64; 3]>),
    Level(f64),
    Upright(f64),
}

impl Shape {
    /// The values that axes must show, x and y; bars stand on 0, but on a logarithmic y axis.
    pub(super) fn values(&self, is_y_log: bool) -> (Vec<f64>, Vec<f64>) {
        match self {
            Self::Lines { paths, .. } => paths.iter().flatten().copied().unzip(),
            Self::Points { at: points, .. } | Self::Region(points) => points.iter().copied().unzip(),
            Self::Intervals(points) => heads_and_tails(points),
            Self::Band(points) => heads_and_tails(points),
            Self::Bars(bars) => {
                let ends = |b: &[f64; 3]| [b[2], if is_y_log { b[2] } else { 0.0 }];
                (bars.iter().flat_map(|b| [b[0], b[1]]).collect(), bars.iter().flat_map(ends).collect())
            }
            Self::Level(y) => (Vec::new(), vec![*y]),
            Self::Upright(x) => (vec![*x], Vec::new()),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) opacity: f64,
    pub(super) shape: Shape,
}

/// The first values of some points, and all the others.
fn heads_and_tails<const N: usize>(points: &[[f64; N]]) -> (Vec<f64>, Vec<f64>) {
    (points.iter().map(|p| p[0]).collect(), points.iter().flat_map(|p| &p[1..]).copied().collect())
}
