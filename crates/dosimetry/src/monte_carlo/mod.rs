//! Monte Carlo: betas followed through the tissues that the CT shows.
//!
//! | module | holds |
//! |---|---|
//! | [`tissues`] | from density to what a voxel is made of |
//! | [`source`] | where histories start, and with what energy |
//! | [`tally`] | energy by voxel, and its spread over batches |
//!
//! In uniform tissue the kernel convolution is exact and has no noise. So each history goes twice,
//! with the same random numbers: through the tissues, and through one uniform tissue; only the
//! difference is scored, and added to the convolution (a control variate). Where everything within
//! reach of a source is of that one tissue the two are the same history, and it need not be followed
//! at all. What is left of the noise is near lung, bone and fat.
//!
//! Every history has random numbers of its own, named by its number, and a batch is added up in whole
//! numbers: the same bytes with any number of threads.

pub mod source;
pub mod tally;
pub mod tissues;

use crate::activity_map::ActivityMap;
use crate::convolution::convolve;
use crate::engine::{DoseEngine, DoseMap, EngineError, Medium, check_constant};
use crate::point_kernel::PointKernel;
use crate::transport::voxel_walk::{Stepping, Tissue, Walk};
use crate::voxel_kernel::VoxelKernel;
use hepatica_imaging::{Image, IndexBox, Mask};
use hepatica_physics::random::Random;
use hepatica_physics::spectrum::BetaSpectrum;
use hepatica_physics::{Density, EnergyPerActivity, Nuclide};
use rayon::prelude::*;
use source::Source;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use tally::{Batch, Tally, mass_shares};

/// Steps of the engine; `docs/physics.md` shows what longer and shorter ones give.
pub const STEPPING: Stepping = Stepping { transport: 0.2, loss: 0.2, stop_mev: 0.06 };
/// Room around the source, in g/cm² the range of the most energetic beta; in lung that is 5 cm.
const MARGIN_MM: f64 = 50.0;
/// Batches at least, for an error that means something.
const LEAST_BATCHES: u32 = 12;
/// Histories of a batch at most.
const BATCH: u64 = 100_000;
/// Histories of one parcel of work.
const PARCEL: u64 = 2_048;

/// When it is enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Until {
    /// After so many histories.
    Histories(u64),
    /// When the median relative standard error of the voxels of interest is this, or after `most`
    /// histories.
    Precision {
        /// Relative standard error: 0.02 for 2 %.
        target: f64,
        /// Histories at most.
        most: u64,
    },
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Histories so far.
    pub histories: u64,
    /// Median relative standard error of the voxels of interest; none before there are batches
    /// enough.
    pub error: Option<f64>,
    /// What ends the run.
    pub until: Until,
}

/// Watches a run after every batch, and may end it with what is there.
pub type Watch<'a> = dyn Fn(&Progress) -> ControlFlow<()> + 'a;

/// A named part of the body whose mean dose gets a standard error.
#[derive(Debug, Clone)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Where it is, on the grid of the activity.
    pub mask: Mask,
    /// Whether it is a tumour.
    pub tumour: bool,
}

/// The engine.
#[derive(Debug, Clone)]
pub struct MonteCarlo {
    /// Energy of full decay per activity.
    pub k: EnergyPerActivity,
    /// What decays.
    pub nuclide: Nuclide,
    /// When it is enough.
    pub until: Until,
    /// Names the random numbers.
    pub seed: u64,
    /// Whether the noiseless part comes from the kernel of uniform tissue.
    pub control: bool,
    /// Length of steps.
    pub stepping: Stepping,
    /// Voxels whose median error decides; all with activity when there are none.
    pub interest: Option<Mask>,
    /// Parts whose mean gets an error.
    pub regions: Vec<Region>,
}

