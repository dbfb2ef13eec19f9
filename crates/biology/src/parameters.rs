//! Named parameter sets (`parameters.toml`), each with its source and how far to trust it.

use crate::bed::BedModel;
use hepatica_physics::{Dose, TimeSpan};
use serde::Deserialize;

const SHIPPED: &str = include_str!("parameters.toml");

/// All sets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterSets {
    /// For BED, by role of the compartment.
    pub bed: Vec<BedSet>,
    /// For tumour control, by device.
    pub tcp: Vec<TcpSet>,
    /// For complications, by device.
    pub ntcp: Vec<NtcpSet>,
}

/// Parameters of BED.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BedSet {
    /// Its name.
    pub id: String,
    /// Roles of compartments it is for.
    pub roles: Vec<String>,
    alpha_beta_gy: f64,
    repair_half_time_h: f64,
    mark: String,
    source: String,
}

/// Parameters of a log-logistic tumour control.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpSet {
    /// Its name.
    pub id: String,
    /// Devices it is for.
    pub devices: Vec<String>,
    d50_gy: f64,
    /// Slope at one half.
    pub gamma50: f64,
    /// What it is the probability of.
    pub endpoint: String,
    mark: String,
    source: String,
}

/// Parameters of a Lyman-Kutcher-Burman complication.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NtcpSet {
    /// Its name.
    pub id: String,
    /// Devices it is for.
    pub devices: Vec<String>,
    td50_gy: f64,
    /// Slope.
    pub m: f64,
    /// Volume exponent.
    pub n: f64,
    /// What it is the probability of.
    pub endpoint: String,
    mark: String,
    source: String,
}

impl ParameterSets {
    /// The sets that come with the program.
    ///
    /// # Errors
    /// Never for the shipped text; a test reads it.
    pub fn shipped() -> Result<Self, toml::de::Error> {
        toml::from_str(SHIPPED)
    }

    /// The BED set for a role.
    #[must_use]
    pub fn bed_for(&self, role: &str) -> Option<&BedSet> {
        self.bed.iter().find(|s| s.roles.iter().any(|r| r == role))
    }

    /// The tumour control set for a device.
    #[must_use]
    pub fn tcp_for(&self, device: &str) -> Option<&TcpSet> {
        self.tcp.iter().find(|s| s.devices.iter().any(|d| d == device))
    }

    /// The complication set for a device.
    #[must_use]
    pub fn ntcp_for(&self, device: &str) -> Option<&NtcpSet> {
        self.ntcp.iter().find(|s| s.devices.iter().any(|d| d == device))
    }
}

impl BedSet {
    /// The model.
    #[must_use]
    pub fn model(&self) -> BedModel {
        BedModel {
            alpha_beta: Dose::from_gy(self.alpha_beta_gy),
            repair_half_time: TimeSpan::from_h(self.repair_half_time_h),
        }
    }

    /// The source with its mark.
    #[must_use]
    pub fn cited(&self) -> String {
        format!("{} [{}]", self.source, self.mark)
    }
}

impl TcpSet {
    /// Dose at one half.
    #[must_use]
    pub fn d50(&self) -> Dose {
        Dose::from_gy(self.d50_gy)
    }

    /// The source with its mark.
    #[must_use]
    pub fn cited(&self) -> String {
        format!("{} [{}]", self.source, self.mark)
    }
}

impl NtcpSet {
    /// Dose at one half.
    #[must_use]
    pub fn td50(&self) -> Dose {
        Dose::from_gy(self.td50_gy)
    }

    /// The source with its mark.
    #[must_use]
    pub fn cited(&self) -> String {
        format!("{} [{}]", self.source, self.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_sets_read_and_cover_every_role() {
        let sets = ParameterSets::shipped().expect("shipped");
        for role in
            ["tumour", "cold", "perfused_normal_liver", "whole_normal_liver", "perfused", "organ"]
        {
            assert!(sets.bed_for(role).is_some(), "{role}");
        }
        assert_eq!(sets.ntcp_for("glass"), None);
    }
}
