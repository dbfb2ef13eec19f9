//! The scan after treatment: the patient lies differently, the spheres went not quite where albumin went,
//! and some stayed in the line. All of it is known.

use crate::anatomy::{self, Organ, Place, TUMOURS, is_right_lobe};
use crate::camera::{Spect, mean_over};
use crate::case::{PhantomError, patient, write_text};
use crate::random;
use crate::truth::{
    K_J_PER_GBQ, LEFT_TO_RIGHT, LIVER_G_PER_ML, LUNG_G_PER_ML, liver_concentration,
};
use hepatica_imaging::dicom::write::nm::{self, Acquisition as NmAcquisition};
use hepatica_imaging::dicom::write::pet::{self, Acquisition as PetAcquisition, YTTRIUM_90};
use hepatica_imaging::dicom::write::{Context, ct};
use hepatica_imaging::registration::Rigid;
use hepatica_imaging::{Grid, Image};
use hepatica_physics::{Nuclide, TimeSpan};
use jiff::ToSpan;
use jiff::civil::DateTime;
use nalgebra::Point3;
use rayon::prelude::*;
use serde::Serialize;
use std::path::Path;

/// Where the patient lies against the planning CT: turned by so many radians about x, y and z through the
/// liver, then moved by so many mm.
const TURN: [f64; 3] = [0.02, -0.03, 0.05];
const SHIFT_MM: [f64; 3] = [9.0, -6.0, 13.0];
const MIDDLE_MM: [f64; 3] = [-20.0, 0.0, 170.0];
/// What every tumour takes up, over what the albumin said.
const UPTAKE: [f64; 6] = [0.85, 1.15, 0.70, 1.0, 1.2, 0.8];
/// What every segment's normal liver takes up, from 1 to 8: the catheter lay a little lower.
const SEGMENT: [f64; 8] = [1.0, 0.9, 1.15, 1.0, 1.15, 1.15, 0.9, 0.9];
/// From the instillation to the start of the scan.
const HOURS_AFTER: i64 = 20;
/// From the assay to the instillation, and from there to the assay of what stayed, in minutes.
const ASSAYED_BEFORE_MIN: i64 = 45;
const RESIDUAL_AFTER_MIN: i64 = 180;
/// Positrons of a decay of 90Y.
const POSITRONS: f64 = 3.186e-5;
/// Noise of a CT of low dose in HU.
const CT_NOISE_HU: f64 = 25.0;
/// Points the doses are counted with.
const STEP_MM: f64 = 2.0;

/// What sees the spheres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 90Y PET/CT in Bq/mL.
    Pet,
    /// Bremsstrahlung SPECT/CT in counts.
    Spect,
}

/// How the scan is made.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanOptions {
    /// What sees the spheres.
    pub kind: Kind,
    /// Seed of all noise.
    pub seed: u64,
    /// Whether there is noise.
    pub noise: bool,
    /// Coarse images.
    pub small: bool,
    /// 1: the right lobe was treated, 2: the left.
    pub session: u32,
    /// Activity of all vials at the instillation.
    pub assayed_gbq: f64,
    /// Of that, what stayed in vial and lines.
    pub residual_fraction: f64,
    /// Lung activity over all activity in the patient.
    pub lung_shunt: f64,
    /// The instillation, local time.
    pub instant: DateTime,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            kind: Kind::Pet,
            seed: 1,
            noise: true,
            small: false,
            session: 1,
            assayed_gbq: 3.0,
            residual_fraction: 0.06,
            lung_shunt: 0.06,
            instant: jiff::civil::date(2027, 1, 5).at(13, 0, 0, 0),
        }
    }
}

