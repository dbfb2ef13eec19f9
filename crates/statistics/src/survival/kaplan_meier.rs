//! The Kaplan-Meier curve (Kaplan and Meier 1958), its limits and quantiles.

use super::data::{RiskSet, Survival};
use crate::Interval;
use crate::distribution::normal;
use crate::error::{Result, open_unit};

/// A height counts as equal to a wanted one within this: the curve is a product of fractions.
const SAME_HEIGHT: f64 = 1e-9;

/// `S(t) = prod_{t_i <= t} (1 - d_i/n_i)`, with Greenwood's variance.
#[derive(Debug, Clone, PartialEq)]
pub struct KaplanMeier {
    steps: Vec<Step>,
    subjects: usize,
    events: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    set: RiskSet,
    survival: f64,
    /// Greenwood (1926): `sum d/(n (n - d))`, the variance of ln S; infinite once S is zero.
    variance_of_log: f64,
}

/// On which scale limits are symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// `S +- z se`, cut at 0 and 1.
    Plain,
    /// `S exp(+- z se/S)`, cut at 1.
    Log,
    /// `S^exp(+- z se/(S ln S))`: never outside 0 and 1, and the best of the three in small
    /// samples (Borgan and Liestol 1990).
    LogLog,
}

/// The curve at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveAt {
    /// The time.
    pub time: f64,
    /// Subjects under observation just before it.
    pub at_risk: usize,
    /// Estimate of the share free of the event after it.
    pub survival: f64,
    /// Greenwood's standard error; `None` where the curve has come to zero and it has no meaning.
    pub std_error: Option<f64>,
    /// Whether the time is past the last observation, where the curve is only carried on.
    pub beyond_follow_up: bool,
    variance_of_log: f64,
}

impl CurveAt {
    /// Pointwise confidence limits; `None` where there is no standard error.
    ///
    /// Where no event has happened yet both are 1: the estimated variance is zero.
    ///
    /// # Errors
    /// On a level outside (0, 1).
    pub fn limits(&self, scale: Scale, level: f64) -> Result<Option<Interval>> {
        let z = critical(level)?;
        Ok(limits(self.survival, self.variance_of_log, scale, z))
    }
}

/// A quantile of the time to event, with limits of Brookmeyer and Crowley (1982).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileEstimate {
    /// Share that has had the event.
    pub probability: f64,
    /// The time, `None` when the curve does not come down to it.
    pub estimate: Option<f64>,
    /// Lower limit: where the lower limit of the curve comes down to it.
    pub lower: Option<f64>,
    /// Upper limit: where the upper limit of the curve does; `None` is "not reached".
    pub upper: Option<f64>,
}

fn critical(level: f64) -> Result<f64> {
    open_unit("the confidence level", level)?;
    Ok(normal::quantile(0.5 + 0.5 * level))
}

fn limits(survival: f64, variance_of_log: f64, scale: Scale, z: f64) -> Option<Interval> {
    if survival <= 0.0 {
        return None;
    }
    if variance_of_log == 0.0 {
        return Some(Interval { lower: survival, upper: survival });
    }
    let se_log = variance_of_log.sqrt();
    let (lower, upper) = match scale {
        Scale::Plain => {
            let half = z * survival * se_log;
            ((survival - half).max(0.0), (survival + half).min(1.0))
        }
        Scale::Log => {
            let factor = (z * se_log).exp();
            (survival / factor, (survival * factor).min(1.0))
        }
        Scale::LogLog => {
            let hazard = -survival.ln();
            let factor = (z * se_log / hazard).exp();
            ((-hazard * factor).exp(), (-hazard / factor).exp())
        }
    };
    Some(Interval { lower, upper })
}

impl KaplanMeier {
    /// The curve of a sample. With no event at all it is 1 throughout.
    #[must_use]
    pub fn fit(data: &Survival) -> Self {
        let mut survival = 1.0;
        let mut variance_of_log = 0.0;
        let steps = data
            .risk_sets()
            .into_iter()
            .map(|set| {
                if set.events > 0 {
                    let (n, d) = (set.at_risk as f64, set.events as f64);
                    survival *= (n - d) / n;
                    variance_of_log += d / (n * (n - d));
                }
                Step { set, survival, variance_of_log }
            })
            .collect();
        Self { steps, subjects: data.len(), events: data.events() }
    }

