//! SDTM-like domains (SDTMIG 3.4): what was observed, one row an observation.

use super::subject::Subject;
use super::{Design, Table, Value, extra, integer, number, text};
use hepatica_regimen::course::Sample;
use hepatica_regimen::ctcae::{Graded, Term, Version};
use hepatica_regimen::dose::Piece;
use hepatica_regimen::measure::Measure;
use hepatica_regimen::outcome::Scans;
use hepatica_regimen::protocol::Protocol;
use hepatica_regimen::response::{Criteria, Lesion, NonTargetState, Scan, Scope};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// The designs, in the order of [`domains`].
pub static DESIGNS: &[&Design] = &[&DM, &EX, &PR, &AE, &LB, &VS, &TU, &TR, &RS];

/// Demographics.
pub static DM: Design = Design {
    name: "DM",
    label: "Demographics",
    row_per: "patient",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        text("SUBJID", "Subject Identifier for the Study"),
        text("RFSTDTC", "Subject Reference Start Date/Time"),
        text("RFENDTC", "Subject Reference End Date/Time"),
        text("RFXSTDTC", "Date/Time of First Study Treatment"),
        text("RFXENDTC", "Date/Time of Last Study Treatment"),
        text("RFPENDTC", "Date/Time of End of Participation"),
        text("DTHDTC", "Date/Time of Death"),
        text("DTHFL", "Subject Death Flag"),
        text("SITEID", "Study Site Identifier"),
        number("AGE", "Age"),
        text("AGEU", "Age Units"),
        text("SEX", "Sex"),
        text("RACE", "Race"),
        text("ARMCD", "Planned Arm Code"),
        text("ARM", "Description of Planned Arm"),
        text("ACTARMCD", "Actual Arm Code"),
        text("ACTARM", "Description of Actual Arm"),
        text("ARMNRS", "Reason Arm and/or Actual Arm is Null"),
        text("COUNTRY", "Country"),
    ],
};

/// Exposure.
pub static EX: Design = Design {
    name: "EX",
    label: "Exposure",
    row_per: "drug and stretch of days with the same dose in a cycle, and for each session",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("EXSEQ", "Sequence Number"),
        text("EXREFID", "Reference ID"),
        text("EXTRT", "Name of Treatment"),
        text("EXCAT", "Category of Treatment"),
        number("EXDOSE", "Dose"),
        text("EXDOSU", "Dose Units"),
        text("EXDOSFRM", "Dose Form"),
        text("EXDOSFRQ", "Dosing Frequency per Interval"),
        text("EXROUTE", "Route of Administration"),
        text("EXLOC", "Location of Dose Administration"),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("EXSTDTC", "Start Date/Time of Treatment"),
        text("EXENDTC", "End Date/Time of Treatment"),
        integer("EXSTDY", "Study Day of Start of Treatment"),
        integer("EXENDY", "Study Day of End of Treatment"),
        extra(text("EXPRESFL", "Dose is the Prescribed One Flag")),
        extra(number("EXRESID", "Activity Left Behind (GBq)")),
    ],
};

/// Procedures.
pub static PR: Design = Design {
    name: "PR",
    label: "Procedures",
    row_per: "procedure",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("PRSEQ", "Sequence Number"),
        text("PRREFID", "Reference ID"),
        text("PRTRT", "Reported Name of Procedure"),
        text("PRCAT", "Category"),
        text("PRLOC", "Location of Procedure"),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("PRSTDTC", "Start Date/Time of Procedure"),
        integer("PRSTDY", "Study Day of Start of Procedure"),
    ],
};

/// Adverse events.
pub static AE: Design = Design {
    name: "AE",
    label: "Adverse Events",
    row_per: "stretch of days on which a toxicity had a grade",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("AESEQ", "Sequence Number"),
        text("AEGRPID", "Group ID"),
        text("AETERM", "Reported Term for the Adverse Event"),
        text("AEDECOD", "Dictionary-Derived Term"),
        text("AEREL", "Causality"),
        extra(text("AERELTO", "What it is Put Down to")),
        text("AEOUT", "Outcome of Adverse Event"),
        text("AESDTH", "Results in Death"),
        text("AETOXGR", "Standard Toxicity Grade"),
        extra(integer("AETOXVER", "Version of CTCAE")),
        text("EPOCH", "Epoch"),
        text("AESTDTC", "Start Date/Time of Adverse Event"),
        text("AEENDTC", "End Date/Time of Adverse Event"),
        integer("AESTDY", "Study Day of Start of Adverse Event"),
        integer("AEENDY", "Study Day of End of Adverse Event"),
        text("AEENRTPT", "End Relative to Reference Time Point"),
        text("AEENTPT", "End Reference Time Point"),
    ],
};

