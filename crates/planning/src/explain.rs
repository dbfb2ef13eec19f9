//! How numbers came to be: formula, inputs, source. What `--explain` prints.

use crate::device::Device;
use crate::plan::{
    Constant, Constants, Cumulative, DeliveredSession, Explanation, LungShunt, Session,
};
use std::collections::BTreeMap;

/// What explanations are made from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Sessions that were given.
    pub delivered: &'a [DeliveredSession],
    /// Sessions planned.
    pub sessions: &'a [Session],
    /// Lung shunt and mass.
    pub lungs: &'a LungShunt,
    /// Sums.
    pub cumulative: &'a Cumulative,
    /// Constants.
    pub constants: &'a Constants,
    /// The device.
    pub device: &'a Device,
}

/// All explanations, by measure; those of a session end in its number.
#[must_use]
pub fn all(f: &Facts<'_>) -> BTreeMap<String, Explanation> {
    let mut map = BTreeMap::new();
    shunt(f, &mut map);
    for s in f.sessions {
        session(f, s, &mut map);
    }
    let doses = f.sessions.iter().map(|s| {
        input(
            &format!("D{}", s.id),
            s.lung_dose_gy,
            "Gy",
            &format!("lung dose of session {}", s.id),
        )
    });
    let source = if f.delivered.is_empty() {
        "case.toml, [prior]"
    } else {
        "case.toml, [prior], and sessions delivered, by their verifications"
    };
    let prior = input("D_prior", f.cumulative.prior_lung_dose_gy, "Gy", source);
    map.insert(
        "lung_dose_cumulative".to_owned(),
        Explanation {
            title: "Lung dose of all sessions".to_owned(),
            value: f.cumulative.lung_dose_gy,
            unit: "Gy".to_owned(),
            formula: "D = D_prior + sum of the sessions".to_owned(),
            inputs: std::iter::once(prior).chain(doses).collect(),
            source: "mean doses of one organ add".to_owned(),
        },
    );
    map
}

fn input(name: &str, value: f64, unit: &str, source: &str) -> Constant {
    Constant { name: name.to_owned(), value, unit: unit.to_owned(), source: source.to_owned() }
}

fn shunt(f: &Facts<'_>, map: &mut BTreeMap<String, Explanation>) {
    let l = f.lungs;
    let mut add = |key: &str, title: &str, value, formula: &str, inputs, source: &str| {
        let explanation = Explanation {
            title: title.to_owned(),
            value,
            unit: String::new(),
            formula: formula.to_owned(),
            inputs,
            source: source.to_owned(),
        };
        if l.used == key.trim_start_matches("lung_shunt_") {
            map.insert("lung_shunt".to_owned(), explanation.clone());
        }
        map.insert(key.to_owned(), explanation);
    };
    if let Some(s) = &l.spect {
        add(
            "lung_shunt_spect",
            "Lung shunt on SPECT/CT",
            s.fraction,
            "L = C_lung / (C_lung + C_liver)",
            vec![
                input(
                    "C_lung",
                    s.lung_counts,
                    "counts",
                    "lungs outside the strip, extrapolated to the whole lungs by mass",
                ),
                input("C_liver", s.liver_counts, "counts", "liver with tumours"),
                input("strip", s.dome_strip_mm, "mm", "lung this near to the liver is left out"),
                input(
                    "seen",
                    s.lung_mass_seen_fraction,
                    "",
                    "part of the lung mass that was counted",
                ),
                input(
                    "L as measured",
                    s.fraction_as_measured,
                    "",
                    "nothing left out, nothing extrapolated",
                ),
            ],
            "counts on attenuation- and scatter-corrected SPECT (EANM 2022)",
        );
    }
    if let Some(p) = &l.planar {
        add(
            "lung_shunt_planar",
            "Lung shunt on planar views",
            p.fraction,
            "L = G_lung / (G_lung + G_liver), G = sqrt(anterior x posterior)",
            vec![
                input("G_lung", p.lung_counts, "counts", "regions of [planar_roi]"),
                input("G_liver", p.liver_counts, "counts", "regions of [planar_roi]"),
            ],
            "device labels; without attenuation correction, so biased high (Young 2022: +8.5 points)",
        );
    }
    if l.used == "stated" {
        let stated = vec![input("L", l.fraction, "", "case.toml, [lung] stated_fraction")];
        add("lung_shunt_stated", "Lung shunt as stated", l.fraction, "L", stated, "a person");
    }
}