/// What is true of the scan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScanTruth {
    /// Session.
    pub session: u32,
    /// Activity of all vials at the instillation.
    pub assayed_gbq: f64,
    /// What stayed, at the same moment.
    pub residual_gbq: f64,
    /// In the patient.
    pub delivered_gbq: f64,
    /// Volume of the territory's normal liver.
    pub normal_ml: f64,
    /// Mean dose of the lungs.
    pub lung_gy: f64,
    /// Mean dose of the territory's normal liver, local deposition.
    pub normal_gy: f64,
    /// Mean dose of the whole territory.
    pub perfused_gy: f64,
    /// Mean dose of all normal liver.
    pub whole_normal_gy: f64,
    /// By how many mm the middle of the liver moves from the planning CT to the scan.
    pub shift_mm: [f64; 3],
    /// Turn about x, y and z.
    pub turn_degrees: [f64; 3],
    /// From the planning CT to the scan: homogeneous matrix, row by row.
    pub matrix: [f64; 16],
    /// Tumours of the territory.
    pub tumours: Vec<TumourDose>,
}

/// Dose of a tumour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TumourDose {
    /// Its structure.
    pub name: String,
    /// What it took up, over what the albumin said.
    pub uptake: f64,
    /// Volume without necrosis.
    pub volume_ml: f64,
    /// Mean dose, local deposition.
    pub gy: f64,
}

/// Where the patient lies against the planning CT.
#[must_use]
pub fn motion() -> Rigid {
    Rigid::about(Point3::from(MIDDLE_MM), TURN, SHIFT_MM)
}

/// Where the spheres are, in GBq/mL at the instillation.
struct Spheres {
    right: bool,
    /// GBq/mL where the relative concentration is one.
    scale: f64,
    lung: f64,
    truth: ScanTruth,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    territory: [f64; 2],
    normal: [f64; 2],
    other_normal: f64,
    lung: f64,
    tumours: [[f64; 2]; 6],
}

impl Spheres {
    fn new(o: &ScanOptions) -> Result<Self, PhantomError> {
        let right = o.session == 1;
        let [low, high] = anatomy::BOX_MM;
        let size = std::array::from_fn(|a| ((high[a] - low[a]) / STEP_MM).ceil() as usize);
        let start = std::array::from_fn(|a| low[a] + 0.5 * STEP_MM);
        let grid = Grid::axial(size, [STEP_MM; 3], start)
            .map_err(|e| PhantomError::Grid(e.to_string()))?;
        let ml = grid.voxel_volume().ml();
        // Slices are summed in order, so that the truth has the same digits on every machine.
        let slices: Vec<Sums> = (0..size[2])
            .into_par_iter()
            .map(|k| {
                let mut s = Sums::default();
                for n in 0..size[0] * size[1] {
                    let index = [(n % size[0]) as f64, (n / size[0]) as f64, k as f64];
                    s.add(anatomy::at(grid.world(index)), ml, right);
                }
                s
            })
            .collect();
        let mut all = Sums::default();
        for s in &slices {
            let add = |a: &mut [f64; 2], b: [f64; 2]| {
                a[0] += b[0];
                a[1] += b[1];
            };
            add(&mut all.territory, s.territory);
            add(&mut all.normal, s.normal);
            all.other_normal += s.other_normal;
            all.lung += s.lung;
            for (a, b) in all.tumours.iter_mut().zip(s.tumours) {
                add(a, b);
            }
        }
        let residual = o.assayed_gbq * o.residual_fraction;
        let delivered = o.assayed_gbq - residual;
        let scale = delivered * (1.0 - o.lung_shunt) / all.territory[1];
        let gy = |[volume, activity]: [f64; 2]| {
            K_J_PER_GBQ * scale * activity / volume / (LIVER_G_PER_ML * 1e-3)
        };
        let tumours =
            TUMOURS.iter().zip(all.tumours).zip(UPTAKE).filter(|((_, sums), _)| sums[0] > 0.0).map(
                |((t, sums), uptake)| TumourDose {
                    name: t.name.to_owned(),
                    uptake,
                    volume_ml: sums[0],
                    gy: gy(sums),
                },
            );
        let lung_kg = all.lung * LUNG_G_PER_ML * 1e-3;
        let m = motion();
        let truth = ScanTruth {
            session: o.session,
            assayed_gbq: o.assayed_gbq,
            residual_gbq: residual,
            delivered_gbq: delivered,
            normal_ml: all.normal[0],
            lung_gy: K_J_PER_GBQ * delivered * o.lung_shunt / lung_kg,
            normal_gy: gy(all.normal),
            perfused_gy: gy(all.territory),
            whole_normal_gy: gy([all.normal[0] + all.other_normal, all.normal[1]]),
            shift_mm: SHIFT_MM,
            turn_degrees: m.turn_degrees(),
            matrix: m.rows(),
            tumours: tumours.collect(),
        };
        Ok(Self { right, scale, lung: delivered * o.lung_shunt / all.lung, truth })
    }

