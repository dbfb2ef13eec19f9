//! The `bio` vectors of `dosimetry.toml`, and of `trial.toml` those about drugs, marrow and dose under drugs.

use hepatica_biology::bed::{BedModel, Repopulation};
use hepatica_biology::irradiation::under;
use hepatica_biology::marrow::{Chain, DailyStep, Lanes};
use hepatica_biology::pharmacokinetics::OneCompartment;
use hepatica_biology::{eud, ntcp, tcp};
use hepatica_physics::{Bed, Dose, Mass, TimeSpan};
use hepatica_vectors::{Answer, Suite, Vector, as_number, compare, tables};

const T_PHYS_H: f64 = 64.1;

fn model(v: &Vector) -> Result<BedModel, String> {
    let alpha_beta = if v.has("alpha_beta") { v.number("alpha_beta")? } else { 10.0 };
    Ok(BedModel {
        alpha_beta: Dose::from_gy(alpha_beta),
        repair_half_time: TimeSpan::from_h(v.number("t_rep_h")?),
    })
}

fn bio(v: &Vector) -> Result<Answer, String> {
    let half_life =
        TimeSpan::from_h(if v.has("t_phys_h") { v.number("t_phys_h")? } else { T_PHYS_H });
    let gy = Dose::from_gy;
    if v.has("t_h") {
        return Ok(model(v)?.g_until(half_life, TimeSpan::from_h(v.number("t_h")?)).into());
    }
    if v.has("td_days") {
        let regrowth = Repopulation {
            alpha_per_gy: v.number("alpha")?,
            doubling_time: TimeSpan::from_d(v.number("td_days")?),
        };
        let r = regrowth.bed(&model(v)?, gy(v.number("dose_gy")?), half_life);
        return Ok(Answer::table([
            ("t_crit_h", r.until.h().into()),
            ("d_t", r.dose.gy().into()),
            ("g", r.g.into()),
            ("bed", Answer::from(r.bed.gy())),
        ]));
    }
    if v.has("td50") {
        let [td50, m, n, d, part] = ["td50", "m", "n", "d", "v"].map(|k| v.numbers(k));
        let (td50, m, n, d, part) = (td50?, m?, n?, d?, part?);
        let each = (0..td50.len()).map(|i| ntcp::lkb(gy(td50[i]), m[i], n[i], gy(d[i]), part[i]));
        return Ok(each.collect::<Vec<_>>().into());
    }
    if v.has("v") {
        let (volume, dose) = (v.numbers("v")?, v.numbers("d")?);
        let pairs = || dose.iter().copied().zip(volume.iter().copied());
        if v.has("alpha") {
            let model = model(v)?;
            let beds = pairs().map(|(d, w)| (model.bed(gy(d), half_life), w));
            let eubed = eud::eubed(beds, v.number("alpha")?).ok_or("no volume")?;
            let even = eud::eud(eubed, &model, half_life);
            return Ok(Answer::table(
                [("eubed", eubed.gy()), ("eud", even.gy())].map(|(k, x)| (k, Answer::from(x))),
            ));
        }
        let geud = |a| eud::geud(pairs(), a).map_or(f64::NAN, |d| d.gy());
        return Ok(Answer::table(
            [("a_m10", -10.0), ("a_1", 1.0), ("a_8", 8.0)].map(|(k, a)| (k, Answer::from(geud(a)))),
        ));
    }
    if v.has("n_clonogens") || v.has("n0") {
        let key = if v.has("n0") { "n0" } else { "n_clonogens" };
        let (n, alpha) = (v.number(key)?, v.number("alpha")?);
        let beds = v.numbers("eubed")?;
        return Ok(beds
            .iter()
            .map(|b| tcp::poisson(n, alpha, Bed::from_gy(*b)))
            .collect::<Vec<_>>()
            .into());
    }
    let model = model(v)?;
    let bed = model.bed(gy(v.number("dose_gy")?), half_life);
    Ok(Answer::table([
        ("g", model.g(half_life).into()),
        ("bed", bed.gy().into()),
        ("eqd2", Answer::from(model.eqd2(bed).gy())),
    ]))
}

#[test]
fn bio_vectors() {
    let others = [
        "constants",
        "decay",
        "stopping",
        "activity",
        "lung",
        "product",
        "uncertainty",
        "ct",
        "dpk",
        "vsv",
        "pvc",
        "interface",
        "dvh",
        "mc",
        "mc_gate",
    ];
    Suite::new("dosimetry.toml")
        .group("bio", bio)
        .elsewhere(&others, "the vector tests of other crates")
        .run();
}

#[test]
fn lq_y90_vectors() {
    let Some(vectors) = tables("trial.toml", "lq_y90") else { return };
    // The half-life of that file: [y90_window_constants].
    let half_life = TimeSpan::from_h(64.05);
    for v in &vectors {
        let number = |k: &str| as_number(&v[k]).expect("a number");
        let model = BedModel {
            alpha_beta: Dose::from_gy(number("alpha_beta")),
            repair_half_time: TimeSpan::from_h(number("t_repair_h")),
        };
        let bed = model.bed(Dose::from_gy(number("dose_gy")), half_life).gy();
        for (key, got) in [("g_factor", model.g(half_life)), ("bed", bed)] {
            compare(&Answer::from(got), &v[key], 1e-9, 0.0)
                .unwrap_or_else(|why| panic!("{key} {why}"));
        }
        println!("ok      lq_y90 {} Gy bed {bed:.4}", number("dose_gy"));
    }
}

