//! ADaM-like datasets (ADaMIG 1.3): what is analysed. Dates are dates, times are days.

use super::sdtm::{self, arm_code, criteria, region, sex, stretches};
use super::subject::Subject;
use super::{Design, Table, Value, date, extra, integer, number, text};
use hepatica_regimen::course::days_between;
use hepatica_regimen::ctcae::{Graded, Term};
use hepatica_regimen::endpoint::{Outcome, OutcomeKind};
use hepatica_regimen::protocol::End;
use hepatica_regimen::response::{Response, Scope};
use hepatica_regimen::state::Begun;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// The designs, in the order of [`datasets`].
pub static DESIGNS: &[&Design] = &[&ADSL, &ADTTE, &ADRS, &ADTR, &ADAE, &ADLB];

/// Subjects.
pub static ADSL: Design = Design {
    name: "ADSL",
    label: "Subject-Level Analysis Dataset",
    row_per: "patient",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("USUBJID", "Unique Subject Identifier"),
        text("SUBJID", "Subject Identifier for the Study"),
        text("SITEID", "Study Site Identifier"),
        number("AGE", "Age"),
        text("AGEU", "Age Units"),
        text("SEX", "Sex"),
        text("ARMCD", "Planned Arm Code"),
        text("ARM", "Description of Planned Arm"),
        text("TRT01P", "Planned Treatment for Period 01"),
        text("TRT01A", "Actual Treatment for Period 01"),
        extra(text("PROTVER", "Version of the Protocol")),
        extra(text("DOSEVAR", "Dose Variant")),
        text("ITTFL", "Intent-To-Treat Population Flag"),
        text("SAFFL", "Safety Population Flag"),
        extra(text("DRUGFL", "Any Drug Taken Flag")),
        extra(text("SESSFL", "Any Session Given Flag")),
        extra(text("BOTHFL", "Drugs and Session Given Flag")),
        date("ENRLDT", "Date of Enrollment"),
        extra(date("C1D1DT", "Date of Day 1 of Cycle 1")),
        date("TRTSDT", "Date of First Exposure to Treatment"),
        date("TRTEDT", "Date of Last Exposure to Treatment"),
        integer("TRTDURD", "Total Treatment Duration (Days)"),
        text("EOTSTT", "End of Treatment Status"),
        extra(date("EOTDT", "Date of End of Treatment")),
        text("DCTREAS", "Reason for Discontinuation of Treatment"),
        extra(integer("NCYCLE", "Cycles Begun")),
        extra(text("C1STOPFL", "Ended Before Cycle 2 Began Flag")),
        extra(date("SIMDT", "Date of the Last Simulation")),
        extra(number("LSHUNTP", "Lung Shunt (%)")),
        extra(integer("NSESS", "Sessions Given")),
        extra(date("SES1DT", "Date of Session 1")),
        extra(integer("SES1CYC", "Cycle of Session 1")),
        extra(integer("SES1CDY", "Day of the Cycle of Session 1")),
        extra(number("SES1GBQ", "Activity of Session 1 (GBq)")),
        extra(date("SES2DT", "Date of Session 2")),
        extra(integer("SES2CYC", "Cycle of Session 2")),
        extra(integer("SES2CDY", "Day of the Cycle of Session 2")),
        extra(number("SES2GBQ", "Activity of Session 2 (GBq)")),
        extra(number("SESSGBQ", "Activity of All Sessions (GBq)")),
        date("DTHDT", "Date of Death"),
        text("DTHFL", "Subject Death Flag"),
        extra(date("WITHDT", "Date of Withdrawal")),
        date("LSTALVDT", "Date Last Known Alive"),
        extra(date("DCUTDT", "Date of Data Cut")),
        number("HEIGHTBL", "Baseline Height (cm)"),
        number("WEIGHTBL", "Baseline Weight (kg)"),
        extra(number("ECOGBL", "Baseline ECOG Performance Status")),
        extra(number("WHOGRBL", "Baseline WHO Grade")),
        extra(number("KI67BL", "Baseline Ki-67 (%)")),
        extra(number("TUMBURBL", "Baseline Tumour Burden of the Liver (%)")),
    ],
};

