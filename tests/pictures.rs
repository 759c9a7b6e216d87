//! Pictures of every kind of cloud: valid, bounded, equal when drawn twice, and not empty.
//!
//! They stay in `target/tmp/pictures` to be looked at.

mod sheets;

use std::fs;
use std::path::Path;
use std::process::Command;

use localmax::engine::{Engine, ExactReference, Steps};
use localmax::exact::Grid;
use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::outcome::StepReport;
use localmax::plot::document::{Block, Document, TextTable};
use localmax::plot::{Chart, Coordinate, Metrics, Panels, Picture, Player, Size, StepMetrics, StripView, Trajectories};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use serde_json::Value;

/// splitmix64 as uniform numbers in [−1, 1), and sums of twelve as normal ones.
struct Stream(u64);

impl Stream {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() / 2.0
    }
}

fn normal(n: usize, d: usize, scale: f64) -> Tokens {
    let mut stream = Stream((n * 1000 + d) as u64);
    Tokens::from_flat(n, d, (0..n * d).map(|_| scale * stream.normal()).collect::<Vec<f64>>()).unwrap()
}

fn localmax(delta: f64) -> Rule {
    Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Width }
}

/// Frames and reports of a run on the reference engine, and the strip of one token at one step.
fn run(x0: &Tokens, rule: Rule, steps: u64, strip: (u64, usize)) -> (Vec<(u64, Tokens)>, Vec<StepReport>, StripView) {
    let gain = Gain::Alpha(Schedule::Constant(0.5));
    let model = Model::averaging(rule, Operator::identity(), Mask::FULL, gain);
    let grid = Grid::of(x0, Precision::F64);
    let mut of_steps = Steps::new(&model, grid, x0.d());
    let mut engine = ExactReference::new(x0, grid);
    let (mut frames, mut reports, mut view) = (vec![(0, engine.tokens().unwrap())], Vec::new(), None);
    for t in 0..steps {
        let step = of_steps.at(t).unwrap();
        if t == strip.0 {
            let query = frames[t as usize].1.row(strip.1);
            let members: Vec<usize> = engine.masks(&step, &[strip.1]).unwrap()[0].iter().map(|&j| j as usize).collect();
            let length = query.iter().map(|x| x * x).sum::<f64>().sqrt();
            let best = (0..x0.n())
                .map(|j| frames[t as usize].1.row(j).iter().zip(&query).map(|(a, b)| a * b).sum::<f64>())
                .fold(f64::NEG_INFINITY, f64::max);
            let threshold = best - model.delta_at(model.moment(t, 0.0)).unwrap() * length;
            view = Some(StripView { step: t, token: strip.1, members, query, threshold });
        }
        reports.extend(engine.step(&[step]).unwrap());
        frames.push((t + 1, engine.tokens().unwrap()));
    }
    (frames, reports, view.unwrap())
}

/// The metrics of a step of n tokens.
fn metrics(report: &StepReport, n: usize) -> StepMetrics {
    let mean = report.strip_total as f64 / n as f64;
    let strips = Some([f64::from(report.strip_min), mean, f64::from(report.strip_max)]);
    StepMetrics { t: report.t, moved: report.moved, strips }
}

