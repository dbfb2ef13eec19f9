//! Sequences whose VR is unknown (UN) and whose length is not said: what is in them is implicit VR little
//! endian whatever the file is in (PS3.5, 6.2.2). Tools that pass on private sequences write them so,
//! and the parser takes their content for explicit. They are written as the sequences they are, before
//! it begins.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// How such a sequence is written after its tag.
const MARK: [u8; 8] = [b'U', b'N', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
/// Pixel Data, after which nothing is looked for.
const PIXELS: [u8; 4] = [0xE0, 0x7F, 0x10, 0];
const ITEM: [u8; 4] = [0xFE, 0xFF, 0, 0xE0];
const ITEM_END: [u8; 4] = [0xFE, 0xFF, 0x0D, 0xE0];
const SEQUENCE_END: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
/// Sequences in each other.
const MAX_DEPTH: usize = 64;

/// Whether these bytes may hold one before their pixels.
pub(super) fn may_be_in(bytes: &[u8]) -> bool {
    for window in bytes.windows(8) {
        if window == MARK {
            return true;
        }
        let value = [window[4], window[5]];
        if window.starts_with(&PIXELS) && (value == *b"OW" || value == *b"OB") {
            return false;
        }
    }
    false
}

/// A data set in explicit VR little endian with all of them written as sequences; none if there is none,
/// or if these bytes are not elements one after the other.
pub(super) fn known(data: &[u8]) -> Option<Vec<u8>> {
    if !may_be_in(data) {
        return None;
    }
    let mut copy = Copy { rest: data, out: Vec::with_capacity(data.len()) };
    copy.explicit(0)?;
    copy.out.extend(copy.rest);
    Some(copy.out)
}

struct Copy<'b> {
    rest: &'b [u8],
    out: Vec<u8>,
}

