//! How patients differ: a file of parameters, each with its distribution, how far to trust it and where
//! it is from, and of settings, each saying who is enrolled. `docs/populations.md` describes it.

use hepatica_physics::random::{Keyed, normal_quantile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

const SCHEMA: u32 = 1;
/// Most bytes a population file may have.
const MAX_BYTES: u64 = 1 << 20;
const SHIPPED: (&str, &str) = ("net-liver", include_str!("../../../populations/net-liver.toml"));

macro_rules! parameters {
    ($($variant:ident = $id:literal,)*) => {
        /// What the model of a patient needs to know. Meaning, unit and source of each are in the file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Parameter {
            $($variant,)*
        }

        impl Parameter {
            /// All, in the order of [`Theta`].
            pub const ALL: [Self; [$($id),*].len()] = [$(Self::$variant),*];

            /// Its name in the file.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)*
                }
            }
        }
    };
}

parameters! {
    GrowthMedian = "growth_median",
    GrowthSd = "growth_sd",
    GrowthLesionSd = "growth_lesion_sd",
    GrowthRatioG1 = "growth_ratio_g1",
    GrowthRatioG3 = "growth_ratio_g3",
    FastShare = "fast_share",
    FastFactor = "fast_factor",
    StudyGrowthSd = "study_growth_sd",
    TareGrowthShift = "tare_growth_shift",
    TemozolomideKill = "temozolomide_kill",
    CapecitabineKill = "capecitabine_kill",
    DrugSd = "drug_sd",
    NonpancreaticRatio = "nonpancreatic_ratio",
    ResistantMedian = "resistant_median",
    ResistantSd = "resistant_sd",
    ResistantKill = "resistant_kill",
    MgmtSd = "mgmt_sd",
    MgmtLoss = "mgmt_loss",
    MgmtRecoveryPerD = "mgmt_recovery_per_d",
    ExposureSd = "exposure_sd",
    AlphaMedian = "alpha_median",
    AlphaSd = "alpha_sd",
    StudyAlphaSd = "study_alpha_sd",
    AlphaBetaGy = "alpha_beta_gy",
    RepairHalfTimeH = "repair_half_time_h",
    DoseSpread = "dose_spread",
    DoseMedianGy = "dose_median_gy",
    DosePatientSd = "dose_patient_sd",
    DoseLesionSd = "dose_lesion_sd",
    MissedShare = "missed_share",
    CapecitabineSensitiser = "capecitabine_sensitiser",
    TemozolomideSensitiser = "temozolomide_sensitiser",
    TemozolomideTailD = "temozolomide_tail_d",
    InertMean = "inert_mean",
    ClearanceHalfLifeD = "clearance_half_life_d",
    NewLiverPerMonth = "new_liver_per_month",
    NewElsewherePerMonth = "new_elsewhere_per_month",
    NewLesionSd = "new_lesion_sd",
    LiverLesionsMean = "liver_lesions_mean",
    DiameterMedianMm = "diameter_median_mm",
    DiameterSd = "diameter_sd",
    ReaderSd = "reader_sd",
    ReaderChange = "reader_change",
    ReaderBetweenSd = "reader_between_sd",
    NonTargetGrowth = "non_target_growth",
    DeathPerMonth = "death_per_month",
    WithdrawalPerMonth = "withdrawal_per_month",
    IntoleranceCycle1 = "intolerance_cycle_1",
    StopPerCycle = "stop_per_cycle",
    Grade2PerCycle = "grade_2_per_cycle",
    Grade3PerCycle = "grade_3_per_cycle",
    Grade4PerCycle = "grade_4_per_cycle",
    ToxicityDays = "toxicity_days",
    UnsuitableShare = "unsuitable_share",
    NeutrophilsBase = "neutrophils_base",
    NeutrophilsBaseSd = "neutrophils_base_sd",
    NeutrophilsTransitH = "neutrophils_transit_h",
    NeutrophilsFeedback = "neutrophils_feedback",
    NeutrophilsSlope = "neutrophils_slope",
    NeutrophilsSlopeSd = "neutrophils_slope_sd",
    PlateletsBase = "platelets_base",
    PlateletsBaseSd = "platelets_base_sd",
    PlateletsTransitH = "platelets_transit_h",
    PlateletsFeedback = "platelets_feedback",
    PlateletsSlope = "platelets_slope",
    PlateletsSlopeSd = "platelets_slope_sd",
    CapecitabineMarrow = "capecitabine_marrow",
    FemaleSlopeRatio = "female_slope_ratio",
    LymphocytesBase = "lymphocytes_base",
    LymphocytesBaseSd = "lymphocytes_base_sd",
    LymphocytesFall = "lymphocytes_fall",
    LymphocytesRecoveryD = "lymphocytes_recovery_d",
    LymphocytesTemozolomide = "lymphocytes_temozolomide",
    LiverDoseMedianGy = "liver_dose_median_gy",
    LiverDoseSd = "liver_dose_sd",
    LiverTd50Gy = "liver_td50_gy",
    LiverSlope = "liver_slope",
    LiverDrugFactor = "liver_drug_factor",
    LiverLatePerYear = "liver_late_per_year",
}

