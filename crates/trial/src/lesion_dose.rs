//! Lesions take their dose from a real plan: mean and unevenness of each tumour of its `dvh.csv`.
//!
//! A cumulative histogram `V(D)` gives the mean `int V dD` and the mean square `2 int D V dD`. The lesion of
//! a virtual patient then has that mean, and inside it the gamma distribution of that coefficient of
//! variation; between two points of the curve the volume is taken as linear.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Most bytes of a table.
const MAX_BYTES: u64 = 64 << 20;

/// Dose of a lesion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LesionDose {
    /// Mean, Gy.
    pub mean_gy: f64,
    /// Standard deviation over mean.
    pub spread: f64,
}

/// Why a plan gives no doses.
#[derive(Debug, Error)]
pub enum LesionDoseError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source}); expected the folder of a plan, with dvh.csv", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no dvh.csv (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// A row that cannot be.
    #[error("{file}: row {row}: {found}, expected {expected}")]
    Row {
        /// The file.
        file: String,
        /// The row, from 1 after the head.
        row: usize,
        /// What it says.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// No tumour.
    #[error("{file}: holds no curve of a tumour")]
    None {
        /// The file.
        file: String,
    },
}

#[derive(Deserialize)]
struct Row {
    session: String,
    compartment: String,
    role: String,
    dose_gy: f64,
    volume_fraction: f64,
}

/// Doses of the tumours of a plan's folder, by name.
///
/// # Errors
/// When there is no `dvh.csv` or it cannot be used.
pub fn read(folder: &Path) -> Result<Vec<LesionDose>, LesionDoseError> {
    let path = folder.join("dvh.csv");
    let io = |source| LesionDoseError::Read { path: path.clone(), source };
    let found = std::fs::metadata(&path).map_err(io)?.len();
    if found > MAX_BYTES {
        return Err(LesionDoseError::TooLong { path, found });
    }
    parse(&std::fs::read_to_string(&path).map_err(io)?, &path.display().to_string())
}

/// The same of a text; `file` is for messages. Of a lesion in several sessions the curve of all counts.
///
/// # Errors
/// When a row cannot be, or there is no tumour.
pub fn parse(text: &str, file: &str) -> Result<Vec<LesionDose>, LesionDoseError> {
    let wrong = |row: usize, found: String, expected: &'static str| LesionDoseError::Row {
        file: file.to_owned(),
        row,
        found,
        expected,
    };
    let mut curves: BTreeMap<(String, String), Vec<[f64; 2]>> = BTreeMap::new();
    for (n, row) in csv::Reader::from_reader(text.as_bytes()).into_deserialize::<Row>().enumerate()
    {
        let row = row.map_err(|e| {
            wrong(n + 1, e.to_string(), "session,compartment,role,dose_gy,volume_fraction")
        })?;
        if row.role != "tumour" {
            continue;
        }
        if !((0.0..1e5).contains(&row.dose_gy) && (0.0..=1.0).contains(&row.volume_fraction)) {
            let found = format!("{} Gy, {}", row.dose_gy, row.volume_fraction);
            return Err(wrong(n + 1, found, "a dose from zero and a share of the volume"));
        }
        let curve = curves.entry((row.compartment, row.session)).or_default();
        if curve.last().is_some_and(|[d, v]| row.dose_gy < *d || row.volume_fraction > *v + 1e-9) {
            let found = format!("{} Gy, {}", row.dose_gy, row.volume_fraction);
            return Err(wrong(n + 1, found, "rising doses and falling volumes"));
        }
        curve.push([row.dose_gy, row.volume_fraction]);
    }
    let mut chosen: BTreeMap<&str, (&str, &[[f64; 2]])> = BTreeMap::new();
    for ((name, session), curve) in &curves {
        let place = chosen.entry(name).or_insert((session, curve));
        if session == "all" {
            *place = (session, curve);
        }
    }
    let all: Vec<LesionDose> = chosen.values().filter_map(|(_, curve)| moments(curve)).collect();
    if all.is_empty() {
        return Err(LesionDoseError::None { file: file.to_owned() });
    }
    Ok(all)
}

fn moments(curve: &[[f64; 2]]) -> Option<LesionDose> {
    let (mut mean, mut square) = (0.0, 0.0);
    let first = curve.first()?;
    // Below the first dose all of it has at least that.
    mean += first[0];
    square += first[0] * first[0];
    for w in curve.windows(2) {
        let ([d0, v0], [d1, v1]) = (w[0], w[1]);
        let h = d1 - d0;
        mean += 0.5 * h * (v0 + v1);
        // The integral of 2 D V, both linear.
        square += h * (d0 * v0 + d1 * v1 + (d0 * v1 + d1 * v0 - d0 * v0 - d1 * v1) / 3.0);
    }
    let variance = (square - mean * mean).max(0.0);
    (mean > 0.0).then(|| LesionDose { mean_gy: mean, spread: variance.sqrt() / mean })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_known_distributions() {
        // Even from 50 to 150 Gy: mean 100, sd 100 / sqrt(12).
        let d = moments(&[[0.0, 1.0], [50.0, 1.0], [150.0, 0.0]]).expect("a dose");
        assert!((d.mean_gy - 100.0).abs() < 1e-9);
        assert!((d.spread - 0.288_675).abs() < 1e-5, "{}", d.spread);
        // Exponential of mean 80: spread 1.
        let curve: Vec<[f64; 2]> =
            (0..20_000).map(|i| f64::from(i) * 0.1).map(|x| [x, (-x / 80.0).exp()]).collect();
        let d = moments(&curve).expect("a dose");
        assert!((d.mean_gy - 80.0).abs() < 1e-3 && (d.spread - 1.0).abs() < 1e-4, "{d:?}");
    }

    #[test]
    fn the_curve_of_all_sessions_counts_and_bad_rows_are_refused() {
        let head = "session,compartment,role,dose_gy,volume_fraction\n";
        let text = format!(
            "{head}1,T1,tumour,0,1\n1,T1,tumour,100,0\nall,T1,tumour,0,1\nall,T1,tumour,300,0\n1,Liver,whole_liver,0,1\n"
        );
        let all = parse(&text, "dvh.csv").expect("doses");
        assert_eq!(all.len(), 1);
        assert!((all[0].mean_gy - 150.0).abs() < 1e-9);
        let said = |t: String| parse(&t, "dvh.csv").expect_err("refused").to_string();
        assert!(
            said(format!("{head}1,T1,tumour,10,0.5\n1,T1,tumour,5,0.4\n")).contains("row 2: 5 Gy")
        );
        assert!(said(format!("{head}1,T1,tumour,NaN,1\n")).contains("row 1"));
        assert!(said(head.to_owned()).contains("no curve of a tumour"));
        assert!(said("a,b\n1,2\n".to_owned()).contains("expected session"));
    }
}
