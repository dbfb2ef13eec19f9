//! Time until an event, when not everybody has had it yet.
//!
//! | question | where | needs |
//! |---|---|---|
//! | what share is free of the event at t, the median | [`KaplanMeier`] | [`Survival`] |
//! | do two or more groups differ | [`log_rank`] | the same and groups |
//! | does one group differ from a hazard fixed in advance | [`one_sample_log_rank`] | times, events |
//! | by how much, given covariates | [`cox`] | the same and covariates |
//! | the mean up to a horizon | [`restricted_mean`] | a curve |
//! | a curve of a known shape | [`parametric`] | exact, censored or interval-censored times |
//! | several kinds of event | [`competing`] | [`CompetingRisks`] |
//! | the event is seen only at visits | [`interval`] | [`IntervalCensored`] |

pub mod competing;
pub mod cox;
mod data;
pub mod interval;
mod kaplan_meier;
mod log_rank;
mod one_sample;
pub mod parametric;
mod regression;
mod restricted_mean;

pub use competing::{AalenJohansen, CompetingRisks};
pub use data::{RiskSet, Survival};
pub use interval::{IntervalCensored, Turnbull};
pub use kaplan_meier::{CurveAt, KaplanMeier, QuantileEstimate, Scale, median_in_place};
pub use log_rank::{LogRank, LogRankOptions, TwoSample, log_rank, two_sample_in_place};
pub use one_sample::{OneSample, Weibull, one_sample_log_rank};
pub use restricted_mean::{RestrictedMean, RestrictedMeanDifference, restricted_mean};