/// Laboratory values.
pub static LB: Design = Design {
    name: "LB",
    label: "Laboratory Test Results",
    row_per: "laboratory value",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("LBSEQ", "Sequence Number"),
        text("LBTESTCD", "Lab Test or Examination Short Name"),
        text("LBTEST", "Lab Test or Examination Name"),
        text("LBORRES", "Result or Finding in Original Units"),
        text("LBORRESU", "Original Units"),
        text("LBORNRLO", "Reference Range Lower Limit in Orig Unit"),
        text("LBORNRHI", "Reference Range Upper Limit in Orig Unit"),
        text("LBSTRESC", "Character Result/Finding in Std Format"),
        number("LBSTRESN", "Numeric Result/Finding in Standard Units"),
        text("LBSTRESU", "Standard Units"),
        number("LBSTNRLO", "Reference Range Lower Limit-Std Units"),
        number("LBSTNRHI", "Reference Range Upper Limit-Std Units"),
        text("LBNRIND", "Reference Range Indicator"),
        text("LBLOBXFL", "Last Observation Before Exposure Flag"),
        text("LBTOX", "Toxicity"),
        text("LBTOXGR", "Standard Toxicity Grade"),
        extra(integer("LBTOXVER", "Version of CTCAE")),
        extra(integer("LBTOXLO", "Lowest Grade it may be")),
        extra(integer("LBTOXHI", "Highest Grade it may be")),
        extra(text("LBTOXNED", "What the Grade Needs")),
        extra(text("LBTXTBFL", "Limits are from a Textbook Flag")),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("LBDTC", "Date/Time of Specimen Collection"),
        integer("LBDY", "Study Day of Specimen Collection"),
    ],
};

/// Vital signs.
pub static VS: Design = Design {
    name: "VS",
    label: "Vital Signs",
    row_per: "value",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("VSSEQ", "Sequence Number"),
        text("VSTESTCD", "Vital Signs Test Short Name"),
        text("VSTEST", "Vital Signs Test Name"),
        text("VSORRES", "Result or Finding in Original Units"),
        text("VSORRESU", "Original Units"),
        text("VSSTRESC", "Character Result/Finding in Std Format"),
        number("VSSTRESN", "Numeric Result/Finding in Standard Units"),
        text("VSSTRESU", "Standard Units"),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("VSDTC", "Date/Time of Measurements"),
        integer("VSDY", "Study Day of Vital Signs"),
    ],
};

/// Lesions identified.
pub static TU: Design = Design {
    name: "TU",
    label: "Tumor/Lesion Identification",
    row_per: "lesion or site of disease, when first seen",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("TUSEQ", "Sequence Number"),
        text("TULNKID", "Link ID"),
        text("TUTESTCD", "Tumor/Lesion ID Short Name"),
        text("TUTEST", "Tumor/Lesion ID Test Name"),
        text("TUORRES", "Tumor/Lesion ID Result"),
        text("TUSTRESC", "Tumor/Lesion ID Result Std. Format"),
        text("TULOC", "Location of the Tumor/Lesion"),
        extra(text("TUREGION", "Region: Liver or Outside it")),
        text("TUEVAL", "Evaluator"),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("TUDTC", "Date/Time of Tumor/Lesion Identification"),
        integer("TUDY", "Study Day of Identification"),
    ],
};

/// Lesions measured.
pub static TR: Design = Design {
    name: "TR",
    label: "Tumor/Lesion Results",
    row_per: "lesion, measurement and scan, and for each sum of the targets",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("TRSEQ", "Sequence Number"),
        text("TRGRPID", "Group ID"),
        text("TRLNKID", "Link ID"),
        text("TRTESTCD", "Tumor/Lesion Assessment Short Name"),
        text("TRTEST", "Tumor/Lesion Assessment Test Name"),
        text("TRORRES", "Result or Finding in Original Units"),
        text("TRORRESU", "Original Units"),
        text("TRSTRESC", "Character Result/Finding in Std Format"),
        number("TRSTRESN", "Numeric Result/Finding in Standard Units"),
        text("TRSTRESU", "Standard Units"),
        text("TRSTAT", "Completion Status"),
        text("TREVAL", "Evaluator"),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("TRDTC", "Date/Time of Tumor/Lesion Measurement"),
        integer("TRDY", "Study Day of Tumor/Lesion Measurement"),
    ],
};

