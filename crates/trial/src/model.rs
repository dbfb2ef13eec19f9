//! What all virtual patients of one population and one program share: parameters turned into the
//! constants of the daily step.

use crate::lesion_dose::LesionDose;
use hepatica_biology::liver::Tolerance;
use hepatica_biology::lymphocytes::Lymphocytes;
use hepatica_biology::marrow::{Chain, DailyStep};
use hepatica_biology::mgmt::Mgmt;
use hepatica_biology::population::{Parameter, Setting, Theta};
use hepatica_physics::{Dose, Nuclide, TimeSpan};
use std::f64::consts::LN_2;

/// Days of a month, for hazards per month and medians in months.
pub const MONTH_D: f64 = 30.4375;

/// Constants of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The parameters.
    pub theta: Theta,
    /// Who is enrolled.
    pub setting: Setting,
    /// Decay of the nuclide, 1/d.
    pub decay_per_d: f64,
    /// Hour of the day at which spheres are given, as a share of it.
    pub instilled: f64,
    /// Lea-Catcheside factor over alpha/beta, 1/Gy.
    pub quadratic_per_gy: f64,
    /// Share of doomed cells that a day leaves.
    pub doomed_left: f32,
    /// Neutrophils and platelets.
    pub marrow: [DailyStep; 2],
    /// MGMT.
    pub mgmt: Mgmt,
    /// Rate at which the sensitiser's effect goes without temozolomide, 1/d.
    pub tail_per_d: f64,
    /// The liver.
    pub liver: Tolerance,
    /// Lymphocytes.
    pub lymphocytes: Lymphocytes,
    /// Doses of lesions from a real plan, one of which each lesion takes; none: as the population says.
    pub lesion_doses: Vec<LesionDose>,
    /// Whether blood counts hold and reduce doses; without, relative doses are full.
    pub with_marrow: bool,
}

impl Model {
    /// Constants of a population that could be, for a nuclide.
    #[must_use]
    pub fn new(theta: Theta, setting: Setting, nuclide: &Nuclide) -> Self {
        use Parameter as P;
        let chain = |transit: P, feedback: P| {
            DailyStep::new(&Chain {
                mean_transit: TimeSpan::from_h(theta[transit]),
                feedback: theta[feedback],
            })
        };
        let (lambda, mu) =
            (LN_2 / nuclide.half_life.d(), LN_2 / TimeSpan::from_h(theta[P::RepairHalfTimeH]).d());
        Self {
            setting,
            decay_per_d: lambda,
            instilled: 0.5,
            quadratic_per_gy: lambda / (mu + lambda) / theta[P::AlphaBetaGy],
            doomed_left: libm::exp(-LN_2 / theta[P::ClearanceHalfLifeD]) as f32,
            marrow: [
                chain(P::NeutrophilsTransitH, P::NeutrophilsFeedback),
                chain(P::PlateletsTransitH, P::PlateletsFeedback),
            ],
            mgmt: Mgmt::new(theta[P::MgmtLoss], theta[P::MgmtRecoveryPerD]),
            tail_per_d: LN_2 / theta[P::TemozolomideTailD],
            liver: Tolerance {
                td50: Dose::from_gy(theta[P::LiverTd50Gy]),
                slope: theta[P::LiverSlope],
                dose_modifying_factor: theta[P::LiverDrugFactor],
            },
            lymphocytes: Lymphocytes {
                fall: theta[P::LymphocytesFall],
                reference_gy: theta[P::LiverDoseMedianGy],
                recovery_d: theta[P::LymphocytesRecoveryD],
            },
            lesion_doses: Vec::new(),
            with_marrow: true,
            theta,
        }
    }
}