/// Time to event.
pub static ADTTE: Design = Design {
    name: "ADTTE",
    label: "Time-to-Event Analysis Dataset",
    row_per: "patient and endpoint of the protocol",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("USUBJID", "Unique Subject Identifier"),
        text("TRTP", "Planned Treatment"),
        text("PARAM", "Parameter"),
        text("PARAMCD", "Parameter Code"),
        date("STARTDT", "Time-to-Event Origin Date for Subject"),
        date("ADT", "Analysis Date"),
        integer("AVAL", "Analysis Value (Days)"),
        integer("CNSR", "Censor"),
        text("EVNTDESC", "Event or Censoring Description"),
        text("CNSDTDSC", "Censor Date Description"),
        extra(date("CMPDT", "Date of First Competing Event")),
        extra(text("CMPDESC", "First Competing Event")),
        extra(text("PARAMID", "Endpoint in the Protocol")),
    ],
};

/// Response.
pub static ADRS: Design = Design {
    name: "ADRS",
    label: "Response Analysis Dataset",
    row_per: "patient, region and scan (OVR), and patient and region (BOR, CBOR)",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("USUBJID", "Unique Subject Identifier"),
        text("TRTP", "Planned Treatment"),
        text("PARAM", "Parameter"),
        text("PARAMCD", "Parameter Code"),
        text("PARCAT1", "Parameter Category 1: Criteria"),
        text("PARCAT2", "Parameter Category 2: Region"),
        date("ADT", "Analysis Date"),
        integer("ADY", "Analysis Relative Day"),
        text("AVISIT", "Analysis Visit"),
        integer("AVAL", "Analysis Value"),
        text("AVALC", "Analysis Value (C)"),
        text("ANL01FL", "Analysis Flag 01: up to Progression"),
    ],
};

/// Sizes of tumours.
pub static ADTR: Design = Design {
    name: "ADTR",
    label: "Tumor Results Analysis Dataset",
    row_per: "patient, region and scan",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("USUBJID", "Unique Subject Identifier"),
        text("TRTP", "Planned Treatment"),
        text("PARAM", "Parameter"),
        text("PARAMCD", "Parameter Code"),
        text("PARCAT2", "Parameter Category 2: Region"),
        date("ADT", "Analysis Date"),
        integer("ADY", "Analysis Relative Day"),
        text("AVISIT", "Analysis Visit"),
        number("AVAL", "Analysis Value (mm)"),
        number("BASE", "Baseline Value (mm)"),
        number("CHG", "Change from Baseline (mm)"),
        number("PCHG", "Percent Change from Baseline"),
        extra(number("NADIR", "Smallest Sum Before (mm)")),
        extra(number("PCHGNAD", "Percent Change from Nadir")),
        text("ABLFL", "Baseline Record Flag"),
        text("ANL01FL", "Analysis Flag 01: up to Progression"),
    ],
};

/// Adverse events.
pub static ADAE: Design = Design {
    name: "ADAE",
    label: "Adverse Event Analysis Dataset",
    row_per: "stretch of days on which a toxicity had a grade",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("USUBJID", "Unique Subject Identifier"),
        text("TRTA", "Actual Treatment"),
        integer("AESEQ", "Sequence Number"),
        text("AEGRPID", "Group ID"),
        text("AETERM", "Reported Term for the Adverse Event"),
        text("AEDECOD", "Dictionary-Derived Term"),
        extra(text("HAEMFL", "Toxicity of the Blood Flag")),
        integer("ATOXGRN", "Analysis Toxicity Grade (N)"),
        text("ATOXGR", "Analysis Toxicity Grade"),
        extra(integer("ATOXVER", "Version of CTCAE")),
        date("ASTDT", "Analysis Start Date"),
        integer("ASTDY", "Analysis Start Relative Day"),
        date("AENDT", "Analysis End Date"),
        integer("AENDY", "Analysis End Relative Day"),
        text("AREL", "Analysis Causality"),
        extra(text("ARELTO", "What it is Put Down to")),
        text("TRTEMFL", "Treatment Emergent Analysis Flag"),
        text("AOCCPIFL", "1st Max Sev./Int. Occurrence Within PT"),
        extra(integer("ACYCLE", "Cycle")),
        extra(integer("ACYCDY", "Day of the Cycle")),
        extra(date("LSESDT", "Date of the Session Before")),
        extra(integer("LSESDY", "Days since the Session Before")),
    ],
};

