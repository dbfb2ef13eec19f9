//! What an ensemble says: an interval for every measure, how probably a gate's limit is exceeded, and which
//! source of doubt matters for what.

use super::Basis;
use super::ensemble::Member;
use super::scan::Kind;
use super::sources::Id;
use crate::plan::{
    Compartment, CompartmentDoubt, Cumulative, DoubtSource, Effect, LungShunt, Session, Swing,
    Tornado, Uncertainty,
};
use crate::tissue::ratio;
use crate::views::DvhCurve;
use hepatica_biology::{ParameterSets, ntcp, tcp};
use hepatica_physics::Dose;
use hepatica_physics::random::Keyed;
use hepatica_regimen::gate::Samples;
use std::collections::BTreeMap;

/// Members that a single source is shown with.
const ALONE: usize = 400;
/// Places at which the distribution of a gate's measure is kept.
const KEPT: usize = 201;
/// A source that moves a measure by less than this part of it is not shown.
const WORTH_SHOWING: f64 = 1e-3;

/// What a plan is made of besides its sessions.
pub(crate) struct Limits<'a> {
    /// Lung dose of each session if all of its activity reached the lungs, in Gy.
    pub(crate) all_in_lungs_gy: &'a [f64],
    /// Lung dose of all that was before.
    pub(crate) lung_before_gy: f64,
    /// Mean dose of the normal liver of a territory with what earlier sessions gave.
    pub(crate) with_before: &'a dyn Fn(&str, f64) -> f64,
    /// What earlier sessions gave: whole normal liver dose and BED, and each tumour's dose.
    pub(crate) given: [f64; 2],
    pub(crate) given_tumour: &'a dyn Fn(&str) -> f64,
    pub(crate) sets: &'a ParameterSets,
    pub(crate) curves: &'a [DvhCurve],
}

/// The ensemble of a plan.
pub(crate) struct Doubts {
    basis: Basis,
    members: Vec<Member>,
}

/// Values in rising order.
struct Spread(Vec<f64>);

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value that a share `p` lies below, between neighbours by a straight line.
    fn quantile(&self, p: f64) -> f64 {
        let at = p * (self.0.len() - 1) as f64;
        let low = at.floor() as usize;
        let high = (low + 1).min(self.0.len() - 1);
        self.0[low] + (at - low as f64) * (self.0[high] - self.0[low])
    }

    fn interval(&self, level: f64) -> [f64; 2] {
        [0.5 * (1.0 - level), 0.5 * (1.0 + level)].map(|p| self.quantile(p))
    }

    fn relative_sd(&self) -> f64 {
        let n = self.0.len() as f64;
        let mean = self.0.iter().sum::<f64>() / n;
        let variance = self.0.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        ratio(variance.sqrt(), mean)
    }
}

impl Doubts {
    pub(crate) fn of(basis: Basis) -> Self {
        let members = basis.model.members(None);
        Self { basis, members }
    }

    /// What could not be told about the image.
    pub(crate) fn note(&self) -> Option<String> {
        (!self.basis.noise_known && self.basis.model.sources.is_on(Id::Counts)).then(|| {
            "too little normal liver to tell the noise of the emission image: the intervals do not hold it"
                .to_owned()
        })
    }

    /// Mean dose of a compartment over the planned one, in a member.
    fn factor(&self, session: usize, c: &Compartment, member: &Member) -> f64 {
        let in_session = self.basis.parts.iter().filter(|p| p.session == session);
        let place = match c.role.as_str() {
            "tumour" | "cold" => {
                in_session.enumerate().find(|(_, p)| p.name == c.name).map(|p| p.0)
            }
            "perfused_normal_liver" | "whole_normal_liver" => {
                in_session.enumerate().find(|(_, p)| p.kind == Kind::Normal).map(|p| p.0)
            }
            _ => None,
        };
        place.map_or(member.common[session], |n| member.parts[session][n])
    }

