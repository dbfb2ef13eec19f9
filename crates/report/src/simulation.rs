//! Reports of virtual patients: simulation, comparison, timing, calibration.

use crate::ReportError;
use crate::trial::{
    Axis, Bar, Bars, Curves, Entry, Figure, Forest, Reference, Series, bars, curves, forest,
};
use crate::world::{Files, World};
use hepatica_trial::Estimate;
use hepatica_trial::calibrate::Report as Calibration;
use hepatica_trial::results::{Band, Grounds, Results, Unit};
use serde::Serialize;
use typst::foundations::Bytes;

const REPORT: &str = include_str!("../templates/simulation.typ");
const NOTICE: &str = "Research use only. Virtual patients: what a model says, not what was seen. Not a cleared medical device.";

/// A report: what is said first, sections, figures.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sheet {
    title: String,
    subtitle: String,
    notice: String,
    software: String,
    lead: Vec<String>,
    conclusions: Vec<String>,
    sections: Vec<Section>,
    /// Figures, in the order of the report.
    #[serde(skip)]
    pub figures: Vec<Figure>,
}

/// A section.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Section {
    heading: String,
    paragraphs: Vec<String>,
    tables: Vec<Table>,
    figures: Vec<String>,
}

/// A table; the first column takes what width there is.
#[derive(Debug, Clone, Default, Serialize)]
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A belief about sensitisers, by day of the session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TimingSeries {
    /// The belief.
    pub belief: String,
    /// Day, response of the liver less that of the reference day, low, high.
    pub points: Vec<[f64; 4]>,
    /// Day, share of the dose under capecitabine, under temozolomide, the same with its tail.
    pub overlap: Vec<[f64; 4]>,
}

impl Sheet {
    fn new(title: &str, subtitle: &str) -> Self {
        Self {
            title: title.to_owned(),
            subtitle: subtitle.to_owned(),
            notice: NOTICE.to_owned(),
            software: format!("hepatica {}", env!("CARGO_PKG_VERSION")),
            ..Self::default()
        }
    }

    fn add(&mut self, mut section: Section, figures: Vec<Figure>) {
        section.figures = figures.iter().map(|f| f.name.clone()).collect();
        self.figures.extend(figures);
        self.sections.push(section);
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
        files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(self)?));
        World::new(REPORT, files).pdf(&self.title)
    }
}

/// A value in its unit.
fn shown(x: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.1} %", 100.0 * x),
        Unit::Months => format!("{x:.1} mo"),
        Unit::Mean => format!("{x:.2}"),
    }
}

fn estimate(e: &Estimate, unit: Unit) -> String {
    let bare = |x: f64| match unit {
        Unit::Share => format!("{:.1}", 100.0 * x),
        Unit::Months => format!("{x:.1}"),
        Unit::Mean => format!("{x:.2}"),
    };
    match (e.value, e.interval) {
        (None, _) if e.reached > 0.0 => {
            format!("not reached in {:.0} % of draws", 100.0 * (1.0 - e.reached))
        }
        (None, _) => "–".to_owned(),
        // What cannot be has no doubt.
        (Some(0.0), Some([0.0, 0.0])) => "0".to_owned(),
        (Some(x), Some([low, high])) => {
            format!("{} ({} to {})", shown(x, unit), bare(low), bare(high))
        }
        (Some(x), None) if e.reached < 1.0 => format!("{} (upper end not reached)", shown(x, unit)),
        (Some(x), None) => shown(x, unit),
    }
}

/// The first lines of every report.
#[must_use]
pub fn lead(g: &Grounds) -> Vec<String> {
    let mut lines = vec![format!(
        "Assumed: {} parameters are marked assumed, {} are held at one value. Parameters: {}.",
        g.assumed, g.fixed, g.parameters
    )];
    lines.push(if g.fitted.is_empty() {
        "Fitted: nothing.".to_owned()
    } else {
        format!(
            "Fitted to published results of one therapy alone: {} parameters. No result of the combination was used.",
            g.fitted.len()
        )
    });
    lines.push(format!(
        "Cannot be told from any published result, so that what is believed beforehand goes straight through: {}.",
        g.not_identifiable.join("; ")
    ));
    lines.extend(g.notes.iter().cloned());
    lines.push(g.left_out.to_owned());
    lines
}