/// Response.
pub static RS: Design = Design {
    name: "RS",
    label: "Disease Response and Clin Classification",
    row_per: "scan, region and kind of response",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("DOMAIN", "Domain Abbreviation"),
        text("USUBJID", "Unique Subject Identifier"),
        integer("RSSEQ", "Sequence Number"),
        text("RSTESTCD", "Assessment Short Name"),
        text("RSTEST", "Assessment Name"),
        text("RSCAT", "Category for Assessment"),
        text("RSSCAT", "Subcategory: Region"),
        text("RSORRES", "Result or Finding in Original Units"),
        text("RSSTRESC", "Character Result/Finding in Std Format"),
        text("RSEVAL", "Evaluator"),
        text("VISIT", "Visit Name"),
        text("EPOCH", "Epoch"),
        text("RSDTC", "Date/Time of Assessment"),
        integer("RSDY", "Study Day of Assessment"),
    ],
};

/// The domains.
#[must_use]
pub fn domains(subjects: &[Subject<'_>]) -> Vec<Table> {
    let mut tables: Vec<Table> = DESIGNS.iter().map(|d| Table::new(d)).collect();
    if let [dm, ex, pr, ae, lb, vs, tu, tr, rs] = &mut tables[..] {
        for s in subjects {
            let key = s.key();
            demographics(s, &key, dm);
            exposure(s, &key, ex);
            procedures(s, &key, pr);
            adverse_events(s, &key, ae);
            laboratory(s, &key, lb);
            vital_signs(s, &key, vs);
            lesions(s, &key, tu, tr);
            responses(s, &key, rs);
        }
    }
    tables
}

fn iso(date: Date) -> String {
    date.to_string()
}

fn flag(yes: bool) -> Value {
    Value::from(yes.then_some("Y"))
}

/// Identifier of a protocol as the code of an arm: at most 20 characters.
pub(super) fn arm_code(protocol: &Protocol) -> String {
    protocol.id.to_uppercase().chars().take(20).collect()
}

pub(super) fn sex(s: &Subject<'_>) -> &'static str {
    match s.is_male() {
        Some(true) => "M",
        Some(false) => "F",
        None => "U",
    }
}

fn demographics(s: &Subject<'_>, key: &str, table: &mut Table) {
    let treated = s.treated(&s.exposures());
    let death = s.course.death.filter(|d| s.until(*d));
    let age = s.age();
    let begun = s.until(s.start());
    let code = arm_code(s.protocol);
    let actual = treated.map(|_| s.protocol.name.as_str());
    table.push([
        ("STUDYID", s.study().into()),
        ("DOMAIN", "DM".into()),
        ("USUBJID", key.into()),
        ("SUBJID", s.course.patient.into()),
        ("RFSTDTC", begun.then(|| iso(s.start())).into()),
        ("RFENDTC", s.state.ended.map(|(on, _)| iso(on)).into()),
        ("RFXSTDTC", treated.map(|(first, _)| iso(first)).into()),
        ("RFXENDTC", treated.map(|(_, last)| iso(last)).into()),
        ("RFPENDTC", death.or_else(|| s.last_known()).map(iso).into()),
        ("DTHDTC", death.map(iso).into()),
        ("DTHFL", flag(death.is_some())),
        ("SITEID", s.site.into()),
        ("AGE", age.into()),
        ("AGEU", age.map(|_| "YEARS").into()),
        ("SEX", sex(s).into()),
        ("ARMCD", code.as_str().into()),
        ("ARM", s.protocol.name.as_str().into()),
        ("ACTARMCD", treated.map(|_| code.as_str()).into()),
        ("ACTARM", actual.into()),
        ("ARMNRS", actual.is_none().then_some("ASSIGNED, NOT TREATED").into()),
    ]);
}

/// CDISC's word for so many times a day.
fn frequency(times: u32) -> String {
    match times {
        1 => "QD".to_owned(),
        2 => "BID".to_owned(),
        3 => "TID".to_owned(),
        4 => "QID".to_owned(),
        n => format!("{n} TIMES PER DAY"),
    }
}

/// Day and, if it was said, time.
fn moment(on: Date, at: Option<jiff::civil::Time>) -> String {
    at.map_or_else(|| iso(on), |at| format!("{on}T{at}"))
}

fn exposure(s: &Subject<'_>, key: &str, table: &mut Table) {
    let mut sequence = 0_i64;
    for e in s.exposures() {
        sequence += 1;
        let drug = s.protocol.drug(e.drug);
        let form = drug.map(|d| match d.form.as_ref().map(|f| f.piece) {
            Some(Piece::Tablet) => ("TABLET", "ORAL"),
            Some(Piece::Capsule) => ("CAPSULE", "ORAL"),
            None => ("INJECTION", "INTRAVENOUS"),
        });
        table.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "EX".into()),
            ("USUBJID", key.into()),
            ("EXSEQ", sequence.into()),
            ("EXREFID", e.drug.into()),
            ("EXTRT", drug.map_or(e.drug, |d| &d.name).to_uppercase().into()),
            ("EXCAT", "DRUG".into()),
            ("EXDOSE", e.mg_per_intake.into()),
            ("EXDOSU", e.mg_per_intake.map(|_| "mg").into()),
            ("EXDOSFRM", form.map(|f| f.0).into()),
            ("EXDOSFRQ", drug.map(|d| frequency(d.times_a_day(s.course.variant))).into()),
            ("EXROUTE", form.map(|f| f.1).into()),
            ("VISIT", s.visit(e.from).into()),
            ("EPOCH", s.epoch(e.from).into()),
            ("EXSTDTC", iso(e.from).into()),
            ("EXENDTC", iso(e.to).into()),
            ("EXSTDY", s.day(e.from).into()),
            ("EXENDY", s.day(e.to).into()),
            ("EXPRESFL", flag(e.prescribed && e.mg_per_intake.is_some())),
        ]);
    }
    for session in s.course.sessions.iter().filter(|x| s.until(x.on)) {
        sequence += 1;
        let when = moment(session.on, session.at);
        table.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "EX".into()),
            ("USUBJID", key.into()),
            ("EXSEQ", sequence.into()),
            ("EXREFID", session.procedure.into()),
            ("EXTRT", s.course.device.unwrap_or("microspheres").to_uppercase().into()),
            ("EXCAT", "RADIOEMBOLIZATION".into()),
            ("EXDOSE", session.activity_gbq.into()),
            ("EXDOSU", "GBq".into()),
            ("EXDOSFRM", "SUSPENSION".into()),
            ("EXDOSFRQ", "ONCE".into()),
            ("EXROUTE", "INTRA-ARTERIAL".into()),
            ("EXLOC", session.territory.map(str::to_uppercase).into()),
            ("VISIT", s.visit(session.on).into()),
            ("EPOCH", s.epoch(session.on).into()),
            ("EXSTDTC", when.clone().into()),
            ("EXENDTC", when.into()),
            ("EXSTDY", s.day(session.on).into()),
            ("EXENDY", s.day(session.on).into()),
            ("EXRESID", session.residual_gbq.into()),
        ]);
    }
}

