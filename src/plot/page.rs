//! A [`Player`] as part of a page and as a GIF.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::canvas::escaped;
use super::document::json;
use super::gif;
use super::picture::Picture;
use super::player::Player;
use crate::error::Result;

impl Player {
    /// Draws the trajectory as an animated GIF.
    ///
    /// # Errors
    /// A sheet that the rasteriser refuses.
    pub fn gif(&self, title: &str) -> Result<Vec<u8>> {
        gif::animate(self, title)
    }

    /// Draws the sheet under every frame of the GIF.
    ///
    /// # Errors
    /// A sheet that the rasteriser refuses.
    pub fn background(&self, title: &str) -> Result<Picture> {
        gif::background(self, title)
    }

    /// Adds the figure of a page, which `report.js` plays.
    pub(super) fn html(&self, out: &mut String, caption: &str) {
        let bytes: Vec<u8> = self.positions.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (turns, how) = if self.dims == 3 { (" turns", " Drag to turn, wheel to zoom.") } else { ("", "") };
        let ends = "Colours: the heaviest clusters that tokens end in; the others grey. Tokens at one place are one larger disc.";
        *out += &format!(
            "<figure class=\"player{turns}\">\n<div style=\"position:relative\"><canvas tabindex=\"0\" role=\"img\" \
             aria-label=\"trajectory\"></canvas><div class=\"tip\"></div></div>\n<div class=\"controls\">\
             <button type=\"button\">Play</button><input type=\"range\" min=\"0\" value=\"0\" aria-label=\"step\">\
             <span class=\"step\"></span><label><input type=\"checkbox\" class=\"trails\" checked> paths</label></div>\n\
             <script type=\"application/json\" class=\"facts\">{}</script>\n\
             <script type=\"text/plain\" class=\"positions\">{}</script>\n\
             <figcaption>{} {ends}{how} {}</figcaption>\n</figure>\n",
            json(self),
            STANDARD.encode(bytes),
            escaped(caption),
            escaped(&self.thinned)
        );
    }
}
