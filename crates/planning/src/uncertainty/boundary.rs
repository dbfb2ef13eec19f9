//! What a tumour's concentration would be if its border, or the emission image, lay elsewhere.
//!
//! Looked at on a fine grid around the tumour: the counts less what its surroundings put there, over what a
//! tumour of that border would show of itself. Both are means over the same shifted border, so that a border
//! drawn too wide costs little of the dose: errors of activity and mass go together (Gear 2018).

use super::curve::Curve;
use hepatica_imaging::{Image, Mask, Structure, distance, resample};
use std::array::from_fn;

/// Side of the fine voxels in mm, unless there would be too many.
const FINE_MM: f64 = 2.0;
/// Most fine voxels along an axis.
const MOST_VOXELS: f64 = 64.0;
/// Around a tumour, standard deviations of the blur.
const MARGIN_FWHM: f64 = 1.2;
/// A concentration below this part of the measured one is not believed.
const LEAST: f64 = 0.05;
/// Where the border is put, in standard deviations.
const SHIFTS: [f64; 5] = [-2.0, -1.0, 0.0, 1.0, 2.0];

/// How a part answers to shifts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Answer {
    /// Logarithm of the concentration, over the shift of the border in mm.
    pub(crate) border: Curve,
    /// Logarithm of the volume, over the same.
    pub(crate) volume: Curve,
    /// What the image's place does along each axis.
    pub(crate) image: [Misplaced; 3],
}

/// What is seen out of place along an axis. A hot tumour is brightest where its contour meets it, so that being
/// out of place by `u` mm, whichever way, has dimmed it by `dims u²` (of the logarithm): the truth is brighter. What
/// lies around it is not as bright on one side as on the other: that goes with the way, by `slope`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Misplaced {
    pub(crate) dims: f64,
    pub(crate) slope: f64,
}

impl Misplaced {
    /// Logarithm of the truth over what is seen, if the image is out of place by `u` mm.
    pub(crate) fn at(&self, u: f64) -> f64 {
        self.dims * u * u + self.slope * u
    }

    /// From logarithms `mm` to either side of where they are one.
    pub(crate) fn of(mm: f64, [below, above]: [f64; 2]) -> Self {
        Self { dims: -(below + above) / (2.0 * mm * mm), slope: (above - below) / (2.0 * mm) }
    }
}

/// What is around a tumour.
pub(crate) struct Around<'a> {
    /// Counts per voxel on the scan's grid.
    pub(crate) counts: &'a Image<f32>,
    /// What everything else puts where the tumour is, on the same grid and within `within`.
    pub(crate) background: &'a dyn Fn([usize; 3]) -> f64,
    /// Concentration of the normal liver around it.
    pub(crate) normal: f64,
    pub(crate) fwhm_mm: f64,
    /// Standard deviations of the border and of the image's place, in mm.
    pub(crate) border_mm: f64,
    pub(crate) image_mm: f64,
}

