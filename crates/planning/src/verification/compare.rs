//! Planned against delivered: compartments by their histograms, and voxel by voxel.

use super::record::{Compared, GammaResult, Isodose, Measures, Quality, TumourQuality, Voxels};
use crate::plan::{self, Effect};
use crate::tissue::Named;
use hepatica_biology::{ParameterSets, ntcp, tcp};
use hepatica_dosimetry::dvh::Dvh;
use hepatica_dosimetry::gamma::{Criterion, GammaError, gamma};
use hepatica_imaging::{Image, Mask};
use hepatica_physics::{Dose, TimeSpan};

/// Two-sided 95 % of a normal distribution.
const Z95: f64 = 1.959_964;
/// Doses whose isodoses are compared, in Gy.
const ISODOSES_GY: [f64; 8] = [20.0, 40.0, 70.0, 100.0, 150.0, 200.0, 300.0, 400.0];
/// An isodose of less than this is noise.
const LEAST_ISODOSE_ML: f64 = 0.5;
/// Q is not asked for where less than this share of the highest dose was planned.
const LEAST_PLANNED: f64 = 0.02;
/// Points of the Q-volume histogram, up to this Q.
const Q_POINTS: usize = 121;
const Q_TOP: f64 = 3.0;

/// What a compartment's doses need besides the dose.
pub(super) struct Context<'a> {
    pub(super) sets: &'a ParameterSets,
    pub(super) half_life: TimeSpan,
    pub(super) device: &'a str,
    pub(super) planned_gbq: f64,
    pub(super) delivered_gbq: f64,
    /// Relative standard uncertainty of tumour means and of others.
    pub(super) uncertainty: [f64; 2],
}

impl Context<'_> {
    /// A compartment as delivered beside the plan's of that name and role.
    pub(super) fn compartment(
        &self,
        name: &str,
        role: &str,
        dose_gy: &Image<f32>,
        mask: &Mask,
        session: &plan::Session,
    ) -> Option<(Compared, Dvh)> {
        let dvh = Dvh::new(dose_gy, mask)?;
        let set = self.sets.bed_for(role).or_else(|| self.sets.bed_for("whole_normal_liver"))?;
        let model = set.model();
        let mean = dvh.mean();
        let planned = session.compartments.iter().find(|c| c.name == name && c.role == role);
        let planned = planned.map(|c| Measures {
            mean: c.dose_gy.mean,
            mean_interval: c.dose_gy.mean_interval,
            d95: c.dose_gy.d95,
            d70: c.dose_gy.d70,
            d50: c.dose_gy.d50,
            d2: c.dose_gy.d2,
            bed_mean: c.bed_gy.mean,
            bed_set: c.bed_gy.set.clone(),
        });
        let ratio = planned.as_ref().filter(|p| p.mean > 0.0).map(|p| mean / p.mean);
        let compared = Compared {
            name: name.to_owned(),
            role: role.to_owned(),
            volume_ml: dvh.volume().ml(),
            difference_gy: planned.as_ref().map(|p| mean - p.mean),
            ratio,
            ratio_at_equal_activity: ratio.map(|r| r * self.planned_gbq / self.delivered_gbq),
            planned,
            delivered: Measures {
                mean,
                mean_interval: interval(mean, self.uncertainty[usize::from(role != "tumour")]),
                d95: dvh.d(95.0),
                d70: dvh.d(70.0),
                d50: dvh.d(50.0),
                d2: dvh.d(2.0),
                bed_mean: dvh.mean_of(|d| model.bed(Dose::from_gy(d), self.half_life).gy()),
                bed_set: set.id.clone(),
            },
            effect: self.effects(role, mean),
        };
        Some((compared, dvh))
    }

    fn effects(&self, role: &str, mean: f64) -> Vec<Effect> {
        let mean = Dose::from_gy(mean);
        let tumour =
            self.sets.tcp_for(self.device).filter(|_| role == "tumour").map(|set| Effect {
                kind: "tcp".to_owned(),
                probability: tcp::log_logistic(set.d50(), set.gamma50, mean),
                set: set.id.clone(),
                endpoint: set.endpoint.clone(),
                source: set.cited(),
            });
        let liver = self.sets.ntcp_for(self.device).filter(|_| role == "whole_normal_liver");
        let liver = liver.map(|set| Effect {
            kind: "ntcp".to_owned(),
            probability: ntcp::lkb(set.td50(), set.m, set.n, mean, 1.0),
            set: set.id.clone(),
            endpoint: set.endpoint.clone(),
            source: set.cited(),
        });
        tumour.into_iter().chain(liver).collect()
    }
}