impl Parameter {
    /// The parameter of that name.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.id() == id)
    }
}

/// A value of every parameter: one population that could be.
#[derive(Debug, Clone, PartialEq)]
pub struct Theta([f64; Parameter::ALL.len()]);

impl std::ops::Index<Parameter> for Theta {
    type Output = f64;

    fn index(&self, p: Parameter) -> &f64 {
        &self.0[p as usize]
    }
}

impl std::ops::IndexMut<Parameter> for Theta {
    fn index_mut(&mut self, p: Parameter) -> &mut f64 {
        &mut self.0[p as usize]
    }
}

/// A population file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where it is from.
    pub source: String,
    /// Parameters by name.
    pub parameter: BTreeMap<String, Entry>,
    /// Who is enrolled, by name.
    pub setting: BTreeMap<String, Setting>,
}

/// A parameter of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// For people, with its unit.
    pub name: String,
    /// What is believed of it.
    pub distribution: Distribution,
    /// Values beyond which nothing is believed.
    pub range: [f64; 2],
    /// What it is used for.
    #[serde(rename = "use")]
    pub purpose: Purpose,
    /// How sure it is.
    pub mark: Mark,
    /// Where it is from.
    pub source: String,
}

/// What is believed of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Distribution {
    /// This value.
    Fixed(f64),
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
    /// Normal in the logarithm.
    Lognormal {
        /// Median.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sd: f64,
    },
}

/// What a parameter is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A calibration may learn it.
    Calibrated,
    /// Nothing published tells of it: its distribution goes into every prediction.
    Prior,
    /// One value.
    Fixed,
}

/// How sure a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Read in the source.
    Seen,
    /// From memory: to be verified before anyone relies on it.
    Recalled,
    /// Arithmetic on what was seen.
    Derived,
    /// A choice of those who wrote the file.
    Assumed,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Seen => "seen",
            Self::Recalled => "recalled",
            Self::Derived => "derived",
            Self::Assumed => "assumed",
        })
    }
}

/// Who is enrolled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// For people.
    pub name: String,
    /// Shares of grade 1, 2 and 3.
    pub grades: [f64; 3],
    /// Share with a pancreatic primary.
    pub pancreatic: f64,
    /// Share of women.
    pub female: f64,
    /// Share with measurable disease outside the liver.
    pub elsewhere: f64,
    /// Share with disease in both lobes.
    pub bilobar: f64,
    /// Share of the lesions of such a patient that are in the dominant lobe.
    pub dominant: f64,
    /// How sure it is.
    pub mark: Mark,
    /// Where it is from.
    pub source: String,
}

/// Why a population cannot be used.
#[derive(Debug, Error)]
pub enum PopulationError {
    /// It is neither the shipped one nor a file.
    #[error("no population is named `{name}` and there is no such file; there is: {}", SHIPPED.0)]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no population file (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The text.
    #[error("{file}: {message}")]
    Toml {
        /// The file.
        file: String,
        /// Where and what.
        message: String,
    },
    /// A value that cannot be.
    #[error("{file}: {key} = {found}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
    /// No setting of that name.
    #[error("{file}: no setting is named `{name}`; there are: {}", .known.join(", "))]
    Setting {
        /// The population.
        file: String,
        /// What was asked for.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
}

impl Population {
    /// The shipped population, or that of a file.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn named(name: &str) -> Result<Self, PopulationError> {
        let file = if name == SHIPPED.0 { "populations/net-liver.toml" } else { name };
        Self::parse(&Self::text_of(name)?, file)
    }

