//! From scans to response and progression: RECIST 1.1 (Eisenhauer 2009, Eur J Cancer 45:228) and
//! mRECIST (Lencioni and Llovet 2010), for the whole body, the liver, or all but the liver.
//!
//! Whatever order the scans come in, the answer is the same. What does not fit (a target that
//! nobody named at baseline, two sizes of one lesion on one day) is a problem in words, and the
//! time point is then not evaluable unless it is progression anyway: a response is never claimed
//! on doubtful ground, and progression is never hidden by it.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is recorded for a lesion that is seen but too small to measure, mm (RECIST 1.1).
pub const TOO_SMALL_MM: f64 = 5.0;
/// No lesion is longer, mm.
const LONGEST_MM: f64 = 500.0;
/// Sizes are written to a tenth of a millimetre: less than this is noise of the sum, mm.
const NOISE_MM: f64 = 1e-6;

/// What a scan showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Target lesions.
    #[serde(default)]
    pub lesions: Vec<Lesion>,
    /// Other disease, followed by eye.
    #[serde(default)]
    pub non_target: Vec<NonTarget>,
    /// Sites of lesions that were not there before.
    #[serde(default)]
    pub new_lesions: Vec<String>,
}

/// A target lesion on one scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lesion {
    /// Identifier, the same on every scan.
    pub id: String,
    /// Organ: `liver`, `lung`, `node`, ...; words after the first are free (`liver segment 4`).
    pub site: String,
    /// A lymph node: the diameter is its short axis.
    #[serde(default)]
    pub node: bool,
    /// Longest diameter (short axis of a node), mm; 0 when it has disappeared, left out when it
    /// cannot be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diameter_mm: Option<f64>,
    /// Longest diameter of the part that enhances in the arterial phase, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viable_mm: Option<f64>,
}

/// Other disease at one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NonTarget {
    /// Organ, as for a target lesion.
    pub site: String,
    /// How it is.
    pub state: NonTargetState,
}

/// State of disease that is followed by eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NonTargetState {
    /// Gone.
    Cr,
    /// There, and not unequivocally worse.
    NonCrNonPd,
    /// Unequivocally worse.
    Pd,
    /// Not evaluable.
    Ne,
}

/// Which criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Criteria {
    /// RECIST 1.1.
    #[serde(rename = "recist-1.1")]
    Recist11,
    /// Modified RECIST: of lesions in the liver only the part that enhances in the arterial phase
    /// counts; other lesions are as in RECIST 1.1.
    #[serde(rename = "mrecist")]
    Mrecist,
}

/// What progression of the targets is measured from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nadir {
    /// The smallest sum so far, the baseline included.
    #[default]
    Smallest,
    /// The baseline.
    Baseline,
}

/// Rules of response, from a protocol file. What is left out is RECIST 1.1's (recalled).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseRules {
    /// Which criteria.
    pub criteria: Criteria,
    /// Days after which a second scan confirms a response; left out: none is asked for.
    pub confirmation_days: Option<u32>,
    /// Days from the start before which stable disease does not count.
    pub stable_min_days: u32,
    /// Most target lesions.
    #[serde(default = "five")]
    pub targets_max: u32,
    /// Most target lesions of an organ; all nodes are one organ.
    #[serde(default = "two")]
    pub targets_per_organ_max: u32,
    /// What progression is measured from.
    #[serde(default)]
    pub nadir: Nadir,
    /// Decrease of the sum that is a partial response, % of the baseline.
    #[serde(default = "thirty")]
    pub partial_percent: f64,
    /// Increase of the sum that is progression, % of the nadir.
    #[serde(default = "twenty")]
    pub progression_percent: f64,
    /// The least increase in mm that is progression; left out: 5 mm with RECIST 1.1, none with
    /// mRECIST.
    pub progression_mm: Option<f64>,
    /// Least diameter of a target at baseline, mm.
    #[serde(default = "ten")]
    pub target_min_mm: f64,
    /// Least short axis of a target node at baseline, mm.
    #[serde(default = "fifteen")]
    pub node_min_mm: f64,
    /// A node with a smaller short axis is normal, mm.
    #[serde(default = "ten")]
    pub node_normal_mm: f64,
    /// Where the rules are from.
    pub source: String,
}

const fn two() -> u32 {
    2
}
const fn five() -> u32 {
    5
}
const fn ten() -> f64 {
    10.0
}
const fn fifteen() -> f64 {
    15.0
}
const fn twenty() -> f64 {
    20.0
}
const fn thirty() -> f64 {
    30.0
}

impl ResponseRules {
    /// The published rules, with confirmation after 28 days and stable disease from 42 days on.
    #[must_use]
    pub fn standard(criteria: Criteria) -> Self {
        Self {
            criteria,
            confirmation_days: Some(28),
            stable_min_days: 42,
            targets_max: five(),
            targets_per_organ_max: two(),
            nadir: Nadir::Smallest,
            partial_percent: thirty(),
            progression_percent: twenty(),
            progression_mm: None,
            target_min_mm: ten(),
            node_min_mm: fifteen(),
            node_normal_mm: ten(),
            source: match criteria {
                Criteria::Recist11 => "Eisenhauer 2009, Eur J Cancer 45:228 [recalled]",
                Criteria::Mrecist => "Lencioni, Llovet 2010, Semin Liver Dis 30:52 [recalled]",
            }
            .into(),
        }
    }

