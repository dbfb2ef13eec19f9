//! DICOM in and out, on top of dicom-rs: the geometry and the traps are ours, the encoding is theirs.
//!
//! | module | holds |
//! |---|---|
//! | [`object`] | one file: opened within bounds, its elements with good errors |
//! | `meta` | files that lost their beginning |
//! | `unknown` | sequences that lost their VR |
//! | `bounds` | whether the lengths in a file fit the file |
//! | `pixels`, `encapsulated` | stored values, plain or compressed |
//! | [`ct`] | a CT series or enhanced CT: any order, gaps and tilt found |
//! | `enhanced` | what each frame of many says of itself |
//! | [`frames`] | any grey values: what has no reader of its own |
//! | [`nm`] | nuclear medicine: SPECT and planar views |
//! | [`pet`] | a PET series |
//! | [`reg`] | spatial registrations |
//! | [`rtdose`] | a dose grid and the histograms in it |
//! | [`rtstruct`] | contours |
//! | [`seg`] | segmentations |
//! | [`mod@write`] | all we write |

mod bounds;
pub mod ct;
mod encapsulated;
mod enhanced;
pub mod frames;
mod meta;
pub mod nm;
pub mod object;
pub mod pet;
mod pixels;
pub mod reg;
pub mod rtdose;
pub mod rtstruct;
pub mod seg;
mod stack;
pub(crate) mod summary;
mod unknown;
pub mod write;

use jiff::civil::Date;
pub use stack::SpacingPolicy;

use object::Object;

/// Who was imaged, as far as the file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patient {
    /// Patient ID.
    pub id: Option<String>,
    /// Patient's Name.
    pub name: Option<String>,
    /// Patient's Birth Date.
    pub birth_date: Option<Date>,
    /// Patient's Sex: `M`, `F`, `O`.
    pub sex: Option<String>,
    /// Patient's Size in cm.
    pub size_cm: Option<f64>,
    /// Patient's Weight in kg.
    pub weight_kg: Option<f64>,
}

impl Patient {
    /// The patient of an object.
    #[must_use]
    pub fn of(o: &Object) -> Self {
        use dicom_dictionary_std::tags;
        let positive = |tag| o.number(tag).filter(|v: &f64| *v > 0.0);
        Self {
            id: o.text(tags::PATIENT_ID),
            name: o.text(tags::PATIENT_NAME),
            birth_date: o
                .text(tags::PATIENT_BIRTH_DATE)
                .and_then(|t| Date::strptime("%Y%m%d", t).ok()),
            sex: o.text(tags::PATIENT_SEX),
            size_cm: positive(tags::PATIENT_SIZE).map(|m| m * 100.0),
            weight_kg: positive(tags::PATIENT_WEIGHT),
        }
    }
}
