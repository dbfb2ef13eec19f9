//! Forms made from a protocol, on which every fact of a course can be written down and read back:
//! what REDCap calls instruments and ODM forms. [`crate::redcap`] and [`crate::odm`] are two ways to
//! write the same forms.
//!
//! What the protocol names has a field of its own; what it does not know (a drug, a term, a measure)
//! goes into a field beside it, so that nothing is lost. Values are in the base unit of their
//! measure, the unit being in the label.
//!
//! | module | holds |
//! |---|---|
//! | `write` | from a fact to the cells of its form |
//! | `read` | back |
//! | `cell` | lists and lines in one cell |

mod cell;
mod read;
mod write;

pub use write::write_envelope;

use hepatica_regimen::ctcae::{Term, Version};
use hepatica_regimen::event::Fact;
use hepatica_regimen::measure::{Kind as MeasureKind, Measure};
use hepatica_regimen::protocol::{Procedure, ProcedureKind, Protocol, Source};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Most elements of a list or lines of a cell.
const MAX_LIST: usize = 1000;
/// Code of what has no code of its own.
const OTHER: &str = "other";
/// Target lesions with fields of their own, where the protocol does not say how many there are.
const TARGETS: u32 = 5;

/// Measures that a plan gives, not a person.
const PLANNED: [&str; 11] = [
    "lung_shunt_percent",
    "lung_dose_session_gy",
    "lung_dose_cumulative_gy",
    "lung_activity_gbq",
    "normal_liver_dose_gy",
    "tumour_dose_gy",
    "activity_gbq",
    "activity_orderable",
    "extrahepatic_uncorrectable",
    "extrahepatic_correctable",
    "hepatic_reserve_percent",
];
/// Measures that are asked of every patient.
const ALWAYS: [&str; 5] = ["sex", "height", "weight", "who_grade", "ki67_percent"];

/// Numbers that can be: mg of an intake, GBq of a session, mm of a lesion.
const MG: [f64; 2] = [0.0, 100_000.0];
const GBQ: [f64; 2] = [0.0, 100.0];
const MM: [f64; 2] = [0.0, 500.0];

/// What a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// One line.
    Text,
    /// Several lines.
    Notes,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A time, `HH:MM:SS`.
    Time,
    /// A number.
    Number {
        /// Its unit; empty where there is none.
        unit: String,
        /// Lowest and highest that can be.
        range: [f64; 2],
    },
    /// 1 or 0.
    YesNo,
    /// One of these codes, each with its words.
    Choice(Vec<(String, String)>),
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Identifier, unique among all forms: lower case, digits, `_`.
    pub id: String,
    /// For people.
    pub label: String,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether it must be filled.
    pub required: bool,
    /// How to fill it, where that needs saying.
    pub note: &'static str,
    /// It is only filled if this field has one of these codes.
    pub when: Option<(String, Vec<&'static str>)>,
    /// Whether it says who recorded it, when and why: ODM keeps that elsewhere.
    pub audit: bool,
}

/// A form.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Identifier.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// What the identifiers of its fields begin with.
    pub prefix: &'static str,
    /// Whether a patient may have several.
    pub repeating: bool,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// All forms of a protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Forms {
    /// The forms.
    pub forms: Vec<Form>,
}

/// What is in the fields of a form; empty ones are left out.
pub type Cells = BTreeMap<String, String>;

/// A cell that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCell {
    /// The field.
    pub field: String,
    /// What is in it.
    pub found: String,
    /// What would do.
    pub expected: String,
}

/// When and by whom, as on the form.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The day it is true of.
    pub on: Date,
    /// The time.
    pub at: Option<Time>,
    /// When it was recorded; none: not said.
    pub recorded: Option<Timestamp>,
    /// By whom; none: not said.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// A form that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// When and by whom.
    pub envelope: Envelope,
    /// What.
    pub fact: Fact,
    /// Values that a person should confirm, in words.
    pub doubts: Vec<String>,
}

