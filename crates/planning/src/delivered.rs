//! What earlier sessions really gave: verifications that the plan of the next session starts from.
//!
//! Lung doses add. In the normal liver of a territory what adds is the BED, each session's with its own
//! half-life: a limit on the mean dose of one session becomes the dose whose BED is left of the limit's.

use crate::device::Sourced;
use crate::plan::DeliveredSession;
use crate::verification::Verification;
use crate::verification::record::{self, SCHEMA};
use hepatica_biology::{ParameterSets, bed::BedModel};
use hepatica_physics::{Bed, Dose, TimeSpan};
use jiff::ZonedDateTime;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A longer file is no verification.
const MAX_BYTES: u64 = 1 << 26;
/// Doses above this are none that a patient received.
const MOST_GY: f64 = 1e5;

/// Why a verification cannot be taken into account: one sentence.
#[derive(Debug, Error)]
#[error("{}: {what}", .path.display())]
pub struct DeliveredError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub what: String,
}

/// A session is planned on a day before one that was given.
#[derive(Debug, Error)]
#[error(
    "session {session} is planned on {planned}, but session {given} was given on {instant}; expected a later day: check --c1d1, or [[session]] cycle in case.toml"
)]
pub struct NotBefore {
    session: u32,
    planned: String,
    given: u32,
    instant: String,
}

/// What earlier sessions gave.
#[derive(Debug)]
pub struct Delivered {
    sessions: Vec<DeliveredSession>,
    model: Option<BedModel>,
    /// Of the session to come.
    half_life: TimeSpan,
}

impl Delivered {
    /// Of sessions, of which there may be none; `half_life` is that of the session to come.
    #[must_use]
    pub fn new(sessions: Vec<DeliveredSession>, sets: &ParameterSets, half_life: TimeSpan) -> Self {
        let model = sets.bed_for("perfused_normal_liver").map(|set| set.model());
        Self { sessions, model, half_life }
    }

    /// The sessions, as a plan says them.
    #[must_use]
    pub fn sessions(&self) -> &[DeliveredSession] {
        &self.sessions
    }

    /// Whether a session was given.
    #[must_use]
    pub fn holds(&self, session: u32) -> bool {
        self.sessions.iter().any(|s| s.session == session)
    }

    /// That every session given was before the next one.
    ///
    /// # Errors
    /// When one was not: the dates are of another course.
    pub fn all_before(&self, session: u32, next: &ZonedDateTime) -> Result<(), NotBefore> {
        let later = self.sessions.iter().find(|s| {
            s.instant.parse::<ZonedDateTime>().is_ok_and(|at| at.timestamp() >= next.timestamp())
        });
        match later {
            None => Ok(()),
            Some(s) => Err(NotBefore {
                session,
                planned: next.date().to_string(),
                given: s.session,
                instant: s.instant.clone(),
            }),
        }
    }

    /// Mean lung dose in Gy, all of them.
    #[must_use]
    pub fn lung_gy(&self) -> f64 {
        self.sum(|s| s.lung_dose_gy)
    }

    /// The sum over sessions of what `of` says.
    #[must_use]
    pub fn sum(&self, of: impl Fn(&DeliveredSession) -> f64) -> f64 {
        self.sessions.iter().map(of).sum()
    }

    /// Mean dose in Gy that a tumour has received.
    #[must_use]
    pub fn tumour_gy(&self, name: &str) -> f64 {
        self.sum(|s| s.tumour_dose_gy.get(name).copied().unwrap_or(0.0))
    }

    /// BED of the mean doses that the normal liver of a territory has received, in Gy.
    fn bed_before(&self, model: &BedModel, territory: &str) -> f64 {
        self.sum(|s| {
            let gy = s.normal_liver_dose_gy.get(territory).copied().unwrap_or(0.0);
            model.bed(Dose::from_gy(gy), TimeSpan::from_h(s.half_life_h)).gy()
        })
    }

