//! Best responses by region, with exact intervals.

use crate::AnalysisError;
use crate::data::{REGIONS, Region, Subject, responds};
use crate::share::Share;
use hepatica_regimen::response::{Response, Scope};
use schemars::JsonSchema;
use serde::Serialize;

/// Responses of a region.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Responses {
    /// Which disease.
    pub region: Scope,
    /// For people.
    pub name: String,
    /// Treated patients with disease there: what response is counted of.
    pub patients: u64,
    /// Treated patients without disease there, who are not counted.
    pub no_disease: u64,
    /// Complete responses.
    pub complete: u64,
    /// Partial responses.
    pub partial: u64,
    /// Stable disease.
    pub stable: u64,
    /// Neither complete response nor progression, where nothing can be measured.
    pub non_cr_non_pd: u64,
    /// Progression.
    pub progression: u64,
    /// Not evaluable.
    pub not_evaluable: u64,
    /// No scan after the baseline.
    pub not_scanned: u64,
    /// Of them without any row of the region, of whom nobody says whether there was disease.
    pub without_row: u64,
    /// Complete or partial, of all.
    pub response: Share,
    /// The same of those with a scan that can be evaluated.
    pub response_of_evaluable: Share,
    /// The same, confirmed, of all; none where nobody asks for it.
    pub confirmed_response: Option<Share>,
    /// Response or stable disease, of all.
    pub control: Share,
}

/// Name of a region.
#[must_use]
pub const fn region_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Liver => "liver",
        Scope::OutsideLiver => "outside the liver",
        Scope::All => "overall",
    }
}

fn responses(
    subjects: &[&Subject],
    scope: Scope,
    level: f64,
) -> Result<Option<Responses>, AnalysisError> {
    // A region that nobody looked at is no region in which nobody responded.
    if !subjects.iter().any(|s| s.region(scope).is_some_and(|r| r.best.is_some())) {
        return Ok(None);
    }
    let treated: Vec<&Region> = subjects
        .iter()
        .filter(|s| s.treated)
        .map(|s| s.region(scope).unwrap_or(&NOTHING))
        .collect();
    let best = |r: &Region| r.best.flatten();
    let nobody = treated.iter().filter(|r| best(r) == Some(Response::Nd)).count();
    let with: Vec<&&Region> = treated.iter().filter(|r| best(r) != Some(Response::Nd)).collect();
    let of = |what: Response| with.iter().filter(|r| best(r) == Some(what)).count();
    let (complete, partial, stable) = (of(Response::Cr), of(Response::Pr), of(Response::Sd));
    let (non, progression) = (of(Response::NonCrNonPd), of(Response::Pd));
    let not_evaluable = of(Response::Ne);
    let not_scanned = with.iter().filter(|r| best(r).is_none()).count();
    let response = complete + partial;
    let confirmed = with.iter().filter(|r| r.confirmed.flatten().is_some_and(responds)).count();
    let asked = treated.iter().any(|r| r.confirmed.is_some());
    Ok(Some(Responses {
        region: scope,
        name: region_name(scope).to_owned(),
        patients: with.len() as u64,
        no_disease: nobody as u64,
        complete: complete as u64,
        partial: partial as u64,
        stable: stable as u64,
        non_cr_non_pd: non as u64,
        progression: progression as u64,
        not_evaluable: not_evaluable as u64,
        not_scanned: not_scanned as u64,
        without_row: with.iter().filter(|r| r.best.is_none()).count() as u64,
        response: Share::of(response, with.len(), level)?,
        response_of_evaluable: Share::of(
            response,
            with.len() - not_evaluable - not_scanned,
            level,
        )?,
        confirmed_response: asked.then(|| Share::of(confirmed, with.len(), level)).transpose()?,
        control: Share::of(response + stable + non, with.len(), level)?,
    }))
}

/// All regions that somebody looked at.
pub(crate) fn all_responses(
    subjects: &[&Subject],
    level: f64,
) -> Result<Vec<Responses>, AnalysisError> {
    let all = REGIONS.iter().map(|(scope, _)| responses(subjects, *scope, level));
    all.filter_map(Result::transpose).collect()
}

/// What is known of a region that nobody looked at.
static NOTHING: Region = Region {
    scans: std::collections::BTreeMap::new(),
    best: None,
    confirmed: None,
    sums: std::collections::BTreeMap::new(),
};