fn field(prefix: &str, id: &str, label: &str, kind: FieldKind) -> Field {
    Field {
        id: format!("{prefix}_{id}"),
        label: label.to_owned(),
        kind,
        required: false,
        note: "",
        when: None,
        audit: false,
    }
}

impl Field {
    fn required(self) -> Self {
        Self { required: true, ..self }
    }
    fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
    fn when(self, field: &str, codes: &[&'static str]) -> Self {
        Self { when: Some((field.to_owned(), codes.to_vec())), ..self }
    }
    fn audit(self) -> Self {
        Self { audit: true, ..self }
    }

    /// Whether its condition holds.
    #[must_use]
    pub fn is_open(&self, cells: &Cells) -> bool {
        self.when.as_ref().is_none_or(|(field, codes)| {
            cells.get(field).is_some_and(|found| codes.contains(&found.as_str()))
        })
    }
}

fn number(unit: &str, range: [f64; 2]) -> FieldKind {
    FieldKind::Number { unit: unit.to_owned(), range }
}

fn choice<'a>(codes: impl IntoIterator<Item = (&'a str, &'a str)>) -> FieldKind {
    FieldKind::Choice(codes.into_iter().map(|(c, l)| (c.to_owned(), l.to_owned())).collect())
}

/// A choice with a field beside it for what is not in the list.
fn open_choice<'a>(
    prefix: &str,
    id: &str,
    label: &str,
    codes: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> [Field; 2] {
    let codes = codes.into_iter().filter(|c| c.0 != OTHER).chain([(OTHER, "another one")]);
    let own = field(prefix, id, label, choice(codes)).required();
    let other = field(prefix, &format!("{id}_other"), &format!("{label}: which"), FieldKind::Text);
    let other = other.required().when(&own.id, &[OTHER]);
    [own, other]
}

fn measure_field(prefix: &str, m: &Measure) -> Field {
    let kind = match m.kind {
        MeasureKind::YesNo if m.show(1.0) == "yes" => FieldKind::YesNo,
        MeasureKind::YesNo => choice([("0", m.show(0.0).as_str()), ("1", m.show(1.0).as_str())]),
        MeasureKind::Number | MeasureKind::Score => number(&m.unit, m.possible),
    };
    field(prefix, &m.id, &m.name, kind)
}

/// Measures that the protocol asks for, in the order of the registry.
fn asked(
    protocol: &Protocol,
) -> (Vec<&'static Measure>, Vec<&'static Measure>, Vec<&'static Measure>) {
    let mut entry: BTreeSet<&str> = ALWAYS.into_iter().collect();
    let mut later: BTreeSet<&str> = BTreeSet::new();
    for gate in &protocol.gate {
        let at_entry = gate.guards.iter().all(|g| g == "start");
        let into = if at_entry { &mut entry } else { &mut later };
        into.extend(gate.criterion.iter().map(|c| c.measure.as_str()));
    }
    later.extend(protocol.assessment.iter().flat_map(|a| a.measures.iter().map(String::as_str)));
    later.extend(protocol.modification.iter().filter_map(|m| m.measure.as_deref()));
    later
        .extend(protocol.drug.iter().flat_map(|d| d.adjustment.iter()).map(|a| a.measure.as_str()));
    later.extend(
        protocol.procedure.iter().filter_map(|p| Some(p.only_if.as_ref()?.measure.as_str())),
    );
    let planned = |m: &&Measure| PLANNED.contains(&m.id.as_str());
    let of = |set: &BTreeSet<&str>, plan: bool| -> Vec<&'static Measure> {
        let all = Measure::all().iter();
        all.filter(|m| set.contains(m.id.as_str()) && planned(m) == plan).collect()
    };
    let plan = of(&entry.union(&later).copied().collect(), true);
    (of(&entry, false), of(&later, false), plan)
}