fn months_axis(last: f64) -> Axis {
    let last = (last / 12.0).ceil().max(1.0) * 12.0;
    Axis::new("Months from C1D1").from_to(0.0, last).every(12.0)
}

fn series(name: &str, band: &Band) -> Series {
    let at =
        |y: &[f64]| -> Vec<[f64; 2]> { band.months.iter().zip(y).map(|(x, y)| [*x, *y]).collect() };
    Series {
        name: name.to_owned(),
        points: at(&band.value),
        band: band
            .months
            .iter()
            .zip(band.low.iter().zip(&band.high))
            .map(|(x, (low, high))| [*x, *low, *high])
            .collect(),
        ..Series::default()
    }
}

fn survival(r: &Results, id: &str, title: &str) -> Figure {
    let all: Vec<Series> = r
        .arms
        .iter()
        .filter_map(|a| Some(series(&a.name, a.curves.iter().find(|c| c.id == id)?)))
        .collect();
    let last = all.iter().flat_map(|s| &s.points).map(|p| p[0]).fold(0.0, f64::max);
    curves(&Curves {
        name: id.to_owned(),
        title: title.to_owned(),
        notes: vec!["At scans; bands hold 5 to 95 % of the draws of the parameters.".to_owned()],
        x: months_axis(last),
        y: Axis::new("Without progression (%)").from_to(0.0, 1.0).in_percent(),
        series: all,
        ..Curves::default()
    })
}