    /// Number of subjects.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// Number of events.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// Last observed time.
    #[must_use]
    pub fn last_time(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.set.time)
    }

    /// The distinct times with counts, and the curve after each: what a figure draws.
    pub fn steps(&self) -> impl Iterator<Item = (RiskSet, f64)> + '_ {
        self.steps.iter().map(|step| (step.set, step.survival))
    }

    /// The curve at a time.
    #[must_use]
    pub fn at(&self, time: f64) -> CurveAt {
        // First step later than the time; what holds is the one before.
        let next = self.steps.partition_point(|step| step.set.time <= time);
        let (survival, variance_of_log) = match next.checked_sub(1).map(|i| &self.steps[i]) {
            Some(step) => (step.survival, step.variance_of_log),
            None => (1.0, 0.0),
        };
        let from = self.steps.partition_point(|step| step.set.time < time);
        CurveAt {
            time,
            at_risk: self.steps.get(from).map_or(0, |step| step.set.at_risk),
            survival,
            std_error: (survival > 0.0).then(|| survival * variance_of_log.sqrt()),
            beyond_follow_up: time > self.last_time(),
            variance_of_log,
        }
    }

    /// Subjects under observation just before each time: the row beneath a figure.
    #[must_use]
    pub fn at_risk(&self, times: &[f64]) -> Vec<usize> {
        times.iter().map(|t| self.at(*t).at_risk).collect()
    }

    /// Median; `None` when not reached.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        self.crossing(0.5, |step| Some(step.survival))
    }

    /// Time by which a share `probability` has had the event, with limits.
    ///
    /// Where the curve is level at exactly that height the middle of the level part is taken
    /// (up to the last observation if it never falls again); the same holds for the limits.
    ///
    /// # Errors
    /// On a probability or level outside (0, 1).
    pub fn quantile(&self, probability: f64, scale: Scale, level: f64) -> Result<QuantileEstimate> {
        let height = 1.0 - open_unit("the probability of a quantile", probability)?;
        let z = critical(level)?;
        let limit = |step: &Step| limits(step.survival, step.variance_of_log, scale, z);
        Ok(QuantileEstimate {
            probability,
            estimate: self.crossing(height, |step| Some(step.survival)),
            lower: self.crossing(height, |step| limit(step).map(|i| i.lower)),
            upper: self.crossing(height, |step| limit(step).map(|i| i.upper)),
        })
    }

    /// First time a curve derived from the steps comes down to a height.
    fn crossing(&self, height: f64, curve: impl Fn(&Step) -> Option<f64>) -> Option<f64> {
        let mut falls = self
            .steps
            .iter()
            .filter(|step| step.set.events > 0)
            .filter_map(|step| curve(step).map(|y| (step.set.time, y)));
        let (time, y) = falls.find(|(_, y)| *y <= height + SAME_HEIGHT)?;
        if y < height - SAME_HEIGHT {
            return Some(time);
        }
        let end = falls.find(|(_, y)| *y < height - SAME_HEIGHT);
        Some(0.5 * (time + end.map_or(self.last_time(), |(t, _)| t)))
    }
}