    /// What is wrong with the rules, for the protocol's check; empty when they are sound.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut need = |ok: bool, key: &str, found: f64, expected: &str| {
            if !ok {
                problems.push(format!("{key} = {found}, expected {expected}"));
            }
        };
        let percent = |x: f64| x > 0.0 && x <= 100.0;
        let mm = |x: f64| (0.0..=100.0).contains(&x);
        need(
            percent(self.partial_percent),
            "partial_percent",
            self.partial_percent,
            "above 0 to 100",
        );
        need(
            percent(self.progression_percent),
            "progression_percent",
            self.progression_percent,
            "above 0 to 100",
        );
        for (key, x) in [
            ("progression_mm", self.least_growth_mm()),
            ("target_min_mm", self.target_min_mm),
            ("node_min_mm", self.node_min_mm),
            ("node_normal_mm", self.node_normal_mm),
        ] {
            need(mm(x), key, x, "0 to 100 mm");
        }
        need(self.targets_max > 0, "targets_max", f64::from(self.targets_max), "at least 1");
        let (organ, all) = (self.targets_per_organ_max, self.targets_max);
        need(
            organ > 0 && organ <= all,
            "targets_per_organ_max",
            f64::from(organ),
            "1 to targets_max",
        );
        problems
    }

    fn least_growth_mm(&self) -> f64 {
        self.progression_mm.unwrap_or(match self.criteria {
            Criteria::Recist11 => 5.0,
            Criteria::Mrecist => 0.0,
        })
    }
}

/// Which disease is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All of it.
    All,
    /// In the liver. Nodes of its hilum are outside.
    Liver,
    /// All but the liver.
    OutsideLiver,
}

impl Scope {
    /// Whether disease at a site is looked at. The liver is a site whose first word is `liver`,
    /// unless it is a node (by `node`, or by a word of the site: `liver hilum node`).
    #[must_use]
    pub fn holds(self, site: &str, node: bool) -> bool {
        match self {
            Self::All => true,
            Self::Liver => in_liver(site) && !node,
            Self::OutsideLiver => !in_liver(site) || node,
        }
    }
}

/// A response, of the targets or over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Response {
    /// Complete response.
    #[serde(rename = "CR")]
    Cr,
    /// Partial response.
    #[serde(rename = "PR")]
    Pr,
    /// Stable disease.
    #[serde(rename = "SD")]
    Sd,
    /// Only disease that is followed by eye, there and not worse.
    #[serde(rename = "NON-CR/NON-PD")]
    NonCrNonPd,
    /// Progression.
    #[serde(rename = "PD")]
    Pd,
    /// Not evaluable.
    #[serde(rename = "NE")]
    Ne,
    /// No disease in the region, at baseline and now.
    #[serde(rename = "ND")]
    Nd,
}

impl Response {
    /// CDISC's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cr => "CR",
            Self::Pr => "PR",
            Self::Sd => "SD",
            Self::NonCrNonPd => "NON-CR/NON-PD",
            Self::Pd => "PD",
            Self::Ne => "NE",
            Self::Nd => "ND",
        }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer of one scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimePoint {
    /// Day of the scan.
    #[schemars(with = "String")]
    pub date: Date,
    /// Sum of the targets, mm; none when one of them is not evaluable.
    pub sum_mm: Option<f64>,
    /// Change of the sum from the baseline, %.
    pub change_percent: Option<f64>,
    /// Smallest sum before this scan, mm: what progression is measured from.
    pub nadir_mm: Option<f64>,
    /// Change of the sum from that nadir, %.
    pub change_from_nadir_percent: Option<f64>,
    /// Of the targets; none when there are none.
    pub target: Option<Response>,
    /// Of the disease followed by eye; none when there is none.
    pub non_target: Option<NonTargetState>,
    /// Whether there is a lesion that was not there before.
    pub new_lesion: bool,
    /// Over all.
    pub overall: Response,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// What must be put right.
    pub problems: Vec<String>,
}

impl TimePoint {
    /// Whether the scan says anything about progression.
    #[must_use]
    pub fn is_adequate(&self) -> bool {
        self.overall != Response::Ne
    }
}

/// The answer of all scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Assessment {
    /// Which disease.
    pub scope: Scope,
    /// Which criteria.
    pub criteria: Criteria,
    /// Day of the baseline scan.
    #[schemars(with = "String")]
    pub baseline_date: Date,
    /// Sum of the targets at baseline, mm; none when there are none.
    pub baseline_sum_mm: Option<f64>,
    /// Scan by scan, in the order of their days.
    pub points: Vec<TimePoint>,
    /// Best response up to the first progression.
    pub best: Response,
    /// The same when a response must be confirmed; none when the rules ask for no confirmation.
    pub best_confirmed: Option<Response>,
    /// Day of the first scan that shows progression.
    #[schemars(with = "Option<String>")]
    pub progression_date: Option<Date>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// What must be put right at baseline.
    pub problems: Vec<String>,
}

/// Scans of a patient.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// From here stable disease is counted: the start of treatment.
    pub start: Date,
    /// Day of the baseline scan.
    pub baseline_date: Date,
    /// The baseline scan.
    pub baseline: &'a Scan,
    /// Later scans in any order. Two of one day are one time point.
    pub later: &'a [(Date, &'a Scan)],
}

