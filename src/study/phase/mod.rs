//! How many clusters localmax leaves, over n, δ and d, beside the law of leaders; and how often limits
//! lie outside S (open question 3 of arXiv 2509.15958).
//!
//! ```text
//! N      clusters: places at which tokens rest
//! E      the expected number of leaders of the first state ([`law`]); C·n^((d−1)/(d+1)) in a ball
//! x      δ·n^(2/(d+1)), the width in units of the depth of the outermost tokens
//! F(x)   N·n^(−(d−1)/(d+1)), which is a function of x alone if the guess holds
//! ```
//!
//! A token leads where no other lies beyond it: those are the corners of the hull at large, about n^((d−1)/(d+1)) in
//! a layer of depth n^(−2/(d+1)). At δ = 0 nothing else ends as a cluster, but for leaders that emerge later. A strip
//! of width δ sees the layer to the depth δ, so that x says how many leaders it joins.
//!
//! A cell is one cloud, from its first state to where no bit moves any more.

mod claims;
mod draw;
mod law;
mod measure;

use super::common::{self, positive, texts};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench, clouds};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, StripForm};
use crate::num::short;

sheet! {
    RESTS = Counted("2509.15958, section 7.1, open question 1", "Clouds that come to rest");
    LEADERS = Proved("derived in full in the documentation of study::phase",
        "At δ = 0 the first step leaves n·E[(1 − Q(X))^(n−1)] tokens where they are, on average ({cloud}, d = {d})");
    CLUSTERS = Conjecture("the law of leaders, taken for the end: leaders that emerge later are neglected",
        "At δ = 0 as many clusters are left as there are leaders in the first state ({cloud}, d = {d})");
    LAW = Conjecture("the law of leaders and its limit in a ball, C = (2d/(d+1))·Γ(2/(d+1))·c^(−2/(d+1))",
        "F(0) = C = {constant} (d = {d})");
    GROWTH = Counted("the law of leaders",
        "Exponent of N over n at δ = 0, against (d−1)/(d+1) = {exponent} ({cloud}, d = {d})");
    COLLAPSE = Counted("a guess by scaling", "N·n^(−(d−1)/(d+1)) is a function of δ·n^(2/(d+1)) alone (ball, d = {d})");
    OUTSIDE = Counted("2509.15958, section 7.1, open question 3", "Clouds with a limit outside S ({cloud}, d = {d})");
}

/// So many standard errors off 0, a mean refutes what it should be; a true law is once in 15,000 cases.
const REFUTED: f64 = 4.0;

parameters! { Phase:
    /// Clouds to begin with
    clouds: Vec<String> = texts(["ball"]), "LIST", value_delimiter = ',', value_parser = clouds::parser();
    /// Numbers of tokens: --tokens, a tenth of it, a hundredth, and so on
    decades: usize = 4, "K";
    /// The least dimension; --dim is the largest
    from_dim: usize = 2, "D";
    /// Widths of the strip in units of n^(-2/(d+1)), the depth of the outermost tokens
    widths: Vec<f64> = vec![0.0, 0.1, 0.3, 1.0, 3.0, 10.0], "LIST", value_delimiter = ',';
    /// Form of the strip
    form: StripForm = StripForm::Width, "FORM", value_parser = common::forms();
    /// Step sizes
    alphas: Vec<f64> = vec![1.0], "LIST", value_delimiter = ',';
    /// Least number of clouds of a kind: --seeds are taken of the smallest n, and of larger ones as many as give
    /// the mean number of clusters the same relative error
    least: u64 = 8, "K";
}

/// What all clouds of a kind share.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    cloud: String,
    d: usize,
    alpha: f64,
    /// x.
    width: f64,
    n: usize,
}

/// A cloud.
#[derive(Clone, Debug)]
pub struct Cell {
    kind: Kind,
    seed: u64,
}

columns! { Row:
    cloud: String, "The cloud at the start";
    d: usize, "Dimension";
    alpha: f64, "α";
    width: f64, "x = δ·n^(2/(d+1))";
    n: usize, "Number of tokens";
    delta: f64, "δ";
    seed: u64, "Seed of the cloud";
    steps: u64, "Steps taken";
    rests: bool, "Whether the run came to rest: the last step moved no bit";
    leaders: u64, "Tokens that the first step left where they were";
    clusters: u64, "Places at which tokens are at the end";
    vertices: Option<u64>, "Clusters that are vertices of the last hull; none where the hull is not known";
    outside: Option<u64>, "Clusters outside S; none where gaps are not known";
    outside_tokens: Option<u64>, "Tokens in these";
    hash: String, "Hash of the last state";
}

impl Kind {
    fn model(&self, form: StripForm) -> Model {
        common::localmax(self.delta(), form, &Matrix::Identity, self.alpha)
    }

    /// δ.
    fn delta(&self) -> f64 {
        self.width * libm::pow(self.n as f64, -2.0 / (self.d as f64 + 1.0))
    }

    fn has(&self, row: &Row) -> bool {
        let same = (row.d, row.n) == (self.d, self.n) && row.cloud == self.cloud;
        same && row.alpha == self.alpha && row.width == self.width
    }
}