fn procedures(s: &Subject<'_>, key: &str, table: &mut Table) {
    use hepatica_regimen::ProcedureKind::Simulation;
    let c = s.course;
    let name = |id: &str| {
        let known = s.protocol.procedure.iter().find(|p| p.id == id);
        known.map_or_else(|| id.to_owned(), |p| p.name.clone())
    };
    let simulation = s.protocol.procedures(Simulation).next().map_or("simulation", |p| &p.id);
    let mut all: Vec<(Date, &str, String, &str, Option<String>)> = Vec::new();
    all.extend(
        c.simulations.iter().map(|(on, _)| (*on, simulation, name(simulation), "SIMULATION", None)),
    );
    all.extend(c.sessions.iter().map(|x| {
        let place = x.territory.map(str::to_uppercase);
        (x.on, x.procedure, name(x.procedure), "RADIOEMBOLIZATION", place)
    }));
    all.extend(c.procedures.iter().map(|(on, id)| (*on, *id, name(id), "OTHER", None)));
    all.extend(c.therapies.iter().map(|t| {
        let place = t.liver.then(|| "LIVER".to_owned());
        (t.on, "", t.name.to_owned(), "THERAPY OUTSIDE THE PROTOCOL", place)
    }));
    all.retain(|p| s.until(p.0));
    all.sort_by(|a, b| (a.0, a.3, a.1, &a.2).cmp(&(b.0, b.3, b.1, &b.2)));
    for (n, (on, id, name, category, place)) in all.into_iter().enumerate() {
        table.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "PR".into()),
            ("USUBJID", key.into()),
            ("PRSEQ", (n + 1).into()),
            ("PRREFID", id.into()),
            ("PRTRT", name.into()),
            ("PRCAT", category.into()),
            ("PRLOC", place.into()),
            ("VISIT", s.visit(on).into()),
            ("EPOCH", s.epoch(on).into()),
            ("PRSTDTC", iso(on).into()),
            ("PRSTDY", s.day(on).into()),
        ]);
    }
}