fn session(f: &Facts<'_>, s: &Session, map: &mut BTreeMap<String, Explanation>) {
    let k_dose = f.constants.k_dose_j_per_gbq;
    let prescribed = s.prescription.activity_gbq;
    let mut add =
        |key: &str, title: String, value, unit: &str, formula: &str, inputs, source: &str| {
            let explanation = Explanation {
                title,
                value,
                unit: unit.to_owned(),
                formula: formula.to_owned(),
                inputs,
                source: source.to_owned(),
            };
            // Without a number: the first session, or the only one.
            map.entry(key.to_owned()).or_insert_with(|| explanation.clone());
            map.insert(format!("{key}_{}", s.id), explanation);
        };
    let shunt = || input("L", f.lungs.fraction, "", &format!("lung shunt, {}", f.lungs.used));
    let activity =
        || input("A", prescribed, "GBq", "prescribed, in the patient at the moment of injection");
    add(
        "lung_dose",
        format!("Lung dose of session {}", s.id),
        s.lung_dose_gy,
        "Gy",
        "D = k A L / M",
        vec![
            input("k", k_dose, "J/GBq", "energy of full decay"),
            activity(),
            shunt(),
            input("M", f.lungs.lung_mass_kg, "kg", &f.lungs.lung_mass_source),
        ],
        "one compartment: all shunted activity in the whole lung mass (MIRD)",
    );
    let bounds = match s.prescription.model.as_str() {
        "mird" => &s.models.mird,
        "bsa" => &s.models.bsa,
        "partition" => &s.models.partition,
        _ => &s.models.voxel,
    };
    let formula = match s.prescription.model.as_str() {
        "mird" => "A = D M / (k (1 - L)), no more than any limit allows",
        "bsa" => {
            "A = ((BSA - 0.2) + V_tumour / V_treated) V_treated / V_liver, times the shunt factor, no more than any limit allows"
        }
        "partition" => {
            "A = D_N (sum r_i M_i + M_N) / (k (1 - L)), the smallest of all goals and limits"
        }
        "voxel" => "A = D / (D per GBq of the dose map), the smallest of all goals and limits",
        _ => "a person's decision",
    };
    let list = bounds
        .bounds
        .iter()
        .map(|b| {
            input(
                &format!("A({} = {} {})", b.id, b.value, b.unit),
                b.activity_gbq,
                "GBq",
                &format!("{}: {}", b.kind, b.source),
            )
        })
        .chain([shunt()])
        .collect();
    add(
        "activity",
        format!(
            "Activity of session {} ({}, bound by {})",
            s.id, s.prescription.model, s.prescription.bound_by
        ),
        prescribed,
        "GBq",
        formula,
        list,
        &format!("model {} with the goals and limits of {}", s.prescription.model, f.device.name),
    );
    for c in &s.compartments {
        let key = match c.role.as_str() {
            "tumour" | "organ" | "cold" => {
                format!("dose_{}", c.name.to_lowercase().replace(' ', "_"))
            }
            role => format!("dose_{role}"),
        };
        add(
            &key,
            format!("Mean dose of {} in session {}", c.name, s.id),
            c.dose_gy.mean,
            "Gy",
            "D = A x mean over the volume of the dose map per GBq",
            vec![
                activity(),
                input("D/A", c.dose_gy.mean / prescribed, "Gy/GBq", "dose map per GBq"),
                input("V", c.volume_ml, "mL", "structure, fractions of voxels counted"),
                shunt(),
                input("k", k_dose, "J/GBq", "energy of full decay"),
            ],
            "activity in proportion to the counts of the simulation procedure (EANM 2022)",
        );
        add(
            &key.replacen("dose_", "bed_", 1),
            format!("Mean BED of {} in session {}", c.name, s.id),
            c.bed_gy.mean,
            "Gy",
            "BED = mean of D (1 + G D / (alpha/beta)), G = T_rep / (T_rep + T_phys)",
            vec![
                input(
                    "alpha/beta",
                    c.bed_gy.alpha_beta_gy,
                    "Gy",
                    &format!("set `{}`", c.bed_gy.set),
                ),
                input(
                    "T_rep",
                    c.bed_gy.repair_half_time_h,
                    "h",
                    &format!("set `{}`", c.bed_gy.set),
                ),
                input("T_phys", f.constants.half_life_h, "h", &f.constants.nuclide),
                input("mean D", c.dose_gy.mean, "Gy", "the mean is taken of BED, voxel by voxel"),
            ],
            "linear-quadratic model with the dose rate of exponential decay (Dale 1985)",
        );
    }
    if let Some(o) = &s.order {
        let p = &o.proposed;
        add(
            "order",
            format!("Activity delivered in session {} by the order", s.id),
            p.delivered_gbq,
            "GBq",
            "A = n A_vial 2^(-t / T) (1 - R)",
            vec![
                input("n", f64::from(p.vials), "", "vials"),
                input(
                    "A_vial",
                    p.vial_gbq,
                    "GBq",
                    &format!("calibrated {}", p.calibration_instant),
                ),
                input("t", p.decay_h, "h", &format!("to {}", o.treatment_instant)),
                input("T", f.constants.half_life_h, "h", &f.constants.nuclide),
                input("R", o.planned_residual_fraction, "", &f.device.residual_fraction.cited()),
            ],
            "decay between instants",
        );
    }
    for (drug, fraction) in &s.overlap {
        add(
            &format!("overlap_{drug}"),
            format!("Dose of session {} delivered while {drug} is taken", s.id),
            *fraction,
            "",
            "2^(-t1 / T) - 2^(-t2 / T), t1 and t2 the beginning and end of the drug's days after the instillation",
            vec![input("T", f.constants.half_life_h, "h", &f.constants.nuclide)],
            "exact integral of the dose rate over the drug's days in the cycle of the session",
        );
    }
}
