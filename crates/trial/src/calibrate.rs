//! What published results of either therapy alone leave possible: tempered sequential Monte Carlo.
//!
//! Particles begin in the prior. The likelihood (Gaussian in each target) is let in by degrees: each
//! temperature is the highest that keeps an effective sample of half the particles (Del Moral, Doucet and
//! Jasra 2006, J R Stat Soc B 68:411). Particles are resampled systematically and moved by Metropolis
//! steps whose length follows what is accepted. All of them are simulated with the same random numbers, so
//! that only parameters differ. The same seed gives the same posterior with any number of threads, and a
//! run that was broken off goes on from its last temperature.

use crate::draws::Posterior;
use crate::model::Model;
use crate::program::{Program, ProgramError};
use crate::tally::Tally;
use crate::targets::{Targets, TargetsError};
use crate::ward::{self, Run};
use hepatica_biology::population::{
    Parameter, Population, PopulationError, Purpose, Setting, Theta,
};
use hepatica_physics::Nuclide;
use hepatica_physics::random::Keyed;
use hepatica_regimen::Protocol;
use hepatica_regimen::protocol::ProtocolError;
use nalgebra::{Cholesky, DMatrix, DVector};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use thiserror::Error;

/// Purposes of random numbers, apart from those of patients.
const MOVE: u32 = 2000;
const ACCEPT: u32 = 3000;
const RESAMPLE: u32 = 4000;
/// Effective sample that a temperature must keep, a share of the particles.
const KEEP: f64 = 0.5;

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Particles.
    pub particles: usize,
    /// Metropolis steps of each at every temperature.
    pub moves: usize,
    /// Patients of each arm.
    pub patients: u64,
    /// Key of all random numbers.
    pub seed: u64,
}

/// Why it cannot be done.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// The targets.
    #[error(transparent)]
    Targets(#[from] TargetsError),
    /// A protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A protocol that virtual patients cannot follow.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The population.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// Too few particles.
    #[error("{found} particles, expected at least {least}: twice the calibrated parameters")]
    Particles {
        /// How many.
        found: usize,
        /// How many would do.
        least: usize,
    },
    /// Nothing fits at all.
    #[error(
        "no particle of the prior comes near the targets (best log likelihood {best:.1}): are their values and units right?"
    )]
    Nothing {
        /// The best of them.
        best: f64,
    },
    /// It does not go on from there.
    #[error(
        "the run that was broken off was of other settings, targets or population: begin anew with another --out"
    )]
    Resume,
}

/// A population that could be, with what it would have shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Particle {
    /// Calibrated parameters on the scale they are normal on.
    pub scaled: Vec<f64>,
    /// Measures of the targets, each on its scale.
    pub shown: Vec<f64>,
    /// Logarithm of the likelihood.
    pub fit: f64,
}

/// Where a run stands after a temperature: what is written down to go on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What it is a run of.
    pub of: String,
    /// Stages done.
    pub number: u32,
    /// Share of the likelihood let in.
    pub temperature: f64,
    /// Step length.
    pub step: f64,
    /// Share of moves accepted.
    pub accepted: f64,
    /// Simulations of all arms so far.
    pub simulations: u64,
    /// Particles; all weigh the same.
    pub particles: Vec<Particle>,
}

/// An arm that was published: its name, program, setting, and whether it is a series of
/// radioembolization.
type SimulatedArm = (String, Program, Setting, bool);

/// A calibration.
#[derive(Debug)]
pub struct Calibration<'a> {
    population: &'a Population,
    targets: &'a Targets,
    settings: Settings,
    arms: Vec<SimulatedArm>,
    parameters: Vec<Parameter>,
}

impl<'a> Calibration<'a> {
    /// Prepares it.
    ///
    /// # Errors
    /// When an arm cannot be simulated.
    pub fn new(
        population: &'a Population,
        targets: &'a Targets,
        settings: Settings,
    ) -> Result<Self, CalibrateError> {
        let parameters: Vec<Parameter> = population.of_purpose(Purpose::Calibrated).collect();
        let least = 2 * parameters.len();
        if settings.particles < least {
            return Err(CalibrateError::Particles { found: settings.particles, least });
        }
        let mut arms = Vec::new();
        for (name, arm) in &targets.arm {
            let protocol = Protocol::named(&arm.protocol)?;
            let program = Program::compile(&protocol, arm.variant.as_deref())?;
            let setting = population.setting(&arm.setting)?.clone();
            arms.push((name.clone(), program, setting, arm.tare_series));
        }
        Ok(Self { population, targets, settings, arms, parameters })
    }

