//! Populations that could be: what a calibration left possible, and what nothing published tells of.
//!
//! Draw `k` takes row `k` of the posterior for the parameters that were calibrated and the prior for the
//! rest. A new trial differs from those that were published as these differ from each other, so every draw
//! also has its own study effects on growth and radiosensitivity.

use hepatica_biology::population::{Parameter, Population, Purpose, Theta};
use hepatica_physics::random::Keyed;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Most bytes a posterior may have, and most rows.
const MAX_BYTES: u64 = 64 << 20;
const MAX_ROWS: usize = 100_000;
const SHIPPED: &str = include_str!("../../../populations/net-liver.posterior.csv");
/// Purposes of random numbers, apart from those of the parameters.
const STUDY: u32 = 1000;

/// What a calibration left possible: rows of the calibrated parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// Where it is from.
    pub name: String,
    /// Lines of its head: how it was made.
    pub notes: Vec<String>,
    /// The parameters, in the order of the columns.
    pub parameters: Vec<Parameter>,
    /// Rows; all weigh the same.
    pub rows: Vec<Vec<f64>>,
    /// SHA-256 of the text.
    pub sha256: String,
}

/// Why a posterior cannot be used.
#[derive(Debug, Error)]
pub enum PosteriorError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no posterior (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// A value that cannot be.
    #[error("{file}: line {line}: {found}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
}

impl Posterior {
    /// The one that comes with the program.
    ///
    /// # Errors
    /// Never for the shipped text, which a test reads.
    pub fn shipped(population: &Population) -> Result<Self, PosteriorError> {
        Self::parse(SHIPPED, "populations/net-liver.posterior.csv", population)
    }

    /// The text of the one that comes with the program.
    #[must_use]
    pub fn shipped_text() -> &'static str {
        SHIPPED
    }

    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text_of(path: &Path) -> Result<String, PosteriorError> {
        let io = |source| PosteriorError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(PosteriorError::TooLong { path: path.to_owned(), found });
        }
        std::fs::read_to_string(path).map_err(io)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or a value is outside its range.
    pub fn read(path: &Path, population: &Population) -> Result<Self, PosteriorError> {
        Self::parse(&Self::text_of(path)?, &path.display().to_string(), population)
    }

    /// Reads a text: lines of notes that begin with `#`, a line of names, lines of numbers.
    ///
    /// # Errors
    /// When a name is unknown, or a value is outside its range.
    pub fn parse(text: &str, file: &str, population: &Population) -> Result<Self, PosteriorError> {
        let wrong = |line: usize, found: String, expected: &str| PosteriorError::Value {
            file: file.to_owned(),
            line: line + 1,
            found,
            expected: expected.to_owned(),
        };
        let mut notes = Vec::new();
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut rows = Vec::new();
        for (n, line) in text.lines().enumerate() {
            if let Some(note) = line.strip_prefix('#') {
                notes.push(note.trim().to_owned());
            } else if parameters.is_empty() {
                for name in line.split(',') {
                    let p = Parameter::find(name.trim())
                        .filter(|p| population.entry(*p).purpose == Purpose::Calibrated)
                        .ok_or_else(|| wrong(n, format!("`{name}`"), "a calibrated parameter"))?;
                    parameters.push(p);
                }
            } else {
                let row: Vec<f64> = line
                    .split(',')
                    .map(|x| x.trim().parse().map_err(|_| wrong(n, format!("`{x}`"), "a number")))
                    .collect::<Result<_, _>>()?;
                if row.len() != parameters.len() {
                    let expected = format!("{} numbers", parameters.len());
                    return Err(wrong(n, format!("{} numbers", row.len()), &expected));
                }
                for (p, x) in parameters.iter().zip(&row) {
                    let [low, high] = population.entry(*p).range;
                    if !(low..=high).contains(x) {
                        let expected = format!("{low} to {high}");
                        return Err(wrong(n, format!("{} = {x}", p.id()), &expected));
                    }
                }
                rows.push(row);
                if rows.len() > MAX_ROWS {
                    return Err(wrong(n, "more rows".to_owned(), "at most 100000"));
                }
            }
        }
        if rows.is_empty() {
            return Err(wrong(0, "no row".to_owned(), "names of parameters and rows of values"));
        }
        let sha256 = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { name: file.to_owned(), notes, parameters, rows, sha256 })
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            text.push_str(&format!("# {note}\n"));
        }
        let names: Vec<_> = self.parameters.iter().map(|p| p.id()).collect();
        text.push_str(&names.join(","));
        text.push('\n');
        for row in &self.rows {
            let row: Vec<_> = row.iter().map(|x| format!("{x:.6e}")).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
        text
    }
}

/// Where parameters come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameters {
    /// The posterior for what was calibrated, the prior for the rest.
    Posterior(Posterior),
    /// The prior of everything.
    Prior,
    /// The middle of every prior: one population, no doubt.
    Middle,
}

impl Parameters {
    /// In words.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Posterior(p) => format!("posterior of {} rows ({})", p.rows.len(), p.name),
            Self::Prior => "prior".to_owned(),
            Self::Middle => "middle of every prior: no doubt about parameters".to_owned(),
        }
    }

    /// Draw number `k` under a seed, for a new trial.
    #[must_use]
    pub fn draw(&self, population: &Population, seed: u64, k: u64) -> Theta {
        let mut theta = match self {
            Self::Middle => return population.middle(),
            Self::Prior => population.draw(seed, k),
            Self::Posterior(posterior) => {
                let mut theta = population.draw(seed, k);
                // Rows weigh the same: walking through them uses each as often as any other.
                let row = &posterior.rows[(k % posterior.rows.len() as u64) as usize];
                for (p, x) in posterior.parameters.iter().zip(row) {
                    theta[*p] = *x;
                }
                theta
            }
        };
        let [growth, alpha, ..] = Keyed::new(seed, k).gauss(STUDY, 0);
        let of = |p: Parameter, by: f64| {
            let [low, high] = population.entry(p).range;
            (theta[p] * libm::exp(by)).clamp(low, high)
        };
        let growth = of(Parameter::GrowthMedian, growth * theta[Parameter::StudyGrowthSd]);
        let alpha = of(Parameter::AlphaMedian, alpha * theta[Parameter::StudyAlphaSd]);
        theta[Parameter::GrowthMedian] = growth;
        theta[Parameter::AlphaMedian] = alpha;
        theta
    }
}