/// Checks what every picture must be, and leaves it to be looked at.
fn check(name: &str, draw: impl Fn() -> Picture) {
    let picture = draw();
    assert!(picture == draw(), "{name}: two pictures of the same data differ");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&folder).unwrap();
    picture.save(&folder, name).unwrap();

    assert!(picture.svg.len() < 2_000_000, "{name}: {} bytes of SVG", picture.svg.len());
    let document = roxmltree::Document::parse(&picture.svg).unwrap_or_else(|e| panic!("{name}: {e}"));
    let texts: Vec<_> = document.descendants().filter(|node| node.has_tag_name("text")).collect();
    assert!(texts.len() > 8, "{name}: only {} texts", texts.len());
    for attribute in document.descendants().flat_map(|node| node.attributes()) {
        let value = attribute.value();
        assert!(!value.contains("NaN") && !value.contains("inf"), "{name}: {} = {value:.60}", attribute.name());
    }

    let pixels = resvg::tiny_skia::Pixmap::decode_png(&picture.png).unwrap();
    let width: u32 = document.root_element().attribute("width").unwrap().parse().unwrap();
    let height: u32 = document.root_element().attribute("height").unwrap().parse().unwrap();
    assert_eq!((pixels.width(), pixels.height()), (2 * width, 2 * height), "{name}");
    let faults = sheets::faults(&picture.svg);
    assert!(faults.is_empty(), "{name}:\n{}", faults.join("\n"));
    let inked = pixels.pixels().iter().filter(|p| (p.red(), p.green(), p.blue()) != (255, 255, 255)).count();
    assert!(inked * 200 > pixels.pixels().len(), "{name}: {inked} pixels with ink");
}

fn trajectories(name: &str, title: &str, frames: &[(u64, Tokens)], strip: Option<StripView>) {
    let tokens = &frames[0].1;
    let data = Trajectories {
        title: title.to_owned(),
        subtitle: format!("n = {}, d = {}, {} steps, reference, f64", tokens.n(), tokens.d(), frames.last().unwrap().0),
        frames,
        strip,
        by_coordinates: false,
    };
    let size = if name.ends_with("-alone") { Size { width: 640, height: 480 } } else { Size::default() };
    check(name, || data.draw(size).unwrap());
}

/// If this failed, a run in the plane would leave no picture worth keeping.
#[test]
fn a_plane_cloud_with_its_strip() {
    let (frames, reports, strip) = run(&normal(200, 2, 1.0), localmax(0.5), 60, (0, 17));
    trajectories("plane", "localmax (width), α = 0.5, δ = 0.5", &frames, Some(strip));
    let (title, subtitle) = ("localmax (width), α = 0.5, δ = 0.5".to_owned(), "n = 200, d = 2, 60 steps".to_owned());
    let steps: Vec<StepMetrics> = reports.iter().map(|report| metrics(report, 200)).collect();
    let metrics = Metrics { title, subtitle, steps: &steps };
    check("metrics", || metrics.clone().draw(&[], Size::default()).unwrap());
    let (frames, _, strip) = run(&normal(200, 2, 1.0), localmax(0.5), 60, (3, 17));
    trajectories("plane-step-3", "localmax (width), α = 0.5, δ = 0.5", &frames, Some(strip));
}

/// If this failed, the papers' own panels could not be drawn.
#[test]
fn the_emerging_leader() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/emerging_leader.json");
    let data: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(data["x0"].clone()).unwrap();
    let x0 = Tokens::from_flat(8, 2, rows.concat()).unwrap();
    let (frames, _, strip) = run(&x0, Rule::Hardmax, 30, (0, 6));
    trajectories("emerging-leader", "hardmax, α = 0.5: emerging leader", &frames, Some(strip));
}

/// If this failed, other dimensions than 2 would have no picture.
#[test]
fn other_dimensions() {
    for (name, n, d) in [("line", 40, 1), ("space", 300, 3), ("ten", 150, 10), ("wide", 30, 64)] {
        let (frames, _, strip) = run(&normal(n, d, 1.0), localmax(0.6), 30, (0, 5));
        trajectories(name, "localmax (width), α = 0.5, δ = 0.6", &frames, Some(strip));
    }
}

