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

/// Counter-based random numbers: Philox4x32 with ten rounds (Salmon, Moraes, Dror and Shaw 2011,
/// SC'11). Whoever knows the seed, the subject and the purpose can ask for any of them, in any order
/// and on any machine: a virtual patient is the same whatever ran before.
///
/// A block of four numbers is named by `(subject, purpose, block)`; nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    seed: u64,
    subject: u64,
}

impl Keyed {
    /// Numbers of a subject (a patient, a history) under a seed.
    #[must_use]
    pub fn new(seed: u64, subject: u64) -> Self {
        Self { seed, subject }
    }

    /// Four times 32 bits.
    #[inline]
    #[must_use]
    pub fn bits(&self, purpose: u32, block: u32) -> [u32; 4] {
        let counter = [block, purpose, self.subject as u32, (self.subject >> 32) as u32];
        philox(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// Four numbers between 0 and 1, neither of them.
    #[inline]
    #[must_use]
    pub fn uniform(&self, purpose: u32, block: u32) -> [f64; 4] {
        self.bits(purpose, block).map(|b| (f64::from(b) + 0.5) / 4_294_967_296.0)
    }

    /// Four standard normal numbers.
    #[inline]
    #[must_use]
    pub fn gauss(&self, purpose: u32, block: u32) -> [f64; 4] {
        self.uniform(purpose, block).map(normal_quantile)
    }

    /// Four numbers of the exponential distribution of mean one.
    #[inline]
    #[must_use]
    pub fn exponential(&self, purpose: u32, block: u32) -> [f64; 4] {
        self.uniform(purpose, block).map(|u| -libm::log(u))
    }
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let wide = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = wide(0xD251_1F53, counter[0]);
        let (high1, low1) = wide(0xCD9E_8D57, counter[2]);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// The standard normal deviate below which a share `p` lies, `0 < p < 1`; relative error below
/// 1.2e-9 (Acklam's rational approximation, 2003). The logarithm is the `libm` crate's, not the
/// machine's, so that the last bit is the same everywhere.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TAIL: f64 = 0.024_25;
    let polynomial = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    if p < TAIL {
        let q = (-2.0 * libm::log(p)).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    } else if p > 1.0 - TAIL {
        -normal_quantile(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        q * polynomial(&A, r) / polynomial(&B, r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_bits_are_those_of_the_published_test_vectors() {
        // Random123's known answers for philox4x32, ten rounds.
        let all = u32::MAX;
        for (counter, key, expected) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([all; 4], [all; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn normal_deviates_are_the_published_ones() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.05, -1.644_853_626_951_473),
            (0.001, -3.090_232_306_167_813),
            (1e-9, -5.997_807_015_007_687),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}");
        }
        let n = 50_000_u64;
        let z: Vec<f64> = (0..n).flat_map(|i| Keyed::new(7, i).gauss(3, 0)).collect();
        let mean = z.iter().sum::<f64>() / z.len() as f64;
        let variance = z.iter().map(|v| v * v).sum::<f64>() / z.len() as f64;
        assert!(mean.abs() < 0.008 && (variance - 1.0).abs() < 0.012, "{mean} {variance}");
    }

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
