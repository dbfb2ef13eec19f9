//! Exponential and logarithm in single precision for many lanes at once.
//!
//! They are plain arithmetic on bits, so a compiler turns a loop over an array of them into vector
//! instructions, and every machine gives the same bits: the mathematical library of the system is
//! not asked.

/// `e^x` for `-87 <= x <= 88`, relative error below 3e-7; beyond that range the end of it.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to a whole number and leaves that number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts: their product with n is exact in the first (Cody and Waite).
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// `ln x` for normal positive `x`, absolute error below 2e-7 near one.
#[inline(always)]
#[must_use]
pub fn ln(x: f32) -> f32 {
    // The mantissa is brought between the square roots of 1/2 and 2, then the series of
    // 2 artanh((m - 1) / (m + 1)).
    let exponent = (x.to_bits().wrapping_sub(0x3f35_04f3) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23) as u32));
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let p = 2.0 / 9.0;
    let p = p * t2 + 2.0 / 7.0;
    let p = p * t2 + 2.0 / 5.0;
    let p = p * t2 + 2.0 / 3.0;
    exponent as f32 * std::f32::consts::LN_2 + t * (2.0 + t2 * p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_agree_with_double_precision() {
        for n in -8_600..8_700 {
            let x = n as f32 * 0.01;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "exp {x}");
        }
        for n in 1..200_000 {
            let x = n as f32 * 0.000_5;
            let error = f64::from(ln(x)) - f64::from(x).ln();
            assert!(error.abs() < 3e-7 * f64::from(x).ln().abs().max(1.0), "ln {x}: {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(ln(1.0), 0.0);
    }
}