    /// The text of the shipped population, or that of a file.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn text_of(name: &str) -> Result<String, PopulationError> {
        if name == SHIPPED.0 {
            return Ok(SHIPPED.1.to_owned());
        }
        let path = Path::new(name);
        if !path.is_file() {
            return Err(PopulationError::Unknown { name: name.to_owned() });
        }
        let io = |source| PopulationError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(PopulationError::TooLong { path: path.to_owned(), found });
        }
        std::fs::read_to_string(path).map_err(io)
    }

    /// The text of the shipped population.
    #[must_use]
    pub fn shipped_text() -> &'static str {
        SHIPPED.1
    }

    /// Reads and checks the text of a population; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, a parameter is missing or unknown, or a value is outside its
    /// range.
    pub fn parse(text: &str, file: &str) -> Result<Self, PopulationError> {
        let population: Self = toml::from_str(text).map_err(|e| PopulationError::Toml {
            file: file.to_owned(),
            message: e.to_string().trim().replace('\n', " "),
        })?;
        population.validate(file)?;
        Ok(population)
    }

    fn validate(&self, file: &str) -> Result<(), PopulationError> {
        let wrong = |key: String, found: String, expected: &str| {
            let (file, expected) = (file.to_owned(), expected.to_owned());
            Err(PopulationError::Value { file, key, found, expected })
        };
        if self.schema != SCHEMA {
            return wrong("schema".into(), self.schema.to_string(), &SCHEMA.to_string());
        }
        for id in self.parameter.keys() {
            if Parameter::find(id).is_none() {
                let all = Parameter::ALL.map(Parameter::id);
                let near = all.iter().max_by_key(|k| alike(k, id)).copied().unwrap_or_default();
                let expected = format!("a parameter of the model (nearest: {near})");
                return wrong("parameter".into(), id.clone(), &expected);
            }
        }
        for p in Parameter::ALL {
            let id = p.id();
            let Some(e) = self.parameter.get(id) else {
                return wrong(
                    format!("parameter.{id}"),
                    "nothing".into(),
                    "a parameter: the model needs it",
                );
            };
            let [low, high] = e.range;
            if !(low < high && low.is_finite() && high.is_finite()) {
                return wrong(
                    format!("parameter.{id}.range"),
                    format!("{:?}", e.range),
                    "two rising numbers",
                );
            }
            let (middle, sd) = e.distribution.middle_and_sd();
            if !(low..=high).contains(&middle) {
                let expected = format!("{low} to {high}");
                return wrong(
                    format!("parameter.{id}.distribution"),
                    middle.to_string(),
                    &expected,
                );
            }
            if !(sd >= 0.0 && sd.is_finite()) {
                return wrong(
                    format!("parameter.{id}.distribution sd"),
                    sd.to_string(),
                    "zero or more",
                );
            }
            let fixed = matches!(e.distribution, Distribution::Fixed(_));
            if fixed != (e.purpose == Purpose::Fixed) {
                return wrong(
                    format!("parameter.{id}.use"),
                    format!("{:?}", e.purpose).to_lowercase(),
                    "`fixed` with one value, `calibrated` or `prior` with a distribution",
                );
            }
            if matches!(e.distribution, Distribution::Lognormal { .. }) && low <= 0.0 {
                return wrong(
                    format!("parameter.{id}.range"),
                    format!("{:?}", e.range),
                    "above zero for a lognormal",
                );
            }
        }
        for (id, s) in &self.setting {
            let shares = [s.pancreatic, s.female, s.elsewhere, s.bilobar, s.dominant];
            let sum: f64 = s.grades.iter().sum();
            let share = |x: &f64| (0.0..=1.0).contains(x);
            if !shares.iter().chain(&s.grades).all(share) || (sum - 1.0).abs() > 1e-9 {
                return wrong(
                    format!("setting.{id}"),
                    format!("{shares:?}, grades {:?}", s.grades),
                    "shares of 0 to 1, those of the grades adding up to 1",
                );
            }
        }
        Ok(())
    }

    /// What is said of a parameter.
    ///
    /// # Panics
    /// Never: a population that was read has all of them.
    #[must_use]
    pub fn entry(&self, p: Parameter) -> &Entry {
        &self.parameter[p.id()]
    }

    /// Who is enrolled in a setting.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn setting(&self, name: &str) -> Result<&Setting, PopulationError> {
        self.setting.get(name).ok_or_else(|| PopulationError::Setting {
            file: self.id.clone(),
            name: name.to_owned(),
            known: self.setting.keys().cloned().collect(),
        })
    }

    /// The middle of every distribution.
    #[must_use]
    pub fn middle(&self) -> Theta {
        let middle = |p: Parameter| self.entry(p).distribution.middle_and_sd().0;
        Theta(Parameter::ALL.map(middle))
    }

    /// A draw from the distributions, those cut off by the ranges: number `n` under a seed.
    #[must_use]
    pub fn draw(&self, seed: u64, n: u64) -> Theta {
        let keyed = Keyed::new(seed, n);
        Theta(Parameter::ALL.map(|p| self.entry(p).draw(keyed.uniform(p as u32, 0)[0])))
    }

    /// Logarithm of the prior density of the parameters of a purpose, up to a constant; minus infinity
    /// outside the ranges.
    #[must_use]
    pub fn log_density(&self, theta: &Theta, purpose: Purpose) -> f64 {
        let of = |p: Parameter| {
            let e = self.entry(p);
            if e.purpose == purpose { e.log_density(theta[p]) } else { 0.0 }
        };
        Parameter::ALL.into_iter().map(of).sum()
    }

    /// The parameters of a purpose.
    pub fn of_purpose(&self, purpose: Purpose) -> impl Iterator<Item = Parameter> + '_ {
        Parameter::ALL.into_iter().filter(move |p| self.entry(*p).purpose == purpose)
    }
}