impl Around<'_> {
    /// Moves the border and the image. `None` where the tumour has nothing of its own to be told from what is around it.
    pub(crate) fn answer(
        &self,
        tumour: &Structure,
        cold: &[Structure],
        on_scan: &Mask,
    ) -> Option<Answer> {
        let scan = self.counts.grid();
        let margin = scan
            .spacing_mm()
            .map(|d| ((MARGIN_FWHM * self.fwhm_mm + 3.0 * self.image_mm) / d).ceil() as usize);
        let box_ = on_scan.bounds().grown(margin, &scan.bounds());
        if box_.is_empty() {
            return None;
        }
        let coarse = scan.crop(box_);
        let extent: [f64; 3] = from_fn(|a| coarse.size()[a] as f64 * coarse.spacing_mm()[a]);
        let side = extent.iter().fold(FINE_MM, |s, e| s.max(e / MOST_VOXELS));
        let size = extent.map(|e| ((e / side).floor() as usize).max(1));
        let fine = coarse.with_voxels(size, [side; 3]).ok()?;
        let mut mask = (*tumour.on(&fine)).clone();
        for c in cold {
            mask = mask.minus(&c.on(&fine));
        }
        if mask.is_empty() {
            return None;
        }
        let [nx, ny, _] = coarse.size();
        let background: Vec<f32> = (0..coarse.len())
            .map(|n| {
                let within = [n % nx, n / nx % ny, n / (nx * ny)];
                (self.background)(from_fn(|a| box_.start[a] + within[a])) as f32
            })
            .collect();
        let around = Image::new(coarse, background);
        let background = resample::trilinear(&around, &fine, 0.0);
        let reach = [((4.0 * self.border_mm + 2.0 * side) / side).ceil() as usize; 3];
        let signed = distance::signed_within(&mask, fine.bounds(), reach);
        let moved = |shift: f64| {
            let f = signed.iter().map(|d| (0.5 + (shift - d) / side).clamp(0.0, 1.0) as f32);
            Mask::new(fine.clone(), fine.bounds(), f.collect())
        };
        let own = |mask: &Mask, blurred: &Mask, counts: &Image<f32>| {
            let excess: f64 = mask
                .voxels()
                .map(|(n, f)| f64::from(f) * f64::from(counts.data()[n] - background.data()[n]))
                .sum();
            let seen = mask.overlap(blurred);
            (seen > 0.0).then(|| self.normal + excess / seen)
        };
        let here = resample::trilinear(self.counts, &fine, 0.0);
        let drawn = moved(0.0);
        let drawn_blurred = drawn.blurred(self.fwhm_mm);
        let concentration = own(&drawn, &drawn_blurred, &here).filter(|c| *c > 0.0)?;
        let volume = drawn.volume().ml();
        let log = |c: f64| (c / concentration).max(LEAST).ln();
        let mut border = Vec::new();
        let mut volumes = Vec::new();
        for shift in SHIFTS.map(|s| s * self.border_mm) {
            let mask = moved(shift);
            // A tumour of a tenth of its volume is another tumour.
            if mask.volume().ml() < 0.1 * volume {
                continue;
            }
            if let Some(c) = own(&mask, &mask.blurred(self.fwhm_mm), &here) {
                border.push((shift, log(c)));
                volumes.push((shift, (mask.volume().ml() / volume).ln()));
            }
        }
        let seen = drawn.overlap(&drawn_blurred);
        let image = from_fn(|a| self.misplaced(a, &drawn, &around, concentration * seen));
        Some(Answer { border: Curve::through(border), volume: Curve::through(volumes), image })
    }

    /// What a shift along an axis does to the tumour and to what its surroundings put on it, over `whole`, what
    /// the tumour shows of itself.
    fn misplaced(&self, axis: usize, drawn: &Mask, around: &Image<f32>, whole: f64) -> Misplaced {
        let step = 1.5 * self.image_mm;
        if !(step > 0.0 && whole > 0.0) {
            return Misplaced::default();
        }
        let fine = drawn.grid();
        let [nx, ny, _] = fine.size();
        let sum = |image: &Image<f32>, mm: f64| -> f64 {
            let shift: [f64; 3] =
                from_fn(|a| if a == axis { mm / fine.spacing_mm()[a] } else { 0.0 });
            drawn
                .voxels()
                .map(|(n, f)| {
                    let voxel = [n % nx, n / nx % ny, n / (nx * ny)];
                    let at = fine.world(from_fn(|a| voxel[a] as f64 + shift[a]));
                    f64::from(f) * image.interpolate(image.grid().index(at)).unwrap_or(0.0)
                })
                .sum()
        };
        let [counts, others] =
            [self.counts, around].map(|image| [-step, 0.0, step].map(|mm| sum(image, mm)));
        // The tumour's own, and what is around it, over what it shows when it is in place.
        let own = [0, 2].map(|n| {
            let change = (counts[n] - others[n]) - (counts[1] - others[1]);
            (1.0 + change / whole).max(LEAST).ln()
        });
        let of_others = [0, 2].map(|n| (others[n] - others[1]) / whole);
        let (own, others) = (Misplaced::of(step, own), Misplaced::of(step, of_others));
        // The tails of a neighbour bend the other way: out of place they put more here, not less.
        Misplaced { dims: own.dims + others.dims, slope: others.slope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hot_tumour_out_of_place_is_brighter_in_truth_whichever_way() {
        // The top is 1 mm away: ln c = 0.02 - 0.02 (s - 1)², three millimetres to either side.
        let log = |s: f64| 0.02 - 0.02 * (s - 1.0_f64).powi(2);
        let seen = Misplaced::of(3.0, [log(-3.0), log(3.0)]);
        let alone = Misplaced { slope: 0.0, ..seen };
        assert!((alone.at(1.0) - 0.02).abs() < 1e-12 && (alone.at(-1.0) - 0.02).abs() < 1e-12);
        let beside_another = Misplaced { dims: 0.0, slope: 0.01 };
        assert!((beside_another.at(2.0) - 0.02).abs() < 1e-12);
    }
}
