//! Every number carries its doubt: an ensemble of what could be, drawn from named sources.
//!
//! | module | holds |
//! |---|---|
//! | [`sources`] | what is doubtful, how much, and who says so, as data |
//! | `scan` | what noise and resolution of the emission image leave to be known |
//! | `boundary` | tumours with other borders, images in other places |
//! | `ensemble` | members: what follows for every part of the liver |
//! | `curve` | a function known at a few places |
//! | `summary` | intervals, probabilities of gates, which source matters |
//!
//! The plan looks ahead from particles of albumin to spheres, so the intervals are predictive: they hold
//! what the mapping does not tell of the treatment. `docs/uncertainty.md` has the model.

mod boundary;
mod curve;
mod ensemble;
mod scan;
pub mod sources;
mod summary;

pub use sources::Sources;
pub(crate) use summary::{Doubts, Limits};

use crate::inputs::Roles;
use crate::lung::away_from;
use crate::perfusion::Perfusion;
use crate::plan::LungShunt;
use crate::tissue::{Tissue, ratio};
use boundary::{Answer, Around, Misplaced};
use curve::Curve;
use ensemble::{Model, PartModel, SessionModel, ShuntModel};
use hepatica_imaging::{Image, Mask};
use hepatica_physics::Length;
use rayon::prelude::*;
use scan::{Kind, Part, Scene, Sharp};
use sources::Id;

/// Standard deviations of the resolution at which its effect is looked at.
const WIDTHS: [f64; 3] = [-2.0, 0.0, 2.0];
/// Normal liver that is seen as that by more than this says how noisy the image is.
const PURE: f32 = 0.95;
/// A concentration changes at most by this factor when resolution is undone.
const MOST_SHARPENED: f64 = 20.0;

/// Standard uncertainty of a diameter by voxel size and resolution, and the relative one of the
/// volume it spans (EANM, Gear 2018): `u² = a²/6 + FWHM²/(4 ln 2)`, and three times that over the
/// diameter for the volume.
#[must_use]
pub fn of_volume(diameter: Length, voxel: Length, fwhm: Length) -> (Length, f64) {
    let (a, w) = (voxel.mm(), fwhm.mm());
    let u = (a * a / 6.0 + w * w / (4.0 * std::f64::consts::LN_2)).sqrt();
    (Length::from_mm(u), 3.0 * u / diameter.mm())
}

/// What an ensemble is made from.
pub(crate) struct Ask<'a> {
    /// The emission image, on its own grid.
    pub(crate) counts: &'a Image<f32>,
    /// The structures on that grid.
    pub(crate) tissue: &'a Tissue,
    pub(crate) roles: &'a Roles,
    /// The territories, in the order of treatment.
    pub(crate) territories: Vec<Perfusion>,
    pub(crate) lungs: &'a LungShunt,
    pub(crate) sources: Sources,
    pub(crate) engine: Id,
}

/// What the image says, before it is summed up.
pub(crate) struct Basis {
    model: Model,
    parts: Vec<Part>,
    /// Whether the noise of the image could be told.
    noise_known: bool,
}

impl Basis {
    /// Looks at the image.
    pub(crate) fn of(ask: Ask<'_>) -> Self {
        let parts = scan::parts(ask.counts, &ask.territories);
        let (fwhm, spread) = ask.sources.size(Id::Resolution);
        let blurs = ask.sources.is_on(Id::Resolution);
        let strip = ask.lungs.spect.as_ref().map_or(0.0, |s| s.dome_strip_mm);
        let kept = if strip > 0.0 {
            away_from(&ask.tissue.lungs, &ask.tissue.liver, strip)
        } else {
            ask.tissue.lungs.clone()
        };
        let scene =
            Scene { counts: ask.counts, tissue: ask.tissue, parts: &parts, lungs_kept: &kept };
        let widths: Vec<f64> = if !blurs {
            Vec::new()
        } else if spread > 0.0 {
            WIDTHS.iter().map(|w| (fwhm + w * spread).max(0.0)).collect()
        } else {
            vec![fwhm]
        };
        let sharp: Vec<Sharp> = widths.par_iter().map(|w| scene.sharp(*w)).collect();
        let middle = sharp.get(sharp.len() / 2);
        let normal = Mask::union(
            ask.counts.grid(),
            parts.iter().filter(|p| p.kind == Kind::Normal).map(|p| &p.mask),
        );
        // Near tumours and borders the counts differ by blur, not by noise.
        let pure = match middle {
            Some(_) => {
                let seen = normal.blurred(fwhm);
                Mask::from_fn(normal.grid().clone(), |at| {
                    if seen.at(at) > PURE { normal.at(at) } else { 0.0 }
                })
            }
            None => normal,
        };
        let dispersion = scan::dispersion(ask.counts, &pure, if blurs { fwhm } else { 10.0 });
        let noise = |counts: f64| match dispersion {
            Some(d) if counts > 0.0 => (d / counts).sqrt(),
            _ => 0.0,
        };
        let answers = answers(&ask, &parts, middle);
        let mut models: Vec<SessionModel> =
            ask.territories.iter().map(|_| SessionModel { parts: Vec::new() }).collect();
        for (n, (part, answer)) in parts.iter().zip(answers).enumerate() {
            let points = widths.iter().zip(&sharp).map(|(w, s)| {
                let times = ratio(s.concentration[n], part.mean());
                (*w, times.clamp(1.0 / MOST_SHARPENED, MOST_SHARPENED).ln())
            });
            models[part.session].parts.push(PartModel {
                kind: part.kind,
                counts: part.counts,
                sharpened: Curve::through(points.collect()),
                noise: noise(part.counts),
                answer,
            });
        }
        let image = scan::misplaced(ask.counts, &kept, Some(&ask.tissue.liver));
        let shunt = shunt(ask.lungs, &widths, &sharp, &noise, image);
        let model = Model { sources: ask.sources, sessions: models, shunt, engine: ask.engine };
        Self { model, parts, noise_known: dispersion.is_some() }
    }
}