fn is_kind(kind: ProcedureKind) -> impl Fn(&&Procedure) -> bool {
    move |p| p.kind == kind
}

impl Forms {
    /// The forms of a protocol.
    #[must_use]
    pub fn of(protocol: &Protocol) -> Self {
        let (entry, later, plan) = asked(protocol);
        let named = |kind: ProcedureKind| {
            let all = protocol.procedure.iter().filter(is_kind(kind));
            all.map(|p| (p.id.as_str(), p.name.as_str())).collect::<Vec<_>>()
        };
        let lines = "one a line: name = value";
        let list = "separated by `; `";

        let mut course = vec![
            field("crs", "protocol", "Protocol", FieldKind::Text).required(),
            field("crs", "version", "Version of the protocol", FieldKind::Text).required(),
            field("crs", "sha256", "SHA-256 of the protocol", FieldKind::Text),
        ];
        let variants: Vec<_> =
            protocol.variant.iter().map(|v| (v.id.as_str(), v.name.as_str())).collect();
        let variant = |prefix: &str| {
            let [own, other] = open_choice(prefix, "variant", "Dose variant", variants.clone());
            [Field { required: false, ..own }, other]
        };
        course.extend(variant("crs"));
        course.push(field("crs", "c1d1", "Day 1 of cycle 1", FieldKind::Date).required());

        let mut enrolment = vec![field("enr", "birth", "Day of birth", FieldKind::Date)];
        enrolment.extend(variant("enr"));
        enrolment.extend(entry.iter().map(|m| measure_field("enr", m)));
        enrolment.push(field("enr", "more", "Other values", FieldKind::Notes).note(lines));

        let mut labs: Vec<Field> = later.iter().map(|m| measure_field("lab", m)).collect();
        labs.push(field("lab", "more", "Other values", FieldKind::Notes).note(lines));

        let mut normal = Vec::new();
        for m in later.iter().filter(|m| m.kind == MeasureKind::Number && !m.unit.is_empty()) {
            for (end, words) in [("lln", "lower"), ("uln", "upper")] {
                let label = format!("{}: {words} limit of normal", m.name);
                normal.push(field(
                    "nrm",
                    &format!("{}_{end}", m.id),
                    &label,
                    number(&m.unit, m.possible),
                ));
            }
        }
        normal.push(field("nrm", "more_lln", "Other lower limits", FieldKind::Notes).note(lines));
        normal.push(field("nrm", "more_uln", "Other upper limits", FieldKind::Notes).note(lines));

        let drugs = protocol.drug.iter().map(|d| (d.id.as_str(), d.name.as_str()));
        let mut doses: Vec<Field> = open_choice("dose", "drug", "Drug", drugs).into();
        doses.push(field("dose", "taken", "Taken", FieldKind::YesNo).required());
        doses.push(field("dose", "until", "Last day, if not the same", FieldKind::Date));
        doses.push(field("dose", "mg", "Each intake, if not as prescribed", number("mg", MG)));

        let version = Version::try_from(protocol.ctcae).unwrap_or(Version::V5);
        let terms = Term::all().map(|t| (t.id(), t.name(version)));
        let mut toxicity: Vec<Field> = open_choice("tox", "term", "Toxicity", terms).into();
        let grades = [
            ("0", "over"),
            ("1", "grade 1"),
            ("2", "grade 2"),
            ("3", "grade 3"),
            ("4", "grade 4"),
            ("5", "grade 5: death"),
        ];
        toxicity.push(field("tox", "grade", "Grade from this day", choice(grades)).required());
        let versions = choice([("5", "CTCAE v5"), ("6", "CTCAE v6")]);
        toxicity.push(field("tox", "ctcae", "Version of CTCAE", versions).required());
        toxicity.push(field("tox", "related", "Put down to", FieldKind::Text).note(list));

        let mut simulation = vec![
            field("sim", "plan_sha256", "SHA-256 of the plan", FieldKind::Text),
            field("sim", "device", "Device", FieldKind::Text),
            field("sim", "activities", "Planned activity of each session (GBq)", FieldKind::Text)
                .note(list),
        ];
        simulation.extend(plan.iter().map(|m| measure_field("sim", m)));
        simulation.push(
            field("sim", "more", "Other results", FieldKind::Notes)
                .note("one a line: name = value, or name = value [lowest; highest]"),
        );
        simulation.push(
            field("sim", "limits", "Limits", FieldKind::Notes)
                .note("one a line: name = value ; source"),
        );

        let sessions = named(ProcedureKind::Radioembolization);
        let mut session: Vec<Field> = open_choice("ses", "procedure", "Session", sessions).into();
        session.push(field("ses", "territory", "Territory", FieldKind::Text));
        session.push(
            field("ses", "activity", "Activity that left the vial", number("GBq", GBQ)).required(),
        );
        session.push(field("ses", "residual", "Activity that stayed behind", number("GBq", GBQ)));
        session.push(field("ses", "device", "Device", FieldKind::Text));

        let others = named(ProcedureKind::Other);
        let procedure: Vec<Field> = open_choice("prc", "procedure", "Procedure", others).into();

        let mut scan = Vec::new();
        let targets = protocol.response.as_ref().map_or(TARGETS, |r| r.targets_max).min(10);
        for n in 1..=targets {
            let f = |id: &str, label: &str, kind| {
                field("scn", &format!("t{n}_{id}"), &format!("Target lesion {n}: {label}"), kind)
            };
            scan.push(f("id", "identifier", FieldKind::Text));
            scan.push(f("site", "site", FieldKind::Text).note("the organ first: liver segment 4"));
            scan.push(f("node", "a lymph node", FieldKind::YesNo));
            scan.push(f("mm", "longest diameter (short axis of a node)", number("mm", MM)));
            scan.push(f("viable", "enhancing part", number("mm", MM)));
        }
        scan.push(
            field("scn", "more", "Further target lesions", FieldKind::Notes)
                .note("one a line: identifier; site; node 1 or 0; mm; mm enhancing"),
        );
        scan.push(
            field("scn", "non_target", "Other disease", FieldKind::Notes)
                .note("one a line: site = cr, non-cr-non-pd, pd or ne"),
        );
        scan.push(field("scn", "new", "Sites of new lesions", FieldKind::Text).note(list));

        let kinds = choice([
            ("therapy", "another treatment"),
            ("hold", "drugs held by decision"),
            ("resume", "drugs taken again"),
            ("override", "a criterion waived"),
            ("withdrawal", "left the treatment"),
            ("death", "died"),
        ]);
        let kind = "sta_kind";
        let status = vec![
            field("sta", "kind", "What happened", kinds).required(),
            field("sta", "therapy", "Treatment", FieldKind::Text)
                .required()
                .when(kind, &["therapy"]),
            field("sta", "liver", "Directed at the liver", FieldKind::YesNo)
                .required()
                .when(kind, &["therapy"]),
            field("sta", "drugs", "Drugs; none named: all", FieldKind::Text)
                .note(list)
                .when(kind, &["hold", "resume"]),
            field("sta", "gate", "Gate", FieldKind::Text).required().when(kind, &["override"]),
            field("sta", "criterion", "Criterion", FieldKind::Text)
                .required()
                .when(kind, &["override"]),
            field("sta", "until", "Last day it is waived", FieldKind::Date)
                .when(kind, &["override"]),
        ];

        let form = |id, name, prefix, repeating, content: Vec<Field>| {
            let mut fields = vec![
                field(prefix, "on", "Day it is true of", FieldKind::Date).required(),
                field(prefix, "at", "Time, where it matters", FieldKind::Time),
            ];
            fields.extend(content);
            fields.push(
                field(prefix, "recorded", "Recorded", FieldKind::Text)
                    .note("UTC, as in 2027-01-04T09:30:00Z; empty: when it is imported")
                    .audit(),
            );
            fields.push(field(prefix, "by", "Recorded by", FieldKind::Text).audit());
            fields.push(field(prefix, "why", "Why", FieldKind::Notes).audit());
            Form { id, name, prefix, repeating, fields }
        };
        Self {
            forms: vec![
                form("course", "Course", "crs", false, course),
                form("enrolment", "Enrolment", "enr", true, enrolment),
                form("labs", "Laboratory and visit", "lab", true, labs),
                form("normal_limits", "Limits of normal", "nrm", true, normal),
                form("doses", "Doses", "dose", true, doses),
                form("toxicity", "Toxicity", "tox", true, toxicity),
                form("simulation", "Simulation procedure", "sim", true, simulation),
                form("session", "Radioembolization", "ses", true, session),
                form("procedure", "Other procedure", "prc", true, procedure),
                form("scan", "Scan", "scn", true, scan),
                form("status", "Status", "sta", true, status),
            ],
        }
    }