    /// The calibrated parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What identifies a run.
    #[must_use]
    pub fn identity(&self) -> String {
        let text = serde_json::to_string(&(self.population, self.targets, self.settings));
        let text = text.unwrap_or_default();
        use sha2::{Digest, Sha256};
        Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
    }

    /// A population from calibrated parameters on their scales, the rest in the middle.
    #[must_use]
    pub fn theta(&self, scaled: &[f64]) -> Theta {
        let mut theta = self.population.middle();
        for (p, x) in self.parameters.iter().zip(scaled) {
            theta[*p] = self.population.entry(*p).from_scale(*x);
        }
        // What no single therapy tells of is off in single therapies anyway.
        theta
    }

    fn prior(&self, scaled: &[f64]) -> f64 {
        self.population.log_density(&self.theta(scaled), Purpose::Calibrated)
    }

    /// What a population would have shown, each target on its scale.
    #[must_use]
    pub fn shown(&self, theta: &Theta) -> Vec<f64> {
        let tallies: Vec<(Tally, &SimulatedArm)> = self
            .arms
            .iter()
            .map(|arm| {
                let (_, program, setting, tare_series) = arm;
                let mut theta = theta.clone();
                if *tare_series {
                    let shift = libm::exp(theta[Parameter::TareGrowthShift]);
                    theta[Parameter::GrowthMedian] *= shift;
                }
                let model = Model::new(theta, setting.clone(), &Nuclide::Y90);
                let seed = self.settings.seed;
                let run = Run { model: &model, program, seed, horizon: 1826 };
                let mut tally = Tally::default();
                ward::run(&run, 0..self.settings.patients).iter().for_each(|o| tally.add(o));
                (tally, arm)
            })
            .collect();
        self.targets
            .target
            .iter()
            .map(|t| {
                let of = tallies.iter().find(|(_, arm)| arm.0 == t.arm);
                of.map_or(f64::NAN, |(tally, (_, program, _, tare))| {
                    t.measure.scaled(t.measure.of(tally, program.scan_every, *tare))
                })
            })
            .collect()
    }

    fn fit(&self, shown: &[f64]) -> f64 {
        let of = |(t, x): (&crate::targets::Target, &f64)| {
            -0.5 * ((x - t.measure.scaled(t.value)) / t.sd).powi(2)
        };
        self.targets.target.iter().zip(shown).map(of).sum()
    }

    fn particle(&self, scaled: Vec<f64>) -> Particle {
        let shown = self.shown(&self.theta(&scaled));
        let fit = self.fit(&shown);
        Particle { scaled, shown, fit }
    }

    /// Runs it, from the beginning or from a stage; `see` is told of every stage and may break off.
    ///
    /// # Errors
    /// When a stage is of another run, or nothing fits.
    pub fn run(
        &self,
        from: Option<Stage>,
        mut see: impl FnMut(&Stage) -> ControlFlow<()>,
    ) -> Result<Stage, CalibrateError> {
        let of = self.identity();
        let mut stage = match from {
            Some(stage) if stage.of != of || stage.particles.len() != self.settings.particles => {
                return Err(CalibrateError::Resume);
            }
            Some(stage) => stage,
            None => {
                let stage = self.begin(of)?;
                if see(&stage).is_break() {
                    return Ok(stage);
                }
                stage
            }
        };
        while stage.temperature < 1.0 {
            stage = self.advance(stage);
            if see(&stage).is_break() {
                break;
            }
        }
        Ok(stage)
    }

    fn begin(&self, of: String) -> Result<Stage, CalibrateError> {
        let draws = 0..self.settings.particles as u64;
        let particles: Vec<Particle> = draws
            .into_par_iter()
            .map(|n| {
                let theta = self.population.draw(self.settings.seed, n);
                let scaled = self.parameters.iter();
                let scaled =
                    scaled.map(|p| self.population.entry(*p).to_scale(theta[*p])).collect();
                self.particle(scaled)
            })
            .collect();
        let best = particles.iter().map(|p| p.fit).fold(f64::NEG_INFINITY, f64::max);
        if !(best > -1e5) {
            return Err(CalibrateError::Nothing { best });
        }
        let simulations = particles.len() as u64;
        Ok(Stage {
            of,
            number: 0,
            temperature: 0.0,
            step: 0.35,
            accepted: 1.0,
            simulations,
            particles,
        })
    }