/// What is known of a dose that histories made.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Relative standard error of the dose of each voxel; 0 where there is no dose.
    pub standard_error: Image<f32>,
    /// Histories that were followed.
    pub histories: u64,
    /// Batches they were in.
    pub batches: u32,
    /// Median relative standard error of the voxels of interest.
    pub median_error: f64,
    /// Share of the activity whose histories had to be followed; the rest is in uniform tissue.
    pub followed_share: f64,
    /// Share of the emitted energy that left as bremsstrahlung, which is not followed.
    pub radiated_share: f64,
    /// Relative standard error of the mean dose of each region (0 where there is none), by name.
    pub regions: Vec<(String, f64)>,
    /// Whether someone ended the run before its precision or number was reached.
    pub stopped: bool,
}

impl MonteCarlo {
    /// An engine with the usual settings.
    #[must_use]
    pub fn new(k: EnergyPerActivity, nuclide: Nuclide, until: Until, seed: u64) -> Self {
        Self {
            k,
            nuclide,
            until,
            seed,
            control: true,
            stepping: STEPPING,
            interest: None,
            regions: Vec::new(),
        }
    }

    fn check(&self) -> Result<(), EngineError> {
        check_constant(self.k)?;
        match self.until {
            Until::Histories(n) if n < u64::from(LEAST_BATCHES) => {
                Err(EngineError::Histories { found: n, least: u64::from(LEAST_BATCHES) })
            }
            Until::Precision { target, .. } if !(target > 0.0 && target < 1.0) => {
                Err(EngineError::Precision(target))
            }
            _ => Ok(()),
        }
    }

    /// Dose per GBq administered, and how sure it is; `watch` is called after every batch.
    ///
    /// # Errors
    /// As [`DoseEngine::dose`]; when histories or precision make no sense, or a density is of no
    /// tissue.
    pub fn run(
        &self,
        activity: &ActivityMap,
        medium: &Medium,
        watch: &Watch<'_>,
    ) -> Result<(DoseMap, Statistics), EngineError> {
        self.check()?;
        activity.check()?;
        let grid = activity.concentration.grid();
        medium.check(grid)?;
        let room = Room::new(activity, medium)?;
        let unknown = EngineError::Nuclide(self.nuclide.name);
        let spectrum = BetaSpectrum::of(&self.nuclide).ok_or_else(|| unknown.clone())?;
        let point = PointKernel::in_liver(&self.nuclide).ok_or(unknown)?;
        let uniform = self.control.then(|| room.commonest()).flatten();
        let followed = uniform.map(|u| room.unlike_within_reach(u, &point));
        let source =
            Source::new(spectrum, &room.activity, |n| followed.as_ref().is_none_or(|mask| mask[n]));
        // MeV a decay to Gy per GBq administered.
        let emitted = spectrum.beta_mev() + spectrum.local_mev;
        let per_mev: Vec<f32> = room.gy_of_joule(self.k, 1.0 / emitted);
        let local = point.energy().mev() / emitted;
        let smooth = match uniform {
            Some(tissue) => room
                .convolved(&point, tissue.density)?
                .into_iter()
                .zip(room.gy_of_joule(self.k, local))
                .map(|(a, g)| a * g)
                .collect(),
            // What never leaves the place of the decay.
            None => {
                let mut local = vec![0.0; per_mev.len()];
                let share = spectrum.local_mev as f32;
                room.activity.voxels().for_each(|(n, a)| local[n] = a as f32 * share * per_mev[n]);
                local
            }
        };
        let interest: Vec<usize> = match &self.interest {
            Some(mask) => room.inside(mask).map(|(n, _)| n).collect(),
            None => room.activity.voxels().map(|(n, _)| n).collect(),
        };
        // Histories are betas, of which a decay may have fewer than one or more.
        let betas: f64 = spectrum.branches.iter().map(|b| b.per_decay).sum();
        let weight = (source.total() * betas) as f32;
        let shares: Vec<_> = self
            .regions
            .iter()
            .map(|r| mass_shares(room.inside(&r.mask), |n| room.density(n)))
            .collect();
        let weights = |own: &Vec<(usize, f32)>| {
            own.iter().map(|(n, w)| (*n, w * per_mev[*n] * weight)).collect()
        };
        let mut tally = Tally::new(per_mev.len(), shares.iter().map(weights).collect());
        let value = |tally: &Tally, n: usize| {
            let (mean, error) = tally.voxel(n);
            let scale = weight * per_mev[n];
            (mean.mul_add(scale, smooth[n]), error * scale)
        };
        let median = |tally: &Tally| {
            let mut all: Vec<f32> = interest
                .iter()
                .map(|n| value(tally, *n))
                .filter(|(dose, _)| *dose > 0.0)
                .map(|(dose, error)| error / dose)
                .collect();
            let middle = all.len() / 2;
            if all.is_empty() {
                return 0.0;
            }
            f64::from(*all.select_nth_unstable_by(middle, f32::total_cmp).1)
        };
        let mut statistics = Statistics {
            standard_error: Image::filled(grid.clone(), 0.0),
            histories: 0,
            batches: 0,
            median_error: 0.0,
            followed_share: if activity.total() > 0.0 {
                source.total() / activity.total()
            } else {
                0.0
            },
            radiated_share: if uniform.is_some() { 1.0 - local } else { 0.0 },
            regions: self.regions.iter().map(|r| (r.name.clone(), 0.0)).collect(),
            stopped: false,
        };
        let mut dose = Image::filled(grid.clone(), 0.0_f32);
        if source.total() > 0.0 {
            statistics.stopped = self.follow(&room, uniform, &source, &mut tally, &median, watch);
            statistics.histories = self.per_batch() * u64::from(tally.batches);
            statistics.batches = tally.batches;
            statistics.median_error = median(&tally);
            let by_histories = tally.left[0].result(tally.batches).0 * betas / emitted;
            statistics.radiated_share += by_histories * statistics.followed_share;
            for ((named, own), (_, error)) in
                statistics.regions.iter_mut().zip(&shares).zip(tally.regions())
            {
                let mean: f64 = own.iter().map(|(n, w)| f64::from(w * value(&tally, *n).0)).sum();
                named.1 = if mean > 0.0 { error / mean } else { 0.0 };
            }
        }
        for (n, full) in room.places() {
            let (gy, error) = if tally.batches > 0 { value(&tally, n) } else { (smooth[n], 0.0) };
            // The difference of two noisy histories may go below nothing where there is next to none.
            dose.data_mut()[full] = gy.max(0.0);
            statistics.standard_error.data_mut()[full] = if gy > 0.0 { error / gy } else { 0.0 };
        }
        Ok((DoseMap(dose), statistics))
    }