    fn at(&self, place: Place) -> f64 {
        match place.organ {
            Organ::LungLeft | Organ::LungRight => self.lung,
            _ => self.scale * concentration(place, self.right),
        }
    }
}

/// Relative concentration of the spheres in a territory.
fn concentration(place: Place, right: bool) -> f64 {
    if place.organ != Organ::Liver || is_right_lobe(place.segment) != right {
        return 0.0;
    }
    let albumin = liver_concentration(place) / if right { 1.0 } else { LEFT_TO_RIGHT };
    match place.tumour {
        Some(n) => albumin * UPTAKE[usize::from(n)],
        None => albumin * SEGMENT[usize::from(place.segment) - 1],
    }
}

impl Sums {
    fn add(&mut self, place: Place, ml: f64, right: bool) {
        match place.organ {
            Organ::LungLeft | Organ::LungRight => self.lung += ml,
            Organ::Liver if is_right_lobe(place.segment) == right => {
                let own = [ml, ml * concentration(place, right)];
                let to = |sum: &mut [f64; 2]| {
                    sum[0] += own[0];
                    sum[1] += own[1];
                };
                to(&mut self.territory);
                match place.tumour {
                    Some(n) if !place.necrosis => to(&mut self.tumours[usize::from(n)]),
                    None => to(&mut self.normal),
                    _ => {}
                }
            }
            Organ::Liver if place.tumour.is_none() => self.other_normal += ml,
            _ => {}
        }
    }
}

/// Writes the scan into `dir`, which must exist: `pet/` or `spect/`, `ct/`, `treatment.toml`, and the truth
/// beside it.
///
/// # Errors
/// When an option cannot be, or a file cannot be written.
pub fn write_scan(
    dir: &Path,
    options: &ScanOptions,
    progress: &dyn Fn(&str, f64),
) -> Result<ScanTruth, PhantomError> {
    check(options)?;
    progress("placing spheres", 0.0);
    let spheres = Spheres::new(options)?;
    let start = options.instant + HOURS_AFTER.hours();
    let context = Context::new(
        &format!("phantom scan {options:?}"),
        patient(),
        start,
        "After radioembolization (synthetic)",
    );
    let folder = |name: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(&path)
            .map(|()| path.clone())
            .map_err(|source| PhantomError::Io { path: path.display().to_string(), source })
    };
    progress("imaging: CT", 0.1);
    let image = low_dose_ct(options)?;
    ct::series(&folder("ct")?, &image, "CT low dose", &context)?;

    progress("imaging: spheres", 0.5);
    let image = spheres.image(options)?;
    let half_life = Nuclide::Y90.half_life;
    let radiopharmaceutical = "90Y microspheres";
    match options.kind {
        Kind::Pet => {
            let left = Nuclide::Y90.decay_factor(TimeSpan::from_h(HOURS_AFTER as f64));
            let acquisition = PetAcquisition {
                series_number: 2,
                description: "PET 90Y, AC",
                start,
                duration_s: 1200.0,
                nuclide: YTTRIUM_90,
                radiopharmaceutical,
                given: options.instant,
                given_bq: 1e9 * spheres.truth.delivered_gbq,
                half_life_s: half_life.s(),
                positrons: POSITRONS,
            };
            let bq_per_ml = image.map(|c| (f64::from(*c) * 1e9 * left) as f32);
            pet::series(&folder("pet")?, &bq_per_ml, &acquisition, &context)?;
        }
        Kind::Spect => {
            let acquisition = NmAcquisition {
                series_number: 2,
                description: "SPECT 90Y bremsstrahlung, AC",
                start,
                duration_s: 1800.0,
                window_kev: [90.0, 125.0],
                nuclide: YTTRIUM_90,
                radiopharmaceutical,
                injected_mbq: Some(1e3 * spheres.truth.delivered_gbq),
                injected: Some(options.instant),
                corrected: &["ATTN"],
            };
            nm::spect(&folder("spect")?.join("spect.dcm"), &image, &acquisition, &context)?;
        }
    }
    write_text(&dir.join("treatment.toml"), &treatment(options, half_life))?;
    write_text(&dir.join("truth.toml"), &toml::to_string_pretty(&spheres.truth)?)?;
    progress("done", 1.0);
    Ok(spheres.truth)
}

