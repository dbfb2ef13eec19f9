//! A number with its doubt: what parameters leave open, and the noise of simulation apart.

use crate::job::Drawn;
use crate::tally::Tally;
use serde::Serialize;

/// A number of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Of all draws together; none where it is not reached.
    pub value: Option<f64>,
    /// 5 to 95 % of the draws, the noise of simulation taken off.
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
    let interval = (draws.len() > 1).then(|| ()).and_then(|()| {
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
        Some([middle + kept * (low? - middle), middle + kept * (high? - middle)])
    });
    let monte_carlo_se = noise.map(|n| (n / whole.len().max(1) as f64).sqrt());
    Estimate { value, interval, monte_carlo_se, reached }
}

/// A number of an arm.
#[must_use]
pub fn of_arm(drawn: &[Drawn], arm: usize, number: impl Fn(&Tally) -> Option<f64>) -> Estimate {
    let mut all = Tally::default();
    let draws: Vec<_> = drawn
        .iter()
        .map(|d| {
            let [a, b] = &d.tallies[arm];
            let mut whole = a.clone();
            whole.merge(b);
            all.merge(&whole);
            (number(&whole), [number(a), number(b)])
        })
        .collect();
    summarise(number(&all), &draws)
}

/// A number of several arms and pairs together, such as a difference.
#[must_use]
pub fn of_draw(drawn: &[Drawn], number: impl Fn(&Merged<'_>) -> Option<f64>) -> Estimate {
    let draws: Vec<_> = drawn
        .iter()
        .map(|d| {
            let halves = [0, 1].map(|h| number(&Merged::half(d, h)));
            (number(&Merged::whole(std::slice::from_ref(d))), halves)
        })
        .collect();
    summarise(number(&Merged::whole(drawn)), &draws)
}

/// Counts of all arms, merged.
#[derive(Debug, Clone)]
pub struct Merged<'a> {
    /// By arm.
    pub tallies: Vec<std::borrow::Cow<'a, Tally>>,
    /// Pairs.
    pub paired: Option<crate::independence::Paired>,
}

impl<'a> Merged<'a> {
    fn half(drawn: &'a Drawn, half: usize) -> Self {
        Self {
            tallies: drawn.tallies.iter().map(|t| std::borrow::Cow::Borrowed(&t[half])).collect(),
            paired: drawn.paired.as_ref().map(|p| p[half].clone()),
        }
    }

    /// All draws and both halves.
    #[must_use]
    pub fn whole(drawn: &'a [Drawn]) -> Self {
        let arms = drawn.first().map_or(0, |d| d.tallies.len());
        let mut tallies = vec![Tally::default(); arms];
        let mut paired = drawn.first().and_then(|d| d.paired.as_ref()).map(|_| Default::default());
        for d in drawn {
            for (all, halves) in tallies.iter_mut().zip(&d.tallies) {
                halves.iter().for_each(|t| all.merge(t));
            }
            if let (Some(all), Some(halves)) = (&mut paired, &d.paired) {
                let all: &mut crate::independence::Paired = all;
                halves.iter().for_each(|p| all.merge(p));
            }
        }
        Self { tallies: tallies.into_iter().map(std::borrow::Cow::Owned).collect(), paired }
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