    /// The mean dose in one session that has the BED of `gy` and all that was given before to the normal
    /// liver of a territory, in Gy: `gy` itself where nothing was.
    #[must_use]
    pub fn with_before(&self, territory: &str, gy: f64) -> f64 {
        let Some(model) = &self.model else { return gy };
        let before = self.bed_before(model, territory);
        if before > 0.0 {
            let bed = model.bed(Dose::from_gy(gy), self.half_life).gy() + before;
            model.dose(Bed::from_gy(bed), self.half_life).gy()
        } else {
            gy
        }
    }

    /// What is left of a limit on the mean dose of the normal liver of a territory: the dose whose BED is
    /// the limit's less that of all that was given before; zero where nothing is left.
    #[must_use]
    pub fn left_of(&self, limit: &Sourced, territory: &str) -> Sourced {
        let Some(model) = &self.model else { return limit.clone() };
        let before = self.bed_before(model, territory);
        if before > 0.0 {
            let bed = model.bed(Dose::from_gy(limit.value), self.half_life).gy() - before;
            Sourced {
                value: model.dose(Bed::from_gy(bed.max(0.0)), self.half_life).gy(),
                mark: limit.mark.clone(),
                source: format!(
                    "{:.0} Gy ({}), less the BED of {before:.1} Gy that earlier sessions gave",
                    limit.value, limit.source
                ),
            }
        } else {
            limit.clone()
        }
    }
}

/// Reads verifications. `territories` are identifier and session of each in the case.
///
/// # Errors
/// When a file cannot be read, is no verification, is of somebody else, of a session that the case does not
/// have, or of one that another file is of.
pub fn read(
    paths: &[PathBuf],
    patient: &str,
    territories: &[(&str, u32)],
) -> Result<Vec<DeliveredSession>, DeliveredError> {
    let mut sessions: Vec<DeliveredSession> = Vec::new();
    for path in paths {
        let wrong = |what: String| Err(DeliveredError { path: path.clone(), what });
        let v = parse(path)?;
        if v.patient != patient {
            return wrong(format!(
                "is of patient {}, but the case is of {patient}; give the verification of this patient's session",
                v.patient
            ));
        }
        let s = &v.session;
        if !territories.contains(&(s.territory.as_str(), s.id)) {
            let known: Vec<_> = territories.iter().map(|(id, n)| format!("{n} `{id}`")).collect();
            return wrong(format!(
                "is of session {} in the territory `{}`, which the case does not have (it has {}); give the case that was treated",
                s.id,
                s.territory,
                known.join(", ")
            ));
        }
        if sessions.iter().any(|other| other.session == s.id) {
            return wrong(format!("is of session {} as another file; give one of both", s.id));
        }
        sessions.push(of(&v, path)?);
    }
    sessions.sort_by_key(|s| s.session);
    Ok(sessions)
}

