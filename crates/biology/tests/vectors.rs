//! The `bio` vectors of `dosimetry.toml` and the `lq_y90` vectors of `trial.toml`.

use hepatica_biology::bed::{BedModel, Repopulation};
use hepatica_biology::{eud, ntcp, tcp};
use hepatica_physics::{Bed, Dose, TimeSpan};
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