/// If this failed, one token, coincident, collinear, huge, tiny or far-off clouds would panic.
#[test]
fn degenerate_clouds() {
    let line = Tokens::from_flat(5, 2, vec![0., 0., 1., 1., 2., 2., 3., 3., -1., -1.]).unwrap();
    let far = Tokens::from_flat(3, 2, vec![1e9, 0.0, 1e9 + 1.0, 1.0, 1e9, 2.0]).unwrap();
    let clouds = [
        ("one", normal(1, 2, 1.0)),
        ("one-in-space", normal(1, 3, 1.0)),
        ("one-on-a-line", normal(1, 1, 1.0)),
        ("coincident", Tokens::from_flat(50, 2, [0.3, -0.7].repeat(50)).unwrap()),
        ("coincident-in-space", Tokens::from_flat(50, 3, [0.1, 0.2, 0.7].repeat(50)).unwrap()),
        ("origin", Tokens::from_flat(4, 2, vec![0.0; 8]).unwrap()),
        ("collinear", line),
        ("far", far),
        ("huge", normal(100, 2, 1e30)),
        ("largest", normal(100, 2, 1e307)),
        ("tiny", normal(100, 2, 1e-30)),
        ("smallest", normal(10, 2, 1e-318)),
    ];
    for (name, x0) in clouds {
        let query = x0.row(0);
        let threshold = query.iter().map(|x| x * x).sum::<f64>() * 0.7;
        let strip = StripView { step: 0, token: 0, members: vec![0], query, threshold };
        let frames = [(0, x0.clone()), (7, x0)];
        trajectories(name, "still", &frames, Some(strip.clone()));
        trajectories(&format!("{name}-alone"), "one frame", &frames[..1], Some(strip));
    }
}

/// If this failed, the picture of a large run would be megabytes that no viewer opens.
#[test]
fn large_clouds_stay_small_files() {
    let x0 = normal(20_000, 2, 1.0);
    let corner = |x: &[f64]| [1.6f64.copysign(x[0]), 1.2f64.copysign(x[1])];
    let frames: Vec<(u64, Tokens)> = (0..40)
        .map(|t| {
            let left = 0.8f64.powi(t);
            let moved = (0..x0.n()).flat_map(|i| {
                let x = x0.row(i);
                [0, 1].map(|k| corner(&x)[k] * (1.0 - left) + left * x[k])
            });
            (t as u64 * 10, Tokens::from_flat(20_000, 2, moved.collect::<Vec<f64>>()).unwrap())
        })
        .collect();
    let query = x0.row(1);
    let members: Vec<usize> =
        (0..20_000).filter(|&j| x0.row(j).iter().zip(&query).map(|(a, b)| a * b).sum::<f64>() > 1.5).collect();
    let strip = StripView { step: 0, token: 1, members, query, threshold: 1.5 };
    trajectories("large", "four attracting corners", &frames, Some(strip));
    trajectories("large-start", "four attracting corners", &frames[..2], None);
}

/// If this failed, a long run's metrics would be unreadable: decades, zeros, thousands of rows.
#[test]
fn long_metrics() {
    let rows: Vec<StepMetrics> = (0..50_000u64)
        .map(|t| {
            let moved = if t < 20_000 { 1_000_000 / (1 + t) } else { 0 };
            let count = [1, 1 + (1_000_000 / (1 + t)) as u32, 1_000_000 / (1 + t as u32 / 10)];
            let [least, mean, most] = count.map(f64::from);
            StepMetrics { t, moved, strips: Some([least.min(mean).min(most), mean, most.max(mean)]) }
        })
        .collect();
    let metrics = |steps: &[StepMetrics]| {
        let (title, subtitle) = ("localmax (score), α = 0.5, δ = 1/(t+1)".to_owned(), "n = 1000000, d = 3".to_owned());
        Metrics { title, subtitle, steps }.draw(&[], Size::default()).unwrap()
    };
    check("metrics-long", || metrics(&rows));
    check("metrics-one", || metrics(&rows[..1]));
    check("metrics-still", || metrics(&rows[49_000..]));
}