/// The report of a simulation or a comparison.
#[must_use]
pub fn simulation(r: &Results, subtitle: &str) -> Sheet {
    let mut sheet = Sheet::new(&r.title, subtitle);
    sheet.lead = lead(&r.grounds);
    sheet.conclusions.extend(r.said.iter().cloned());
    if !r.pilot.is_empty() {
        let of = |e: &Estimate| estimate(e, Unit::Share);
        let rows = r
            .pilot
            .iter()
            .map(|p| {
                let tail =
                    |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{:.0} %", 100.0 * x));
                vec![
                    p.name.to_owned(),
                    format!(
                        "{:.0} % ({} of {}; {:.0} to {:.0})",
                        100.0 * p.share,
                        p.published[0],
                        p.published[1],
                        100.0 * p.interval[0],
                        100.0 * p.interval[1]
                    ),
                    of(&p.predicted_without),
                    of(&p.predicted),
                    format!("{} / {}", tail(p.at_least_as_many_without), tail(p.at_least_as_many)),
                ]
            })
            .collect();
        let head = [
            "Of those who had a session",
            "Published (Soulen 2018)",
            "Predicted, no sensitiser",
            "Predicted, sensitisers as believed",
            "As many or more: without / with",
        ];
        let table = Table { head: head.map(str::to_owned).to_vec(), rows };
        let section = Section {
            heading: "Beside the published pilot, which no fit touched".to_owned(),
            paragraphs: vec![
                "Counts of the pilot are inferred from its percentages. One centre, 19 of 21 completed: who is selected, and how scans are read, is not in the model.".to_owned(),
            ],
            tables: vec![table],
            ..Section::default()
        };
        let entries = r
            .pilot
            .iter()
            .flat_map(|p| {
                let row = |label: &str,
                           value: Option<f64>,
                           interval: Option<[f64; 2]>,
                           detail: String| Entry {
                    label: label.to_owned(),
                    detail,
                    estimate: value,
                    interval,
                };
                [
                    Entry { label: p.name.to_owned(), ..Entry::default() },
                    row(
                        "published",
                        Some(p.share),
                        Some(p.interval),
                        format!("{} of {}", p.published[0], p.published[1]),
                    ),
                    row(
                        "predicted, no sensitiser",
                        p.predicted_without.value,
                        p.predicted_without.interval,
                        String::new(),
                    ),
                    row(
                        "predicted, sensitisers",
                        p.predicted.value,
                        p.predicted.interval,
                        String::new(),
                    ),
                ]
            })
            .collect();
        let picture = forest(&Forest {
            name: "pilot".to_owned(),
            title: "The pilot and its prediction".to_owned(),
            notes: vec!["Published: exact 95 % intervals. Predicted: 5 to 95 % of the draws, without the chance of 19 patients.".to_owned()],
            x_label: "Patients (%)".to_owned(),
            percent: true,
            range: Some([0.0, 1.0]),
            entries,
            ..Forest::default()
        });
        sheet.add(section, vec![picture]);
    }
    if !r.nulls.is_empty() {
        sheet.conclusions.extend(r.verdict.clone());
        let mut rows = Vec::new();
        for row in &r.nulls {
            for (n, null) in row.nulls.iter().enumerate() {
                let beaten = null.difference.interval.is_some_and(|[low, _]| low > 0.0);
                rows.push(vec![
                    if n == 0 { row.name.to_owned() } else { String::new() },
                    if n == 0 { estimate(&row.combination, Unit::Share) } else { String::new() },
                    null.null.to_owned(),
                    estimate(&null.predicted, Unit::Share),
                    estimate(&null.difference, Unit::Share),
                    if beaten { "yes" } else { "no" }.to_owned(),
                ]);
            }
        }
        let head = [
            "",
            "Combination",
            "Independence null",
            "It predicts",
            "Combination less null",
            "Beaten",
        ];
        let section = Section {
            heading: "If neither therapy helped the other".to_owned(),
            paragraphs: vec![
                "Bliss: probabilities of either, from the arms. Law, Loewe: reductions multiply and gains in time over no treatment add, patient by patient. Frei: each patient has the better of the two. The nulls are of the combination's own drugs and its own spheres, each alone, in the same virtual patients: doses, cycles and days are alike.".to_owned(),
            ],
            tables: vec![Table { head: head.map(str::to_owned).to_vec(), rows }],
            ..Section::default()
        };
        let entries = r
            .nulls
            .iter()
            .flat_map(|row| {
                std::iter::once(Entry { label: row.name.to_owned(), ..Entry::default() }).chain(
                    row.nulls.iter().map(|n| Entry {
                        label: format!("less {}", n.null),
                        detail: String::new(),
                        estimate: n.difference.value,
                        interval: n.difference.interval,
                    }),
                )
            })
            .collect();
        let picture = forest(&Forest {
            name: "nulls".to_owned(),
            title: "Combination less what independence predicts".to_owned(),
            notes: vec![
                "Right of zero in all three rows of a measure: more than independence.".to_owned(),
            ],
            x_label: "Points (%)".to_owned(),
            percent: true,
            reference: Some(0.0),
            entries,
            ..Forest::default()
        });
        sheet.add(section, vec![picture]);
    }
    let many = r.arms.len() > 1;
    let many_arms = r.arms.len() > 4;
    let mut head = vec![String::new()];
    head.extend(r.arms.iter().map(|a| a.name.clone()));
    let ids: Vec<&str> =
        r.arms.first().map_or(Vec::new(), |a| a.numbers.iter().map(|n| n.id).collect());
    let rows = ids
        .iter()
        .filter_map(|id| {
            let of: Vec<_> = r.arms.iter().map(|a| a.number(id)).collect::<Option<Vec<_>>>()?;
            // What no arm has is no row: waits without cycles, sessions without spheres.
            let nothing = |e: &Estimate| e.value.is_none_or(|x| x == 0.0) && e.reached != 0.5;
            if of.iter().all(|n| nothing(&n.estimate)) {
                return None;
            }
            let mut row = vec![of[0].name.to_owned()];
            // Many arms are many columns: the interval goes under its value.
            let narrow =
                |text: String| if many_arms { text.replacen(" (", "\n(", 1) } else { text };
            row.extend(of.iter().map(|n| narrow(estimate(&n.estimate, n.unit))));
            Some(row)
        })
        .collect();
    let section = Section {
        heading: if many { "All numbers, arm by arm" } else { "All numbers" }.to_owned(),
        paragraphs: vec![format!(
            "{} virtual patients{}; value (5 to 95 % of the draws of the parameters, the noise of simulation taken off). Blood counts are true ones, day by day: a clinic sees only some.",
            r.arms.first().map_or(0, |a| a.patients),
            if many { ", the same in each arm" } else { "" }
        )],
        tables: vec![Table { head, rows }],
        ..Section::default()
    };
    let mut figures = vec![
        survival(r, "hepatic_pfs", "Hepatic progression-free survival"),
        survival(r, "pfs", "Progression-free survival"),
    ];
    figures.push(toxicity(r));
    sheet.add(section, figures);
    let mut assumed: Vec<String> = r
        .arms
        .iter()
        .filter(|a| !a.assumed_met.is_empty())
        .map(|a| format!("{}: {}.", a.name, a.assumed_met.join("; ")))
        .collect();
    if assumed.is_empty() {
        assumed.push("Nothing.".to_owned());
    }
    sheet.add(
        Section {
            heading: "What protocols ask and virtual patients are taken to meet".to_owned(),
            paragraphs: assumed,
            ..Section::default()
        },
        Vec::new(),
    );
    sheet
}