/// Laboratory values.
pub static ADLB: Design = Design {
    name: "ADLB",
    label: "Laboratory Analysis Dataset",
    row_per: "laboratory value",
    columns: &[
        text("STUDYID", "Study Identifier"),
        text("USUBJID", "Unique Subject Identifier"),
        text("TRTA", "Actual Treatment"),
        integer("LBSEQ", "Sequence Number"),
        text("PARAM", "Parameter"),
        text("PARAMCD", "Parameter Code"),
        extra(text("AVALU", "Analysis Value Unit")),
        date("ADT", "Analysis Date"),
        integer("ADY", "Analysis Relative Day"),
        text("AVISIT", "Analysis Visit"),
        extra(integer("ACYCLE", "Cycle")),
        extra(integer("ACYCDY", "Day of the Cycle")),
        number("AVAL", "Analysis Value"),
        number("BASE", "Baseline Value"),
        number("CHG", "Change from Baseline"),
        number("PCHG", "Percent Change from Baseline"),
        number("ANRLO", "Analysis Normal Range Lower Limit"),
        number("ANRHI", "Analysis Normal Range Upper Limit"),
        text("ANRIND", "Analysis Reference Range Indicator"),
        extra(text("ATOX", "CTCAE Term")),
        integer("ATOXGRN", "Analysis Toxicity Grade (N)"),
        integer("BTOXGRN", "Baseline Toxicity Grade (N)"),
        extra(integer("ATOXLON", "Lowest Grade it may be (N)")),
        extra(integer("ATOXHIN", "Highest Grade it may be (N)")),
        extra(integer("ATOXVER", "Version of CTCAE")),
        text("ABLFL", "Baseline Record Flag"),
        text("ONTRTFL", "On Treatment Record Flag"),
    ],
};

/// The datasets.
#[must_use]
pub fn datasets(subjects: &[Subject<'_>]) -> Vec<Table> {
    let mut tables: Vec<Table> = DESIGNS.iter().map(|d| Table::new(d)).collect();
    if let [sl, tte, rs, tr, ae, lb] = &mut tables[..] {
        for s in subjects {
            let key = s.key();
            subject_level(s, &key, sl);
            times(s, &key, tte);
            responses(s, &key, rs);
            sizes(s, &key, tr);
            adverse_events(s, &key, ae);
            laboratory(s, &key, lb);
        }
    }
    tables
}

fn yes_no(yes: bool) -> Value {
    Value::from(if yes { "Y" } else { "N" })
}

fn flag(yes: bool) -> Value {
    Value::from(yes.then_some("Y"))
}

/// CDISC's word for the reason.
const fn reason(end: End) -> Option<&'static str> {
    match end {
        End::Progression => Some("PROGRESSIVE DISEASE"),
        End::Intolerance => Some("ADVERSE EVENT"),
        End::Withdrawal => Some("WITHDRAWAL BY SUBJECT"),
        End::Death => Some("DEATH"),
        End::Complete => None,
    }
}

