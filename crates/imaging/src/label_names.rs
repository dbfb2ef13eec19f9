//! The names of a label map's labels, where its NIfTI file carries them: a label table in an extension of
//! the header, as TotalSegmentator and Connectome Workbench write it.

use flate2::read::MultiGzDecoder;
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Most bytes of header and extensions that are looked at.
const MOST_BYTES: u64 = 1 << 20;
/// Most names, and most letters of one.
const MOST_NAMES: usize = 65_536;
const MOST_LETTERS: usize = 200;

/// The names by label; none where the file has no table or cannot be read (its reader says why).
pub(crate) fn of(path: &Path) -> BTreeMap<u16, String> {
    head(path).map(|bytes| names(&bytes)).unwrap_or_default()
}

/// The beginning of a file, unpacked if it is compressed.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut magic = [0; 2];
    let mut file = std::fs::File::open(path)?;
    file.read_exact(&mut magic)?;
    let whole = magic.chain(file);
    let mut bytes = Vec::new();
    if magic == [0x1f, 0x8b] {
        MultiGzDecoder::new(whole).take(MOST_BYTES).read_to_end(&mut bytes)?;
    } else {
        whole.take(MOST_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn names(bytes: &[u8]) -> BTreeMap<u16, String> {
    let word = |at: usize, big: bool| -> Option<usize> {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        let n = if big { i32::from_be_bytes(four) } else { i32::from_le_bytes(four) };
        usize::try_from(n).ok()
    };
    let found = [348, 540].into_iter().flat_map(|n| [(n, false), (n, true)]);
    let Some((size, big)) = found.into_iter().find(|(n, big)| word(0, *big) == Some(*n)) else {
        return BTreeMap::new();
    };
    // Four bytes say whether extensions follow; each has its length, its code and its content.
    let mut names = BTreeMap::new();
    if bytes.get(size).is_none_or(|flag| *flag == 0) {
        return names;
    }
    let mut at = size + 4;
    while let Some(length) = word(at, big).filter(|n| *n > 8) {
        let Some(content) = bytes.get(at + 8..at + length) else { break };
        table(content, &mut names);
        at += length;
    }
    names
}

/// Adds the labels of an extension, if it is a table of them.
fn table(content: &[u8], names: &mut BTreeMap<u16, String>) {
    let end = content.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
    let text = String::from_utf8_lossy(&content[..end]);
    let mut reader = Reader::from_str(&text);
    let mut key: Option<u16> = None;
    let mut put = |key: &Option<u16>, text: &str| {
        let text: String = text.trim().chars().take(MOST_LETTERS).collect();
        if let Some(key) = key.filter(|_| !text.is_empty() && names.len() < MOST_NAMES) {
            names.insert(key, text);
        }
    };
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) if tag.name().as_ref() == "Label" => {
                let value = tag.try_get_attribute("Key").ok().flatten();
                key = value.and_then(|v| v.value.trim().parse().ok());
            }
            Ok(Event::End(_)) => key = None,
            Ok(Event::CData(text)) => put(&key, &text),
            Ok(Event::Text(text)) => put(&key, &text),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], big: bool) -> Vec<u8> {
        let word = |n: i32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut bytes = word(348).to_vec();
        bytes.resize(348, 0);
        bytes.extend([1, 0, 0, 0]);
        let length = (content.len() + 8).next_multiple_of(16);
        bytes.extend(word(length as i32));
        bytes.extend(word(0));
        bytes.extend(content);
        bytes.resize(352 + length, 0);
        bytes.extend(word(0));
        bytes
    }

    const TABLE: &str = "<?xml version=\"1.0\"?><CaretExtension><VolumeInformation><LabelTable>\
        <Label Key=\"5\" Red=\"0.0\"><![CDATA[liver]]></Label><Label Key=\"1\">spleen</Label>\
        </LabelTable></VolumeInformation></CaretExtension>";

    #[test]
    fn a_table_gives_its_names_in_either_byte_order() {
        for big in [false, true] {
            let found = names(&file(TABLE.as_bytes(), big));
            assert_eq!(found, BTreeMap::from([(1, "spleen".into()), (5, "liver".into())]));
        }
    }

    #[test]
    fn what_is_no_table_gives_none() {
        assert!(names(&[]).is_empty());
        assert!(names(&[0; 400]).is_empty());
        assert!(names(&file(b"<Label Key=\"99999999\">x</Label><Label", false)).is_empty());
        let mut cut = file(TABLE.as_bytes(), false);
        cut.truncate(400);
        assert!(names(&cut).is_empty());
    }
}
