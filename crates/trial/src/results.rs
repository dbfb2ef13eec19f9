//! The numbers of a simulation, each with its doubt, as they are written and shown.

use crate::draws::Parameters;
use crate::estimate::{Counts, Estimate};
use crate::independence::{Null, bliss};
use crate::job::Job;
use crate::model::MONTH_D;
use crate::outcome::End;
use crate::tally::{BIN_DAYS, Curve, Field, Group, Tally, field};
use hepatica_biology::population::{Mark, Parameter, Population, Purpose};
use serde::Serialize;

/// Days of a year.
const YEAR_D: f64 = 365.25;

/// What a number is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A share, 0 to 1.
    Share,
    /// Months.
    Months,
    /// A mean of a patient.
    Mean,
}

/// A number of an arm.
#[derive(Clone, Copy)]
pub struct Number {
    /// Identifier.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Whose.
    pub group: Group,
    /// What it is in.
    pub unit: Unit,
    of: fn(&Tally, Group, u16) -> Option<f64>,
}

impl Number {
    /// Of a tally.
    #[must_use]
    pub fn of(&self, tally: &Tally, scan_every: u16) -> Option<f64> {
        (self.of)(tally, self.group, scan_every)
    }

    /// The number of that identifier.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        NUMBERS.iter().copied().find(|n| n.id == id)
    }
}

fn sum(t: &Tally, g: Group, f: Field, from: usize) -> Option<f64> {
    let n = t.one(g, field::patients);
    (n > 0).then(|| t.of(g, f)[from..].iter().sum::<u64>() as f64 / n as f64)
}

fn mean(t: &Tally, g: Group, f: Field, place: usize, scale: f64) -> Option<f64> {
    t.share(g, f, place).map(|x| x * scale)
}

fn elsewhere(t: &Tally, g: Group) -> Option<f64> {
    let n = t.one(g, field::elsewhere);
    (n > 0).then(|| t.of(g, field::best_elsewhere)[3] as f64 / n as f64)
}

fn median(t: &Tally, g: Group, hepatic: bool, scan_every: u16) -> Option<f64> {
    Curve::of(t, g, hepatic).median_d(scan_every).map(|d| d / MONTH_D)
}

fn free(t: &Tally, g: Group, hepatic: bool, years: f64) -> Option<f64> {
    (t.one(g, field::patients) > 0).then(|| Curve::of(t, g, hepatic).at(years * YEAR_D))
}

macro_rules! number {
    ($id:literal, $name:literal, $group:ident, $unit:ident, $of:expr) => {
        Number { id: $id, name: $name, group: Group::$group, unit: Unit::$unit, of: $of }
    };
}

