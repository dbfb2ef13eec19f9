//! A job as a table of units that any machine may compute, and its counts as a table that adds up.
//!
//! A row of units is `scenario, draw, first, patients, half`: the scenario is a text that holds everything
//! (population, posterior, protocols), so that [`compute_row`] is a pure function of the row and knows
//! no file. What comes back are whole numbers; those of one draw, half and place are added, in any order,
//! by whoever computed them ([`Count`]). The tables' files are in `units`.

use crate::draws::{Parameters, Posterior, PosteriorError};
use crate::independence::Paired;
use crate::job::{Arm, Done, Drawn, Job, Sensitisers, Unit};
use crate::lesion_dose::LesionDose;
use crate::program::{Program, ProgramError};
use crate::tally::{Group, Tally, field};
use hepatica_biology::population::{Population, PopulationError};
use hepatica_physics::Nuclide;
use hepatica_regimen::Protocol;
use hepatica_regimen::protocol::ProtocolError;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use thiserror::Error;

/// Version of the format; a worker of another one refuses the row.
pub const SCHEMA: u32 = 1;

/// Everything a unit needs but its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of the format.
    pub schema: u32,
    /// Version of the program that made it: another one may count otherwise.
    pub software: String,
    /// Text of the population file.
    pub population: String,
    /// Where parameters come from.
    pub parameters: ParametersText,
    /// Who is enrolled.
    pub setting: String,
    /// Arms.
    pub arms: Vec<ArmText>,
    /// Places of two arms, their combination, and no treatment.
    pub nulls: Option<[usize; 4]>,
    /// Nuclide of the spheres.
    pub nuclide: String,
    /// Doses of lesions from a real plan; none: as the population says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lesion_doses: Vec<LesionDose>,
    /// Days followed.
    pub horizon: u16,
    /// Whether blood counts hold and reduce doses.
    pub with_marrow: bool,
    /// Key of all random numbers.
    pub seed: u64,
    /// Populations that could be.
    pub draws: u64,
    /// Patients of each arm.
    pub patients: u64,
}

/// Where parameters come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParametersText {
    /// Text of a posterior.
    Posterior(String),
    /// The prior.
    Prior,
    /// The middle of every prior.
    Middle,
}

/// An arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmText {
    /// For people; no two alike.
    pub name: String,
    /// Text of the protocol.
    pub protocol: String,
    /// Its dose variant.
    pub variant: Option<String>,
    /// Cycle and day of the first session, if not the protocol's.
    pub session: Option<[u16; 2]>,
    /// Which part of it is done.
    #[serde(default)]
    pub part: Part,
    /// SER - 1 of capecitabine and temozolomide, if not the population's.
    pub sensitisers: Option<[f64; 2]>,
}

/// Which part of a protocol is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// Its drugs.
    Drugs,
    /// Its spheres.
    Spheres,
    /// Nothing: patients are only looked at.
    Nothing,
}

/// A count of a draw and half: how many at a place of [`Job::counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// The population.
    pub draw: u64,
    /// Half of its patients.
    pub half: u8,
    /// Place among the counts of a unit.
    pub place: u32,
    /// How many.
    pub count: u64,
}

