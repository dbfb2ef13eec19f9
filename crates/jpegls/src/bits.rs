//! Bits of an entropy-coded segment (A.1, C.1): the highest of a byte first; after a byte 0xFF the
//! highest bit of the next is stuffed and none of ours.

/// What went wrong with a code.
pub(crate) const NO_CODE: &str = "a code of too many zeros";

/// Reads bits; beyond the end it gives zeros and knows it.
pub(crate) struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
    /// The next bits, from the highest on; below the `held` ones are zeros.
    cache: u64,
    held: u32,
    /// How many bits were made up in all because the bytes had ended.
    made_up: u64,
    after_ff: bool,
}

impl<'b> Bits<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, cache: 0, held: 0, made_up: 0, after_ff: false }
    }

    /// Holds at least 56 bits.
    #[inline]
    fn fill(&mut self) {
        if self.held >= 56 {
            return;
        }
        if let (false, Some(next)) = (self.after_ff, self.bytes[self.at..].first_chunk::<8>()) {
            let word = u64::from_be_bytes(*next);
            let any_ff = word & (!word).wrapping_sub(0x0101_0101_0101_0101) & 0x8080_8080_8080_8080;
            if any_ff == 0 {
                let bytes = (64 - self.held) / 8;
                let word = word & (u64::MAX << (64 - 8 * bytes));
                self.cache |= word >> self.held;
                self.held += 8 * bytes;
                self.at += bytes as usize;
                return;
            }
        }
        while self.held < 56 {
            let Some(byte) = self.bytes.get(self.at) else {
                self.made_up += u64::from(64 - self.held);
                self.held = 64;
                return;
            };
            self.at += 1;
            let width = if self.after_ff { 7 } else { 8 };
            self.held += width;
            self.cache |= u64::from(*byte) << (64 - self.held);
            self.after_ff = *byte == 0xFF;
        }
    }

    /// Only what is held.
    #[inline]
    fn take(&mut self, count: u32) {
        // Two steps, since 64 cannot be shifted by.
        self.cache = self.cache << (count / 2) << (count - count / 2);
        self.held -= count;
    }

    /// The next bits as a number, at most 32.
    #[inline]
    pub(crate) fn number(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        self.fill();
        let number = (self.cache >> (64 - count)) as u32;
        self.take(count);
        number
    }

    /// A code of limited length (A.5.3): as many zeros as the part above `k` bits says, a one, the
    /// `k` bits; or `most` zeros, a one, and the number less one in `escape_bits`.
    #[inline]
    pub(crate) fn golomb(
        &mut self,
        k: u32,
        most: u32,
        escape_bits: u32,
    ) -> Result<u32, &'static str> {
        self.fill();
        let mut zeros = self.cache.leading_zeros();
        if zeros >= self.held {
            // At most 64 zeros are lawful, which with the one is more than is held.
            zeros = self.held;
            self.take(zeros);
            self.fill();
            let more = self.cache.leading_zeros();
            if more >= self.held {
                self.take(self.held);
                return Err(NO_CODE);
            }
            self.take(more + 1);
            zeros += more;
        } else {
            self.take(zeros + 1);
        }
        if zeros < most {
            Ok((zeros << k) + self.number(k))
        } else if zeros == most {
            Ok(self.number(escape_bits) + 1)
        } else {
            Err(NO_CODE)
        }
    }

    /// Whether more bits were read than there were.
    #[inline]
    pub(crate) fn is_beyond(&self) -> bool {
        u64::from(self.held) < self.made_up
    }

    /// Whether nothing is left but what fills up the last byte, and perhaps one byte more: after 0xFF
    /// there is one, and some encoders put one before the next marker.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.fill();
        let left = u64::from(self.held).saturating_sub(self.made_up);
        self.at == self.bytes.len() && left < 16 && self.cache == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_after_ff_is_none_of_ours() {
        let mut bits = Bits::new(&[0xFF, 0x7F, 0x80]);
        assert_eq!((bits.number(15), bits.number(1)), (0x7FFF, 1));
        assert!(!bits.is_beyond() && bits.is_at_end());
        assert_eq!(bits.number(8), 0);
        assert!(bits.is_beyond());
    }

    #[test]
    fn words_and_single_bytes_give_the_same_bits() {
        let bytes: Vec<u8> = (0..200_u32).map(|n| (n * 41 % 251) as u8).collect();
        let mut bits = Bits::new(&bytes);
        let mut at = 0;
        for n in (0..100).map(|n| n % 17) {
            let expected = (at..at + n).fold(0, |number, bit| {
                number << 1 | u32::from(bytes[bit as usize / 8] >> (7 - bit % 8) & 1)
            });
            assert_eq!(bits.number(n), expected, "{n} bits at {at}");
            at += n;
        }
    }

    #[test]
    fn codes_have_their_part_in_zeros_or_the_whole_after_the_most() {
        // 001 10; 00000 1 1010; 000000 1
        let mut bits = Bits::new(&[0b0011_0000, 0b0011_0100, 0b0000_0100]);
        assert_eq!(bits.golomb(2, 5, 4), Ok(2 * 4 + 2));
        assert_eq!(bits.golomb(2, 5, 4), Ok(10 + 1));
        assert_eq!(bits.golomb(2, 5, 4), Err(NO_CODE));
        // More zeros than are ever held at once.
        let long = [&[0; 7][..], &[0b0000_0101]].concat();
        assert_eq!(Bits::new(&long).golomb(1, 62, 4), Ok(61 * 2));
        assert_eq!(Bits::new(&[0; 40]).golomb(1, 62, 4), Err(NO_CODE));
        assert_eq!(Bits::new(&[]).golomb(1, 62, 4), Err(NO_CODE));
    }
}
