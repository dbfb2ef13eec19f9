//! A protocol compiled for virtual patients: what it says of a day, without names and dates.
//!
//! The words of a protocol become a few numbers once, so that a hundred thousand courses can follow them.
//! Nothing is decided here that the protocol does not say; what it asks of a patient that the model has no
//! notion of (pregnancy, infection, ...) is taken as met and listed in [`Program::assumed`].

use hepatica_regimen::dose::Per;
use hepatica_regimen::gate::{Comparison, CriterionRule, GateRule, Over, Step};
use hepatica_regimen::protocol::{
    AssessmentKind, Drug, End, IfMissed, Modification, ProcedureKind, Protocol,
};
use hepatica_regimen::response::{Criteria, Nadir};
use std::collections::BTreeSet;
use thiserror::Error;

/// Most modifications of a protocol that the simulator follows.
pub const MODIFICATIONS: usize = 32;

/// A drug that the model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrugKind {
    /// Capecitabine; a dose is relative to 1500 mg/m2 a day.
    Capecitabine = 0,
    /// Temozolomide; a dose is relative to 200 mg/m2 a day.
    Temozolomide = 1,
}

impl DrugKind {
    /// Both, in the order of the arrays.
    pub const ALL: [Self; 2] = [Self::Capecitabine, Self::Temozolomide];

    fn of(id: &str) -> Option<Self> {
        match id {
            "capecitabine" => Some(Self::Capecitabine),
            "temozolomide" => Some(Self::Temozolomide),
            _ => None,
        }
    }

    fn reference_mg_per_m2(self) -> f64 {
        match self {
            Self::Capecitabine => 1500.0,
            Self::Temozolomide => 200.0,
        }
    }
}

/// A protocol for virtual patients.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Identifier of the protocol.
    pub id: String,
    /// The dose variant, where the protocol has some.
    pub variant: Option<String>,
    /// Length of a cycle in days.
    pub cycle_days: i32,
    /// Most cycles.
    pub cycles: u16,
    /// Whether progression ends treatment.
    pub until_progression: bool,
    /// Drugs by kind.
    pub drugs: [Option<DrugProgram>; 2],
    /// What must be met on day 1 of a later cycle.
    pub cycle_gate: Vec<Test>,
    /// What is done while it is not.
    pub wait: Option<WaitProgram>,
    /// The simulation procedure, if there is one.
    pub simulation: Option<ProcedureProgram>,
    /// Radioembolizations, in order.
    pub sessions: Vec<ProcedureProgram>,
    /// What changes doses.
    pub modifications: Vec<ModificationProgram>,
    /// Blood counts other than on day 1 and on the day of a session: from cycle, to cycle, day.
    pub counts: Vec<[u16; 3]>,
    /// Days between scans, counted from the start.
    pub scan_every: u16,
    /// How scans are judged.
    pub response: ResponseProgram,
    /// What the protocol asks and the model takes as met.
    pub assumed: Vec<String>,
}

/// A drug.
#[derive(Debug, Clone, PartialEq)]
pub struct DrugProgram {
    /// First day of a cycle it is taken on.
    pub first_day: i32,
    /// Last day.
    pub last_day: i32,
    /// Dose of a day by level, relative to the reference.
    pub relative: Vec<f32>,
    /// The level it starts on.
    pub start_level: i32,
    /// What must be met to go up.
    pub escalation: Option<Vec<Test>>,
    /// Whether a dose that was reduced may go up again.
    pub again: bool,
}

/// A wait before a cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaitProgram {
    /// Days until it is asked again.
    pub days: i32,
    /// How many times.
    pub at_most: u8,
    /// When it passes after a wait.
    pub then: Step,
    /// When it does not after the last.
    pub exhausted: Step,
    /// The drugs it changes.
    pub drugs: [bool; 2],
}

