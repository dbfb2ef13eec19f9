//! What the emission image lets one know of each part of the liver: how far its counts are noise, and how
//! much of it the camera's resolution has carried elsewhere.
//!
//! Resolution is undone by the geometric transfer matrix (Rousset 1998): every part is taken to be of one
//! concentration, so that the mean over part `r` is `sum of G[r][s] c[s]`, `G[r][s]` the share of part `s`,
//! blurred, in part `r`. Its inverse turns means as measured into concentrations.

use super::boundary::Misplaced;
use crate::perfusion::{self, Perfusion};
use crate::tissue::{Named, Tissue, ratio};
use hepatica_imaging::{Image, Mask};
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// What a part of a territory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tumour,
    Cold,
    Normal,
}

/// A part of a territory that is taken to be of one concentration.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Place of its territory in the order of treatment.
    pub(crate) session: usize,
    pub(crate) mask: Mask,
    /// Counts per voxel as measured, times its voxels.
    pub(crate) counts: f64,
}

impl Part {
    fn new(name: &str, kind: Kind, session: usize, mask: &Mask, counts: &Image<f32>) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            session,
            mask: mask.clone(),
            counts: perfusion::sum(counts, mask),
        }
    }

    pub(crate) fn voxels(&self) -> f64 {
        self.mask.volume().ml() / self.mask.grid().voxel_volume().ml()
    }

    /// Mean counts per voxel.
    pub(crate) fn mean(&self) -> f64 {
        ratio(self.counts, self.voxels())
    }
}

/// The parts of all territories, in the order of treatment, the normal liver of each last.
pub(crate) fn parts(counts: &Image<f32>, territories: &[Perfusion]) -> Vec<Part> {
    let of = |(session, p): (usize, &Perfusion)| -> Vec<Part> {
        let part = |kind| move |n: &Named| Part::new(&n.name, kind, session, &n.mask, counts);
        p.tumours
            .iter()
            .map(|(n, _)| part(Kind::Tumour)(n))
            .chain(p.cold.iter().map(part(Kind::Cold)))
            .chain([Part::new("normal liver", Kind::Normal, session, &p.normal, counts)])
            .collect()
    };
    territories.iter().enumerate().flat_map(of).collect()
}

/// Fewest pairs of blocks that say how noisy an image is.
const FEWEST_PAIRS: usize = 8;
/// Median of the square of a standard normal deviate.
const MEDIAN_OF_SQUARE: f64 = 0.454_936;

/// Dispersion of the counts of normal liver: variance of a block's sum over the sum, blocks being three
/// resolutions wide where the liver has room, so that most of what the filter makes of noise is in (what it
/// carries across a block's border is not, about a quarter). From the differences of neighbouring blocks; their
/// median, because some neighbours differ in truth. `None` where there is too little liver.
pub(crate) fn dispersion(counts: &Image<f32>, normal: &Mask, fwhm_mm: f64) -> Option<f64> {
    let grid = counts.grid();
    [3.0, 2.0, 1.0].into_iter().find_map(|widths| {
        let side = grid.spacing_mm().map(|d| ((widths * fwhm_mm / d).round() as usize).max(2));
        dispersion_of_blocks(counts, normal, side)
    })
}

fn dispersion_of_blocks(counts: &Image<f32>, normal: &Mask, side: [usize; 3]) -> Option<f64> {
    let bounds = normal.bounds();
    let blocks: [usize; 3] = std::array::from_fn(|a| bounds.size()[a] / side[a]);
    let sum_of = |b: [usize; 3]| -> Option<f64> {
        let (mut sum, mut inside) = (0.0, 0.0);
        for k in 0..side[2] {
            for j in 0..side[1] {
                for i in 0..side[0] {
                    let within = [i, j, k];
                    let at = std::array::from_fn(|a| bounds.start[a] + b[a] * side[a] + within[a]);
                    inside += f64::from(normal.at(at));
                    sum += f64::from(*counts.at(at));
                }
            }
        }
        let voxels = side.iter().product::<usize>() as f64;
        (inside > 0.97 * voxels).then_some(sum)
    };
    let [nx, ny, nz] = blocks;
    let at = |n: usize| [n % nx, n / nx % ny, n / (nx * ny)];
    let sums: Vec<Option<f64>> = (0..nx * ny * nz).map(|n| sum_of(at(n))).collect();
    let mut pairs = Vec::new();
    for (n, own) in sums.iter().enumerate() {
        for (a, step) in [1, nx, nx * ny].into_iter().enumerate() {
            let other = (at(n)[a] + 1 < blocks[a]).then(|| sums[n + step]).flatten();
            if let (Some(x), Some(y)) = (*own, other) {
                pairs.push(((x - y).powi(2), 0.5 * (x + y)));
            }
        }
    }
    if pairs.len() < FEWEST_PAIRS {
        return None;
    }
    let mean = pairs.iter().map(|p| p.1).sum::<f64>() / pairs.len() as f64;
    let mut squares: Vec<f64> = pairs.iter().map(|p| p.0).collect();
    squares.sort_by(f64::total_cmp);
    let median = squares[squares.len() / 2];
    (mean > 0.0).then(|| median / (2.0 * MEDIAN_OF_SQUARE * mean))
}