/// Words of a site.
fn words(site: &str) -> impl Iterator<Item = &str> {
    site.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether a site is the liver: its first word is, and it is no node.
fn in_liver(site: &str) -> bool {
    words(site).next().is_some_and(|word| word.eq_ignore_ascii_case("liver")) && !is_node(site)
}

fn is_node(site: &str) -> bool {
    let named = ["node", "nodes", "nodal", "lymph"];
    words(site).any(|word| named.iter().any(|n| word.eq_ignore_ascii_case(n)))
}

/// A site that may be meant to be the liver and is not written so. It belongs to no region until
/// a person has said which: counted outside, a new lesion of the liver would be hidden.
fn is_doubtful(site: &str) -> bool {
    if in_liver(site) || is_node(site) {
        return false;
    }
    let Some(first) = words(site).next().map(str::to_lowercase) else { return true };
    strsim::jaro_winkler(&first, "liver") > 0.85
        || first.starts_with("hepa")
        || first.starts_with("seg")
}

/// The organ of a lesion: all nodes are one.
fn organ(lesion: &Lesion) -> String {
    if lesion.node {
        return "node".into();
    }
    let site = lesion.site.trim().to_lowercase();
    if in_liver(&site) { "liver".into() } else { site }
}

/// The size that counts, mm. `Err` says why there is none.
fn size(lesion: &Lesion, criteria: Criteria) -> Result<f64, Option<String>> {
    let sound = |x: f64| (0.0..=LONGEST_MM).contains(&x);
    for (what, value) in [("diameter", lesion.diameter_mm), ("viable diameter", lesion.viable_mm)] {
        if let Some(x) = value.filter(|x| !sound(*x)) {
            return Err(Some(format!(
                "{}: a {what} of {x} mm is impossible, expected 0 to {LONGEST_MM}",
                lesion.id
            )));
        }
    }
    if let (Some(whole), Some(part)) = (lesion.diameter_mm, lesion.viable_mm)
        && part > whole + NOISE_MM
    {
        return Err(Some(format!(
            "{}: the viable part ({part} mm) is longer than the lesion ({whole} mm)",
            lesion.id
        )));
    }
    let viable_counts = criteria == Criteria::Mrecist && in_liver(&lesion.site) && !lesion.node;
    match (viable_counts, lesion.diameter_mm, lesion.viable_mm) {
        (false, Some(whole), _) => Ok(whole),
        (true, _, Some(part)) => Ok(part),
        // What has disappeared has no viable part.
        (true, Some(0.0), None) => Ok(0.0),
        _ => Err(None),
    }
}

/// A target as it was at baseline.
#[derive(Debug)]
struct Target<'a> {
    id: &'a str,
    node: bool,
    baseline_mm: f64,
}

/// All that scans of one day showed.
#[derive(Debug, Default)]
struct Day<'a> {
    lesions: BTreeMap<&'a str, Vec<&'a Lesion>>,
    non_target: BTreeMap<String, Vec<NonTargetState>>,
    new_lesions: Vec<&'a str>,
    /// Sites that may be the liver.
    doubtful: BTreeSet<&'a str>,
}

impl<'a> Day<'a> {
    fn add(&mut self, scan: &'a Scan, scope: Scope) {
        let mut here = |site: &'a str, node: bool| {
            if !node && is_doubtful(site) {
                self.doubtful.insert(site);
                return scope == Scope::All;
            }
            scope.holds(site, node)
        };
        for lesion in &scan.lesions {
            here(&lesion.site, lesion.node);
            self.lesions.entry(&lesion.id).or_default().push(lesion);
        }
        for n in &scan.non_target {
            if here(&n.site, false) {
                self.non_target.entry(n.site.trim().to_lowercase()).or_default().push(n.state);
            }
        }
        for site in &scan.new_lesions {
            if here(site, false) {
                self.new_lesions.push(site);
            }
        }
    }

    /// The one lesion of an id, or none when two scans of the day differ.
    fn lesion(&self, id: &str) -> Option<Result<&'a Lesion, ()>> {
        let all = self.lesions.get(id)?;
        let first = *all.first()?;
        Some(if all.iter().all(|l| *l == first) { Ok(first) } else { Err(()) })
    }
}

/// Response and progression of a patient in a region.
///
/// A scan on or before the baseline's day is not counted and listed as a problem. Scans after the
/// first progression are answered, but no longer count for the best response; leave out those
/// after another therapy began.
#[must_use]
pub fn assess(series: &Series<'_>, scope: Scope, rules: &ResponseRules) -> Assessment {
    let Series { start, baseline_date, baseline, later } = *series;
    let mut notes = Vec::new();
    let mut problems = Vec::new();
    let targets = targets(baseline, scope, rules, &mut problems);
    let base_day = {
        let mut day = Day::default();
        day.add(baseline, scope);
        day
    };
    let known: BTreeMap<&str, &Lesion> =
        baseline.lesions.iter().map(|l| (l.id.as_str(), l)).collect();
    let baseline_sum =
        (!targets.is_empty()).then(|| targets.iter().map(|t| t.baseline_mm).sum::<f64>());

    problems.extend(base_day.doubtful.iter().map(|site| site_problem(site)));

    let mut days: BTreeMap<Date, Day<'_>> = BTreeMap::new();
    let mut not_counted: Vec<Date> = Vec::new();
    for (date, scan) in later {
        if *date <= baseline_date {
            not_counted.push(*date);
        } else {
            days.entry(*date).or_default().add(scan, scope);
        }
    }
    not_counted.sort();
    problems.extend(not_counted.iter().map(|date| {
        format!("the scan of {date} is not after the baseline of {baseline_date}: not counted")
    }));

    let mut walk = Walk {
        scope,
        rules,
        targets: &targets,
        known: &known,
        doubtful: &base_day.doubtful,
        followed: &base_day.non_target,
        baseline_sum,
        smallest: baseline_sum,
        gone: Vec::new(),
        were_all_gone: false,
    };
    let points: Vec<TimePoint> = days.iter().map(|(date, day)| walk.point(*date, day)).collect();
    let progression_date = points.iter().find(|p| p.overall == Response::Pd).map(|p| p.date);
    let best = best(&points, start, rules, None, &mut Vec::new());
    let best_confirmed = rules
        .confirmation_days
        .map(|days| self::best(&points, start, rules, Some(days), &mut notes));
    Assessment {
        scope,
        criteria: rules.criteria,
        baseline_date,
        baseline_sum_mm: baseline_sum,
        points,
        best,
        best_confirmed,
        progression_date,
        notes,
        problems,
    }
}