/// If this failed, a wrong call would panic, or a title could break the document.
#[test]
fn bad_input_is_an_error_and_any_title_is_text() {
    let (a, b) = (normal(3, 2, 1.0), normal(4, 2, 1.0));
    let strip = StripView { step: 0, token: 0, members: vec![1], query: vec![1.0, 0.0], threshold: 0.5 };
    let fails = |frames: &[(u64, Tokens)], strip: Option<StripView>, why: &str| {
        let data = Trajectories { title: String::new(), subtitle: String::new(), frames, strip, by_coordinates: false };
        let text = data.draw(Size::default()).unwrap_err().to_string();
        assert!(text.contains(why) && !text.contains('\n'), "{text}");
    };
    fails(&[], None, "at least one frame");
    fails(&[(0, a.clone()), (1, b)], None, "shape (4, 2)");
    fails(&[(1, a.clone()), (1, a.clone())], None, "ascend");
    let one = [(0, a)];
    fails(&one, Some(StripView { step: 1, ..strip.clone() }), "no frame of step 1");
    fails(&one, Some(StripView { members: vec![3], ..strip.clone() }), "token 3");
    fails(&one, Some(StripView { query: vec![1.0], ..strip.clone() }), "1 components");
    let nan = StripView { query: vec![f64::NAN, 0.0], threshold: f64::INFINITY, ..strip };
    let long = "<&\"'>\u{1} a title that does not end ".repeat(20);
    trajectories("title", &long, &one, Some(nan));
}

fn axis(name: &str) -> Coordinate {
    Coordinate::linear(format!("{name} (dimensionless)"))
}

/// If this failed, a study would have no chart, or one that shows other values than its table.
#[test]
fn charts_of_every_kind() {
    let decay = |rate: f64| (0..60).map(move |t| (f64::from(t), 0.3 * rate.powi(t)));
    let lines = Chart::new("Distances", Coordinate::whole("step t"), Coordinate::log("|x − v| (dimensionless)"))
        .subtitle("two rates")
        .line("α = 0.5", decay(1.0 / 1.5))
        .dashed("theory", decay(0.5))
        .colour(0)
        .points("seen", decay(0.9).step_by(5))
        .level("resolution", 1e-9)
        .upright("settled", 20.0)
        .band("spread", (0..60).map(|t| [f64::from(t), 0.01, 0.02]).collect())
        .intervals("fits", vec![[10.0, 0.1, 0.05, 0.2], [30.0, 1e-3, 1e-4, 1e-2]]);
    check("chart-lines", || lines.draw(Size::default()).unwrap());
    let mut stream = Stream(3);
    let values: Vec<f64> = (0..500).map(|_| 10f64.powf(3.0 * stream.normal())).chain([0.0; 25]).collect();
    let bars = Chart::new("Gaps", Coordinate::log("gap (dimensionless)"), Coordinate::whole("tokens"));
    let bars = bars.histogram("all", &values, 30);
    check("chart-histogram", || bars.draw(Size::default()).unwrap());
    let counted: f64 = bars.draw(Size::default()).unwrap().tooltips.iter().map(|tip| bar_height(&tip.text)).sum();
    assert_eq!(counted, 525.0, "a histogram that loses values");
    let names = |of: &[f64]| of.iter().map(f64::to_string).collect::<Vec<_>>();
    let (x, y) = (names(&[0.1, 0.5, 1.0, 3.0]), names(&[0.01, 0.1, 1.0]));
    let cells = vec![vec![1.0, 10.0, 100.0, 1e4], vec![2.0, f64::NAN, 0.0, 5.0], vec![7.0; 4]];
    let heat = Chart::heat(
        "Steps",
        ("α (dimensionless)", &x),
        ("δ (dimensionless)", &y),
        "steps to rest (steps)",
        true,
        cells,
    );
    check("chart-heat", || heat.draw(Size::default()).unwrap());
    let plane = |title: &str| {
        let corners = vec![(-1.0, -1.0), (3.0, -1.0), (3.0, 1.0)];
        Chart::new(title, axis("x₁"), axis("x₂"))
            .equal_units()
            .region("strip", corners)
            .points("tokens", [(0.0, 0.0), (1.0, 0.5)])
    };
    let charts = vec![plane("one"), plane("two"), plane("three")];
    let panels = Panels { title: "Three".into(), subtitle: "side by side".into(), charts, columns: 3 };
    check("panels", || panels.draw(Size { width: 1200, height: 420 }).unwrap());
}

