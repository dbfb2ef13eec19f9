//! Dose to effect: BED, EUD, TCP, NTCP.
//!
//! | module | holds |
//! |---|---|
//! | [`bed`] | biologically effective dose at the dose rate of an exponentially decaying source |
//! | [`eud`] | doses that, given evenly, would do the same |
//! | [`tcp`] | probability of tumour control |
//! | [`ntcp`] | probability of a complication |
//! | [`parameters`] | named parameter sets, with their sources |
//!
//! Formulas and parameters are described in `docs/biology.md`. Knows nothing of images and trials.

pub mod bed;
pub mod eud;
pub mod ntcp;
pub mod parameters;
pub mod tcp;

pub use bed::BedModel;
pub use parameters::ParameterSets;
