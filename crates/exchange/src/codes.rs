//! Codes of other vocabularies, kept as data with their sources in `codes.toml`.

use hepatica_regimen::strict;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Codes {
    /// LOINC codes by measure.
    pub(crate) loinc: BTreeMap<String, Code>,
    /// ATC codes by drug.
    pub(crate) atc: BTreeMap<String, Code>,
    /// UCUM codes by our unit.
    pub(crate) ucum: BTreeMap<String, String>,
    /// Codes and preferred terms of the CDISC terminology by our unit.
    pub(crate) cdisc: BTreeMap<String, [String; 2]>,
}

/// A code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// The code.
    pub(crate) code: String,
    /// Its name in the vocabulary.
    pub(crate) display: String,
    /// Where it was read; not written out.
    #[expect(dead_code, reason = "for those who read the file")]
    source: String,
}

/// The codes that come with the program.
pub(crate) static CODES: LazyLock<Codes> = LazyLock::new(|| {
    strict::parse(include_str!("codes.toml"), "codes.toml").expect("the file is tested")
});

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_regimen::measure::Measure;

    #[test]
    fn every_code_is_of_a_measure_and_every_unit_has_one() {
        for id in CODES.loinc.keys() {
            assert_eq!(&Measure::find(id).expect("a measure").id, id);
        }
        for m in Measure::all() {
            assert!(m.unit.is_empty() || CODES.ucum.contains_key(&m.unit), "{}: {}", m.id, m.unit);
        }
    }
}
