//! What must hold for any data, whatever the numbers are.

use hepatica_statistics::design::toxicity::{Boundary, Look};
use hepatica_statistics::design::{one_sample_log_rank, simon};
use hepatica_statistics::distribution::binomial;
use hepatica_statistics::survival::competing::{fine_gray, gray_test};
use hepatica_statistics::survival::cox::{self, CoxOptions, Ties, TimeTransform};
use hepatica_statistics::survival::parametric::{self, Family, Observed};
use hepatica_statistics::survival::{
    AalenJohansen, CompetingRisks, IntervalCensored, KaplanMeier, LogRankOptions, Scale, Survival,
    Turnbull, Weibull, log_rank, median_in_place, restricted_mean, two_sample_in_place,
};
use hepatica_statistics::{Error, proportion};
use proptest::prelude::*;

/// Rows of time, cause (0 censored), group and a covariate, with ties and times of zero.
fn rows(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Row>> {
    let row = (0..30_u32, 0..3_u32, 0..3_usize, -2.0..2.0_f64);
    let row = row.prop_map(|(t, cause, group, x)| Row { time: f64::from(t), cause, group, x });
    prop::collection::vec(row, n)
}

#[derive(Debug, Clone, Copy)]
struct Row {
    time: f64,
    cause: u32,
    group: usize,
    x: f64,
}

fn survival(rows: &[Row]) -> Survival {
    let time = rows.iter().map(|r| r.time).collect();
    Survival::new(time, rows.iter().map(|r| r.cause > 0).collect()).expect("valid")
}

fn risks(rows: &[Row]) -> CompetingRisks {
    let time = rows.iter().map(|r| r.time).collect();
    CompetingRisks::new(time, rows.iter().map(|r| r.cause).collect()).expect("valid")
}

fn intervals(rows: &[Row]) -> IntervalCensored {
    let right = rows.iter().map(|r| match r.cause {
        0 => f64::INFINITY,
        1 => r.time + 7.0,
        _ => r.time,
    });
    IntervalCensored::new(rows.iter().map(|r| r.time).collect(), right.collect()).expect("valid")
}

fn groups(rows: &[Row]) -> Vec<usize> {
    rows.iter().map(|r| r.group).collect()
}

fn covariate(rows: &[Row]) -> Vec<f64> {
    rows.iter().map(|r| r.x).collect()
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn without_censoring_kaplan_meier_is_the_empirical_survivor_function(
        mut rows in rows(1..40), at in -1.0..31.0_f64
    ) {
        rows.iter_mut().for_each(|r| r.cause = 1);
        let later = rows.iter().filter(|r| r.time > at).count() as f64;
        let curve = KaplanMeier::fit(&survival(&rows));
        prop_assert!(near(curve.at(at).survival, later / rows.len() as f64, 1e-12));
    }

    #[test]
    fn a_curve_never_rises_and_its_limits_hold_it(rows in rows(1..40), level in 0.5..0.99_f64) {
        let curve = KaplanMeier::fit(&survival(&rows));
        let mut last = 1.0;
        for t in 0..32 {
            let at = curve.at(f64::from(t));
            prop_assert!(at.survival <= last && at.survival >= 0.0);
            last = at.survival;
            for scale in [Scale::Plain, Scale::Log, Scale::LogLog] {
                if let Some(i) = at.limits(scale, level).expect("a level") {
                    let inside = i.lower <= at.survival && at.survival <= i.upper;
                    prop_assert!(inside && i.lower >= 0.0 && i.upper <= 1.0);
                }
            }
        }
        for scale in [Scale::Plain, Scale::Log, Scale::LogLog] {
            let q = curve.quantile(0.5, scale, level).expect("a level");
            prop_assert_eq!(q.estimate, curve.median());
            if let (Some(m), Some(l)) = (q.estimate, q.lower) {
                prop_assert!(l <= m);
            }
            if let (Some(m), Some(u)) = (q.estimate, q.upper) {
                prop_assert!(m <= u);
            }
        }
    }

    #[test]
    fn the_fast_median_is_the_median(rows in rows(0..40)) {
        let mut pairs: Vec<_> = rows.iter().map(|r| (r.time, r.cause > 0)).collect();
        let fast = median_in_place(&mut pairs);
        let slow = if rows.is_empty() { None } else { KaplanMeier::fit(&survival(&rows)).median() };
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn the_restricted_mean_is_the_area(rows in rows(1..40), share in 0.05..1.0_f64) {
        let data = survival(&rows);
        let tau = share * data.last_time();
        prop_assume!(tau > 0.0);
        let curve = KaplanMeier::fit(&data);
        let got = restricted_mean(&curve, tau).expect("within follow-up");
        // Whole times: the curve is level between them.
        let mut area = 0.0;
        let mut t = 0.0;
        while t < tau {
            let end = (t + 1.0_f64).min(tau);
            area += curve.at(t).survival * (end - t);
            t += 1.0;
        }
        prop_assert!(near(got.mean, area, 1e-12) && got.std_error >= 0.0);
    }

    #[test]
    fn the_log_rank_test_knows_only_the_order(rows in rows(2..50), rho in 0.0..1.5_f64) {
        let options = LogRankOptions { rho, strata: None };
        let test = |change: &dyn Fn(f64) -> f64| {
            let moved: Vec<Row> =
                rows.iter().map(|r| Row { time: change(r.time), ..*r }).collect();
            log_rank(&survival(&moved), &groups(&rows), &options)
        };
        let (plain, curved) = (test(&|t| t), test(&|t| (0.1 * t).exp_m1() * 7.0));
        prop_assert_eq!(plain, curved);
    }

    #[test]
    fn the_fast_log_rank_test_is_the_test(rows in rows(2..50)) {
        let labels: Vec<usize> = rows.iter().map(|r| r.group.min(1)).collect();
        let pairs = rows.iter().zip(&labels);
        let mut all: Vec<_> = pairs.map(|(r, g)| (r.time, r.cause > 0, *g == 1)).collect();
        let fast = two_sample_in_place(&mut all);
        match log_rank(&survival(&rows), &labels, &LogRankOptions::default()) {
            Ok(test) => {
                prop_assert!(near(fast.z().expect("events"), -test.z().expect("two"), 1e-9));
                prop_assert!(near(fast.expected, test.expected[1], 1e-12));
            }
            Err(_) => prop_assert!(fast.z().is_none()),
        }
    }

    #[test]
    fn without_ties_the_score_test_is_the_log_rank_test(rows in rows(4..40)) {
        let apart: Vec<Row> = rows
            .iter()
            .enumerate()
            .map(|(i, r)| Row { time: r.time + 0.001 * i as f64, ..*r })
            .collect();
        let data = survival(&apart);
        let labels: Vec<usize> = rows.iter().map(|r| r.group.min(1)).collect();
        let x: Vec<f64> = labels.iter().map(|g| *g as f64).collect();
        let test = log_rank(&data, &labels, &LogRankOptions::default());
        for ties in [Ties::Efron, Ties::Breslow, Ties::Exact] {
            let options = CoxOptions { ties, ..CoxOptions::default() };
            if let (Ok(test), Ok(fit)) = (&test, cox::fit(&data, &[&x], &options)) {
                prop_assert!(near(fit.score.statistic, test.test.statistic, 1e-9));
            }
        }
    }

    #[test]
    fn the_exact_score_test_is_the_log_rank_test_with_ties_too(rows in rows(4..40)) {
        let data = survival(&rows);
        let labels: Vec<usize> = rows.iter().map(|r| r.group.min(1)).collect();
        let x: Vec<f64> = labels.iter().map(|g| *g as f64).collect();
        let options = CoxOptions { ties: Ties::Exact, ..CoxOptions::default() };
        let test = log_rank(&data, &labels, &LogRankOptions::default());
        if let (Ok(test), Ok(fit)) = (test, cox::fit(&data, &[&x], &options)) {
            prop_assert!(near(fit.score.statistic, test.test.statistic, 1e-8));
        }
    }

    #[test]
    fn a_covariate_in_other_units_changes_only_its_coefficient(
        rows in rows(6..40), scale in 0.01..100.0_f64, shift in -1e3..1e3_f64
    ) {
        let data = survival(&rows);
        let x = covariate(&rows);
        let moved: Vec<f64> = x.iter().map(|x| scale * x + shift).collect();
        for ties in [Ties::Efron, Ties::Breslow, Ties::Exact] {
            let options = CoxOptions { ties, ..CoxOptions::default() };
            let (a, b) = (cox::fit(&data, &[&x], &options), cox::fit(&data, &[&moved], &options));
            if let (Ok(a), Ok(b)) = (a, b) {
                prop_assert!(near(a.coefficients[0], scale * b.coefficients[0], 1e-6));
                prop_assert!(near(a.log_likelihood, b.log_likelihood, 1e-9));
                prop_assert!(near(a.wald.statistic, b.wald.statistic, 1e-6));
            }
        }
    }

    #[test]
    fn martingale_residuals_sum_to_zero(rows in rows(6..40)) {
        let (data, x) = (survival(&rows), covariate(&rows));
        for ties in [Ties::Efron, Ties::Breslow] {
            let strata = groups(&rows);
            let options = CoxOptions { ties, strata: Some(&strata), ..CoxOptions::default() };
            if let Ok(fit) = cox::fit(&data, &[&x], &options) {
                let residuals = fit.martingale_residuals();
                prop_assert!(residuals.iter().sum::<f64>().abs() < 1e-9);
                // And are orthogonal to the covariate: with Breslow that is the score equation.
                if ties == Ties::Breslow {
                    let product: f64 = residuals.iter().zip(&x).map(|(r, x)| r * x).sum();
                    prop_assert!(product.abs() < 1e-6, "{product}");
                }
                if let Some(c) = fit.concordance() {
                    prop_assert!((0.0..=1.0).contains(&c));
                }
            }
        }
    }

    #[test]
    fn incidences_and_the_event_free_share_sum_to_one(rows in rows(1..50)) {
        let data = risks(&rows);
        let one = AalenJohansen::fit(&data, 1).expect("a cause");
        let two = AalenJohansen::fit(&data, 2).expect("a cause");
        let curve = KaplanMeier::fit(&survival(&rows));
        for t in 0..32 {
            let t = f64::from(t);
            let (a, b, s) = (one.at(t), two.at(t), curve.at(t));
            prop_assert!(near(a.incidence + b.incidence + s.survival, 1.0, 1e-12));
            prop_assert_eq!(a.at_risk, s.at_risk);
            prop_assert!(a.std_error >= 0.0 && one.variance_aalen(t) >= 0.0);
        }
    }

    #[test]
    fn with_one_cause_the_incidence_mirrors_kaplan_meier(mut rows in rows(1..50)) {
        rows.iter_mut().for_each(|r| r.cause = r.cause.min(1));
        let one = AalenJohansen::fit(&risks(&rows), 1).expect("a cause");
        let curve = KaplanMeier::fit(&survival(&rows));
        for t in 0..32 {
            let (a, s) = (one.at(f64::from(t)), curve.at(f64::from(t)));
            prop_assert!(near(a.incidence, 1.0 - s.survival, 1e-12));
            if let Some(se) = s.std_error {
                prop_assert!(near(a.std_error, se, 1e-9));
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in rows(6..30), key in any::<u64>()) {
        let mut mixed = rows.clone();
        let mut state = key | 1;
        for i in (1..mixed.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            mixed.swap(i, (state >> 33) as usize % (i + 1));
        }
        let numbers = |rows: &[Row]| -> Vec<f64> {
            let (data, risks) = (survival(rows), risks(rows));
            let (labels, x) = (groups(rows), covariate(rows));
            let curve = KaplanMeier::fit(&data);
            let mut out = vec![curve.at(9.0).survival, curve.median().unwrap_or(-1.0)];
            let test = log_rank(&data, &labels, &LogRankOptions::default());
            out.push(test.map_or(-1.0, |t| t.test.statistic));
            for ties in [Ties::Efron, Ties::Breslow, Ties::Exact] {
                let options = CoxOptions { ties, ..CoxOptions::default() };
                let fit = cox::fit(&data, &[&x], &options);
                out.push(fit.map_or(-1.0, |f| f.coefficients[0]));
            }
            let incidence = AalenJohansen::fit(&risks, 1).expect("a cause").at(20.0);
            out.extend([incidence.incidence, incidence.std_error]);
            out.push(gray_test(&risks, &labels, 1).map_or(-1.0, |t| t.test.statistic));
            let fit = fine_gray::fit(&risks, 1, &[&x]);
            out.extend(fit.map_or([-1.0; 2], |f| [f.coefficients[0], f.covariance[0][0]]));
            let turnbull = Turnbull::fit(&intervals(rows)).map(|f| f.at(10.0).upper);
            out.push(turnbull.unwrap_or(-1.0));
            out
        };
        for (a, b) in numbers(&rows).iter().zip(numbers(&mixed)) {
            prop_assert!(near(*a, b, 1e-6), "{} {}", a, b);
        }
    }

    #[test]
    fn every_answer_is_a_number_or_an_error(rows in rows(1..12)) {
        let (data, risks) = (survival(&rows), risks(&rows));
        let (labels, x) = (groups(&rows), covariate(&rows));
        let flat = vec![1.0; rows.len()];
        let finite = |list: &[f64]| list.iter().all(|x| x.is_finite());
        for strata in [None, Some(&labels[..])] {
            let options = LogRankOptions { rho: 1.0, strata };
            if let Ok(test) = log_rank(&data, &labels, &options) {
                prop_assert!(finite(&[test.test.statistic, test.p()]));
            }
            for ties in [Ties::Efron, Ties::Breslow, Ties::Exact] {
                let options = CoxOptions { ties, strata, ..CoxOptions::default() };
                prop_assert!(cox::fit(&data, &[&x, &flat], &options).is_err());
                if let Ok(fit) = cox::fit(&data, &[&x], &options) {
                    prop_assert!(finite(&fit.coefficients) && finite(&fit.std_errors()));
                    prop_assert!(finite(&fit.martingale_residuals()));
                    for t in [TimeTransform::KaplanMeier, TimeTransform::Log, TimeTransform::Rank] {
                        if let Ok(zph) = fit.proportional_hazards(t) {
                            prop_assert!(finite(&[zph.global.statistic, zph.terms[0].p()]));
                        }
                    }
                }
            }
        }
        if let Ok(test) = gray_test(&risks, &labels, 1) {
            prop_assert!(finite(&[test.test.statistic, test.p()]));
        }
        if let Ok(fit) = fine_gray::fit(&risks, 1, &[&x]) {
            prop_assert!(finite(&fit.coefficients) && finite(&fit.std_errors()));
        }
        let turnbull = Turnbull::fit(&intervals(&rows)).expect("converges");
        let total: f64 = turnbull.pieces.iter().map(|p| p.mass).sum();
        prop_assert!(near(total, 1.0, 1e-9) && turnbull.log_likelihood.is_finite());
        for family in
            [Family::Exponential, Family::Weibull, Family::LogNormal, Family::LogLogistic]
        {
            for observed in [Observed::rows(&data), Observed::intervals(&intervals(&rows))] {
                if let Ok(fit) = parametric::fit(&observed, &[&x], family) {
                    prop_assert!(finite(&fit.std_errors()) && fit.sigma > 0.0);
                }
            }
        }
    }

    #[test]
    fn nothing_beats_the_estimate_from_intervals(rows in rows(2..25), other in rows(2..25)) {
        let data = intervals(&rows);
        let fit = Turnbull::fit(&data).expect("converges");
        // The likelihood of any other distribution, here that of other data.
        let rival = Turnbull::fit(&intervals(&other)).expect("converges");
        let value = |d: &Turnbull| -> f64 {
            data.left().iter().zip(data.right()).map(|(l, r)| {
                let inside = |p: &&hepatica_statistics::survival::interval::Piece| {
                    p.right <= *r && if l == r { p.right >= *l } else { p.left >= *l && p.right > *l }
                };
                d.pieces.iter().filter(inside).map(|p| p.mass).sum::<f64>().ln()
            }).sum()
        };
        prop_assert!(near(value(&fit), fit.log_likelihood, 1e-8));
        prop_assert!(value(&rival) <= fit.log_likelihood + fit.gap + 1e-8);
    }

    #[test]
    fn limits_of_a_proportion_mirror(n in 1_u64..200, share in 0.0..1.0_f64, level in 0.5..0.999_f64) {
        let x = (share * n as f64) as u64;
        for interval in [
            proportion::clopper_pearson, proportion::wilson, proportion::jeffreys, proportion::mid_p,
        ] {
            let a = interval(x, n, level).expect("valid");
            let b = interval(n - x, n, level).expect("valid");
            prop_assert!(near(a.lower, 1.0 - b.upper, 1e-9) && near(a.upper, 1.0 - b.lower, 1e-9));
            prop_assert!(a.lower <= x as f64 / n as f64 && x as f64 / n as f64 <= a.upper);
        }
    }

    #[test]
    fn stopping_probabilities_are_those_of_enumeration(
        stops in prop::collection::vec(prop::option::of(1_u32..6), 1..9), rate in 0.0..1.0_f64
    ) {
        let n_max = stops.len() as u32;
        let looks: Vec<Look> = stops
            .iter()
            .zip(1_u32..)
            .map(|(stop, n)| Look { n, stop_at: stop.filter(|x| *x <= n) })
            .collect();
        let at = Boundary::new(looks.clone(), n_max).expect("looks").at(rate);
        let (mut stop, mut expected) = (0.0, 0.0);
        for outcome in 0_u32..1 << n_max {
            let ones = outcome.count_ones() as i32;
            let mass = rate.powi(ones) * (1.0 - rate).powi(n_max as i32 - ones);
            let end = looks.iter().find(|look| {
                let x = (outcome & ((1 << look.n) - 1)).count_ones();
                look.stop_at.is_some_and(|least| x >= least)
            });
            stop += if end.is_some() { mass } else { 0.0 };
            expected += mass * f64::from(end.map_or(n_max, |look| look.n));
        }
        prop_assert!(near(at.stop, stop, 1e-12) && near(at.expected_n, expected, 1e-12));
    }
}

#[test]
fn clopper_pearson_covers_at_every_rate() {
    for n in [1_u64, 2, 5, 10, 19, 30] {
        let limits: Vec<_> =
            (0..=n).map(|x| proportion::clopper_pearson(x, n, 0.95).expect("valid")).collect();
        for i in 1..400 {
            let p = f64::from(i) / 400.0;
            let row = binomial::row(n as u32, p);
            let missed = |beyond: &dyn Fn(usize) -> bool| -> f64 {
                row.iter().enumerate().filter(|(x, _)| beyond(*x)).map(|(_, mass)| mass).sum()
            };
            assert!(missed(&|x| p < limits[x].lower) <= 0.025 + 1e-12, "{n} {p}");
            assert!(missed(&|x| p > limits[x].upper) <= 0.025 + 1e-12, "{n} {p}");
        }
    }
}

/// Every two-stage design of a size, one by one.
fn best_of_size(n: u32, p0: f64, p1: f64, alpha: f64, beta: f64) -> Option<f64> {
    let mut best: Option<f64> = None;
    for n1 in 1..n {
        for r1 in 0..n1 {
            for r in r1..n {
                let d = simon::TwoStage::new(r1, n1, r, n).expect("a design");
                let null = d.at(p0);
                if null.reject <= alpha && d.at(p1).reject >= 1.0 - beta {
                    best = Some(best.map_or(null.expected_n, |b| b.min(null.expected_n)));
                }
            }
        }
    }
    best
}

#[test]
fn the_search_for_two_stages_misses_no_design() {
    for (p0, p1, alpha, beta) in
        [(0.1, 0.4, 0.1, 0.2), (0.2, 0.6, 0.05, 0.1), (0.5, 0.8, 0.1, 0.2), (0.01, 0.3, 0.05, 0.1)]
    {
        let found = simon::search(p0, p1, alpha, beta, 20);
        for n in 2..=20 {
            let want = best_of_size(n, p0, p1, alpha, beta);
            let got = found.as_ref().ok().and_then(|f| f.by_size.iter().find(|c| c.design.n == n));
            match (got, want) {
                (Some(got), Some(want)) => {
                    assert!((got.null.expected_n - want).abs() < 1e-9, "{p0} {p1} {n}");
                }
                (None, None) => {}
                other => panic!("{p0} {p1} {n}: {other:?}"),
            }
        }
    }
}

#[test]
fn simulated_trials_have_the_power_that_was_planned() {
    // A fixed stream of uniform numbers (SplitMix64).
    let mut state = 20_270_101_u64;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let null = Weibull::new(18.0, 1.2).expect("positive");
    let alternative = Weibull::new(29.0, 1.2).expect("positive");
    let conduct =
        one_sample_log_rank::Conduct { accrual: 30.0, follow_up: 12.0, loss_hazard: 0.01 };
    let design = one_sample_log_rank::design(null, alternative, conduct, 0.05).expect("valid");
    let n = design.subjects(0.2).expect("valid");
    let trials = 20_000;
    let mut simulate = |truth: Weibull| {
        let mut successes = 0;
        for _ in 0..trials {
            let (mut observed, mut expected) = (0.0, 0.0);
            for _ in 0..n {
                let hazard = -(1.0 - uniform()).ln() / std::f64::consts::LN_2;
                let event = truth.median() * hazard.powf(1.0 / truth.shape());
                let lost = -(1.0 - uniform()).ln() / 0.01;
                let end = (12.0 + 30.0 * uniform()).min(lost);
                observed += if event <= end { 1.0 } else { 0.0 };
                expected += null.cumulative_hazard(event.min(end));
            }
            let sums = hepatica_statistics::survival::OneSample { observed, expected };
            successes += usize::from(sums.z_wu().is_some_and(|z| z < -1.644_853_626_951_472_2));
        }
        f64::from(u32::try_from(successes).expect("few")) / f64::from(trials)
    };
    // Errors of simulation are 0.003 and 0.0015; the rest is the normal approximation.
    let power = simulate(alternative);
    assert!((power - design.power(n).expect("some")).abs() < 0.015, "{power}");
    let size = simulate(null);
    println!("n {n}, power {power}, planned {}, size {size}", design.power(n).expect("some"));
    assert!((size - 0.05).abs() < 0.01, "{size}");
}

#[test]
fn errors_say_what_to_do() {
    let e = Survival::new(vec![1.0, -2.0], vec![true, true]).expect_err("negative");
    assert_eq!(e.to_string(), "row 1: time is -2, expected a finite time, 0 or later");
    let e = proportion::wilson(5, 4, 0.95).expect_err("too many");
    assert_eq!(e.to_string(), "responders is 5, expected 0 to 4");
    let e = simon::search(0.3, 0.2, 0.05, 0.2, 50).expect_err("the wrong way round");
    assert_eq!(e.to_string(), "the null 0.3 must be below the alternative 0.2");
    assert!(matches!(
        simon::search(0.3, 0.31, 0.05, 0.2, 50),
        Err(Error::NoDesign { n_max: 50, .. })
    ));
}