/// 95 % interval of a value above zero with a relative standard uncertainty: log-normal.
pub(super) fn interval(value: f64, relative: f64) -> [f64; 2] {
    let sigma = (1.0 + relative * relative).ln().sqrt();
    [value * (-Z95 * sigma).exp(), value * (Z95 * sigma).exp()]
}

/// Both doses on the plan's grid.
pub(super) struct Pair<'a> {
    /// As planned, in Gy.
    pub(super) planned: &'a Image<f32>,
    /// As delivered, on any grid.
    pub(super) delivered: &'a Image<f32>,
    /// As delivered, on the plan's grid.
    pub(super) delivered_on_plan: &'a Image<f32>,
    /// The territory treated, on the plan's grid.
    pub(super) territory: &'a Mask,
    /// The liver on that grid.
    pub(super) liver: &'a Mask,
    /// Its tumours in the territory.
    pub(super) tumours: &'a [Named],
}

/// Planned and delivered dose of every voxel that is in a mask by at least half.
fn pairs(pair: &Pair<'_>, mask: &Mask) -> Vec<[f64; 2]> {
    let (p, d) = (pair.planned.data(), pair.delivered_on_plan.data());
    let inside = mask.voxels().filter(|(_, f)| *f >= 0.5);
    inside.map(|(n, _)| [f64::from(p[n]), f64::from(d[n])]).collect()
}

/// Planned and delivered dose of every voxel, in Gy.
type Scatter = Vec<[f32; 2]>;

/// All measures of voxels, and the pairs behind the scatter plot; `None` where fewer than three voxels can
/// be compared.
pub(super) fn voxels(
    pair: &Pair<'_>,
    criteria: &[Criterion],
) -> Result<Option<(Voxels, Scatter)>, GammaError> {
    let all = pairs(pair, pair.territory);
    let Some(a) = Agreement::of(&all) else { return Ok(None) };
    let gamma = criteria
        .iter()
        .map(|c| {
            let g = gamma(pair.planned, pair.delivered, Some(pair.territory), c)?;
            Ok(GammaResult {
                dose_percent: 100.0 * c.dose,
                distance_mm: c.distance_mm,
                kind: if c.local { "local" } else { "global" }.to_owned(),
                cutoff_percent: 100.0 * c.cutoff,
                reference_gy: g.reference_dose,
                count: g.values.len(),
                pass_rate: g.pass_rate(),
                mean: g.mean(),
            })
        })
        .collect::<Result<_, GammaError>>()?;
    let made = Voxels {
        count: all.len(),
        concordance: a.concordance,
        concordance_interval: a.interval,
        correlation: a.correlation,
        mean_difference_gy: a.difference,
        limits_of_agreement_gy: [-1.0, 1.0].map(|s| a.difference + s * Z95 * a.spread),
        gamma,
        quality: quality(pair, &all),
        isodoses: isodoses(pair),
    };
    Ok(Some((made, all.iter().map(|p| p.map(|x| x as f32)).collect())))
}

/// How two series of values agree.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Agreement {
    concordance: f64,
    interval: [f64; 2],
    correlation: f64,
    difference: f64,
    /// Standard deviation of the differences.
    spread: f64,
}