/// The height in a tooltip, "…\ntokens: 12 (…)".
fn bar_height(text: &str) -> f64 {
    text.split("tokens: ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok()).unwrap()
}

/// If this failed, a study whose numbers are odd (none, one, all equal, infinite, 0 on a
/// logarithmic axis) would end in a panic or in a picture that does not say what it leaves out.
#[test]
fn charts_of_odd_data() {
    let odd: [&[(f64, f64)]; 6] = [
        &[],
        &[(1.0, 1.0)],
        &[(2.0, 3.0), (2.0, 3.0)],
        &[(f64::NAN, 1.0), (1.0, f64::INFINITY), (0.0, 0.0), (-1.0, -1.0), (3.0, 2.0)],
        &[(1e-300, 1e300), (1e300, 1e-300)],
        &[(-1e308, -1e308), (1e308, 1e308)],
    ];
    for (k, data) in odd.into_iter().enumerate() {
        for log in [false, true] {
            let axis = |label: &str| if log { Coordinate::log(label) } else { Coordinate::linear(label) };
            let points = || data.iter().copied();
            let values: Vec<f64> = points().map(|(x, _)| x).collect();
            let chart = Chart::new("odd & <b>", axis("x (units)"), axis("y (units)"))
                .line("line", points())
                .points("points", points())
                .histogram("histogram", &values, 7);
            let picture = chart.draw(Size::default()).unwrap();
            roxmltree::Document::parse(&picture.svg).unwrap();
            for word in ["NaN", "inf "] {
                assert!(!picture.svg.contains(word), "{k} {log}: {word}");
            }
            if k == 3 && log {
                assert!(picture.svg.contains("no place on"), "values left out without a word");
            }
        }
    }
    let none = Chart::heat("none", ("x", &[]), ("y", &[]), "z", false, Vec::new());
    assert!(none.draw(Size::default()).unwrap_err().to_string().contains("rows of cells"));
    let empty = Chart::new("range", axis("x").within(1.0, 1.0), axis("y"));
    assert!(empty.draw(Size::default()).unwrap_err().to_string().contains("cannot show the range 1 to 1"));
}

/// If this failed, a trajectory could not be played: a GIF that no viewer opens, or that shows
/// other steps than the run's.
#[test]
fn trajectories_play() {
    for (name, d) in [("line", 1), ("plane", 2), ("space", 3), ("ten", 10)] {
        let (frames, _, _) = run(&normal(60, d, 1.0), localmax(0.6), 12, (0, 5));
        let player = Player::new(&frames).unwrap();
        check(&format!("player-{name}"), || player.background("localmax, δ = 0.6").unwrap());
        let bytes = player.gif("localmax, δ = 0.6").unwrap();
        assert!(bytes == player.gif("localmax, δ = 0.6").unwrap(), "{name}: two GIFs of the same data differ");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("player-{name}.gif")), &bytes).unwrap();
        let mut decoder = gif::DecodeOptions::new().read_info(&bytes[..]).unwrap();
        let mut count = 0;
        while decoder.read_next_frame().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, frames.len(), "{name}");
    }
    let odd = [
        normal(1, 2, 1.0),
        normal(9, 3, 1e300),
        normal(9, 2, 1e-300),
        Tokens::from_flat(3, 2, vec![1e9, 0.0, 1e9 + 1.0, 1.0, 1e9, 2.0]).unwrap(),
        Tokens::from_flat(4, 3, vec![0.0; 12]).unwrap(),
    ];
    for x0 in odd {
        Player::new(&[(0, x0.clone()), (7, x0)]).unwrap().gif("still").unwrap();
    }
    assert!(Player::new(&[]).unwrap_err().to_string().contains("at least one frame"));
    assert!(Player::new(&[(1, normal(3, 2, 1.0)), (1, normal(3, 2, 1.0))]).is_err());
}