fn check(o: &ScanOptions) -> Result<(), PhantomError> {
    let wrong = |what, found: String, expected| Err(PhantomError::Option { what, found, expected });
    if !(1..=2).contains(&o.session) {
        return wrong("session", o.session.to_string(), "1 (right lobe) or 2 (left lobe)");
    }
    if !(0.01..=100.0).contains(&o.assayed_gbq) {
        return wrong("assayed activity", o.assayed_gbq.to_string(), "0.01 to 100 GBq");
    }
    if !(0.0..0.9).contains(&o.residual_fraction) {
        return wrong("residual", o.residual_fraction.to_string(), "a fraction from 0 to 0.9");
    }
    if !(0.0..0.9).contains(&o.lung_shunt) {
        return wrong("lung shunt", o.lung_shunt.to_string(), "a fraction from 0 to 0.9");
    }
    Ok(())
}

/// A grid of the scanner, centred on where the liver is.
fn grid(size: [usize; 3], spacing: [f64; 3]) -> Result<Grid, PhantomError> {
    let middle = [SHIFT_MM[0], SHIFT_MM[1], 180.0 + SHIFT_MM[2]];
    let start = std::array::from_fn(|a| middle[a] - 0.5 * (size[a] as f64 - 1.0) * spacing[a]);
    Grid::axial(size, spacing, start).map_err(|e| PhantomError::Grid(e.to_string()))
}

/// The patient as lying in the scanner, without contrast medium.
fn low_dose_ct(o: &ScanOptions) -> Result<Image<i16>, PhantomError> {
    let (columns, slices) = if o.small { (96, 64) } else { (256, 110) };
    let pixel = 480.0 / columns as f64;
    let grid = grid([columns, columns, slices], [pixel, pixel, 330.0 / slices as f64])?;
    let carried = motion().inverse().grid(&grid);
    let mut data = vec![0_i16; grid.len()];
    data.par_chunks_mut(columns).enumerate().for_each(|(row, line)| {
        let (j, k) = (row % columns, row / columns);
        for (i, v) in line.iter_mut().enumerate() {
            let place = anatomy::at(carried.world([i as f64, j as f64, k as f64]));
            let mut hu = anatomy::hu_without_contrast(place);
            if o.noise && place.organ != Organ::Air {
                hu += CT_NOISE_HU * random::of_voxel(o.seed, 6, (i + columns * row) as u64).gauss();
            }
            *v = hu.round() as i16;
        }
    });
    Ok(Image::new(grid, data))
}