fn subject_level(s: &Subject<'_>, key: &str, table: &mut Table) {
    let c = s.course;
    let exposures = s.exposures();
    let treated = s.treated(&exposures);
    let sessions: Vec<_> = c.sessions.iter().filter(|x| s.until(x.on)).collect();
    let (drugs, given) = (!exposures.is_empty(), !sessions.is_empty());
    let enrolled = c.entries.iter().find(|e| e.fact.kind() == "enrolment").map(|e| e.on);
    let death = c.death.filter(|d| s.until(*d));
    let status = match s.state.ended {
        None => "ONGOING",
        Some((_, End::Complete)) => "COMPLETED",
        Some(_) => "DISCONTINUED",
    };
    // A cycle laid out after the end has not begun.
    let ended = |d: Date| s.state.ended.is_some_and(|(end, _)| d > end);
    let begun = s.state.cycles.iter().filter(|k| {
        k.has_begun() && s.until(k.start) && (k.begun == Begun::Recorded || !ended(k.start))
    });
    let begun = begun.count();
    let at = |n: usize| sessions.get(n).map(|x| x.on);
    let cycle_day = |n: usize| at(n).and_then(|d| s.cycle_day(d));
    let activity: f64 = sessions.iter().map(|x| x.activity_gbq).sum();
    let actual = treated.map(|_| s.protocol.name.as_str());
    let simulation = c.simulations.iter().map(|x| x.0).rfind(|d| s.until(*d));
    table.push([
        ("STUDYID", s.study().into()),
        ("USUBJID", key.into()),
        ("SUBJID", c.patient.into()),
        ("SITEID", s.site.into()),
        ("AGE", s.age().into()),
        ("AGEU", s.age().map(|_| "YEARS").into()),
        ("SEX", sex(s).into()),
        ("ARMCD", arm_code(s.protocol).into()),
        ("ARM", s.protocol.name.as_str().into()),
        ("TRT01P", s.protocol.name.as_str().into()),
        ("TRT01A", actual.into()),
        ("PROTVER", c.protocol.version.as_str().into()),
        ("DOSEVAR", c.variant.into()),
        ("ITTFL", "Y".into()),
        ("SAFFL", yes_no(treated.is_some())),
        ("DRUGFL", yes_no(drugs)),
        ("SESSFL", yes_no(given)),
        ("BOTHFL", yes_no(drugs && given)),
        ("ENRLDT", enrolled.filter(|d| s.until(*d)).into()),
        ("C1D1DT", Some(s.start()).filter(|d| s.until(*d)).into()),
        ("TRTSDT", treated.map(|t| t.0).into()),
        ("TRTEDT", treated.map(|t| t.1).into()),
        ("TRTDURD", treated.map(|t| days_between(t.0, t.1) + 1).into()),
        ("EOTSTT", status.into()),
        ("EOTDT", s.state.ended.map(|e| e.0).into()),
        ("DCTREAS", s.state.ended.and_then(|e| reason(e.1)).into()),
        ("NCYCLE", begun.into()),
        ("C1STOPFL", yes_no(s.state.ended.is_some() && begun < 2)),
        ("SIMDT", simulation.into()),
        ("LSHUNTP", s.samples("lung_shunt_percent").last().map(|x| x.value).into()),
        ("NSESS", sessions.len().into()),
        ("SES1DT", at(0).into()),
        ("SES1CYC", cycle_day(0).map(|d| d.0).into()),
        ("SES1CDY", cycle_day(0).map(|d| d.1).into()),
        ("SES1GBQ", sessions.first().map(|x| x.activity_gbq).into()),
        ("SES2DT", at(1).into()),
        ("SES2CYC", cycle_day(1).map(|d| d.0).into()),
        ("SES2CDY", cycle_day(1).map(|d| d.1).into()),
        ("SES2GBQ", sessions.get(1).map(|x| x.activity_gbq).into()),
        ("SESSGBQ", given.then_some(activity).into()),
        ("DTHDT", death.into()),
        ("DTHFL", flag(death.is_some())),
        ("WITHDT", c.withdrawal.filter(|d| s.until(*d)).into()),
        ("LSTALVDT", death.or_else(|| s.last_known()).into()),
        ("DCUTDT", s.cutoff.into()),
        ("HEIGHTBL", s.baseline("height").into()),
        ("WEIGHTBL", s.baseline("weight").into()),
        ("ECOGBL", s.baseline("ecog").into()),
        ("WHOGRBL", s.baseline("who_grade").into()),
        ("KI67BL", s.baseline("ki67_percent").into()),
        ("TUMBURBL", s.baseline("tumour_burden_percent").into()),
    ]);
}

