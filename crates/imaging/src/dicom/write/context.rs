//! What all objects of one study share: the patient, the study, the frame of reference, and where
//! their identifiers come from.

use super::dataset::Dataset;
use crate::dicom::Patient;
use dicom_dictionary_std::tags;
use jiff::civil::DateTime;
use sha2::{Digest, Sha256};

/// Says in every object who made it.
const MANUFACTURER: &str = "Hepatica";

/// The study objects are written into.
///
/// Identifiers are not random: each is `2.25.` and 122 bits of the SHA-256 of the seed and of the name of
/// what it identifies (a name-based UUID as a decimal number, PS3.5 B.2), so that the same inputs give the same bytes.
#[derive(Debug, Clone)]
pub struct Context {
    /// The patient.
    pub patient: Patient,
    /// Study Instance UID: that of the images read, or one of our own.
    pub study_uid: String,
    /// Frame of Reference UID: objects that share it share the patient's position.
    pub frame_of_reference: String,
    /// When the study began; also the content date and time of what we make.
    pub date_time: DateTime,
    /// For people, at most 64 characters.
    pub study_description: String,
    seed: String,
}

impl Context {
    /// A study of its own, with identifiers made from `seed`. To write into a study that exists,
    /// put its `study_uid` and `frame_of_reference` afterwards.
    #[must_use]
    pub fn new(seed: &str, patient: Patient, date_time: DateTime, study_description: &str) -> Self {
        let mut context = Self {
            patient,
            study_uid: String::new(),
            frame_of_reference: String::new(),
            date_time,
            study_description: study_description.to_owned(),
            seed: seed.to_owned(),
        };
        context.study_uid = context.uid("study");
        context.frame_of_reference = context.uid("frame of reference");
        context
    }

    /// The identifier of what `name` names, in this context: the same for the same seed and name.
    #[must_use]
    pub fn uid(&self, name: &str) -> String {
        let hash = Sha256::new()
            .chain_update((self.seed.len() as u64).to_le_bytes())
            .chain_update(&self.seed)
            .chain_update(name)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        // RFC 9562: version 8 (made by a rule of our own) and the variant.
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        format!("2.25.{}", u128::from_be_bytes(bytes))
    }

    /// The modules every object has: SOP common, patient, study, series, equipment.
    pub(super) fn object(&self, sop_class: &str, series: &Series, instance: usize) -> Dataset {
        let mut o = Dataset::new();
        o.text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192");
        o.text(tags::SOP_CLASS_UID, sop_class);
        o.text(tags::SOP_INSTANCE_UID, &self.instance_uid(series, instance));
        o.date_time(tags::INSTANCE_CREATION_DATE, tags::INSTANCE_CREATION_TIME, self.date_time);

        let patient = &self.patient;
        o.words(tags::PATIENT_NAME, patient.name.as_deref().unwrap_or_default(), 64);
        o.words(tags::PATIENT_ID, patient.id.as_deref().unwrap_or_default(), 64);
        let born = patient.birth_date.map(|d| d.strftime("%Y%m%d").to_string());
        o.text(tags::PATIENT_BIRTH_DATE, &born.unwrap_or_default());
        o.text(tags::PATIENT_SEX, patient.sex.as_deref().unwrap_or_default());
        if let Some(size) = patient.size_cm {
            o.decimals(tags::PATIENT_SIZE, &[size / 100.0]);
        }
        if let Some(weight) = patient.weight_kg {
            o.decimals(tags::PATIENT_WEIGHT, &[weight]);
        }

        o.text(tags::STUDY_INSTANCE_UID, &self.study_uid);
        o.date_time(tags::STUDY_DATE, tags::STUDY_TIME, self.date_time);
        o.words(tags::STUDY_DESCRIPTION, &self.study_description, 64);
        o.empty(&[tags::REFERRING_PHYSICIAN_NAME, tags::STUDY_ID, tags::ACCESSION_NUMBER]);

        o.text(tags::MODALITY, series.modality);
        o.text(tags::SERIES_INSTANCE_UID, &self.series_uid(series));
        o.integer(tags::SERIES_NUMBER, series.number);
        o.words(tags::SERIES_DESCRIPTION, series.description, 64);
        o.integer(tags::INSTANCE_NUMBER, instance);

        o.text(tags::MANUFACTURER, MANUFACTURER);
        o.text(tags::MANUFACTURER_MODEL_NAME, MANUFACTURER);
        o.text(tags::SOFTWARE_VERSIONS, env!("CARGO_PKG_VERSION"));
        o
    }

    /// Frame of reference module.
    pub(super) fn frame_of_reference(&self, o: &mut Dataset) {
        o.text(tags::FRAME_OF_REFERENCE_UID, &self.frame_of_reference);
        o.empty(&[tags::POSITION_REFERENCE_INDICATOR]);
    }

    pub(super) fn series_uid(&self, series: &Series) -> String {
        self.uid(&format!("series {} {} {}", series.modality, series.number, series.description))
    }

    pub(super) fn instance_uid(&self, series: &Series, instance: usize) -> String {
        self.uid(&format!("instance {instance} of {}", self.series_uid(series)))
    }
}

/// What sets a series apart in its study.
pub(super) struct Series<'a> {
    pub(super) modality: &'static str,
    pub(super) number: usize,
    pub(super) description: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_lawful_and_follow_from_the_seed() {
        let at = jiff::civil::date(2026, 1, 5).at(9, 0, 0, 0);
        let one = Context::new("seed 1", Patient::default(), at, "");
        let two = Context::new("seed 2", Patient::default(), at, "");
        assert_eq!(one.uid("a"), Context::new("seed 1", Patient::default(), at, "").uid("a"));
        assert_ne!(one.uid("a"), one.uid("b"));
        assert_ne!(one.uid("a"), two.uid("a"));
        let number = one.uid("a").strip_prefix("2.25.").map(str::parse::<u128>);
        let number = number.expect("the UUID root").expect("a number");
        assert_eq!(number >> 76 & 0xf, 8, "UUID version 8");
        assert!(one.uid("a").len() <= 64);
    }
}
