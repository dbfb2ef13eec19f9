//! Work: arms, populations that could be, patients; cut into units that anyone may compute.
//!
//! A unit is a pure function of its numbers; what comes back are counts that add up in any order. The same
//! patient (number and draw) goes through every arm, so that arms are compared within patients.

use crate::draws::Parameters;
use crate::independence::Paired;
use crate::lesion_dose::LesionDose;
use crate::model::Model;
use crate::outcome::Outcome;
use crate::program::Program;
use crate::tally::Tally;
use crate::ward::{self, Run};
use hepatica_biology::population::{Parameter, Population, Setting, Theta};
use hepatica_physics::Nuclide;
use rayon::prelude::*;
use std::ops::{ControlFlow, Range};

/// Most patients of a unit.
pub const UNIT: u64 = 4096;

/// An arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// For people; no two alike.
    pub name: String,
    /// What is done.
    pub program: Program,
    /// What is believed of the sensitisers in it.
    pub sensitisers: Sensitisers,
    /// Whether growth and radiosensitivity are those of published series of radioembolization.
    pub tare_series: bool,
}

/// How much more dose counts while a drug is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sensitisers {
    /// As the population says.
    Prior,
    /// SER - 1 of capecitabine and of temozolomide.
    Fixed([f64; 2]),
}

impl Sensitisers {
    /// None.
    pub const NONE: Self = Self::Fixed([0.0; 2]);
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// How patients differ.
    pub population: Population,
    /// Which populations could be.
    pub parameters: Parameters,
    /// Who is enrolled.
    pub setting: Setting,
    /// Arms.
    pub arms: Vec<Arm>,
    /// Places of two arms, their combination, and no treatment: for the independence nulls.
    pub nulls: Option<[usize; 4]>,
    /// The nuclide of the spheres.
    pub nuclide: Nuclide,
    /// Days followed.
    pub horizon: u16,
    /// Doses of lesions from a real plan; none: as the population says.
    pub lesion_doses: Vec<LesionDose>,
    /// Whether blood counts hold and reduce doses.
    pub with_marrow: bool,
    /// Key of all random numbers.
    pub seed: u64,
    /// Populations that could be.
    pub draws: u64,
    /// Patients of each arm.
    pub patients: u64,
}

/// A part of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The population.
    pub draw: u64,
    /// Number of the first patient.
    pub first: u64,
    /// How many.
    pub patients: u64,
    /// Which half of its draw it belongs to: their difference tells the noise of simulation.
    pub half: u8,
}

/// What comes back of a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Counts by arm.
    pub tallies: Vec<Tally>,
    /// Counts of pairs.
    pub paired: Option<Paired>,
    /// Patients of every arm, if they were asked for.
    pub outcomes: Vec<Vec<Outcome>>,
}

/// Counts of a draw, in two halves.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// By arm and half.
    pub tallies: Vec<[Tally; 2]>,
    /// Pairs by half.
    pub paired: Option<[Paired; 2]>,
}

impl Job {
    /// Its units, in order.
    #[must_use]
    pub fn units(&self) -> Vec<Unit> {
        let mut units = Vec::new();
        let mut first = 0;
        for draw in 0..self.draws {
            let last =
                (u128::from(self.patients) * u128::from(draw + 1) / u128::from(self.draws)) as u64;
            let middle = first + (last - first) / 2;
            for (half, from, to) in [(0, first, middle), (1, middle, last)] {
                let mut at = from;
                while at < to {
                    let patients = (to - at).min(UNIT);
                    units.push(Unit { draw, first: at, patients, half });
                    at += patients;
                }
            }
            first = last;
        }
        units
    }

    /// Its units of some draws, in order.
    #[must_use]
    pub fn units_of(&self, draws: &Range<u64>) -> Vec<Unit> {
        let mut units = self.units();
        units.retain(|u| draws.contains(&u.draw));
        units
    }