/// A procedure.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcedureProgram {
    /// Identifier.
    pub id: String,
    /// Windows: cycle, first day, day aimed at, last day.
    pub windows: Vec<[i32; 4]>,
    /// Whether it moves to the next cycle when all were missed.
    pub again: bool,
    /// Days after the simulation: least and most.
    pub after_simulation: Option<[i32; 2]>,
    /// Days after the session before, at least.
    pub after_session: Option<i32>,
    /// Only where disease is left that the first session did not reach.
    pub only_if_needed: bool,
    /// What must be met.
    pub gate: Vec<Test>,
}

/// A criterion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// What it looks at.
    pub signal: Signal,
    /// How that stands to the limit.
    pub comparison: Comparison,
    /// The limit.
    pub limit: f64,
}

/// What the model can tell of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Neutrophils, 10^9/L.
    Neutrophils(Over),
    /// Platelets, 10^9/L.
    Platelets(Over),
    /// Lymphocytes, 10^9/L.
    Lymphocytes,
    /// Bilirubin, mg/dL.
    Bilirubin,
    /// Grade of a toxicity.
    Grade(Terms, Over),
    /// Share of the doses of cycle 1 that were taken, percent, by drugs.
    Taken([bool; 2]),
    /// Days since the session before.
    DaysSinceSession,
    /// The simulation forbids radioembolization: one or zero, whatever the criterion compares.
    Suitable,
}

/// Which toxicities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Any, or all but those of the blood: the model has no other.
    Any,
    /// Those of the liver.
    Liver,
}

/// What changes a dose.
#[derive(Debug, Clone, PartialEq)]
pub struct ModificationProgram {
    /// The drugs.
    pub drugs: [bool; 2],
    /// What calls for it.
    pub call: Call,
    /// What becomes of the dose at the first, second, ... appearance.
    pub then: Vec<Step>,
}

/// What calls for a modification.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// A value of the cycle that stands so.
    Value(Test),
    /// A toxicity of one of these grades; the drugs are held until it is of the grade given.
    Toxicity {
        /// Which.
        terms: Terms,
        /// Bit `g` for grade `g`.
        grades: u8,
        /// Held until.
        hold: bool,
    },
}

/// How scans are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResponseProgram {
    /// Decrease from baseline that is a response, a share.
    pub partial: f64,
    /// Increase from the nadir that is progression, a share.
    pub progression: f64,
    /// Least increase, mm.
    pub progression_mm: f64,
    /// Most targets, and most of an organ.
    pub targets: [usize; 2],
    /// Least diameter of a target, mm.
    pub target_min_mm: f64,
    /// Days after which a second scan confirms.
    pub confirmation_days: u32,
    /// Days before which stable disease does not count.
    pub stable_min_days: u32,
}

/// Why virtual patients cannot follow a protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// A drug without a model.
    #[error(
        "{protocol}: the model has no notion of the drug {drug}; it knows capecitabine and temozolomide"
    )]
    Drug {
        /// The protocol.
        protocol: String,
        /// The drug.
        drug: String,
    },
    /// No variant chosen, or none of that name.
    #[error("{protocol}: {found}; choose one of: {}", .known.join(", "))]
    Variant {
        /// The protocol.
        protocol: String,
        /// What is wrong.
        found: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// Cycles of drugs without a gate.
    #[error(
        "{protocol}: no gate stands before its cycles, so that drugs would be given whatever the blood count is; add a [[gate]] with guards = [\"cycle\"]"
    )]
    NoGate {
        /// The protocol.
        protocol: String,
    },
    /// No scans.
    #[error(
        "{protocol}: no [[assessment]] of kind imaging comes every so many days, so that nobody would see a response"
    )]
    NoScans {
        /// The protocol.
        protocol: String,
    },
    /// No rules of response.
    #[error(
        "{protocol}: no [response] with RECIST 1.1: the model gives diameters, not what enhances"
    )]
    NoResponse {
        /// The protocol.
        protocol: String,
    },
    /// Something the simulator cannot follow.
    #[error("{protocol}: {what} cannot be followed by virtual patients: {why}")]
    Beyond {
        /// The protocol.
        protocol: String,
        /// What.
        what: String,
        /// Why.
        why: &'static str,
    },
}