impl Agreement {
    /// Lin 1989 (moments over n, variance of the transformed coefficient over n - 2, as corrected in 2000);
    /// Bland and Altman 1986.
    fn of(pairs: &[[f64; 2]]) -> Option<Self> {
        let n = pairs.len() as f64;
        if pairs.len() < 3 {
            return None;
        }
        let mean = |f: &dyn Fn(&[f64; 2]) -> f64| pairs.iter().map(f).sum::<f64>() / n;
        let (mx, my) = (mean(&|p| p[0]), mean(&|p| p[1]));
        let vx = mean(&|p| (p[0] - mx).powi(2));
        let vy = mean(&|p| (p[1] - my).powi(2));
        let cov = mean(&|p| (p[0] - mx) * (p[1] - my));
        let shift = (mx - my).powi(2);
        let spread = (vx + vy - 2.0 * cov).max(0.0) * n / (n - 1.0);
        let whole = vx + vy + shift;
        // Two equal constants agree; a constant has no correlation.
        let concordance = if whole > 0.0 { 2.0 * cov / whole } else { 1.0 };
        let scale = (vx * vy).sqrt();
        let correlation = if scale > 0.0 { cov / scale } else { 0.0 };
        let interval = if concordance.abs() < 1.0 - 1e-12 && correlation.abs() > 1e-9 {
            let (c, r) = (concordance, correlation);
            let u = shift / scale;
            let c2 = 1.0 - c * c;
            let variance = ((1.0 - r * r) * c * c / (c2 * r * r)
                + 2.0 * c.powi(3) * (1.0 - c) * u / (r * c2 * c2)
                - c.powi(4) * u * u / (2.0 * r * r * c2 * c2))
                / (n - 2.0);
            let half = Z95 * variance.max(0.0).sqrt();
            [-half, half].map(|h| (c.atanh() + h).tanh())
        } else {
            [concordance; 2]
        };
        Some(Self {
            concordance,
            interval,
            correlation,
            difference: my - mx,
            spread: spread.sqrt(),
        })
    }
}

/// Mean of `|Q - 1|` over voxels with a planned dose of at least `least`; `None` without any.
fn factor(pairs: &[[f64; 2]], least: f64) -> Option<f64> {
    let q: Vec<f64> = ratios(pairs, least);
    (!q.is_empty()).then(|| q.iter().map(|q| (q - 1.0).abs()).sum::<f64>() / q.len() as f64)
}

fn ratios(pairs: &[[f64; 2]], least: f64) -> Vec<f64> {
    pairs.iter().filter(|p| p[0] >= least && p[0] > 0.0).map(|p| p[1] / p[0]).collect()
}

fn quality(pair: &Pair<'_>, all: &[[f64; 2]]) -> Quality {
    let least = LEAST_PLANNED * all.iter().map(|p| p[0]).fold(0.0, f64::max);
    let mut q = ratios(all, least);
    q.sort_by(f64::total_cmp);
    let count = q.len().max(1) as f64;
    let at_least = |x: f64| (q.len() - q.partition_point(|v| *v < x)) as f64 / count;
    let (below, above) =
        (1.0 - at_least(0.9), (q.len() - q.partition_point(|v| *v <= 1.1)) as f64 / count);
    let tumours = pair.tumours.iter().filter_map(|t| {
        let factor = factor(&pairs(pair, &t.mask), least)?;
        Some(TumourQuality { name: t.name.clone(), factor })
    });
    Quality {
        factor: factor(all, least).unwrap_or(0.0),
        median: q.get(q.len() / 2).copied().unwrap_or(0.0),
        within_10_percent: 1.0 - below - above,
        below,
        above,
        curve: (0..Q_POINTS)
            .map(|n| Q_TOP * n as f64 / (Q_POINTS - 1) as f64)
            .map(|x| [x, at_least(x)])
            .collect(),
        tumours: tumours.collect(),
    }
}

