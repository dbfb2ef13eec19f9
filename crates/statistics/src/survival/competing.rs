//! Several kinds of event of which the first ends the observation of the others.

use super::data::check_times;
use crate::Interval;
use crate::distribution::normal;
use crate::error::{Error, Result, length, open_unit};

/// Follow-up of every subject: until when, and which event happened then (0: none, censored).
#[derive(Debug, Clone, PartialEq)]
pub struct CompetingRisks {
    time: Vec<f64>,
    cause: Vec<u32>,
    order: Vec<usize>,
}

impl CompetingRisks {
    /// Checks and sorts; `cause` is 0 for censored, else the number of the kind of event.
    ///
    /// # Errors
    /// When there is no row, the lists differ in length, or a time is negative or not finite.
    pub fn new(time: Vec<f64>, cause: Vec<u32>) -> Result<Self> {
        if time.is_empty() {
            return Err(Error::Empty { what: "the list of times" });
        }
        length("the list of causes", time.len(), cause.len())?;
        check_times(&time)?;
        let mut order: Vec<usize> = (0..time.len()).collect();
        // Censoring is last among equal times.
        order.sort_by(|&a, &b| {
            time[a].total_cmp(&time[b]).then((cause[a] == 0).cmp(&(cause[b] == 0)))
        });
        Ok(Self { time, cause, order })
    }

    /// The rows for which `keep` is true.
    ///
    /// # Errors
    /// When none is kept.
    pub fn select(&self, keep: impl Fn(usize) -> bool) -> Result<Self> {
        let rows: Vec<usize> = (0..self.len()).filter(|row| keep(*row)).collect();
        Self::new(
            rows.iter().map(|row| self.time[*row]).collect(),
            rows.iter().map(|row| self.cause[*row]).collect(),
        )
    }

    /// Number of subjects, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Times in the order of the rows.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.time
    }

    /// Causes in the order of the rows.
    #[must_use]
    pub fn causes(&self) -> &[u32] {
        &self.cause
    }

    /// Rows by time, censored last among equal times.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Events of a cause.
    #[must_use]
    pub fn events(&self, cause: u32) -> usize {
        self.cause.iter().filter(|c| **c == cause).count()
    }
}

/// Cumulative incidence of one cause (Aalen and Johansen 1978):
/// `F(t) = sum_{t_i <= t} S(t_i-) d_i/n_i` with S the Kaplan-Meier curve of any event.
#[derive(Debug, Clone, PartialEq)]
pub struct AalenJohansen {
    cause: u32,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    time: f64,
    at_risk: usize,
    /// Events of the cause.
    events: usize,
    /// Events of all other causes.
    others: usize,
    /// S before the time, S after it.
    before: f64,
    after: f64,
    incidence: f64,
}

/// The incidence at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IncidenceAt {
    /// The time.
    pub time: f64,
    /// Subjects under observation just before it.
    pub at_risk: usize,
    /// Share that has had the event of this cause by then.
    pub incidence: f64,
    /// Share that has had no event of any cause.
    pub event_free: f64,
    /// Greenwood-type standard error of the incidence.
    pub std_error: f64,
    /// Whether the time is past the last observation.
    pub beyond_follow_up: bool,
}

impl IncidenceAt {
    /// Limits on the scale `ln(-ln(1 - F))`; both 0 where no event of the cause has happened, and
    /// `None` where everybody has had one.
    ///
    /// # Errors
    /// On a level outside (0, 1).
    pub fn limits(&self, level: f64) -> Result<Option<Interval>> {
        let z = normal::quantile(0.5 + 0.5 * open_unit("the confidence level", level)?);
        let free = 1.0 - self.incidence;
        if self.incidence <= 0.0 {
            return Ok(Some(Interval { lower: 0.0, upper: 0.0 }));
        }
        if free <= 0.0 {
            return Ok(None);
        }
        let hazard = -free.ln();
        let factor = (z * self.std_error / (free * hazard)).exp();
        let lower = -(-hazard / factor).exp_m1();
        let upper = -(-hazard * factor).exp_m1();
        Ok(Some(Interval { lower, upper }))
    }
}