/// The targets of the region, in the order of their ids, and what is wrong with them.
fn targets<'a>(
    baseline: &'a Scan,
    scope: Scope,
    rules: &ResponseRules,
    problems: &mut Vec<String>,
) -> Vec<Target<'a>> {
    let mut targets: Vec<Target<'a>> = Vec::new();
    let mut lesions: Vec<&Lesion> = baseline.lesions.iter().collect();
    lesions.sort_by(|a, b| a.id.cmp(&b.id));
    let mut organs: BTreeMap<String, u32> = BTreeMap::new();
    for lesion in lesions {
        let doubtful = !lesion.node && is_doubtful(&lesion.site);
        if !scope.holds(&lesion.site, lesion.node) || (doubtful && scope != Scope::All) {
            continue;
        }
        if targets.last().is_some_and(|t| t.id == lesion.id) {
            problems.push(format!(
                "{}: two baseline lesions have this id; the first counts",
                lesion.id
            ));
            continue;
        }
        let mm = match size(lesion, rules.criteria) {
            Ok(mm) => mm,
            Err(why) => {
                problems.push(why.unwrap_or_else(|| {
                    let what = match rules.criteria {
                        Criteria::Recist11 => "diameter",
                        Criteria::Mrecist => "viable diameter",
                    };
                    format!("{}: without a {what} at baseline it is no target: left out", lesion.id)
                }));
                continue;
            }
        };
        let least = if lesion.node { rules.node_min_mm } else { rules.target_min_mm };
        if mm + NOISE_MM < least {
            problems.push(format!(
                "{}: {mm} mm at baseline, expected at least {least} mm of a target{}",
                lesion.id,
                if lesion.node { " node (short axis)" } else { "" }
            ));
        }
        *organs.entry(organ(lesion)).or_default() += 1;
        targets.push(Target { id: &lesion.id, node: lesion.node, baseline_mm: mm });
    }
    for (organ, n) in organs {
        let most = rules.targets_per_organ_max;
        if n > most {
            problems.push(format!("{n} targets in {organ}, at most {most} are allowed"));
        }
    }
    if targets.len() > rules.targets_max as usize {
        problems.push(format!(
            "{} targets, at most {} are allowed",
            targets.len(),
            rules.targets_max
        ));
    }
    targets
}

fn site_problem(site: &str) -> String {
    format!(
        "is the site `{site}` in the liver? Then write `liver` first; until then no region is judged"
    )
}

/// Goes from scan to scan.
struct Walk<'a> {
    scope: Scope,
    rules: &'a ResponseRules,
    targets: &'a [Target<'a>],
    /// All lesions of the baseline, whatever their region.
    known: &'a BTreeMap<&'a str, &'a Lesion>,
    /// Sites of the baseline that may be the liver.
    doubtful: &'a BTreeSet<&'a str>,
    /// Sites of disease that is followed by eye.
    followed: &'a BTreeMap<String, Vec<NonTargetState>>,
    baseline_sum: Option<f64>,
    /// Smallest complete sum so far.
    smallest: Option<f64>,
    /// Targets that were gone at the scan before.
    gone: Vec<&'a str>,
    /// Whether all targets were gone at some scan.
    were_all_gone: bool,
}

impl<'a> Walk<'a> {
    fn point(&mut self, date: Date, day: &Day<'_>) -> TimePoint {
        let mut notes = Vec::new();
        let mut problems = Vec::new();
        let nadir = match self.rules.nadir {
            Nadir::Smallest => self.smallest,
            Nadir::Baseline => self.baseline_sum,
        };
        let (target, sum) = self.targets(day, nadir, &mut notes, &mut problems);
        let non_target = self.non_target(day, &mut problems);
        self.strangers(day, &mut problems);
        if self.scope != Scope::All {
            let sites = self.doubtful.union(&day.doubtful);
            problems.extend(sites.map(|site| site_problem(site)));
        }
        let new_lesion = !day.new_lesions.is_empty();
        if new_lesion {
            let mut sites = day.new_lesions.clone();
            sites.sort_unstable();
            sites.dedup();
            notes.push(format!("new lesion: {}", sites.join(", ")));
        }
        let mut overall = overall(target, non_target, new_lesion);
        if !problems.is_empty() && overall != Response::Pd && overall != Response::Ne {
            notes.push(format!("{overall} if what is wrong did not matter"));
            overall = Response::Ne;
        }
        let change = |from: Option<f64>| {
            sum.zip(from).filter(|(_, from)| *from > 0.0).map(|(s, from)| 100.0 * (s - from) / from)
        };
        let point = TimePoint {
            date,
            sum_mm: sum,
            change_percent: change(self.baseline_sum),
            nadir_mm: nadir,
            change_from_nadir_percent: change(nadir),
            target,
            non_target,
            new_lesion,
            overall,
            notes,
            problems,
        };
        if let Some(sum) = sum {
            self.smallest = Some(self.smallest.map_or(sum, |least| least.min(sum)));
        }
        point
    }

