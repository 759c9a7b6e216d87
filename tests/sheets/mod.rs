//! What is wrong with a sheet, by the boxes that the rasteriser itself gives to texts and marks.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use resvg::usvg::tiny_skia_path::PathVerb;
use resvg::usvg::{Group, Node, Options, Rect, Tree, fontdb::Database};

/// Pixels by which boxes may meet: lines of text stand closer than the font's own line height.
const SLACK: f32 = 1.5;
/// Pixels that ticks and strokes reach out of a frame.
const TICK: f32 = 6.5;
/// Size of a title.
const TITLE: f32 = 17.0;

/// The texts and marks of a sheet.
#[derive(Default)]
struct Sheet {
    /// Each with its size and its box.
    texts: Vec<(String, f32, Rect)>,
    /// The rectangles around areas of data.
    frames: Vec<Rect>,
    /// Marks that are not clipped to a frame.
    marks: Vec<Rect>,
}

impl Sheet {
    fn collect(&mut self, group: &Group) {
        for node in group.children() {
            match node {
                Node::Group(inner) if inner.clip_path().is_none() => self.collect(inner),
                Node::Text(text) => {
                    let words = text.chunks().iter().map(resvg::usvg::TextChunk::text).collect::<String>();
                    let size = text.chunks()[0].spans()[0].font_size().get();
                    self.texts.push((words, size, text.abs_bounding_box()));
                }
                Node::Path(path) => {
                    let (bounds, corners) = (path.abs_bounding_box(), path.data().points());
                    let is_closed = path.data().verbs().last() == Some(&PathVerb::Close);
                    let is_frame = is_closed && path.fill().is_none() && corners.len() == 4 && bounds.width() > 15.0;
                    if is_frame && corners.iter().all(|p| p.x == bounds.left() || p.x == bounds.right()) {
                        self.frames.push(bounds);
                    } else {
                        self.marks.push(path.abs_stroke_bounding_box());
                    }
                }
                _ => {}
            }
        }
    }
}

/// The part of two boxes in common: width and height, negative where they are apart.
fn common(a: &Rect, b: &Rect) -> (f32, f32) {
    (a.right().min(b.right()) - a.left().max(b.left()), a.bottom().min(b.bottom()) - a.top().max(b.top()))
}

fn meet(a: &Rect, b: &Rect) -> bool {
    let (width, height) = common(a, b);
    width > SLACK && height > SLACK
}

/// Whether `outer`, grown by `by` pixels, holds `inner`.
fn holds(outer: &Rect, inner: &Rect, by: f32) -> bool {
    inner.left() >= outer.left() - by
        && inner.right() <= outer.right() + by
        && inner.top() >= outer.top() - by
        && inner.bottom() <= outer.bottom() + by
}

/// Texts that overlap, that cross a frame or the sheet's edge, and marks that leave a frame or the
/// sheet, or run through the title.
pub(crate) fn faults(svg: &str) -> Vec<String> {
    static OPTIONS: OnceLock<Options> = OnceLock::new();
    let options = OPTIONS.get_or_init(|| {
        let font = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plot/font/DejaVuSans-subset.ttf");
        let mut fonts = Database::new();
        fonts.load_font_data(fs::read(font).unwrap());
        Options { fontdb: Arc::new(fonts), ..Options::default() }
    });
    let tree = Tree::from_str(svg, options).unwrap();
    let page = Rect::from_xywh(0.0, 0.0, tree.size().width(), tree.size().height()).unwrap();
    let mut sheet = Sheet::default();
    sheet.collect(tree.root());
    sheet.marks.retain(|mark| !holds(mark, &page, 0.0));
    let mut faults = Vec::new();
    for (at, (text, size, bounds)) in sheet.texts.iter().enumerate() {
        if !holds(&page, bounds, 0.0) {
            faults.push(format!("{text:?} leaves the sheet: {bounds:?}"));
        }
        for (other, _, beside) in &sheet.texts[at + 1..] {
            if meet(bounds, beside) {
                faults.push(format!("{text:?} overlaps {other:?} at {}, {}", beside.left(), beside.top()));
            }
        }
        for frame in sheet.frames.iter().filter(|frame| meet(frame, bounds) && !holds(frame, bounds, SLACK)) {
            faults.push(format!("{text:?} crosses the frame {frame:?}"));
        }
        for mark in sheet.marks.iter().filter(|mark| *size == TITLE && meet(bounds, mark)) {
            faults.push(format!("{mark:?} runs through the title {text:?}"));
        }
    }
    for mark in &sheet.marks {
        if !holds(&page, mark, 0.0) {
            faults.push(format!("a mark leaves the sheet: {mark:?}"));
        }
        for frame in &sheet.frames {
            let (width, height) = common(frame, mark);
            if width > TICK && height > TICK && !holds(frame, mark, TICK) {
                faults.push(format!("a mark leaves the frame {frame:?}: {mark:?}"));
            }
        }
    }
    faults
}

/// Fails with every fault of the sheets of a folder; returns how many sheets there were.
pub(crate) fn look_at(folder: &Path) -> usize {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sheets: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "svg")).collect();
    for path in &sheets {
        let faults = faults(&fs::read_to_string(path).unwrap());
        assert!(faults.is_empty(), "{}:\n{}", path.display(), faults.join("\n"));
    }
    sheets.len()
}