    fn per_batch(&self) -> u64 {
        match self.until {
            // Small enough to be watched, and enough of them for an error.
            Until::Histories(n) => n.div_ceil(20).clamp(1, BATCH),
            Until::Precision { .. } => BATCH,
        }
    }

    /// Follows batch after batch; whether it was stopped before the end.
    fn follow(
        &self,
        room: &Room,
        uniform: Option<Tissue>,
        source: &Source,
        tally: &mut Tally,
        median: &dyn Fn(&Tally) -> f64,
        watch: &Watch<'_>,
    ) -> bool {
        let count = self.per_batch();
        let uniform = uniform.map(|t| [t]);
        let walks: Vec<(Walk<'_>, f32)> = [Some((&room.tissue[..], 1.0))]
            .into_iter()
            .chain([uniform.as_ref().map(|u| (&u[..], -1.0))])
            .flatten()
            .map(|(tissue, sign)| (room.walk(tissue, self.stepping), sign))
            .collect();
        let [nx, ny, _] = room.size;
        let mut batch = Batch::new(room.activity.concentration.grid().len());
        loop {
            let number = u64::from(tally.batches);
            let mut random = Random::new(self.seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
            random.bits();
            let shift = [random.uniform(), random.uniform()];
            let name = random.bits();
            (0..count.div_ceil(PARCEL)).into_par_iter().for_each(|parcel| {
                let mut waiting = Vec::new();
                let histories = parcel * PARCEL..((parcel + 1) * PARCEL).min(count);
                for (walk, sign) in &walks {
                    let mut score = batch.scorer(*sign);
                    for n in histories.clone() {
                        let (at, energy) = source.start(n, count, shift);
                        let voxel = [at % nx, at / nx % ny, at / (nx * ny)];
                        let key = Random::new(name ^ n).bits();
                        walk.history(voxel, energy, key, &mut waiting, &mut score);
                    }
                }
            });
            tally.add(&mut batch, count);
            let histories = count * u64::from(tally.batches);
            let error = (tally.batches >= LEAST_BATCHES).then(|| median(tally));
            let done = match self.until {
                Until::Histories(n) => histories >= n,
                Until::Precision { target, most } => {
                    error.is_some_and(|e| e <= target) || histories >= most
                }
            };
            let ended = watch(&Progress { histories, error, until: self.until }).is_break();
            if done || (ended && tally.batches >= 2) {
                return !done;
            }
        }
    }
}

impl DoseEngine for MonteCarlo {
    fn name(&self) -> &'static str {
        "monte-carlo"
    }

    fn dose(&self, activity: &ActivityMap, medium: &Medium) -> Result<DoseMap, EngineError> {
        self.run(activity, medium, &|_| ControlFlow::Continue(())).map(|r| r.0)
    }

    fn validity(&self, medium: &Medium, _: &Mask) -> Vec<String> {
        match medium {
            Medium::Uniform(_) => vec![
                "betas were followed through uniform liver: dose in and beside the lungs is not reliable; give a CT, or --density tissue".to_owned(),
            ],
            Medium::Map(_) => Vec::new(),
        }
    }
}

/// The part of the grid that betas reach, and what is in it.
struct Room {
    bounds: IndexBox,
    full: [usize; 3],
    size: [usize; 3],
    spacing_mm: [f64; 3],
    activity: ActivityMap,
    /// One entry alone for a uniform medium.
    tissue: Vec<Tissue>,
}

impl Room {
    fn new(activity: &ActivityMap, medium: &Medium) -> Result<Self, EngineError> {
        let grid = activity.concentration.grid();
        let bounds = activity.bounds_with_margin(MARGIN_MM).unwrap_or(
            // No activity: one voxel, in which nothing happens.
            IndexBox { start: [0; 3], end: [1; 3] },
        );
        let cropped = activity.cropped(MARGIN_MM).unwrap_or_else(|| ActivityMap {
            concentration: activity.concentration.crop(bounds),
            support: Mask::empty(grid.crop(bounds)),
        });
        let tissue = match medium {
            Medium::Uniform(_) => tissues::of_medium(medium)?,
            Medium::Map(map) => tissues::of_medium(&Medium::Map(map.crop(bounds)))?,
        };
        Ok(Self {
            bounds,
            full: grid.size(),
            size: bounds.size(),
            spacing_mm: grid.spacing_mm(),
            activity: cropped,
            tissue,
        })
    }

