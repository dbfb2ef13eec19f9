//! Figures of trials: plain data in, SVG and PNG out, and the data of each as CSV.
//!
//! | figure | shows |
//! |---|---|
//! | [`curves`] | lines or steps with bands, with numbers at risk where they are given |
//! | [`kaplan_meier`] | survival by group with its band: [`curves`] from 100 % |
//! | [`bars`], [`waterfall`] | values with intervals; best change by patient |
//! | [`spider`] | change by patient and time |
//! | [`swimmer`] | patients on treatment, with what happened |
//! | [`boundary`] | events against a stopping boundary |
//! | [`forest`] | estimates with intervals, a row each |
//! | [`scatter`] | points with intervals |
//!
//! Colours are those that the colour-blind tell apart; what differs in colour differs in dashes,
//! shape or place too. Texts come as data and are escaped. The same data give the same bytes.
//! Nothing is reckoned here but places on the page.

mod bars;
mod boundary;
mod curves;
mod forest;
mod plot;
mod scatter;
mod spider;
mod swimmer;
#[cfg(test)]
mod tests;

pub use bars::{Bar, Bars, bars, waterfall};
pub use boundary::{Boundary, boundary};
pub use curves::{Curves, Group, KaplanMeier, Series, Step, curves, kaplan_meier};
pub use forest::{Entry, Forest, forest};
pub use plot::{Axis, Reference};
pub use scatter::{Point, Scatter, scatter};
pub use spider::{Spider, Strand, spider};
pub use swimmer::{Lane, Mark, Swimmer, swimmer};

use crate::ReportError;
use crate::world::{Files, World};
use std::fmt::Write;
use typst::foundations::Bytes;

/// Pixels per point of a picture.
const SCALE: f32 = 2.5;

const PAGE: &str = r##"#let data = json("data.json")
#set document(title: data.title, date: none)
#set page(width: 720pt, height: auto, margin: 0pt)
#image("figure.svg", width: 100%)
"##;

/// A figure and its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name for a file, without extension.
    pub name: String,
    /// Title.
    pub title: String,
    /// The picture, 720 wide.
    pub svg: String,
    /// The numbers in it.
    pub csv: String,
}

impl Figure {
    /// The picture as PNG, 1800 pixels wide.
    ///
    /// # Errors
    /// When the typesetter refuses; a fault of the program, not of the data.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        let mut files = Files::new();
        files.insert("figure.svg".to_owned(), Bytes::from_string(self.svg.clone()));
        let data = serde_json::json!({ "title": self.title });
        files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(&data)?));
        let mut pages = World::new(PAGE, files).png(SCALE)?;
        if pages.len() == 1 {
            return Ok(pages.swap_remove(0));
        }
        let (name, why) = (self.name.clone(), format!("it took {} pages", pages.len()));
        Err(ReportError::Picture { name, why })
    }
}

/// Rows of comma-separated values.
#[derive(Debug)]
struct Rows(String);

impl Rows {
    fn new(columns: &[&str]) -> Self {
        Self(columns.join(",") + "\n")
    }

    fn push<const N: usize>(&mut self, cells: [Cell<'_>; N]) {
        for (n, cell) in cells.into_iter().enumerate() {
            if n > 0 {
                self.0.push(',');
            }
            // Writing to a string cannot fail.
            match cell {
                Cell::Text(text) => self.0.push_str(&crate::curves::quoted(text)),
                Cell::Number(Some(x)) if x.is_finite() => {
                    let _ = write!(self.0, "{x}");
                }
                Cell::Number(_) => {}
            }
        }
        self.0.push('\n');
    }
}

/// A cell.
#[derive(Debug, Clone, Copy)]
enum Cell<'a> {
    Text(&'a str),
    Number(Option<f64>),
}

/// A cell of a text.
const fn t(text: &str) -> Cell<'_> {
    Cell::Text(text)
}

/// A cell of a number.
const fn x(number: f64) -> Cell<'static> {
    Cell::Number(Some(number))
}