/// All numbers, in the order they are shown.
pub const NUMBERS: &[Number] = &[
    number!("response_liver", "Response of the liver", All, Share, |t, g, _| sum(
        t,
        g,
        field::best_liver,
        3
    )),
    number!("response_liver_confirmed", "  confirmed on the next scan", All, Share, |t, g, _| t
        .share(g, field::confirmed, 0)),
    number!("response_liver_treated", "  of those who had a session", Treated, Share, |t, g, _| {
        sum(t, g, field::best_liver, 3)
    }),
    number!(
        "response_elsewhere",
        "Response outside the liver, of those with disease there",
        All,
        Share,
        |t, g, _| elsewhere(t, g)
    ),
    number!("response_all", "Response of all disease", All, Share, |t, g, _| sum(
        t,
        g,
        field::best_all,
        3
    )),
    number!("control_liver", "Control of the liver", All, Share, |t, g, _| sum(
        t,
        g,
        field::best_liver,
        2
    )),
    number!("median_hepatic_pfs", "Median hepatic PFS", All, Months, |t, g, s| median(
        t, g, true, s
    )),
    number!("hepatic_pfs_1y", "Hepatic PFS at 1 year", All, Share, |t, g, _| free(t, g, true, 1.0)),
    number!("hepatic_pfs_2y", "Hepatic PFS at 2 years", All, Share, |t, g, _| free(
        t, g, true, 2.0
    )),
    number!("hepatic_pfs_3y", "Hepatic PFS at 3 years", All, Share, |t, g, _| free(
        t, g, true, 3.0
    )),
    number!("hepatic_pfs_3y_treated", "  of those who had a session", Treated, Share, |t, g, _| {
        free(t, g, true, 3.0)
    }),
    number!("median_pfs", "Median PFS", All, Months, |t, g, s| median(t, g, false, s)),
    number!("pfs_1y", "PFS at 1 year", All, Share, |t, g, _| free(t, g, false, 1.0)),
    number!("pfs_2y", "PFS at 2 years", All, Share, |t, g, _| free(t, g, false, 2.0)),
    number!("pfs_3y", "PFS at 3 years", All, Share, |t, g, _| free(t, g, false, 3.0)),
    number!("pfs_3y_treated", "  of those who had a session", Treated, Share, |t, g, _| free(
        t, g, false, 3.0
    )),
    number!("neutrophils_3", "Neutrophils of grade 3 or 4", All, Share, |t, g, _| sum(
        t,
        g,
        field::neutrophils_grade,
        3
    )),
    number!("neutrophils_4", "  of grade 4", All, Share, |t, g, _| sum(
        t,
        g,
        field::neutrophils_grade,
        4
    )),
    number!("platelets_3", "Platelets of grade 3 or 4", All, Share, |t, g, _| sum(
        t,
        g,
        field::platelets_grade,
        3
    )),
    number!("platelets_4", "  of grade 4", All, Share, |t, g, _| sum(
        t,
        g,
        field::platelets_grade,
        4
    )),
    number!("lymphocytes_3", "Lymphocytes of grade 3 or 4", All, Share, |t, g, _| sum(
        t,
        g,
        field::lymphocytes_grade,
        3
    )),
    number!("other_3", "Other toxicity of drugs of grade 3 or 4", All, Share, |t, g, _| sum(
        t,
        g,
        field::other_grade,
        3
    )),
    number!(
        "liver_toxicity",
        "Liver toxicity within 4 months, of those who had a session",
        Treated,
        Share,
        |t, g, _| t.share(g, field::liver_toxicity, 0)
    ),
    number!(
        "liver_late",
        "Late decompensation of the liver, of those who had a session",
        Treated,
        Share,
        |t, g, _| t.share(g, field::liver_toxicity, 1)
    ),
    number!("session", "Had a session", All, Share, |t, g, _| sum(t, g, field::sessions, 1)),
    number!("session_cycle_2", "Had session 1 in cycle 2", All, Share, |t, g, _| t.share(
        g,
        field::session_cycle,
        2
    )),
    number!("sessions_2", "Had both sessions", All, Share, |t, g, _| sum(t, g, field::sessions, 2)),
    number!("stopped_cycle_1", "Stopped the drugs in cycle 1", All, Share, |t, g, _| {
        End::IntoleranceFirst.share(t, g)
    }),
    number!("stopped_later", "Stopped them later for intolerance", All, Share, |t, g, _| {
        End::Intolerance.share(t, g)
    }),
    number!("reduced", "Had a dose reduced or a drug stopped", All, Share, |t, g, _| t.share(
        g,
        field::reduced,
        0
    )),
    number!("cycles", "Cycles", All, Mean, |t, g, _| mean(t, g, field::cycles_sum, 0, 1.0)),
    number!("waits", "Weeks of waiting for a cycle", All, Mean, |t, g, _| mean(
        t,
        g,
        field::waits_sum,
        0,
        1.0
    )),
    number!(
        "intensity_capecitabine",
        "Dose of capecitabine over that planned",
        All,
        Share,
        |t, g, _| mean(t, g, field::intensity_sum, 0, 0.01)
    ),
    number!(
        "intensity_temozolomide",
        "Dose of temozolomide over that planned",
        All,
        Share,
        |t, g, _| mean(t, g, field::intensity_sum, 1, 0.01)
    ),
    number!(
        "overlap_capecitabine",
        "Dose of session 1 delivered on days of capecitabine",
        Treated,
        Share,
        |t, g, _| mean(t, g, field::overlap_sum, 0, 0.001)
    ),
    number!(
        "overlap_temozolomide",
        "Dose of session 1 delivered on days of temozolomide",
        Treated,
        Share,
        |t, g, _| mean(t, g, field::overlap_sum, 1, 0.001)
    ),
    number!(
        "session_platelets_150",
        "Platelets below 150 on the day of session 1",
        Treated,
        Share,
        |t, g, _| t.share(g, field::low_at_session, 1)
    ),
];

