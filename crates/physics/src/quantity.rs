//! Quantities with units, as types.
//!
//! A quantity is made from a number and the name of its unit, and read back the same way:
//!
//! ```
//! use hepatica_physics::{Activity, Density, DosePerActivity, Volume};
//!
//! let prescribed = Activity::from_gbq(1.5);
//! assert_eq!(prescribed.mbq(), 1500.0);
//!
//! let mass = Density::from_g_per_ml(1.05) * Volume::from_ml(1000.0);
//! assert_eq!(mass.kg(), 1.05);
//!
//! let dose = DosePerActivity::from_gy_per_gbq(40.0) * prescribed;
//! assert_eq!(dose.gy(), 60.0);
//! ```
//!
//! A general library of dimensions cannot tell a becquerel from a hertz or an absorbed dose from a
//! biologically effective one; those are the confusions that matter here, so the types are ours.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

macro_rules! quantity {
    (
        $(#[$doc:meta])* $name:ident, stored in $symbol:literal;
        $( $(#[$unit_doc:meta])* $from:ident / $read:ident = $factor:expr; )+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(f64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0.0);
            $(
                $(#[$unit_doc])*
                #[must_use]
                pub const fn $from(value: f64) -> Self {
                    Self(value * $factor)
                }
                $(#[$unit_doc])*
                #[must_use]
                pub const fn $read(self) -> f64 {
                    self.0 / $factor
                }
            )+
            /// The smaller of two.
            #[must_use]
            pub fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0))
            }
            /// The larger of two.
            #[must_use]
            pub fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }
            /// Absolute value.
            #[must_use]
            pub fn abs(self) -> Self {
                Self(self.0.abs())
            }
            /// Neither infinite nor NaN.
            #[must_use]
            pub fn is_finite(self) -> bool {
                self.0.is_finite()
            }
            /// Finite and above zero: what a mass, a volume or an activity must be to divide by.
            #[must_use]
            pub fn is_positive(self) -> bool {
                self.0.is_finite() && self.0 > 0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)?;
                f.write_str(concat!(" ", $symbol))
            }
        }
        impl Add for $name { type Output = Self; fn add(self, o: Self) -> Self { Self(self.0 + o.0) } }
        impl Sub for $name { type Output = Self; fn sub(self, o: Self) -> Self { Self(self.0 - o.0) } }
        impl Neg for $name { type Output = Self; fn neg(self) -> Self { Self(-self.0) } }
        impl AddAssign for $name { fn add_assign(&mut self, o: Self) { self.0 += o.0; } }
        impl SubAssign for $name { fn sub_assign(&mut self, o: Self) { self.0 -= o.0; } }
        impl Mul<f64> for $name { type Output = Self; fn mul(self, k: f64) -> Self { Self(self.0 * k) } }
        impl Mul<$name> for f64 { type Output = $name; fn mul(self, q: $name) -> $name { $name(self * q.0) } }
        impl Div<f64> for $name { type Output = Self; fn div(self, k: f64) -> Self { Self(self.0 / k) } }
        impl Div for $name { type Output = f64; fn div(self, o: Self) -> f64 { self.0 / o.0 } }
        impl Sum for $name { fn sum<I: Iterator<Item = Self>>(i: I) -> Self { Self(i.map(|q| q.0).sum()) } }
    };
}

/// `A * B = C`, and so `B * A`, `C / A`, `C / B`.
macro_rules! product {
    ($a:ident * $b:ident = $c:ident) => {
        impl Mul<$b> for $a {
            type Output = $c;
            fn mul(self, o: $b) -> $c {
                $c(self.0 * o.0)
            }
        }
        impl Mul<$a> for $b {
            type Output = $c;
            fn mul(self, o: $a) -> $c {
                $c(self.0 * o.0)
            }
        }
        impl Div<$a> for $c {
            type Output = $b;
            fn div(self, o: $a) -> $b {
                $b(self.0 / o.0)
            }
        }
        impl Div<$b> for $c {
            type Output = $a;
            fn div(self, o: $b) -> $a {
                $a(self.0 / o.0)
            }
        }
    };
}

