//! Colours, and those of tokens by the cluster that they end in.

use crate::observe::Clusters;
use crate::tokens::Tokens;

/// Okabe and Ito's colours without black and yellow.
pub(super) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
/// The colour of what stands behind the others.
pub(super) const GREY: &str = "#8c8c8c";

/// Distance of two tokens of one cluster, as a share of the cloud's extent.
const TOLERANCE: f64 = 2e-3;

/// The clusters of a frame, in layers: one for each heavy cluster, with a colour of its own, and a
/// last one for all other tokens. A few tokens that all end together are a layer each.
pub(super) struct Colouring {
    pub(super) clusters: Clusters,
    /// Number of layers with a colour of their own.
    pub(super) coloured: usize,
    /// Whether layers are tokens.
    pub(super) by_token: bool,
}

impl Colouring {
    /// Colours tokens of a cloud of this extent, in the tokens' unit. A cluster of 1 % of the
    /// tokens has a colour of its own, a single token only in small clouds.
    pub(super) fn of(tokens: &Tokens, extent: f64) -> Self {
        let clusters = Clusters::of(tokens, TOLERANCE * extent);
        let least = if tokens.n() <= 12 { 1 } else { tokens.n().div_ceil(100).max(2) };
        let heavy = clusters.weight.iter().take(COLOURS.len()).filter(|weight| **weight >= least).count();
        let by_token = clusters.weight.len() == 1 && tokens.n() <= COLOURS.len();
        Self { clusters, coloured: if by_token { tokens.n() } else { heavy }, by_token }
    }

    /// The layer of a token.
    pub(super) fn layer(&self, i: usize) -> usize {
        if self.by_token { i } else { self.clusters.label[i].min(self.coloured) }
    }

    /// The colour of a layer: grey for the last one, but blue where it is the only one.
    pub(super) fn colour(&self, layer: usize) -> &'static str {
        match self.coloured {
            0 => COLOURS[0],
            coloured if layer < coloured => COLOURS[layer],
            _ => GREY,
        }
    }

    /// The colours of all layers.
    pub(super) fn colours(&self) -> Vec<&'static str> {
        (0..=self.coloured).map(|layer| self.colour(layer)).collect()
    }
}