    /// The population of a draw in an arm.
    #[must_use]
    pub fn theta(&self, arm: &Arm, draw: u64) -> Theta {
        let mut theta = self.parameters.draw(&self.population, self.seed, draw);
        if arm.tare_series {
            theta[Parameter::GrowthMedian] *= libm::exp(theta[Parameter::TareGrowthShift]);
        }
        if let Sensitisers::Fixed([capecitabine, temozolomide]) = arm.sensitisers {
            theta[Parameter::CapecitabineSensitiser] = capecitabine;
            theta[Parameter::TemozolomideSensitiser] = temozolomide;
        }
        theta
    }

    /// Computes a unit.
    #[must_use]
    pub fn compute(&self, unit: &Unit, keep: bool) -> Done {
        let patients = unit.first..unit.first + unit.patients;
        let outcomes: Vec<Vec<Outcome>> = self
            .arms
            .iter()
            .map(|arm| {
                let theta = self.theta(arm, unit.draw);
                let mut model = Model::new(theta, self.setting.clone(), &self.nuclide);
                model.lesion_doses.clone_from(&self.lesion_doses);
                model.with_marrow = self.with_marrow;
                let run = Run {
                    model: &model,
                    program: &arm.program,
                    seed: self.seed,
                    horizon: self.horizon,
                };
                ward::run(&run, patients.clone())
            })
            .collect();
        let tallies = outcomes
            .iter()
            .map(|all| {
                let mut tally = Tally::default();
                all.iter().for_each(|o| tally.add(o));
                tally
            })
            .collect();
        let paired = self.nulls.map(|[a, b, both, none]| {
            let mut paired = Paired::default();
            let of = |arm: usize| outcomes[arm].iter();
            for (((a, b), both), none) in of(a).zip(of(b)).zip(of(both)).zip(of(none)) {
                paired.add([a, b, both, none], self.horizon);
            }
            paired
        });
        Done { tallies, paired, outcomes: if keep { outcomes } else { Vec::new() } }
    }

    /// A draw of which nothing is counted yet.
    #[must_use]
    pub fn empty(&self) -> Drawn {
        Drawn {
            tallies: vec![[Tally::default(), Tally::default()]; self.arms.len()],
            paired: self.nulls.map(|_| [Paired::default(), Paired::default()]),
        }
    }

    /// Computes everything with all threads. `see` is told, in the order of the units, what came back of
    /// each, and may break off; then what is done so far is returned with `false`.
    ///
    /// Memory is that of the counts and of a few units, whatever the number of patients.
    pub fn run(
        &self,
        keep: bool,
        see: impl FnMut(&Unit, &Done) -> ControlFlow<()>,
    ) -> (Vec<Drawn>, bool) {
        self.run_draws(0..self.draws, keep, see)
    }

    /// [`Job::run`] of some draws.
    pub fn run_draws(
        &self,
        draws: Range<u64>,
        keep: bool,
        mut see: impl FnMut(&Unit, &Done) -> ControlFlow<()>,
    ) -> (Vec<Drawn>, bool) {
        let units = self.units_of(&draws);
        let mut drawn: Vec<Drawn> = draws.clone().map(|_| self.empty()).collect();
        for batch in units.chunks(4 * rayon::current_num_threads().max(1)) {
            let done: Vec<Done> = batch.par_iter().map(|unit| self.compute(unit, keep)).collect();
            for (unit, done) in batch.iter().zip(&done) {
                drawn[(unit.draw - draws.start) as usize].add(unit, done);
                if see(unit, done).is_break() {
                    return (drawn, false);
                }
            }
        }
        (drawn, true)
    }
}

impl Drawn {
    /// Adds a unit of this draw.
    pub fn add(&mut self, unit: &Unit, done: &Done) {
        let half = usize::from(unit.half);
        for (mine, theirs) in self.tallies.iter_mut().zip(&done.tallies) {
            mine[half].merge(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.paired, &done.paired) {
            mine[half].merge(theirs);
        }
    }
}