fn isodoses(pair: &Pair<'_>) -> Vec<Isodose> {
    let ml = pair.planned.grid().voxel_volume().ml();
    let (p, d) = (pair.planned.data(), pair.delivered_on_plan.data());
    let sums = |level: f64| {
        let mut sums = [0.0_f64; 3];
        for (n, f) in pair.liver.voxels() {
            let (planned, delivered) = (f64::from(p[n]) >= level, f64::from(d[n]) >= level);
            let v = f64::from(f) * ml;
            sums[0] += if planned { v } else { 0.0 };
            sums[1] += if delivered { v } else { 0.0 };
            sums[2] += if planned && delivered { v } else { 0.0 };
        }
        sums
    };
    ISODOSES_GY
        .into_iter()
        .map(|level| (level, sums(level)))
        .filter(|(_, [a, b, _])| a.max(*b) >= LEAST_ISODOSE_ML)
        .map(|(dose_gy, [planned_ml, delivered_ml, both])| {
            let sum = planned_ml + delivered_ml;
            Isodose {
                dose_gy,
                planned_ml,
                delivered_ml,
                dice: (sum > 0.0).then(|| 2.0 * both / sum),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;

    #[test]
    fn concordance_of_two_lists_by_hand() {
        // x 1..5; y 1.2 1.9 3.4 3.8 5.2: means 3 and 3.1, variances (over n) 2 and 1.968, covariance 1.98;
        // 2 1.98 / (2 + 1.968 + 0.01).
        let y = [1.2, 1.9, 3.4, 3.8, 5.2];
        let pairs: Vec<[f64; 2]> =
            y.iter().enumerate().map(|(n, y)| [(n + 1) as f64, *y]).collect();
        let a = Agreement::of(&pairs).expect("five");
        let (my, n) = (3.1, 5.0);
        let vy = y.iter().map(|v| (v - my) * (v - my)).sum::<f64>() / n;
        let cov = y.iter().enumerate().map(|(i, v)| (i as f64 - 2.0) * (v - my)).sum::<f64>() / n;
        assert!((a.concordance - 2.0 * cov / (2.0 + vy + 0.01)).abs() < 1e-12);
        assert!((a.correlation - cov / (2.0 * vy).sqrt()).abs() < 1e-12);
        assert!((a.difference - 0.1).abs() < 1e-12);
        assert!(a.interval[0] < a.concordance && a.concordance < a.interval[1]);
        assert!(a.concordance < a.correlation, "a shift costs concordance, not correlation");
    }

    #[test]
    fn what_is_equal_agrees_and_what_is_scaled_does_not() {
        let same: Vec<[f64; 2]> = (0..50).map(|n| [f64::from(n), f64::from(n)]).collect();
        let a = Agreement::of(&same).expect("fifty");
        assert_eq!((a.concordance, a.difference, a.spread), (1.0, 0.0, 0.0));
        let twice: Vec<[f64; 2]> = (0..50).map(|n| [f64::from(n), 2.0 * f64::from(n)]).collect();
        let a = Agreement::of(&twice).expect("fifty");
        assert!((a.correlation - 1.0).abs() < 1e-12 && a.concordance < 0.75, "{a:?}");
    }

    fn flat(value: f32) -> Image<f32> {
        Image::filled(Grid::axial([10; 3], [2.0; 3], [0.0; 3]).expect("valid"), value)
    }

    #[test]
    fn half_of_the_volume_at_twice_the_dose() {
        let planned = flat(50.0);
        let grid = planned.grid().clone();
        let mut delivered = flat(50.0);
        for (n, d) in delivered.data_mut().iter_mut().enumerate() {
            *d = if n % 10 < 5 { 100.0 } else { 50.0 };
        }
        let whole = Mask::from_fn(grid.clone(), |_| 1.0);
        let hot = Mask::from_fn(grid, |[i, ..]| if i < 5 { 1.0 } else { 0.0 });
        let tumours = [Named { name: "T1".to_owned(), mask: hot }];
        let pair = Pair {
            planned: &planned,
            delivered: &delivered,
            delivered_on_plan: &delivered,
            territory: &whole,
            liver: &whole,
            tumours: &tumours,
        };
        let criteria = [Criterion::global(3.0, 1.0)];
        let (v, scatter) = voxels(&pair, &criteria).expect("doses").expect("voxels");
        assert_eq!((v.count, scatter.len()), (1000, 1000));
        assert!(
            (v.quality.factor - 0.5).abs() < 1e-9
                && (v.quality.tumours[0].factor - 1.0).abs() < 1e-9
        );
        assert!(
            (v.quality.within_10_percent - 0.5).abs() < 1e-9
                && (v.quality.above - 0.5).abs() < 1e-9
        );
        // The 100 Gy isodose is of the delivered dose only, the 40 Gy one is of both.
        let dice: Vec<_> = v.isodoses.iter().map(|i| (i.dose_gy, i.dice)).collect();
        assert_eq!(
            dice,
            [(20.0, Some(1.0)), (40.0, Some(1.0)), (70.0, Some(0.0)), (100.0, Some(0.0))]
        );
        // Beside the cold half the dose planned is within 1 mm in one layer at most.
        assert!((0.5..0.61).contains(&v.gamma[0].pass_rate), "{}", v.gamma[0].pass_rate);
    }
}