/// If these plants were not found, a sheet with faults would pass for a clean one.
#[test]
fn planted_faults_are_found() {
    let chart = Chart::new("A chart", axis("x"), axis("y")).line("", [(0.0, 0.0), (1.0, 1.0)]);
    let svg = chart.draw(Size::default()).unwrap().svg;
    assert_eq!(sheets::faults(&svg), Vec::<String>::new());
    let text = |x: u32, y: u32| format!(r##"<text x="{x}" y="{y}" font-size="12" fill="#000000">planted</text>"##);
    for (planted, found) in [
        (text(40, 24), "overlaps"),
        (text(70, 300), "crosses the frame"),
        (text(940, 20), "leaves the sheet"),
        (r##"<path d="M200 200L260 720" stroke="#000000"/>"##.to_owned(), "leaves the frame"),
        (r##"<path d="M20 5L60 60" stroke="#000000"/>"##.to_owned(), "through the title"),
        (r##"<path d="M900 700L980 710" stroke="#000000"/>"##.to_owned(), "a mark leaves the sheet"),
    ] {
        let faults = sheets::faults(&svg.replace("\n</svg>", &format!("\n{planted}</svg>")));
        assert!(faults.iter().any(|fault| fault.contains(found)), "{planted}: {faults:?}");
    }
}

/// If this failed, an embedded system would leave a picture with texts over one another, or with
/// marks where no axis reaches.
#[test]
fn presets_leave_clean_sheets() {
    let place = tempfile::tempdir().unwrap();
    let localmax = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_localmax")).args(words).current_dir(place.path()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let list = localmax(&["presets"]);
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let few: &[&str] = if name == "large-cloud" { &["--set", "tokens.n=500"] } else { &[] };
        localmax(&[&["run", "--preset", name, "--steps", "25", "--engine", "cpu", "--out", name], few].concat());
        assert!(sheets::look_at(&place.path().join(name).join("plots")) >= 3, "{name}");
    }
    localmax(&["study", "compare", "--tokens", "100", "--steps", "10", "--engine", "cpu", "--out", "compare"]);
    assert!(sheets::look_at(&place.path().join("compare")) >= 1);
}

/// If this failed, a name could run as code in a reader's browser, or a page could use the network.
#[test]
fn pages_hold_any_text_and_stay_small() {
    let evil = "</script><img src=x onerror=alert(1)>&\"'<!--\u{1}|*_`";
    let frames: Vec<(u64, Tokens)> = (0..500).map(|t| (t, normal(4000, 3, 1.0))).collect();
    let chart = Chart::new(evil, axis(evil), axis(evil)).points(evil, [(1.0, 1.0)]);
    let cell = || vec![evil.to_owned()];
    let document = Document {
        title: evil.into(),
        subtitle: evil.into(),
        blocks: vec![
            Block::Heading(evil.into()),
            Block::Text(evil.into()),
            Block::Table(TextTable { caption: evil.into(), head: cell(), rows: vec![cell()] }),
            Block::Figure { name: "f".into(), caption: evil.into(), picture: chart.draw(Size::default()).unwrap() },
            Block::Player { name: "p".into(), caption: evil.into(), player: Box::new(Player::new(&frames).unwrap()) },
        ],
    };
    let page = document.html();
    assert!(page.len() < 10_000_000, "a page of {} bytes", page.len());
    assert!(page.contains("2500 of 4000 tokens") && page.contains("of 500 frames"), "thinned without a word");
    assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains('\u{1}'));
    assert_eq!(page.matches("</script").count(), page.matches("<script").count());
    assert!(page.contains("default-src 'none'"));
    for outside in ["src=\"http", "href=\"http", "@import", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let text = document.markdown();
    assert!(!text.contains("<img") && text.contains("](f.png)") && text.contains("](p.gif)"));
}