    /// The form of that identifier.
    #[must_use]
    pub fn form(&self, id: &str) -> Option<&Form> {
        self.forms.iter().find(|f| f.id == id)
    }

    /// The form and the cells of a fact; none for what no form holds (a correction, a migration).
    #[must_use]
    pub fn write(&self, fact: &Fact) -> Option<(&Form, Cells)> {
        let form = self.form(form_of(fact)?)?;
        let mut w = write::Writer { form, cells: Cells::new() };
        w.fact(fact);
        w.cells.retain(|_, text| !text.is_empty());
        Some((form, w.cells))
    }

    /// Reads a form.
    ///
    /// # Errors
    /// Every cell that cannot be used.
    pub fn read(&self, form: &Form, cells: &Cells, source: &Source) -> Result<Read, Vec<BadCell>> {
        let mut r = read::Reader { form, cells, bad: Vec::new(), doubts: Vec::new() };
        for f in form.fields.iter().filter(|f| !f.is_open(cells)) {
            if let (Some(found), Some((other, codes))) = (cells.get(&f.id), &f.when) {
                let expected = format!("nothing, unless {other} is {}", codes.join(" or "));
                r.bad.push(BadCell { field: f.id.clone(), found: found.clone(), expected });
            }
        }
        let envelope = r.envelope();
        let fact = r.fact(source);
        match (envelope, fact, r.bad.is_empty()) {
            (Some(envelope), Some(fact), true) => Ok(Read { envelope, fact, doubts: r.doubts }),
            _ => Err(r.bad),
        }
    }
}