/// A number and its doubt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Identifier.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// What it is in.
    pub unit: Unit,
    /// The number.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// A curve with its doubt, scan by scan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// `hepatic_pfs` or `pfs`.
    pub id: &'static str,
    /// Months from C1D1.
    pub months: Vec<f64>,
    /// Share left.
    pub value: Vec<f64>,
    /// 5 % of the draws.
    pub low: Vec<f64>,
    /// 95 % of the draws.
    pub high: Vec<f64>,
}

/// An arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmResults {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: String,
    /// The dose variant.
    pub variant: Option<String>,
    /// Virtual patients.
    pub patients: u64,
    /// Numbers.
    pub numbers: Vec<Row>,
    /// Curves.
    pub curves: Vec<Band>,
    /// Response of the liver by scan: shares of all patients whose first response is seen there.
    pub response_by_scan: Vec<f64>,
    /// Why treatment ended, as shares.
    pub ends: Vec<(&'static str, f64)>,
    /// What the protocol asks and the model takes as met.
    pub assumed_met: Vec<String>,
}

impl ArmResults {
    /// The number of that identifier.
    #[must_use]
    pub fn number(&self, id: &str) -> Option<&Row> {
        self.numbers.iter().find(|r| r.id == id)
    }
}

/// The numbers of an arm.
#[must_use]
pub fn arm(job: &Job, counts: &Counts<'_>, place: usize) -> ArmResults {
    let arm = &job.arms[place];
    let every = arm.program.scan_every;
    let all = &counts.all.tallies[place];
    let numbers = NUMBERS
        .iter()
        .map(|n| Row {
            id: n.id,
            name: n.name,
            unit: n.unit,
            estimate: counts.of_arm(place, |t| n.of(t, every)),
        })
        .collect();
    let n = all.one(Group::All, field::patients).max(1) as f64;
    ArmResults {
        name: arm.name.clone(),
        protocol: arm.program.id.clone(),
        variant: arm.program.variant.clone(),
        patients: all.one(Group::All, field::patients),
        numbers,
        curves: [("hepatic_pfs", true), ("pfs", false)]
            .into_iter()
            .map(|(id, hepatic)| {
                band(id, every, job.horizon, counts, |c| {
                    Some(Curve::of(&c.tallies[place], Group::All, hepatic))
                })
            })
            .collect(),
        response_by_scan: all
            .of(Group::All, field::response_scan)
            .iter()
            .map(|x| *x as f64 / n)
            .collect(),
        ends: End::ALL
            .into_iter()
            .filter_map(|e| Some((e.name(), e.share(all, Group::All)?)))
            .filter(|(_, share)| *share > 0.0)
            .collect(),
        assumed_met: arm.program.assumed.clone(),
    }
}

fn band(
    id: &'static str,
    every: u16,
    horizon: u16,
    counts: &Counts<'_>,
    curve: impl Fn(&crate::estimate::Counted<'_>) -> Option<Curve>,
) -> Band {
    let mut band =
        Band { id, months: vec![0.0], value: vec![1.0], low: vec![1.0], high: vec![1.0] };
    let mut day = every;
    while day <= horizon {
        let bin = usize::from(day / BIN_DAYS);
        let at = counts.estimate(|c| curve(c)?.left.get(bin).copied());
        if let (Some(value), Some([low, high])) =
            (at.value, at.interval.or(at.value.map(|v| [v, v])))
        {
            band.months.push(f64::from(day) / MONTH_D);
            band.value.push(value);
            band.low.push(low.clamp(0.0, 1.0));
            band.high.push(high.clamp(0.0, 1.0));
        }
        day += every;
    }
    band
}

// ---- independence --------------------------------------------------------------------------------

/// A combination held against what two therapies would do without helping each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NullRow {
    /// What is compared.
    pub measure: &'static str,
    /// For people.
    pub name: &'static str,
    /// The combination.
    pub combination: Estimate,
    /// By null: its name, what it predicts, and how much more the combination does.
    pub nulls: Vec<NullCompared>,
    /// Whether the combination beats every one: the low end of each difference is above zero.
    pub beats_all: bool,
}

/// A null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NullCompared {
    /// Its name.
    pub null: &'static str,
    /// What it predicts.
    pub predicted: Estimate,
    /// Combination less prediction.
    pub difference: Estimate,
}