/// Days on which a toxicity had a grade.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stretch<'a> {
    /// As it was reported.
    pub term: &'a str,
    /// As the NCI writes it in the version of the grade; as reported where no table has it.
    pub decode: String,
    /// Whether it is one of the blood.
    pub haematologic: bool,
    /// Grade, 1 to 5.
    pub grade: u8,
    /// Version of CTCAE.
    pub ctcae: u8,
    /// What it is put down to.
    pub related: &'a [String],
    /// First day.
    pub from: Date,
    /// The day it had another grade, or was over.
    pub to: Option<Date>,
    /// Whether it was over then.
    pub over: bool,
    /// Which episode of this toxicity, the first being 1.
    pub episode: usize,
}

/// The stretches of a course, by first day and term.
pub(super) fn stretches<'a>(s: &Subject<'a>) -> Vec<Stretch<'a>> {
    let mut all: Vec<Stretch<'a>> = Vec::new();
    // By term, whatever it was called: the stretch that goes on, and how many episodes there were.
    let mut open: BTreeMap<String, (Option<usize>, usize)> = BTreeMap::new();
    for t in s.course.toxicities.iter().filter(|t| s.until(t.on)) {
        let known = Term::find(t.term).ok();
        let id = known.map_or_else(|| t.term.to_lowercase(), |k| k.id().to_owned());
        let (running, episodes) = open.entry(id).or_default();
        if let Some(n) = *running {
            let last = &mut all[n];
            if (last.grade, last.ctcae) == (t.grade, t.ctcae) {
                continue;
            }
            (last.to, last.over) = (Some(t.on), t.grade == 0);
        } else if t.grade > 0 {
            *episodes += 1;
        }
        *running = (t.grade > 0).then_some(all.len());
        if t.grade > 0 {
            let version = Version::try_from(t.ctcae).unwrap_or(Version::V5);
            // Death is a day, and nothing is over then.
            let fatal = t.grade == 5;
            all.push(Stretch {
                term: t.term,
                decode: known.map_or_else(|| t.term.to_owned(), |k| k.name(version).to_owned()),
                haematologic: known.is_some_and(Term::is_haematologic),
                grade: t.grade,
                ctcae: t.ctcae,
                related: t.related,
                from: t.on,
                to: fatal.then_some(t.on),
                over: false,
                episode: *episodes,
            });
        }
    }
    all
}

fn adverse_events(s: &Subject<'_>, key: &str, table: &mut Table) {
    for (n, e) in stretches(s).into_iter().enumerate() {
        let ongoing = e.to.is_none();
        let outcome = match e.grade {
            5 => Some("FATAL"),
            _ if e.over => Some("RECOVERED/RESOLVED"),
            _ if ongoing => Some("NOT RECOVERED/NOT RESOLVED"),
            _ => None,
        };
        table.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "AE".into()),
            ("USUBJID", key.into()),
            ("AESEQ", (n + 1).into()),
            ("AEGRPID", format!("{} {}", e.decode, e.episode).into()),
            ("AETERM", e.term.into()),
            ("AEDECOD", e.decode.clone().into()),
            ("AEREL", (!e.related.is_empty()).then_some("RELATED").into()),
            ("AERELTO", e.related.join("; ").into()),
            ("AEOUT", outcome.into()),
            ("AESDTH", flag(e.grade == 5)),
            ("AETOXGR", e.grade.to_string().into()),
            ("AETOXVER", u32::from(e.ctcae).into()),
            ("EPOCH", s.epoch(e.from).into()),
            ("AESTDTC", iso(e.from).into()),
            ("AEENDTC", e.to.map(iso).into()),
            ("AESTDY", s.day(e.from).into()),
            ("AEENDY", e.to.map(|d| s.day(d)).into()),
            ("AEENRTPT", ongoing.then_some("ONGOING").into()),
            ("AEENTPT", ongoing.then(|| iso(s.cutoff)).into()),
        ]);
    }
}

