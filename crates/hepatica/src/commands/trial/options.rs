//! What simulating commands share: who is simulated, by which protocol, with which doubt.

use crate::commands::CommandError;
use clap::ValueHint;
use hepatica_biology::population::Population;
use hepatica_regimen::protocol::Source;
use hepatica_trial::Posterior;
use hepatica_trial::program::Program;
use hepatica_trial::sweep::{ArmText, ParametersText, Part, SCHEMA, Scenario};
use std::path::{Path, PathBuf};

/// Days of a year.
const YEAR_D: f64 = 365.25;

/// Who is simulated.
#[derive(Debug, clap::Args)]
pub struct Who {
    /// Patients of each arm
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub patients: u64,
    /// Key of all random numbers: the same seed gives the same patients
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Populations that could be: the patients are shared out among so many draws of the parameters
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub draws: u64,
    /// Population: a name or a file (docs/populations.md)
    #[arg(long, default_value = "net-liver", value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
    pub population: String,
    /// Who is enrolled: a setting of the population
    #[arg(long, default_value = "captemy90", value_name = "NAME")]
    pub setting: String,
    /// Parameters: posterior (of either therapy alone), prior, middle (no doubt), or a posterior file
    #[arg(long, default_value = "posterior", value_name = "WHICH|FILE", value_hint = ValueHint::FilePath)]
    pub parameters: String,
    /// Nuclide of the spheres: 90Y, 166Ho
    #[arg(long, default_value = "90Y", value_name = "NUCLIDE")]
    pub nuclide: String,
    /// Years each patient is followed
    #[arg(long, default_value_t = 5.0, value_name = "YEARS")]
    pub years: f64,
    /// Folder of a plan: lesions take mean dose and unevenness from its histograms (dvh.csv)
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub plan: Option<PathBuf>,
    /// Blood counts neither hold nor reduce doses: quicker, and not what the protocol says
    #[arg(long)]
    pub no_marrow: bool,
    /// How much more dose counts with each drug (SER - 1), as CAPE,TMZ; `none` is 0,0 [default: the population's prior]
    #[arg(long, value_name = "none|CAPE,TMZ")]
    pub sensitisers: Option<String>,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
}

/// Where it is computed.
#[derive(Debug, clap::Args)]
pub struct OnCluster {
    /// Scheduler of a cluster that computes it, df://HOST:PORT [default: this machine] (docs/cluster.md)
    #[arg(long, value_name = "URL")]
    cluster: Option<String>,
}

impl OnCluster {
    /// Its scheduler.
    pub fn url(&self) -> Option<&str> {
        self.cluster.as_deref()
    }
}

/// An arm as it is asked for, and what was chosen for its user.
pub struct Chosen {
    /// The arm.
    pub arm: ArmText,
    /// What must be said, because nobody asked for it.
    pub said: Option<String>,
}

/// The arm of a protocol, `NAME` or `NAME@VARIANT`.
pub fn arm(name: &str, variant: Option<&str>) -> Result<Chosen, CommandError> {
    let (protocol, of_name) = match name.split_once('@') {
        Some((protocol, variant)) => (protocol, Some(variant)),
        None => (name, None),
    };
    let source = Source::named(protocol)?;
    let variants = &source.protocol.variant;
    let wanted = of_name.or(variant.filter(|v| variants.iter().any(|x| x.id == *v)));
    let (variant, said) = match (wanted, variants.as_slice()) {
        (Some(v), _) => (Some(v.to_owned()), None),
        (None, [first, _, ..]) => {
            let said = format!(
                "{protocol}: its doses come in several variants; taken is the first, {} ({}). Another one: {protocol}@{}",
                first.id, first.name, variants[1].id
            );
            (Some(first.id.clone()), Some(said))
        }
        (None, [one]) => (Some(one.id.clone()), None),
        (None, []) => (None, None),
    };
    // What cannot be followed is said before anything is simulated.
    Program::compile(&source.protocol, variant.as_deref())?;
    let arm = ArmText {
        name: protocol.to_owned(),
        protocol: source.text,
        variant,
        session: None,
        part: Part::Whole,
        sensitisers: None,
    };
    Ok(Chosen { arm, said })
}

impl Who {
    /// The parameters' text.
    pub fn parameters(&self) -> Result<ParametersText, CommandError> {
        Ok(match self.parameters.as_str() {
            "posterior" if self.population == "net-liver" => {
                ParametersText::Posterior(Posterior::shipped_text().to_owned())
            }
            "posterior" => {
                return Err(CommandError::Usage(format!(
                    "--parameters posterior: the shipped posterior is of the population net-liver, not of {}; calibrate one (hepatica trial calibrate) and name its file",
                    self.population
                )));
            }
            "prior" => ParametersText::Prior,
            "middle" => ParametersText::Middle,
            file => ParametersText::Posterior(Posterior::text_of(Path::new(file)).map_err(|e| {
                CommandError::Usage(format!(
                    "--parameters {file}: neither posterior, prior nor middle, and no file that can be read: {e}"
                ))
            })?),
        })
    }

    fn fixed_sensitisers(&self) -> Result<Option<[f64; 2]>, CommandError> {
        let Some(text) = &self.sensitisers else { return Ok(None) };
        if text == "none" {
            return Ok(Some([0.0; 2]));
        }
        let wrong = || {
            CommandError::Usage(format!(
                "--sensitisers {text}: expected `none` or two numbers of 0 to 1 such as 0.1,0.2"
            ))
        };
        let numbers: Vec<f64> = text
            .split(',')
            .map(|x| x.trim().parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        match numbers[..] {
            [a, b] if [a, b].iter().all(|x| (0.0..=1.0).contains(x)) => Ok(Some([a, b])),
            _ => Err(wrong()),
        }
    }

    /// Everything that is simulated.
    pub fn scenario(
        &self,
        mut arms: Vec<ArmText>,
        nulls: Option<[usize; 4]>,
    ) -> Result<Scenario, CommandError> {
        let fixed = self.fixed_sensitisers()?;
        for arm in &mut arms {
            arm.sensitisers = arm.sensitisers.or(fixed);
        }
        let days = self.years * YEAR_D;
        if !(28.0..=3652.0).contains(&days) {
            return Err(CommandError::Usage(format!("--years {}: expected 0.1 to 10", self.years)));
        }
        let one = self.parameters == "middle";
        let scenario = Scenario {
            schema: SCHEMA,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            population: Population::text_of(&self.population)?,
            parameters: self.parameters()?,
            setting: self.setting.clone(),
            arms,
            nulls,
            nuclide: self.nuclide.clone(),
            lesion_doses: match &self.plan {
                Some(folder) => hepatica_trial::lesion_dose::read(folder)?,
                None => Vec::new(),
            },
            horizon: (days.floor() as u16).min(3650),
            with_marrow: !self.no_marrow,
            seed: self.seed,
            // Without doubt about parameters one draw is all there is.
            draws: if one { 1 } else { self.draws },
            patients: self.patients,
        };
        Ok(scenario)
    }
}
