//! Turning a direction, and the angle of a step.

use hepatica_physics::random::Random;

/// Any direction, all alike.
#[must_use]
pub fn isotropic(random: &mut Random) -> [f32; 3] {
    let z = 2.0 * random.uniform() as f32 - 1.0;
    let across = (1.0 - z * z).max(0.0).sqrt();
    let (s, c) = azimuth(random);
    [across * c, across * s, z]
}

/// Sine and cosine of a random azimuth, from a point in the unit disc.
#[inline]
fn azimuth(random: &mut Random) -> (f32, f32) {
    loop {
        // Two numbers of 32 bits from one of 64.
        let bits = random.bits();
        let half = |bits: u32| (bits as i32 as f32 + 0.5) * (1.0 / 2_147_483_648.0);
        let (a, b) = (half(bits as u32), half((bits >> 32) as u32));
        let square = a * a + b * b;
        if square <= 1.0 && square > 1e-9 {
            // Half the angle's point, doubled: no square root.
            return (2.0 * a * b / square, (a * a - b * b) / square);
        }
    }
}

/// A direction after so many first and second transport paths: an angle from two uniform pieces
/// that have the right first two moments (the artificial distribution of Salvat, PENELOPE-2018
/// 4.1), at any azimuth.
#[inline]
#[must_use]
pub fn deflect(along: [f32; 3], first: f32, second: f32, random: &mut Random) -> [f32; 3] {
    let mean = 0.5 * (1.0 - decay(first));
    let square = mean - (1.0 - decay(second)) / 6.0;
    let b = ((2.0 * mean - 3.0 * square) / (1.0 - 2.0 * mean)).clamp(0.0, 1.0);
    let a = (1.0 - 2.0 * mean + b).clamp(0.0, 1.0);
    let bits = random.bits();
    let share = |bits: u32| (bits >> 8) as f32 * (1.0 / 16_777_216.0);
    let u = share(bits as u32);
    let mu = if share((bits >> 32) as u32) < a { b * u } else { b + (1.0 - b) * u };
    turn(along, 1.0 - 2.0 * mu, random).0
}

/// `exp(-x)` for x from 0 to 1.2, to 2e-5: a quotient of a quarter of x, to the fourth.
#[inline]
fn decay(x: f32) -> f32 {
    let q = 0.25 * x;
    let (even, odd) = (1.0 + q * q * (1.0 / 12.0), 0.5 * q);
    let e = (even - odd) / (even + odd);
    let e = e * e;
    e * e
}

/// A direction turned by a polar angle of that cosine at any azimuth, and one turned by another
/// cosine (`turned_by`) to the other side, for a collision's two electrons.
#[inline]
#[must_use]
pub fn turn(along: [f32; 3], cosine: f32, random: &mut Random) -> ([f32; 3], (f32, f32)) {
    let (s, c) = azimuth(random);
    (turn_at(along, cosine, s, c), (s, c))
}

/// A direction turned by a polar angle of that cosine, at an azimuth of that sine and cosine.
#[inline]
#[must_use]
pub fn turn_at([x, y, z]: [f32; 3], cosine: f32, s: f32, c: f32) -> [f32; 3] {
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    let across2 = (1.0 - z * z).max(0.0);
    let turned = if across2 < 1e-10 {
        [sine * c, sine * s, cosine * z.signum()]
    } else {
        let across = across2.sqrt();
        let per = sine / across;
        [
            x * cosine + per * (x * z * c - y * s),
            y * cosine + per * (y * z * c + x * s),
            z * cosine - sine * across * c,
        ]
    };
    // One step of Newton's method keeps the length at one.
    let square = turned[0] * turned[0] + turned[1] * turned[1] + turned[2] * turned[2];
    let scale = 0.5 * (3.0 - square);
    turned.map(|v| v * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_stay_of_length_one_and_turn_by_the_angle() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            let from = isotropic(&mut random);
            let cosine = 2.0 * random.uniform() as f32 - 1.0;
            let (to, _) = turn(from, cosine, &mut random);
            let dot: f32 = (0..3).map(|a| from[a] * to[a]).sum();
            assert!((to.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-6);
            assert!((dot - cosine).abs() < 2e-3);
        }
        let (up, _) = turn([0.0, 0.0, -1.0], 0.5, &mut random);
        assert!((up[2] + 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_exponential_is_one() {
        for n in 0..=120 {
            let x = n as f32 / 100.0;
            assert!((decay(x) / (-x).exp() - 1.0).abs() < 2e-5, "{x}");
        }
    }

    #[test]
    fn the_angle_of_a_step_has_the_two_moments() {
        let mut random = Random::new(2);
        for (first, second) in [(0.05, 0.14), (0.2, 0.55)] {
            let n = 200_000;
            let mut sums = [0.0; 2];
            for _ in 0..n {
                let c = f64::from(deflect([1.0, 0.0, 0.0], first, second, &mut random)[0]);
                sums[0] += c;
                sums[1] += 0.5 * (3.0 * c * c - 1.0);
            }
            for (sum, path) in sums.into_iter().zip([first, second]) {
                let expected = f64::from(-path).exp();
                assert!((sum / f64::from(n) - expected).abs() < 2e-3, "{sum} {expected}");
            }
        }
    }
}