/// Code of an endpoint: the usual ones have usual codes, others their letters.
#[must_use]
pub fn endpoint_code(id: &str) -> String {
    match id {
        "hepatic-pfs" => "HPFS".to_owned(),
        _ => id.to_uppercase().chars().filter(char::is_ascii_alphanumeric).take(8).collect(),
    }
}

/// What ended the time, without its day.
fn description(o: &Outcome) -> String {
    let because = o.because.as_str();
    if o.kind == OutcomeKind::Censored && because.contains(" after the last adequate scan") {
        return "missed scans".to_owned();
    }
    let at = [" on ", " until "].iter().filter_map(|w| because.find(w)).min();
    at.map_or(because, |n| &because[..n]).to_owned()
}

fn times(s: &Subject<'_>, key: &str, table: &mut Table) {
    for o in &s.agenda.outcomes.endpoints {
        let endpoint = s.protocol.endpoint.iter().find(|e| e.id == o.endpoint);
        let censor = match o.kind {
            OutcomeKind::Event => 0_i64,
            OutcomeKind::Censored => 1,
            OutcomeKind::Competing => 2,
        };
        let competing = o.competing.first();
        table.push([
            ("STUDYID", s.study().into()),
            ("USUBJID", key.into()),
            ("TRTP", s.protocol.name.as_str().into()),
            ("PARAM", endpoint.map_or(o.endpoint.as_str(), |e| &e.name).into()),
            ("PARAMCD", endpoint_code(&o.endpoint).into()),
            ("STARTDT", o.from.into()),
            ("ADT", o.to.into()),
            ("AVAL", i64::from(o.days).into()),
            ("CNSR", censor.into()),
            ("EVNTDESC", description(o).into()),
            ("CNSDTDSC", (censor > 0).then(|| o.because.clone()).into()),
            ("CMPDT", competing.map(|k| k.date).into()),
            ("CMPDESC", competing.map(|k| k.what.to_string()).into()),
            ("PARAMID", o.endpoint.as_str().into()),
        ]);
    }
}

/// The usual numbers of responses, the best first.
const fn rank(response: Response) -> i64 {
    match response {
        Response::Cr => 1,
        Response::Pr => 2,
        Response::Sd => 3,
        Response::NonCrNonPd => 4,
        Response::Pd => 5,
        Response::Ne => 6,
        Response::Nd => 8,
    }
}
/// A patient without a scan after the baseline.
const MISSING: (i64, &str) = (7, "MISSING");

/// Ending of a parameter's code, and its words.
const fn suffix(scope: Scope) -> (&'static str, &'static str) {
    match scope {
        Scope::All => ("", "All Disease"),
        Scope::Liver => ("LIV", "Liver"),
        Scope::OutsideLiver => ("OUT", "Outside the Liver"),
    }
}

