//! Members: what a plan's numbers would be if each source of doubt had gone one way or another.
//!
//! Doses are never computed again. A member scales the mean dose of every part by how much more or less
//! activity it has in how much more or less tissue; what a territory receives is shared among its parts, so
//! that nothing is lost. Each number is named by seed, member and source: members come out the same in any
//! order, and a source that is switched off leaves the others' numbers as they were.

use super::boundary::{Answer, Misplaced};
use super::curve::Curve;
use super::scan::Kind;
use super::sources::{Id, Sources};
use hepatica_physics::random::Keyed;
use rayon::prelude::*;

/// Most of a territory's activity that its tumours may have in a member.
const MOST_IN_TUMOURS: f64 = 0.98;
/// A count may be this much below what was found, not less.
const LEAST: f64 = 0.05;

/// A part of a territory, as a member changes it.
#[derive(Debug, Clone)]
pub(crate) struct PartModel {
    pub(crate) kind: Kind,
    /// Counts as measured, on any scale common to the territory.
    pub(crate) counts: f64,
    /// Logarithm of the concentration over the measured one, over the resolution in mm.
    pub(crate) sharpened: Curve,
    /// Relative standard deviation by the image's noise.
    pub(crate) noise: f64,
    /// How it answers to shifts.
    pub(crate) answer: Option<Answer>,
}

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct SessionModel {
    pub(crate) parts: Vec<PartModel>,
}

/// The lung shunt.
#[derive(Debug, Clone)]
pub(crate) struct ShuntModel {
    /// As the plan uses it.
    pub(crate) planned: f64,
    /// What it is without the camera's resolution, over the resolution in mm; as planned where it was not
    /// found on SPECT/CT.
    pub(crate) sharpened: Curve,
    /// Relative standard deviation by the image's noise.
    pub(crate) noise: f64,
    /// What the image's place does to lungs over liver, along each axis.
    pub(crate) image: [Misplaced; 3],
    /// Share of the lungs' mass that was looked at; the rest is taken to have taken up as much.
    pub(crate) seen: f64,
    /// How it was found.
    pub(crate) method: Id,
}

/// Everything a member needs.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) sources: Sources,
    pub(crate) sessions: Vec<SessionModel>,
    pub(crate) shunt: ShuntModel,
    pub(crate) engine: Id,
}

/// One way it may be, over what the plan says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// Lung shunt fraction.
    pub(crate) shunt: f64,
    /// Activity in the patient over that prescribed, by session.
    pub(crate) activity: Vec<f64>,
    /// Lung dose of a session over what all of its activity would give the lungs as the plan reckons.
    pub(crate) lungs: Vec<f64>,
    /// Dose of all that is perfused, by session: what has no part of its own changes so.
    pub(crate) common: Vec<f64>,
    /// Mean dose of each part over the planned one, by session.
    pub(crate) parts: Vec<Vec<f64>>,
    /// Volume of each part over the drawn one, by session.
    pub(crate) volumes: Vec<Vec<f64>>,
}

/// Standard normal numbers of a member.
struct Draws {
    keyed: Keyed,
}

impl Draws {
    /// Number `n` of a source.
    fn z(&self, id: Id, n: usize) -> f64 {
        self.keyed.gauss(id as u32, (n / 4) as u32)[n % 4]
    }
}

impl Model {
    /// Members of the ensemble with these sources switched on (`only`: one of them alone, the others at
    /// their bias).
    pub(crate) fn members(&self, only: Option<Id>) -> Vec<Member> {
        (0..self.sources.members).into_par_iter().map(|m| self.member(m as u64, only)).collect()
    }

    /// How it is if every source takes its bias and nothing else.
    #[cfg(test)]
    pub(crate) fn expected(&self) -> Member {
        self.reckon(&|_, _| 0.0)
    }

    fn member(&self, number: u64, only: Option<Id>) -> Member {
        let draws = Draws { keyed: Keyed::new(self.sources.seed, number) };
        self.reckon(&|id, n| match only {
            Some(one) if one != id => 0.0,
            _ => draws.z(id, n),
        })
    }

