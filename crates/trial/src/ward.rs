//! Many patients side by side: each lane of the marrow is a patient with a clock of his own, and who is
//! done makes room for the next. The same patient comes out whatever lane and neighbours he had.

use crate::model::Model;
use crate::outcome::Outcome;
use crate::patient::{Patient, Recorder};
use crate::program::Program;
use hepatica_biology::marrow::Lanes;
use multiversion::multiversion;
use std::ops::Range;

/// Patients side by side: a vector register of single precision.
pub const LANES: usize = 16;

/// What all patients of a run share.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The population.
    pub model: &'a Model,
    /// The protocol.
    pub program: &'a Program,
    /// Key of all random numbers.
    pub seed: u64,
    /// Days followed.
    pub horizon: u16,
}

/// Runs patients of these numbers; the outcomes are in the order of their numbers.
///
/// Compiled for several widths of vector registers; all of them give the same bits, because every lane
/// does the same single operations in the same order.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512bw+avx512vl",
    "x86_64+avx2",
    "x86_64+sse4.1"
))]
#[must_use]
pub fn run(run: &Run<'_>, patients: Range<u64>) -> Vec<Outcome> {
    let mut waiting = patients.clone();
    let mut done: Vec<Option<Outcome>> = vec![None; (patients.end - patients.start) as usize];
    let mut lanes: [Option<Patient<'_>>; LANES] = std::array::from_fn(|_| None);
    let mut numbers = [0_u64; LANES];
    let mut counts: [Lanes<LANES>; 2] = [[[1.0; LANES]; 5]; 2];
    let mut left = 0;
    for lane in 0..LANES {
        if let Some(n) = waiting.next() {
            numbers[lane] = n;
            lanes[lane] = Some(Patient::new(run.model, run.program, run.seed, n, run.horizon));
            left += 1;
        }
    }
    while left > 0 {
        let mut effect = [[0.0_f32; LANES]; 2];
        for lane in 0..LANES {
            let Some(patient) = &mut lanes[lane] else { continue };
            let [neutrophils, platelets] =
                patient.day([counts[0][4][lane], counts[1][4][lane]], &mut ());
            effect[0][lane] = neutrophils;
            effect[1][lane] = platelets;
        }
        if run.model.with_marrow {
            for lineage in 0..2 {
                run.model.marrow[lineage].advance(&mut counts[lineage], &effect[lineage]);
            }
        }
        for lane in 0..LANES {
            if !lanes[lane].as_ref().is_some_and(Patient::is_over) {
                continue;
            }
            if let Some(patient) = lanes[lane].take() {
                done[(numbers[lane] - patients.start) as usize] = Some(patient.outcome());
            }
            for lineage in &mut counts {
                for compartment in lineage.iter_mut() {
                    compartment[lane] = 1.0;
                }
            }
            match waiting.next() {
                Some(n) => {
                    numbers[lane] = n;
                    lanes[lane] =
                        Some(Patient::new(run.model, run.program, run.seed, n, run.horizon));
                }
                None => left -= 1,
            }
        }
    }
    done.into_iter().flatten().collect()
}

/// Runs one patient with someone who writes everything down.
pub fn follow(run: &Run<'_>, patient: u64, recorder: &mut impl Recorder) -> Outcome {
    let mut counts: [Lanes<1>; 2] = [[[1.0; 1]; 5]; 2];
    let mut patient = Patient::new(run.model, run.program, run.seed, patient, run.horizon);
    while !patient.is_over() {
        let effect = patient.day([counts[0][4][0], counts[1][4][0]], recorder);
        if run.model.with_marrow {
            for lineage in 0..2 {
                run.model.marrow[lineage].advance(&mut counts[lineage], &[effect[lineage]]);
            }
        }
    }
    patient.outcome()
}