    fn density(&self, n: usize) -> f32 {
        if self.tissue.len() == 1 { self.tissue[0].density } else { self.tissue[n].density }
    }

    fn walk<'a>(&self, tissue: &'a [Tissue], stepping: Stepping) -> Walk<'a> {
        Walk {
            size: self.size,
            spacing_cm: self.spacing_mm.map(|d| (d / 10.0) as f32),
            tissue,
            materials: tissues::materials(),
            stepping,
        }
    }

    /// Voxels of the room, here and in the whole grid.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let [nx, ny, _] = self.size;
        let [fx, fy, _] = self.full;
        let s = self.bounds.start;
        (0..self.size.iter().product()).map(move |n: usize| {
            let at = [n % nx + s[0], n / nx % ny + s[1], n / (nx * ny) + s[2]];
            (n, at[0] + fx * (at[1] + fy * at[2]))
        })
    }

    /// Voxels of a mask on the whole grid that are in the room.
    fn inside<'a>(&'a self, mask: &'a Mask) -> impl Iterator<Item = (usize, f32)> + 'a {
        let [nx, ny, _] = self.size;
        let [fx, fy, _] = self.full;
        mask.voxels().filter_map(move |(n, f)| {
            let at = [n % fx, n / fx % fy, n / (fx * fy)];
            let s = self.bounds.start;
            self.bounds
                .contains(at)
                .then(|| (at[0] - s[0] + nx * (at[1] - s[1] + ny * (at[2] - s[2])), f))
        })
    }

    /// Gy per GBq of a share of the energy of 1 GBq in each voxel.
    fn gy_of_joule(&self, k: EnergyPerActivity, share: f64) -> Vec<f32> {
        let ml = self.spacing_mm.iter().product::<f64>() * 1e-3;
        let of =
            |n: usize| (k.j_per_gbq() * share / (f64::from(self.density(n)) * ml * 1e-3)) as f32;
        (0..self.size.iter().product()).map(of).collect()
    }

    /// The tissue in which most of the activity is, if it is soft.
    fn commonest(&self) -> Option<Tissue> {
        let mut by_density: BTreeMap<u32, f64> = BTreeMap::new();
        for (n, a) in self.activity.voxels() {
            *by_density.entry(self.density(n).to_bits()).or_default() += a;
        }
        let all: f64 = by_density.values().sum();
        let most = by_density.iter().max_by(|a, b| a.1.total_cmp(b.1));
        let density = match most {
            Some((bits, a)) if *a > 0.5 * all => f32::from_bits(*bits),
            Some(_) => {
                let sum: f64 =
                    by_density.iter().map(|(bits, a)| f64::from(f32::from_bits(*bits)) * a).sum();
                (sum / all) as f32
            }
            None => return None,
        };
        let tissue = tissues::of_density(density);
        (tissue.material == tissues::SOFT).then_some(tissue)
    }

    /// Voxels from which a beta can reach tissue of another kind.
    fn unlike_within_reach(&self, uniform: Tissue, point: &PointKernel) -> Vec<bool> {
        let len = self.size.iter().product();
        if self.tissue.len() == 1 {
            return vec![self.tissue[0] != uniform; len];
        }
        let mut mask: Vec<bool> = self.tissue.iter().map(|t| *t != uniform).collect();
        let reach = point.reach_mm() / f64::from(uniform.density);
        let strides = [1, self.size[0], self.size[0] * self.size[1]];
        for ((stride, count), spacing) in strides.into_iter().zip(self.size).zip(self.spacing_mm) {
            let r = (reach / spacing).ceil() as usize + 1;
            let line_starts: Vec<usize> = (0..len).filter(|n| n / stride % count == 0).collect();
            for start in line_starts {
                let line: Vec<bool> = (0..count).map(|i| mask[start + i * stride]).collect();
                // Distance to the nearest marked voxel, from both sides.
                let mut since = usize::MAX;
                for i in (0..count).rev() {
                    since = if line[i] { 0 } else { since.saturating_add(1) };
                    mask[start + i * stride] |= since <= r;
                }
                since = usize::MAX;
                for i in 0..count {
                    since = if line[i] { 0 } else { since.saturating_add(1) };
                    mask[start + i * stride] |= since <= r;
                }
            }
        }
        mask
    }

    /// Activity of every voxel after the kernel of soft tissue of a density spread it.
    fn convolved(&self, point: &PointKernel, density: f32) -> Result<Vec<f32>, EngineError> {
        let kernel =
            VoxelKernel::new(point, self.spacing_mm, Density::from_g_per_ml(f64::from(density)))
                .ok_or(EngineError::Spacing(self.spacing_mm))?;
        let all = self.activity.concentration.grid().bounds();
        if self.activity.support.is_empty() {
            return Ok(vec![0.0; all.len()]);
        }
        let target = self.activity.support.bounds().grown(kernel.reach(), &all);
        let energy = convolve(&self.activity, &kernel, target)?;
        let mut whole = vec![0.0; all.len()];
        let [nx, ny, nz] = target.size();
        let [fx, fy, _] = self.size;
        for k in 0..nz {
            for j in 0..ny {
                let from = nx * (j + ny * k);
                let to = target.start[0] + fx * (target.start[1] + j + fy * (target.start[2] + k));
                whole[to..to + nx].copy_from_slice(&energy[from..from + nx]);
            }
        }
        Ok(whole)
    }
}