/// How the shunt changes when resolution is undone.
fn shunt(
    lungs: &LungShunt,
    widths: &[f64],
    sharp: &[Sharp],
    noise: &dyn Fn(f64) -> f64,
    image: [Misplaced; 3],
) -> ShuntModel {
    let (method, spect) = match lungs.used.as_str() {
        "spect" => (Id::ShuntSpect, lungs.spect.as_ref()),
        "planar" => (Id::ShuntPlanar, None),
        _ => (Id::ShuntStated, None),
    };
    let planned = lungs.fraction;
    let Some(s) = spect else {
        let sharpened = Curve::through(vec![(0.0, planned)]);
        return ShuntModel {
            planned,
            sharpened,
            noise: 0.0,
            image: Default::default(),
            seen: 1.0,
            method,
        };
    };
    // Counts of the lungs that were kept, and how they were extrapolated to the whole lungs.
    let without = |at: &Sharp| {
        let kept = s.lung_counts * s.lung_mass_seen_fraction;
        let own = (kept - at.liver_in_lungs).max(0.0) / at.lung_recovery.max(0.2);
        let whole = own / s.lung_mass_seen_fraction.max(0.01);
        ratio(whole, whole + at.liver_counts)
    };
    let points: Vec<_> = widths.iter().zip(sharp).map(|(w, at)| (*w, without(at))).collect();
    let points = if points.is_empty() { vec![(0.0, planned)] } else { points };
    let seen = s.lung_mass_seen_fraction;
    let noise = noise(s.lung_counts * seen);
    ShuntModel { planned, sharpened: Curve::through(points), noise, image, seen, method }
}

/// How every tumour answers to other borders and places, and normal liver to other places.
fn answers(ask: &Ask<'_>, parts: &[Part], sharp: Option<&Sharp>) -> Vec<Option<Answer>> {
    let (_, border_mm) = ask.sources.size(Id::Boundary);
    let (_, image_mm) = ask.sources.size(Id::Registration);
    let fwhm_mm =
        if ask.sources.is_on(Id::Resolution) { ask.sources.size(Id::Resolution).0 } else { 0.0 };
    let drawn = &ask.roles.tumours;
    parts
        .par_iter()
        .map(|own| {
            if !(border_mm > 0.0 || image_mm > 0.0) || own.kind == Kind::Cold {
                return None;
            }
            if own.kind == Kind::Normal {
                let image = scan::misplaced(ask.counts, &own.mask, None);
                return Some(Answer { image, ..Answer::default() });
            }
            let structure = drawn.iter().find(|s| s.name == own.name)?;
            let normal =
                parts.iter().position(|p| p.kind == Kind::Normal && p.session == own.session)?;
            // Where the tumour is, normal liver would be if it were not: what is its own is the excess.
            let concentration =
                |n: usize| sharp.map_or_else(|| parts[n].mean(), |s| s.concentration[n]);
            let around = |ijk: [usize; 3]| -> f64 {
                parts
                    .iter()
                    .enumerate()
                    .map(|(n, p)| {
                        let seen = sharp.map_or(&p.mask, |s| &s.blurred[n]).at(ijk);
                        let of =
                            if p.name == own.name && p.kind == Kind::Tumour { normal } else { n };
                        f64::from(seen) * concentration(of)
                    })
                    .sum()
            };
            Around {
                counts: ask.counts,
                background: &around,
                normal: concentration(normal),
                fwhm_mm,
                border_mm,
                image_mm,
            }
            .answer(structure, &ask.roles.cold, &own.mask)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_of_a_ball_of_30_mm() {
        let mm = Length::from_mm;
        let (u, relative) = of_volume(mm(30.0), mm(4.0), mm(10.0));
        assert!((u.mm() - 6.2237).abs() < 1e-3 && (relative - 0.62237).abs() < 1e-4);
    }
}
