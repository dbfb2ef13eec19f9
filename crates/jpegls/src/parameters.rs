//! Coding parameters: those of the preset parameters segment or their defaults (C.2.4.1.1), and what
//! follows from them (A.2).

use crate::Error;

/// As the preset parameters segment has them; 0 is the default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Preset {
    pub(crate) maxval: u16,
    pub(crate) thresholds: [u16; 3],
    pub(crate) reset: u16,
}

/// All that a scan is decoded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The greatest sample.
    pub(crate) maxval: i32,
    /// How far samples may be off.
    pub(crate) near: i32,
    /// Between the regions of a gradient.
    pub(crate) thresholds: [i32; 3],
    /// After how many samples a context forgets.
    pub(crate) reset: u32,
    /// How many values a prediction error has.
    pub(crate) range: i32,
    /// Bits of such a value.
    pub(crate) qbpp: u32,
    /// The longest code.
    pub(crate) limit: u32,
}

impl Parameters {
    pub(crate) fn new(bits: u8, near: u8, preset: Preset) -> Result<Self, Error> {
        let greatest = (1 << bits) - 1;
        let within = |what, found: u16, [low, high]: [i32; 2], default: i32| match i32::from(found)
        {
            0 => Ok(default),
            v if (low..=high).contains(&v) => Ok(v),
            v => Err(Error::Value {
                what,
                found: v.to_string(),
                expected: format!("{low} to {high}, or 0 for the default"),
            }),
        };
        let maxval = within("MAXVAL", preset.maxval, [1, greatest], greatest)?;
        let near = i32::from(near);
        if near > maxval / 2 {
            return Err(Error::Value {
                what: "NEAR",
                found: near.to_string(),
                expected: format!("at most {}", maxval / 2),
            });
        }
        let defaults = default_thresholds(maxval, near);
        let [p1, p2, p3] = preset.thresholds;
        let t1 = within("threshold T1", p1, [near + 1, maxval], defaults[0])?;
        let t2 = within("threshold T2", p2, [t1, maxval], defaults[1].max(t1))?;
        let t3 = within("threshold T3", p3, [t2, maxval], defaults[2].max(t2))?;
        let reset = within("RESET", preset.reset, [3, maxval.max(255)], 64)?;
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bits_for = |values: i32| 32 - (values - 1).leading_zeros();
        let bpp = bits_for(maxval + 1).max(2);
        Ok(Self {
            maxval,
            near,
            thresholds: [t1, t2, t3],
            reset: reset as u32,
            range,
            qbpp: bits_for(range),
            limit: 2 * (bpp + bpp.max(8)),
        })
    }
}

/// C.2.4.1.1, for 8 bits 3, 7 and 21.
fn default_thresholds(maxval: i32, near: i32) -> [i32; 3] {
    let clamp = |i: i32, low: i32| if i > maxval || i < low { low } else { i };
    let [b1, b2, b3] = if maxval >= 128 {
        let factor = (maxval.min(4095) + 128) / 256;
        [factor + 2, 4 * factor + 3, 17 * factor + 4]
    } else {
        let factor = 256 / (maxval + 1);
        [3, 7, 21].map(|t| t / factor)
    };
    let least = if maxval >= 128 { [0; 3] } else { [2, 3, 4] };
    let t1 = clamp(least[0].max(b1 + 3 * near), near + 1);
    let t2 = clamp(least[1].max(b2 + 5 * near), t1);
    let t3 = clamp(least[2].max(b3 + 7 * near), t2);
    [t1, t2, t3]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bits: u8, near: u8, preset: Preset) -> Result<Parameters, Error> {
        Parameters::new(bits, near, preset)
    }

    #[test]
    fn defaults_are_those_of_the_standard() {
        let of = |bits, near| of(bits, near, Preset::default()).expect("lawful");
        // Table C.3.
        assert_eq!(of(8, 0).thresholds, [3, 7, 21]);
        assert_eq!(of(12, 0).thresholds, [18, 67, 276]);
        assert_eq!(of(16, 0).thresholds, [18, 67, 276]);
        assert_eq!(of(8, 3).thresholds, [3 + 9, 7 + 15, 21 + 21]);
        let eight = of(8, 0);
        assert_eq!((eight.range, eight.qbpp, eight.limit, eight.reset), (256, 8, 32, 64));
        let near = of(8, 2);
        assert_eq!((near.range, near.qbpp), (52, 6));
        let sixteen = of(16, 0);
        assert_eq!((sixteen.range, sixteen.qbpp, sixteen.limit), (65_536, 16, 64));
        let two = of(2, 0);
        assert_eq!((two.range, two.qbpp, two.limit, two.thresholds), (4, 2, 20, [2, 3, 3]));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let said = |near, preset| of(8, near, preset).expect_err("refused").to_string();
        let preset = |maxval, thresholds, reset| Preset { maxval, thresholds, reset };
        let why = said(0, preset(256, [0; 3], 0));
        assert_eq!(why, "MAXVAL is 256, expected 1 to 255, or 0 for the default");
        assert!(said(0, preset(0, [7, 3, 21], 0)).contains("threshold T2 is 3, expected 7 to 255"));
        assert!(said(0, preset(0, [0; 3], 2)).contains("RESET is 2"));
        assert!(said(128, Preset::default()).contains("NEAR is 128, expected at most 127"));
    }
}
