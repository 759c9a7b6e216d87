//! Reports: text, tables, figures and players in one page that needs no network, and in Markdown.
//!
//! The page carries its font, its figures as SVG with tooltips, and the positions of its players. A
//! content policy in its head forbids any other request. All text is escaped: names come from
//! users.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::canvas::{escaped, font_face};
use super::picture::Picture;
use super::player::Player;
use crate::error::Result;
use crate::io::atomic;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:; img-src data:";

/// A table of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextTable {
    /// A text below it.
    pub caption: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Rows of texts, one a column.
    pub rows: Vec<Vec<String>>,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A table.
    Table(TextTable),
    /// A picture, saved as `<name>.svg` and `<name>.png`.
    Figure {
        /// The files' stem.
        name: String,
        /// A text below it.
        caption: String,
        /// The picture.
        picture: Picture,
    },
    /// A trajectory to play; in Markdown `<name>.gif`.
    Player {
        /// The file's stem.
        name: String,
        /// A text below it.
        caption: String,
        /// The trajectory.
        player: Box<Player>,
    },
}

/// A report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The title.
    pub title: String,
    /// A line below the title.
    pub subtitle: String,
    /// The parts in order.
    pub blocks: Vec<Block>,
}

impl Document {
    /// Writes figures, GIFs, `<stem>.md` and `<stem>.html`; returns the files written, the page
    /// last.
    ///
    /// # Errors
    /// A file that cannot be written; a trajectory that cannot be drawn.
    pub fn save(&self, folder: &Path, stem: &str) -> Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        for block in &self.blocks {
            match block {
                Block::Figure { name, picture, .. } => {
                    picture.save(folder, name)?;
                    written.extend(["svg", "png"].map(|ending| folder.join(format!("{name}.{ending}"))));
                }
                Block::Player { name, caption, player } => {
                    let path = folder.join(format!("{name}.gif"));
                    let bytes = player.gif(caption.trim_end_matches('.'))?;
                    atomic::write(&path, |file| file.write_all(&bytes))?;
                    written.push(path);
                }
                _ => {}
            }
        }
        for (ending, text) in [("md", self.markdown()), ("html", self.html())] {
            let path = folder.join(format!("{stem}.{ending}"));
            atomic::write(&path, |file| file.write_all(text.as_bytes()))?;
            written.push(path);
        }
        Ok(written)
    }

    /// The report as a page.
    pub fn html(&self) -> String {
        let (title, subtitle) = (escaped(&self.title), escaped(&self.subtitle));
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n<style>\n{}\n{STYLE}</style>\n</head>\n<body>\n\
             <h1>{title}</h1>\n<p class=\"subtitle\">{subtitle}</p>\n",
            font_face()
        );
        for block in &self.blocks {
            match block {
                Block::Heading(text) => out += &format!("<h2>{}</h2>\n", escaped(text)),
                Block::Text(text) => out += &format!("<p>{}</p>\n", escaped(text)),
                Block::Table(table) => table.html(&mut out),
                Block::Figure { caption, picture, .. } => figure(&mut out, caption, picture),
                Block::Player { caption, player, .. } => player.html(&mut out, caption),
            }
        }
        out + "<script>\n" + SCRIPT + "</script>\n</body>\n</html>\n"
    }

    /// The report as Markdown, with links to the figures' files.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n", plain(&self.title), plain(&self.subtitle));
        for block in &self.blocks {
            out.push('\n');
            match block {
                Block::Heading(text) => out += &format!("## {}\n", plain(text)),
                Block::Text(text) => out += &format!("{}\n", plain(text)),
                Block::Table(table) => table.markdown(&mut out),
                Block::Figure { name, caption, .. } => out += &format!("![{0}]({name}.png)\n\n{0}\n", plain(caption)),
                Block::Player { name, caption, .. } => out += &format!("![{0}]({name}.gif)\n\n{0}\n", plain(caption)),
            }
        }
        out
    }
}

impl TextTable {
    fn html(&self, out: &mut String) {
        *out += "<div class=\"scroll\"><table>\n";
        if !self.caption.is_empty() {
            let _ = writeln!(out, "<caption>{}</caption>", escaped(&self.caption));
        }
        *out += "<thead><tr>";
        self.head.iter().for_each(|cell| *out += &format!("<th>{}</th>", escaped(cell)));
        *out += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            *out += "<tr>";
            for cell in row {
                let class = match cell.as_str() {
                    "yes" | "no" | "undecided" => format!(" class=\"{cell}\""),
                    cell if cell.parse::<f64>().is_ok() => " class=\"number\"".to_owned(),
                    _ => String::new(),
                };
                *out += &format!("<td{class}>{}</td>", escaped(cell));
            }
            *out += "</tr>\n";
        }
        *out += "</tbody></table></div>\n";
    }

    fn markdown(&self, out: &mut String) {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| plain(cell).replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        *out += &line(&self.head);
        *out += &format!("|{}\n", "---|".repeat(self.head.len()));
        self.rows.iter().for_each(|row| *out += &line(row));
        if !self.caption.is_empty() {
            *out += &format!("\n{}\n", plain(&self.caption));
        }
    }
}

fn figure(out: &mut String, caption: &str, picture: &Picture) {
    // The page has the font once.
    let svg = picture.svg.replacen(font_face(), "", 1);
    let marks: Vec<(i32, i32, &str)> = picture.tooltips.iter().map(|tip| (tip.x, tip.y, tip.text.as_str())).collect();
    let _ = write!(
        out,
        "<figure class=\"picture\">\n<div class=\"sheet\">{svg}<div class=\"ring\"></div><div class=\"tip\"></div></div>\n\
         <script type=\"application/json\" class=\"marks\">{}</script>\n<figcaption>{}</figcaption>\n</figure>\n",
        json(&marks),
        escaped(caption)
    );
}

/// Writes JSON that can stand inside a script element.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c")
}

/// Escapes a line of text for Markdown.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