impl Program {
    /// Compiles a protocol; a variant must be named where it has several.
    ///
    /// # Errors
    /// When the model cannot follow it.
    pub fn compile(protocol: &Protocol, variant: Option<&str>) -> Result<Self, ProgramError> {
        Compiler { protocol, variant: choose(protocol, variant)?, assumed: BTreeSet::new() }.run()
    }

    /// The same without drugs and procedures: what happens to a patient who is only looked at.
    #[must_use]
    pub fn untreated(&self) -> Self {
        Self {
            id: "no treatment".to_owned(),
            variant: None,
            drugs: [None, None],
            cycle_gate: Vec::new(),
            wait: None,
            simulation: None,
            sessions: Vec::new(),
            modifications: Vec::new(),
            counts: Vec::new(),
            assumed: Vec::new(),
            ..self.clone()
        }
    }

    /// The same drugs without the spheres.
    #[must_use]
    pub fn only_drugs(&self) -> Self {
        Self { simulation: None, sessions: Vec::new(), ..self.clone() }
    }

    /// The same spheres without the drugs, and without what is asked of those who take them.
    #[must_use]
    pub fn only_spheres(&self) -> Self {
        let mut program = self.untreated();
        program.id.clone_from(&self.id);
        program.simulation.clone_from(&self.simulation);
        program.sessions.clone_from(&self.sessions);
        for session in &mut program.sessions {
            session.gate.retain(|test| !matches!(test.signal, Signal::Taken(_)));
        }
        program.assumed.clone_from(&self.assumed);
        program
    }

    /// The same with the first session on a day of a cycle, a second one on that day of the next two
    /// cycles, and the simulation on day 15 of the cycle before; cycle 1 has none before it.
    #[must_use]
    pub fn with_session(&self, cycle: u16, day: u16) -> Self {
        let mut program = self.clone();
        let (cycle, day) = (i32::from(cycle.max(2)), i32::from(day));
        if let Some(simulation) = &mut program.simulation {
            simulation.windows = vec![[cycle - 1, 1, 15, self.cycle_days]];
        }
        for (n, session) in program.sessions.iter_mut().enumerate() {
            let cycles = if n == 0 { vec![cycle] } else { vec![cycle + 1, cycle + 2] };
            session.windows = cycles.into_iter().map(|c| [c, day, day, day]).collect();
        }
        program
    }

    /// The levels of a drug.
    #[must_use]
    pub fn drug(&self, kind: DrugKind) -> Option<&DrugProgram> {
        self.drugs[kind as usize].as_ref()
    }
}

fn choose(protocol: &Protocol, wanted: Option<&str>) -> Result<Option<String>, ProgramError> {
    let known: Vec<String> = protocol.variant.iter().map(|v| v.id.clone()).collect();
    let wrong = |found: String| {
        Err(ProgramError::Variant { protocol: protocol.id.clone(), found, known: known.clone() })
    };
    match (wanted, known.as_slice()) {
        (None, []) => Ok(None),
        (None, [one]) => Ok(Some(one.clone())),
        (None, _) => wrong("its doses come in several variants, and none is assumed".to_owned()),
        (Some(v), _) if known.iter().any(|k| k == v) => Ok(Some(v.to_owned())),
        (Some(v), []) => wrong(format!("it has no dose variants, `{v}` was asked for")),
        (Some(v), _) => wrong(format!("it has no dose variant `{v}`")),
    }
}

struct Compiler<'a> {
    protocol: &'a Protocol,
    variant: Option<String>,
    assumed: BTreeSet<String>,
}

