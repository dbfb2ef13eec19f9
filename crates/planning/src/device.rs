//! Devices: what a label says, as data (`devices/*.toml`, described in `docs/devices.md`).

use crate::strict::{self, TomlError};
use hepatica_physics::{Activity, EnergyPerActivity, Nuclide};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
const SCHEMA: u32 = 1;
/// Most bytes a device file may have.
const MAX_BYTES: u64 = 1 << 20;

/// Devices that come with the program: name and text.
const SHIPPED: [(&str, &str); 3] = [
    ("glass", include_str!("../../../devices/glass.toml")),
    ("resin", include_str!("../../../devices/resin.toml")),
    ("holmium", include_str!("../../../devices/holmium.toml")),
];

/// A device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Nuclide, as in `90Y`.
    nuclide: String,
    /// Model that the label prescribes with: `mird`, `bsa`, `partition` or `voxel`.
    pub model: String,
    /// What a reader must know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Dose constant of the label in Gy kg/GBq.
    k_prescription_j_per_gbq: Sourced,
    /// What is aimed at.
    pub goal: Goals,
    /// What must not be exceeded.
    pub limit: Limits,
    /// Activity factor by lung shunt, for the BSA model.
    #[serde(default)]
    pub shunt_reduction: Vec<ShuntReduction>,
    /// Fraction expected to stay in vial and lines.
    pub residual_fraction: Sourced,
    /// Spheres.
    pub spheres: Spheres,
    /// Vials and their calibration.
    pub vials: Vials,
}

/// A number and where it is from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced {
    /// The number, in the unit of its key.
    pub value: f64,
    /// `seen`, `recalled` or `derived`.
    pub mark: String,
    /// Where it is from.
    pub source: String,
}

impl Sourced {
    /// The source with its mark.
    #[must_use]
    pub fn cited(&self) -> String {
        format!("{} [{}]", self.source, self.mark)
    }

    /// A value that a person states for a case.
    #[must_use]
    pub fn stated(value: f64) -> Self {
        Self { value, mark: "stated".to_owned(), source: "case.toml".to_owned() }
    }
}

/// What is aimed at, in Gy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// Mean dose of the perfused volume.
    pub perfused_gy: Option<Sourced>,
    /// Mean dose of the tumours together.
    pub tumour_gy: Option<Sourced>,
}

/// What must not be exceeded, in Gy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Mean lung dose of one session.
    pub lung_session_gy: Sourced,
    /// Mean lung dose of all sessions.
    pub lung_cumulative_gy: Sourced,
    /// Mean dose of the perfused normal liver in one session.
    pub normal_liver_gy: Sourced,
}

/// A row of the label's table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShuntReduction {
    /// Lung shunt fraction from which it holds.
    pub from: f64,
    /// Factor on the activity.
    pub factor: f64,
    /// Where it is from.
    pub source: String,
}

/// Spheres.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spheres {
    /// Activity of one sphere at calibration, in Bq.
    pub bq_at_calibration: f64,
    /// Fewest that are wanted, in millions.
    pub least_millions: Option<f64>,
    /// Most that are wanted, in millions.
    pub most_millions: Option<f64>,
    /// Where it is from.
    pub source: String,
}

/// Vials.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vials {
    /// Sizes at calibration, in GBq; empty if made to order.
    #[serde(default)]
    pub sizes_gbq: Vec<f64>,
    /// Step of sizes between the smallest and the largest that are made on request; asked for only
    /// where no size of the list serves.
    pub custom_step_gbq: Option<f64>,
    /// Step of vials made to order, in GBq.
    pub made_to_order_step_gbq: Option<f64>,
    /// Smallest made to order.
    pub least_gbq: Option<f64>,
    /// Largest made to order.
    pub most_gbq: Option<f64>,
    /// Most vials for one territory.
    pub most: u32,
    /// The site may dispense a part of a vial.
    pub apportionable: bool,
    /// How far the delivered activity may be from the prescribed one.
    pub tolerance: f64,
    /// When they are calibrated.
    pub calibration: Calibration,
    /// Where it is from.
    pub source: String,
}

/// When vials are calibrated and how long they may be used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Days of the week, in English, lower case.
    #[serde(default)]
    pub weekdays: Vec<String>,
    /// Local time.
    pub time: Option<String>,
    /// IANA zone of that time.
    pub time_zone: Option<String>,
    /// How long before calibration a vial may be used.
    pub usable_before_h: f64,
    /// How long after.
    pub usable_after_h: f64,
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// It is neither a shipped one nor a file.
    #[error("no device is named `{name}` and there is no such file; there are: {}", .shipped.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What comes with the program.
        shipped: Vec<&'static str>,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A value that cannot be.
    #[error("{file}: {key} = {found}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
}

