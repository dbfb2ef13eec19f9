//! How fast it is, on one thread. Ignored by default:
//! `cargo test --release -p hepatica-statistics --test speed -- --ignored --nocapture`.

use hepatica_statistics::design::group_sequential::{Spending, equal_looks, spending_bounds};
use hepatica_statistics::design::simon;
use hepatica_statistics::survival::cox::{self, CoxOptions};
use hepatica_statistics::survival::{
    KaplanMeier, LogRankOptions, Survival, Weibull, log_rank, median_in_place, one_sample_log_rank,
    two_sample_in_place,
};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Runs for half a second and prints calls a second.
fn rate(what: &str, mut call: impl FnMut()) {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < Duration::from_millis(500) {
        for _ in 0..10 {
            call();
        }
        calls += 10;
    }
    println!("{what:<48} {:>12.0} a second", f64::from(calls) / start.elapsed().as_secs_f64());
}

/// Times and events that look like a trial's.
fn sample(n: usize) -> (Vec<f64>, Vec<bool>) {
    let share = |i: usize| {
        ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let time = (0..n).map(|i| -(1.0 - share(i + 1)).ln() * 20.0).collect();
    (time, (0..n).map(|i| i % 4 != 0).collect())
}

#[test]
#[ignore = "takes seconds"]
fn speed() {
    for n in [50, 200] {
        let (time, event) = sample(n);
        let group: Vec<usize> = (0..n).map(|i| i % 2).collect();
        let x: Vec<f64> = group.iter().map(|g| *g as f64).collect();
        let new = || Survival::new(time.clone(), event.clone()).expect("valid");
        rate(&format!("n {n}: sort, Kaplan-Meier, median"), || {
            black_box(KaplanMeier::fit(&new()).median());
        });
        rate(&format!("n {n}: sort, log-rank"), || {
            let _ = black_box(log_rank(&new(), &group, &LogRankOptions::default()));
        });
        rate(&format!("n {n}: sort, Cox, one term"), || {
            let _ = black_box(cox::fit(&new(), &[&x], &CoxOptions::default()));
        });
        let pairs: Vec<_> = time.iter().copied().zip(event.iter().copied()).collect();
        let mut work = pairs.clone();
        rate(&format!("n {n}: median in place"), || {
            work.copy_from_slice(&pairs);
            black_box(median_in_place(&mut work));
        });
        let rows: Vec<_> = (0..n).map(|i| (time[i], event[i], group[i] == 1)).collect();
        let mut work = rows.clone();
        rate(&format!("n {n}: log-rank in place"), || {
            work.copy_from_slice(&rows);
            black_box(two_sample_in_place(&mut work).z());
        });
        let null = Weibull::exponential(18.0).expect("positive");
        rate(&format!("n {n}: one-sample log-rank"), || {
            let sums = one_sample_log_rank(&time, &event, |t| null.cumulative_hazard(t));
            let _ = black_box(sums.map(|s| s.z_wu()));
        });
    }
    for (p0, p1, n_max) in [(0.2, 0.4, 100), (0.5, 0.7, 100), (0.3, 0.5, 200)] {
        rate(&format!("Simon {p0} {p1}, up to {n_max}"), || {
            let _ = black_box(simon::search(p0, p1, 0.05, 0.2, n_max));
        });
    }
    rate("group sequential, 5 looks", || {
        let _ = black_box(spending_bounds(&equal_looks(5), 0.025, Spending::OBrienFleming));
    });
}
