//! The report of a trial: figures with their data, and the PDF.

use crate::ReportError;
use crate::trial::{
    Axis, Bar, Bars, Boundary, Curves, Entry, Figure, Forest, Group, KaplanMeier, Lane, Mark,
    Point, Reference, Scatter, Series, Spider, Step, Strand, Swimmer, bars, boundary, curves,
    forest, kaplan_meier, scatter, spider, swimmer, waterfall,
};
use crate::world::{Files, World};
use hepatica_analysis::analyze::{Analysis, Patient, PatientRegion};
use hepatica_analysis::monitor::Monitor;
use hepatica_analysis::response::region_name;
use hepatica_analysis::settings::MONTH_DAYS;
use hepatica_analysis::share::Share;
use hepatica_analysis::survival::{ArmTimes, At, Endpoint, Estimate};
use hepatica_regimen::response::Scope;
use serde_json::json;
use typst::foundations::Bytes;

const REPORT: &str = include_str!("../templates/trial.typ");

/// Best responses by colour: the place in this list is the place of the colour.
const CLASSES: [&str; 8] = ["PR", "PD", "CR", "NON-CR/NON-PD", "", "", "not evaluable", "SD"];
/// Marks of lanes by shape.
const MARKS: [&str; 7] =
    ["session", "first response", "", "", "progression (liver)", "progression (any)", "death"];

/// What is written of a trial.
#[derive(Debug)]
pub struct AnalysisReport<'a> {
    analysis: &'a Analysis,
    /// The figures, in the order of the report.
    pub figures: Vec<Figure>,
}

impl<'a> AnalysisReport<'a> {
    /// Draws the figures.
    #[must_use]
    pub fn new(analysis: &'a Analysis) -> Self {
        let a = analysis;
        let mut figures = Vec::new();
        figures.extend(response_forest(a));
        for scope in [Scope::Liver, Scope::OutsideLiver, Scope::All] {
            figures.extend(waterfall_of(a, scope));
        }
        figures.extend(spider_of(a, Scope::Liver));
        figures.extend(swimmer_of(a));
        figures.extend(a.endpoints.iter().map(|e| survival(a, e)));
        figures.extend(hazard_forest(a));
        figures.extend(incidence(a));
        figures.extend(scans(a));
        figures.extend(toxicity_bars(a));
        figures.extend(dose_scatter(a));
        Self { analysis, figures }
    }

    /// The report as PDF.
    ///
    /// # Errors
    /// When the typesetter refuses; a fault of the program, not of the data.
    pub fn pdf(&self) -> Result<Vec<u8>, ReportError> {
        let mut files = Files::new();
        for f in &self.figures {
            files.insert(format!("{}.svg", f.name), Bytes::from_string(f.svg.clone()));
        }
        let figures: Vec<_> = self.figures.iter().map(|f| f.name.as_str()).collect();
        let data = json!({ "analysis": self.analysis, "figures": figures });
        files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(&data)?));
        let study = self.analysis.study.as_deref().unwrap_or("trial");
        World::new(REPORT, files).pdf(&format!("hepatica {study} {}", self.analysis.cutoff))
    }
}

/// Days as months.
fn months(days: f64) -> f64 {
    days / MONTH_DAYS
}

/// An axis of months from 0 on, with its marks.
fn month_axis(label: &str, last: f64) -> (Axis, Vec<f64>) {
    let steps = [1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 60.0, 120.0];
    let step = steps.into_iter().find(|s| last / s <= 10.0).unwrap_or(240.0);
    let count = (last / step).ceil().clamp(1.0, 200.0);
    let at = (0..=count as usize).map(|k| step * k as f64).collect();
    (Axis::new(label).from_to(0.0, step * count).every(step), at)
}

/// The name of an arm, or nothing where there is one.
fn arm(name: &Option<String>) -> String {
    name.clone().unwrap_or_default()
}

fn share_entry(label: String, s: &Share) -> Entry {
    Entry {
        label,
        detail: format!("{} of {}", s.count, s.of),
        estimate: s.fraction,
        interval: s.interval,
    }
}