/// CDISC's codes of measures of the laboratory.
const LABORATORY: [(&str, &str, &str); 17] = [
    ("platelets", "PLAT", "Platelets"),
    ("anc", "NEUT", "Neutrophils"),
    ("lymphocytes", "LYM", "Lymphocytes"),
    ("wbc", "WBC", "Leukocytes"),
    ("haemoglobin", "HGB", "Hemoglobin"),
    ("bilirubin", "BILI", "Bilirubin"),
    ("albumin", "ALB", "Albumin"),
    ("alt", "ALT", "Alanine Aminotransferase"),
    ("ast", "AST", "Aspartate Aminotransferase"),
    ("alt_uln", "ALTULN", "ALT over Upper Limit of Normal"),
    ("ast_uln", "ASTULN", "AST over Upper Limit of Normal"),
    ("alp", "ALP", "Alkaline Phosphatase"),
    ("ggt", "GGT", "Gamma Glutamyl Transferase"),
    ("creatinine", "CREAT", "Creatinine"),
    ("creatinine_clearance", "CREATCLR", "Creatinine Clearance"),
    ("inr", "INR", "Prothrombin Intl. Normalized Ratio"),
    ("uracil", "URACIL", "Uracil"),
];

/// CDISC's code of a laboratory test by the measure that it is kept as here.
#[must_use]
pub fn test_code(measure: &str) -> Option<&'static str> {
    LABORATORY.iter().find(|(id, ..)| *id == measure).map(|(_, code, _)| *code)
}

/// CDISC's codes of vital signs.
const VITAL_SIGNS: [(&str, &str, &str); 4] = [
    ("height", "HEIGHT", "Height"),
    ("weight", "WEIGHT", "Weight"),
    ("temperature", "TEMP", "Temperature"),
    ("oxygen_saturation", "OXYSAT", "Oxygen Saturation"),
];

/// A value of the laboratory with its measure and codes.
pub(super) struct Result_<'a> {
    pub code: &'static str,
    pub name: &'static str,
    pub measure: &'static Measure,
    pub sample: &'a Sample,
    /// Whether it is the last one up to the first day.
    pub baseline: bool,
}

fn found<'a>(
    s: &Subject<'a>,
    list: &'static [(&'static str, &'static str, &'static str)],
) -> Vec<Result_<'a>> {
    let mut all = Vec::new();
    for (id, code, name) in list {
        let Ok(measure) = Measure::find(id) else { continue };
        let samples = s.samples(id);
        let last = samples.iter().rposition(|x| x.on <= s.start());
        all.extend(samples.iter().enumerate().map(|(n, sample)| Result_ {
            code,
            name,
            measure,
            sample,
            baseline: Some(n) == last,
        }));
    }
    all
}

/// Laboratory values of a course, by test and day.
pub(super) fn laboratory_values<'a>(s: &Subject<'a>) -> Vec<Result_<'a>> {
    found(s, &LABORATORY)
}

fn laboratory(s: &Subject<'_>, key: &str, table: &mut Table) {
    for (n, r) in laboratory_values(s).into_iter().enumerate() {
        let value = r.sample.value;
        let j = s.judge(r.measure, value);
        let needs = match j.graded {
            Some(Graded::CannotTell { needs, .. }) => Some(needs.to_string()),
            _ => None,
        };
        let term = r.measure.ctcae.as_deref().and_then(|t| Term::find(t).ok());
        let bounds = j.graded.map(Graded::bounds);
        let number = |x: Option<f64>| x.map(|x| x.to_string());
        table.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "LB".into()),
            ("USUBJID", key.into()),
            ("LBSEQ", (n + 1).into()),
            ("LBTESTCD", r.code.into()),
            ("LBTEST", r.name.into()),
            ("LBORRES", value.to_string().into()),
            ("LBORRESU", r.measure.unit.as_str().into()),
            ("LBORNRLO", number(j.lln).into()),
            ("LBORNRHI", number(j.uln).into()),
            ("LBSTRESC", value.to_string().into()),
            ("LBSTRESN", value.into()),
            ("LBSTRESU", r.measure.unit.as_str().into()),
            ("LBSTNRLO", j.lln.into()),
            ("LBSTNRHI", j.uln.into()),
            ("LBNRIND", j.indicator(value).into()),
            ("LBLOBXFL", flag(r.baseline)),
            ("LBTOX", j.graded.zip(term).map(|(g, t)| t.name(g.version())).into()),
            ("LBTOXGR", j.graded.and_then(Graded::grade).map(|g| g.grade.to_string()).into()),
            ("LBTOXVER", j.graded.map(|g| u32::from(u8::from(g.version()))).into()),
            ("LBTOXLO", bounds.map(|b| u32::from(b.0)).into()),
            ("LBTOXHI", bounds.map(|b| u32::from(b.1)).into()),
            ("LBTOXNED", needs.into()),
            ("LBTXTBFL", flag(j.textbook)),
            ("VISIT", s.visit(r.sample.on).into()),
            ("EPOCH", s.epoch(r.sample.on).into()),
            ("LBDTC", moment(r.sample.on, r.sample.at).into()),
            ("LBDY", s.day(r.sample.on).into()),
        ]);
    }
}

