//! Random numbers by counter: each voxel's own, whatever the order of work.

/// Uniform numbers of one voxel of one stream.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, stream: u64, index: u64) -> Self {
        let mut r = Self(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        r.0 = r.next() ^ index;
        Self(r.next())
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, neither of them.
    pub fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Mean zero, standard deviation one.
    pub fn gauss(&mut self) -> f64 {
        let r = (-2.0 * self.uniform().ln()).sqrt();
        r * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A count of that mean: by Knuth's products below 30, by the normal distribution above.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.gauss()).round().max(0.0);
        }
        let limit = (-mean).exp();
        let (mut n, mut product) = (0.0, self.uniform());
        while product > limit {
            n += 1.0;
            product *= self.uniform();
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_mean_and_variance() {
        for mean in [0.5, 8.0, 100.0] {
            let n = 20_000_u64;
            let x: Vec<f64> = (0..n).map(|i| Random::new(1, 2, i).poisson(mean)).collect();
            let average = x.iter().sum::<f64>() / n as f64;
            let variance = x.iter().map(|v| (v - average).powi(2)).sum::<f64>() / n as f64;
            assert!((average / mean - 1.0).abs() < 0.03, "{mean}: {average}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{mean}: {variance}");
        }
    }
}