    fn advance(&self, stage: Stage) -> Stage {
        let Stage { of, number, temperature, mut step, mut simulations, particles, .. } = stage;
        let next = next_temperature(&particles, temperature);
        let mut particles = resample(
            &particles,
            next - temperature,
            Keyed::new(self.settings.seed, u64::from(number)),
        );
        let mut accepted_all = 0;
        for round in 0..self.settings.moves {
            let factor = self.spread(&particles);
            let d = self.parameters.len();
            let length = step * 2.38 / (d as f64).sqrt();
            let purpose = number * 64 + round as u32;
            let moved: Vec<Option<Particle>> = particles
                .par_iter()
                .enumerate()
                .map(|(n, p)| {
                    let keyed = Keyed::new(self.settings.seed ^ u64::from(purpose) << 40, n as u64);
                    let z: Vec<f64> = (0..d.div_ceil(4))
                        .flat_map(|b| keyed.gauss(MOVE, b as u32))
                        .take(d)
                        .collect();
                    let shift = &factor * DVector::from_vec(z) * length;
                    let scaled: Vec<f64> =
                        p.scaled.iter().zip(shift.iter()).map(|(x, s)| x + s).collect();
                    let (before, after) = (self.prior(&p.scaled), self.prior(&scaled));
                    if !after.is_finite() {
                        return None;
                    }
                    let new = self.particle(scaled);
                    let gain = next * (new.fit - p.fit) + after - before;
                    (keyed.uniform(ACCEPT, 0)[0].ln() < gain).then_some(new)
                })
                .collect();
            simulations += particles.len() as u64;
            let accepted = moved.iter().flatten().count();
            accepted_all += accepted;
            for (old, new) in particles.iter_mut().zip(moved) {
                if let Some(new) = new {
                    *old = new;
                }
            }
            // A quarter accepted is near the best for many parameters.
            let share = accepted as f64 / particles.len() as f64;
            step = (step * (share / 0.25).clamp(0.5, 2.0).sqrt()).clamp(0.02, 1.5);
        }
        let accepted = accepted_all as f64 / (particles.len() * self.settings.moves).max(1) as f64;
        Stage { of, number: number + 1, temperature: next, step, accepted, simulations, particles }
    }

    /// Square root of the covariance of the particles.
    fn spread(&self, particles: &[Particle]) -> DMatrix<f64> {
        let (n, d) = (particles.len() as f64, self.parameters.len());
        let mean: Vec<f64> =
            (0..d).map(|i| particles.iter().map(|p| p.scaled[i]).sum::<f64>() / n).collect();
        let mut covariance = DMatrix::zeros(d, d);
        for p in particles {
            for i in 0..d {
                for j in 0..=i {
                    covariance[(i, j)] += (p.scaled[i] - mean[i]) * (p.scaled[j] - mean[j]) / n;
                }
            }
        }
        for i in 0..d {
            for j in i + 1..d {
                covariance[(i, j)] = covariance[(j, i)];
            }
            covariance[(i, i)] += 1e-9;
        }
        let root = |c: &Cholesky<f64, nalgebra::Dyn>| c.l();
        Cholesky::new(covariance.clone()).as_ref().map_or_else(
            // Particles that are all alike in a direction: each parameter by itself.
            || DMatrix::from_diagonal(&covariance.diagonal().map(|v| v.max(0.0).sqrt())),
            root,
        )
    }

    /// The posterior of a stage, as a file.
    #[must_use]
    pub fn posterior(&self, stage: &Stage, notes: Vec<String>) -> Posterior {
        let rows = stage
            .particles
            .iter()
            .map(|p| {
                let of = |(p, x): (&Parameter, &f64)| {
                    let entry = self.population.entry(*p);
                    // Six digits are written: they must not step over the range.
                    entry.from_scale(*x).clamp(entry.range[0], entry.range[1])
                };
                self.parameters.iter().zip(&p.scaled).map(of).collect()
            })
            .collect();
        Posterior {
            name: "calibration".to_owned(),
            notes,
            parameters: self.parameters.clone(),
            rows,
            sha256: String::new(),
        }
    }