impl<'b> Copy<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn long(&mut self) -> Option<usize> {
        let bytes = self.take(4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    /// Elements of a data set or item in explicit VR, to its end or to the pixels.
    fn explicit(&mut self, depth: usize) -> Option<()> {
        while !self.rest.is_empty() && !self.rest.starts_with(&ITEM_END) {
            if self.rest.starts_with(&PIXELS) && depth == 0 {
                return Some(());
            }
            let all = self.rest;
            self.take(4)?;
            let vr = self.take(2)?;
            let long = matches!(
                vr,
                b"OB"
                    | b"OD"
                    | b"OF"
                    | b"OL"
                    | b"OV"
                    | b"OW"
                    | b"SQ"
                    | b"UC"
                    | b"UR"
                    | b"UT"
                    | b"UN"
                    | b"SV"
                    | b"UV"
            );
            let length = if long {
                self.take(2)?;
                self.long()?
            } else {
                let bytes = self.take(2)?;
                u16::from_le_bytes([bytes[0], bytes[1]]).into()
            };
            let unsaid = length == u32::MAX as usize;
            if vr == b"SQ" || vr == b"UN" && unsaid {
                self.sequence(&all[..4], length, vr == b"UN", depth)?;
            } else {
                self.take(length)?;
                self.out.extend(&all[..all.len() - self.rest.len()]);
            }
        }
        Some(())
    }

    /// Items as items of no said length.
    fn sequence(&mut self, tag: &[u8], length: usize, implicit: bool, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.out.extend(tag);
        self.out.extend(b"SQ\0\0\xFF\xFF\xFF\xFF");
        let unsaid = length == u32::MAX as usize;
        let end = if unsaid { 0 } else { self.rest.len().checked_sub(length)? };
        while self.rest.len() > end {
            match self.take(4)? {
                tag if tag == SEQUENCE_END && unsaid => {
                    self.take(4)?;
                    break;
                }
                tag if tag == ITEM => {}
                _ => return None,
            }
            let length = self.long()?;
            self.out.extend(ITEM);
            self.out.extend([0xFF; 4]);
            if length == u32::MAX as usize {
                self.content(implicit, depth)?;
                if self.take(4)? != ITEM_END {
                    return None;
                }
                self.take(4)?;
            } else {
                let content = self.take(length)?;
                let after = std::mem::replace(&mut self.rest, content);
                self.content(implicit, depth)?;
                if !self.rest.is_empty() {
                    return None;
                }
                self.rest = after;
            }
            self.out.extend(ITEM_END);
            self.out.extend([0; 4]);
        }
        self.out.extend(SEQUENCE_END);
        self.out.extend([0; 4]);
        Some(())
    }

    fn content(&mut self, implicit: bool, depth: usize) -> Option<()> {
        if implicit { self.implicit(depth + 1) } else { self.explicit(depth + 1) }
    }

    /// Elements of an item in implicit VR, to its end.
    fn implicit(&mut self, depth: usize) -> Option<()> {
        while !self.rest.is_empty() && !self.rest.starts_with(&ITEM_END) {
            let tag = self.take(4)?;
            let length = self.long()?;
            let word = |at: usize| u16::from_le_bytes([tag[at], tag[at + 1]]);
            let entry = StandardDataDictionary.by_tag(Tag(word(0), word(2)));
            let vr = entry.map_or(VR::UN, |e| e.vr().relaxed());
            if vr == VR::SQ || length == u32::MAX as usize {
                self.sequence(tag, length, true, depth)?;
                continue;
            }
            let value = self.take(length)?;
            // In two bytes of length there is no room for more.
            let short = |vr: VR| {
                !matches!(
                    vr,
                    VR::OB
                        | VR::OD
                        | VR::OF
                        | VR::OL
                        | VR::OV
                        | VR::OW
                        | VR::SQ
                        | VR::UC
                        | VR::UR
                        | VR::UT
                        | VR::UN
                        | VR::SV
                        | VR::UV
                )
            };
            let vr = if short(vr) && length > usize::from(u16::MAX) { VR::UN } else { vr };
            self.out.extend(tag);
            self.out.extend(vr.to_bytes());
            if short(vr) {
                self.out.extend((length as u16).to_le_bytes());
            } else {
                self.out.extend([0, 0]);
                self.out.extend((length as u32).to_le_bytes());
            }
            self.out.extend(value);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(content: &[u8]) -> Vec<u8> {
        [b"\x53\x44\x0C\x10", &MARK[..], content].concat()
    }

    #[test]
    fn a_private_sequence_of_implicit_items_becomes_one_of_explicit_items() {
        let rows = b"\x28\0\x10\0US\x02\0\x07\0";
        let pixels = b"\xE0\x7F\x10\0OW\0\0\x02\0\0\0\x01\x02";
        // An item that says its length, in it a known text and an unknown one.
        let inner = b"\x08\0\x60\0\x02\0\0\0CT\x53\x44\x0D\x10\x04\0\0\0abcd";
        let item = [&ITEM[..], &(inner.len() as u32).to_le_bytes(), inner].concat();
        let end = [&SEQUENCE_END[..], &[0; 4]].concat();
        let data = [&private(&[item, end].concat())[..], rows, pixels].concat();
        let found = known(&data).expect("a sequence");
        let inner = b"\x08\0\x60\0CS\x02\0CT\x53\x44\x0D\x10UN\0\0\x04\0\0\0abcd";
        let expected = [
            &b"\x53\x44\x0C\x10SQ\0\0\xFF\xFF\xFF\xFF"[..],
            &ITEM,
            &[0xFF; 4],
            inner,
            &ITEM_END,
            &[0; 4],
            &SEQUENCE_END,
            &[0; 4],
            rows,
            pixels,
        ];
        assert_eq!(found, expected.concat());
    }

    #[test]
    fn what_has_none_or_is_broken_is_left_alone() {
        assert_eq!(known(b"\x28\0\x10\0US\x02\0\x07\0"), None);
        // The mark after the pixels is pixels.
        let pixels = [&b"\xE0\x7F\x10\0OW\0\0\x08\0\0\0"[..], &MARK].concat();
        assert_eq!(known(&pixels), None);
        let whole = private(&[&ITEM[..], &[0xFF; 4], &ITEM_END, &[0; 4]].concat());
        for cut in 4..whole.len() {
            let _ = known(&whole[..cut]);
        }
        assert_eq!(known(&private(&[1, 2, 3, 4, 5, 6, 7, 8])), None);
        // Items in each other without end.
        let mut deep = Vec::new();
        for _ in 0..1000 {
            deep.extend(private(&[&ITEM[..], &[0xFF; 4]].concat()));
        }
        assert_eq!(known(&deep), None);
    }
}