const fn form_of(fact: &Fact) -> Option<&'static str> {
    Some(match fact {
        Fact::Begin { .. } => "course",
        Fact::Enrolment { .. } => "enrolment",
        Fact::Labs { .. } => "labs",
        Fact::Normal { .. } => "normal_limits",
        Fact::Doses { .. } => "doses",
        Fact::Toxicity { .. } => "toxicity",
        Fact::Simulation(_) => "simulation",
        Fact::Session { .. } => "session",
        Fact::Procedure { .. } => "procedure",
        Fact::Scan { .. } => "scan",
        Fact::Therapy { .. }
        | Fact::Hold { .. }
        | Fact::Resume { .. }
        | Fact::Override { .. }
        | Fact::Withdrawal {}
        | Fact::Death {} => "status",
        Fact::Migration { .. } | Fact::Correction { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_that_redcap_takes() {
        for name in Protocol::shipped() {
            let forms = Forms::of(&Protocol::named(name).expect("shipped"));
            let mut seen = BTreeSet::new();
            for f in forms.forms.iter().flat_map(|f| &f.fields) {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                assert!(f.id.bytes().all(plain) && f.id.len() <= 100, "{}", f.id);
                assert!(seen.insert(&f.id), "{name}: {} twice", f.id);
            }
        }
    }
}