fn toxicity(r: &Results) -> Figure {
    let ids = [
        ("neutrophils_3", "Neutrophils 3–4"),
        ("platelets_3", "Platelets 3–4"),
        ("lymphocytes_3", "Lymphocytes 3–4"),
        ("other_3", "Other, of drugs 3–4"),
        ("liver_toxicity", "Liver, within 4 months"),
        ("liver_late", "Liver, late"),
    ];
    let mut entries = Vec::new();
    for (id, label) in ids {
        entries.push(Entry { label: label.to_owned(), ..Entry::default() });
        for a in &r.arms {
            let Some(n) = a.number(id) else { continue };
            if n.estimate.value.is_none_or(|v| v == 0.0) {
                continue;
            }
            entries.push(Entry {
                label: a.name.clone(),
                detail: String::new(),
                estimate: n.estimate.value,
                interval: n.estimate.interval,
            });
        }
        if entries.last().is_some_and(|e| e.estimate.is_none()) {
            entries.pop();
        }
    }
    forest(&Forest {
        name: "toxicity".to_owned(),
        title: "Toxicity".to_owned(),
        notes: vec![
            "Share of patients with that grade at any time; liver: of those who had a session."
                .to_owned(),
        ],
        x_label: "Patients (%)".to_owned(),
        percent: true,
        entries,
        ..Forest::default()
    })
}

/// The report on the day of the session.
#[must_use]
pub fn timing(title: &str, rows: &[TimingSeries], conclusion: &str, grounds: &Grounds) -> Sheet {
    let mut sheet = Sheet::new(title, "The same virtual patients with the session on each day");
    sheet.lead = lead(grounds);
    sheet.conclusions.push(conclusion.to_owned());
    let response = curves(&Curves {
        name: "response_by_day".to_owned(),
        title: "What another day would change".to_owned(),
        notes: vec!["Response of the liver less that of the reference day; bands hold 5 to 95 % of the draws.".to_owned()],
        x: Axis::new("Day of the cycle"),
        y: Axis::new("Difference (points)").in_percent(),
        series: rows
            .iter()
            .map(|s| Series {
                name: s.belief.clone(),
                points: s.points.iter().map(|p| [p[0], p[1]]).collect(),
                band: s.points.iter().map(|p| [p[0], p[2], p[3]]).collect(),
                ..Series::default()
            })
            .collect(),
        references: vec![Reference { at: 0.0, label: "reference day".to_owned() }],
        ..Curves::default()
    });
    let shares =
        ["under capecitabine", "under temozolomide", "under temozolomide, with a tail of 2 d"];
    let overlap = curves(&Curves {
        name: "overlap_by_day".to_owned(),
        title: "Share of the dose delivered under each drug".to_owned(),
        notes: vec!["Exact: physical decay, spheres at noon, cycles on time.".to_owned()],
        x: Axis::new("Day of the cycle"),
        y: Axis::new("Share of the dose (%)").from_to(0.0, 1.0).in_percent(),
        series: shares
            .iter()
            .enumerate()
            .map(|(k, name)| Series {
                name: (*name).to_owned(),
                points: rows
                    .first()
                    .map_or(Vec::new(), |r| r.overlap.iter().map(|o| [o[0], o[k + 1]]).collect()),
                ..Series::default()
            })
            .collect(),
        ..Curves::default()
    });
    let section = Section {
        heading: "What the day buys, and what it does not".to_owned(),
        paragraphs: vec![
            "Which day is best depends on which drug sensitises, and no published result of one therapy tells that. The practical side does not: the day of C2D7 is C1D1 and 34 days, so its weekday is that of C1D1 and six days; temozolomide's lowest platelets fall on days 7 to 9 of the next cycle; the other lobe follows 28 or 56 days later.".to_owned(),
        ],
        ..Section::default()
    };
    sheet.add(section, vec![response, overlap]);
    sheet
}