    /// What the data taught: each parameter before and after, and each target beside what is fitted.
    #[must_use]
    pub fn report(&self, stage: &Stage) -> Report {
        let quantiles = |mut x: Vec<f64>| -> [f64; 3] {
            x.sort_by(f64::total_cmp);
            [0.05, 0.5, 0.95].map(|p| x[((x.len() - 1) as f64 * p).round() as usize])
        };
        let targets = self
            .targets
            .target
            .iter()
            .enumerate()
            .map(|(n, t)| {
                let back = |x: f64| if t.measure.is_log() { x.exp() } else { x };
                let fitted = quantiles(stage.particles.iter().map(|p| p.shown[n]).collect());
                let published = t.measure.scaled(t.value);
                TargetFit {
                    id: t.id.clone(),
                    name: t.name.clone(),
                    mark: t.mark.to_string(),
                    published: t.value,
                    published_interval: [-1.645, 1.645].map(|z| back(published + z * t.sd)),
                    fitted: back(fitted[1]),
                    fitted_interval: [back(fitted[0]), back(fitted[2])],
                    misfit_sd: (fitted[1] - published) / t.sd,
                }
            })
            .collect();
        let column =
            |i: usize| -> Vec<f64> { stage.particles.iter().map(|p| p.scaled[i]).collect() };
        let mean_sd = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            (mean, (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt())
        };
        let parameters: Vec<ParameterFit> = self
            .parameters
            .iter()
            .enumerate()
            .map(|(i, p)| {
                let entry = self.population.entry(*p);
                let [mean, sd] = entry.on_scale();
                let q = quantiles(column(i));
                ParameterFit {
                    id: p.id(),
                    name: entry.name.clone(),
                    prior: [-1.645, 0.0, 1.645].map(|z| entry.from_scale(mean + z * sd)),
                    posterior: q.map(|x| entry.from_scale(x)),
                    sd_ratio: mean_sd(&column(i)).1 / sd,
                }
            })
            .collect();
        let mut ridges = Vec::new();
        for i in 0..self.parameters.len() {
            for j in 0..i {
                let (a, b) = (column(i), column(j));
                let ((ma, sa), (mb, sb)) = (mean_sd(&a), mean_sd(&b));
                let r = a.iter().zip(&b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>()
                    / (a.len() as f64 * sa * sb);
                if r.is_finite() {
                    ridges.push((self.parameters[i].id(), self.parameters[j].id(), r));
                }
            }
        }
        ridges.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        ridges.truncate(8);
        Report {
            settings: self.settings,
            stages: stage.number,
            temperature: stage.temperature,
            simulations: stage.simulations,
            patients: stage.simulations * self.settings.patients * self.arms.len() as u64,
            accepted: stage.accepted,
            distinct: {
                let mut all: Vec<u64> =
                    stage.particles.iter().map(|p| p.scaled[0].to_bits()).collect();
                all.sort_unstable();
                all.dedup();
                all.len()
            },
            targets,
            parameters,
            ridges,
        }
    }
}

/// The highest temperature that keeps half of the particles effective.
fn next_temperature(particles: &[Particle], from: f64) -> f64 {
    let effective = |to: f64| {
        let best = particles.iter().map(|p| p.fit).fold(f64::NEG_INFINITY, f64::max);
        let weights = particles.iter().map(|p| ((to - from) * (p.fit - best)).exp());
        let (sum, squares) = weights.fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
        sum * sum / squares / particles.len() as f64
    };
    if effective(1.0) >= KEEP {
        return 1.0;
    }
    let (mut low, mut high) = (from, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if effective(middle) >= KEEP { low = middle } else { high = middle }
    }
    // However badly the prior fits, it goes on.
    low.max(from + 1e-4).min(1.0)
}

/// Systematic resampling by weights `exp(by fit)`.
fn resample(particles: &[Particle], by: f64, keyed: Keyed) -> Vec<Particle> {
    let best = particles.iter().map(|p| p.fit).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = particles.iter().map(|p| (by * (p.fit - best)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let n = particles.len();
    let mut at = keyed.uniform(RESAMPLE, 0)[0];
    let (mut sum, mut chosen) = (0.0, Vec::with_capacity(n));
    for (p, w) in particles.iter().zip(&weights) {
        sum += w / total * n as f64;
        while at < sum && chosen.len() < n {
            chosen.push(p.clone());
            at += 1.0;
        }
    }
    // Rounding may leave the last place open.
    while chosen.len() < n {
        chosen.push(particles[n - 1].clone());
    }
    chosen
}

/// What a calibration taught.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How it was done.
    pub settings: Settings,
    /// Temperatures.
    pub stages: u32,
    /// Share of the likelihood that is in; 1 when it is done.
    pub temperature: f64,
    /// Simulations of all arms.
    pub simulations: u64,
    /// Virtual patients.
    pub patients: u64,
    /// Share of moves accepted at the last temperature.
    pub accepted: f64,
    /// Particles that differ.
    pub distinct: usize,
    /// Targets.
    pub targets: Vec<TargetFit>,
    /// Parameters.
    pub parameters: Vec<ParameterFit>,
    /// The strongest correlations: what the data cannot tell apart.
    pub ridges: Vec<(&'static str, &'static str, f64)>,
}

/// A target and what is fitted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetFit {
    /// Its identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// How sure it is.
    pub mark: String,
    /// What was published.
    pub published: f64,
    /// 5 to 95 % of it.
    pub published_interval: [f64; 2],
    /// Median of the posterior.
    pub fitted: f64,
    /// 5 to 95 % of it.
    pub fitted_interval: [f64; 2],
    /// Distance of the medians in standard deviations of what was published.
    pub misfit_sd: f64,
}

/// A parameter before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterFit {
    /// Its identifier.
    pub id: &'static str,
    /// For people.
    pub name: String,
    /// 5, 50, 95 % before.
    pub prior: [f64; 3],
    /// 5, 50, 95 % after.
    pub posterior: [f64; 3],
    /// Standard deviation after over before: 1 if the data taught nothing.
    pub sd_ratio: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_run_learns_and_goes_on_where_it_stopped() {
        let population = Population::named("net-liver").expect("shipped");
        let targets = Targets::shipped().expect("shipped");
        let settings = Settings { particles: 48, moves: 1, patients: 60, seed: 3 };
        let calibration = Calibration::new(&population, &targets, settings).expect("arms");
        let whole = calibration.run(None, |_| ControlFlow::Continue(())).expect("a posterior");
        assert_eq!(whole.temperature, 1.0);
        let mean =
            |s: &Stage| s.particles.iter().map(|p| p.fit).sum::<f64>() / s.particles.len() as f64;
        let stopped = calibration
            .run(None, |s| {
                if s.number == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .expect("a stage");
        assert!(mean(&whole) > mean(&stopped), "{} {}", mean(&whole), mean(&stopped));
        let text = serde_json::to_string(&stopped).expect("JSON");
        let stopped: Stage = serde_json::from_str(&text).expect("a stage");
        let on =
            calibration.run(Some(stopped.clone()), |_| ControlFlow::Continue(())).expect("goes on");
        assert_eq!(on, whole);
        let other = Settings { seed: 4, ..settings };
        let other = Calibration::new(&population, &targets, other).expect("arms");
        assert!(matches!(
            other.run(Some(stopped), |_| ControlFlow::Continue(())),
            Err(CalibrateError::Resume)
        ));
        let posterior = calibration.posterior(&whole, vec!["test".to_owned()]);
        let back =
            Posterior::parse(&posterior.to_text(), "p.csv", &population).expect("a posterior");
        assert_eq!(back.rows.len(), 48);
    }

    #[test]
    fn resampling_follows_the_weights() {
        let particle = |fit: f64| Particle { scaled: vec![fit], shown: Vec::new(), fit };
        let particles = [particle(0.0), particle(3_f64.ln())];
        let many: Vec<Particle> = (0..4000)
            .map(|n| particles[usize::from(Keyed::new(2, n).uniform(1, 0)[0] < 0.5)].clone())
            .collect();
        let chosen = resample(&many, 1.0, Keyed::new(1, 1));
        let better = chosen.iter().filter(|p| p.fit > 0.0).count();
        assert!((better as f64 / 4000.0 - 0.75).abs() < 0.02, "{better}");
    }
}
