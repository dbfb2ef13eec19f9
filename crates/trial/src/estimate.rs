//! A number with its doubt: what parameters leave open, and the noise of simulation apart.

use crate::independence::Paired;
use crate::job::Drawn;
use crate::tally::Tally;
use serde::Serialize;
use std::borrow::Cow;

/// A number of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Of all draws together; none where it is not reached.
    pub value: Option<f64>,
    /// 5 to 95 % of the draws about the value: the noise of each draw is taken off, that of the value is in.
    pub interval: Option<[f64; 2]>,
    /// Standard error of the value by simulation alone.
    pub monte_carlo_se: Option<f64>,
    /// Share of the draws in which it is reached.
    pub reached: f64,
}

/// Summarises a number over draws: of each draw whole and in its two halves, and of all together.
#[must_use]
pub fn summarise(value: Option<f64>, draws: &[(Option<f64>, [Option<f64>; 2])]) -> Estimate {
    let mut whole: Vec<f64> = draws.iter().filter_map(|d| d.0).collect();
    let reached = whole.len() as f64 / draws.len().max(1) as f64;
    // Half the squared difference of two halves is the variance of a half, twice that of the whole.
    let noise: Vec<f64> = draws
        .iter()
        .filter_map(|(_, [a, b])| Some((a.as_ref()? - b.as_ref()?).powi(2) / 4.0))
        .collect();
    let noise = (!noise.is_empty()).then(|| noise.iter().sum::<f64>() / noise.len() as f64);
    whole.sort_by(f64::total_cmp);
    // What is not reached is beyond everything that is.
    let quantile = |p: f64| {
        let place = p * (draws.len() as f64 - 1.0);
        let at = |i: usize| whole.get(i).copied();
        let (low, high) = (at(place.floor() as usize)?, at(place.ceil() as usize)?);
        Some(low + (high - low) * place.fract())
    };
    let interval = (draws.len() > 1).then_some(()).and_then(|()| {
        let [low, middle, high] = [0.05, 0.5, 0.95].map(quantile);
        let middle = middle?;
        let variance = {
            let mean = whole.iter().sum::<f64>() / whole.len() as f64;
            whole.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
                / (whole.len() as f64 - 1.0).max(1.0)
        };
        let kept = match noise {
            Some(noise) if variance > 0.0 => (1.0 - noise / variance).max(0.0).sqrt(),
            _ => 1.0,
        };
        // About the value of all draws, whose own noise is put back: a small difference that was simulated
        // roughly is not known well.
        let value = value.unwrap_or(middle);
        let se = noise.map_or(0.0, |n| (n / whole.len() as f64).sqrt());
        let wide = |deviation: f64| deviation.hypot(1.645 * se);
        Some([value - wide(kept * (low? - middle)), value + wide(kept * (high? - middle))])
    });
    let monte_carlo_se = noise.map(|n| (n / whole.len().max(1) as f64).sqrt());
    Estimate { value, interval, monte_carlo_se, reached }
}

/// Counts of all arms and of pairs, of some patients.
#[derive(Debug, Clone)]
pub struct Counted<'a> {
    /// By arm.
    pub tallies: Vec<Cow<'a, Tally>>,
    /// Pairs.
    pub paired: Option<Cow<'a, Paired>>,
}

/// All draws, each whole and in halves, and all together: what every number is taken from.
#[derive(Debug, Clone)]
pub struct Counts<'a> {
    /// All draws together.
    pub all: Counted<'a>,
    draws: Vec<(Counted<'a>, [Counted<'a>; 2])>,
}

impl<'a> Counts<'a> {
    /// Of the draws of a job.
    #[must_use]
    pub fn new(drawn: &'a [Drawn]) -> Self {
        let half = |d: &'a Drawn, half: usize| Counted {
            tallies: d.tallies.iter().map(|t| Cow::Borrowed(&t[half])).collect(),
            paired: d.paired.as_ref().map(|p| Cow::Borrowed(&p[half])),
        };
        Self {
            all: whole(drawn),
            draws: drawn
                .iter()
                .map(|d| (whole(std::slice::from_ref(d)), [half(d, 0), half(d, 1)]))
                .collect(),
        }
    }

    /// A number of several arms and pairs together, such as a difference.
    #[must_use]
    pub fn estimate(&self, number: impl Fn(&Counted<'_>) -> Option<f64>) -> Estimate {
        let draws: Vec<_> = self
            .draws
            .iter()
            .map(|(whole, [a, b])| (number(whole), [number(a), number(b)]))
            .collect();
        summarise(number(&self.all), &draws)
    }

    /// Mean of a number over the draws; none if it is not reached in one.
    #[must_use]
    pub fn mean_over_draws(&self, number: impl Fn(&Counted<'_>) -> Option<f64>) -> Option<f64> {
        let all: Option<Vec<f64>> = self.draws.iter().map(|(whole, _)| number(whole)).collect();
        let all = all?;
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }

    /// A number of an arm.
    #[must_use]
    pub fn of_arm(&self, arm: usize, number: impl Fn(&Tally) -> Option<f64>) -> Estimate {
        self.estimate(|c| number(&c.tallies[arm]))
    }
}

fn whole<'a>(drawn: &[Drawn]) -> Counted<'a> {
    let arms = drawn.first().map_or(0, |d| d.tallies.len());
    let mut tallies = vec![Tally::default(); arms];
    let mut paired = drawn.first().and_then(|d| d.paired.as_ref()).map(|_| Paired::default());
    for d in drawn {
        for (all, halves) in tallies.iter_mut().zip(&d.tallies) {
            halves.iter().for_each(|t| all.merge(t));
        }
        if let (Some(all), Some(halves)) = (&mut paired, &d.paired) {
            halves.iter().for_each(|p| all.merge(p));
        }
    }
    Counted {
        tallies: tallies.into_iter().map(Cow::Owned).collect(),
        paired: paired.map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::random::Keyed;

    /// Draws of a number with true spread 0.05 seen through noise of 0.03: the interval is of the truth.
    #[test]
    fn the_noise_of_simulation_is_taken_off() {
        let draws: Vec<_> = (0..2000)
            .map(|k| {
                let [truth, a, b, _] = Keyed::new(1, k).gauss(0, 0);
                let truth = 0.5 + 0.05 * truth;
                // Halves are noisier than the whole by the root of two.
                let half = |z: f64| truth + 0.03 * 2_f64.sqrt() * z;
                (Some((half(a) + half(b)) / 2.0), [Some(half(a)), Some(half(b))])
            })
            .collect();
        let e = summarise(Some(0.5), &draws);
        let [low, high] = e.interval.expect("an interval");
        assert!(((high - low) / (2.0 * 1.645 * 0.05) - 1.0).abs() < 0.06, "{low} {high}");
        assert!((e.monte_carlo_se.expect("noise") / (0.03 / 2000_f64.sqrt()) - 1.0).abs() < 0.06);
    }

    #[test]
    fn what_is_not_reached_is_beyond() {
        let draws = vec![(Some(10.0), [Some(10.0), Some(10.0)]), (None, [None, None])];
        let e = summarise(None, &draws);
        assert_eq!((e.value, e.interval, e.reached), (None, None, 0.5));
    }
}