/// The parts and the lungs, without what the camera's resolution did to them.
#[derive(Debug, Clone)]
pub(crate) struct Sharp {
    /// Concentration of each part, in counts per voxel.
    pub(crate) concentration: Vec<f64>,
    /// Each part, blurred.
    pub(crate) blurred: Vec<Mask>,
    /// Counts of the whole liver that are its own, wherever the camera shows them.
    pub(crate) liver_counts: f64,
    /// Counts in the lungs (outside the strip that is left out) that are the liver's.
    pub(crate) liver_in_lungs: f64,
    /// Share of the lungs' own counts that the camera shows in the lungs.
    pub(crate) lung_recovery: f64,
}

/// What is looked at.
pub(crate) struct Scene<'a> {
    pub(crate) counts: &'a Image<f32>,
    pub(crate) tissue: &'a Tissue,
    pub(crate) parts: &'a [Part],
    /// The lungs without the strip next to the liver that the shunt leaves out.
    pub(crate) lungs_kept: &'a Mask,
}

impl Scene<'_> {
    /// Undoes a resolution.
    pub(crate) fn sharp(&self, fwhm_mm: f64) -> Sharp {
        // Liver that no session treats has counts, too, and is seen in its neighbours.
        let treated = Mask::union(self.counts.grid(), self.parts.iter().map(|p| &p.mask));
        let rest = self.tissue.liver.minus(&treated);
        let lungs = &self.tissue.lungs;
        let mut masks: Vec<&Mask> = self.parts.iter().map(|p| &p.mask).collect();
        masks.extend([&rest, lungs]);
        let n = masks.len();
        let blurred: Vec<Mask> = masks.par_iter().map(|m| m.blurred(fwhm_mm)).collect();
        let voxels: Vec<f64> =
            masks.iter().map(|m| m.fractions().iter().map(|f| f64::from(*f)).sum()).collect();
        let measured: Vec<f64> = masks
            .iter()
            .zip(&voxels)
            .map(|(m, v)| ratio(perfusion::sum(self.counts, m), *v))
            .collect();
        let rows: Vec<Vec<f64>> = (0..n)
            .into_par_iter()
            .map(|r| (0..n).map(|s| ratio(masks[r].overlap(&blurred[s]), voxels[r])).collect())
            .collect();
        // A part of nothing has no equation.
        let entry = |r: usize, s: usize| match (r == s, voxels[r] > 0.0) {
            (true, false) => 1.0,
            _ => rows[r][s],
        };
        let transfer = DMatrix::from_fn(n, n, entry);
        let solved = transfer.lu().solve(&DVector::from_column_slice(&measured));
        let concentration: Vec<f64> = solved
            .filter(|c| c.iter().all(|v| v.is_finite()))
            .map_or(measured, |c| c.iter().map(|v| v.max(0.0)).collect());
        let livers = n - 1;
        let liver_counts = (0..livers).map(|s| concentration[s] * voxels[s]).sum();
        let liver_in_lungs =
            (0..livers).map(|s| concentration[s] * self.lungs_kept.overlap(&blurred[s])).sum();
        let kept: f64 = self.lungs_kept.fractions().iter().map(|f| f64::from(*f)).sum();
        let lung_recovery =
            if kept > 0.0 { self.lungs_kept.overlap(&blurred[n - 1]) / kept } else { 1.0 };
        let parts = self.parts.len();
        Sharp {
            concentration: concentration[..parts].to_vec(),
            blurred: blurred.into_iter().take(parts).collect(),
            liver_counts,
            liver_in_lungs,
            lung_recovery,
        }
    }
}

