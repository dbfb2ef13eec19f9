//! Dose, drugs and tissue: what irradiation and chemotherapy do to tumours, liver and blood.
//!
//! | module | holds |
//! |---|---|
//! | [`bed`] | biologically effective dose at the dose rate of an exponentially decaying source |
//! | [`eud`] | doses that, given evenly, would do the same |
//! | [`tcp`] | probability of tumour control |
//! | [`ntcp`] | probability of a complication |
//! | [`parameters`] | named dose-effect parameter sets, with their sources |
//! | [`pharmacokinetics`] | how much of a drug there is |
//! | [`mgmt`] | the repair protein that temozolomide uses up |
//! | [`irradiation`] | dose delivered while the source decays, under drugs, unevenly |
//! | [`lesion`] | lesions from day to day |
//! | [`marrow`] | blood counts under a drug |
//! | [`lymphocytes`] | lymphocytes after radioembolization |
//! | [`liver`] | the liver after radioembolization |
//! | [`population`] | how patients differ: parameters with distribution, mark and source |
//! | [`lanes`] | exponentials for many lanes at once |
//!
//! Formulas and parameters are described in `docs/biology.md`. Knows nothing of images and trials.

pub mod bed;
pub mod eud;
pub mod irradiation;
pub mod lanes;
pub mod lesion;
pub mod liver;
pub mod lymphocytes;
pub mod marrow;
pub mod mgmt;
pub mod ntcp;
pub mod parameters;
pub mod pharmacokinetics;
pub mod population;
pub mod tcp;

pub use bed::BedModel;
pub use parameters::ParameterSets;