fn vital_signs(s: &Subject<'_>, key: &str, table: &mut Table) {
    for (n, r) in found(s, &VITAL_SIGNS).into_iter().enumerate() {
        let value = r.sample.value;
        table.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "VS".into()),
            ("USUBJID", key.into()),
            ("VSSEQ", (n + 1).into()),
            ("VSTESTCD", r.code.into()),
            ("VSTEST", r.name.into()),
            ("VSORRES", value.to_string().into()),
            ("VSORRESU", r.measure.unit.as_str().into()),
            ("VSSTRESC", value.to_string().into()),
            ("VSSTRESN", value.into()),
            ("VSSTRESU", r.measure.unit.as_str().into()),
            ("VISIT", s.visit(r.sample.on).into()),
            ("EPOCH", s.epoch(r.sample.on).into()),
            ("VSDTC", moment(r.sample.on, r.sample.at).into()),
            ("VSDY", s.day(r.sample.on).into()),
        ]);
    }
}

pub(super) const fn region(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "ALL",
        Scope::Liver => "LIVER",
        Scope::OutsideLiver => "OUTSIDE LIVER",
    }
}

pub(super) const fn criteria(criteria: Criteria) -> &'static str {
    match criteria {
        Criteria::Recist11 => "RECIST 1.1",
        Criteria::Mrecist => "MRECIST",
    }
}

const fn state(state: NonTargetState) -> &'static str {
    match state {
        NonTargetState::Cr => "ABSENT",
        NonTargetState::NonCrNonPd => "PRESENT",
        NonTargetState::Pd => "UNEQUIVOCAL PROGRESSION",
        NonTargetState::Ne => "NOT EVALUABLE",
    }
}

pub(super) const fn non_target(state: NonTargetState) -> &'static str {
    match state {
        NonTargetState::Cr => "CR",
        NonTargetState::NonCrNonPd => "NON-CR/NON-PD",
        NonTargetState::Pd => "PD",
        NonTargetState::Ne => "NE",
    }
}

fn site_region(site: &str, node: bool) -> &'static str {
    region(if Scope::Liver.holds(site, node) { Scope::Liver } else { Scope::OutsideLiver })
}