    /// Response of the targets and their sum.
    fn targets(
        &mut self,
        day: &Day<'_>,
        nadir: Option<f64>,
        notes: &mut Vec<String>,
        problems: &mut Vec<String>,
    ) -> (Option<Response>, Option<f64>) {
        let (Some(baseline), Some(nadir)) = (self.baseline_sum, nadir) else {
            return (None, None);
        };
        let mut measured = 0.0;
        let mut missing: Vec<&str> = Vec::new();
        let mut gone: Vec<&'a str> = Vec::new();
        let mut all_normal = true;
        let mut back = false;
        for t in self.targets {
            let found = match day.lesion(t.id) {
                Some(Ok(lesion)) if lesion.node != t.node => {
                    problems.push(format!("{}: a node on one scan and none on another", t.id));
                    Err(None)
                }
                Some(Ok(lesion)) => size(lesion, self.rules.criteria),
                Some(Err(())) => Err(Some(format!("{}: two scans of this day differ", t.id))),
                None => Err(None),
            };
            let mm = match found {
                Ok(mm) => mm,
                Err(why) => {
                    problems.extend(why);
                    missing.push(t.id);
                    if self.gone.contains(&t.id) {
                        gone.push(t.id);
                    }
                    continue;
                }
            };
            measured += mm;
            if mm == 0.0 {
                gone.push(t.id);
            } else if self.gone.contains(&t.id) {
                notes.push(format!("{} had disappeared and is back with {mm} mm", t.id));
                back |= !t.node;
            } else if !t.node && mm < TOO_SMALL_MM {
                notes.push(format!(
                    "{}: {mm} mm kept as measured; if it could not be measured, record {TOO_SMALL_MM} mm",
                    t.id
                ));
            }
            let limit = if t.node { self.rules.node_normal_mm } else { NOISE_MM };
            if mm < limit {
                if t.node && mm > 0.0 {
                    notes.push(format!(
                        "{}: a node of {mm} mm is normal; it stays in the sum",
                        t.id
                    ));
                }
            } else {
                all_normal = false;
            }
        }
        self.gone = gone;
        let growth = measured - nadir;
        let percent = self.rules.progression_percent;
        let progressed = growth > NOISE_MM
            && growth + NOISE_MM >= self.rules.least_growth_mm()
            && 100.0 * (growth + NOISE_MM) >= percent * nadir;
        let reappeared = back && self.were_all_gone;
        if reappeared && !progressed {
            notes.push("disease is back after all of it had gone: progression".into());
        }
        let sum = missing.is_empty().then_some(measured);
        if sum.is_none() {
            let rest =
                if progressed { "the others alone are progression" } else { "not evaluable" };
            notes.push(format!("not evaluable: {}; {rest}", missing.join(", ")));
        }
        let response = if progressed || reappeared {
            Response::Pd
        } else if sum.is_none() {
            Response::Ne
        } else if all_normal {
            self.were_all_gone = true;
            Response::Cr
        } else if 100.0 * (baseline - measured + NOISE_MM) >= self.rules.partial_percent * baseline
        {
            Response::Pr
        } else {
            Response::Sd
        };
        (Some(response), sum)
    }

    /// State of the disease that is followed by eye.
    fn non_target(&self, day: &Day<'_>, problems: &mut Vec<String>) -> Option<NonTargetState> {
        use NonTargetState::{Cr, Ne, NonCrNonPd, Pd};
        let mut states = Vec::new();
        for (site, at_baseline) in self.followed {
            match day.non_target.get(site) {
                // As many entries as at baseline: the site was looked at as a whole.
                Some(now) if now.len() >= at_baseline.len() => states.extend_from_slice(now),
                Some(now) => states.extend(now.iter().copied().chain([Ne])),
                None => states.push(Ne),
            }
        }
        for (site, now) in &day.non_target {
            if !self.followed.contains_key(site) {
                problems.push(format!(
                    "a non-target at `{site}` was not there at baseline: if it is new, record it as a new lesion"
                ));
                states.extend(now.iter().filter(|s| **s == Pd));
            }
        }
        if states.is_empty() {
            return None;
        }
        let any = |state| states.contains(&state);
        Some(if any(Pd) {
            Pd
        } else if any(Ne) {
            Ne
        } else if any(NonCrNonPd) {
            NonCrNonPd
        } else {
            Cr
        })
    }

    /// Lesions that nobody named at baseline, or that have moved from one region to another.
    fn strangers(&self, day: &Day<'_>, problems: &mut Vec<String>) {
        let here = |l: &Lesion| self.scope.holds(&l.site, l.node);
        for (id, lesions) in &day.lesions {
            match self.known.get(id) {
                None if lesions.iter().any(|l| here(l)) => problems.push(format!(
                    "{id} is no target of the baseline: not in the sum; if it is new, record it as a new lesion"
                )),
                Some(before) => {
                    let moved = |l: &&&Lesion| in_liver(&l.site) != in_liver(&before.site);
                    if let Some(now) = lesions.iter().find(moved) {
                        problems.push(format!(
                            "{id}: its site was `{}` at baseline and is `{}` now",
                            before.site, now.site
                        ));
                    }
                }
                None => {}
            }
        }
    }
}

/// Overall response: table 1 of RECIST 1.1, and table 2 where there are no targets.
fn overall(
    target: Option<Response>,
    non_target: Option<NonTargetState>,
    new_lesion: bool,
) -> Response {
    use NonTargetState as N;
    if new_lesion || target == Some(Response::Pd) || non_target == Some(N::Pd) {
        return Response::Pd;
    }
    match (target, non_target) {
        (Some(Response::Cr), None | Some(N::Cr)) => Response::Cr,
        (Some(Response::Cr | Response::Pr), _) => Response::Pr,
        (Some(other), _) => other,
        (None, None) => Response::Nd,
        (None, Some(N::Cr)) => Response::Cr,
        (None, Some(N::NonCrNonPd)) => Response::NonCrNonPd,
        (None, Some(_)) => Response::Ne,
    }
}