/// Why a row cannot be computed.
#[derive(Debug, Error)]
pub enum SweepError {
    /// The scenario is no such text.
    #[error("scenario: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error("scenario of format {found} by {software}, this program is {} and reads format {SCHEMA}: use one version everywhere", env!("CARGO_PKG_VERSION"))]
    Version {
        /// Its format.
        found: u32,
        /// What made it.
        software: String,
    },
    /// A protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A protocol that virtual patients cannot follow.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The population.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The posterior.
    #[error(transparent)]
    Posterior(#[from] PosteriorError),
    /// A nuclide without data.
    #[error("no nuclide is named `{0}`; there are 90Y, 166Ho and 177Lu")]
    Nuclide(String),
    /// Counts that are not those of the scenario.
    #[error("{found} counts came back, expected {expected}")]
    Counts {
        /// How many.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// A count that is not of the draws asked for.
    #[error("a count of draw {}, half {}, place {}: not of this part of the job", .0.draw, .0.half, .0.place)]
    Foreign(Count),
    /// Patients lost or counted twice.
    #[error("counts of draw {draw}, half {half} are of {found} patients, expected {expected}")]
    Patients {
        /// The draw.
        draw: u64,
        /// The half.
        half: u8,
        /// Patients that were counted.
        found: u64,
        /// Patients that it has.
        expected: u64,
    },
    /// A number that cannot be.
    #[error("{what} = {found}, expected {expected}")]
    Value {
        /// What.
        what: &'static str,
        /// What it is.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

impl Scenario {
    /// As text.
    ///
    /// # Errors
    /// Never for what was read.
    pub fn to_text(&self) -> Result<String, SweepError> {
        Ok(serde_json::to_string(self)?)
    }

    /// From text.
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        let scenario: Self = serde_json::from_str(text)?;
        if scenario.schema != SCHEMA || scenario.software != env!("CARGO_PKG_VERSION") {
            let (found, software) = (scenario.schema, scenario.software);
            return Err(SweepError::Version { found, software });
        }
        Ok(scenario)
    }

    /// The job it describes.
    ///
    /// # Errors
    /// When a part of it cannot be used.
    pub fn job(&self) -> Result<Job, SweepError> {
        let check = |what: &'static str, found: u64, most: u64, expected: &'static str| {
            if (1..=most).contains(&found) {
                Ok(())
            } else {
                Err(SweepError::Value { what, found: found.to_string(), expected })
            }
        };
        check("draws", self.draws, 100_000, "1 to 100000")?;
        check("patients", self.patients, 1_000_000_000_000, "1 to 10^12")?;
        check("horizon in days", u64::from(self.horizon), 3650, "1 to 3650 (ten years)")?;
        if self.patients < 2 * self.draws {
            return Err(SweepError::Value {
                what: "patients",
                found: format!("{} for {} draws", self.patients, self.draws),
                expected: "at least two a draw",
            });
        }
        let population = Population::parse(&self.population, "population")?;
        let parameters = match &self.parameters {
            ParametersText::Posterior(text) => {
                Parameters::Posterior(Posterior::parse(text, "posterior", &population)?)
            }
            ParametersText::Prior => Parameters::Prior,
            ParametersText::Middle => Parameters::Middle,
        };
        let setting = population.setting(&self.setting)?.clone();
        let nuclide = Nuclide::by_name(&self.nuclide)
            .ok_or_else(|| SweepError::Nuclide(self.nuclide.clone()))?;
        let mut arms = Vec::new();
        for a in &self.arms {
            let protocol = Protocol::parse(&a.protocol, &a.name)?;
            let mut program = Program::compile(&protocol, a.variant.as_deref())?;
            if let Some([cycle, day]) = a.session {
                program = program.with_session(cycle, day);
            }
            program = match a.part {
                Part::Whole => program,
                Part::Drugs => program.only_drugs(),
                Part::Spheres => program.only_spheres(),
                Part::Nothing => program.untreated(),
            };
            arms.push(Arm {
                name: a.name.clone(),
                program,
                sensitisers: a.sensitisers.map_or(Sensitisers::Prior, Sensitisers::Fixed),
                tare_series: false,
            });
        }
        if arms.is_empty() || self.nulls.is_some_and(|n| n.iter().any(|p| *p >= arms.len())) {
            return Err(SweepError::Value {
                what: "arms",
                found: arms.len().to_string(),
                expected: "at least one, and those that the nulls name",
            });
        }
        Ok(Job {
            population,
            parameters,
            setting,
            arms,
            nulls: self.nulls,
            nuclide,
            lesion_doses: self.lesion_doses.clone(),
            horizon: self.horizon,
            with_marrow: self.with_marrow,
            seed: self.seed,
            draws: self.draws,
            patients: self.patients,
        })
    }
}

impl Job {
    /// How many numbers come back of a unit.
    #[must_use]
    pub fn counts(&self) -> usize {
        self.arms.len() * Tally::LENGTH + if self.nulls.is_some() { Paired::LENGTH } else { 0 }
    }

    /// Adds what came back of a draw and half to its counts.
    ///
    /// # Errors
    /// When it is not of this job.
    pub fn restore(&self, counts: &[u64]) -> Result<Done, SweepError> {
        let (found, expected) = (counts.len(), self.counts());
        if found != expected {
            return Err(SweepError::Counts { found, expected });
        }
        let (arms, pairs) = counts.split_at(self.arms.len() * Tally::LENGTH);
        Ok(Done {
            tallies: arms
                .chunks(Tally::LENGTH)
                .filter_map(|c| Tally::from_counts(c.to_vec()))
                .collect(),
            paired: Paired::from_counts(pairs.to_vec()),
            outcomes: Vec::new(),
        })
    }

    /// Counts of draws that follow each other from `first` on, without zeros, in order.
    #[must_use]
    pub fn counts_of(&self, first: u64, drawn: &[Drawn]) -> Vec<Count> {
        let mut counts = Vec::new();
        for (draw, d) in (first..).zip(drawn) {
            for half in 0..2_u8 {
                let arms = d.tallies.iter().flat_map(|t| t[usize::from(half)].counts());
                let pairs = d.paired.iter().flat_map(|p| p[usize::from(half)].counts());
                for (place, count) in (0..).zip(arms.chain(pairs)).filter(|(_, c)| **c > 0) {
                    counts.push(Count { draw, half, place, count: *count });
                }
            }
        }
        counts
    }

    /// Draws from counts in any order, those of one place being added.
    ///
    /// # Errors
    /// When a count is of another draw, or patients of an arm are too few or too many: work that was
    /// lost, or came back twice.
    pub fn draws_of(
        &self,
        draws: Range<u64>,
        counts: impl IntoIterator<Item = Count>,
    ) -> Result<Vec<Drawn>, SweepError> {
        let length = self.counts();
        let all = (draws.end - draws.start) as usize;
        let mut sums = vec![[vec![0_u64; length], vec![0; length]]; all];
        for c in counts {
            let place = draws
                .contains(&c.draw)
                .then(|| &mut sums[(c.draw - draws.start) as usize])
                .and_then(|halves| halves.get_mut(usize::from(c.half)))
                .and_then(|half| half.get_mut(c.place as usize));
            let place = place.ok_or(SweepError::Foreign(c))?;
            *place = place.saturating_add(c.count);
        }
        let mut expected = vec![[0_u64; 2]; all];
        for u in self.units_of(&draws) {
            expected[(u.draw - draws.start) as usize][usize::from(u.half)] += u.patients;
        }
        let mut drawn = Vec::with_capacity(all);
        for ((draw, halves), expected) in draws.zip(sums).zip(expected) {
            let mut whole = self.empty();
            for ((half, sums), expected) in (0_u8..).zip(halves).zip(expected) {
                let done = self.restore(&sums)?;
                for tally in &done.tallies {
                    let found = tally.one(Group::All, field::patients);
                    if found != expected {
                        return Err(SweepError::Patients { draw, half, found, expected });
                    }
                }
                whole.add(&Unit { draw, first: 0, patients: 0, half }, &done);
            }
            drawn.push(whole);
        }
        Ok(drawn)
    }
}

/// Computes a row: the counts of all arms, then of the pairs.
///
/// # Errors
/// When the row cannot be computed.
pub fn compute_row(scenario: &str, unit: &Unit) -> Result<Vec<u64>, SweepError> {
    Ok(compute_unit(&Scenario::parse(scenario)?.job()?, unit))
}

/// Computes a unit of a job that was read before.
#[must_use]
pub fn compute_unit(job: &Job, unit: &Unit) -> Vec<u64> {
    let done = job.compute(unit, false);
    let mut counts: Vec<u64> = done.tallies.iter().flat_map(|t| t.counts()).copied().collect();
    if let Some(paired) = &done.paired {
        counts.extend(paired.counts());
    }
    counts
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hepatica_regimen::protocol::Source;
    use std::ops::ControlFlow;

    pub(crate) fn scenario() -> Scenario {
        let arm = |name: &str, protocol: &str, variant: Option<&str>, part| ArmText {
            name: name.to_owned(),
            protocol: Source::named(protocol).expect("shipped").text,
            variant: variant.map(str::to_owned),
            session: None,
            part,
            sensitisers: None,
        };
        Scenario {
            schema: SCHEMA,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            population: Population::shipped_text().to_owned(),
            parameters: ParametersText::Prior,
            setting: "captemy90".to_owned(),
            arms: vec![
                arm("captem", "captem", None, Part::Whole),
                arm("tare", "captemy90", Some("pilot-2018"), Part::Spheres),
                arm("both", "captemy90", Some("pilot-2018"), Part::Whole),
                arm("none", "tare", None, Part::Nothing),
            ],
            nulls: Some([0, 1, 2, 3]),
            nuclide: "90Y".to_owned(),
            lesion_doses: Vec::new(),
            horizon: 1000,
            with_marrow: true,
            seed: 5,
            draws: 3,
            patients: 200,
        }
    }

    /// Rows computed one by one in another order give what the job gives at once.
    #[test]
    fn rows_add_up_to_the_job() {
        let scenario = scenario();
        let job = scenario.job().expect("a job");
        let (whole, complete) = job.run(false, |_, _| ControlFlow::Continue(()));
        assert!(complete);
        let text = scenario.to_text().expect("text");
        let mut units = job.units();
        units.reverse();
        let counts: Vec<Count> = units
            .iter()
            .flat_map(|u| {
                let of = |(place, count)| Count { draw: u.draw, half: u.half, place, count };
                (0..).zip(compute_row(&text, u).expect("counts")).map(of)
            })
            .collect();
        assert_eq!(job.draws_of(0..3, counts.clone()).expect("draws"), whole);
        let foreign = job.draws_of(1..3, counts.clone()).expect_err("draw 0").to_string();
        assert!(foreign.contains("draw 0"), "{foreign}");
        // A unit that was lost, and one that came twice.
        let one = job.counts();
        let said = |c: Vec<Count>| job.draws_of(0..3, c).expect_err("refused").to_string();
        assert!(said(counts[one..].to_vec()).contains("draw 2, half 1 are of 0 patients"));
        assert!(said([&counts[..one], &counts[..]].concat()).contains("expected 34"));
    }

    #[test]
    fn the_same_patients_whatever_the_threads() {
        let job = scenario().job().expect("a job");
        let with = |threads: usize| {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| job.run(false, |_, _| ControlFlow::Continue(())).0)
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(7));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |change: &dyn Fn(&mut Scenario)| {
            let mut s = scenario();
            change(&mut s);
            s.job().expect_err("refused").to_string()
        };
        assert!(refused(&|s| s.nuclide = "90X".into()).contains("90X"));
        assert!(refused(&|s| s.draws = 0).contains("draws = 0"));
        assert!(refused(&|s| s.patients = 3).contains("3 for 3 draws"));
        assert!(refused(&|s| s.horizon = 9999).contains("3650"));
        assert!(refused(&|s| s.arms.clear()).contains("arms = 0"));
        assert!(refused(&|s| s.setting = "none".into()).contains("captemy90"));
        let mut old = scenario();
        old.software = "0.0.1".into();
        assert!(Scenario::parse(&old.to_text().expect("text")).is_err());
    }
}
