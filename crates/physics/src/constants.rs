//! Physical constants, each with its source. Nuclide data are in [`crate::nuclide`].

/// Elementary charge in coulomb; also joule per electronvolt. CODATA 2018, exact.
pub const ELEMENTARY_CHARGE_C: f64 = 1.602_176_634e-19;

/// Joule per megaelectronvolt. CODATA 2018, exact.
pub const JOULE_PER_MEV: f64 = ELEMENTARY_CHARGE_C * 1e6;

/// Electron rest energy in MeV. CODATA 2018.
pub const ELECTRON_REST_MEV: f64 = 0.510_998_95;

/// Fine-structure constant. CODATA 2018.
pub const FINE_STRUCTURE: f64 = 7.297_352_569_3e-3;
