//! Contradictions in a protocol: what reads well and cannot work, found before a patient is on it.
//!
//! An error is something the protocol says that cannot be so. A warning is something a reader should
//! know and may accept. Neither changes how a course is read.

use super::{
    Assessment, AssessmentKind, Drug, End, Escalation, Modification, Procedure, ProcedureKind,
    Protocol, Timing, Window,
};
use crate::ctcae::{GradeError, Term, Version};
use crate::gate::{Comparison, CriterionRule, GateFile, GateRule, Missing, Over, Step};
use crate::measure::{Kind, Measure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Measures that follow from the course and are in no registry: name, units, least and largest.
const DERIVED: [(&str, &[&str], [f64; 2]); 4] = [
    ("toxicity_grade", &["grade", ""], [0.0, 5.0]),
    ("doses_taken_percent", &["%"], [0.0, 100.0]),
    ("days_since_session", &["d", "days"], [0.0, f64::INFINITY]),
    ("days_since_simulation", &["d", "days"], [0.0, f64::INFINITY]),
];

/// Measures of the registry that the plan of a simulation gives.
const SIMULATED: [&str; 13] = [
    "lung_shunt_percent",
    "lung_activity_gbq",
    "lung_dose_session_gy",
    "lung_dose_cumulative_gy",
    "normal_liver_dose_gy",
    "tumour_dose_gy",
    "activity_gbq",
    "activity_orderable",
    "tumour_burden_percent",
    "hepatic_reserve_percent",
    "further_session_needed",
    "extrahepatic_uncorrectable",
    "extrahepatic_correctable",
];

/// Measures of the registry that are known of a patient on entry.
const ENROLLED: [&str; 27] = [
    "active_infection",
    "age",
    "anticoagulated",
    "ascites",
    "capecitabine",
    "consent",
    "contraception",
    "dpyd_activity_score",
    "encephalopathy",
    "heart_failure",
    "height",
    "hypersensitivity",
    "investigational_agent",
    "ki67_percent",
    "lesion_largest_mm",
    "life_expectancy_months",
    "liver_share_percent",
    "nursing",
    "portal_vein_patent",
    "pregnancy",
    "prior_liver_radiotherapy",
    "sex",
    "tumour_burden_percent",
    "unresectable",
    "washout_days",
    "weight",
    "who_grade",
];

/// Limits that a device or a case gives.
const NAMED_LIMITS: [&str; 3] = ["lung_session_gy", "lung_cumulative_gy", "normal_liver_gy"];

/// How a source says where a number is from.
const MARKS: [&str; 4] = ["[seen", "[recalled", "[derived", "[assumed"];

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The protocol contradicts itself.
    Error,
    /// A reader should know it.
    Warning,
}

impl Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Something wrong with a protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: `gate next-cycle, criterion platelets`.
    pub place: String,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.found, self.remedy)
    }
}

impl Protocol {
    /// What contradicts itself, errors first, then in the order of the file.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut check = Check { protocol: self, findings: Vec::new() };
        check.identifiers();
        check.course();
        check.drugs();
        check.procedures();
        check.assessments();
        check.gates();
        check.modifications();
        check.outcomes();
        check.marks();
        check.findings.sort_by_key(|f| f.severity);
        check.findings
    }
}