impl Device {
    /// A device that comes with the program, or that of a file.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn named(name: &str) -> Result<Self, DeviceError> {
        if let Some((_, text)) = SHIPPED.iter().find(|(id, _)| *id == name) {
            return Self::parse(text, &format!("devices/{name}.toml"));
        }
        let path = Path::new(name);
        if !path.is_file() {
            let shipped = SHIPPED.iter().map(|(id, _)| *id).collect();
            return Err(DeviceError::Unknown { name: name.to_owned(), shipped });
        }
        let io = |source| DeviceError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(io)?.len();
        if length > MAX_BYTES {
            return Err(DeviceError::Value {
                file: name.to_owned(),
                key: "length".to_owned(),
                found: format!("{length} bytes"),
                expected: format!("at most {MAX_BYTES}"),
            });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(io)?, name)
    }

    /// Reads and checks the text of a device file; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, or a value cannot be.
    pub fn parse(text: &str, file: &str) -> Result<Self, DeviceError> {
        let device: Self = strict::parse(text, file)?;
        device.check(file)?;
        Ok(device)
    }

    fn check(&self, file: &str) -> Result<(), DeviceError> {
        let wrong = |key: &str, found: String, expected: &str| {
            Err(DeviceError::Value {
                file: file.to_owned(),
                key: key.to_owned(),
                found,
                expected: expected.to_owned(),
            })
        };
        if self.schema != SCHEMA {
            return wrong("schema", self.schema.to_string(), &SCHEMA.to_string());
        }
        if Nuclide::by_name(&self.nuclide).is_none() {
            return wrong("nuclide", self.nuclide.clone(), "90Y or 166Ho");
        }
        if !["mird", "bsa", "partition", "voxel"].contains(&self.model.as_str()) {
            return wrong("model", self.model.clone(), "mird, bsa, partition or voxel");
        }
        let l = &self.limit;
        let positive = [
            ("k_prescription_j_per_gbq", Some(self.k_prescription_j_per_gbq.value)),
            ("goal.perfused_gy", self.goal.perfused_gy.as_ref().map(|s| s.value)),
            ("goal.tumour_gy", self.goal.tumour_gy.as_ref().map(|s| s.value)),
            ("limit.lung_session_gy", Some(l.lung_session_gy.value)),
            ("limit.lung_cumulative_gy", Some(l.lung_cumulative_gy.value)),
            ("limit.normal_liver_gy", Some(l.normal_liver_gy.value)),
            ("spheres.bq_at_calibration", Some(self.spheres.bq_at_calibration)),
            ("vials.made_to_order_step_gbq", self.vials.made_to_order_step_gbq),
            ("vials.custom_step_gbq", self.vials.custom_step_gbq),
        ];
        for (key, value) in positive {
            if let Some(v) = value.filter(|v| !(*v > 0.0 && v.is_finite())) {
                return wrong(key, v.to_string(), "a number above zero");
            }
        }
        let r = self.residual_fraction.value;
        if !(0.0..0.9).contains(&r) {
            return wrong("residual_fraction", r.to_string(), "0 to 0.9");
        }
        if self.shunt_reduction.windows(2).any(|w| w[0].from >= w[1].from) {
            return wrong("shunt_reduction", "rows out of order".into(), "rows of rising `from`");
        }
        let v = &self.vials;
        let sizes = v.sizes_gbq.iter().all(|s| *s > 0.0 && s.is_finite());
        // Every size in between is looked at.
        let few = v.sizes_gbq.iter().all(|s| v.custom_step_gbq.is_none_or(|d| s / d < 1000.0));
        let sold = few && v.sizes_gbq.is_empty() == v.made_to_order_step_gbq.is_some();
        if !sizes || !sold || !(1..=10).contains(&v.most) || !(v.tolerance > 0.0) {
            return wrong(
                "vials",
                format!("{v:?}"),
                "sizes above zero or a step made to order, 1 to 10 vials, a tolerance",
            );
        }
        let c = &v.calibration;
        // Every day in between is looked at.
        if ![c.usable_before_h, c.usable_after_h].iter().all(|h| (0.0..1e4).contains(h)) {
            return wrong("vials.calibration", format!("{c:?}"), "hours of use, 0 to 10000");
        }
        Ok(())
    }

    /// Its nuclide.
    #[must_use]
    pub fn nuclide(&self) -> Nuclide {
        Nuclide::by_name(&self.nuclide).unwrap_or(Nuclide::Y90)
    }

    /// Dose constant of the label.
    #[must_use]
    pub fn k_prescription(&self) -> EnergyPerActivity {
        EnergyPerActivity::from_j_per_gbq(self.k_prescription_j_per_gbq.value)
    }

    /// Where that constant is from.
    #[must_use]
    pub fn k_prescription_source(&self) -> String {
        self.k_prescription_j_per_gbq.cited()
    }

    /// The row of the shunt table that holds for a lung shunt, if one does.
    #[must_use]
    pub fn reduction(&self, lung_shunt: f64) -> Option<&ShuntReduction> {
        self.shunt_reduction.iter().rev().find(|row| lung_shunt >= row.from)
    }

    /// Activity of a sphere, `elapsed` hours after calibration.
    #[must_use]
    pub fn sphere_activity(&self, elapsed: hepatica_physics::TimeSpan) -> Activity {
        self.nuclide().decayed(Activity::from_bq(self.spheres.bq_at_calibration), elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_devices_read() {
        for (name, _) in SHIPPED {
            assert_eq!(Device::named(name).expect("shipped").id, name);
        }
    }

    #[test]
    fn the_shunt_table_of_resin() {
        let resin = Device::named("resin").expect("shipped");
        let factor = |l| resin.reduction(l).map(|r| r.factor);
        assert_eq!([0.05, 0.12, 0.15, 0.25].map(factor), [None, Some(0.8), Some(0.6), Some(0.0)]);
    }

    #[test]
    fn an_unknown_device_lists_what_there_is() {
        let error = Device::named("plastic").unwrap_err().to_string();
        assert!(error.ends_with("there are: glass, resin, holmium"), "{error}");
    }
}