quantity! {
    /// Activity of a radionuclide at one instant.
    Activity, stored in "Bq";
    /// Becquerel.
    from_bq / bq = 1.0;
    /// Megabecquerel.
    from_mbq / mbq = 1e6;
    /// Gigabecquerel.
    from_gbq / gbq = 1e9;
}
quantity! {
    /// Absorbed dose (ICRU 85): energy imparted per mass.
    Dose, stored in "Gy";
    /// Gray.
    from_gy / gy = 1.0;
}
quantity! {
    /// Biologically effective dose: not an absorbed dose, and never to be added to one.
    Bed, stored in "Gy (BED)";
    /// Gray of biologically effective dose.
    from_gy / gy = 1.0;
}
quantity! {
    /// Mass.
    Mass, stored in "kg";
    /// Kilogram.
    from_kg / kg = 1.0;
    /// Gram.
    from_g / g = 1e-3;
}
quantity! {
    /// Volume.
    Volume, stored in "mL";
    /// Millilitre, that is cubic centimetre.
    from_ml / ml = 1.0;
    /// Cubic millimetre.
    from_mm3 / mm3 = 1e-3;
    /// Litre.
    from_l / l = 1e3;
}
quantity! {
    /// Mass density.
    Density, stored in "kg/mL";
    /// Gram per millilitre.
    from_g_per_ml / g_per_ml = 1e-3;
}
quantity! {
    /// Length.
    Length, stored in "mm";
    /// Millimetre.
    from_mm / mm = 1.0;
    /// Centimetre.
    from_cm / cm = 10.0;
    /// Metre.
    from_m / m = 1000.0;
}
quantity! {
    /// Elapsed time between two instants. Civil dates are the regimen's and are not this.
    TimeSpan, stored in "s";
    /// Second.
    from_s / s = 1.0;
    /// Minute.
    from_min / min_ = 60.0;
    /// Hour.
    from_h / h = 3600.0;
    /// Day of exactly 24 hours.
    from_d / d = 86_400.0;
}
quantity! {
    /// Energy.
    Energy, stored in "J";
    /// Joule.
    from_j / j = 1.0;
    /// Megaelectronvolt.
    from_mev / mev = crate::constants::JOULE_PER_MEV;
    /// Kiloelectronvolt.
    from_kev / kev = crate::constants::JOULE_PER_MEV * 1e-3;
}
quantity! {
    /// Absorbed dose of full decay per initial activity.
    DosePerActivity, stored in "Gy/Bq";
    /// Gray per gigabecquerel.
    from_gy_per_gbq / gy_per_gbq = 1e-9;
}
quantity! {
    /// Energy released in full decay per initial activity: the `k` of the dose formulas.
    EnergyPerActivity, stored in "J/Bq";
    /// Joule per gigabecquerel, equal to gray kilogram per gigabecquerel.
    from_j_per_gbq / j_per_gbq = 1e-9;
}

product!(Density * Volume = Mass);
product!(DosePerActivity * Activity = Dose);
product!(EnergyPerActivity * Activity = Energy);
product!(Dose * Mass = Energy);
product!(DosePerActivity * Mass = EnergyPerActivity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert() {
        assert_eq!(Activity::from_gbq(2.0).mbq(), 2000.0);
        assert_eq!(Mass::from_g(250.0).kg(), 0.25);
        assert_eq!(Volume::from_mm3(1000.0).ml(), 1.0);
        assert_eq!(TimeSpan::from_d(1.0).h(), 24.0);
        assert!((Energy::from_mev(1.0).j() - 1.602_176_634e-13).abs() < 1e-25);
    }

    #[test]
    fn one_gbq_of_full_decay_in_one_kilogram_is_k_gray() {
        let k = EnergyPerActivity::from_j_per_gbq(49.67);
        let dose: Dose = k * Activity::from_gbq(1.0) / Mass::from_kg(1.0);
        assert!((dose.gy() - 49.67).abs() < 1e-12);
    }

    #[test]
    fn display_names_the_unit() {
        assert_eq!(format!("{:.1}", Dose::from_gy(12.34)), "12.3 Gy");
    }
}