    fn volume(&self, session: usize, c: &Compartment, member: &Member) -> f64 {
        let mut in_session = self.basis.parts.iter().filter(|p| p.session == session);
        let place = in_session.position(|p| p.name == c.name && p.kind == Kind::Tumour);
        place.map_or(1.0, |n| member.volumes[session][n])
    }

    /// What the histories of a Monte Carlo leave, as a factor.
    fn of_histories(&self, c: &Compartment, number: usize, member: usize) -> f64 {
        let Some(error) = c.dose_gy.mean_monte_carlo_error else { return 1.0 };
        let keyed = Keyed::new(self.basis.model.sources.seed, member as u64);
        // Behind the numbers that the engine's own source takes, one a session.
        let n = 64 + number;
        let z = keyed.gauss(Id::EngineMonteCarlo as u32, (n / 4) as u32)[n % 4];
        (1.0 + error * z).max(0.0)
    }

    /// Mean dose factors of every compartment of a session, member by member.
    fn factors(&self, session: usize, number: usize, c: &Compartment) -> Vec<f64> {
        let members = self.members.iter().enumerate();
        members
            .map(|(m, member)| {
                self.factor(session, c, member) * self.of_histories(c, 64 * session + number, m)
            })
            .collect()
    }

    /// Puts intervals beside the numbers of the plan, and says what the sources do.
    pub(crate) fn tell(
        &self,
        sessions: &mut [Session],
        cumulative: &mut Cumulative,
        lungs: &mut LungShunt,
        limits: &Limits<'_>,
    ) -> (Uncertainty, Samples) {
        let sources = &self.basis.model.sources;
        let level = sources.level;
        let alone = self.alone();
        let lung_dose = |m: &Member| {
            let sessions = m.lungs.iter().zip(limits.all_in_lungs_gy).map(|(f, gy)| f * gy);
            limits.lung_before_gy + sessions.sum::<f64>()
        };
        let mut tornado = vec![
            self.tornado(
                ("lung_dose_gy", "lungs, all sessions", None, "Gy"),
                cumulative.lung_dose_gy,
                self.members.iter().map(lung_dose),
                &alone,
                &lung_dose,
            ),
            self.tornado(
                ("lung_shunt_percent", "lung shunt", None, "%"),
                100.0 * lungs.fraction,
                self.members.iter().map(|m| 100.0 * m.shunt),
                &alone,
                &|m| 100.0 * m.shunt,
            ),
        ];
        lungs.interval = Spread::of(self.members.iter().map(|m| m.shunt)).interval(level);
        lungs.interval_source = format!(
            "ensemble of {} members (uncertainty.sources in plan.json)",
            self.members.len()
        );
        let mut sums = Sums::new(self.members.len(), limits);
        for (n, session) in sessions.iter_mut().enumerate() {
            let lung = self.members.iter().map(|m| m.lungs[n] * limits.all_in_lungs_gy[n]);
            session.lung_dose_interval_gy = Spread::of(lung).interval(level);
            let (id, device) = (session.id, session.device.clone());
            for (number, c) in session.compartments.iter_mut().enumerate() {
                let factors = self.factors(n, number, c);
                sums.add(c, &session.territory, &factors, limits);
                let of = |member: &Member| self.factor(n, c, member);
                let name = match c.role.as_str() {
                    "tumour" => Some(c.name.clone()),
                    "perfused_normal_liver" => Some(format!("normal liver, session {id}")),
                    _ => None,
                };
                if let Some(name) = name {
                    let mean = c.dose_gy.mean;
                    tornado.push(self.tornado(
                        ("mean_dose_gy", &name, Some(id), "Gy"),
                        mean,
                        factors.iter().map(|f| f * mean),
                        &alone,
                        &|member| mean * of(member),
                    ));
                }
                let found = Found {
                    level,
                    volumes: Spread::of(self.members.iter().map(|m| self.volume(n, c, m))),
                    relative: alone
                        .relative(&of)
                        .hypot(c.dose_gy.mean_monte_carlo_error.unwrap_or(0.0)),
                    doses: Spread::of(factors.into_iter()),
                };
                let own = |v: &&DvhCurve| v.session == Some(id) && v.name == c.name;
                let curve = limits.curves.iter().find(own);
                found.describe(c, curve, &device, limits.sets);
            }
        }
        let lung_all: Vec<f64> = self.members.iter().map(lung_dose).collect();
        let interval = |values: &[f64]| Spread::of(values.iter().copied()).interval(level);
        cumulative.lung_dose_interval_gy = Some(interval(&lung_all));
        cumulative.whole_normal_liver_dose_interval_gy = Some(interval(&sums.whole_normal));
        cumulative.whole_normal_liver_bed_interval_gy = Some(interval(&sums.whole_normal_bed));
        let tumours = sums.tumours.iter().map(|(name, gy)| (name.clone(), interval(gy)));
        cumulative.tumour_dose_interval_gy = tumours.collect();

        let samples = self.gate_samples(sessions, limits, lung_all, sums.highest_normal);
        let uncertainty = Uncertainty {
            level,
            members: self.members.len(),
            seed: sources.seed,
            sources: self.used(),
            tornado,
            gate_quantiles: quantiles(&samples),
        };
        (uncertainty, samples)
    }