/// What the place of the image does to the counts of a mask (over those of another), along each axis of the grid:
/// looked at a voxel to either side.
pub(crate) fn misplaced(counts: &Image<f32>, mask: &Mask, over: Option<&Mask>) -> [Misplaced; 3] {
    let spacing = counts.grid().spacing_mm();
    std::array::from_fn(|a| {
        let [below, here, above] = [-1, 0, 1].map(|by| {
            let own = sum_beside(counts, mask, a, by);
            over.map_or(own, |other| ratio(own, sum_beside(counts, other, a, by)))
        });
        if below > 0.0 && here > 0.0 && above > 0.0 {
            Misplaced::of(spacing[a], [(below / here).ln(), (above / here).ln()])
        } else {
            Misplaced::default()
        }
    })
}

/// Counts in a mask that lies so many voxels farther along an axis; nothing outside the grid.
fn sum_beside(counts: &Image<f32>, mask: &Mask, axis: usize, by: isize) -> f64 {
    let size = counts.grid().size();
    let stride = [1, size[0], size[0] * size[1]];
    let voxels = mask.voxels().filter_map(|(n, f)| {
        let at = (n / stride[axis] % size[axis]).checked_add_signed(by)?;
        let beside = n.checked_add_signed(by * stride[axis] as isize)?;
        (at < size[axis]).then(|| f64::from(counts.data()[beside]) * f64::from(f))
    });
    voxels.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;
    use hepatica_imaging::blur;
    use hepatica_physics::random::Random;

    fn ball(grid: &Grid, centre: [f64; 3], radius: f64) -> Mask {
        Mask::from_fn(grid.clone(), |ijk| {
            let mut inside = 0;
            for n in 0..64 {
                let off = [n % 4, n / 4 % 4, n / 16].map(|m| (f64::from(m) + 0.5) / 4.0 - 0.5);
                let at = grid.world(std::array::from_fn(|a| ijk[a] as f64 + off[a]));
                let squared: f64 = (0..3).map(|a| (at[a] - centre[a]).powi(2)).sum();
                inside += i32::from(squared < radius * radius);
            }
            inside as f32 / 64.0
        })
    }

    #[test]
    fn blur_is_undone_where_parts_are_uniform() {
        let grid = Grid::axial([40, 36, 30], [4.0; 3], [0.0; 3]).expect("valid");
        let liver = ball(&grid, [80.0, 70.0, 60.0], 50.0);
        let tumour = ball(&grid, [100.0, 70.0, 60.0], 10.0);
        let normal = liver.minus(&tumour);
        let mut data = vec![0.0; grid.len()];
        for (mask, c) in [(&normal, 10.0_f32), (&tumour, 50.0)] {
            for (n, f) in mask.voxels() {
                data[n] += c * f;
            }
        }
        blur::gaussian(&mut data, grid.size(), blur::sigma_in_voxels(&grid, 12.0));
        let counts = Image::new(grid.clone(), data);
        let named = |name: &str, mask: &Mask| Named { name: name.into(), mask: mask.clone() };
        let tissue = Tissue {
            liver: liver.clone(),
            tumours: vec![named("tumour", &tumour)],
            cold: Vec::new(),
            normal: normal.clone(),
            lungs: Mask::empty(grid.clone()),
            organs: Vec::new(),
            territories: vec![named("all", &liver)],
        };
        let perfusion =
            Perfusion::of(&counts, &tissue, 0, std::path::Path::new("")).expect("counts");
        let parts = parts(&counts, &[perfusion]);
        let scene = Scene {
            counts: &counts,
            tissue: &tissue,
            parts: &parts,
            lungs_kept: &tissue.lungs.clone(),
        };
        assert!(parts[0].mean() < 32.0, "{}", parts[0].mean());
        let sharp = scene.sharp(12.0);
        assert!((sharp.concentration[0] / 50.0 - 1.0).abs() < 0.01, "{:?}", sharp.concentration);
        assert!((sharp.concentration[1] / 10.0 - 1.0).abs() < 0.01, "{:?}", sharp.concentration);
    }

    #[test]
    fn the_dispersion_of_filtered_poisson_counts_is_found() {
        let grid = Grid::axial([60, 60, 48], [4.0; 3], [0.0; 3]).expect("valid");
        let mut random = Random::new(7);
        // Every count stands for three: the dispersion is three.
        let mut data: Vec<f32> =
            (0..grid.len()).map(|_| 3.0 * random.poisson(20.0) as f32).collect();
        blur::gaussian(&mut data, grid.size(), blur::sigma_in_voxels(&grid, 7.0));
        let all = Mask::from_fn(grid.clone(), |_| 1.0);
        let found = dispersion(&Image::new(grid, data), &all, 12.0).expect("enough blocks");
        // Three, less what the filter carries across the borders of blocks.
        assert!((1.8..3.3).contains(&found), "{found}");
    }
}
