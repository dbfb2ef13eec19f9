//! The scan after treatment: which files, what they say of time, and what is refused.

use super::treatment::{Given, between};
use super::{Calibration, VerifyError};
use crate::inputs;
use crate::plan::Input;
use hepatica_imaging::dicom::ct;
use hepatica_imaging::inventory::{self, Role, Series};
use hepatica_imaging::{
    Acquisition, DecayCorrection, Emission, FrameOfReference, Image, SpacingPolicy, nifti,
    read_emission,
};
use hepatica_physics::{TimeSpan, nuclide::decay_factor};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ZonedDateTime};
use std::path::{Path, PathBuf};

/// Later than this, what is left of 90Y is hardly seen.
const LATE_H: f64 = 120.0;
/// Half-lives that differ by more are of another nuclide.
const SAME_HALF_LIFE: f64 = 0.02;

/// The scan after treatment.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) emission: Emission,
    pub(super) modality: &'static str,
    pub(super) ct: Option<ScanCt>,
    pub(super) files: Vec<Input>,
    pub(super) warnings: Vec<String>,
}

/// Its CT.
#[derive(Debug)]
pub(super) struct ScanCt {
    pub(super) image: Image<i16>,
    pub(super) frame_of_reference: FrameOfReference,
}

/// When the scan was, and what its values are of.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) start: Option<ZonedDateTime>,
    pub(super) hours_after: Option<f64>,
    pub(super) values_of: String,
    /// Activity at the instillation over activity at the moment of the values.
    pub(super) decay_factor: f64,
}

impl Scan {
    /// Reads the emission image and its CT from a folder, or from one NIfTI file.
    pub(super) fn read(path: &Path, patient: &str) -> Result<Self, VerifyError> {
        let mut warnings = Vec::new();
        let (files, ct_files) = find(path)?;
        let emission = read_emission(&files)?;
        // To which moment it is corrected is said with the times of the scan.
        let notes = emission.notes.iter().filter(|n| !n.starts_with("PET is decay-corrected to"));
        warnings.extend(notes.map(|n| format!("scan: {n}")));
        let pet = emission.acquisition.as_ref().is_some_and(|a| a.pet);
        let modality = if pet { "pet" } else { "spect" };
        let mut of = vec![emission.patient.id.clone()];
        let ct = match &ct_files {
            None => None,
            Some(files) => {
                let read = ct::read(files, SpacingPolicy::Refuse)?;
                of.push(read.patient.id.clone());
                warnings.extend(read.notes.iter().map(|n| format!("scan's CT: {n}")));
                Some(ScanCt { image: read.image, frame_of_reference: read.frame_of_reference })
            }
        };
        for id in of.into_iter().flatten() {
            let id = id.trim();
            if !id.is_empty() && id != patient && patient != "unnamed" {
                return Err(VerifyError::OtherPatient {
                    scan: path.to_owned(),
                    found: id.to_owned(),
                    expected: patient.to_owned(),
                });
            }
        }
        let mut rows = vec![("scan", files)];
        rows.extend(ct_files.map(|files| ("scan_ct", files)));
        let files = inputs::checksums(path, &rows)?;
        Ok(Self { emission, modality, ct, files, warnings })
    }

    /// When it was, against the treatment. `zone` is the site's: DICOM's times are local.
    pub(super) fn timing(
        &mut self,
        path: &Path,
        given: &Given,
        zone: &TimeZone,
        half_life: TimeSpan,
        calibration: Calibration,
    ) -> Result<Timing, VerifyError> {
        let wrong = |what: String| VerifyError::Scan { scan: path.to_owned(), what };
        let absolute = calibration == Calibration::Absolute;
        let local = |at: DateTime| {
            at.to_zoned_datetime(zone.clone())
                .map_err(|e| wrong(format!("{at} is no moment ({e})")))
        };
        let Some(a) = self.emission.acquisition.clone() else {
            if absolute {
                return Err(wrong("it says nothing of time, expected DICOM with times; use --calibration relative".to_owned()));
            }
            self.warnings.push(
                "the scan says nothing of time: whether it was after the treatment is not known"
                    .to_owned(),
            );
            return Ok(Timing {
                start: None,
                hours_after: None,
                values_of: "not known".to_owned(),
                decay_factor: 1.0,
            });
        };
        let start = a.start.map(local).transpose()?;
        let hours_after = start.as_ref().map(|s| between(&given.instant, s).h());
        if let (Some(start), Some(hours)) = (&start, hours_after) {
            if hours < 0.0 {
                return Err(wrong(format!(
                    "it began on {} at {}, before the treatment ({} {}), expected a scan after it; check the scan, the instant in treatment.toml and the time zone",
                    start.date(),
                    start.time(),
                    given.instant.date(),
                    given.instant.time()
                )));
            }
            if hours > LATE_H {
                self.warnings.push(format!("the scan began {hours:.0} h after the treatment: few decays are left, and spheres do not move, but noise does"));
            }
        }
        self.look_at_half_life(&a, half_life);
        if !absolute {
            let values_of = "proportions only".to_owned();
            return Ok(Timing { start, hours_after, values_of, decay_factor: 1.0 });
        }
        let (moment, values_of) =
            self.moment(&a, start.as_ref(), given, half_life).map_err(&wrong)?;
        let moment = match moment {
            At::Civil(at) => local(at)?,
            At::Zoned(at) => at,
        };
        let factor = 1.0 / decay_factor(half_life, between(&given.instant, &moment));
        Ok(Timing { start, hours_after, values_of, decay_factor: factor })
    }

