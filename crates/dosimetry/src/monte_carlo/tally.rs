//! Energy by voxel: whole numbers within a batch, so that the order of work leaves no trace, and
//! mean and spread over batches.

use crate::transport::voxel_walk::Score;
use rayon::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Parts of a MeV that are counted: 1e-10 MeV each. A batch may leave 9e8 MeV in a voxel.
const PARTS_PER_MEV: f32 = 1e10;

/// What the histories of one batch left, all of them added as whole numbers.
#[derive(Debug)]
pub struct Batch {
    voxels: Vec<AtomicI64>,
    radiated: AtomicI64,
    escaped: AtomicI64,
}

impl Batch {
    /// Nothing yet, for so many voxels.
    #[must_use]
    pub fn new(voxels: usize) -> Self {
        let zero = || AtomicI64::new(0);
        Self {
            voxels: std::iter::repeat_with(zero).take(voxels).collect(),
            radiated: zero(),
            escaped: zero(),
        }
    }

    /// Someone who adds to it, or takes away (`sign` -1).
    #[must_use]
    pub fn scorer(&self, sign: f32) -> Scorer<'_> {
        Scorer { batch: self, scale: sign * PARTS_PER_MEV, radiated: 0.0, escaped: 0.0 }
    }
}

/// Adds to a batch.
#[derive(Debug)]
pub struct Scorer<'a> {
    batch: &'a Batch,
    scale: f32,
    radiated: f64,
    escaped: f64,
}

impl Score for Scorer<'_> {
    #[inline]
    fn deposit(&mut self, voxel: usize, mev: f32) {
        self.batch.voxels[voxel].fetch_add((mev * self.scale) as i64, Relaxed);
    }
    #[inline]
    fn radiate(&mut self, mev: f32) {
        self.radiated += f64::from(mev);
    }
    #[inline]
    fn escape(&mut self, mev: f32) {
        self.escaped += f64::from(mev);
    }
}

impl Drop for Scorer<'_> {
    fn drop(&mut self) {
        let parts = |mev: f64| (mev * f64::from(self.scale)) as i64;
        self.batch.radiated.fetch_add(parts(self.radiated), Relaxed);
        self.batch.escaped.fetch_add(parts(self.escaped), Relaxed);
    }
}

/// A mean and the sum of squared deviations from it (Welford 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f64, count: f64) {
        let delta = x - self.mean;
        self.mean += delta / count;
        self.squares += delta * (x - self.mean);
    }

    /// Mean over batches, and its standard error.
    #[must_use]
    pub fn result(&self, batches: u32) -> (f64, f64) {
        let n = f64::from(batches);
        (self.mean, (self.squares / (n * (n - 1.0))).sqrt())
    }
}

/// Mean and spread over batches, per history.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Batches so far.
    pub batches: u32,
    mean: Vec<f32>,
    squares: Vec<f32>,
    /// Energy that left as radiation, and that left the grid, MeV a history.
    pub left: [Moments; 2],
    regions: Vec<(Vec<(usize, f32)>, Moments)>,
}

impl Tally {
    /// For so many voxels; `weights` of each region turn energy in MeV of a voxel into its share of
    /// the region's mean.
    #[must_use]
    pub fn new(voxels: usize, regions: Vec<Vec<(usize, f32)>>) -> Self {
        Self {
            batches: 0,
            mean: vec![0.0; voxels],
            squares: vec![0.0; voxels],
            left: [Moments::default(); 2],
            regions: regions.into_iter().map(|r| (r, Moments::default())).collect(),
        }
    }

    /// Takes in a batch of so many histories and empties it.
    pub fn add(&mut self, batch: &mut Batch, histories: u64) {
        self.batches += 1;
        let count = f64::from(self.batches);
        let per = 1.0 / (f64::from(PARTS_PER_MEV) * histories as f64);
        for (moments, counter) in
            self.left.iter_mut().zip([&mut batch.radiated, &mut batch.escaped])
        {
            moments.add(std::mem::take(counter.get_mut()) as f64 * per, count);
        }
        for (weights, moments) in &mut self.regions {
            let sum: f64 = weights
                .iter()
                .map(|(n, w)| *batch.voxels[*n].get_mut() as f64 * per * f64::from(*w))
                .sum();
            moments.add(sum, count);
        }
        let (count, per) = (count as f32, per as f32);
        self.mean
            .par_iter_mut()
            .zip(&mut self.squares)
            .zip(&mut batch.voxels)
            .with_min_len(1 << 14)
            .for_each(|((mean, squares), counter)| {
                let x = std::mem::take(counter.get_mut()) as f32 * per;
                let delta = x - *mean;
                *mean += delta / count;
                *squares += delta * (x - *mean);
            });
    }

    /// Energy of a voxel in MeV a history, and its standard error.
    #[must_use]
    pub fn voxel(&self, n: usize) -> (f32, f32) {
        let batches = self.batches as f32;
        (self.mean[n], (self.squares[n] / (batches * (batches - 1.0))).sqrt())
    }

    /// Weighted sum of each region, and its standard error.
    #[must_use]
    pub fn regions(&self) -> Vec<(f64, f64)> {
        self.regions.iter().map(|r| r.1.result(self.batches)).collect()
    }
}

/// Voxels (with the part of each that counts) and their share of the mass, for densities in any unit.
#[must_use]
pub fn mass_shares(
    voxels: impl Iterator<Item = (usize, f32)>,
    density: impl Fn(usize) -> f32,
) -> Vec<(usize, f32)> {
    let masses: Vec<(usize, f32)> = voxels.map(|(n, f)| (n, f * density(n))).collect();
    let all: f64 = masses.iter().map(|m| f64::from(m.1)).sum();
    masses.into_iter().map(|(n, m)| (n, (f64::from(m) / all) as f32)).collect()
}
