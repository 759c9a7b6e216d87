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

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) opacity: f64,
    pub(super) shape: Shape,
}