struct Check<'a> {
    protocol: &'a Protocol,
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn put(
        &mut self,
        severity: Severity,
        place: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (place, found, remedy) = (place.into(), found.into(), remedy.into());
        self.findings.push(Finding { severity, place, found, remedy });
    }

    fn error(
        &mut self,
        place: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.put(Severity::Error, place, found, remedy);
    }

    fn warning(
        &mut self,
        place: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.put(Severity::Warning, place, found, remedy);
    }

    // ---- identifiers -----------------------------------------------------------------------------

    fn identifiers(&mut self) {
        let p = self.protocol;
        // What becomes an obligation shares one space of names.
        let entries = p
            .drug
            .iter()
            .map(|d| ("drug", d.id.as_str()))
            .chain(p.procedure.iter().map(|q| ("procedure", q.id.as_str())))
            .chain(p.assessment.iter().map(|a| ("assessment", a.id.as_str())));
        self.once(entries, "");
        self.once(p.variant.iter().map(|v| ("variant", v.id.as_str())), "");
        self.once(p.gate.iter().map(|g| ("gate", g.id.as_str())), "");
        self.once(p.modification.iter().map(|m| ("modification", m.id.as_str())), "");
        self.once(p.endpoint.iter().map(|e| ("endpoint", e.id.as_str())), "");
        for d in &p.drug {
            let within = format!("drug {}, ", d.id);
            self.once(d.variant.iter().map(|v| ("variant", v.id.as_str())), &within);
            self.once(d.adjustment.iter().map(|a| ("adjustment", a.measure.as_str())), &within);
        }
        for g in &p.gate {
            let within = format!("gate {}, ", g.id);
            self.once(g.criterion.iter().map(|c| ("criterion", c.id.as_str())), &within);
        }
        for q in p.procedure.iter().filter(|q| ["start", "cycle"].contains(&q.id.as_str())) {
            self.error(
                format!("procedure {}", q.id),
                format!("`{}` already means a day of the course", q.id),
                "give the procedure another id",
            );
        }
    }

    fn once<'s>(&mut self, ids: impl Iterator<Item = (&'s str, &'s str)>, within: &str) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (kind, id) in ids {
            match seen.get(id) {
                Some(first) => self.error(
                    format!("{within}{kind} {id}"),
                    format!("the id `{id}` is that of another {first}"),
                    "give each its own",
                ),
                None => drop(seen.insert(id, kind)),
            }
        }
    }

    /// Whether there is a drug of that name.
    fn drug(&mut self, place: &str, id: &str) -> bool {
        let ids = self.protocol.drug.iter().map(|d| d.id.as_str());
        self.named(place, "drug", id, ids)
    }

    fn named<'s>(
        &mut self,
        place: &str,
        kind: &str,
        id: &str,
        known: impl Iterator<Item = &'s str> + Clone,
    ) -> bool {
        if known.clone().any(|k| k == id) {
            return true;
        }
        let remedy = match near(id, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match known.collect::<Vec<_>>()[..] {
                [] => format!("leave it out, or add the {kind}"),
                ref all => format!("there are {}", all.join(", ")),
            },
        };
        self.error(place, format!("there is no {kind} `{id}`"), remedy);
        false
    }

    // ---- cycles ----------------------------------------------------------------------------------

    fn course(&mut self) {
        let p = self.protocol;
        let c = &p.cycle;
        if let Err(e) = Version::try_from(p.ctcae) {
            self.error("ctcae", e.to_string(), "write 5 or 6");
        }
        if c.until.contains(&End::Intolerance) && p.drug.is_empty() {
            self.error(
                "cycle",
                "`until` names intolerance, and there is no drug that could be stopped",
                "leave intolerance out",
            );
        }
        if c.until.contains(&End::Complete) && c.at_most.is_none() {
            self.error(
                "cycle",
                "`until` names complete, and there is no last cycle",
                "write `at_most`, or leave complete out",
            );
        }
        if c.until.contains(&End::Progression) && p.response.is_none() {
            self.error(
                "cycle",
                "`until` names progression, and nothing says how it is found",
                "add [response], or leave progression out",
            );
        }
        if c.until.is_empty() && c.at_most.is_none() {
            self.warning(
                "cycle",
                "nothing but death or withdrawal ends it",
                "say in `until` what does",
            );
        }
    }

    fn cycle_exists(&mut self, place: &str, cycle: u32) {
        if let Some(last) = self.protocol.cycle.at_most.filter(|last| cycle > *last) {
            self.error(
                place,
                format!("is in cycle {cycle}, and there are {last} at most"),
                "move it, or raise cycle.at_most",
            );
        }
    }

    // ---- drugs -----------------------------------------------------------------------------------

    fn drugs(&mut self) {
        let p = self.protocol;
        for d in &p.drug {
            let place = format!("drug {}", d.id);
            if p.variant.is_empty() {
                self.error(
                    &place,
                    "the protocol has no variant, so no dose can be said",
                    "add one",
                );
            }
            for v in p.variant.iter().filter(|v| d.in_variant(&v.id).is_none()) {
                self.error(
                    &place,
                    format!("has no doses in variant {}", v.id),
                    "add them, even if they are the same",
                );
            }
            for v in &d.variant {
                let ids = p.variant.iter().map(|v| v.id.as_str());
                self.named(&place, "variant", &v.id, ids);
            }
            self.levels(d, &place);
            for a in &d.adjustment {
                let place = format!("{place}, adjustment by {}", a.measure);
                self.measure(&place, &a.measure, &a.unit, None);
                self.recorded(&place, &a.measure);
            }
            if let Some(e) = &d.escalation {
                self.escalation(d, e, &format!("{place}, escalation"));
            }
        }
    }

    /// Levels that are the same tablets reduce nothing.
    fn levels(&mut self, d: &Drug, place: &str) {
        for v in &d.variant {
            let Some(p) = d.prescription(v, self.protocol.body_surface) else { continue };
            // What cannot be prescribed at all was refused when the file was read.
            for same in p.levels_with_same_tablets().unwrap_or_default() {
                let (place, all) = (format!("{place}, variant {}", v.id), same.at == same.of);
                let surfaces = if all {
                    "every body surface".to_owned()
                } else {
                    format!(
                        "{} of {} body surfaces from {:.2} to {:.2} m2",
                        same.at, same.of, same.from_m2, same.to_m2
                    )
                };
                self.put(
                    if all { Severity::Error } else { Severity::Warning },
                    place,
                    format!(
                        "level {} is the same tablets as level {} at {surfaces}",
                        same.lower, same.higher
                    ),
                    "a reduction would reduce nothing there: add smaller tablets, or set the levels further apart",
                );
            }
        }
    }

    fn escalation(&mut self, d: &Drug, e: &Escalation, place: &str) {
        for id in &e.variants {
            let ids = self.protocol.variant.iter().map(|v| v.id.as_str());
            if self.named(place, "variant", id, ids)
                && d.in_variant(id).is_some_and(|v| v.start_level == 0)
            {
                self.error(
                    place,
                    format!("variant {id} begins on its highest level: there is nothing above"),
                    "set start_level, or leave the variant out",
                );
            }
        }
        if e.criterion.is_empty() {
            self.error(place, "has no criterion: the dose would always go up", "add one");
        }
        for c in &e.criterion {
            self.criterion(&format!("{place}, criterion {}", c.id), c);
        }
    }

    // ---- procedures ------------------------------------------------------------------------------

    fn procedures(&mut self) {
        let p = self.protocol;
        for q in &p.procedure {
            let place = format!("procedure {}", q.id);
            for w in &q.window {
                self.cycle_exists(&format!("{place}, window"), w.cycle);
            }
            let cycles: BTreeSet<_> = q.window.iter().map(|w| w.cycle).collect();
            if cycles.len() < q.window.len() {
                self.error(
                    format!("{place}, window"),
                    "has two windows in one cycle",
                    "make one window of them, or two procedures",
                );
            }
            for r in &q.requires {
                let ids = p.procedure.iter().map(|q| q.id.as_str());
                self.named(&format!("{place}, requires"), "procedure", &r.procedure, ids);
                if let Some(most) = r.most_days.filter(|most| *most < r.least_days) {
                    self.error(
                        format!("{place}, requires {}", r.procedure),
                        format!("at least {} and at most {most} days before", r.least_days),
                        "exchange them",
                    );
                }
            }
            if let Some(c) = &q.only_if {
                self.criterion(&format!("{place}, only_if {}", c.id), c);
            }
        }
        let cyclic = self.cyclic_requirements();
        for q in p.procedure.iter().filter(|q| !cyclic.contains(q.id.as_str())) {
            self.reachable(q, &cyclic);
        }
    }

    /// Names every cycle of requirements once, and says which procedures cannot be begun by them.
    fn cyclic_requirements(&mut self) -> BTreeSet<&'a str> {
        let p = self.protocol;
        let mut stuck = BTreeSet::new();
        for q in &p.procedure {
            let mut path = vec![q.id.as_str()];
            if stuck.contains(q.id.as_str()) || !returns(p, &mut path) {
                continue;
            }
            stuck.extend(&path);
            path.push(&q.id);
            self.error(
                format!("procedure {}, requires", q.id),
                format!("waits for itself: {}", path.join(" needs ")),
                "take one of these requirements out",
            );
        }
        stuck
    }

    /// Whether a window of a procedure can be met after what it requires.
    fn reachable(&mut self, q: &'a Procedure, cyclic: &BTreeSet<&str>) {
        let p = self.protocol;
        for r in q.requires.iter().filter(|r| !cyclic.contains(r.procedure.as_str())) {
            let Some(other) = p.procedure.iter().find(|o| o.id == r.procedure) else { continue };
            let place = format!("procedure {}, requires {}", q.id, r.procedure);
            let Some(first) = first_day(p, other, 0) else { continue };
            let last = other.window.iter().map(|w| study_day(p, w, w.latest)).max();
            let from = first + i64::from(r.least_days);
            let windows = || q.window.iter().map(|w| (w, study_day(p, w, w.latest)));
            if windows().all(|(_, latest)| latest < from) {
                let latest = windows().map(|w| w.1).max().unwrap_or(0);
                self.error(
                    place,
                    format!(
                        "must be {} days after {}, so on study day {from} at the earliest, and its last day is {latest}",
                        r.least_days, other.name
                    ),
                    "widen one of the windows, or lower least_days",
                );
            } else if let Some((w, _)) = windows().find(|(_, latest)| *latest < from) {
                self.warning(
                    place,
                    format!(
                        "the window in cycle {} ends before {} days have passed",
                        w.cycle, r.least_days
                    ),
                    "leave that window out, or widen it",
                );
            } else if let (Some(most), Some(last)) = (r.most_days, last)
                && let Some(earliest) = q.window.iter().map(|w| study_day(p, w, w.earliest)).min()
                && last + i64::from(most) < earliest
            {
                self.error(
                    place,
                    format!(
                        "must be {most} days after {} at most, so by study day {}, and its first day is {earliest}",
                        other.name,
                        last + i64::from(most)
                    ),
                    "widen one of the windows, or raise most_days",
                );
            }
        }
    }

    // ---- assessments -----------------------------------------------------------------------------

    fn assessments(&mut self) {
        for a in &self.protocol.assessment {
            let place = format!("assessment {}", a.id);
            let imaging = a.kind == AssessmentKind::Imaging;
            if imaging && !a.measures.is_empty() {
                self.warning(
                    &place,
                    "is a scan, which is done when it is read: its measures are not looked at",
                    "put them into a visit",
                );
            }
            if !imaging && a.measures.is_empty() {
                self.error(&place, "measures nothing, so it is never done", "list its measures");
            }
            for m in &a.measures {
                if DERIVED.iter().any(|(id, ..)| id == m) {
                    let found = format!("{m} follows from the course and is not measured");
                    self.error(&place, found, "leave it out");
                } else {
                    self.registered(&place, m);
                }
            }
            if a.when.is_empty() {
                self.error(&place, "has no `when`, so it is never due", "say when");
            }
            for t in &a.when {
                self.timing(&place, t);
            }
        }
    }

    fn timing(&mut self, place: &str, t: &Timing) {
        for cycle in t.cycle.iter().chain(&t.from_cycle) {
            self.cycle_exists(place, *cycle);
        }
        if let Some(to) = t.to_cycle {
            match t.from_cycle {
                None => self.error(
                    place,
                    "has to_cycle without from_cycle",
                    "write from_cycle, or leave it out",
                ),
                Some(from) if to < from => self.error(
                    place,
                    format!("goes from cycle {from} to cycle {to}, which is none"),
                    "exchange them",
                ),
                Some(_) => {}
            }
        }
        if let Some(after) = t.after.as_deref().filter(|a| *a != "start") {
            let known = std::iter::once("start")
                .chain(self.protocol.procedure.iter().map(|q| q.id.as_str()));
            self.named(place, "procedure", after, known);
        }
    }

    // ---- gates -----------------------------------------------------------------------------------

    fn gates(&mut self) {
        let p = self.protocol;
        for g in &p.gate {
            let place = format!("gate {}", g.id);
            if g.id == "dose" {
                self.error(
                    &place,
                    "`dose` is the name under which a missing adjustment is waived",
                    "give the gate another id",
                );
            }
            if g.guards.is_empty() {
                self.error(
                    &place,
                    "guards nothing, so it is never asked",
                    "say what it stands before",
                );
            }
            for what in &g.guards {
                let known =
                    ["start", "cycle"].into_iter().chain(p.procedure.iter().map(|q| q.id.as_str()));
                self.named(&place, "procedure", what, known);
            }
            if g.criterion.is_empty() {
                self.error(&place, "has no criterion, so it always passes", "add one");
            }
            self.wait(g, &place);
            // What is included is written for several protocols.
            let included = g.include.iter().filter_map(|name| GateFile::shipped(name).ok());
            let included: usize = included.map(|f| f.criterion.len()).sum();
            for (n, c) in g.criterion.iter().enumerate() {
                let place = format!("{place}, criterion {}", c.id);
                self.criterion(&place, c);
                self.freshness(&place, g, c);
                for o in c.overrides.iter().filter(|o| n >= included && o.protocol != p.id) {
                    self.error(
                        &place,
                        format!("is overridden for protocol {}, and this is {}", o.protocol, p.id),
                        "name this protocol, or leave the override out",
                    );
                }
            }
        }
    }

    fn wait(&mut self, g: &GateRule, place: &str) {
        let p = self.protocol;
        let Some(w) = &g.wait else { return };
        let place = format!("{place}, wait");
        if !g.guards.iter().any(|what| what == "cycle") {
            self.error(
                &place,
                "only a cycle waits, and the gate does not guard `cycle`",
                "leave `wait` out, or guard the cycle",
            );
        }
        for d in &w.drugs {
            self.drug(&place, d);
        }
        if w.drugs.is_empty() && [w.then, w.exhausted].iter().any(|s| *s != Step::Same) {
            self.error(&place, "changes the level of no drug", "name the drugs");
        }
        if w.exhausted != Step::Stop {
            self.warning(
                &place,
                "when it has waited in vain the cycle is not begun, and the drugs are not stopped",
                "write `exhausted = \"stop\"`",
            );
        }
        for d in p.drug.iter().filter(|d| w.drugs.contains(&d.id)) {
            self.step_exists(&place, d, w.then);
        }
    }

    /// A step below the lowest level stops the drug: say so where it is not meant.
    fn step_exists(&mut self, place: &str, d: &Drug, step: Step) {
        let below = match step {
            Step::Minus1 | Step::Down => 1,
            Step::Minus2 => 2,
            Step::Minus3 => 3,
            Step::Same | Step::Stop => return,
        };
        let short: Vec<_> = d
            .variant
            .iter()
            .filter(|v| v.levels() - 1 - v.start_level < below)
            .map(|v| v.id.as_str())
            .collect();
        if !short.is_empty() {
            self.warning(
                place,
                format!(
                    "{} has no {below} levels below the starting one in variant {}: it would be stopped",
                    d.name,
                    short.join(", ")
                ),
                "add a level, or write \"stop\"",
            );
        }
    }

    fn criterion(&mut self, place: &str, c: &CriterionRule) {
        let fits = self.measure(place, &c.measure, &c.unit, c.limit);
        if let Some(name) = &c.limit_of {
            self.named(place, "limit of a device or case", name, NAMED_LIMITS.into_iter());
        }
        for (key, list, measure) in
            [("terms", &c.terms, "toxicity_grade"), ("drugs", &c.drugs, "doses_taken_percent")]
        {
            if c.measure == measure && list.is_empty() {
                self.error(
                    place,
                    format!("{measure} without {key}"),
                    format!("say of which {key}"),
                );
            } else if c.measure != measure && !list.is_empty() {
                self.error(
                    place,
                    format!("has {key}, which only {measure} looks at"),
                    "leave them out, or write the other measure",
                );
            }
        }
        for term in &c.terms {
            self.term(place, term);
        }
        for d in &c.drugs {
            self.drug(place, d);
        }
        self.recorded(place, &c.measure);
        if let Some(limit) = c.limit.filter(|_| fits) {
            self.decides(place, &c.measure, c.comparison, limit);
        }
        let overridden = c.overrides.iter().any(|o| o.protocol == self.protocol.id);
        if overridden && c.missing == Missing::Pass {
            self.error(
                place,
                "goes on whatever is found: not met is overridden, missing passes",
                "leave the criterion out, or let a missing value hold",
            );
        }
        let takes = |id: &str| self.protocol.drug.iter().any(|d| d.id == id);
        if c.measure == "capecitabine"
            && takes("capecitabine")
            && c.limit.is_some_and(|l| !c.comparison.holds(1.0, l))
            && !overridden
        {
            self.warning(
                place,
                "the protocol gives capecitabine, so this is never met, and nothing overrides it",
                "override it with a reason, or treat with the devices it is not for",
            );
        }
    }

    fn term(&mut self, place: &str, term: &str) {
        if ["any", "haematologic", "non-haematologic"].contains(&term) {
            return;
        }
        if let Err(e) = Term::find(term) {
            let remedy = match e {
                GradeError::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
                _ => {
                    "write a class (any, haematologic, non-haematologic) or another term".to_owned()
                }
            };
            self.error(place, format!("there is no CTCAE term `{term}`"), remedy);
        }
    }

    // ---- measures --------------------------------------------------------------------------------

    /// The measure of the registry, where it is written by its identifier.
    fn registered(&mut self, place: &str, name: &str) -> Option<&'static Measure> {
        let known = || {
            let registry = Measure::all().iter().map(|m| m.id.as_str());
            registry.chain(DERIVED.iter().map(|(id, ..)| *id))
        };
        match Measure::find(name) {
            Ok(m) if m.id == name => Some(m),
            Ok(m) => {
                // Values are kept under the identifier alone.
                let found = format!("`{name}` is another name of the measure {}", m.id);
                self.error(place, found, format!("write `{}`", m.id));
                None
            }
            Err(_) => {
                let remedy = near(name, known())
                    .map_or("the names are those of measures.toml".to_owned(), |near| {
                        format!("did you mean `{near}`?")
                    });
                self.error(place, format!("there is no measure `{name}`"), remedy);
                None
            }
        }
    }

    /// Whether there is such a measure and its limit is in its unit.
    fn measure(&mut self, place: &str, name: &str, unit: &str, limit: Option<f64>) -> bool {
        let derived = DERIVED.iter().find(|(id, ..)| *id == name).map(|d| d.1);
        let over_limit = name.strip_suffix("_uln").filter(|_| Measure::find(name).is_err());
        let (fits, base) = match (derived, over_limit) {
            (Some(units), _) => (units.contains(&unit), units[0]),
            (None, Some(base)) => {
                if self.registered(place, base).is_none() {
                    return false;
                }
                (unit == "x ULN", "x ULN")
            }
            (None, None) => {
                let Some(m) = self.registered(place, name) else { return false };
                (m.is_base_unit(unit), m.unit.as_str())
            }
        };
        if !fits {
            let known = Measure::find(name).ok().filter(|_| !unit.is_empty());
            let converted = known.zip(limit).and_then(|(m, l)| m.to_base(l, unit).ok());
            let limit = match converted {
                Some(l) => format!("limit = {:?}, ", four_digits(l)),
                None => String::new(),
            };
            let found = match base {
                "" => format!("{name} has no unit, and `{unit}` is written"),
                base => format!("{name} is kept in {base}, and `{unit}` is written"),
            };
            self.error(place, found, format!("write {limit}unit = \"{base}\""));
        }
        fits
    }

    /// Whether a limit separates values that there can be.
    fn decides(&mut self, place: &str, name: &str, comparison: Comparison, limit: f64) {
        let derived = DERIVED.iter().find(|(id, ..)| *id == name).map(|d| d.2);
        let measure = Measure::find(name).ok().filter(|m| m.id == name);
        let Some([lo, hi]) = derived.or(measure.map(|m| m.possible)) else { return };
        let [met_low, met_high] = [lo, hi].map(|v| comparison.holds(v, limit));
        let is = comparison == Comparison::Is;
        let on_step = measure.is_none_or(|m| m.check(limit).is_ok());
        let (always, never) = if is {
            (false, !(lo..=hi).contains(&limit) || !on_step)
        } else {
            (met_low && met_high, !met_low && !met_high)
        };
        if always || never {
            let which = if always { "every" } else { "no" };
            self.error(
                place,
                format!("{which} possible value ({lo} to {hi}) is {} {limit}", comparison.sign()),
                "so it decides nothing: check the limit and its unit",
            );
        }
    }

    /// Whether anything in the protocol gives a measure a value.
    fn recorded(&mut self, place: &str, name: &str) {
        let has = |kind| self.protocol.procedures(kind).next().is_some();
        let needs = match name {
            "toxicity_grade" | "doses_taken_percent" => return,
            "days_since_session" if has(ProcedureKind::Radioembolization) => return,
            "days_since_session" => Some("there is no radioembolization"),
            "days_since_simulation" if has(ProcedureKind::Simulation) => return,
            "days_since_simulation" => Some("there is no simulation"),
            _ => None,
        };
        if let Some(why) = needs {
            self.error(place, format!("nothing gives {name}: {why}"), "leave it out");
            return;
        }
        let given = |id: &str| {
            self.assessed(id).next().is_some()
                || ENROLLED.contains(&id)
                || (SIMULATED.contains(&id) && has(ProcedureKind::Simulation))
        };
        let is = |id: &str| Measure::find(id).is_ok_and(|m| m.id == id);
        let known = is(name) || name.strip_suffix("_uln").is_some_and(is);
        let by_base = name.strip_suffix("_uln").is_some_and(given);
        let cleared = name == "creatinine_clearance" && given("creatinine");
        if known && !given(name) && !by_base && !cleared {
            self.error(
                place,
                format!("nothing gives {name}: no assessment measures it, no simulation plans it, and it is not known on entry"),
                format!("add {} to an assessment before it is asked", name.strip_suffix("_uln").unwrap_or(name)),
            );
        }
    }

    /// Assessments that measure something.
    fn assessed<'s>(&'s self, id: &'s str) -> impl Iterator<Item = &'a Assessment> + 's {
        let p = self.protocol;
        p.assessment.iter().filter(move |a| {
            a.kind != AssessmentKind::Imaging && a.measures.iter().any(|m| m == id)
        })
    }

    /// Whether an assessment gives a value so fresh before what the gate guards.
    fn freshness(&mut self, place: &str, g: &GateRule, c: &CriterionRule) {
        let Some(days) = c.within_days.filter(|_| c.over == Over::Latest) else { return };
        let days = i64::from(days);
        let derived = ["age", "capecitabine"].contains(&c.measure.as_str())
            || DERIVED.iter().any(|(id, ..)| *id == c.measure);
        if derived {
            return;
        }
        let base = c.measure.strip_suffix("_uln").unwrap_or(&c.measure);
        let base = if base == "creatinine_clearance" { "creatinine" } else { base };
        let timings: Vec<&Timing> = [c.measure.as_str(), base]
            .into_iter()
            .flat_map(|m| self.assessed(m).collect::<Vec<_>>())
            .flat_map(|a| &a.when)
            .collect();
        // Not recorded at all is said already.
        if timings.is_empty() && !ENROLLED.contains(&base) {
            return;
        }
        let p = self.protocol;
        for what in &g.guards {
            let served = match what.as_str() {
                "start" => {
                    ENROLLED.contains(&base) || timings.iter().any(|t| before_start(t, days))
                }
                "cycle" => timings.iter().any(|t| before_cycle(t, i64::from(p.cycle.days), days)),
                id => {
                    let Some(q) = p.procedure.iter().find(|q| q.id == id) else { continue };
                    q.window.iter().all(|w| timings.iter().any(|t| before_window(t, id, w, days)))
                }
            };
            if !served {
                self.error(
                    place,
                    format!(
                        "a value of the last {days} days is asked before {what}, and no assessment is then"
                    ),
                    format!("add {base} to one that is, or ask for an older value"),
                );
            }
        }
    }

    // ---- modifications ---------------------------------------------------------------------------

    fn modifications(&mut self) {
        for m in &self.protocol.modification {
            let place = format!("modification {}", m.id);
            if m.drugs.is_empty() {
                self.error(&place, "changes no drug", "name the drugs");
            }
            for d in &m.drugs {
                if self.drug(&place, d)
                    && let Some(d) = self.protocol.drug(d)
                {
                    for step in m.then.iter().filter(|s| **s != Step::Down) {
                        self.step_exists(&place, d, *step);
                    }
                }
            }
            self.called_for(m, &place);
        }
    }

    fn called_for(&mut self, m: &Modification, place: &str) {
        for term in &m.terms {
            self.term(place, term);
        }
        for grade in m.grades.iter().filter(|g| !(1..=5).contains(*g)) {
            self.error(
                place,
                format!("is for grade {grade}, and toxicities have grades 1 to 5"),
                "correct the grade",
            );
        }
        if let (Some(until), Some(least)) = (m.hold_until_grade, m.grades.iter().min())
            && until >= *least
            && m.measure.is_none()
        {
            self.error(
                place,
                format!("holds until grade {until} or below, and grade {least} already is"),
                "lower hold_until_grade",
            );
        }
        if let Some(measure) = &m.measure {
            let fits = self.measure(place, measure, m.unit.as_deref().unwrap_or(""), m.limit);
            self.recorded(place, measure);
            if let (Some(comparison), Some(limit)) = (m.comparison, m.limit.filter(|_| fits)) {
                self.decides(place, measure, comparison, limit);
            }
            if m.hold_until_grade.is_some() {
                self.error(
                    place,
                    "holds until a grade, and a value calls for it",
                    "leave hold_until_grade out",
                );
            }
        }
    }

    // ---- outcomes --------------------------------------------------------------------------------

    fn outcomes(&mut self) {
        let p = self.protocol;
        for found in p.response.iter().flat_map(crate::response::ResponseRules::problems) {
            self.error("response", found, "correct it");
        }
        for e in &p.endpoint {
            let place = format!("endpoint {}", e.id);
            for found in e.problems() {
                let found = found.strip_prefix(&format!("{place}: ")).unwrap_or(&found).to_owned();
                self.error(&place, found, "correct it");
            }
            let scanned = e
                .events
                .iter()
                .chain(&e.competing)
                .any(|k| *k != crate::endpoint::EventKind::Death);
            if scanned && p.response.is_none() {
                self.error(
                    &place,
                    "counts progression, and nothing says how it is found",
                    "add [response]",
                );
            }
            let sessions = p.procedures(ProcedureKind::Radioembolization).next();
            if e.start == crate::endpoint::Start::FirstSession && sessions.is_none() {
                self.error(
                    &place,
                    "counts from the first session, and there is no radioembolization",
                    "count from another day",
                );
            }
        }
    }

    // ---- marks -----------------------------------------------------------------------------------

    /// Every number says how sure it is.
    fn marks(&mut self) {
        let p = self.protocol;
        let mut sources: Vec<(String, &str)> = vec![("cycle".to_owned(), &p.cycle.source)];
        for d in &p.drug {
            let place = format!("drug {}", d.id);
            sources.push((place.clone(), &d.source));
            sources.extend(d.form.iter().map(|f| (format!("{place}, form"), f.source.as_str())));
            if let Some(e) = &d.escalation {
                sources.push((format!("{place}, escalation"), &e.source));
                sources.extend(criteria(&format!("{place}, escalation"), &e.criterion));
            }
        }
        for q in &p.procedure {
            sources.push((format!("procedure {}", q.id), &q.source));
        }
        for a in &p.assessment {
            sources.push((format!("assessment {}", a.id), &a.source));
        }
        for g in &p.gate {
            let place = format!("gate {}", g.id);
            sources.extend(g.wait.iter().map(|w| (format!("{place}, wait"), w.source.as_str())));
            sources.extend(criteria(&place, &g.criterion));
        }
        sources.extend(p.response.iter().map(|r| ("response".to_owned(), r.source.as_str())));
        for e in &p.endpoint {
            sources.push((format!("endpoint {}", e.id), &e.source));
        }
        for (place, source) in sources {
            if !MARKS.iter().any(|mark| source.contains(mark)) {
                self.warning(
                    place,
                    format!("its source does not say how sure it is: `{source}`"),
                    "add [seen], [recalled], [derived] or [assumed]",
                );
            }
        }
    }
}