fn percent(level: f64) -> String {
    let rounded = (1000.0 * level).round() / 10.0;
    format!("{rounded} %")
}

fn response_forest(a: &Analysis) -> Option<Figure> {
    let several = a.arms.len() > 1;
    let mut entries = Vec::new();
    for x in a.arms.iter().filter(|x| !x.response.is_empty()) {
        if several {
            entries.push(Entry { label: arm(&x.arm), ..Entry::default() });
        }
        for r in &x.response {
            entries.push(share_entry(format!("{}, response", r.name), &r.response));
            if let Some(c) = &r.confirmed_response {
                entries.push(share_entry(format!("{}, confirmed", r.name), c));
            }
            entries.push(share_entry(format!("{}, disease control", r.name), &r.control));
        }
    }
    if entries.is_empty() {
        return None;
    }
    let criteria = a.criteria.as_deref().unwrap_or("criteria not named");
    Some(forest(&Forest {
        name: "response".to_owned(),
        title: "Response by region".to_owned(),
        notes: vec![format!(
            "Best response ({criteria}) of all treated patients with disease there; exact {} intervals.",
            percent(a.level)
        )],
        x_label: "Patients (%)".to_owned(),
        percent: true,
        range: Some([0.0, 1.0]),
        entries,
        ..Forest::default()
    }))
}

fn class(best: Option<&str>) -> usize {
    best.and_then(|b| CLASSES.iter().position(|c| *c == b)).unwrap_or(6)
}

fn region(p: &Patient, scope: Scope) -> Option<&PatientRegion> {
    p.regions.iter().find(|r| r.region == scope)
}

fn classes() -> Vec<String> {
    CLASSES.map(str::to_owned).to_vec()
}

fn thresholds() -> Vec<Reference> {
    vec![
        Reference { at: 20.0, label: "+20 %".to_owned() },
        Reference { at: -30.0, label: "−30 %".to_owned() },
    ]
}

fn suffix(scope: Scope) -> &'static str {
    match scope {
        Scope::Liver => "liver",
        Scope::OutsideLiver => "outside",
        Scope::All => "overall",
    }
}