fn responses(s: &Subject<'_>, key: &str, table: &mut Table) {
    let Some(rules) = &s.protocol.response else { return };
    let mut row = |scope: Scope, what: (&str, &str), on: Option<Date>, value: (i64, &str), yes| {
        let (code, words) = suffix(scope);
        table.push([
            ("STUDYID", s.study().into()),
            ("USUBJID", key.into()),
            ("TRTP", s.protocol.name.as_str().into()),
            ("PARAM", format!("{}, {words}", what.1).into()),
            ("PARAMCD", format!("{}{code}", what.0).into()),
            ("PARCAT1", criteria(rules.criteria).into()),
            ("PARCAT2", region(scope).into()),
            ("ADT", on.into()),
            ("ADY", on.map(|d| s.day(d)).into()),
            ("AVISIT", on.map(|d| s.visit(d)).into()),
            ("AVAL", value.0.into()),
            ("AVALC", value.1.into()),
            ("ANL01FL", flag(yes)),
        ]);
    };
    for scope in [Scope::All, Scope::Liver, Scope::OutsideLiver] {
        let assessed = s.agenda.outcomes.responses.iter().find(|a| a.scope == scope);
        let points = assessed.map_or(&[][..], |a| &a.points);
        let progression = assessed.and_then(|a| a.progression_date);
        for p in points {
            let counts = progression.is_none_or(|d| p.date <= d);
            let value = (rank(p.overall), p.overall.as_str());
            row(scope, ("OVR", "Overall Response by Scan"), Some(p.date), value, counts);
        }
        let value = |r: Option<Response>| r.map_or(MISSING, |r| (rank(r), r.as_str()));
        // The day on which the best response was first seen.
        let first = |r: Response| points.iter().find(|p| p.overall == r).map(|p| p.date);
        let best = assessed.map(|a| a.best);
        row(scope, ("BOR", "Best Overall Response"), best.and_then(first), value(best), true);
        if rules.confirmation_days.is_some() {
            let best = assessed.and_then(|a| a.best_confirmed);
            let what = ("CBOR", "Confirmed Best Overall Response");
            row(scope, what, best.and_then(first), value(best), true);
        }
    }
}

fn sizes(s: &Subject<'_>, key: &str, table: &mut Table) {
    for a in &s.agenda.outcomes.responses {
        let Some(base) = a.baseline_sum_mm else { continue };
        let (code, words) = suffix(a.scope);
        let first = (a.baseline_date, Some(base), None, None, None);
        let later = a
            .points
            .iter()
            .map(|p| (p.date, p.sum_mm, p.change_percent, p.nadir_mm, p.change_from_nadir_percent));
        for (on, sum, change, nadir, from_nadir) in std::iter::once(first).chain(later) {
            let is_baseline = on == a.baseline_date;
            let counts = a.progression_date.is_none_or(|d| on <= d) && sum.is_some();
            table.push([
                ("STUDYID", s.study().into()),
                ("USUBJID", key.into()),
                ("TRTP", s.protocol.name.as_str().into()),
                ("PARAM", format!("Sum of Target Diameters (mm), {words}").into()),
                ("PARAMCD", format!("SDIAM{code}").into()),
                ("PARCAT2", region(a.scope).into()),
                ("ADT", on.into()),
                ("ADY", s.day(on).into()),
                ("AVISIT", if is_baseline { "BASELINE".into() } else { s.visit(on).into() }),
                ("AVAL", sum.into()),
                ("BASE", base.into()),
                ("CHG", sum.filter(|_| !is_baseline).map(|x| x - base).into()),
                ("PCHG", change.into()),
                ("NADIR", nadir.into()),
                ("PCHGNAD", from_nadir.into()),
                ("ABLFL", flag(is_baseline)),
                ("ANL01FL", flag(counts)),
            ]);
        }
    }
}

