//! From the cells of a form to its fact, with a complaint for every cell that cannot be used.

use super::cell::{split, unescape};
use super::{BadCell, Cells, Envelope, FieldKind, Form, GBQ, MAX_LIST, MG, MM, OTHER, PLANNED};
use hepatica_regimen::Calendar;
use hepatica_regimen::event::{Fact, Limit, Measured, Pinned, Simulation};
use hepatica_regimen::measure::{Kind as MeasureKind, Measure};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, NonTarget, NonTargetState, Scan};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use std::collections::BTreeMap;

/// Reads a form.
pub(super) struct Reader<'a> {
    pub(super) form: &'a Form,
    pub(super) cells: &'a Cells,
    pub(super) bad: Vec<BadCell>,
    pub(super) doubts: Vec<String>,
}

impl<'a> Reader<'a> {
    fn id(&self, id: &str) -> String {
        format!("{}_{id}", self.form.prefix)
    }

    fn get(&self, id: &str) -> Option<&'a str> {
        self.cells.get(&self.id(id)).map(String::as_str).filter(|t| !t.is_empty())
    }

    fn wrong(&mut self, id: &str, found: &str, expected: impl Into<String>) {
        let field = self.id(id);
        self.bad.push(BadCell { field, found: found.to_owned(), expected: expected.into() });
    }

    /// A cell that must be filled.
    fn need<T>(&mut self, id: &str, value: Option<T>, expected: &str) -> Option<T> {
        // What is there and wrong was complained of already.
        if value.is_none() && self.get(id).is_none() {
            self.wrong(id, "", expected);
        }
        value
    }

    fn text(&self, id: &str) -> Option<String> {
        self.get(id).map(str::to_owned)
    }

    fn date(&mut self, id: &str) -> Option<Date> {
        let text = self.get(id)?;
        let date = Calendar::parse_date(text).ok();
        if date.is_none() {
            self.wrong(id, text, "a date written YYYY-MM-DD");
        }
        date
    }

    fn yes_no(&mut self, id: &str) -> Option<bool> {
        match self.get(id)? {
            "1" => Some(true),
            "0" => Some(false),
            other => {
                self.wrong(id, other, "1 for yes or 0 for no; export raw values, not labels");
                None
            }
        }
    }

    fn parse_number(text: &str, [lo, hi]: [f64; 2]) -> Option<f64> {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        let value: f64 = text.parse().ok().filter(|_| plain)?;
        (lo <= value && value <= hi).then_some(value)
    }

    fn number(&mut self, id: &str, range: [f64; 2], unit: &str) -> Option<f64> {
        let text = self.get(id)?;
        let value = Self::parse_number(text, range);
        if value.is_none() {
            let [lo, hi] = range;
            self.wrong(id, text, format!("a number from {lo} to {hi} {unit}, with a point"));
        }
        value
    }

    fn chosen(&mut self, id: &str) -> Option<String> {
        let text = self.get(id)?;
        if text == OTHER {
            let other = format!("{id}_other");
            let which = self.text(&other);
            return self.need(&other, which, "which one, because `other` was chosen");
        }
        self.code(id).map(str::to_owned)
    }

    /// One of the codes of a choice.
    fn code(&mut self, id: &str) -> Option<&'a str> {
        let text = self.get(id)?;
        let field = self.id(id);
        let form = self.form;
        let Some(FieldKind::Choice(codes)) =
            form.fields.iter().find(|f| f.id == field).map(|f| &f.kind)
        else {
            return Some(text);
        };
        if codes.iter().any(|(code, _)| code == text) {
            return Some(text);
        }
        if let Some((code, _)) = codes.iter().find(|(_, label)| label == text) {
            self.wrong(id, text, format!("the code `{code}`; export raw values, not labels"));
        } else {
            let all: Vec<_> = codes.iter().take(12).map(|(code, _)| code.as_str()).collect();
            let dots = if codes.len() > all.len() { ", ..." } else { "" };
            self.wrong(id, text, format!("one of the codes {}{dots}", all.join(", ")));
        }
        None
    }

    fn list(&mut self, id: &str) -> Vec<String> {
        let Some(text) = self.get(id) else { return Vec::new() };
        let parts = split(text, ';');
        if parts.len() > MAX_LIST {
            self.wrong(id, "too much", format!("at most {MAX_LIST} entries"));
            return Vec::new();
        }
        let all: Option<Vec<String>> = parts.into_iter().map(unescape).collect();
        if all.is_none() {
            self.wrong(id, text, "a list separated by `; ` (a backslash is written \\5c;)");
        }
        all.unwrap_or_default()
    }

    fn lines(&mut self, id: &str) -> Vec<&'a str> {
        let Some(text) = self.get(id) else { return Vec::new() };
        let all: Vec<_> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        if all.len() > MAX_LIST {
            self.wrong(id, "too much", format!("at most {MAX_LIST} lines"));
            return Vec::new();
        }
        all
    }

    /// Lines `name = value`, name and text of the value.
    fn pairs(&mut self, id: &str, expected: &str) -> Vec<(String, &'a str)> {
        let mut all: Vec<(String, &'a str)> = Vec::new();
        for line in self.lines(id) {
            // Signs of equality in a name are written otherwise.
            let pair = line.split_once('=').and_then(|(name, value)| {
                let name = unescape(name.trim())?;
                Some((name, value.trim()))
            });
            match pair {
                Some((name, _)) if all.iter().any(|(n, _)| *n == name) => {
                    self.wrong(id, line, "each name once");
                }
                Some(pair) => all.push(pair),
                None => self.wrong(id, line, expected.to_owned()),
            }
        }
        all
    }

    /// A value of a measure as it is written.
    fn measured(&mut self, id: &str, name: &str, text: &str) -> Option<f64> {
        let read = |m: &'static Measure| match text {
            // Whatever its words are, yes is 1.
            "0" | "1" if m.kind == MeasureKind::YesNo => m.check(f64::from(u8::from(text == "1"))),
            _ => m.read(text),
        };
        match Measure::find(name).and_then(read) {
            Ok(reading) => {
                self.doubts.extend(reading.doubt);
                Some(reading.value)
            }
            Err(e) => {
                self.wrong(id, text, format!("a value that can be: {e}"));
                None
            }
        }
    }

    fn values(&mut self, ending: &str, more: &str) -> BTreeMap<String, f64> {
        let mut values = BTreeMap::new();
        for m in Measure::all() {
            let id = format!("{}{ending}", m.id);
            if let Some(text) = self.get(&id)
                && self.form.fields.iter().any(|f| f.id == self.id(&id))
                && let Some(value) = self.measured(&id, &m.id, text)
            {
                values.insert(m.id.clone(), value);
            }
        }
        for (name, text) in self.pairs(more, "name = value") {
            let Some(value) = self.measured(more, &name, text) else { continue };
            if values.insert(name.clone(), value).is_some() {
                self.wrong(more, &name, "each value once; it has a field of its own");
            }
        }
        values
    }

    pub(super) fn envelope(&mut self) -> Option<Envelope> {
        let on = self.date("on");
        let on = self.need("on", on, "the day it is true of");
        let at = self.get("at").and_then(|text| {
            let shape = text.len() <= 18
                && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'))
                && text.contains(':');
            let time = text.parse::<Time>().ok().filter(|_| shape);
            if time.is_none() {
                self.wrong("at", text, "a time written HH:MM:SS");
            }
            time
        });
        let recorded = self.get("recorded").and_then(|text| {
            let time = text.parse::<Timestamp>().ok();
            if time.is_none() {
                self.wrong("recorded", text, "a time in UTC, as in 2027-01-04T09:30:00Z");
            }
            time
        });
        Some(Envelope { on: on?, at, recorded, by: self.text("by"), why: self.text("why") })
    }

    pub(super) fn fact(&mut self, source: &Source) -> Option<Fact> {
        match self.form.id {
            "course" => self.begin(source),
            "enrolment" => {
                let (birth, variant) = (self.date("birth"), self.chosen("variant"));
                Some(Fact::Enrolment { birth, variant, values: self.values("", "more") })
            }
            "labs" => Some(Fact::Labs { values: self.values("", "more") }),
            "normal_limits" => {
                let lln = self.values("_lln", "more_lln");
                let uln = self.values("_uln", "more_uln");
                Some(Fact::Normal { lln, uln })
            }
            "doses" => {
                let drug = self.chosen("drug");
                let drug = self.need("drug", drug, "the drug");
                let taken = self.yes_no("taken");
                let taken = self.need("taken", taken, "1 for taken or 0 for not taken");
                let (until, mg_per_intake) = (self.date("until"), self.number("mg", MG, "mg"));
                let on = self.get("on").and_then(|t| Calendar::parse_date(t).ok());
                if let (Some(on), Some(last)) = (on, until)
                    && last < on
                {
                    self.wrong("until", &last.to_string(), format!("a day from {on} on"));
                }
                Some(Fact::Doses { drug: drug?, taken: taken?, until, mg_per_intake })
            }
            "toxicity" => {
                let term = self.chosen("term");
                let term = self.need("term", term, "the toxicity");
                let grade = self.code("grade").and_then(|g| g.parse().ok());
                let grade = self.need("grade", grade, "a grade from 0 to 5");
                let ctcae = self.code("ctcae").and_then(|v| v.parse().ok());
                let ctcae = self.need("ctcae", ctcae, "the version of CTCAE");
                let related = self.list("related");
                Some(Fact::Toxicity { term: term?, grade: grade?, ctcae: ctcae?, related })
            }
            "simulation" => Some(Fact::Simulation(self.simulation())),
            "session" => {
                let procedure = self.chosen("procedure");
                let procedure = self.need("procedure", procedure, "which session");
                let activity = self.number("activity", GBQ, "GBq");
                let activity = self.need("activity", activity, "the activity in GBq");
                let residual_gbq = self.number("residual", GBQ, "GBq");
                let (territory, device) = (self.text("territory"), self.text("device"));
                Some(Fact::Session {
                    procedure: procedure?,
                    territory,
                    activity_gbq: activity?,
                    residual_gbq,
                    device,
                })
            }
            "procedure" => {
                let procedure = self.chosen("procedure");
                let procedure = self.need("procedure", procedure, "which procedure");
                Some(Fact::Procedure { procedure: procedure? })
            }
            "scan" => Some(Fact::Scan { reading: self.scan() }),
            _ => self.status(),
        }
    }

    fn begin(&mut self, source: &Source) -> Option<Fact> {
        let p = &source.protocol;
        let sha = source.sha256();
        for (id, expected) in [("protocol", &p.id), ("version", &p.version), ("sha256", &sha)] {
            match self.get(id) {
                Some(found) if found != expected => {
                    let found = found.to_owned();
                    self.wrong(id, &found, format!("{expected}, as the protocol given says"));
                }
                None if id != "sha256" => self.wrong(id, "", expected.clone()),
                _ => {}
            }
        }
        let variant = self.chosen("variant");
        let c1d1 = self.date("c1d1");
        let c1d1 = self.need("c1d1", c1d1, "day 1 of cycle 1")?;
        Some(Fact::Begin { protocol: Pinned::from(source), variant, c1d1 })
    }

    fn simulation(&mut self) -> Simulation {
        let mut activity_gbq = Vec::new();
        for text in self.list("activities") {
            match Self::parse_number(&text, GBQ) {
                Some(x) => activity_gbq.push(x),
                None => self.wrong("activities", &text, "numbers of GBq separated by `; `"),
            }
        }
        let mut measures: BTreeMap<String, Measured> = BTreeMap::new();
        for m in PLANNED {
            if let Some(text) = self.get(m)
                && let Some(value) = self.measured(m, m, text)
            {
                measures.insert(m.to_owned(), Measured { value, interval: None });
            }
        }
        let expected = "name = value, or name = value [lowest; highest]";
        for (name, text) in self.pairs("more", expected) {
            let any = [f64::MIN, f64::MAX];
            let (text, interval) = match text.split_once('[') {
                None => (text, None),
                Some((value, rest)) => {
                    let ends = rest.trim_end().strip_suffix(']').and_then(|r| r.split_once(';'));
                    let ends = ends.and_then(|(lo, hi)| {
                        let (lo, hi) = (lo.trim(), hi.trim());
                        Some([Self::parse_number(lo, any)?, Self::parse_number(hi, any)?])
                    });
                    if ends.is_none() {
                        self.wrong("more", text, expected);
                    }
                    (value.trim(), ends)
                }
            };
            let Some(value) = self.measured("more", &name, text) else { continue };
            if measures.insert(name.clone(), Measured { value, interval }).is_some() {
                self.wrong("more", &name, "each value once; it has a field of its own");
            }
        }
        let mut limits = BTreeMap::new();
        for (name, text) in self.pairs("limits", "name = value ; source") {
            let limit = text.split_once(';').and_then(|(value, source)| {
                let value = Self::parse_number(value.trim(), [f64::MIN, f64::MAX])?;
                Some(Limit { value, source: unescape(source.trim())? })
            });
            match limit {
                Some(limit) => drop(limits.insert(name, limit)),
                None => self.wrong("limits", text, "name = value ; source"),
            }
        }
        let (plan_sha256, device) = (self.text("plan_sha256"), self.text("device"));
        Simulation { plan_sha256, device, measures, limits, activity_gbq }
    }

    fn scan(&mut self) -> Scan {
        let mut lesions = Vec::new();
        for n in 1.. {
            let id = |part: &str| format!("t{n}_{part}");
            if !self.form.fields.iter().any(|f| f.id == self.id(&id("id"))) {
                break;
            }
            let parts = ["id", "site", "node", "mm", "viable"];
            if parts.iter().all(|p| self.get(&id(p)).is_none()) {
                continue;
            }
            let name = self.text(&id("id"));
            let name = self.need(&id("id"), name, "an identifier, the same on every scan");
            let site = self.text(&id("site"));
            let site = self.need(&id("site"), site, "the organ, as in `liver segment 4`");
            let node = self.yes_no(&id("node")).unwrap_or(false);
            let diameter_mm = self.number(&id("mm"), MM, "mm");
            let viable_mm = self.number(&id("viable"), MM, "mm");
            if let (Some(id), Some(site)) = (name, site) {
                lesions.push(Lesion { id, site, node, diameter_mm, viable_mm });
            }
        }
        for line in self.lines("more") {
            match Self::lesion(line) {
                Some(lesion) => lesions.push(lesion),
                None => {
                    self.wrong("more", line, "identifier; site; node 1 or 0; mm; mm enhancing");
                }
            }
        }
        let mut non_target = Vec::new();
        for line in self.lines("non_target") {
            let parts = line.split_once('=').and_then(|(site, state)| {
                let state = match state.trim() {
                    "cr" => NonTargetState::Cr,
                    "non-cr-non-pd" => NonTargetState::NonCrNonPd,
                    "pd" => NonTargetState::Pd,
                    "ne" => NonTargetState::Ne,
                    _ => return None,
                };
                Some(NonTarget { site: unescape(site.trim())?, state })
            });
            match parts {
                Some(n) => non_target.push(n),
                None => self.wrong("non_target", line, "site = cr, non-cr-non-pd, pd or ne"),
            }
        }
        Scan { lesions, non_target, new_lesions: self.list("new") }
    }

    fn lesion(line: &str) -> Option<Lesion> {
        let [id, site, node, mm, viable] = split(line, ';')[..] else { return None };
        let size = |text: &str| match text {
            "" => Some(None),
            text => Self::parse_number(text, MM).map(Some),
        };
        let node = match node {
            "1" => true,
            "0" => false,
            _ => return None,
        };
        let (diameter_mm, viable_mm) = (size(mm)?, size(viable)?);
        Some(Lesion { id: unescape(id)?, site: unescape(site)?, node, diameter_mm, viable_mm })
    }

    fn status(&mut self) -> Option<Fact> {
        let kind = self.code("kind");
        Some(match self.need("kind", kind, "what happened")? {
            "therapy" => {
                let name = self.text("therapy");
                let name = self.need("therapy", name, "which treatment");
                let liver = self.yes_no("liver");
                let liver = self.need("liver", liver, "1 if directed at the liver, else 0");
                Fact::Therapy { name: name?, liver: liver? }
            }
            "hold" => Fact::Hold { drugs: self.list("drugs") },
            "resume" => Fact::Resume { drugs: self.list("drugs") },
            "override" => {
                let (gate, criterion) = (self.text("gate"), self.text("criterion"));
                let gate = self.need("gate", gate, "the gate");
                let criterion = self.need("criterion", criterion, "the criterion");
                let until = self.date("until");
                Fact::Override { gate: gate?, criterion: criterion?, until }
            }
            "withdrawal" => Fact::Withdrawal {},
            _ => Fact::Death {},
        })
    }
}
