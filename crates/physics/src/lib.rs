//! Physics that everything else stands on: quantities with units, radionuclides and their decay,
//! beta spectra, stopping powers, and the materials a CT number stands for.
//!
//! | module | holds |
//! |---|---|
//! | [`quantity`] | activity, dose, mass, ... as types; no bare number crosses a crate's border |
//! | [`nuclide`] | half-lives, energies per decay, decay of an activity over time |
//! | [`constants`] | physical constants with their sources |
//! | [`material`] | what tissue is made of, and the density a CT number stands for |
//! | [`spectrum`] | beta spectra of 90Y, 166Ho and 177Lu |
//! | [`stopping`] | stopping power and range of electrons |
//! | [`scattering`] | angular scattering of electrons |
//! | [`random`] | random numbers by key, for transport and noise |
//!
//! Knows nothing of images, patients or protocols.

pub mod constants;
pub mod material;
pub mod nuclide;
pub mod quantity;
pub mod random;
pub mod scattering;
pub mod spectrum;
pub mod stopping;

pub use nuclide::Nuclide;
pub use quantity::{
    Activity, Bed, Density, Dose, DosePerActivity, Energy, EnergyPerActivity, Length, Mass,
    TimeSpan, Volume,
};