impl AalenJohansen {
    /// The incidence of a cause.
    ///
    /// # Errors
    /// When the cause is 0, which means censored.
    pub fn fit(data: &CompetingRisks, cause: u32) -> Result<Self> {
        if cause == 0 {
            let expected = "1 or more (0 means censored)";
            return Err(Error::Parameter { name: "the cause", value: 0.0, expected });
        }
        let mut steps: Vec<Step> = Vec::new();
        let (mut survival, mut incidence) = (1.0, 0.0);
        let n = data.len();
        let mut first = 0;
        while first < n {
            let time = data.time[data.order[first]];
            let (mut end, mut events, mut others) = (first, 0, 0);
            while end < n && data.time[data.order[end]] == time {
                match data.cause[data.order[end]] {
                    0 => {}
                    c if c == cause => events += 1,
                    _ => others += 1,
                }
                end += 1;
            }
            let at_risk = n - first;
            let before = survival;
            survival *= (at_risk - events - others) as f64 / at_risk as f64;
            incidence += before * events as f64 / at_risk as f64;
            let after = survival;
            steps.push(Step { time, at_risk, events, others, before, after, incidence });
            first = end;
        }
        Ok(Self { cause, steps })
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> u32 {
        self.cause
    }

    /// Distinct times with those at risk and the incidence after each.
    pub fn steps(&self) -> impl Iterator<Item = (f64, usize, f64)> + '_ {
        self.steps.iter().map(|step| (step.time, step.at_risk, step.incidence))
    }

    /// The incidence at a time, carried on past the last observation.
    #[must_use]
    pub fn at(&self, time: f64) -> IncidenceAt {
        let count = self.steps.partition_point(|step| step.time <= time);
        let from = self.steps.partition_point(|step| step.time < time);
        let (incidence, event_free) = count
            .checked_sub(1)
            .map_or((0.0, 1.0), |i| (self.steps[i].incidence, self.steps[i].after));
        IncidenceAt {
            time,
            at_risk: self.steps.get(from).map_or(0, |step| step.at_risk),
            incidence,
            event_free,
            std_error: self.variance(time).sqrt(),
            beyond_follow_up: self.steps.last().is_none_or(|step| time > step.time),
        }
    }

    /// Greenwood-type variance of the incidence at a time: the multinomial variance of what
    /// happens at each time, carried to the end by
    /// `sum S(t_i-)^2/n_i^3 [n_i ((1-g)^2 d_i + g^2 o_i) - ((1-g) d_i - g o_i)^2]`,
    /// `g = (F(t) - F(t_i))/S(t_i)`, `d` events of the cause and `o` of others (Marubini and
    /// Valsecchi 1995; Andersen, Borgan, Gill and Keiding 1993, IV.4.4). The infinitesimal
    /// jackknife gives the same number.
    #[must_use]
    pub fn variance(&self, time: f64) -> f64 {
        self.sum(time, |n, d, o, g| {
            let linear = (1.0 - g) * d - g * o;
            (n * ((1.0 - g).powi(2) * d + g * g * o) - linear * linear) / n.powi(3)
        })
    }

    fn sum(&self, time: f64, part: impl Fn(f64, f64, f64, f64) -> f64) -> f64 {
        let count = self.steps.partition_point(|step| step.time <= time);
        let Some(end) = count.checked_sub(1).map(|i| self.steps[i].incidence) else { return 0.0 };
        self.steps[..count]
            .iter()
            .filter(|step| step.events + step.others > 0)
            .map(|step| {
                let g = if step.after > 0.0 { (end - step.incidence) / step.after } else { 0.0 };
                let (n, d, o) = (step.at_risk as f64, step.events as f64, step.others as f64);
                step.before * step.before * part(n, d, o, g)
            })
            .sum()
    }
}
