//! The dosimetry vectors that dose maps and histograms can answer.

use hepatica_dosimetry::dvh::Dvh;
use hepatica_vectors::{Answer, Suite};

/// A shape cut into thin slabs across a gradient: position and area of each, the analytic way to
/// a histogram.
fn slabs(n: usize, dose: impl Fn(f64) -> f64, area: impl Fn(f64) -> f64) -> Dvh {
    let at = |i: usize| (i as f64 + 0.5) / n as f64;
    let samples = (0..n).map(|i| (dose(at(i)), area(at(i)))).collect();
    Dvh::from_samples(samples).expect("not empty")
}

#[test]
fn dosimetry_vectors() {
    Suite::new("dosimetry.toml")
        .group("dvh", |v| {
            if v.has("radius_mm") {
                let (r, centre) = (v.number("radius_mm")?, v.number("centre_gy")?);
                let gradient = v.number("gradient_gy_per_mm")?;
                let x = |t: f64| (2.0 * t - 1.0) * r;
                let dvh = slabs(200_000, |t| centre + gradient * x(t), |t| r * r - x(t) * x(t));
                let d = [2.0, 5.0, 30.0, 50.0, 70.0, 95.0, 98.0]
                    .map(|p| (format!("d{p}"), Answer::from(dvh.d(p))));
                let v = [40.0, 55.0].map(|g| (format!("v{g}"), Answer::from(dvh.v(g))));
                Ok(Answer::table(d.into_iter().chain(v)))
            } else {
                let h = v.number("height")?;
                let dvh = slabs(200_000, |t| t * h, |t| t * t);
                Ok(Answer::table(
                    [95.0, 70.0, 50.0, 5.0].map(|p| (format!("d{p}"), Answer::from(dvh.d(p)))),
                ))
            }
        })
        .elsewhere(&["constants", "decay", "stopping"], "the vector test of physics")
        .elsewhere(&["bio"], "the vector test of biology")
        .elsewhere(
            &["activity", "lung", "product", "uncertainty", "ct"],
            "the vector test of planning",
        )
        .elsewhere(&["dpk", "vsv", "pvc", "interface"], "the kernels' own vector test")
        .not_concerned("mc", "belongs to the Monte Carlo engine")
        .not_concerned("mc_gate", "belongs to the Monte Carlo engine")
        .run();
}