    /// The moment the values are of, and its name.
    fn moment(
        &mut self,
        a: &Acquisition,
        start: Option<&ZonedDateTime>,
        given: &Given,
        half_life: TimeSpan,
    ) -> Result<(At, String), String> {
        let no_start = "it does not say when it was acquired (AcquisitionDate and AcquisitionTime), expected both; export it with them, or use --calibration relative";
        match a.decay {
            DecayCorrection::Start => {
                let start = start.ok_or(no_start)?.clone();
                Ok((At::Zoned(start), "start of the acquisition".to_owned()))
            }
            DecayCorrection::Moment(at) => Ok((At::Civil(at), format!("{at}"))),
            DecayCorrection::Administration => match a.given {
                Some(at) => Ok((At::Civil(at), format!("administration as the scanner was told, {at}"))),
                None => Ok((At::Zoned(given.instant.clone()), "administration".to_owned())),
            },
            DecayCorrection::None => {
                let start = start.ok_or(no_start)?;
                if a.beds {
                    return Err("its values are not corrected for decay and its beds were acquired at different times, expected DecayCorrection START or ADMIN; reconstruct it so, or use --calibration relative".to_owned());
                }
                // The mean over the bed is, for a time short against the half-life, the value half way.
                let duration = TimeSpan::from_s(a.duration_s.unwrap_or(0.0));
                if duration / half_life > 0.1 {
                    return Err("its values are not corrected for decay over a long acquisition, expected DecayCorrection START or ADMIN; reconstruct it so".to_owned());
                }
                let middle = start.clone() + SignedDuration::from_secs_f64(0.5 * duration.s());
                Ok((At::Zoned(middle), "middle of the acquisition, not corrected".to_owned()))
            }
            DecayCorrection::Unsaid => Err("it does not say to which moment its values are corrected for decay (DecayCorrection (0054,1102) is missing), expected START, ADMIN or NONE; export it with that element, or use --calibration relative".to_owned()),
        }
    }

    /// Values corrected with another nuclide's half-life are wrong within the scan.
    fn look_at_half_life(&mut self, a: &Acquisition, half_life: TimeSpan) {
        let Some(said) = a.half_life_s.map(TimeSpan::from_s) else { return };
        if (said / half_life - 1.0).abs() > SAME_HALF_LIFE {
            let nuclide = a.nuclide.clone().unwrap_or_else(|| "another nuclide".to_owned());
            let during = TimeSpan::from_s(a.duration_s.unwrap_or(0.0));
            let off = decay_factor(half_life, during) / decay_factor(said, during) - 1.0;
            self.warnings.push(format!(
                "the scanner corrected for decay with a half-life of {:.2} h ({nuclide}), expected {:.2} h: from the first to the last minute of a bed its values drift by {:+.1} %",
                said.h(),
                half_life.h(),
                100.0 * off
            ));
        }
    }
}

enum At {
    Civil(DateTime),
    Zoned(ZonedDateTime),
}

type Files = Vec<PathBuf>;

/// The files of the emission image and those of its CT.
fn find(path: &Path) -> Result<(Files, Option<Files>), VerifyError> {
    let wrong = |what: String| VerifyError::Scan { scan: path.to_owned(), what };
    if path.is_file() && nifti::is_nifti(path) {
        return Ok((vec![path.to_owned()], None));
    }
    if !path.exists() {
        return Err(wrong("there is nothing, expected the folder of the scan after treatment (PET/CT or SPECT/CT)".to_owned()));
    }
    let found = inventory::scan(path)?;
    if let Some(problem) = found.problems.first() {
        return Err(wrong(problem.clone()));
    }
    let of = |roles: &[Role]| -> Vec<&Series> {
        found.series.iter().filter(|s| roles.contains(&s.role)).collect()
    };
    let emission = of(&[Role::Pet, Role::Spect]);
    let emission = match emission.as_slice() {
        [one] => *one,
        [] => {
            return Err(wrong("no PET and no reconstructed SPECT in it, expected one (give a NIfTI image as the file itself)".to_owned()));
        }
        several => {
            let list: Vec<_> = several.iter().map(|s| format!("`{}`", s.description)).collect();
            return Err(wrong(format!(
                "{} could be the scan, expected one; keep the corrected one in the folder",
                list.join(" and ")
            )));
        }
    };
    let cts = of(&[Role::Ct]);
    let same = |s: &&&Series| {
        emission.frame_of_reference.is_some() && s.frame_of_reference == emission.frame_of_reference
    };
    let in_frame: Vec<_> = cts.iter().filter(same).collect();
    let ct = match (in_frame.as_slice(), cts.as_slice()) {
        ([one], _) => Some(one.files.clone()),
        ([], []) => None,
        ([], [one]) => Some(one.files.clone()),
        _ => {
            return Err(wrong(format!(
                "{} CT could be the scan's, expected one; keep that in the folder",
                cts.len()
            )));
        }
    };
    Ok((emission.files.clone(), ct))
}
