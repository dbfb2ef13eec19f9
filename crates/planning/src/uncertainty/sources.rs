//! Sources of doubt, as data: what each is, how large, and who says so.

use crate::strict::{self, TomlError};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The sources that come with the program.
const SHIPPED: &str = include_str!("../../../../uncertainty/sources.toml");
const SCHEMA: u32 = 1;
/// Members of an ensemble when nobody says.
const MEMBERS: usize = 1000;
/// Two-sided level of intervals when nobody says.
const LEVEL: f64 = 0.95;
/// Fewest members that 95 % can be read from.
const FEWEST: usize = 100;
/// Most that are drawn.
const MOST: usize = 100_000;

/// What is doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Id {
    /// Noise of the emission image.
    Counts,
    /// Lung shunt, measured with SPECT/CT.
    ShuntSpect,
    /// Lung shunt, measured on planar views.
    ShuntPlanar,
    /// Lung shunt, stated by a person.
    ShuntStated,
    /// Lung shunt of spheres against that of albumin.
    ShuntMapping,
    /// Uptake of the lung that the shunt does not look at.
    LungUnseen,
    /// Mass of the lungs.
    LungMass,
    /// Where the border of a tumour is.
    Boundary,
    /// How wide the camera blurs.
    Resolution,
    /// Where the emission image is on the CT.
    Registration,
    /// Activity of the vial.
    Assay,
    /// What stays in vial and lines.
    Residual,
    /// Tumour dose of spheres against that of albumin.
    TumourMapping,
    /// Perfused liver of spheres against that of albumin.
    LiverMapping,
    /// Energy of a decay.
    EnergyConstant,
    /// Dose engine: local deposition.
    EngineLocal,
    /// Dose engine: voxel kernel.
    EngineKernel,
    /// Dose engine: Monte Carlo.
    EngineMonteCarlo,
    /// Half-life.
    HalfLife,
}

impl Id {
    /// All, in the order of the shipped file.
    pub const ALL: [Self; 19] = [
        Self::Counts,
        Self::ShuntSpect,
        Self::ShuntPlanar,
        Self::ShuntStated,
        Self::ShuntMapping,
        Self::LungUnseen,
        Self::LungMass,
        Self::Boundary,
        Self::Resolution,
        Self::Registration,
        Self::Assay,
        Self::Residual,
        Self::TumourMapping,
        Self::LiverMapping,
        Self::EnergyConstant,
        Self::EngineLocal,
        Self::EngineKernel,
        Self::EngineMonteCarlo,
        Self::HalfLife,
    ];

    /// As it is written in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::ShuntSpect => "shunt_spect",
            Self::ShuntPlanar => "shunt_planar",
            Self::ShuntStated => "shunt_stated",
            Self::ShuntMapping => "shunt_mapping",
            Self::LungUnseen => "lung_unseen",
            Self::LungMass => "lung_mass",
            Self::Boundary => "boundary",
            Self::Resolution => "resolution",
            Self::Registration => "registration",
            Self::Assay => "assay",
            Self::Residual => "residual",
            Self::TumourMapping => "tumour_mapping",
            Self::LiverMapping => "liver_mapping",
            Self::EnergyConstant => "energy_constant",
            Self::EngineLocal => "engine_local",
            Self::EngineKernel => "engine_kernel",
            Self::EngineMonteCarlo => "engine_monte_carlo",
            Self::HalfLife => "half_life",
        }
    }

    /// What the truth is of what the plan takes it to be, when a source names no bias: ratios are one,
    /// differences nothing.
    fn no_bias(self) -> f64 {
        match self {
            Self::ShuntSpect
            | Self::ShuntPlanar
            | Self::ShuntStated
            | Self::ShuntMapping
            | Self::Boundary
            | Self::Registration
            | Self::Counts => 0.0,
            _ => 1.0,
        }
    }
}

/// `[[source]]`: one of the sources.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Which.
    pub id: Id,
    /// For people.
    pub name: String,
    /// The truth over what the plan takes it to be, or their difference in `unit`, on average; of the
    /// resolution, the resolution itself in mm.
    pub bias: Option<f64>,
    /// One standard deviation, relative or in `unit`.
    pub spread: f64,
    /// Unit of both; relative when left out.
    pub unit: Option<String>,
    /// `seen`, `recalled`, `derived`, `assumed`.
    pub mark: String,
    /// Where it is from.
    pub source: String,
}

impl Source {
    /// Its bias, or none.
    #[must_use]
    pub fn bias(&self) -> f64 {
        self.bias.unwrap_or_else(|| self.id.no_bias())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    source: Vec<Source>,
}

/// `[uncertainty]` of a case: what departs from the shipped sources.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UncertaintyEntry {
    /// Members of the ensemble.
    pub members: Option<usize>,
    /// Names the random numbers.
    pub seed: Option<u64>,
    /// Two-sided level of every interval, 0.5 to 0.99.
    pub level: Option<f64>,
    /// Sources that are left out.
    #[serde(default)]
    pub off: Vec<Id>,
    /// Sources with other sizes than the shipped ones.
    #[serde(default)]
    pub source: Vec<Departure>,
}

/// `[[uncertainty.source]]`: another size of a source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departure {
    /// Which.
    pub id: Id,
    /// Bias, in the unit of the shipped source; as shipped when left out.
    pub bias: Option<f64>,
    /// One standard deviation, in the unit of the shipped source; as shipped when left out.
    pub spread: Option<f64>,
    /// Where it is from.
    pub source: String,
}