/// Best response up to the first progression; with `confirm` days a response needs a second one.
fn best(
    points: &[TimePoint],
    start: Date,
    rules: &ResponseRules,
    confirm: Option<u32>,
    notes: &mut Vec<String>,
) -> Response {
    let last =
        points.iter().position(|p| p.overall == Response::Pd).map_or(points.len(), |n| n + 1);
    let points = &points[..last];
    let responded = |wanted: &[Response], kept: &[Response]| {
        points.iter().enumerate().any(|(n, p)| {
            if !wanted.contains(&p.overall) {
                return false;
            }
            let Some(days) = confirm else { return true };
            // What lies between must not contradict; what is not evaluable does not.
            points[n + 1..]
                .iter()
                .take_while(|q| kept.contains(&q.overall) || q.overall == Response::Ne)
                .any(|q| {
                    wanted.contains(&q.overall) && days_between(p.date, q.date) >= i64::from(days)
                })
        })
    };
    use Response::{Cr, Nd, Ne, NonCrNonPd, Pd, Pr, Sd};
    if responded(&[Cr], &[Cr]) {
        return Cr;
    }
    if responded(&[Pr, Cr], &[Pr, Cr]) {
        return Pr;
    }
    if let Some(days) = confirm
        && let Some(p) = points.last().filter(|p| matches!(p.overall, Cr | Pr))
    {
        notes.push(format!(
            "{} of {} is not confirmed yet: a scan at least {days} days later would",
            p.overall, p.date
        ));
    }
    let long_enough =
        |p: &&TimePoint| days_between(start, p.date) >= i64::from(rules.stable_min_days);
    let stable = |p: &&TimePoint| matches!(p.overall, Cr | Pr | Sd);
    if points.iter().filter(stable).any(|p| long_enough(&p)) {
        return Sd;
    }
    if points.iter().filter(|p| p.overall == NonCrNonPd).any(|p| long_enough(&p)) {
        return NonCrNonPd;
    }
    if points.iter().any(|p| p.overall == Pd) {
        return Pd;
    }
    let healthy = !points.is_empty() && points.iter().all(|p| p.overall == Nd);
    if healthy { Nd } else { Ne }
}