fn number(v: &toml::Table, key: &str) -> f64 {
    as_number(&v[key]).expect("a number")
}

fn list(v: &toml::Table, key: &str) -> Vec<f64> {
    v[key].as_array().and_then(|l| l.iter().map(as_number).collect()).expect("numbers")
}

#[test]
fn pharmacokinetic_vectors() {
    let Some(vectors) = tables("trial.toml", "pk_1cmt_oral") else { return };
    for v in &vectors {
        let pk = OneCompartment {
            clearance_l_per_h: number(v, "cl"),
            volume_l: number(v, "v"),
            absorption_per_h: number(v, "ka"),
        };
        let dose = Mass::from_g(number(v, "dose") * 1e-3);
        for (t, c) in list(v, "t_h").into_iter().zip(list(v, "conc")) {
            let found = pk.concentration_mg_per_l(dose, TimeSpan::from_h(t));
            assert!((found / c - 1.0).abs() < 1e-9, "{found} for {c}");
        }
        assert!((pk.area_mg_h_per_l(dose) / number(v, "auc_inf") - 1.0).abs() < 1e-9);
        assert!((pk.peak().h() / number(v, "tmax") - 1.0).abs() < 1e-9);
        let peak = pk.concentration_mg_per_l(dose, pk.peak());
        assert!((peak / number(v, "cmax") - 1.0).abs() < 1e-9);
        println!("ok      pk_1cmt_oral");
    }
}

/// The hourly reference to 1e-6, and the daily step, which knows only the area under
/// the curve, its lowest to 0.5 %.
#[test]
fn friberg_vectors() {
    let Some(vectors) = tables("trial.toml", "friberg") else { return };
    // The constants of the script that made the vectors.
    let pk = OneCompartment { clearance_l_per_h: 11.2, volume_l: 29.0, absorption_per_h: 2.8 };
    for v in &vectors {
        let chain = Chain {
            mean_transit: TimeSpan::from_h(number(v, "mtt_h")),
            feedback: number(v, "gamma"),
        };
        let (base, slope) = (number(v, "base"), number(v, "slope_per_mg_l"));
        let dose = Mass::from_g(number(v, "dose_mg") * 1e-3);
        let given = list(v, "dose_hours");
        let effect = |t: TimeSpan| -> f64 {
            let of = |h: &f64| pk.concentration_mg_per_l(dose, t - TimeSpan::from_h(*h));
            slope * given.iter().map(of).sum::<f64>()
        };
        let mut hours = Vec::new();
        // Steps of a sixteenth of an hour: dose times are on the grid.
        chain.integrate(TimeSpan::from_d(70.0), TimeSpan::from_h(0.0625), effect, |_, y| {
            hours.push(base * y[4]);
        });
        let at = |day: f64| hours[(day * 24.0 * 16.0).round() as usize - 1];
        let daily = DailyStep::new(&chain);
        let mut lanes: Lanes<1> = [[1.0]; 5];
        let mut days = Vec::new();
        let a_day = slope * pk.area_mg_h_per_l(dose) / 24.0;
        for day in 0..70 {
            let on = given.iter().any(|h| (h / 24.0).floor() as i32 == day);
            daily.advance(&mut lanes, &[if on { a_day as f32 } else { 0.0 }]);
            days.push(base * f64::from(lanes[4][0]));
        }
        for (t, c) in list(v, "t_days").into_iter().zip(list(v, "circ")) {
            assert!((at(t) / c - 1.0).abs() < 1e-6, "day {t}: {} for {c}", at(t));
            let quick = days[t as usize - 1];
            // A dose in the morning acts half a day before one that is spread over the day.
            assert!((quick / c - 1.0).abs() < 0.03, "day {t}, daily step: {quick} for {c}");
        }
        // The vector's lowest is that of whole hours.
        let lowest = hours.iter().copied().skip(15).step_by(16).fold(f64::MAX, f64::min);
        assert!((lowest / number(v, "nadir") - 1.0).abs() < 1e-6);
        let quick = days.iter().copied().fold(f64::MAX, f64::min);
        assert!((quick / lowest - 1.0).abs() < 5e-3, "lowest, daily step: {quick} for {lowest}");
        println!("ok      friberg base {base}");
    }
}

#[test]
fn y90_window_tail_vectors() {
    let Some(vectors) = tables("trial.toml", "y90_window_tail") else { return };
    for v in &vectors {
        // Day d begins at 24 (d - 1) h, the spheres come at noon, temozolomide is days 10 to 14.
        let instilled = number(v, "y90_day") - 0.5;
        let day = |d: f64| TimeSpan::from_d(d - instilled);
        let tail = TimeSpan::from_h(number(v, "tail_half_life_h"));
        let found = under(TimeSpan::from_h(64.05), day(9.0), day(14.0), tail);
        let expected = number(v, "eff_frac_tmz");
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} for {expected}");
        println!("ok      y90_window_tail day {}", number(v, "y90_day"));
    }
}
