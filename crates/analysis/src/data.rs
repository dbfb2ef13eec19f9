//! What a trial's tables say, checked: nothing here contradicts itself.

use crate::error::{DataError, Place};
use crate::frame::{Frame, Row};
use crate::schema::SHEETS;
use hepatica_regimen::Protocol;
use hepatica_regimen::course::days_between;
use hepatica_regimen::ctcae::{Term, Version};
use hepatica_regimen::response::{Response, Scope};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// How far a percentage in a file may be from the one that is reckoned, in points.
const ROUNDING: f64 = 0.06;

/// Regions, with the ending of their codes.
pub const REGIONS: [(Scope, &str); 3] =
    [(Scope::Liver, "LIV"), (Scope::OutsideLiver, "OUT"), (Scope::All, "")];

/// A trial's data.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The study, where the data name one.
    pub study: Option<String>,
    /// What the data are: tables or courses, in words.
    pub source: String,
    /// The day the data were cut.
    pub cutoff: Date,
    /// Where that day is from.
    pub cutoff_from: String,
    /// Version of CTCAE of all grades; none where there are no grades.
    pub ctcae: Option<Version>,
    /// Subjects, by USUBJID.
    pub subjects: Vec<Subject>,
    /// Which tables were there, in the order of [`SHEETS`].
    pub tables: [bool; 7],
    /// Columns that were there, by table, that decide what can be told.
    pub has: Has,
    /// What a reader must know of the data.
    pub notes: Vec<String>,
    /// Names of endpoints by their codes.
    pub endpoints: BTreeMap<String, String>,
    /// Criteria of response, where the data name them.
    pub criteria: Option<String>,
    /// Days that AVAL of ADTTE is above the days between its two dates: 0, or 1.
    pub offset_days: i64,
    /// What is due and was missed, where courses say so.
    pub due: Option<Vec<Due>>,
    /// The protocol of the courses, where all are on one.
    pub protocol: Option<Protocol>,
}

/// Columns without which something cannot be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Has {
    /// DRUGFL and SESSFL of ADSL.
    pub therapies: bool,
    /// C1STOPFL or NCYCLE of ADSL.
    pub cycles: bool,
    /// SITEID of ADSL.
    pub sites: bool,
    /// EVNTDESC of ADTTE.
    pub causes: bool,
    /// SES1DT of ADSL.
    pub sessions: bool,
    /// EOTSTT of ADSL.
    pub status: bool,
}

/// A patient.
#[derive(Debug, Clone)]
pub struct Subject {
    /// USUBJID.
    pub id: String,
    /// SUBJID, or USUBJID where there is none.
    pub label: String,
    /// Centre.
    pub site: Option<String>,
    /// Arm.
    pub arm: Option<String>,
    /// Whether treatment began.
    pub treated: bool,
    /// Whether any drug was taken; none where nobody says.
    pub drugs: Option<bool>,
    /// Whether any session was given; none where nobody says.
    pub radioembolized: Option<bool>,
    /// Enrolment.
    pub enrolled: Option<Date>,
    /// Day 1 of cycle 1.
    pub c1d1: Option<Date>,
    /// First day of treatment.
    pub first_treatment: Option<Date>,
    /// Last day of treatment.
    pub last_treatment: Option<Date>,
    /// How the treatment stands.
    pub status: Option<Status>,
    /// End of treatment.
    pub ended: Option<Date>,
    /// Why it ended.
    pub reason: Option<String>,
    /// Cycles begun.
    pub cycles: Option<i64>,
    /// Whether it ended before cycle 2 began; none where nobody says.
    pub stopped_in_cycle_1: Option<bool>,
    /// Sessions by day.
    pub sessions: Vec<Session>,
    /// Death.
    pub death: Option<Date>,
    /// Withdrawal of consent.
    pub withdrawal: Option<Date>,
    /// Last known alive.
    pub last_alive: Option<Date>,
    /// Endpoints by code.
    pub times: BTreeMap<String, Time>,
    /// By region.
    pub regions: BTreeMap<&'static str, Region>,
    /// Toxicities.
    pub toxicities: Vec<Toxicity>,
    /// Graded laboratory values.
    pub values: Vec<Value>,
    /// Sizes of lesions by lesion and day.
    pub lesions: BTreeMap<String, BTreeMap<Date, f64>>,
    /// Days of every laboratory value by test.
    pub tests: BTreeMap<String, Vec<Date>>,
    row: Place,
}

/// How the treatment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It goes on.
    Ongoing,
    /// It was given to its end.
    Completed,
    /// It ended before.
    Discontinued,
}

/// A radioembolization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Session {
    /// When.
    pub on: Date,
    /// Cycle.
    pub cycle: Option<i64>,
    /// Day of it.
    pub cycle_day: Option<i64>,
    /// Activity.
    pub activity_gbq: Option<f64>,
}

/// Time to an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Time {
    /// Days.
    pub days: i64,
    /// How it ended.
    pub end: End,
    /// From when.
    pub from: Option<Date>,
    /// Until when.
    pub to: Option<Date>,
    /// Days to the first competing event, if there was one.
    pub competing_days: Option<i64>,
}

/// How a time ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a death that is an event.
    Death,
    /// With progression.
    Progression,
    /// With an event whose kind the data do not tell.
    Event,
    /// Without an event.
    Censored,
    /// With a death that is no event.
    CompetingDeath,
}