    fn tornado(
        &self,
        (measure, of, session, unit): (&str, &str, Option<u32>, &str),
        planned: f64,
        values: impl Iterator<Item = f64>,
        alone: &Alone,
        in_member: &dyn Fn(&Member) -> f64,
    ) -> Tornado {
        let spread = Spread::of(values);
        Tornado {
            measure: measure.to_owned(),
            of: of.to_owned(),
            session,
            unit: unit.to_owned(),
            planned,
            median: spread.quantile(0.5),
            interval: spread.interval(alone.level),
            swings: alone.swings(in_member, planned),
        }
    }

    /// What every source does alone.
    fn alone(&self) -> Alone {
        let mut model = self.basis.model.clone();
        model.sources.members = ALONE.min(model.sources.members);
        let acting = model.sources.list().iter().map(|s| s.id).filter(|id| self.acts(*id));
        let members = acting.map(|id| (id, model.members(Some(id)))).collect();
        Alone { level: model.sources.level, members }
    }

    /// Whether a source is on and is one of this plan: another method's shunt, another engine is not.
    fn acts(&self, id: Id) -> bool {
        let model = &self.basis.model;
        let of_this_plan = match id {
            Id::ShuntSpect | Id::ShuntPlanar | Id::ShuntStated => id == model.shunt.method,
            Id::ShuntMapping => model.shunt.method == Id::ShuntSpect,
            Id::LungUnseen => model.shunt.seen < 1.0,
            Id::EngineLocal | Id::EngineKernel | Id::EngineMonteCarlo => id == model.engine,
            Id::Counts => self.basis.noise_known,
            _ => true,
        };
        of_this_plan && model.sources.is_on(id)
    }

    fn used(&self) -> Vec<DoubtSource> {
        let list = self.basis.model.sources.list().iter();
        list.map(|s| DoubtSource {
            id: s.id.word().to_owned(),
            name: s.name.clone(),
            acts: self.acts(s.id),
            bias: s.bias(),
            spread: s.spread,
            unit: s.unit.clone().unwrap_or_default(),
            source: format!("{} [{}]", s.source, s.mark),
        })
        .collect()
    }

    /// Measures of the gate, member by member.
    fn gate_samples(
        &self,
        sessions: &[Session],
        limits: &Limits<'_>,
        lung_all: Vec<f64>,
        normal: Vec<f64>,
    ) -> Samples {
        let highest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let by = |f: &dyn Fn(&Member) -> f64| self.members.iter().map(f).collect::<Vec<f64>>();
        let gbq = |m: &Member, n: usize| m.activity[n] * sessions[n].prescription.activity_gbq;
        let each = 0..sessions.len();
        Samples::from([
            ("lung_shunt_percent".to_owned(), by(&|m| 100.0 * m.shunt)),
            (
                "lung_activity_gbq".to_owned(),
                by(&|m| m.shunt * highest(&mut each.clone().map(|n| gbq(m, n)))),
            ),
            (
                "lung_dose_session_gy".to_owned(),
                by(&|m| highest(&mut each.clone().map(|n| m.lungs[n] * limits.all_in_lungs_gy[n]))),
            ),
            ("lung_dose_cumulative_gy".to_owned(), lung_all),
            ("normal_liver_dose_gy".to_owned(), normal),
        ])
    }
}