impl Asked<Phase> {
    /// Numbers of tokens, ascending.
    fn counts(&self) -> Vec<usize> {
        (0..self.own.decades).rev().map(|decade| self.sizes.tokens / 10usize.pow(decade as u32)).collect()
    }

    fn dims(&self) -> std::ops::RangeInclusive<usize> {
        self.own.from_dim..=self.sizes.dim
    }

    /// Numbers of tokens with the seeds of their clouds: the number of clusters scatters as its root. A smaller cloud is
    /// the beginning of a larger one of its seed, so each n has seeds of its own.
    fn seeds(&self, d: usize) -> Vec<(usize, std::ops::Range<u64>)> {
        let (counts, Sizes { seeds, first_seed, .. }) = (self.counts(), &self.sizes);
        let mut next = *first_seed;
        let repeats = |n: usize| {
            let share = libm::pow(counts[0] as f64 / n as f64, law::exponent(d));
            ((*seeds as f64 * share).ceil() as u64).max(self.own.least.min(*seeds))
        };
        let of = |&n: &usize| {
            let from = next;
            next += repeats(n);
            (n, from..next)
        };
        counts.iter().map(of).collect()
    }

    /// Every cloud, dimension and α.
    fn systems(&self) -> impl Iterator<Item = (&String, usize, f64)> {
        let of_cloud =
            move |cloud| self.dims().flat_map(move |d| self.own.alphas.iter().map(move |&alpha| (cloud, d, alpha)));
        self.own.clouds.iter().flat_map(of_cloud)
    }

    /// The kinds of clouds of a system at a width, n ascending.
    fn kinds(&self, (cloud, d, alpha): (&String, usize, f64), width: f64) -> Vec<Kind> {
        self.counts().into_iter().map(|n| Kind { cloud: cloud.clone(), d, alpha, width, n }).collect()
    }
}

impl Study for Phase {
    const NAME: &'static str = "phase";
    const TITLE: &'static str = "How many clusters localmax leaves, over n, δ and d";
    const EXAMPLES: &'static str = "Examples:
  localmax study phase                                             n = 100 to 100,000, d = 2, 3, 4
  localmax study phase --quick                                     within a minute
  localmax study phase --tokens 1000000 --decades 5 --dim 2        larger clouds in the plane
  localmax study phase --clouds ball,normal --widths 0             leaders alone, of two kinds of clouds";
    const SIZES: Sizes = Sizes::new(100_000, 4, 100, 10_000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds, self.decades, self.least) = (10_000, 40, 3, 4);
        self.widths = vec![0.0, 0.3, 3.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        if own.decades == 0 || own.decades > 9 || sizes.tokens < 10usize.pow(own.decades as u32 - 1) {
            let (decades, tokens) = (own.decades, sizes.tokens);
            return Err(Error::input(format!(
                "--decades {decades}: it must be at least 1, and --tokens {tokens} at least 10^(K−1)"
            )));
        }
        if own.from_dim == 0 || own.from_dim > sizes.dim {
            return Err(Error::input(format!("--from-dim {}: it is not from 1 to --dim {}", own.from_dim, sizes.dim)));
        }
        if own.least == 0 {
            return Err(Error::input("--least 0: it must be at least 1"));
        }
        if let Some(&width) = own.widths.iter().find(|width| !(width.is_finite() && **width >= 0.0)) {
            return Err(Error::input(format!("--widths: {} is not finite and at least 0", short(width))));
        }
        own.alphas.iter().try_for_each(|&alpha| positive("--alphas", alpha))?;
        let mut cells = Vec::new();
        for system in asked.systems() {
            for &width in &own.widths {
                for (kind, (_, seeds)) in asked.kinds(system, width).into_iter().zip(asked.seeds(system.1)) {
                    clouds::validate(&kind.cloud, kind.n, kind.d)?;
                    kind.model(own.form).validate(kind.d, sizes.steps)?;
                    cells.extend(seeds.map(|seed| Cell { kind: kind.clone(), seed }));
                }
            }
        }
        Ok(cells)
    }

    fn label(Cell { kind, seed }: &Cell) -> String {
        format!("{} cloud, d = {}, x = {}, n = {}, seed {seed}", kind.cloud, kind.d, kind.width, kind.n)
    }

    fn extent(asked: &Asked<Self>) -> String {
        let (counts, sizes) = (asked.counts(), &asked.sizes);
        let (least, most) = (counts[0], counts[counts.len() - 1]);
        let dims = asked.dims();
        format!("n = {least} to {most}, d = {} to {}, {}", dims.start(), dims.end(), sizes.precision.name())
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        let points = measure::points(asked, &results.rows);
        claims::judge(asked, &results.rows, &points, report);
        report.text(format!(
            "Clouds under constant δ and α, A = I, {} strip, taken to where no bit moves any more. The width is δ = \
             x·n^(−2/(d+1)). Clouds that did not come to rest are counted and left out. ± and bands are 95 % intervals \
             of means by Student's t, of shares by Wilson. A law is refuted where a mean is {REFUTED} standard errors off \
             it. {}",
            asked.own.form,
            if asked.own.clouds.iter().any(|cloud| cloud == "corners") { clouds::ABOUT } else { "" },
        ));
        measure::tables(&points, report);
        draw::figures(asked, &points, report)
    }
}