impl End {
    /// Whether it is an event.
    #[must_use]
    pub const fn is_event(self) -> bool {
        matches!(self, Self::Death | Self::Progression | Self::Event)
    }
}

/// What scans say of a region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Region {
    /// Responses by scan.
    pub scans: BTreeMap<Date, (Response, bool)>,
    /// Best response; the inner `None`: never scanned.
    pub best: Option<Option<Response>>,
    /// The same, confirmed.
    pub confirmed: Option<Option<Response>>,
    /// Sums by scan.
    pub sums: BTreeMap<Date, Sum>,
}

/// The sum of the targets on a scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// Change from the baseline, %.
    pub change_percent: f64,
    /// Whether it is the baseline.
    pub baseline: bool,
    /// Whether it is before or at progression.
    pub counts: bool,
}

/// A toxicity on a stretch of days.
#[derive(Debug, Clone, PartialEq)]
pub struct Toxicity {
    /// Name of the term.
    pub term: String,
    /// Of the blood.
    pub haematologic: bool,
    /// 1 to 5.
    pub grade: u8,
    /// First day.
    pub from: Date,
    /// Whether it is put down to the treatment; none where nobody says.
    pub related: Option<bool>,
    /// Whether it began under treatment.
    pub emergent: bool,
    /// Cycle of its first day.
    pub cycle: Option<i64>,
}

/// A graded laboratory value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Name of the term.
    pub term: String,
    /// Of the blood.
    pub haematologic: bool,
    /// When.
    pub on: Date,
    /// Lowest and highest grade it may be; equal where it is known.
    pub grade: [u8; 2],
    /// Grade at baseline.
    pub baseline: Option<u8>,
    /// Cycle.
    pub cycle: Option<i64>,
}

/// Something due or missed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// USUBJID.
    pub subject: String,
    /// First day.
    pub earliest: Date,
    /// Last day.
    pub latest: Date,
    /// What.
    pub what: String,
    /// `due`, `overdue` or `missed`.
    pub status: &'static str,
}

/// What a person adds to the data.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said {
    /// The day the data were cut.
    pub on: Option<Date>,
    /// Version of CTCAE where the data do not say.
    pub ctcae: Option<Version>,
    /// Version that the protocol wants.
    pub protocol_ctcae: Option<Version>,
}

/// Puts tables together.
///
/// # Errors
/// When they contradict each other or themselves.
pub fn trial(frames: [Option<Frame>; 7], said: Said, source: String) -> Result<Trial, DataError> {
    let [sl, tte, rs, tr, ae, lb, lesions] = frames.each_ref().map(Option::as_ref);
    let Some(sl) = sl else { return Err(DataError::Empty { path: source.into() }) };
    let mut notes = Vec::new();
    let mut subjects = BTreeMap::new();
    for row in sl.rows() {
        let s = subject(&row)?;
        let other = subjects.get(&s.id).map(|o: &Subject| o.row.row);
        if let Some(other) = other {
            let what = format!("subject {}", s.id);
            return Err(DataError::RowTwice { place: row.place("USUBJID"), what, other });
        }
        subjects.insert(s.id.clone(), s);
    }
    if subjects.is_empty() {
        return Err(DataError::Format {
            file: sl.file.clone(),
            format: "a trial",
            why: "it has no row; expected one for each patient".to_owned(),
        });
    }
    let mut build = Build {
        subjects,
        adsl: sl.file.clone(),
        said,
        ctcae: None,
        endpoints: BTreeMap::new(),
        criteria: None,
        offset: None,
        unread: BTreeMap::new(),
    };
    tte.map_or(Ok(()), |f| build.times(f))?;
    rs.map_or(Ok(()), |f| build.responses(f))?;
    tr.map_or(Ok(()), |f| build.sizes(f))?;
    ae.map_or(Ok(()), |f| build.toxicities(f))?;
    lb.map_or(Ok(()), |f| build.laboratory(f))?;
    lesions.map_or(Ok(()), |f| build.lesions(f))?;
    build.check()?;
    let (cutoff, cutoff_from) = cutoff(&frames, said, &mut notes)?;
    for (sheet, frame) in SHEETS.iter().zip(&frames) {
        match frame {
            None => notes.push(format!("no {}: what rests on it is left out", sheet.name)),
            Some(f) if !f.ignored.is_empty() => notes.push(format!(
                "{}: columns that are not looked at: {}",
                f.file,
                few(&f.ignored)
            )),
            Some(_) => {}
        }
    }
    for (code, n) in &build.unread {
        notes.push(format!("{code}: {n} rows are not looked at"));
    }
    for (frame, what) in [(ae, "toxicities"), (lb, "values")] {
        if let Some(f) = frame.filter(|f| !f.has("ACYCLE")) {
            notes.push(format!(
                "{}: no ACYCLE; cycles of {what} are told by the length of the protocol's cycles, as if none was delayed",
                f.file
            ));
        }
    }
    let more = |r: &Row<'_>| {
        let told = [r.date("SES1DT"), r.date("SES2DT")].into_iter().flatten().count();
        sl.has("SES1DT") && r.integer("NSESS").is_some_and(|n| n > told as i64)
    };
    let beyond = sl.rows().filter(more).count();
    if beyond > 0 {
        notes.push(format!(
            "{beyond} patients had more sessions than there are days of (SES1DT, SES2DT): what followed the others is put down to the last one known, or later"
        ));
    }
    let unplaced = build.subjects.values().filter(|s| s.enrolled.is_none()).count();
    if unplaced > 0 {
        notes.push(format!("{unplaced} patients have no day of enrolment (ENRLDT)"));
    }
    let offset_days = build.offset.map_or(0, |o| o.1);
    if offset_days == 1 {
        notes.push(
            "AVAL of ADTTE counts the first day too (one more than the days between its dates); it is used as it is"
                .to_owned(),
        );
    }
    let has = Has {
        therapies: sl.has("DRUGFL") && sl.has("SESSFL"),
        cycles: sl.has("C1STOPFL") || sl.has("NCYCLE"),
        sites: sl.has("SITEID"),
        causes: tte.is_some_and(|f| f.has("EVNTDESC")),
        sessions: sl.has("SES1DT"),
        status: sl.has("EOTSTT"),
    };
    let studies: std::collections::BTreeSet<_> =
        sl.rows().filter_map(|r| r.text("STUDYID")).collect();
    let study = (!studies.is_empty()).then(|| studies.into_iter().collect::<Vec<_>>().join(", "));
    let tables = frames.each_ref().map(Option::is_some);
    Ok(Trial {
        study,
        source,
        cutoff,
        cutoff_from,
        ctcae: build.ctcae,
        subjects: build.subjects.into_values().collect(),
        tables,
        has,
        notes,
        endpoints: build.endpoints,
        criteria: build.criteria,
        offset_days,
        due: None,
        protocol: None,
    })
}