/// Holds the arm `both` against the three nulls of the job's pairs; nothing where it has none.
#[must_use]
pub fn nulls(job: &Job, counts: &Counts<'_>, both: usize) -> Vec<NullRow> {
    let Some([a, b, ..]) = job.nulls else { return Vec::new() };
    type Of = fn(&Tally) -> Option<f64>;
    type OfPairs = fn(&crate::independence::Paired, Null) -> Option<f64>;
    let measures: [(&'static str, &'static str, Of, OfPairs); 3] = [
        (
            "response_liver",
            "Response of the liver",
            |t| sum(t, Group::All, field::best_liver, 3),
            |p, null| p.response(null),
        ),
        (
            "hepatic_pfs_3y",
            "Hepatic PFS at 3 years",
            |t| free(t, Group::All, true, 3.0),
            |p, null| Some(p.curve(null, true).at(3.0 * YEAR_D)),
        ),
        (
            "pfs_3y",
            "PFS at 3 years",
            |t| free(t, Group::All, false, 3.0),
            |p, null| Some(p.curve(null, false).at(3.0 * YEAR_D)),
        ),
    ];
    measures
        .into_iter()
        .map(|(measure, name, of, pairs)| {
            let combination = counts.of_arm(both, of);
            let compare =
                |null: &'static str,
                 predicted: &dyn Fn(&crate::estimate::Counted<'_>) -> Option<f64>| {
                    NullCompared {
                        null,
                        predicted: counts.estimate(predicted),
                        difference: counts
                            .estimate(|c| Some(of(&c.tallies[both])? - predicted(c)?)),
                    }
                };
            let nulls = vec![
                compare("Bliss (probabilities)", &|c| {
                    Some(bliss(of(&c.tallies[a])?, of(&c.tallies[b])?))
                }),
                compare("Law, Loewe (cells)", &|c| pairs(c.paired.as_deref()?, Null::Law)),
                compare("Frei (patients)", &|c| pairs(c.paired.as_deref()?, Null::Frei)),
            ];
            let beats = |n: &NullCompared| n.difference.interval.is_some_and(|[low, _]| low > 0.0);
            let beats_all = nulls.iter().all(beats);
            NullRow { measure, name, combination, nulls, beats_all }
        })
        .collect()
}

/// The verdict on synergy, in a sentence: of the combination, and of the same without sensitisers. What the
/// latter beats too is no interaction: cells are killed independently there.
#[must_use]
pub fn verdict(with: &[NullRow], without: &[NullRow]) -> String {
    let lower =
        |r: &NullRow| r.name.replacen("Response", "response", 1).replacen("Hepatic", "hepatic", 1);
    let beaten = |rows: &[NullRow]| -> Vec<String> {
        rows.iter().filter(|r| r.beats_all).map(lower).collect()
    };
    let (with, without) = (beaten(with), beaten(without));
    let own: Vec<_> = with.iter().filter(|n| !without.contains(n)).cloned().collect();
    let mut said = if own.is_empty() {
        "Nothing here is called synergy: no measure beats all three independence nulls because of sensitisers.".to_owned()
    } else {
        format!(
            "The combination beats all three independence nulls in {}, and without sensitisers it does not: synergy, as far as the assumed sensitisers and populations go.",
            own.join(", ")
        )
    };
    if !without.is_empty() {
        said.push_str(&format!(
            " In {} the combination without any sensitiser beats them as well: there the nulls are too simple, cells being killed independently.",
            without.join(", ")
        ));
    }
    said
}

// ---- what the numbers rest on --------------------------------------------------------------------

/// What was assumed, what was fitted, what cannot be told: the first lines of every report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grounds {
    /// Where parameters come from.
    pub parameters: String,
    /// Names of what was fitted to results of one therapy alone.
    pub fitted: Vec<String>,
    /// Of what nothing published tells: the prior goes straight through.
    pub not_identifiable: Vec<String>,
    /// How many parameters are fixed.
    pub fixed: usize,
    /// How many of all are marked assumed.
    pub assumed: usize,
    /// Lines that come with the posterior.
    pub notes: Vec<String>,
    /// What the intervals leave out.
    pub left_out: &'static str,
}

