//! Random numbers that are the same whatever the order of work: everyone who needs some (a voxel, an
//! electron's history) begins a generator of his own from a key.

/// SplitMix64 (Steele, Lea and Flood 2014, with the constants of Vigna's reference implementation).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with that state. Keys that differ in few bits may be taken as they are: the first
    /// numbers do not show it.
    #[must_use]
    pub fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, neither of them.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Mean zero, standard deviation one (Box and Muller's cosine).
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
    fn the_bits_are_those_of_the_reference_implementation() {
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected, std::array::from_fn(|_| random.bits()));
    }

    #[test]
    fn counts_have_their_mean_and_variance() {
        for mean in [0.5, 8.0, 100.0] {
            let n = 20_000_u64;
            let x: Vec<f64> = (0..n).map(|i| Random::new(i).poisson(mean)).collect();
            let average = x.iter().sum::<f64>() / n as f64;
            let variance = x.iter().map(|v| (v - average).powi(2)).sum::<f64>() / n as f64;
            assert!((average / mean - 1.0).abs() < 0.03, "{mean}: {average}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{mean}: {variance}");
        }
    }
}