/// The first few of many names.
fn few(names: &[String]) -> String {
    const FEW: usize = 8;
    let shown = names.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(FEW);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Days of the tables that are facts: none of them may be after the cut.
const FACTS: [(usize, &[&str]); 7] = [
    (
        0,
        &[
            "ENRLDT", "C1D1DT", "TRTSDT", "TRTEDT", "EOTDT", "SES1DT", "SES2DT", "DTHDT", "WITHDT",
            "LSTALVDT",
        ],
    ),
    (1, &["STARTDT", "ADT", "CMPDT"]),
    (2, &["ADT"]),
    (3, &["ADT"]),
    (4, &["ASTDT", "AENDT"]),
    (5, &["ADT"]),
    (6, &[]),
];

fn cutoff(
    frames: &[Option<Frame>; 7],
    said: Said,
    notes: &mut Vec<String>,
) -> Result<(Date, String), DataError> {
    let facts = || {
        FACTS.iter().flat_map(move |(n, columns)| {
            frames[*n].iter().flat_map(Frame::rows).flat_map(move |row| {
                columns.iter().filter_map(move |c| Some((row, *c, row.date(c)?)))
            })
        })
    };
    let cuts: std::collections::BTreeSet<Date> =
        frames[0].iter().flat_map(Frame::rows).filter_map(|r| r.date("DCUTDT")).collect();
    let last = cuts.last().copied();
    if cuts.len() > 1 {
        notes.push(format!(
            "data were cut on {} different days, the first {} and the last {}: patients of the first were followed for less time",
            cuts.len(),
            cuts.first().copied().unwrap_or_default(),
            last.unwrap_or_default()
        ));
    }
    let (day, from) = match (said.on, last) {
        (Some(on), _) => (on, "--on".to_owned()),
        (None, Some(cut)) => (cut, "DCUTDT of ADSL".to_owned()),
        (None, None) => {
            let day = facts().map(|f| f.2).max().unwrap_or_default();
            (day, "assumed: the last day in the tables".to_owned())
        }
    };
    if let Some((row, column, found)) = facts().find(|f| f.2 > day) {
        return Err(row.wrong(
            column,
            found,
            &format!(
                "a day until the data cut, {day} ({from}); correct it, or move the cut with --on"
            ),
        ));
    }
    Ok((day, from))
}

fn subject(row: &Row<'_>) -> Result<Subject, DataError> {
    let id = row.needed("USUBJID")?.to_owned();
    let enrolled = row.date("ENRLDT");
    let events =
        ["C1D1DT", "TRTSDT", "TRTEDT", "EOTDT", "SES1DT", "SES2DT", "DTHDT", "WITHDT", "LSTALVDT"];
    for column in events {
        let (Some(first), Some(day)) = (enrolled, row.date(column)) else { continue };
        if day < first {
            let what = format!("{id}: {day} is before enrolment on {first}");
            return Err(row.contradicts(column, what, "correct one of the two days"));
        }
    }
    let first_treatment = row.date("TRTSDT");
    for column in ["TRTEDT", "EOTDT"] {
        let (Some(first), Some(day)) = (first_treatment, row.date(column)) else { continue };
        if day < first {
            let what = format!("{id}: {day} is before the treatment began on {first}");
            return Err(row.contradicts(column, what, "correct one of the two days"));
        }
    }
    let death = row.date("DTHDT");
    for column in ["TRTSDT", "TRTEDT", "SES1DT", "SES2DT", "LSTALVDT"] {
        let (Some(end), Some(day)) = (death, row.date(column)) else { continue };
        if day > end {
            let what = format!("{id}: {day} is after the death on {end}");
            return Err(row.contradicts(column, what, "correct one of the two days"));
        }
    }
    let treated = match (row.flag("SAFFL"), first_treatment) {
        (Some(true), None) => return Err(row.empty("TRTSDT")),
        (Some(flag), _) => flag,
        (None, day) => day.is_some(),
    };
    let mut sessions = Vec::new();
    for [on, cycle, day, gbq] in
        [["SES1DT", "SES1CYC", "SES1CDY", "SES1GBQ"], ["SES2DT", "SES2CYC", "SES2CDY", "SES2GBQ"]]
    {
        let activity_gbq = row.number(gbq);
        if activity_gbq.is_some_and(|a| !(a > 0.0 && a < 100.0)) {
            let found = activity_gbq.unwrap_or_default();
            let column = if gbq == "SES1GBQ" { "SES1GBQ" } else { "SES2GBQ" };
            return Err(row.wrong(column, found, "an activity above 0 and below 100 GBq"));
        }
        if let Some(on) = row.date(on) {
            let (cycle, cycle_day) = (row.integer(cycle), row.integer(day));
            sessions.push(Session { on, cycle, cycle_day, activity_gbq });
        }
    }
    if sessions.len() == 2 && sessions[1].on < sessions[0].on {
        let what = format!("{id}: session 2 is before session 1");
        return Err(row.contradicts("SES2DT", what, "exchange the two, or correct a day"));
    }
    let radioembolized = row.flag("SESSFL");
    if row.frame.has("SES1DT") && radioembolized.is_some_and(|y| y == sessions.is_empty()) {
        let found =
            if sessions.is_empty() { "no session has a day" } else { "a session has a day" };
        let flag = row.text("SESSFL").unwrap_or_default();
        let what = format!("{id}: SESSFL is {flag}, but {found}");
        return Err(row.contradicts("SESSFL", what, "correct SESSFL or SES1DT"));
    }
    let status = match row.text("EOTSTT").map(str::to_uppercase).as_deref() {
        None => None,
        Some("ONGOING") => Some(Status::Ongoing),
        Some("COMPLETED") => Some(Status::Completed),
        Some("DISCONTINUED") => Some(Status::Discontinued),
        Some(found) => {
            return Err(row.wrong("EOTSTT", found, "ONGOING, COMPLETED, DISCONTINUED or nothing"));
        }
    };
    let cycles = row.integer("NCYCLE");
    if let Some(n) = cycles.filter(|n| !(0..=1000).contains(n)) {
        return Err(row.wrong("NCYCLE", n, "0 to 1000 cycles"));
    }
    let stopped_in_cycle_1 = row.flag("C1STOPFL").or_else(|| {
        let over = status? != Status::Ongoing;
        Some(over && cycles? < 2)
    });
    let text = |column: &str| row.text(column).map(str::to_owned);
    Ok(Subject {
        label: text("SUBJID").unwrap_or_else(|| id.clone()),
        id,
        site: text("SITEID"),
        arm: text("TRT01P").or_else(|| text("ARM")),
        treated,
        drugs: row.flag("DRUGFL"),
        radioembolized,
        enrolled,
        c1d1: row.date("C1D1DT").or(first_treatment),
        first_treatment,
        last_treatment: row.date("TRTEDT"),
        status,
        ended: row.date("EOTDT"),
        reason: text("DCTREAS"),
        cycles,
        stopped_in_cycle_1,
        sessions,
        death,
        withdrawal: row.date("WITHDT"),
        last_alive: row.date("LSTALVDT"),
        times: BTreeMap::new(),
        regions: BTreeMap::new(),
        toxicities: Vec::new(),
        values: Vec::new(),
        lesions: BTreeMap::new(),
        tests: BTreeMap::new(),
        row: row.whole(),
    })
}

/// Tables on their way into subjects.
struct Build {
    subjects: BTreeMap<String, Subject>,
    adsl: String,
    said: Said,
    ctcae: Option<Version>,
    endpoints: BTreeMap<String, String>,
    criteria: Option<String>,
    /// The first row that had one, and by how many days AVAL is above the days between.
    offset: Option<(usize, i64)>,
    /// Codes that nobody looks at, with the number of rows.
    unread: BTreeMap<String, usize>,
}

impl Build {
    fn of(&mut self, row: &Row<'_>) -> Result<&mut Subject, DataError> {
        let subject = row.needed("USUBJID")?;
        self.subjects.get_mut(subject).ok_or_else(|| DataError::Stranger {
            place: row.place("USUBJID"),
            subject: crate::frame::shown(subject),
            adsl: self.adsl.clone(),
        })
    }

    /// A day of a fact, which nothing follows after death.
    fn day(
        s: &Subject,
        row: &Row<'_>,
        column: &'static str,
        what: &str,
    ) -> Result<Date, DataError> {
        let day = row.date(column).ok_or_else(|| row.empty(column))?;
        match s.death {
            Some(death) if day > death => {
                let what = format!("{}: {what} on {day} is after the death on {death}", s.id);
                Err(row.contradicts(column, what, "correct one of the two days"))
            }
            _ => Ok(day),
        }
    }

    fn times(&mut self, frame: &Frame) -> Result<(), DataError> {
        let causes = frame.has("EVNTDESC");
        let mut seen = BTreeMap::new();
        for row in frame.rows() {
            let code = row.needed("PARAMCD")?.to_uppercase();
            let days = row.integer("AVAL").ok_or_else(|| row.empty("AVAL"))?;
            if !(0..=100_000).contains(&days) {
                return Err(row.wrong("AVAL", days, "days from 0 on; check STARTDT and ADT"));
            }
            let censor = row.integer("CNSR").ok_or_else(|| row.empty("CNSR"))?;
            let (from, to) = (row.date("STARTDT"), row.date("ADT"));
            if let (Some(from), Some(to)) = (from, to) {
                let between = days_between(from, to);
                if between < 0 {
                    let what = format!("{to} is before {from}, from which time is counted");
                    return Err(row.contradicts("ADT", what, "correct STARTDT or ADT"));
                }
                let above = days - between;
                let (first, usual) = *self.offset.get_or_insert((row.number, above));
                if !(0..=1).contains(&above) || above != usual {
                    let what = format!(
                        "{days}, but from {from} to {to} are {between} days{}",
                        if (0..=1).contains(&above) {
                            format!(", and row {first} counts otherwise")
                        } else {
                            String::new()
                        }
                    );
                    return Err(row.contradicts("AVAL", what, "count all rows alike, in days"));
                }
            }
            let s = self.of(&row)?;
            if let (Some(from), Some(enrolled)) = (from, s.enrolled)
                && from < enrolled
            {
                let what = format!("{}: {from} is before enrolment on {enrolled}", s.id);
                return Err(row.contradicts("STARTDT", what, "correct STARTDT, or ENRLDT in ADSL"));
            }
            if let (Some(to), Some(death)) = (to, s.death)
                && to > death
            {
                let what = format!("{}: {to} is after the death on {death}", s.id);
                return Err(row.contradicts("ADT", what, "correct ADT, or DTHDT in ADSL"));
            }
            let end = match censor {
                0 => cause(&row, &code, causes)?,
                1 => End::Censored,
                2 => End::CompetingDeath,
                found => {
                    return Err(row.wrong(
                        "CNSR",
                        found,
                        "0 (event), 1 (censored) or 2 (another death)",
                    ));
                }
            };
            let dead = matches!(end, End::Death | End::CompetingDeath);
            if dead && s.death.is_none() {
                let what = format!("{}: a death, but ADSL has none (DTHDT)", s.id);
                return Err(row.contradicts("CNSR", what, "fill in DTHDT, or correct CNSR"));
            }
            if let (true, Some(to), Some(death)) = (dead, to, s.death)
                && to != death
            {
                let what = format!("{}: a death on {to}, but on {death} in ADSL", s.id);
                return Err(row.contradicts("ADT", what, "correct ADT, or DTHDT in ADSL"));
            }
            if code == "OS" && censor != 0 && s.death.is_some() {
                let what = format!("{}: censored, but ADSL has a death (DTHDT)", s.id);
                return Err(row.contradicts("CNSR", what, "correct CNSR, or take DTHDT out"));
            }
            let competing_days = match (from, row.date("CMPDT")) {
                (Some(from), Some(on)) if on < from => {
                    let what = format!("{on} is before {from}, from which time is counted");
                    return Err(row.contradicts("CMPDT", what, "correct CMPDT or STARTDT"));
                }
                (Some(from), Some(on)) => Some(days_between(from, on)),
                _ => None,
            };
            // A death is told by CNSR; what competes here is progression elsewhere.
            let words = row.text("CMPDESC").map(str::to_lowercase);
            let death = words.map_or(row.date("CMPDT") == s.death, |w| w.contains("death"));
            let competing_days = competing_days.filter(|_| !death);
            let key = (s.id.clone(), code.clone());
            let time = Time { days, end, from, to, competing_days };
            s.times.insert(code.clone(), time);
            if let Some(other) = seen.insert(key, row.number) {
                let what = format!("{code} of {}", s.id);
                return Err(DataError::RowTwice { place: row.place("PARAMCD"), what, other });
            }
            let name = row.text("PARAM").map_or_else(|| usual_name(&code), str::to_owned);
            self.endpoints.entry(code).or_insert(name);
        }
        // The first day counts or not for the competing event as it does for AVAL.
        let offset = self.offset.map_or(0, |o| o.1);
        for time in self.subjects.values_mut().flat_map(|s| s.times.values_mut()) {
            time.competing_days = time.competing_days.map(|d| d + offset);
        }
        Ok(())
    }

    fn responses(&mut self, frame: &Frame) -> Result<(), DataError> {
        let mut seen = BTreeMap::new();
        let flagged = frame.has("ANL01FL");
        for row in frame.rows() {
            let code = row.needed("PARAMCD")?.to_uppercase();
            let kinds = ["OVR", "CBOR", "BOR"];
            let Some((kind, region)) = kinds.iter().find_map(|k| {
                let rest = code.strip_prefix(k)?;
                Some((*k, REGIONS.iter().find(|r| r.1 == rest)?.1))
            }) else {
                self.of(&row)?;
                *self.unread.entry(format!("{}, PARAMCD {code}", frame.file)).or_default() += 1;
                continue;
            };
            let text = row.needed("AVALC")?.to_uppercase();
            let response = match text.as_str() {
                "MISSING" if kind != "OVR" => None,
                "NED" => Some(Response::Nd),
                _ => Some(response(&text).ok_or_else(|| {
                    let expected = "CR, PR, SD, NON-CR/NON-PD, PD, NE, ND, or MISSING for a patient without a scan";
                    row.wrong("AVALC", &text, expected)
                })?),
            };
            let criteria = row.text("PARCAT1").map(str::to_owned);
            let s = self.of(&row)?;
            let on = if kind == "OVR" {
                Some(Self::day(s, &row, "ADT", "a scan")?)
            } else {
                row.date("ADT")
            };
            let key = (s.id.clone(), code.clone(), on.filter(|_| kind == "OVR"));
            if let Some(other) = seen.insert(key, row.number) {
                let what = match on.filter(|_| kind == "OVR") {
                    Some(on) => format!("{code} of {} on {on}", s.id),
                    None => format!("{code} of {}, who would be counted as two patients,", s.id),
                };
                return Err(DataError::RowTwice { place: row.place("PARAMCD"), what, other });
            }
            let r = s.regions.entry(region).or_default();
            match (kind, on, response) {
                ("OVR", Some(on), Some(response)) => {
                    let counts = !flagged || row.flag("ANL01FL") == Some(true);
                    r.scans.insert(on, (response, counts));
                }
                ("BOR", _, response) => r.best = Some(response),
                (_, _, response) => r.confirmed = Some(response),
            }
            if let Some(criteria) = criteria {
                match &self.criteria {
                    Some(known) if *known != criteria => {
                        let what = format!("{criteria}, but {known} in rows before");
                        let remedy =
                            "responses by two criteria are not pooled: analyse each by itself";
                        return Err(row.contradicts("PARCAT1", what, remedy));
                    }
                    _ => self.criteria = Some(criteria),
                }
            }
        }
        // A response that no scan shows, and a confirmed one that is better than the best.
        for row in frame.rows() {
            let code = row.needed("PARAMCD")?.to_uppercase();
            let s = self.of(&row)?;
            let rest = code.strip_prefix("CBOR").or_else(|| code.strip_prefix("BOR"));
            let Some(r) = rest.and_then(|region| s.regions.get(region)) else { continue };
            let best = if code.starts_with("CBOR") { r.confirmed } else { r.best };
            let Some(best) = best.flatten().filter(|b| responds(*b)) else { continue };
            let seen =
                r.scans.values().any(|(scan, _)| responds(*scan) && rank(*scan) <= rank(best));
            if !r.scans.is_empty() && !seen {
                let what =
                    format!("{}: {best} is the best response, but no scan (OVR) says so", s.id);
                return Err(row.contradicts("AVALC", what, "correct it, or the row of the scan"));
            }
            let plain = r.best.unwrap_or(Some(best));
            if code.starts_with("CBOR") && plain.is_none_or(|p| rank(best) < rank(p)) {
                let what = format!("{}: {best} is confirmed, but the best response is worse", s.id);
                return Err(row.contradicts("AVALC", what, "correct CBOR or BOR"));
            }
        }
        Ok(())
    }

    fn sizes(&mut self, frame: &Frame) -> Result<(), DataError> {
        let mut seen = BTreeMap::new();
        let flagged = frame.has("ANL01FL");
        for row in frame.rows() {
            let code = row.needed("PARAMCD")?.to_uppercase();
            let region = code.strip_prefix("SDIAM");
            let Some((_, region)) = region.and_then(|r| REGIONS.iter().find(|k| k.1 == r)) else {
                self.of(&row)?;
                *self.unread.entry(format!("{}, PARAMCD {code}", frame.file)).or_default() += 1;
                continue;
            };
            let s = self.of(&row)?;
            let on = Self::day(s, &row, "ADT", "a scan")?;
            if let Some(other) = seen.insert((s.id.clone(), code.clone(), on), row.number) {
                let what = format!("{code} of {} on {on}", s.id);
                return Err(DataError::RowTwice { place: row.place("ADT"), what, other });
            }
            for column in ["AVAL", "BASE"] {
                if let Some(mm) = row.number(column).filter(|mm| !(0.0..=5000.0).contains(mm)) {
                    return Err(row.wrong(column, mm, "a sum of diameters from 0 to 5000 mm"));
                }
            }
            let (Some(sum), Some(base)) = (row.number("AVAL"), row.number("BASE")) else {
                continue;
            };
            if base <= 0.0 {
                let expected = "a sum of diameters at baseline above 0 mm";
                return Err(row.wrong("BASE", base, expected));
            }
            let change_percent = 100.0 * (sum - base) / base;
            if let Some(said) = row.number("PCHG")
                && (said - change_percent).abs() > ROUNDING
            {
                let what =
                    format!("{said} %, but from {base} to {sum} mm is {change_percent:.1} %");
                return Err(row.contradicts("PCHG", what, "correct PCHG, AVAL or BASE"));
            }
            let baseline = match row.flag("ABLFL") {
                Some(flag) => flag,
                None if frame.has("ABLFL") => false,
                None => s.c1d1.is_some_and(|first| on <= first),
            };
            let counts = !flagged || row.flag("ANL01FL") == Some(true);
            let sum = Sum { change_percent, baseline, counts };
            s.regions.entry(region).or_default().sums.insert(on, sum);
        }
        Ok(())
    }

    /// The version of a grade, which all grades share.
    fn version(&mut self, row: &Row<'_>) -> Result<Version, DataError> {
        let version = match row.integer("ATOXVER") {
            None => self
                .said
                .ctcae
                .ok_or_else(|| DataError::NoVersion { place: row.place("ATOXVER") })?,
            Some(n) => {
                let known = u8::try_from(n).ok().and_then(|n| Version::try_from(n).ok());
                known.ok_or_else(|| {
                    let expected = "version 5 or 6 of CTCAE; grade by one of them, versions differ";
                    row.wrong("ATOXVER", n, expected)
                })?
            }
        };
        let differs = |other: Version, whose: &str| {
            let what = format!("{version}, but {other} {whose}");
            let remedy = "the versions grade the same value differently: grade all by one of them";
            row.contradicts("ATOXVER", what, remedy)
        };
        if let Some(other) = self.said.protocol_ctcae.filter(|o| *o != version) {
            return Err(differs(other, "in the protocol"));
        }
        if let Some(other) = self.said.ctcae.filter(|o| *o != version) {
            return Err(differs(other, "with --ctcae"));
        }
        if let Some(other) = self.ctcae.filter(|o| *o != version) {
            return Err(differs(other, "in rows before"));
        }
        self.ctcae = Some(version);
        Ok(version)
    }

    fn toxicities(&mut self, frame: &Frame) -> Result<(), DataError> {
        let mut related = BTreeMap::new();
        for word in ["RELATED", "POSSIBLE", "PROBABLE", "DEFINITE", "POSSIBLY RELATED", "Y"] {
            related.insert(word, true);
        }
        for word in ["NOT RELATED", "UNRELATED", "NONE", "UNLIKELY RELATED", "UNLIKELY", "N"] {
            related.insert(word, false);
        }
        for row in frame.rows() {
            let term = row.needed("AEDECOD")?;
            let found = row.integer("ATOXGRN").ok_or_else(|| row.empty("ATOXGRN"))?;
            let grade = u8::try_from(found).ok().filter(|g| (1..=5).contains(g));
            let grade = grade.ok_or_else(|| row.wrong("ATOXGRN", found, "a grade from 1 to 5"))?;
            let version = self.version(&row)?;
            let known = Term::known(term);
            if let Some(Err(why)) = known.map(|t| t.by_person(version, grade)) {
                return Err(row.wrong("ATOXGRN", grade, &why.to_string()));
            }
            let relation =
                match row.text("AREL").map(str::to_uppercase) {
                    None => None,
                    Some(word) => Some(*related.get(word.as_str()).ok_or_else(|| {
                        row.wrong("AREL", &word, "RELATED, NOT RELATED or nothing")
                    })?),
                };
            let s = self.of(&row)?;
            let from = Self::day(s, &row, "ASTDT", "a toxicity")?;
            if let Some(end) = row.date("AENDT").filter(|end| *end < from) {
                let what = format!("{end} is before its first day, {from}");
                return Err(row.contradicts("AENDT", what, "correct ASTDT or AENDT"));
            }
            let under = s.first_treatment.is_some_and(|first| from >= first);
            let emergent = match row.flag("TRTEMFL") {
                Some(flag) => flag,
                None if frame.has("TRTEMFL") => false,
                None => under,
            };
            if emergent && !under {
                let what = format!("{}: under treatment, but it began on {from}, before it", s.id);
                return Err(row.contradicts("TRTEMFL", what, "correct TRTEMFL, ASTDT or TRTSDT"));
            }
            let table = known.is_some_and(Term::is_haematologic);
            s.toxicities.push(Toxicity {
                term: known.map_or_else(|| term.trim().to_owned(), |t| t.name(version).to_owned()),
                haematologic: row.flag("HAEMFL").unwrap_or(table),
                grade,
                from,
                related: relation,
                emergent,
                cycle: row.integer("ACYCLE"),
            });
        }
        for s in self.subjects.values_mut() {
            s.toxicities
                .sort_by(|a, b| (a.from, &a.term, a.grade).cmp(&(b.from, &b.term, b.grade)));
        }
        Ok(())
    }

    fn laboratory(&mut self, frame: &Frame) -> Result<(), DataError> {
        let graded = |row: &Row<'_>, column: &'static str| match row.integer(column) {
            None => Ok(None),
            Some(found) => match u8::try_from(found).ok().filter(|g| *g <= 4) {
                Some(grade) => Ok(Some(grade)),
                None => Err(row.wrong(column, found, "a grade of a value from 0 to 4")),
            },
        };
        for row in frame.rows() {
            let test = row.text("PARAMCD").map(str::to_uppercase);
            let s = self.of(&row)?;
            let on = Self::day(s, &row, "ADT", "a value")?;
            if let Some(test) = test {
                s.tests.entry(test).or_default().push(on);
            }
            let Some(term) = row.text("ATOX") else { continue };
            let grade = graded(&row, "ATOXGRN")?;
            let (low, high) = (graded(&row, "ATOXLON")?, graded(&row, "ATOXHIN")?);
            let grade = match (grade, low, high) {
                (Some(g), low, high) => {
                    if low.is_some_and(|l| l > g) || high.is_some_and(|h| h < g) {
                        let what = format!("grade {g} is not between ATOXLON and ATOXHIN");
                        return Err(row.contradicts("ATOXGRN", what, "correct one of the three"));
                    }
                    [g, g]
                }
                (None, Some(low), Some(high)) if low <= high => [low, high],
                (None, Some(_), Some(_)) => {
                    let what = "ATOXLON is above ATOXHIN".to_owned();
                    return Err(row.contradicts("ATOXLON", what, "exchange the two"));
                }
                // Neither a grade nor between which: nothing is said of the value.
                _ => continue,
            };
            let baseline = graded(&row, "BTOXGRN")?;
            let version = self.version(&row)?;
            let known = Term::known(term);
            let s = self.of(&row)?;
            s.values.push(Value {
                term: known.map_or_else(|| term.trim().to_owned(), |t| t.name(version).to_owned()),
                haematologic: known.is_some_and(Term::is_haematologic),
                on,
                grade,
                baseline,
                cycle: row.integer("ACYCLE"),
            });
        }
        for s in self.subjects.values_mut() {
            s.values.sort_by(|a, b| (a.on, &a.term, a.grade).cmp(&(b.on, &b.term, b.grade)));
            s.tests.values_mut().for_each(|days| days.sort_unstable());
        }
        Ok(())
    }

    fn lesions(&mut self, frame: &Frame) -> Result<(), DataError> {
        for row in frame.rows() {
            let test = row.needed("TRTESTCD")?;
            let s = self.of(&row)?;
            if !["LDIAM", "SAXIS"].contains(&test) {
                continue;
            }
            let lesion = row.needed("TRLNKID")?.to_owned();
            let text = row.needed("TRDTC")?;
            let day = text.get(..10).and_then(|d| d.parse::<Date>().ok());
            let expected = "a day as YYYY-MM-DD, with or without a time after it";
            let day = day.ok_or_else(|| row.wrong("TRDTC", text, expected))?;
            let Some(mm) = row.number("TRSTRESN") else { continue };
            if !(0.0..=1000.0).contains(&mm) {
                return Err(row.wrong("TRSTRESN", mm, "a diameter from 0 to 1000 mm"));
            }
            let (id, name) = (s.id.clone(), lesion.clone());
            if s.lesions.entry(lesion).or_default().insert(day, mm).is_some_and(|old| old != mm) {
                let what = format!("{id}: lesion {name} has two sizes on {day}");
                return Err(row.contradicts("TRSTRESN", what, "keep one of them"));
            }
        }
        Ok(())
    }

    /// What rows of different tables say of one patient.
    fn check(&self) -> Result<(), DataError> {
        for s in self.subjects.values() {
            let Some(os) = s.times.get("OS") else { continue };
            for (code, time) in &s.times {
                if time.end.is_event() && time.from == os.from && time.days > os.days {
                    return Err(DataError::Contradiction {
                        place: s.row.clone(),
                        what: format!(
                            "{}: {code} ends with an event on day {}, but OS on day {}",
                            s.id, time.days, os.days
                        ),
                        remedy: "correct AVAL of one of them in ADTTE".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// What ended a time with an event.
fn cause(row: &Row<'_>, code: &str, told: bool) -> Result<End, DataError> {
    if code == "OS" {
        return Ok(End::Death);
    }
    if !told {
        return Ok(End::Event);
    }
    let words = row.needed("EVNTDESC")?.to_lowercase();
    let dead = ["death", "died", "dead"].iter().any(|w| words.contains(w));
    let progressed = ["progress", "pd", "new lesion", "relapse"].iter().any(|w| words.contains(w));
    match (dead, progressed) {
        (true, false) => Ok(End::Death),
        (false, true) => Ok(End::Progression),
        _ => {
            let expected =
                "words with either `death` or `progression`: the two are told apart by it";
            Err(row.wrong("EVNTDESC", words, expected))
        }
    }
}

fn usual_name(code: &str) -> String {
    match code {
        "HPFS" => "Hepatic progression-free survival".to_owned(),
        "PFS" => "Progression-free survival".to_owned(),
        "OS" => "Overall survival".to_owned(),
        _ => code.to_owned(),
    }
}

fn response(text: &str) -> Option<Response> {
    use Response::{Cr, Nd, Ne, NonCrNonPd, Pd, Pr, Sd};
    [Cr, Pr, Sd, NonCrNonPd, Pd, Ne, Nd].into_iter().find(|r| r.as_str() == text)
}

/// Whether it is a response.
#[must_use]
pub const fn responds(r: Response) -> bool {
    matches!(r, Response::Cr | Response::Pr)
}

const fn rank(r: Response) -> u8 {
    match r {
        Response::Cr => 1,
        Response::Pr => 2,
        Response::Sd => 3,
        Response::NonCrNonPd => 4,
        Response::Pd => 5,
        Response::Ne => 6,
        Response::Nd => 7,
    }
}

impl Subject {
    /// What scans say of a region.
    #[must_use]
    pub fn region(&self, scope: Scope) -> Option<&Region> {
        let code = REGIONS.iter().find(|r| r.0 == scope)?.1;
        self.regions.get(code)
    }
}

impl Trial {
    /// Arms in the order of their names; one without a name where no patient has one.
    #[must_use]
    pub fn arms(&self) -> Vec<Option<String>> {
        let mut arms: Vec<_> = self.subjects.iter().map(|s| s.arm.clone()).collect();
        arms.sort();
        arms.dedup();
        arms
    }
}