fn parse(path: &Path) -> Result<Verification, DeliveredError> {
    let wrong = |what: String| DeliveredError { path: path.to_owned(), what };
    let unreadable = |e: std::io::Error| {
        wrong(format!("cannot be read ({e}); give the verify.json that hepatica verify wrote"))
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(wrong(format!("{length} bytes are no verification, expected a verify.json")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let v: Verification = serde_json::from_str(&text).map_err(|e| {
        wrong(format!("is no verification of this version ({e}); verify the session again"))
    })?;
    if v.schema != SCHEMA {
        return Err(wrong(format!("schema is {}, expected {SCHEMA}; verify again", v.schema)));
    }
    Ok(v)
}

fn of(v: &Verification, path: &Path) -> Result<DeliveredSession, DeliveredError> {
    let wrong = |what: String| DeliveredError { path: path.to_owned(), what };
    let compartment = |role: &str| v.compartments.iter().find(|c| c.role == role);
    let Some(record::Compared { delivered: whole, .. }) = compartment("whole_normal_liver") else {
        return Err(wrong(
            "has no dose of the whole normal liver; verify the session again".into(),
        ));
    };
    let half_life = v.constants.iter().find(|c| c.name == "half-life" && c.unit == "h");
    let half_life_h = half_life.map_or(0.0, |c| c.value);
    let tumours = v.compartments.iter().filter(|c| c.role == "tumour");
    let session = DeliveredSession {
        session: v.session.id,
        territory: v.session.territory.clone(),
        territory_name: v.session.territory_name.clone(),
        instant: v.delivery.instant.clone(),
        half_life_h,
        activity_gbq: v.delivery.delivered_gbq,
        lung_dose_gy: v.lungs.delivered_gy,
        whole_normal_liver_dose_gy: whole.mean,
        whole_normal_liver_bed_gy: whole.bed_mean,
        normal_liver_dose_gy: v.territories.iter().map(|t| (t.id.clone(), t.mean_gy)).collect(),
        tumour_dose_gy: tumours.map(|c| (c.name.clone(), c.delivered.mean)).collect(),
    };
    let doses = session.normal_liver_dose_gy.values().chain(session.tumour_dose_gy.values());
    let sums = [
        session.lung_dose_gy,
        session.whole_normal_liver_dose_gy,
        session.whole_normal_liver_bed_gy,
    ];
    if let Some(gy) = doses.chain(&sums).find(|gy| !(0.0..=MOST_GY).contains(*gy)) {
        return Err(wrong(format!("a dose is {gy} Gy, expected 0 to {MOST_GY}; verify again")));
    }
    if session.instant.parse::<ZonedDateTime>().is_err() {
        return Err(wrong(format!(
            "delivery.instant is {}, expected a moment with its zone; verify the session again",
            session.instant
        )));
    }
    if !(1.0..=1000.0).contains(&half_life_h) || !(0.0..=200.0).contains(&session.activity_gbq) {
        return Err(wrong(format!(
            "{} GBq with a half-life of {half_life_h} h cannot be; verify the session again",
            session.activity_gbq
        )));
    }
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(gy: f64) -> Delivered {
        let sets = ParameterSets::shipped().expect("sets");
        let session = DeliveredSession {
            session: 1,
            territory: "right".to_owned(),
            territory_name: "Right lobe".to_owned(),
            instant: "2027-01-05T13:00:00-05:00[America/New_York]".to_owned(),
            half_life_h: 64.1,
            activity_gbq: 2.0,
            lung_dose_gy: 6.0,
            whole_normal_liver_dose_gy: 40.0,
            whole_normal_liver_bed_gy: 55.0,
            normal_liver_dose_gy: [("right".to_owned(), 60.0), ("left".to_owned(), gy)].into(),
            tumour_dose_gy: [("T1".to_owned(), 250.0)].into(),
        };
        Delivered::new(vec![session], &sets, TimeSpan::from_h(64.1))
    }

    #[test]
    fn bed_adds_and_the_limit_shrinks_by_what_was_given() {
        let limit = Sourced::stated(75.0);
        let d = delivered(30.0);
        let left = d.left_of(&limit, "left");
        // The published alpha/beta and repair of the liver set: BED = D (1 + G D / (alpha/beta)).
        let set = ParameterSets::shipped().expect("sets");
        let model = set.bed_for("perfused_normal_liver").expect("a set").model();
        let c = model.g(TimeSpan::from_h(64.1)) / model.alpha_beta.gy();
        let bed = |x: f64| x * (1.0 + c * x);
        assert!((bed(left.value) + bed(30.0) - bed(75.0)).abs() < 1e-9, "{left:?}");
        assert!(left.value > 45.0 && left.value < 75.0, "less than the physical dose takes");
        assert!(left.source.contains("75 Gy (case.toml), less the BED"), "{left:?}");
        // What is left, given, is the limit itself.
        assert!((d.with_before("left", left.value) - 75.0).abs() < 1e-9);
        assert!((d.with_before("left", 0.0) - 30.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_before_changes_nothing_and_too_much_leaves_nothing() {
        let limit = Sourced::stated(75.0);
        assert_eq!(delivered(0.0).left_of(&limit, "left"), limit);
        assert_eq!(delivered(0.0).with_before("left", 41.5), 41.5);
        assert_eq!(delivered(30.0).left_of(&limit, "elsewhere"), limit);
        assert_eq!(delivered(80.0).left_of(&limit, "left").value, 0.0);
    }
}