/// BED of a compartment at a multiple of its dose: `m f + q f²`, the linear and the quadratic part.
fn bed_of(c: &Compartment) -> impl Fn(f64) -> f64 + use<> {
    let linear = c.dose_gy.mean;
    let quadratic = c.bed_gy.mean - linear;
    move |f| linear * f + quadratic * f * f
}

/// Sums over the sessions, member by member.
struct Sums {
    whole_normal: Vec<f64>,
    whole_normal_bed: Vec<f64>,
    /// The highest of the sessions' perfused normal livers.
    highest_normal: Vec<f64>,
    tumours: BTreeMap<String, Vec<f64>>,
}

impl Sums {
    fn new(members: usize, limits: &Limits<'_>) -> Self {
        Self {
            whole_normal: vec![limits.given[0]; members],
            whole_normal_bed: vec![limits.given[1]; members],
            highest_normal: vec![0.0; members],
            tumours: BTreeMap::new(),
        }
    }

    fn add(&mut self, c: &Compartment, territory: &str, factors: &[f64], limits: &Limits<'_>) {
        let mean = c.dose_gy.mean;
        let bed = bed_of(c);
        let add = |to: &mut Vec<f64>, f: &dyn Fn(f64) -> f64| {
            to.iter_mut().zip(factors).for_each(|(sum, factor)| *sum += f(*factor));
        };
        match c.role.as_str() {
            "whole_normal_liver" => {
                add(&mut self.whole_normal, &|f| mean * f);
                add(&mut self.whole_normal_bed, &bed);
            }
            "tumour" => {
                let given = || vec![(limits.given_tumour)(&c.name); factors.len()];
                add(self.tumours.entry(c.name.clone()).or_insert_with(given), &|f| mean * f);
            }
            "perfused_normal_liver" => {
                for (highest, f) in self.highest_normal.iter_mut().zip(factors) {
                    *highest = highest.max((limits.with_before)(territory, mean * f));
                }
            }
            _ => {}
        }
    }
}

/// What the ensemble says of a compartment.
struct Found {
    level: f64,
    /// Mean doses over the planned one.
    doses: Spread,
    /// Volumes over the drawn one.
    volumes: Spread,
    /// First-order relative standard uncertainty of the mean dose.
    relative: f64,
}

impl Found {
    /// Puts the intervals beside a compartment's measures. All rise or fall with the dose, so that the
    /// limits of a measure are the measure at the limits of the dose.
    fn describe(
        self,
        c: &mut Compartment,
        curve: Option<&DvhCurve>,
        device: &str,
        sets: &ParameterSets,
    ) {
        let limits = self.doses.interval(self.level);
        let mut intervals: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        let mut put = |name: &str, of: &dyn Fn(f64) -> f64| {
            intervals.insert(name.to_owned(), limits.map(of));
        };
        let d = &c.dose_gy;
        for (name, gy) in [
            ("mean", d.mean),
            ("min", d.min),
            ("max", d.max),
            ("d2", d.d2),
            ("d50", d.d50),
            ("d70", d.d70),
            ("d95", d.d95),
            ("d98", d.d98),
        ] {
            put(name, &|f| gy * f);
        }
        if let Some(eud) = c.eud_gy {
            put("eud", &|f| eud * f);
        }
        put("bed_mean", &bed_of(c));
        for (at, gy) in d.v.keys().filter_map(|at| Some((at, at.parse::<f64>().ok()?))) {
            if let Some(curve) = curve {
                put(&format!("v{at}"), &|f| share_above(curve, ratio(gy, f)));
            }
        }
        let dose = |f: f64| Dose::from_gy(d.mean * f);
        for Effect { kind, .. } in &c.effect {
            match (kind.as_str(), sets.tcp_for(device), sets.ntcp_for(device)) {
                ("tcp", Some(s), _) => {
                    put("tcp", &|f| tcp::log_logistic(s.d50(), s.gamma50, dose(f)));
                }
                ("ntcp", _, Some(s)) => {
                    put("ntcp", &|f| ntcp::lkb(s.td50(), s.m, s.n, dose(f), 1.0));
                }
                _ => {}
            }
        }
        if self.volumes.relative_sd() > 0.0 {
            let volume = self.volumes.interval(self.level).map(|v| v * c.volume_ml);
            intervals.insert("volume_ml".to_owned(), volume);
        }
        let median_gy = d.mean * self.doses.quantile(0.5);
        c.dose_gy.mean_interval = limits.map(|f| c.dose_gy.mean * f);
        c.doubt = Some(CompartmentDoubt { median_gy, relative: self.relative, intervals });
    }
}

