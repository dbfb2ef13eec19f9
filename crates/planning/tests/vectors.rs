//! The dosimetry vectors that activity models, lungs, products, CT numbers and intervals answer.

use hepatica_imaging::{Grid, Image, Mask};
use hepatica_physics::{
    Activity, Density, Dose, EnergyPerActivity, Length, Mass, TimeSpan, Volume, material,
};
use hepatica_planning::activity::{self, Partition, bsa, mird};
use hepatica_planning::device::Device;
use hepatica_planning::{lung, uncertainty};
use hepatica_regimen::dose::SurfaceFormula;
use hepatica_vectors::{Answer, Suite, Vector};

fn k(v: &Vector) -> Result<EnergyPerActivity, String> {
    Ok(EnergyPerActivity::from_j_per_gbq(v.number("k")?))
}

fn activity(v: &Vector) -> Result<Answer, String> {
    let kg = |key: &str| v.number(key).map(Mass::from_kg);
    if v.has("height_cm") {
        let surface = SurfaceFormula::DuBois
            .body_surface_m2(Length::from_cm(v.number("height_cm")?), kg("weight_kg")?);
        let liver = Volume::from_ml(v.number("whole_liver_ml")?);
        let a = bsa::activity(surface, Volume::from_ml(v.number("tumour_ml")?), liver, liver);
        return Ok(Answer::table(
            [("bsa_m2", surface), ("activity_gbq", a.gbq())].map(|(n, x)| (n, Answer::from(x))),
        ));
    }
    if v.has("m_normal_kg") {
        let single = v.has("tnr") && v.has("m_tumour_kg");
        let tumours = if single {
            vec![(kg("m_tumour_kg")?, v.number("tnr")?)]
        } else {
            let masses = v.numbers("m_tumours_kg")?.into_iter().map(Mass::from_kg);
            masses.zip(v.numbers("tnr")?).collect()
        };
        let shunt = v.number("lsf")?;
        let p = Partition { k: k(v)?, lung_shunt: shunt, tumours, normal: kg("m_normal_kg")? };
        if v.has("limit_normal_gy") {
            return Ok(p.for_normal_dose(Dose::from_gy(v.number("limit_normal_gy")?)).gbq().into());
        }
        if v.has("goal_tumour_gy") {
            let goal = Dose::from_gy(v.number("goal_tumour_gy")?);
            return Ok(p.for_tumour_dose(goal).ok_or("no tumour")?.gbq().into());
        }
        let a = Activity::from_gbq(v.number("activity_gbq")?);
        let lungs = activity::lung_dose(k(v)?, a, shunt, kg("m_lung_kg")?);
        let doses: Vec<f64> = p.tumour_doses(a).iter().map(|d| d.gy()).collect();
        let tumours = if single {
            ("tumour_gy", Answer::from(doses[0]))
        } else {
            ("tumours_gy", Answer::from(doses))
        };
        let rest = [("normal_gy", p.normal_dose(a).gy()), ("lung_gy", lungs.gy())];
        return Ok(Answer::table(
            rest.map(|(n, x)| (n, Answer::from(x))).into_iter().chain([tumours]),
        ));
    }
    // What stays in the lines is added when the order is made: the division the plan's order makes.
    let residual = if v.has("residual_fraction") { v.number("residual_fraction")? } else { 0.0 };
    if v.has("activity_gbq") {
        let in_patient = Activity::from_gbq(v.number("activity_gbq")?) * (1.0 - residual);
        return Ok(activity::lung_dose(k(v)?, in_patient, v.number("lsf")?, kg("lung_mass_kg")?)
            .gy()
            .into());
    }
    let mass = if v.has("mass_kg") {
        kg("mass_kg")?
    } else {
        Density::from_g_per_ml(v.number("density")?) * Volume::from_ml(v.number("volume_ml")?)
    };
    let a = mird::activity(k(v)?, Dose::from_gy(v.number("dose_gy")?), mass, v.number("lsf")?);
    Ok((a / (1.0 - residual)).gbq().into())
}

fn lungs(v: &Vector) -> Result<Answer, String> {
    if v.has("mean_hu") {
        // A block of lung of that volume and CT number.
        let side = (v.number("volume_ml")? * 1000.0 / 1000.0).cbrt();
        let grid = Grid::axial([10; 3], [side; 3], [0.0; 3]).map_err(|e| e.to_string())?;
        let ct = Image::filled(grid.clone(), v.number("mean_hu")? as i16);
        return Ok(lung::mass_from_ct(&ct, &Mask::from_fn(grid, |_| 1.0)).g().into());
    }
    let mean = |organ: &str| -> Result<f64, String> {
        Ok((v.number(&format!("{organ}_ant"))? * v.number(&format!("{organ}_post"))?).sqrt())
    };
    Ok(lung::planar_fraction(mean("lung")?, mean("liver")?).into())
}

#[test]
fn planning_vectors() {
    Suite::new("dosimetry.toml")
        .group("activity", activity)
        .group("lung", lungs)
        .group("product", |v| {
            let glass = Device::named("glass").map_err(|e| e.to_string())?;
            if glass.spheres.bq_at_calibration != v.number("bq_at_calibration")? {
                return Err("another activity per sphere than the device's".to_owned());
            }
            Ok(glass.sphere_activity(TimeSpan::from_d(v.number("days")?)).bq().into())
        })
        .group("ct", |v| Ok(material::density_from_hu(v.number("hu")?).g_per_ml().into()))
        .group("uncertainty", |v| {
            let mm = |key: &str| v.number(key).map(Length::from_mm);
            let (u, relative) =
                uncertainty::of_volume(mm("diameter_mm")?, mm("voxel_mm")?, mm("fwhm_mm")?);
            Ok(Answer::table(
                [("u_d", u.mm()), ("u_v_rel", relative)].map(|(n, x)| (n, Answer::from(x))),
            ))
        })
        .elsewhere(&["constants", "decay", "stopping"], "the vector test of physics")
        .elsewhere(&["bio"], "the vector test of biology")
        .elsewhere(&["dvh", "dpk", "vsv", "pvc", "interface"], "the vector test of dosimetry")
        .not_concerned("mc", "belongs to the Monte Carlo engine")
        .not_concerned("mc_gate", "belongs to the Monte Carlo engine")
        .run();
}