impl Compiler<'_> {
    fn beyond(&self, what: impl Into<String>, why: &'static str) -> ProgramError {
        ProgramError::Beyond { protocol: self.protocol.id.clone(), what: what.into(), why }
    }

    fn run(mut self) -> Result<Program, ProgramError> {
        let p = self.protocol;
        let mut drugs = [None, None];
        for drug in &p.drug {
            let kind = DrugKind::of(&drug.id).ok_or_else(|| ProgramError::Drug {
                protocol: p.id.clone(),
                drug: drug.id.clone(),
            })?;
            drugs[kind as usize] = Some(self.drug(drug, kind)?);
        }
        let gates: Vec<&GateRule> = p.gates("cycle").collect();
        if gates.is_empty() && !p.drug.is_empty() {
            return Err(ProgramError::NoGate { protocol: p.id.clone() });
        }
        let (mut cycle_gate, mut wait) = (Vec::new(), None);
        for gate in &gates {
            cycle_gate.extend(self.tests(gate)?);
            let Some(w) = &gate.wait else {
                return Err(self.beyond(
                    format!("gate {}", gate.id),
                    "a gate before a cycle must say how long is waited",
                ));
            };
            if wait.is_some() {
                return Err(self.beyond("a second gate before a cycle", "one wait is followed"));
            }
            wait = Some(WaitProgram {
                days: w.days as i32,
                at_most: u8::try_from(w.at_most).unwrap_or(u8::MAX),
                then: w.then,
                exhausted: w.exhausted,
                drugs: which(&w.drugs),
            });
        }
        let mut simulation = None;
        let mut sessions: Vec<ProcedureProgram> = Vec::new();
        for procedure in &p.procedure {
            match procedure.kind {
                ProcedureKind::Simulation => {
                    simulation = Some(self.procedure(procedure, &sessions)?)
                }
                ProcedureKind::Radioembolization => {
                    let session = self.procedure(procedure, &sessions)?;
                    sessions.push(session);
                }
                ProcedureKind::Other => {
                    self.assumed.insert(format!("{} is done and changes nothing", procedure.name));
                }
            }
        }
        if sessions.len() > 2 {
            return Err(self.beyond("a third radioembolization", "one per lobe is followed"));
        }
        let mut modifications = Vec::new();
        for m in &p.modification {
            modifications.push(self.modification(m)?);
        }
        if modifications.len() > MODIFICATIONS {
            return Err(self.beyond("more than 32 modifications", "their appearances are counted"));
        }
        let scan_every = p
            .assessment
            .iter()
            .filter(|a| a.kind == AssessmentKind::Imaging)
            .flat_map(|a| &a.when)
            .find(|t| t.after.as_deref() == Some("start") && t.every_days.is_some())
            .and_then(|t| t.every_days)
            .and_then(|n| u16::try_from(n).ok())
            .ok_or_else(|| ProgramError::NoScans { protocol: p.id.clone() })?;
        let response = self.response()?;
        Ok(Program {
            id: p.id.clone(),
            variant: self.variant.clone(),
            cycle_days: p.cycle.days as i32,
            cycles: p.cycle.at_most.map_or(u16::MAX, |n| u16::try_from(n).unwrap_or(u16::MAX)),
            until_progression: p.cycle.until.contains(&End::Progression),
            drugs,
            cycle_gate,
            wait,
            simulation,
            sessions,
            modifications,
            counts: self.counts(),
            scan_every,
            response,
            assumed: self.assumed.into_iter().collect(),
        })
    }

    fn drug(&mut self, drug: &Drug, kind: DrugKind) -> Result<DrugProgram, ProgramError> {
        let id = self.variant.as_deref();
        let variant =
            drug.variant.iter().find(|v| Some(v.id.as_str()) == id).or_else(|| {
                drug.variant.first().filter(|_| drug.variant.len() == 1 && id.is_none())
            });
        let Some(v) = variant else {
            return Err(
                self.beyond(format!("the dose of {}", drug.id), "the variant does not give it")
            );
        };
        if v.levels_mg_per_m2.is_empty() {
            return Err(
                self.beyond(format!("the flat dose of {}", drug.id), "doses are per body surface")
            );
        }
        let times = match v.per {
            Per::Intake => f64::from(v.times_a_day.unwrap_or(drug.times_a_day)),
            Per::Day => 1.0,
        };
        let relative = v
            .levels_mg_per_m2
            .iter()
            .map(|mg| (mg * times / kind.reference_mg_per_m2()) as f32)
            .collect();
        let escalation = drug
            .escalation
            .as_ref()
            .filter(|e| e.variants.iter().any(|x| Some(x.as_str()) == id))
            .map(|e| e.criterion.iter().map(|c| self.test(c)).collect::<Result<Vec<_>, _>>())
            .transpose()?
            .map(|tests| tests.into_iter().flatten().collect());
        for a in &drug.adjustment {
            self.assumed.insert(format!("{} asks for no change of {}", a.measure, drug.id));
        }
        Ok(DrugProgram {
            first_day: drug.first_day as i32,
            last_day: drug.last_day as i32,
            relative,
            start_level: v.start_level as i32,
            escalation,
            again: drug.escalation.as_ref().is_some_and(|e| e.after_reduction),
        })
    }

    fn tests(&mut self, gate: &GateRule) -> Result<Vec<Test>, ProgramError> {
        let mut all = Vec::new();
        for criterion in &gate.criterion {
            all.extend(self.test(criterion)?);
        }
        Ok(all)
    }

    fn test(&mut self, c: &CriterionRule) -> Result<Option<Test>, ProgramError> {
        if c.overrides.iter().any(|o| o.protocol == self.protocol.id) {
            self.assumed.insert(format!("{}: departed from on purpose, as the gate says", c.name));
            return Ok(None);
        }
        let recent = |s: &Self| match c.over {
            Over::Latest | Over::Cycle => Ok(()),
            _ => Err(s.beyond(format!("criterion {}", c.id), "its value is not kept so long")),
        };
        let signal = match c.measure.as_str() {
            "anc" => {
                recent(self)?;
                Signal::Neutrophils(c.over)
            }
            "platelets" => {
                recent(self)?;
                Signal::Platelets(c.over)
            }
            "lymphocytes" => Signal::Lymphocytes,
            "bilirubin" => Signal::Bilirubin,
            "toxicity_grade" => {
                let Some(terms) = terms(&c.terms) else {
                    self.assumed.insert(format!("{} ({})", c.name, c.terms.join(", ")));
                    return Ok(None);
                };
                match c.over {
                    Over::Latest | Over::Cycle | Over::Cycle1 => Signal::Grade(terms, c.over),
                    _ => {
                        return Err(self
                            .beyond(format!("criterion {}", c.id), "grades are not kept so long"));
                    }
                }
            }
            "doses_taken_percent" if c.over == Over::Cycle1 => Signal::Taken(which(&c.drugs)),
            "days_since_session" => Signal::DaysSinceSession,
            measure if PLAN.iter().any(|m| measure.starts_with(m)) => {
                self.assumed.insert(format!(
                    "{}: met or not as one draw says for the whole simulation procedure",
                    c.name
                ));
                Signal::Suitable
            }
            _ => {
                self.assumed.insert(format!("{}: met", c.name));
                return Ok(None);
            }
        };
        Ok(Some(Test { signal, comparison: c.comparison, limit: c.limit.unwrap_or(0.0) }))
    }

    fn procedure(
        &mut self,
        p: &hepatica_regimen::protocol::Procedure,
        sessions: &[ProcedureProgram],
    ) -> Result<ProcedureProgram, ProgramError> {
        let protocol = self.protocol;
        let mut gate = Vec::new();
        for rule in protocol.gates(&p.id) {
            gate.extend(self.tests(rule)?);
        }
        gate.dedup();
        let (mut after_simulation, mut after_session) = (None, None);
        for r in &p.requires {
            let least = r.least_days as i32;
            if sessions.iter().any(|s| s.id == r.procedure) {
                after_session = Some(least);
            } else {
                let most = r.most_days.map_or(i32::MAX, |d| d as i32);
                after_simulation = Some([least, most]);
            }
        }
        let needed = p.only_if.as_ref().is_some_and(|c| c.measure == "further_session_needed");
        if p.only_if.is_some() && !needed {
            return Err(
                self.beyond(format!("only_if of {}", p.id), "only further_session_needed is known")
            );
        }
        Ok(ProcedureProgram {
            id: p.id.clone(),
            windows: p
                .window
                .iter()
                .map(|w| [w.cycle, w.earliest, w.target, w.latest].map(|x| x as i32))
                .collect(),
            again: p.if_missed == IfMissed::NextCycle,
            after_simulation,
            after_session,
            only_if_needed: needed,
            gate,
        })
    }

    fn modification(&mut self, m: &Modification) -> Result<ModificationProgram, ProgramError> {
        let call = match (&m.measure, m.comparison, m.limit) {
            (Some(measure), Some(comparison), Some(limit)) => {
                let signal = match measure.as_str() {
                    "anc" => Signal::Neutrophils(Over::Cycle),
                    "platelets" => Signal::Platelets(Over::Cycle),
                    _ => {
                        return Err(self.beyond(
                            format!("modification {}", m.id),
                            "of values it knows neutrophils and platelets",
                        ));
                    }
                };
                Call::Value(Test { signal, comparison, limit })
            }
            _ => {
                if m.hold_until_grade.is_some_and(|g| g != 1) {
                    return Err(self.beyond(
                        format!("modification {}", m.id),
                        "a toxicity recovers to grade 1",
                    ));
                }
                let Some(terms) = terms(&m.terms) else {
                    return Err(
                        self.beyond(format!("modification {}", m.id), "its terms have no model")
                    );
                };
                let grades = m
                    .grades
                    .iter()
                    .fold(0, |bits, g| bits | 1_u8.checked_shl(u32::from(*g)).unwrap_or(0));
                Call::Toxicity { terms, grades, hold: m.hold_until_grade.is_some() }
            }
        };
        Ok(ModificationProgram { drugs: which(&m.drugs), call, then: m.then.clone() })
    }

    fn counts(&self) -> Vec<[u16; 3]> {
        let days = self.protocol.cycle.days as i32;
        let mut all = Vec::new();
        for a in self.protocol.assessment.iter().filter(|a| a.kind == AssessmentKind::Laboratory) {
            if !a.measures.iter().any(|m| m == "anc" || m == "platelets") {
                continue;
            }
            for t in &a.when {
                let (from, to) = match (t.cycle, t.from_cycle) {
                    (Some(c), _) => (c, c),
                    (_, Some(c)) => (c, t.to_cycle.unwrap_or(u32::from(u16::MAX))),
                    _ => continue,
                };
                // Day 1 is when the gate is asked.
                if (2..=days).contains(&t.target) {
                    let short = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
                    all.push([short(from), short(to), t.target as u16]);
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn response(&self) -> Result<ResponseProgram, ProgramError> {
        let none = || ProgramError::NoResponse { protocol: self.protocol.id.clone() };
        let r = self.protocol.response.as_ref().ok_or_else(none)?;
        if r.criteria != Criteria::Recist11 {
            return Err(none());
        }
        if r.nadir != Nadir::Smallest {
            return Err(self.beyond("progression from baseline", "it is measured from the nadir"));
        }
        Ok(ResponseProgram {
            partial: r.partial_percent / 100.0,
            progression: r.progression_percent / 100.0,
            progression_mm: r.progression_mm.unwrap_or(5.0),
            targets: [r.targets_max as usize, r.targets_per_organ_max as usize],
            target_min_mm: r.target_min_mm,
            confirmation_days: r.confirmation_days.unwrap_or(28),
            stable_min_days: r.stable_min_days,
        })
    }
}

/// Measures of a plan, by the beginning of their names: the simulation procedure's answer.
const PLAN: [&str; 6] = [
    "lung_",
    "extrahepatic_",
    "normal_liver_dose",
    "activity_orderable",
    "days_since_simulation",
    "simulation_",
];

fn which(drugs: &[String]) -> [bool; 2] {
    DrugKind::ALL.map(|k| drugs.iter().any(|d| DrugKind::of(d) == Some(k)))
}

fn terms(terms: &[String]) -> Option<Terms> {
    let has = |t: &[&str]| terms.iter().any(|x| t.contains(&x.as_str()));
    if has(&["any", "non-haematologic"]) {
        Some(Terms::Any)
    } else if has(&["hepatic failure", "ascites", "hepatic-failure"]) {
        Some(Terms::Liver)
    } else {
        None
    }
}