/// Share of a volume with at least a dose, on its curve.
fn share_above(curve: &DvhCurve, gy: f64) -> f64 {
    let points = &curve.points;
    let after = points.partition_point(|p| p[0] < gy);
    match (after.checked_sub(1).map(|n| points[n]), points.get(after)) {
        (Some([x0, y0]), Some(&[x1, y1])) if x1 > x0 => y0 + (gy - x0) / (x1 - x0) * (y1 - y0),
        (_, Some(&[_, y])) => y,
        (_, None) => 0.0,
    }
}

/// Members in which one source acts, and the others have their bias.
struct Alone {
    level: f64,
    members: Vec<(Id, Vec<Member>)>,
}

impl Alone {
    /// First-order propagation (GUM; EANM, Gear 2018): what each source does alone, added in squares.
    fn relative(&self, of: &dyn Fn(&Member) -> f64) -> f64 {
        let square =
            |members: &Vec<Member>| Spread::of(members.iter().map(of)).relative_sd().powi(2);
        self.members.iter().map(|(_, members)| square(members)).sum::<f64>().sqrt()
    }

    /// What each source does alone, the widest first.
    fn swings(&self, of: &dyn Fn(&Member) -> f64, planned: f64) -> Vec<Swing> {
        let swing = |(id, members): &(Id, Vec<Member>)| {
            let [low, high] = Spread::of(members.iter().map(of)).interval(self.level);
            Swing { source: id.word().to_owned(), low, high }
        };
        let mut list: Vec<Swing> = self.members.iter().map(swing).collect();
        list.retain(|s| s.high - s.low > WORTH_SHOWING * planned.abs());
        list.sort_by(|a, b| (b.high - b.low).total_cmp(&(a.high - a.low)));
        list
    }
}

/// The distribution of each measure at evenly spread places, to five digits: what other activities are
/// asked with.
fn quantiles(samples: &Samples) -> BTreeMap<String, Vec<f64>> {
    let digits = |v: f64| format!("{v:.4e}").parse().unwrap_or(v);
    let of = |values: &Vec<f64>| {
        let spread = Spread::of(values.iter().copied());
        (0..KEPT).map(|n| digits(spread.quantile((n as f64 + 0.5) / KEPT as f64))).collect()
    };
    samples.iter().map(|(name, values)| (name.clone(), of(values))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0, 5.0].into_iter());
        assert_eq!(spread.quantile(0.5), 3.0);
        assert!((spread.quantile(0.125) - 1.5).abs() < 1e-12);
        assert_eq!((spread.quantile(0.0), spread.quantile(1.0)), (1.0, 5.0));
    }

    #[test]
    fn a_share_is_read_from_the_curve() {
        let curve = DvhCurve {
            session: Some(1),
            name: String::new(),
            role: String::new(),
            points: vec![[0.0, 1.0], [10.0, 1.0], [20.0, 0.0]],
        };
        for (gy, share) in [(5.0, 1.0), (15.0, 0.5), (25.0, 0.0)] {
            assert!((share_above(&curve, gy) - share).abs() < 1e-12);
        }
    }
}