fn waterfall_of(a: &Analysis, scope: Scope) -> Option<Figure> {
    let found: Vec<Bar> = a
        .patients
        .iter()
        .filter_map(|p| {
            let r = region(p, scope)?;
            let value = r.best_change_percent?;
            let label = p.subject.clone();
            Some(Bar { label, value, interval: None, class: class(r.best.as_deref()) })
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    let treated = a.patients.iter().filter(|p| p.treated).count();
    let without = treated.saturating_sub(found.len());
    Some(waterfall(&Bars {
        name: format!("waterfall_{}", suffix(scope)),
        title: format!("Best change of the sum of diameters, {}", region_name(scope)),
        notes: vec![format!(
            "{} of {treated} treated patients; {without} have no sum after the baseline there. Each bar is a patient: there is no interval.",
            found.len()
        )],
        x_label: "Patients".to_owned(),
        y: Axis::new("Change from baseline (%)"),
        bars: found,
        classes: classes(),
        references: thresholds(),
    }))
}

fn spider_of(a: &Analysis, scope: Scope) -> Option<Figure> {
    let strands: Vec<Strand> = a
        .patients
        .iter()
        .filter_map(|p| {
            let r = region(p, scope)?;
            let later = r.changes.iter().filter(|(day, _)| *day > 0);
            let later: Vec<[f64; 2]> =
                later.map(|(day, change)| [months(*day as f64), *change]).collect();
            if later.is_empty() {
                return None;
            }
            let points = std::iter::once([0.0, 0.0]).chain(later).collect();
            Some(Strand { label: p.subject.clone(), class: class(r.best.as_deref()), points })
        })
        .collect();
    let last = strands.iter().flat_map(|s| &s.points).map(|p| p[0]).fold(0.0, f64::max);
    if strands.is_empty() {
        return None;
    }
    Some(spider(&Spider {
        name: format!("spider_{}", suffix(scope)),
        title: format!("Change of the sum of diameters, {}", region_name(scope)),
        notes: vec![format!(
            "{} patients, until progression there; colours are best responses.",
            strands.len()
        )],
        x: month_axis("Months since day 1 of cycle 1", last).0,
        y: Axis::new("Change from baseline (%)"),
        strands,
        classes: classes(),
        references: thresholds(),
    }))
}

fn swimmer_of(a: &Analysis) -> Option<Figure> {
    let several = a.arms.len() > 1;
    let mut lanes: Vec<(Option<String>, Lane)> = Vec::new();
    for p in a.patients.iter().filter(|p| p.treated) {
        let Some(treated) = p.treated_days else { continue };
        let mut marks: Vec<Mark> = Vec::new();
        let mut mark = |day: Option<i64>, kind| {
            if let Some(day) = day {
                marks.push(Mark { at: months(day as f64), kind });
            }
        };
        for day in &p.session_days {
            mark(Some(*day), 0);
        }
        let liver = region(p, Scope::Liver);
        let all = region(p, Scope::All);
        let response = liver.and_then(|r| r.response_days).or(all.and_then(|r| r.response_days));
        mark(response, 1);
        let hepatic = liver.and_then(|r| r.progression_days);
        mark(hepatic, 4);
        mark(all.and_then(|r| r.progression_days).filter(|d| Some(*d) != hepatic), 5);
        mark(p.death_days, 6);
        let of = a.arms.iter().position(|x| x.arm == p.arm).unwrap_or(0);
        lanes.push((
            p.arm.clone(),
            Lane {
                label: p.subject.clone(),
                class: of,
                treated: months(treated as f64),
                followed: months(p.followed_days.unwrap_or(treated) as f64),
                ongoing: p.ongoing,
                marks,
            },
        ));
    }
    if lanes.is_empty() {
        return None;
    }
    lanes.sort_by(|(arm_a, a), (arm_b, b)| {
        arm_a.cmp(arm_b).then(b.followed.total_cmp(&a.followed)).then_with(|| a.label.cmp(&b.label))
    });
    let lanes: Vec<Lane> = lanes.into_iter().map(|l| l.1).collect();
    let last = lanes.iter().map(|l| l.followed).fold(0.0, f64::max);
    let names =
        a.arms.iter().map(|x| if several { arm(&x.arm) } else { "on treatment".to_owned() });
    Some(swimmer(&Swimmer {
        name: "swimmer".to_owned(),
        title: "Treatment and what happened, by patient".to_owned(),
        notes: vec![format!(
            "{} treated patients. Bar: treatment; line: follow-up after it; arrow: treatment goes on at the data cut.",
            lanes.len()
        )],
        x: month_axis("Months since day 1 of cycle 1", last).0,
        lanes,
        classes: names.collect(),
        marks: MARKS.map(str::to_owned).to_vec(),
    }))
}

/// `22.1 months (14.0 to not reached)`.
fn median(e: &Estimate) -> String {
    let month = |x: Option<f64>| {
        x.map_or_else(|| "not reached".to_owned(), |d| format!("{:.1}", months(d)))
    };
    match e.estimate {
        Some(_) => {
            format!("{} months ({} to {})", month(e.estimate), month(e.lower), month(e.upper))
        }
        None if e.lower.is_some() => format!("not reached (from {} months)", month(e.lower)),
        None => "not reached".to_owned(),
    }
}

fn survival(a: &Analysis, e: &Endpoint) -> Figure {
    let last = e.arms.iter().filter_map(|x| x.curve.last()).map(|p| months(p.days));
    let (x, at) = month_axis("Months", last.fold(0.0, f64::max));
    let mut notes: Vec<String> = e
        .arms
        .iter()
        .map(|x| {
            let name = if e.arms.len() > 1 { arm(&x.arm) + ": " } else { String::new() };
            format!(
                "{name}{} in {} patients; median {}.",
                if x.events == 1 { "1 event".to_owned() } else { format!("{} events", x.events) },
                x.n,
                median(&x.median_days)
            )
        })
        .collect();
    if let Some(c) = &e.comparison {
        notes.extend(comparison(c));
    }
    notes.push(format!(
        "Bands: pointwise {} limits on the log-log scale; ticks: censored patients.",
        percent(a.level)
    ));
    let risk = |x: &ArmTimes| at.iter().map(|m| at_risk(x, m * MONTH_DAYS)).collect::<Vec<u64>>();
    let groups = e.arms.iter().map(|x| Group {
        name: if e.arms.len() > 1 { arm(&x.arm) } else { String::new() },
        steps: x.curve.iter().filter(|p| p.days > 0.0 || p.fraction < 1.0).map(step).collect(),
        censored: x.censored_days.iter().map(|d| months(*d)).collect(),
        until: x.curve.last().map_or(0.0, |p| months(p.days)),
        risk: risk(x),
    });
    kaplan_meier(&KaplanMeier {
        name: format!(
            "km_{}",
            e.code.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        ),
        title: e.name.clone(),
        notes,
        x,
        y_label: "Without an event (%)".to_owned(),
        groups: groups.collect(),
        risk_at: at.clone(),
    })
}

/// Patients at risk just before a time, from the times that are told.
fn at_risk(x: &ArmTimes, days: f64) -> u64 {
    x.at_risk_days.iter().filter(|d| **d >= days).count() as u64
}

/// A place of a band; where there are no limits it is no number and not drawn.
fn limits(p: &At) -> [f64; 3] {
    let [lower, upper] = p.interval.unwrap_or([f64::NAN, f64::NAN]);
    [months(p.days), lower, upper]
}

fn step(p: &At) -> Step {
    let [lower, upper] = p.interval.unwrap_or([f64::NAN, f64::NAN]);
    Step { time: months(p.days), survival: p.fraction, lower, upper }
}

fn comparison(c: &hepatica_analysis::survival::Comparison) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(Estimate { estimate: Some(hr), lower, upper }) = c.hazard_ratio {
        let end = |x: Option<f64>| x.map_or("?".to_owned(), |x| format!("{x:.2}"));
        parts.push(format!(
            "hazard ratio {} to {}: {hr:.2} ({} to {})",
            c.arms.get(1).map_or("", String::as_str),
            c.arms.first().map_or("", String::as_str),
            end(lower),
            end(upper)
        ));
    }
    if let Some(p) = c.p {
        parts.push(if p < 0.001 {
            "log-rank p < 0.001".to_owned()
        } else {
            format!("log-rank p = {p:.3}")
        });
    }
    parts.extend(c.note.clone());
    (!parts.is_empty()).then(|| {
        let text = parts.join("; ");
        let mut letters = text.chars();
        letters
            .next()
            .map_or(String::new(), |c| c.to_uppercase().collect::<String>() + letters.as_str())
            + "."
    })
}

fn hazard_forest(a: &Analysis) -> Option<Figure> {
    let entries: Vec<Entry> = a
        .endpoints
        .iter()
        .filter_map(|e| {
            let hr = e.comparison.as_ref()?.hazard_ratio?;
            let events: u64 = e.arms.iter().map(|x| x.events).sum();
            Some(Entry {
                label: e.name.clone(),
                detail: format!("{events} events"),
                estimate: hr.estimate,
                interval: hr.lower.zip(hr.upper).map(|(l, u)| [l, u]),
            })
        })
        .collect();
    let arms = &a.endpoints.first()?.comparison.as_ref()?.arms;
    let (first, second) = (arms.first()?, arms.get(1)?);
    (!entries.is_empty()).then(|| {
        forest(&Forest {
            name: "hazard_ratios".to_owned(),
            title: format!("Hazard ratios, {second} to {first}"),
            notes: vec![format!("Cox model, ties by Efron; {} limits.", percent(a.level))],
            x_label: format!("Hazard ratio (below 1: fewer events with {second})"),
            logarithmic: true,
            reference: Some(1.0),
            entries,
            ..Forest::default()
        })
    })
}

fn incidence(a: &Analysis) -> Vec<Figure> {
    let Some(all) = &a.competing else { return Vec::new() };
    let figures = all.iter().enumerate().map(|(k, c)| {
        let last = c.causes.iter().filter_map(|x| x.curve.last()).map(|p| months(p.days));
        let x = month_axis("Months", last.fold(0.0, f64::max)).0;
        let series = c.causes.iter().map(|cause| Series {
            name: format!("{} ({})", cause.name, cause.events),
            points: cause.curve.iter().map(|p| [months(p.days), p.fraction]).collect(),
            band: cause.curve.iter().map(limits).collect(),
            steps: true,
            ..Series::default()
        });
        let of = c.arm.as_ref().map_or(String::new(), |n| format!(", {n}"));
        curves(&Curves {
            name: if all.len() > 1 { format!("competing_{}", k + 1) } else { "competing".to_owned() },
            title: format!("What came first{of}"),
            notes: vec![format!(
                "Cumulative incidence (Aalen and Johansen) in {} patients, with pointwise {} limits; in brackets: patients of whom it came first.",
                c.n,
                percent(a.level)
            )],
            x,
            y: Axis::new("Patients (%)").from_to(0.0, 1.0).in_percent(),
            series: series.collect(),
            ..Curves::default()
        })
    });
    figures.collect()
}

/// The conventional curve beside the estimate from intervals between scans.
fn scans(a: &Analysis) -> Vec<Figure> {
    let (Some(all), Some(e)) = (&a.between_scans, a.endpoints.iter().find(|e| e.code == "HPFS"))
    else {
        return Vec::new();
    };
    let figures = all.iter().enumerate().filter_map(|(k, b)| {
        let usual = e.arms.iter().find(|x| x.arm == b.arm)?;
        let last = b.curve.last().map_or(0.0, |p| months(p.days));
        let band = usual.curve.iter().map(limits);
        let of = b.arm.as_ref().map_or(String::new(), |n| format!(", {n}"));
        Some(curves(&Curves {
            name: if all.len() > 1 { format!("between_scans_{}", k + 1) } else { "between_scans".to_owned() },
            title: format!("Hepatic progression-free survival, conventional and between scans{of}"),
            notes: vec![format!(
                "{} progressions between two scans and {} deaths in {} patients. Conventional: progression on the day of the scan that shows it, with {} limits. Between scans: the range of what agrees with the data, which is no confidence interval.",
                b.between_scans, b.deaths, b.n, percent(a.level)
            )],
            x: month_axis("Months", last).0,
            y: Axis::new("Without an event (%)").from_to(0.0, 1.0).in_percent(),
            series: vec![
                Series {
                    name: "conventional".to_owned(),
                    points: usual.curve.iter().map(|p| [months(p.days), p.fraction]).collect(),
                    band: band.collect(),
                    steps: true,
                    ..Series::default()
                },
                Series {
                    name: "between scans (range)".to_owned(),
                    band: b.curve.iter().map(|p| [months(p.days), p.fraction[0], p.fraction[1]]).collect(),
                    points: b.curve.iter().map(|p| [months(p.days), p.fraction[0]]).collect(),
                    steps: true,
                    ..Series::default()
                },
            ],
            ..Curves::default()
        }))
    });
    figures.collect()
}

fn toxicity_bars(a: &Analysis) -> Option<Figure> {
    let several = a.arms.len() > 1;
    let mut entries = Vec::new();
    for x in &a.arms {
        if several {
            entries.push(Entry { label: arm(&x.arm), ..Entry::default() });
        }
        x.toxicity.ctcae?;
        entries.push(share_entry("at any time".to_owned(), &x.toxicity.all.grade_3_or_more));
        for w in &x.toxicity.windows {
            entries.push(share_entry(w.name.clone(), &w.table.grade_3_or_more));
        }
    }
    Some(forest(&Forest {
        name: "toxicity".to_owned(),
        title: "Patients with a toxicity of grade 3 or more, by when it began".to_owned(),
        notes: vec![format!(
            "Of the patients who have been in the window; exact {} intervals.",
            percent(a.level)
        )],
        x_label: "Patients (%)".to_owned(),
        percent: true,
        range: Some([0.0, 1.0]),
        entries,
        ..Forest::default()
    }))
}

fn dose_scatter(a: &Analysis) -> Vec<Figure> {
    let Some(d) = a.dose_response.as_ref().filter(|d| !d.lesions.is_empty()) else {
        return Vec::new();
    };
    let points = d.lesions.iter().map(|l| Point {
        label: format!("{} {}", l.subject, l.lesion),
        at: [l.dose_gy, l.change_percent],
        x_interval: Some(l.dose_interval_gy),
        y_interval: None,
        class: usize::from(!l.responded),
    });
    let scatter = scatter(&Scatter {
        name: "dose_response".to_owned(),
        title: "Planned dose of lesions and their change at best".to_owned(),
        notes: vec![format!(
            "{} lesions of {} patients; bars: intervals of the planned mean dose. Drugs act on every lesion too.",
            d.lesions.len(),
            d.patients
        )],
        x: Axis::new("Planned mean dose (Gy)"),
        y: Axis::new("Change of diameter at best (%)"),
        points: points.collect(),
        classes: vec!["response of the lesion".to_owned(), "no response".to_owned()],
        references: vec![Reference { at: -30.0, label: "−30 %".to_owned() }],
    });
    let halves = d.halves.iter().map(|h| Bar {
        label: format!("{} to {} Gy", h.dose_gy[0].round(), h.dose_gy[1].round()),
        value: h.responded.fraction.unwrap_or(0.0),
        interval: h.responded.interval,
        class: 0,
    });
    let halves = bars(&Bars {
        name: "dose_response_halves".to_owned(),
        title: "Lesions that responded, by planned dose".to_owned(),
        notes: vec![format!(
            "Below the median dose and from it on; exact {} intervals, which take lesions as independent and are too narrow.",
            percent(a.level)
        )],
        x_label: "Planned mean dose".to_owned(),
        y: Axis::new("Lesions (%)").from_to(0.0, 1.0).in_percent(),
        bars: halves.collect(),
        ..Bars::default()
    });
    vec![scatter, halves]
}

/// The stopping rule and where the trial stands.
#[must_use]
pub fn stopping(m: &Monitor) -> Figure {
    let s = &m.stopping;
    let most = s.boundary.last().map_or(0, |l| l.evaluable) as usize;
    let mut stop_at = vec![None; most];
    for l in &s.boundary {
        if let Some(place) = stop_at.get_mut((l.evaluable as usize).saturating_sub(1)) {
            *place = l.stop_at;
        }
    }
    boundary(&Boundary {
        name: "boundary".to_owned(),
        title: "Stopping for toxicity".to_owned(),
        notes: vec![s.sentence.clone(), format!("Event: {}.", s.event)],
        x_label: "Patients evaluable".to_owned(),
        y_label: "Patients with an event".to_owned(),
        stop_at,
        path: s.path.clone(),
    })
}

/// Patients enrolled until the end of each month, against the plan where there is one.
#[must_use]
pub fn accrual(m: &Monitor) -> Figure {
    let a = &m.accrual;
    let most = a.months.last().map_or(1, |l| l.total).max(1) as f64;
    let planned = a.months.iter().filter_map(|x| x.planned).fold(0.0, f64::max);
    let top = most.max(planned).ceil();
    let mut notes = vec![format!("{} patients", a.enrolled)];
    if let Some(rate) = a.per_month {
        notes.push(format!("{rate:.1} a month from the first enrolment to the data cut"));
    }
    let bar = |x: &hepatica_analysis::accrual::Month| Bar {
        label: x.month.clone(),
        value: x.total as f64,
        ..Bar::default()
    };
    let plan = a.plan.as_ref().map(|p| Reference {
        at: p.planned_until_cut,
        label: format!("planned until the data cut: {:.1}", p.planned_until_cut),
    });
    bars(&Bars {
        name: "accrual".to_owned(),
        title: "Patients enrolled".to_owned(),
        notes,
        x_label: "Until the end of the month".to_owned(),
        // Patients are whole.
        y: Axis::new("Patients").from_to(0.0, top).every((top / 6.0).ceil()),
        bars: a.months.iter().map(bar).collect(),
        references: plan.into_iter().collect(),
        ..Bars::default()
    })
}