fn days_between(from: Date, to: Date) -> i64 {
    // Civil days; both are within the calendar, so this cannot fail.
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    const START: Date = date(2027, 1, 1);

    fn on(day: i64) -> Date {
        START + day.days()
    }

    fn lesion(id: &str, site: &str, mm: impl Into<Option<f64>>) -> Lesion {
        Lesion {
            id: id.into(),
            site: site.into(),
            node: site == "node",
            diameter_mm: mm.into(),
            viable_mm: None,
        }
    }

    fn enhancing(id: &str, mm: f64, viable: impl Into<Option<f64>>) -> Lesion {
        Lesion { viable_mm: viable.into(), ..lesion(id, "liver", mm) }
    }

    fn scan(lesions: Vec<Lesion>) -> Scan {
        Scan { lesions, ..Scan::default() }
    }

    fn rules() -> ResponseRules {
        ResponseRules::standard(Criteria::Recist11)
    }

    fn run(
        baseline: &Scan,
        later: &[(i64, Scan)],
        scope: Scope,
        rules: &ResponseRules,
    ) -> Assessment {
        let later: Vec<_> = later.iter().map(|(day, scan)| (on(*day), scan)).collect();
        let series = Series { start: START, baseline_date: on(-10), baseline, later: &later };
        assess(&series, scope, rules)
    }

    fn overall(a: &Assessment) -> Vec<&str> {
        a.points.iter().map(|p| p.overall.as_str()).collect()
    }

    #[test]
    fn a_missing_target_is_not_evaluable_unless_the_rest_is_progression() {
        let base = scan(vec![lesion("a", "liver", 40.0), lesion("b", "liver", 20.0)]);
        let small = scan(vec![lesion("a", "liver", 20.0), lesion("b", "liver", None)]);
        let large = scan(vec![lesion("a", "liver", 75.0)]);
        let got = run(&base, &[(60, small), (120, large)], Scope::All, &rules());
        assert_eq!(overall(&got), ["NE", "PD"]);
        assert_eq!(got.points[0].sum_mm, None);
        assert_eq!(got.points[0].notes, ["not evaluable: b; not evaluable"]);
        assert_eq!(got.progression_date, Some(on(120)));
        // What is not evaluable is no nadir.
        assert_eq!(got.points[1].nadir_mm, Some(60.0));
    }

    #[test]
    fn the_regions_are_judged_apart() {
        let base = scan(vec![lesion("a", "liver segment 4", 50.0), lesion("n", "node", 20.0)]);
        let next = Scan {
            lesions: vec![lesion("a", "liver segment 4", 30.0), lesion("n", "node", 26.0)],
            new_lesions: vec!["bone".into()],
            ..Scan::default()
        };
        let later = [(60, next)];
        let of = |scope| run(&base, &later, scope, &rules());
        assert_eq!(overall(&of(Scope::Liver)), ["PR"]);
        assert_eq!(overall(&of(Scope::OutsideLiver)), ["PD"]);
        assert_eq!(overall(&of(Scope::All)), ["PD"]);
        let liver = of(Scope::Liver);
        assert_eq!(
            (liver.baseline_sum_mm, liver.points[0].change_percent),
            (Some(50.0), Some(-40.0))
        );
    }

    #[test]
    fn no_disease_outside_the_liver_is_said_so() {
        let base = scan(vec![lesion("a", "liver", 50.0)]);
        let got = run(&base, &[(60, base.clone())], Scope::OutsideLiver, &rules());
        assert_eq!((overall(&got), got.best), (vec!["ND"], Response::Nd));
    }

    #[test]
    fn normal_nodes_are_complete_response_and_stay_in_the_sum() {
        let base = scan(vec![lesion("a", "liver", 20.0), lesion("n", "node", 20.0)]);
        let next = scan(vec![lesion("a", "liver", 0.0), lesion("n", "node", 9.0)]);
        let got = run(&base, &[(60, next.clone()), (90, next)], Scope::All, &rules());
        assert_eq!((overall(&got), got.best_confirmed), (vec!["CR", "CR"], Some(Response::Cr)));
        assert_eq!(got.points[0].sum_mm, Some(9.0));
        let at_ten = scan(vec![lesion("a", "liver", 0.0), lesion("n", "node", 10.0)]);
        assert_eq!(overall(&run(&base, &[(60, at_ten)], Scope::All, &rules())), ["PR"]);
    }

    #[test]
    fn what_comes_back_after_all_had_gone_is_progression() {
        let base = scan(vec![lesion("a", "liver", 20.0), lesion("b", "liver", 30.0)]);
        let gone = scan(vec![lesion("a", "liver", 0.0), lesion("b", "liver", 0.0)]);
        let back = scan(vec![lesion("a", "liver", 4.0), lesion("b", "liver", 0.0)]);
        let got = run(&base, &[(60, gone), (120, back.clone())], Scope::All, &rules());
        assert_eq!(overall(&got), ["CR", "PD"]);
        // Back while the other is there: it only counts in the sum.
        let part = scan(vec![lesion("a", "liver", 0.0), lesion("b", "liver", 20.0)]);
        let again = scan(vec![lesion("a", "liver", 3.0), lesion("b", "liver", 20.0)]);
        let got = run(&base, &[(60, part), (120, again)], Scope::All, &rules());
        assert_eq!(overall(&got), ["PR", "PR"]);
        assert_eq!(got.points[1].notes, ["a had disappeared and is back with 3 mm"]);
    }

    #[test]
    fn nobody_is_stable_beside_a_lesion_that_nobody_named() {
        let base = scan(vec![lesion("a", "liver", 50.0)]);
        let next = scan(vec![lesion("a", "liver", 30.0), lesion("x", "liver", 12.0)]);
        let got = run(&base, &[(60, next)], Scope::All, &rules());
        assert_eq!(overall(&got), ["NE"]);
        assert!(got.points[0].problems[0].starts_with("x is no target of the baseline"));
        assert_eq!(got.points[0].notes, ["PR if what is wrong did not matter"]);
        assert_eq!(got.points[0].target, Some(Response::Pr));
    }

    #[test]
    fn impossible_sizes_and_two_of_one_day_are_problems() {
        let base = scan(vec![lesion("a", "liver", 50.0)]);
        for mm in [-1.0, f64::NAN, f64::INFINITY, 900.0] {
            let got =
                run(&base, &[(60, scan(vec![lesion("a", "liver", mm)]))], Scope::All, &rules());
            assert_eq!(overall(&got), ["NE"]);
            assert_eq!(got.points[0].problems.len(), 1);
        }
        let one = scan(vec![lesion("a", "liver", 50.0)]);
        let two = scan(vec![lesion("a", "liver", 20.0)]);
        let got = run(&base, &[(60, one.clone()), (60, two)], Scope::All, &rules());
        assert_eq!((overall(&got), got.points.len()), (vec!["NE"], 1));
        assert_eq!(
            overall(&run(&base, &[(60, one.clone()), (60, one)], Scope::All, &rules())),
            ["SD"]
        );
    }

    #[test]
    fn the_baseline_is_checked() {
        let base = scan(vec![
            lesion("a", "liver", 50.0),
            lesion("b", "liver", 8.0),
            lesion("c", "liver", 30.0),
            lesion("d", "lung", None),
            lesion("n", "node", 14.0),
            lesion("l", "livr", 20.0),
        ]);
        let later = [(-10, base.clone())];
        let problems = run(&base, &later, Scope::All, &rules()).problems;
        for (n, start) in [
            "b: 8 mm at baseline, expected at least 10 mm",
            "d: without a diameter at baseline it is no target",
            "n: 14 mm at baseline, expected at least 15 mm of a target node (short axis)",
            "3 targets in liver, at most 2 are allowed",
            "is the site `livr` in the liver?",
            "the scan of 2026-12-22 is not after the baseline of 2026-12-22",
        ]
        .iter()
        .enumerate()
        {
            assert!(problems[n].starts_with(start), "{problems:#?}");
        }
    }

    #[test]
    fn a_site_that_may_be_the_liver_hides_nothing() {
        let base = scan(vec![lesion("a", "liver", 50.0)]);
        let with = |site: &str| Scan { new_lesions: vec![site.into()], ..base.clone() };
        let of = |site: &str, scope| {
            let got = run(&base, &[(60, with(site))], scope, &rules());
            got.points[0].overall.as_str()
        };
        let regions = [Scope::All, Scope::Liver, Scope::OutsideLiver];
        assert_eq!(regions.map(|s| of("livr", s)), ["PD", "NE", "NE"]);
        assert_eq!(regions.map(|s| of("segment 8", s)), ["PD", "NE", "NE"]);
        assert_eq!(regions.map(|s| of("Liver, segment 8", s)), ["PD", "PD", "ND"]);
        assert_eq!(regions.map(|s| of("liver hilum node", s)), ["PD", "SD", "PD"]);
        // A target that moves from the lung to the liver is a mistake for both.
        let base = scan(vec![lesion("a", "liver", 50.0), lesion("b", "lung", 20.0)]);
        let next = scan(vec![lesion("a", "liver", 50.0), lesion("b", "liver", 20.0)]);
        let got = regions.map(|s| run(&base, &[(60, next.clone())], s, &rules()).points[0].overall);
        assert_eq!(got, [Response::Ne; 3]);
    }

    #[test]
    fn only_the_enhancing_part_counts_in_mrecist() {
        let mrecist = ResponseRules::standard(Criteria::Mrecist);
        let base = scan(vec![enhancing("a", 50.0, 50.0)]);
        let necrotic = scan(vec![enhancing("a", 48.0, 20.0)]);
        let dead = scan(vec![enhancing("a", 45.0, 0.0)]);
        let later = [(60, necrotic), (120, dead)];
        assert_eq!(overall(&run(&base, &later, Scope::Liver, &mrecist)), ["PR", "CR"]);
        assert_eq!(overall(&run(&base, &later, Scope::Liver, &rules())), ["SD", "SD"]);
        // 20 % is progression, without a least growth in mm.
        let base = scan(vec![enhancing("a", 15.0, 10.0)]);
        let later = [(60, scan(vec![enhancing("a", 15.0, 12.0)]))];
        assert_eq!(overall(&run(&base, &later, Scope::Liver, &mrecist)), ["PD"]);
        // Viable part not told, or longer than the lesion.
        for viable in [None, Some(16.0)] {
            let later = [(60, scan(vec![enhancing("a", 15.0, viable)]))];
            assert_eq!(overall(&run(&base, &later, Scope::Liver, &mrecist)), ["NE"]);
        }
    }

    #[test]
    fn only_disease_followed_by_eye() {
        let with = |state| Scan {
            non_target: vec![NonTarget { site: "liver".into(), state }],
            ..Scan::default()
        };
        use NonTargetState::{Cr, NonCrNonPd, Pd};
        let base = with(NonCrNonPd);
        let later =
            [(60, with(NonCrNonPd)), (120, with(Cr)), (180, with(Pd)), (240, Scan::default())];
        let got = run(&base, &later, Scope::Liver, &rules());
        assert_eq!(overall(&got), ["NON-CR/NON-PD", "CR", "PD", "NE"]);
        assert_eq!(got.best_confirmed, Some(Response::Sd));
    }

    #[test]
    fn a_response_waits_for_its_confirmation() {
        let base = scan(vec![lesion("a", "liver", 50.0)]);
        let got = run(&base, &[(60, scan(vec![lesion("a", "liver", 30.0)]))], Scope::All, &rules());
        assert_eq!((got.best, got.best_confirmed), (Response::Pr, Some(Response::Sd)));
        assert!(
            got.notes[0].starts_with("PR of 2027-03-02 is not confirmed yet"),
            "{:?}",
            got.notes
        );
        let mut without = rules();
        without.confirmation_days = None;
        let got = run(&base, &[(60, base.clone())], Scope::All, &without);
        assert_eq!((got.best, got.best_confirmed), (Response::Sd, None));
    }

    #[test]
    fn unknown_keys_are_refused_and_rules_are_checked() {
        let text = "criteria = \"recist-1.1\"\nstable_min_days = 42\nsource = \"x\"\n";
        let read: ResponseRules = crate::strict::parse(text, "p.toml").expect("sound");
        assert_eq!((read.confirmation_days, read.targets_per_organ_max), (None, 2));
        assert!(read.problems().is_empty() && rules().problems().is_empty());
        let more = format!("{text}stable_min_day = 3\n");
        assert!(crate::strict::parse::<ResponseRules>(&more, "p.toml").is_err());
        let more = format!("{text}partial_percent = nan\ntargets_max = 1\n");
        let read: ResponseRules = crate::strict::parse(&more, "p.toml").expect("TOML");
        assert_eq!(read.problems().len(), 2);
        assert!(toml::from_str::<Lesion>("id = \"a\"\nsite = \"liver\"\nsize = 3").is_err());
    }

    fn any_scans() -> impl Strategy<Value = Vec<(i64, Scan)>> {
        let mm = proptest::option::weighted(0.9, 0.0_f64..120.0);
        let one = (mm.clone(), mm, any::<bool>(), 1_i64..300);
        proptest::collection::vec(one, 0..6).prop_map(|list| {
            let scans = list.into_iter().map(|(a, b, new, day)| {
                let lesions = vec![lesion("a", "liver", a), lesion("n", "node", b)];
                let new_lesions = if new && day % 7 == 0 { vec!["bone".into()] } else { vec![] };
                (day, Scan { lesions, new_lesions, ..Scan::default() })
            });
            scans.collect()
        })
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(scans in any_scans(), turn in 0_usize..6) {
            let base = scan(vec![lesion("a", "liver", 40.0), lesion("n", "node", 20.0)]);
            let mut other = scans.clone();
            other.reverse();
            if !other.is_empty() {
                let turn = turn % other.len();
                other.rotate_left(turn);
            }
            for s in &mut other {
                s.1.lesions.reverse();
            }
            for scope in [Scope::All, Scope::Liver, Scope::OutsideLiver] {
                prop_assert_eq!(
                    run(&base, &scans, scope, &rules()),
                    run(&base, &other, scope, &rules())
                );
            }
        }

        /// Without limits in mm the answer does not depend on the unit of length.
        #[test]
        fn sums_scale(scans in any_scans(), by in 0.25_f64..4.0) {
            let liver = |s: &Scan, by: f64| {
                let mm = s.lesions[0].diameter_mm.map(|mm| mm * by);
                scan(vec![lesion("a", "liver", mm)])
            };
            let mut free = rules();
            free.progression_mm = Some(0.0);
            free.target_min_mm = 0.0;
            let base = scan(vec![lesion("a", "liver", 40.0)]);
            let of = |by: f64| {
                let scans: Vec<_> = scans.iter().map(|(day, s)| (*day, liver(s, by))).collect();
                run(&liver(&base, by), &scans, Scope::All, &free)
            };
            let (one, other) = (of(1.0), of(by));
            prop_assert_eq!(overall(&one), overall(&other));
            for (a, b) in one.points.iter().zip(&other.points) {
                if let (Some(a), Some(b)) = (a.sum_mm, b.sum_mm) {
                    prop_assert!((a * by - b).abs() < 1e-9 * b.max(1.0));
                }
            }
        }

        /// A new lesion anywhere is progression of the whole.
        #[test]
        fn progression_by_new_lesions_is_in_the_whole_too(scans in any_scans()) {
            let base = scan(vec![lesion("a", "liver", 40.0), lesion("n", "node", 20.0)]);
            let outside = run(&base, &scans, Scope::OutsideLiver, &rules());
            let all = run(&base, &scans, Scope::All, &rules());
            for (part, whole) in outside.points.iter().zip(&all.points) {
                prop_assert!(!part.new_lesion || whole.overall == Response::Pd);
            }
        }
    }
}
