//! Voxels of one's own choice, walked through by betas, for the tests.

use hepatica_dosimetry::monte_carlo::STEPPING;
use hepatica_dosimetry::transport::interaction::Interactions;
use hepatica_dosimetry::transport::voxel_walk::{Score, Tissue, Walk};
use hepatica_physics::material::Material;
use hepatica_physics::random::Random;
use hepatica_physics::spectrum::Y90;
use rayon::prelude::*;

/// Energy by voxel of one parcel of histories.
#[derive(Clone)]
pub struct Recorder {
    pub voxels: Vec<f64>,
    /// Sum over histories of squared energies by voxel.
    pub squares: f64,
    touched: Vec<(usize, f64)>,
    /// Energy that left as radiation or over the edge.
    pub left: f64,
}

impl Recorder {
    fn new(len: usize) -> Self {
        Self { voxels: vec![0.0; len], squares: 0.0, touched: Vec::new(), left: 0.0 }
    }

    /// Ends a history.
    fn settle(&mut self) {
        self.touched.sort_unstable_by_key(|t| t.0);
        let mut sum = (usize::MAX, 0.0);
        for (voxel, e) in self.touched.drain(..).chain([(usize::MAX, 0.0)]) {
            if voxel == sum.0 {
                sum.1 += e;
            } else {
                self.squares += sum.1 * sum.1;
                sum = (voxel, e);
            }
        }
    }
}

impl Score for Recorder {
    fn deposit(&mut self, voxel: usize, mev: f32) {
        self.voxels[voxel] += f64::from(mev);
        self.touched.push((voxel, f64::from(mev)));
    }
    fn radiate(&mut self, mev: f32) {
        self.left += f64::from(mev);
    }
    fn escape(&mut self, mev: f32) {
        self.left += f64::from(mev);
    }
}

/// What is walked through.
pub struct Block<'a> {
    pub size: [usize; 3],
    pub spacing_mm: [f64; 3],
    pub materials: Vec<&'a Material>,
    /// Material and density of every voxel, or of all.
    pub tissue: Vec<Tissue>,
}

impl Block<'_> {
    /// `count` betas of 90Y, in equal numbers from the given voxels: the mean over parcels by voxel
    /// (MeV a beta), and the relative standard error of it.
    pub fn betas(
        &self,
        from: &[[usize; 3]],
        count: u64,
        seed: u64,
    ) -> (Vec<f64>, Vec<f64>, Totals) {
        let materials: Vec<_> = self
            .materials
            .iter()
            .map(|m| Interactions::new(m, hepatica_dosimetry::monte_carlo::tissues::CUT_MEV))
            .collect();
        let walk = Walk {
            size: self.size,
            spacing_cm: self.spacing_mm.map(|d| (d / 10.0) as f32),
            tissue: &self.tissue,
            materials: &materials,
            stepping: STEPPING,
        };
        let energies = Y90.quantiles(4096);
        let parcels = 50_u64;
        let len = self.size.iter().product();
        let all: Vec<(Recorder, f64)> = (0..parcels)
            .into_par_iter()
            .map(|parcel| {
                let mut record = Recorder::new(len);
                let (mut waiting, mut emitted) = (Vec::new(), 0.0);
                for n in 0..count / parcels {
                    let key = Random::new(seed ^ (parcel << 40) ^ n).bits();
                    let mut random = Random::new(!key);
                    let at = from[(random.uniform() * from.len() as f64) as usize];
                    let u = random.uniform() * 4096.0;
                    let [low, high] = [energies[u as usize], energies[u as usize + 1]];
                    let t = low + (high - low) * u.fract() as f32;
                    emitted += f64::from(t);
                    walk.history(at, t, key, &mut waiting, &mut record);
                    record.settle();
                }
                (record, emitted)
            })
            .collect();
        let per = (count / parcels) as f64;
        let mean = |n: usize| all.iter().map(|r| r.0.voxels[n]).sum::<f64>() / per / parcels as f64;
        let means: Vec<f64> = (0..len).map(mean).collect();
        let errors = (0..len).map(|n| {
            let squares: f64 = all.iter().map(|r| (r.0.voxels[n] / per - means[n]).powi(2)).sum();
            (squares / (parcels * (parcels - 1)) as f64).sqrt() / means[n].max(1e-300)
        });
        let errors = errors.collect();
        let whole = per * parcels as f64;
        let sum = |f: &dyn Fn(&(Recorder, f64)) -> f64| all.iter().map(f).sum::<f64>() / whole;
        let totals = Totals {
            emitted: sum(&|r| r.1),
            deposited: means.iter().sum(),
            left: sum(&|r| r.0.left),
            squares: sum(&|r| r.0.squares),
        };
        (means, errors, totals)
    }
}

/// Energy a beta, in MeV.
#[allow(dead_code, reason = "each test uses a part")]
pub struct Totals {
    pub emitted: f64,
    pub deposited: f64,
    pub left: f64,
    /// Mean sum of the squared energies that one history leaves in voxels.
    pub squares: f64,
}