    /// `z` gives standard normal numbers: number `n` of a source.
    fn reckon(&self, z: &dyn Fn(Id, usize) -> f64) -> Member {
        let size = |id| self.sources.size(id);
        // A ratio whose median is the bias: log-normal, so that it stays above zero.
        let ratio = |id, n| {
            let (bias, spread): (f64, f64) = size(id);
            bias * (z(id, n) * log_spread(spread)).exp()
        };
        let shift = |id, n| {
            let (bias, spread): (f64, f64) = size(id);
            bias + spread * z(id, n)
        };
        let noise = |relative: f64, n| {
            let (_, spread) = size(Id::Counts);
            (1.0 + relative * spread * z(Id::Counts, n)).max(LEAST)
        };
        let width = if self.sources.is_on(Id::Resolution) { shift(Id::Resolution, 0) } else { 0.0 };
        let image: [f64; 3] = std::array::from_fn(|a| shift(Id::Registration, a));

        let shunt = {
            let method = &self.shunt;
            let points = shift(method.method, 0)
                + if method.method == Id::ShuntSpect { shift(Id::ShuntMapping, 0) } else { 0.0 };
            let found = method.sharpened.at(width);
            // Lungs over liver: what is not seen adds to the lungs alone.
            let whole = method.seen + (1.0 - method.seen) * ratio(Id::LungUnseen, 0);
            let place = (0..3).map(|a| method.image[a].at(image[a])).sum::<f64>().exp();
            let odds = found / (1.0 - found.min(0.99)) * noise(method.noise, 0) * whole * place;
            (odds / (1.0 + odds) + 0.01 * points).clamp(0.0, 0.99)
        };
        let kept = (1.0 - shunt) / (1.0 - self.shunt.planned.min(0.99));
        let physics = ratio(Id::EnergyConstant, 0) * ratio(Id::HalfLife, 0);
        let assay = ratio(Id::Assay, 0);
        let lung_mass = ratio(Id::LungMass, 0);

        let mut member = Member {
            shunt,
            activity: Vec::new(),
            lungs: Vec::new(),
            common: Vec::new(),
            parts: Vec::new(),
            volumes: Vec::new(),
        };
        // Number 0 of the counts is that of the lungs.
        let mut part_number = 1;
        for (s, session) in self.sessions.iter().enumerate() {
            let activity = assay * ratio(Id::Residual, s);
            let common = activity * kept * physics * ratio(self.engine, s);
            let mapping = ratio(Id::TumourMapping, s);
            let spread_over = ratio(Id::LiverMapping, s);
            let measured: f64 = session.parts.iter().map(|p| p.counts).sum();
            let mut shares = Vec::with_capacity(session.parts.len());
            let mut volumes = Vec::with_capacity(session.parts.len());
            for part in &session.parts {
                let mut log = part.sharpened.at(width);
                let mut volume = 1.0;
                if let Some(answer) = &part.answer {
                    let border = shift(Id::Boundary, part_number);
                    log += answer.border.at(border);
                    log += (0..3).map(|a| answer.image[a].at(image[a])).sum::<f64>();
                    volume = answer.volume.at(border).exp();
                }
                shares.push(part.counts * log.exp() * noise(part.noise, part_number) * volume);
                volumes.push(volume);
                part_number += 1;
            }
            let all: f64 = shares.iter().sum();
            if all > 0.0 {
                shares.iter_mut().for_each(|x| *x /= all);
            }
            // What the spheres do otherwise than the albumin: tumours take more or less, the rest of the
            // territory has what they leave, and spreads it over more or less liver.
            let is_tumour = |n: usize| session.parts[n].kind == Kind::Tumour;
            let sum = |shares: &[f64], tumour: bool| -> f64 {
                (0..shares.len()).filter(|n| is_tumour(*n) == tumour).map(|n| shares[n]).sum()
            };
            let (in_tumours, elsewhere) = (sum(&shares, true), sum(&shares, false));
            if in_tumours > 0.0 && elsewhere > 0.0 {
                let most = MOST_IN_TUMOURS.max(in_tumours);
                let more = mapping.min(most / in_tumours);
                let less = (1.0 - more * in_tumours) / elsewhere;
                for (n, share) in shares.iter_mut().enumerate() {
                    *share *= if is_tumour(n) { more } else { less };
                }
            }
            let factors = session.parts.iter().zip(&shares).zip(&volumes).map(|((p, share), v)| {
                let planned = p.counts / measured;
                let thinner = if p.kind == Kind::Tumour { 1.0 } else { spread_over };
                if planned > 0.0 { common * share / planned / (v * thinner) } else { common }
            });
            member.parts.push(factors.collect());
            member.volumes.push(volumes);
            member.common.push(common);
            member.lungs.push(activity * physics * shunt / lung_mass);
            member.activity.push(activity);
        }
        member
    }
}

