//! Cumulative incidence (Aalen and Johansen 1978), with two estimates of its variance.

use super::{CompetingRisks, cause_of_interest};
use crate::Interval;
use crate::distribution::normal;
use crate::error::{Result, open_unit};

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
        cause_of_interest(cause)?;
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

    /// Variance after Aalen (1978), in which causes vary independently, with a hypergeometric
    /// factor for ties: `sum S(t_i-)^2/n_i^2 [(1-g)^2 d_i (n_i-d_i)/(n_i-1) + g^2 o_i
    /// (n_i-o_i)/(n_i-1)]`, g as above. It is what `cuminc` of the R package cmprsk reports, and
    /// differs little from the other.
    #[must_use]
    pub fn variance_aalen(&self, time: f64) -> f64 {
        self.sum(time, |n, d, o, g| {
            let tied = |k: f64| if n > 1.0 { k * (n - k) / (n - 1.0) } else { k };
            ((1.0 - g).powi(2) * tied(d) + g * g * tied(o)) / (n * n)
        })
    }

    /// Sum over times of `S(t_i-)^2` and a part of those at risk, events, others and g.
    fn sum(&self, time: f64, part: impl Fn(f64, f64, f64, f64) -> f64) -> f64 {
        let count = self.steps.partition_point(|step| step.time <= time);
        let Some(end) = count.checked_sub(1).map(|i| self.steps[i].incidence) else { return 0.0 };
        self.steps[..count]
            .iter()
            .filter(|step| step.events + step.others > 0)
            .map(|step| {
                // Where S comes to zero nothing is left to vary.
                let g = if step.after > 0.0 { (end - step.incidence) / step.after } else { 0.0 };
                let (n, d, o) = (step.at_risk as f64, step.events as f64, step.others as f64);
                step.before * step.before * part(n, d, o, g)
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_censoring_it_is_the_share_with_a_binomial_variance() {
        let time = vec![1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0];
        let data = CompetingRisks::new(time, vec![1, 2, 1, 2, 1, 1, 2, 2]).expect("valid");
        let curve = AalenJohansen::fit(&data, 1).expect("a cause");
        for (t, count) in [(0.5, 0.0), (1.0, 1.0), (2.5, 2.0), (4.0, 3.0), (6.0, 4.0)] {
            let share: f64 = count / 8.0;
            let at = curve.at(t);
            assert!((at.incidence - share).abs() < 1e-12);
            assert!((at.std_error - (share * (1.0 - share) / 8.0).sqrt()).abs() < 1e-12, "{t}");
        }
        assert!(curve.at(7.0).beyond_follow_up);
        let limits = curve.at(4.0).limits(0.95).expect("a level").expect("some");
        assert!(limits.lower > 0.0 && limits.lower < 0.375 && limits.upper > 0.375);
    }

    #[test]
    fn the_infinitesimal_jackknife_gives_the_same_variance() {
        // Weights of subjects are moved a little, one at a time.
        let time = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 7.0, 8.0];
        let cause = [1, 2, 0, 1, 0, 2, 1, 1, 0];
        let incidence = |weights: &[f64], t: f64| {
            let (mut s, mut f) = (1.0, 0.0);
            for u in [1.0, 2.0, 3.0, 4.0, 5.0, 7.0] {
                let sum = |keep: &dyn Fn(usize) -> bool| -> f64 {
                    (0..9).filter(|i| keep(*i)).map(|i| weights[i]).sum()
                };
                let at_risk = sum(&|i| time[i] >= u);
                let here = sum(&|i| time[i] == u && cause[i] == 1);
                let any = sum(&|i| time[i] == u && cause[i] > 0);
                if u <= t {
                    f += s * here / at_risk;
                    s *= 1.0 - any / at_risk;
                }
            }
            f
        };
        let data = CompetingRisks::new(time.to_vec(), cause.to_vec()).expect("valid");
        let curve = AalenJohansen::fit(&data, 1).expect("a cause");
        for t in [2.0, 4.0, 6.0, 7.0] {
            let step = 1e-5;
            let square: f64 = (0..9)
                .map(|i| {
                    let moved = |h: f64| {
                        let mut weights = [1.0; 9];
                        weights[i] += h;
                        incidence(&weights, t)
                    };
                    ((moved(step) - moved(-step)) / (2.0 * step)).powi(2)
                })
                .sum();
            assert!((square - curve.variance(t)).abs() < 1e-9, "{t}");
        }
    }
}