/// Kaplan-Meier median of `(time, event)` pairs, which are sorted in place and nothing else is
/// stored: for simulations. `None` when not reached or empty. Same convention as
/// [`KaplanMeier::median`]; the times must be numbers.
pub fn median_in_place(pairs: &mut [(f64, bool)]) -> Option<f64> {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let n = pairs.len();
    let mut survival = 1.0;
    let mut level_from = None;
    let mut first = 0;
    while first < n {
        let time = pairs[first].0;
        let mut end = first;
        let mut events = 0;
        while end < n && pairs[end].0 == time {
            events += usize::from(pairs[end].1);
            end += 1;
        }
        if events > 0 {
            let at_risk = n - first;
            survival *= (at_risk - events) as f64 / at_risk as f64;
            if survival < 0.5 - SAME_HEIGHT {
                return Some(level_from.map_or(time, |from| 0.5 * (from + time)));
            }
            if survival <= 0.5 + SAME_HEIGHT && level_from.is_none() {
                level_from = Some(time);
            }
        }
        first = end;
    }
    level_from.map(|from| 0.5 * (from + pairs[n - 1].0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() <= tolerance, "{got} is not {want}");
    }

    /// 6-mercaptopurine arm of Freireich et al. 1963, as in Kalbfleisch and Prentice.
    fn mercaptopurine() -> KaplanMeier {
        let time = [
            6., 6., 6., 6., 7., 9., 10., 10., 11., 13., 16., 17., 19., 20., 22., 23., 25., 32.,
            32., 34., 35.,
        ];
        let event = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
        let data = Survival::new(time.to_vec(), event.iter().map(|e| *e == 1).collect());
        KaplanMeier::fit(&data.expect("valid"))
    }

    #[test]
    fn freireich_1963() {
        // Survival and Greenwood error, as printed in Collett, Klein and Moeschberger, and others.
        let curve = mercaptopurine();
        for (t, s, se) in [
            (6.0, 0.8571, 0.0764),
            (7.0, 0.8067, 0.0869),
            (10.0, 0.7529, 0.0963),
            (13.0, 0.6902, 0.1068),
            (16.0, 0.6275, 0.1141),
            (22.0, 0.5378, 0.1282),
            (23.0, 0.4482, 0.1346),
        ] {
            let at = curve.at(t);
            near(at.survival, s, 5e-5);
            near(at.std_error.expect("above zero"), se, 5e-5);
        }
        assert_eq!(curve.median(), Some(23.0));
        assert_eq!(curve.at_risk(&[0.0, 6.0, 10.0, 40.0]), [21, 21, 15, 0]);
        let lower = curve.quantile(0.5, Scale::LogLog, 0.95).expect("valid");
        assert_eq!((lower.lower, lower.upper), (Some(13.0), None));
    }

    #[test]
    fn a_curve_at_zero_has_no_error_and_no_limits() {
        let data = Survival::new(vec![1.0, 2.0], vec![true, true]).expect("valid");
        let at = KaplanMeier::fit(&data).at(2.0);
        assert_eq!((at.survival, at.std_error), (0.0, None));
        assert_eq!(at.limits(Scale::Plain, 0.95), Ok(None));
    }

    #[test]
    fn one_subject_and_no_events_have_an_answer() {
        let one = Survival::new(vec![4.0], vec![false]).expect("valid");
        let curve = KaplanMeier::fit(&one);
        assert_eq!(curve.median(), None);
        let at = curve.at(9.0);
        assert!(at.beyond_follow_up && at.survival == 1.0 && at.at_risk == 0);
        let one = Survival::new(vec![4.0], vec![true]).expect("valid");
        assert_eq!(KaplanMeier::fit(&one).median(), Some(4.0));
    }

    #[test]
    fn a_level_part_at_the_median_gives_its_middle() {
        let all = vec![true; 4];
        let data = Survival::new(vec![1.0, 2.0, 5.0, 7.0], all).expect("valid");
        assert_eq!(KaplanMeier::fit(&data).median(), Some(3.5));
        let mut pairs = [(7.0, true), (2.0, true), (1.0, true), (5.0, true)];
        assert_eq!(median_in_place(&mut pairs), Some(3.5));
        // It never falls again: up to the last observation.
        let data = Survival::new(vec![1.0, 2.0, 5.0, 7.0], vec![true, true, false, false]);
        assert_eq!(KaplanMeier::fit(&data.expect("valid")).median(), Some(4.5));
        let mut pairs = [(7.0, false), (2.0, true), (1.0, true), (5.0, false)];
        assert_eq!(median_in_place(&mut pairs), Some(4.5));
        assert_eq!(median_in_place(&mut []), None);
    }

    #[test]
    fn levels_of_zero_and_one_are_refused() {
        let curve = mercaptopurine();
        for level in [0.0, 1.0, f64::NAN] {
            assert!(curve.at(10.0).limits(Scale::Log, level).is_err());
            assert!(curve.quantile(0.5, Scale::Log, level).is_err());
            assert!(curve.quantile(level, Scale::Log, 0.9).is_err());
        }
    }
}