/// Standard deviation of the logarithm of a ratio with that relative standard deviation.
fn log_spread(relative: f64) -> f64 {
    (1.0 + relative * relative).ln().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::sources::UncertaintyEntry;
    use super::*;
    use proptest::prelude::*;

    fn part(kind: Kind, counts: f64) -> PartModel {
        PartModel { kind, counts, sharpened: Curve::default(), noise: 0.0, answer: None }
    }

    fn model(tumour: f64, normal: f64, shunt: f64) -> Model {
        Model {
            sources: Sources::of(&UncertaintyEntry::default(), "").expect("shipped"),
            sessions: vec![SessionModel {
                parts: vec![part(Kind::Tumour, tumour), part(Kind::Normal, normal)],
            }],
            shunt: ShuntModel {
                planned: shunt,
                sharpened: Curve::through(vec![(12.0, shunt)]),
                noise: 0.0,
                image: Default::default(),
                seen: 1.0,
                method: Id::ShuntSpect,
            },
            engine: Id::EngineKernel,
        }
    }

    fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let logs: Vec<f64> = values.map(f64::ln).collect();
        let n = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean.exp(), variance.sqrt())
    }

    #[test]
    fn without_sources_nothing_changes() {
        let mut model = model(30.0, 70.0, 0.05);
        Id::ALL.into_iter().for_each(|id| model.sources.switch_off(id));
        for member in model.members(None) {
            assert_eq!(member, model.expected());
            assert!((member.shunt - 0.05).abs() < 1e-12);
            assert!(member.parts[0].iter().all(|f| (f - 1.0).abs() < 1e-12), "{member:?}");
        }
    }

    #[test]
    fn independent_sources_add_in_squares() {
        let mut model = model(30.0, 70.0, 0.0);
        model.sources.members = 20_000;
        for id in Id::ALL {
            if ![Id::Assay, Id::Residual, Id::EnergyConstant].contains(&id) {
                model.sources.switch_off(id);
            }
        }
        let (median, sd) = spread(model.members(None).iter().map(|m| m.parts[0][1]));
        let expected = (0.05_f64.powi(2) + 0.02_f64.powi(2) + 0.004_f64.powi(2)).sqrt();
        assert!((median - 1.0).abs() < 0.002, "{median}");
        assert!((sd / expected - 1.0).abs() < 0.02, "{sd} {expected}");
    }

    #[test]
    fn a_bias_of_the_tumours_is_that_of_their_doses_and_the_liver_has_what_they_leave() {
        let mut model = model(30.0, 70.0, 0.0);
        for id in Id::ALL {
            if id != Id::TumourMapping {
                model.sources.switch_off(id);
            }
        }
        let at = model.expected();
        assert!((at.parts[0][0] - 0.79).abs() < 1e-12);
        assert!((at.parts[0][1] - (1.0 - 0.3 * 0.79) / 0.7).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn no_member_loses_activity(tumour in 0.1_f64..100.0, normal in 0.1_f64..100.0, shunt in 0.0_f64..0.3) {
            let mut model = model(tumour, normal, shunt);
            model.sources.members = 100;
            model.sources.switch_off(Id::LiverMapping);
            for m in model.members(None) {
                let all = tumour + normal;
                let sum = (tumour * m.parts[0][0] + normal * m.parts[0][1]) / all;
                prop_assert!((sum / m.common[0] - 1.0).abs() < 1e-9);
                prop_assert!((0.0..1.0).contains(&m.shunt));
            }
        }
    }
}