/// The sources of a plan, and how its ensemble is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// Members of the ensemble.
    pub members: usize,
    /// Names the random numbers.
    pub seed: u64,
    /// Two-sided level of every interval.
    pub level: f64,
    list: Vec<Source>,
    off: BTreeSet<Id>,
}

impl Sources {
    /// The shipped sources, with what a case says about them; `file` is the case's, for messages.
    ///
    /// # Errors
    /// A size that cannot be, a source named twice.
    pub fn of(entry: &UncertaintyEntry, file: &str) -> Result<Self, TomlError> {
        let shipped: File = strict::parse(SHIPPED, "uncertainty/sources.toml")?;
        debug_assert_eq!(shipped.schema, SCHEMA);
        let invalid =
            |message: String| TomlError::Invalid { file: file.to_owned(), line: 1, message };
        let members = entry.members.unwrap_or(MEMBERS);
        if !(FEWEST..=MOST).contains(&members) {
            return Err(invalid(format!(
                "[uncertainty] members = {members}, expected {FEWEST} to {MOST}"
            )));
        }
        let level = entry.level.unwrap_or(LEVEL);
        if !(0.5..=0.99).contains(&level) {
            return Err(invalid(format!("[uncertainty] level = {level}, expected 0.5 to 0.99")));
        }
        let mut list = shipped.source;
        let mut seen = BTreeSet::new();
        for departure in &entry.source {
            let word = departure.id.word();
            if !seen.insert(departure.id) {
                return Err(invalid(format!(
                    "[[uncertainty.source]] id = \"{word}\" is there twice"
                )));
            }
            for (what, value) in [("bias", departure.bias), ("spread", departure.spread)] {
                if let Some(v) = value.filter(|v| !v.is_finite() || (what == "spread" && *v < 0.0))
                {
                    return Err(invalid(format!(
                        "[[uncertainty.source]] {word}: {what} = {v}, expected a number{}",
                        if what == "spread" { " of at least 0" } else { "" }
                    )));
                }
            }
            for source in list.iter_mut().filter(|s| s.id == departure.id) {
                source.bias = departure.bias.or(source.bias);
                source.spread = departure.spread.unwrap_or(source.spread);
                "stated in case.toml".clone_into(&mut source.mark);
                source.source.clone_from(&departure.source);
            }
        }
        let sources = Self {
            members,
            seed: entry.seed.unwrap_or(1),
            level,
            list,
            off: entry.off.iter().copied().collect(),
        };
        for id in [Id::Resolution, Id::TumourMapping, Id::LiverMapping] {
            let (bias, _) = sources.size(id);
            let sensible = bias > 0.0 && bias <= 100.0;
            if sources.is_on(id) && !sensible {
                return Err(invalid(format!(
                    "[[uncertainty.source]] {}: bias = {bias}, expected above 0 and at most 100",
                    id.word()
                )));
            }
        }
        Ok(sources)
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Source] {
        &self.list
    }

    /// Whether a source is looked at.
    #[must_use]
    pub fn is_on(&self, id: Id) -> bool {
        !self.off.contains(&id)
    }

    /// Leaves a source out.
    pub fn switch_off(&mut self, id: Id) {
        self.off.insert(id);
    }

    /// Bias and standard deviation of a source; no bias and nothing of one that is off.
    #[must_use]
    pub fn size(&self, id: Id) -> (f64, f64) {
        self.list
            .iter()
            .find(|s| s.id == id && self.is_on(id))
            .map_or((id.no_bias(), 0.0), |s| (s.bias(), s.spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Sources, String> {
        let entry: UncertaintyEntry = toml::from_str(text).map_err(|e| e.to_string())?;
        Sources::of(&entry, "case.toml").map_err(|e| e.to_string())
    }

    #[test]
    fn every_source_is_shipped_once_and_named_as_in_the_code() {
        let sources = of("").expect("shipped");
        let ids: Vec<_> = sources.list().iter().map(|s| s.id).collect();
        assert_eq!(ids, Id::ALL);
        for id in Id::ALL {
            let read: Departure =
                toml::from_str(&format!("id = \"{}\"\nsource = \"x\"", id.word())).expect("a word");
            assert_eq!(read.id, id);
        }
        assert!(sources.list().iter().all(|s| s.source.len() > 20 && s.spread > 0.0));
    }

    #[test]
    fn a_case_switches_off_and_states_its_own() {
        let sources = of(
            "off = [\"engine_local\"]\nmembers = 200\n[[source]]\nid = \"tumour_mapping\"\nbias = 1.0\nspread = 0.1\nsource = \"our own 40 patients\"",
        )
        .expect("valid");
        assert_eq!(sources.size(Id::EngineLocal), (1.0, 0.0));
        assert_eq!(sources.size(Id::TumourMapping), (1.0, 0.1));
        assert_eq!(sources.size(Id::Boundary), (0.0, 1.15));
        assert_eq!(sources.members, 200);
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_sentence() {
        for (text, said) in [
            ("members = 3", "members = 3, expected 100 to 100000"),
            (
                "[[source]]\nid = \"assay\"\nspread = -1.0\nsource = \"x\"",
                "spread = -1, expected a number of at least 0",
            ),
            (
                "[[source]]\nid = \"resolution\"\nbias = 0.0\nsource = \"x\"",
                "bias = 0, expected above 0",
            ),
            ("off = [\"assays\"]", "unknown variant `assays`"),
        ] {
            let error = of(text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