/// Sources of criteria with a number of their own: a device's limit has its own source, and yes or
/// no is no number.
fn criteria<'s>(
    place: &str,
    rules: &'s [CriterionRule],
) -> impl Iterator<Item = (String, &'s str)> {
    let yes_or_no =
        |c: &CriterionRule| Measure::find(&c.measure).is_ok_and(|m| m.kind == Kind::YesNo);
    let place = place.to_owned();
    rules
        .iter()
        .filter(move |c| c.limit.is_some() && !yes_or_no(c))
        .map(move |c| (format!("{place}, criterion {}", c.id), c.source.as_str()))
}

/// To four digits: what a person would write.
fn four_digits(x: f64) -> f64 {
    let digits = 3 - (x.abs().max(1e-9).log10().floor() as i32);
    let scale = 10_f64.powi(digits.clamp(0, 9));
    (x * scale).round() / scale
}

/// The name most like another, if one is.
fn near<'s>(name: &str, known: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    known
        .map(|k| (strsim::jaro_winkler(name, k), k))
        .filter(|(likeness, _)| *likeness > 0.8)
        // Ties by name, so that the same slip has the same answer.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, k)| k)
}

/// Whether the requirements of the last of a path lead back to its first, which then is the path.
fn returns<'a>(p: &'a Protocol, path: &mut Vec<&'a str>) -> bool {
    let (first, last) = (path[0], path[path.len() - 1]);
    let Some(q) = p.procedure.iter().find(|q| q.id == last) else { return false };
    for r in &q.requires {
        if r.procedure == first {
            return true;
        }
        if !path.contains(&r.procedure.as_str()) {
            path.push(&r.procedure);
            if returns(p, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// Day of the course, the first being 1, if every cycle follows the one before.
fn study_day(p: &Protocol, w: &Window, day: u32) -> i64 {
    (i64::from(w.cycle) - 1) * i64::from(p.cycle.days) + i64::from(day)
}

/// The first study day on which a procedure can be done after all it requires; `None` if there is
/// none. `depth` ends what requires itself.
fn first_day(p: &Protocol, q: &Procedure, depth: usize) -> Option<i64> {
    if depth > p.procedure.len() {
        return None;
    }
    let mut from = i64::MIN;
    for r in &q.requires {
        let Some(other) = p.procedure.iter().find(|o| o.id == r.procedure) else { continue };
        from = from.max(first_day(p, other, depth + 1)? + i64::from(r.least_days));
    }
    q.window
        .iter()
        .filter(|w| study_day(p, w, w.latest) >= from)
        .map(|w| study_day(p, w, w.earliest).max(from))
        .min()
}

/// Whether two stretches of days meet.
fn meet(a: [i64; 2], b: [i64; 2]) -> bool {
    a[0] <= b[1] && b[0] <= a[1]
}

/// A timing's first and last day, reckoned from day 1 of a cycle, if it is in that cycle.
fn in_cycle(t: &Timing, cycle: u32) -> Option<[i64; 2]> {
    let first = t.cycle.or(t.from_cycle)?;
    let last = t.cycle.or(t.to_cycle).unwrap_or(u32::MAX);
    (first..=last).contains(&cycle).then(|| [i64::from(t.earliest) - 1, i64::from(t.latest) - 1])
}

/// Whether a timing gives a value within so many days before the course begins.
fn before_start(t: &Timing, days: i64) -> bool {
    let after_start = t.after.as_deref() == Some("start") && t.every_days.is_none();
    let at = if after_start {
        Some([i64::from(t.earliest), i64::from(t.latest)])
    } else {
        in_cycle(t, 1)
    };
    at.is_some_and(|at| meet(at, [-days, 0]))
}

/// Whether a timing gives a value within so many days before every cycle but the first.
fn before_cycle(t: &Timing, length: i64, days: i64) -> bool {
    let all = t.cycle.is_none() && t.to_cycle.is_none() && t.from_cycle.is_some_and(|c| c <= 2);
    let this = in_cycle(t, 2);
    // Late days of the cycle before serve, too.
    let before = in_cycle(t, 1).map(|at| at.map(|d| d - length));
    all && [this, before].into_iter().flatten().any(|at| meet(at, [-days, 0]))
}

/// Whether a timing gives a value within so many days before the day a procedure is aimed at.
fn before_window(t: &Timing, procedure: &str, w: &Window, days: i64) -> bool {
    let day = i64::from(w.target) - 1;
    match &t.after {
        Some(after) if after == procedure => {
            meet([i64::from(t.earliest), i64::from(t.latest)], [-days, 0])
        }
        Some(_) => false,
        None => in_cycle(t, w.cycle).is_some_and(|at| meet(at, [day - days, day])),
    }
}