/// The report of a calibration.
#[must_use]
pub fn calibration(r: &Calibration) -> Sheet {
    let mut sheet = Sheet::new(
        "What results of one therapy alone leave possible",
        &format!(
            "{} particles, {} temperatures, {} virtual patients; seed {}",
            r.settings.particles, r.stages, r.patients, r.settings.seed
        ),
    );
    sheet.lead = vec![
        "Fitted to the results below and to nothing else. No result of the combination is among them.".to_owned(),
        "A parameter whose spread is hardly smaller than before was not learnt: predictions rest on what was believed of it.".to_owned(),
    ];
    let entries = r
        .targets
        .iter()
        .flat_map(|t| {
            let of = |label: &str, value: f64, interval: [f64; 2]| Entry {
                label: label.to_owned(),
                detail: String::new(),
                estimate: Some(value / t.published),
                interval: Some(interval.map(|x| x / t.published)),
            };
            [
                Entry { label: t.name.clone(), ..Entry::default() },
                of("published", t.published, t.published_interval.map(|x| x.max(0.0))),
                of("fitted", t.fitted, t.fitted_interval),
            ]
        })
        .collect();
    let check = forest(&Forest {
        name: "targets".to_owned(),
        title: "Published and fitted".to_owned(),
        notes: vec!["Each over the published value; 5 to 95 %.".to_owned()],
        x_label: "Over the published value".to_owned(),
        reference: Some(1.0),
        entries,
        ..Forest::default()
    });
    let learnt = bars(&Bars {
        name: "learnt".to_owned(),
        title: "What was learnt of each parameter".to_owned(),
        notes: vec!["Spread after over spread before: 1 is nothing.".to_owned()],
        bars: r
            .parameters
            .iter()
            .map(|p| Bar { label: p.id.replace('_', " "), value: p.sd_ratio, ..Bar::default() })
            .collect(),
        ..Bars::default()
    });
    let three = |x: f64, [a, b]: [f64; 2]| format!("{x:.3} ({a:.3} to {b:.3})");
    let rows = r
        .targets
        .iter()
        .map(|t| {
            vec![
                t.name.clone(),
                t.mark.clone(),
                three(t.published, t.published_interval),
                three(t.fitted, t.fitted_interval),
                format!("{:+.1}", t.misfit_sd),
            ]
        })
        .collect();
    let head = ["Result", "Mark", "Published (5 to 95 %)", "Fitted (5 to 95 %)", "Off by sd"];
    sheet.add(
        Section {
            heading: "Results and fit".to_owned(),
            tables: vec![Table { head: head.map(str::to_owned).to_vec(), rows }],
            ..Section::default()
        },
        vec![check],
    );
    let rows = r
        .parameters
        .iter()
        .map(|p| {
            let q = |x: [f64; 3]| x.map(|v| format!("{v:.4}")).join(" / ");
            vec![p.name.clone(), q(p.prior), q(p.posterior), format!("{:.2}", p.sd_ratio)]
        })
        .collect();
    let head = ["Parameter", "Before (5 / 50 / 95 %)", "After", "Spread after / before"];
    let ridges: Vec<_> =
        r.ridges.iter().map(|(a, b, x)| format!("{a} and {b} ({x:+.2})")).collect();
    sheet.add(
        Section {
            heading: "Parameters before and after".to_owned(),
            paragraphs: vec![format!("Not told apart (correlation): {}.", ridges.join("; "))],
            tables: vec![Table { head: head.map(str::to_owned).to_vec(), rows }],
            ..Section::default()
        },
        vec![learnt],
    );
    sheet
}