fn adverse_events(s: &Subject<'_>, key: &str, table: &mut Table) {
    let all = stretches(s);
    let treated = s.treated(&s.exposures());
    // Of each term the first stretch of the highest grade.
    let mut worst: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, e) in all.iter().enumerate() {
        let best = worst.entry(&e.decode).or_insert(n);
        if e.grade > all[*best].grade {
            *best = n;
        }
    }
    for (n, e) in all.iter().enumerate() {
        let cycle_day = s.cycle_day(e.from);
        let session = s.course.sessions.iter().map(|x| x.on).rfind(|d| *d <= e.from);
        let actual = treated.map(|_| s.protocol.name.as_str());
        table.push([
            ("STUDYID", s.study().into()),
            ("USUBJID", key.into()),
            ("TRTA", actual.into()),
            ("AESEQ", (n + 1).into()),
            ("AEGRPID", format!("{} {}", e.decode, e.episode).into()),
            ("AETERM", e.term.into()),
            ("AEDECOD", e.decode.as_str().into()),
            ("HAEMFL", yes_no(e.haematologic)),
            ("ATOXGRN", u32::from(e.grade).into()),
            ("ATOXGR", e.grade.to_string().into()),
            ("ATOXVER", u32::from(e.ctcae).into()),
            ("ASTDT", e.from.into()),
            ("ASTDY", s.day(e.from).into()),
            ("AENDT", e.to.into()),
            ("AENDY", e.to.map(|d| s.day(d)).into()),
            ("AREL", (!e.related.is_empty()).then_some("RELATED").into()),
            ("ARELTO", e.related.join("; ").into()),
            ("TRTEMFL", flag(treated.is_some_and(|t| e.from >= t.0))),
            ("AOCCPIFL", flag(worst.get(e.decode.as_str()) == Some(&n))),
            ("ACYCLE", cycle_day.map(|d| d.0).into()),
            ("ACYCDY", cycle_day.map(|d| d.1).into()),
            ("LSESDT", session.into()),
            ("LSESDY", session.map(|d| days_between(d, e.from)).into()),
        ]);
    }
}

fn laboratory(s: &Subject<'_>, key: &str, table: &mut Table) {
    let treated = s.treated(&s.exposures());
    let grade = |g: Option<Graded>| g.and_then(Graded::grade).map(|g| u32::from(g.grade));
    for (n, r) in sdtm::laboratory_values(s).into_iter().enumerate() {
        let (value, on) = (r.sample.value, r.sample.on);
        let base = s.baseline(&r.measure.id);
        let judged = s.judge(r.measure, value);
        let at_baseline = base.and_then(|b| s.judge(r.measure, b).graded);
        let term = r.measure.ctcae.as_deref().and_then(|t| Term::find(t).ok());
        let bounds = judged.graded.map(Graded::bounds);
        let change = base.filter(|_| on > s.start()).map(|b| (value - b, b));
        let unit = r.measure.unit.as_str();
        let name = r.name;
        let cycle_day = s.cycle_day(on);
        table.push([
            ("STUDYID", s.study().into()),
            ("USUBJID", key.into()),
            ("TRTA", treated.map(|_| s.protocol.name.as_str()).into()),
            ("LBSEQ", (n + 1).into()),
            (
                "PARAM",
                if unit.is_empty() { name.into() } else { format!("{name} ({unit})").into() },
            ),
            ("PARAMCD", r.code.into()),
            ("AVALU", unit.into()),
            ("ADT", on.into()),
            ("ADY", s.day(on).into()),
            ("AVISIT", s.visit(on).into()),
            ("ACYCLE", cycle_day.map(|d| d.0).into()),
            ("ACYCDY", cycle_day.map(|d| d.1).into()),
            ("AVAL", value.into()),
            ("BASE", base.into()),
            ("CHG", change.map(|c| c.0).into()),
            ("PCHG", change.filter(|c| c.1 != 0.0).map(|(d, b)| 100.0 * d / b).into()),
            ("ANRLO", judged.lln.into()),
            ("ANRHI", judged.uln.into()),
            ("ANRIND", judged.indicator(value).into()),
            ("ATOX", judged.graded.zip(term).map(|(g, t)| t.name(g.version())).into()),
            ("ATOXGRN", grade(judged.graded).into()),
            ("BTOXGRN", grade(at_baseline).into()),
            ("ATOXLON", bounds.map(|b| u32::from(b.0)).into()),
            ("ATOXHIN", bounds.map(|b| u32::from(b.1)).into()),
            ("ATOXVER", judged.graded.map(|g| u32::from(u8::from(g.version()))).into()),
            ("ABLFL", flag(r.baseline)),
            ("ONTRTFL", flag(treated.is_some_and(|t| on >= t.0 && s.epoch(on) == "TREATMENT"))),
        ]);
    }
}