impl Spheres {
    /// What the scanner sees, in GBq/mL at the instillation; of SPECT in counts.
    fn image(&self, o: &ScanOptions) -> Result<Image<f32>, PhantomError> {
        let (size, spacing) = match (o.kind, o.small) {
            (Kind::Pet, false) => ([128, 128, 100], [4.07, 4.07, 3.27]),
            (Kind::Pet, true) => ([80, 80, 58], [5.5, 5.5, 5.5]),
            (Kind::Spect, false) => ([128, 128, 80], [4.42, 4.42, 4.42]),
            (Kind::Spect, true) => ([64, 64, 52], [6.8, 6.8, 6.8]),
        };
        let grid = grid(size, spacing)?;
        let carried = motion().inverse().grid(&grid);
        let truth = mean_over(&carried, 3, |p| self.at(p));
        let total: f64 = truth.iter().map(|v| f64::from(*v)).sum();
        let counts = match o.kind {
            // Coincidences of twenty minutes, less what randoms take of their worth.
            Kind::Pet => 4e5 * self.truth.delivered_gbq,
            Kind::Spect => 2.5e6,
        };
        let (fwhm_mm, filter_mm) = match o.kind {
            Kind::Pet => (7.5, 5.0),
            Kind::Spect => (18.0, 10.0),
        };
        // Another stream of random numbers than that of the simulation procedure.
        let seed = o.noise.then_some(o.seed ^ 0x90_59);
        let camera = Spect { fwhm_mm, filter_mm, counts, seed };
        let seen = camera.of(Image::new(grid, truth));
        Ok(match o.kind {
            Kind::Pet => seen.map(|c| (f64::from(*c) * total / counts) as f32),
            Kind::Spect => seen,
        })
    }
}

/// The record of the treatment: what calibrator and clock said.
fn treatment(o: &ScanOptions, half_life: TimeSpan) -> String {
    let at = |minutes: i64| (o.instant + minutes.minutes()).strftime("%Y-%m-%d %H:%M").to_string();
    let then = |gbq: f64, minutes: i64| {
        let factor = (-(minutes as f64) / half_life.min_()).exp2();
        format!("{:.5}", gbq * factor)
    };
    let residual = o.assayed_gbq * o.residual_fraction;
    format!(
        "# What was given: the vials before, what stayed after, and when. Times are local.\n\
         schema = 1\nsession = {}\ninstant = \"{}\"\n\n\
         [[assay]]\nactivity_gbq = {}\ninstant = \"{}\"\n\n\
         [[residual]]\nactivity_gbq = {}\ninstant = \"{}\"\n",
        o.session,
        at(0),
        then(o.assayed_gbq, -ASSAYED_BEFORE_MIN),
        at(-ASSAYED_BEFORE_MIN),
        then(residual, RESIDUAL_AFTER_MIN),
        at(RESIDUAL_AFTER_MIN),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_energy_of_the_activity_in_the_liver_falls_on_the_territory() {
        for session in [1, 2] {
            let o = ScanOptions { session, ..ScanOptions::default() };
            let t = Spheres::new(&o).expect("options").truth;
            assert_eq!(t.tumours.len(), if session == 1 { 4 } else { 2 });
            assert!((t.delivered_gbq - 3.0 * 0.94).abs() < 1e-12);
            let tumours: f64 = t.tumours.iter().map(|x| x.gy * x.volume_ml).sum();
            let joule = (t.normal_gy * t.normal_ml + tumours) * LIVER_G_PER_ML * 1e-3;
            let expected = K_J_PER_GBQ * t.delivered_gbq * (1.0 - o.lung_shunt);
            assert!((joule / expected - 1.0).abs() < 1e-9, "{joule} {expected}");
            assert!(t.whole_normal_gy < t.normal_gy && t.normal_gy < t.perfused_gy);
            assert!(t.tumours.iter().all(|x| x.gy > t.normal_gy), "{t:?}");
        }
    }

    #[test]
    fn what_the_scanner_sees_is_what_is_there() {
        let o = ScanOptions { small: true, noise: false, ..ScanOptions::default() };
        let spheres = Spheres::new(&o).expect("options");
        let image = spheres.image(&o).expect("a grid");
        let sum: f64 = image.data().iter().map(|v| f64::from(*v)).sum();
        let gbq = sum * image.grid().voxel_volume().ml();
        // The apices of the lungs are outside the field of view.
        assert!((0.97..=1.005).contains(&(gbq / spheres.truth.delivered_gbq)), "{gbq}");
    }
}