/// What a simulation rests on.
#[must_use]
pub fn grounds(population: &Population, parameters: &Parameters) -> Grounds {
    let of = |purpose| -> Vec<String> {
        population
            .of_purpose(purpose)
            .map(|p: Parameter| population.entry(p).name.clone())
            .collect()
    };
    let all = || Parameter::ALL.into_iter().map(|p| population.entry(p));
    let (fitted, notes) = match parameters {
        Parameters::Posterior(p) => (of(Purpose::Calibrated), p.notes.clone()),
        _ => (Vec::new(), vec!["nothing was fitted".to_owned()]),
    };
    let mut not_identifiable = of(Purpose::Prior);
    if fitted.is_empty() {
        not_identifiable.extend(of(Purpose::Calibrated));
    }
    Grounds {
        parameters: parameters.name(),
        fitted,
        not_identifiable,
        fixed: of(Purpose::Fixed).len(),
        assumed: all().filter(|e| e.mark == Mark::Assumed).count(),
        notes,
        left_out: "Intervals hold what parameters and differences between studies leave open. They leave out that the model itself may be wrong: real doubt is wider.",
    }
}

// ---- the pilot -----------------------------------------------------------------------------------

/// A published result of the combination, which no fit may touch, beside what is predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOut {
    /// For people.
    pub name: &'static str,
    /// Patients with it, and of how many; back-calculated from percentages.
    pub published: [u64; 2],
    /// The share, and its exact 95 % interval.
    pub share: f64,
    /// Clopper and Pearson.
    pub interval: [f64; 2],
    /// Predicted for those who had a session, with sensitisers as believed.
    pub predicted: Estimate,
    /// The same without sensitisers.
    pub predicted_without: Estimate,
    /// Probability that a trial of that size has at least as many, over the draws.
    pub at_least_as_many: Option<f64>,
    /// The same without sensitisers.
    pub at_least_as_many_without: Option<f64>,
}

/// The pilot of 2018 (Soulen, Pancreas 47:980): 19 of 21 completed; liver 74 %, elsewhere 55 %, PFS at three
/// years 67 %, hepatic PFS 74 %. Counts are inferred: 14 of 19, 6 of 11, 13 of 19, 14 of 19.
const PILOT: [(&str, &str, [u64; 2], f64); 4] = [
    ("Response of the liver", "response_liver_treated", [14, 19], 0.74),
    ("Response outside the liver", "response_elsewhere", [6, 11], 0.55),
    ("Hepatic PFS at 3 years", "hepatic_pfs_3y_treated", [14, 19], 0.74),
    ("PFS at 3 years", "pfs_3y_treated", [13, 19], 0.67),
];

/// The published pilot beside the arms `with` and `without` sensitisers; nothing where these are not of
/// CapTemY90.
#[must_use]
pub fn pilot(job: &Job, counts: &Counts<'_>, with: usize, without: usize) -> Vec<HeldOut> {
    if [with, without].iter().any(|n| job.arms[*n].program.id != "captemy90") {
        return Vec::new();
    }
    PILOT
        .into_iter()
        .filter_map(|(name, id, published, share)| {
            let number = Number::find(id)?;
            let every = job.arms[with].program.scan_every;
            let of = |arm: usize| counts.of_arm(arm, |t| number.of(t, every));
            let [x, n] = published;
            let tail = |arm: usize| {
                counts.mean_over_draws(|c| {
                    let p = number.of(&c.tallies[arm], every)?;
                    Some(hepatica_statistics::distribution::binomial::at_least(x, n, p))
                })
            };
            let interval = hepatica_statistics::proportion::clopper_pearson(x, n, 0.95).ok()?;
            Some(HeldOut {
                name,
                published,
                share,
                interval: [interval.lower, interval.upper],
                predicted: of(with),
                predicted_without: of(without),
                at_least_as_many: tail(with),
                at_least_as_many_without: tail(without),
            })
        })
        .collect()
}

// ---- all of it -----------------------------------------------------------------------------------

/// Everything a simulation or a comparison says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// `simulation` or `comparison`.
    pub kind: &'static str,
    /// For people.
    pub title: String,
    /// What was chosen without being asked for.
    pub said: Vec<String>,
    /// What it rests on.
    pub grounds: Grounds,
    /// Arms.
    pub arms: Vec<ArmResults>,
    /// The combination against the independence nulls.
    pub nulls: Vec<NullRow>,
    /// Whether anything may be called synergy, in a sentence; none without a combination.
    pub verdict: Option<String>,
    /// The published pilot beside the prediction.
    pub pilot: Vec<HeldOut>,
}