fn lesions(s: &Subject<'_>, key: &str, tu: &mut Table, tr: &mut Table) {
    let scans: Vec<(Date, &Scan)> =
        s.course.scans.iter().copied().filter(|(on, _)| s.until(*on)).collect();
    let baseline = Scans::of(s.course, s.cutoff);
    let targets: BTreeSet<&str> =
        baseline.iter().flat_map(|b| b.baseline.lesions.iter().map(|l| l.id.as_str())).collect();
    let (mut seen, mut tu_seq, mut tr_seq) = (BTreeSet::new(), 0_i64, 0_i64);
    let mut identify = |on: Date, link: &str, what: &str, site: &str, node: bool| {
        if !seen.insert(link.to_owned()) {
            return;
        }
        tu_seq += 1;
        tu.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "TU".into()),
            ("USUBJID", key.into()),
            ("TUSEQ", tu_seq.into()),
            ("TULNKID", link.into()),
            ("TUTESTCD", "TUMIDENT".into()),
            ("TUTEST", "Tumor Identification".into()),
            ("TUORRES", what.into()),
            ("TUSTRESC", what.into()),
            ("TULOC", site.to_uppercase().into()),
            ("TUREGION", site_region(site, node).into()),
            ("TUEVAL", "INVESTIGATOR".into()),
            ("VISIT", s.visit(on).into()),
            ("EPOCH", s.epoch(on).into()),
            ("TUDTC", iso(on).into()),
            ("TUDY", s.day(on).into()),
        ]);
    };
    let mut result = |on: Date, group: &str, link: &str, test: (&str, &str), value: Measurement| {
        tr_seq += 1;
        let (text, number) = match value {
            Measurement::Mm(Some(mm)) => (Some(mm.to_string()), Some(mm)),
            Measurement::Mm(None) => (None, None),
            Measurement::State(state) => (Some(state.to_owned()), None),
        };
        let unit = number.map(|_| "mm");
        tr.push([
            ("STUDYID", s.study().into()),
            ("DOMAIN", "TR".into()),
            ("USUBJID", key.into()),
            ("TRSEQ", tr_seq.into()),
            ("TRGRPID", group.into()),
            ("TRLNKID", link.into()),
            ("TRTESTCD", test.0.into()),
            ("TRTEST", test.1.into()),
            ("TRORRES", text.clone().into()),
            ("TRORRESU", unit.into()),
            ("TRSTAT", text.is_none().then_some("NOT DONE").into()),
            ("TRSTRESC", text.into()),
            ("TRSTRESN", number.into()),
            ("TRSTRESU", unit.into()),
            ("TREVAL", "INVESTIGATOR".into()),
            ("VISIT", s.visit(on).into()),
            ("EPOCH", s.epoch(on).into()),
            ("TRDTC", iso(on).into()),
            ("TRDY", s.day(on).into()),
        ]);
    };
    for (on, scan) in &scans {
        for l in &scan.lesions {
            let what = if targets.contains(l.id.as_str()) { "TARGET" } else { "NOT AT BASELINE" };
            let link = format!("T-{}", l.id);
            identify(*on, &link, what, &l.site, l.node);
            for (test, mm) in measurements(l) {
                result(*on, what, &link, test, Measurement::Mm(mm));
            }
        }
        for n in &scan.non_target {
            let link = format!("NT-{}", n.site.trim().to_lowercase());
            identify(*on, &link, "NON-TARGET", &n.site, false);
            let test = ("TUMSTATE", "Tumor State");
            result(*on, "NON-TARGET", &link, test, Measurement::State(state(n.state)));
        }
        for site in &scan.new_lesions {
            let link = format!("NEW-{}", site.trim().to_lowercase());
            identify(*on, &link, "NEW", site, false);
            let test = ("TUMSTATE", "Tumor State");
            result(*on, "NEW", &link, test, Measurement::State("PRESENT"));
        }
    }
    for a in &s.agenda.outcomes.responses {
        let first = a.baseline_sum_mm.map(|mm| (a.baseline_date, Some(mm)));
        let later = a.points.iter().filter(|_| first.is_some()).map(|p| (p.date, p.sum_mm));
        for (on, mm) in first.into_iter().chain(later) {
            let group = format!("TARGET {}", region(a.scope));
            result(on, &group, "", ("SUMDIAM", "Sum of Diameter"), Measurement::Mm(mm));
        }
    }
}

/// What is said of a lesion.
enum Measurement {
    /// A size; none: it could not be evaluated.
    Mm(Option<f64>),
    /// A state.
    State(&'static str),
}

fn measurements(l: &Lesion) -> Vec<((&'static str, &'static str), Option<f64>)> {
    let whole = if l.node { ("SAXIS", "Short Axis") } else { ("LDIAM", "Longest Diameter") };
    let viable = l.viable_mm.map(|mm| (("VDIAM", "Longest Diameter of Enhancing Part"), Some(mm)));
    std::iter::once((whole, l.diameter_mm)).chain(viable).collect()
}

fn responses(s: &Subject<'_>, key: &str, table: &mut Table) {
    let mut sequence = 0_i64;
    for a in &s.agenda.outcomes.responses {
        for p in &a.points {
            let new = Some(if p.new_lesion { "Y" } else { "N" });
            for (code, name, result) in [
                ("TRGRESP", "Target Response", p.target.map(|r| r.as_str())),
                ("NTRGRESP", "Non-target Response", p.non_target.map(non_target)),
                ("NEWLIND", "New Lesion Indicator", new),
                ("OVRLRESP", "Overall Response", Some(p.overall.as_str())),
            ] {
                let Some(result) = result else { continue };
                sequence += 1;
                table.push([
                    ("STUDYID", s.study().into()),
                    ("DOMAIN", "RS".into()),
                    ("USUBJID", key.into()),
                    ("RSSEQ", sequence.into()),
                    ("RSTESTCD", code.into()),
                    ("RSTEST", name.into()),
                    ("RSCAT", criteria(a.criteria).into()),
                    ("RSSCAT", region(a.scope).into()),
                    ("RSORRES", result.into()),
                    ("RSSTRESC", result.into()),
                    ("RSEVAL", "INVESTIGATOR".into()),
                    ("VISIT", s.visit(p.date).into()),
                    ("EPOCH", s.epoch(p.date).into()),
                    ("RSDTC", iso(p.date).into()),
                    ("RSDY", s.day(p.date).into()),
                ]);
            }
        }
    }
}