impl Entry {
    /// The scale it is normal on: the value of a normal, the logarithm of a lognormal.
    #[must_use]
    pub fn to_scale(&self, value: f64) -> f64 {
        if matches!(self.distribution, Distribution::Lognormal { .. }) { value.ln() } else { value }
    }

    /// Back from that scale.
    #[must_use]
    pub fn from_scale(&self, scaled: f64) -> f64 {
        if matches!(self.distribution, Distribution::Lognormal { .. }) {
            scaled.exp()
        } else {
            scaled
        }
    }

    /// Mean and standard deviation on that scale, before it is cut off.
    #[must_use]
    pub fn on_scale(&self) -> [f64; 2] {
        let (middle, sd) = self.distribution.middle_and_sd();
        [self.to_scale(middle), sd]
    }

    /// The value below which a share lies of the distribution cut off by the range.
    #[must_use]
    pub fn draw(&self, share: f64) -> f64 {
        let [mean, sd] = self.on_scale();
        if sd == 0.0 {
            return self.from_scale(mean);
        }
        let below = |x: f64| cumulative((self.to_scale(x) - mean) / sd);
        let [low, high] = self.range.map(below);
        let p = (low + share * (high - low)).clamp(1e-12, 1.0 - 1e-12);
        let value = self.from_scale(mean + sd * normal_quantile(p));
        value.clamp(self.range[0], self.range[1])
    }

    fn log_density(&self, value: f64) -> f64 {
        if !(self.range[0]..=self.range[1]).contains(&value) {
            return f64::NEG_INFINITY;
        }
        let [mean, sd] = self.on_scale();
        if sd == 0.0 {
            return 0.0;
        }
        -0.5 * ((self.to_scale(value) - mean) / sd).powi(2)
    }
}

impl Distribution {
    /// Median, and standard deviation on the scale it is normal on.
    #[must_use]
    pub fn middle_and_sd(&self) -> (f64, f64) {
        match *self {
            Self::Fixed(value) => (value, 0.0),
            Self::Normal { mean, sd } => (mean, sd),
            Self::Lognormal { median, sd } => (median, sd),
        }
    }
}

fn cumulative(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// How many letters two words begin and end with alike.
fn alike(a: &str, b: &str) -> usize {
    let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(x, y)| x == y).count()
    };
    same(&mut a.chars(), &mut b.chars()) + same(&mut a.chars().rev(), &mut b.chars().rev())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Population {
        Population::named("net-liver").expect("shipped")
    }

    #[test]
    fn the_shipped_population_has_every_parameter_in_its_range() {
        let population = shipped();
        for n in 0..50 {
            let theta = population.draw(1, n);
            for p in Parameter::ALL {
                let [low, high] = population.entry(p).range;
                assert!((low..=high).contains(&theta[p]), "{} {}", p.id(), theta[p]);
            }
            assert!(population.log_density(&theta, Purpose::Calibrated).is_finite());
        }
        assert!(population.setting("captemy90").is_ok());
    }

    #[test]
    fn draws_have_the_middle_of_their_distribution() {
        let population = shipped();
        let mut draws: Vec<f64> =
            (0..2001).map(|n| population.draw(3, n)[Parameter::AlphaMedian]).collect();
        draws.sort_by(f64::total_cmp);
        assert!((draws[1000] / 0.030 - 1.0).abs() < 0.06, "{}", draws[1000]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key() {
        let text = SHIPPED.1;
        for (from, to, expected) in [
            ("[parameter.alpha_median]", "[parameter.alpha_medain]", "alpha_median"),
            ("fixed = 0.8 }", "fixed = 80.0 }", "parameter.dose_spread.distribution = 80"),
            ("use = \"fixed\"", "use = \"prior\"", "use = prior"),
            ("grades = [0.0, 0.85, 0.15]", "grades = [0.0, 0.85, 0.25]", "setting.captemy90"),
            ("mark = \"derived\"", "mark = \"guessed\"", "guessed"),
            ("schema = 1", "schema = 9", "schema = 9"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Population::parse(&text.replacen(from, to, 1), "p.toml").expect_err(to);
            let said = error.to_string();
            assert!(said.contains(expected) && said.starts_with("p.toml: "), "{said}");
        }
    }
}
