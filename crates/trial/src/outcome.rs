//! What became of a virtual patient: one row.

use crate::recist::Best;

/// A virtual patient in the end. Days count from C1D1, which is day 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Number of the patient: the same patient in every arm.
    pub patient: u64,
    /// WHO grade, 1 to 3.
    pub grade: u8,
    /// Pancreatic primary.
    pub pancreatic: bool,
    /// Female.
    pub female: bool,
    /// Measurable disease outside the liver.
    pub elsewhere: bool,
    /// Disease in both lobes.
    pub bilobar: bool,
    /// MGMT below that of the median patient.
    pub mgmt_low: bool,
    /// First day of progression, or of death.
    pub pfs: Endpoint,
    /// First day of progression in the liver, or of death.
    pub hepatic_pfs: Endpoint,
    /// What hepatic progression competes with: 0 nothing yet, 1 hepatic progression, 2 extrahepatic
    /// progression before it, 3 death; and the day.
    pub first: (u16, u8),
    /// Best response of the liver, outside it, of all.
    pub best: [Best; 3],
    /// Whether it was confirmed.
    pub confirmed: [bool; 3],
    /// Least change of the liver's sum, in percent of baseline.
    pub liver_change_percent: i8,
    /// Day of the first scan with a response of the liver; zero: none.
    pub response_day: u16,
    /// Worst grade of neutrophils, platelets, lymphocytes (CTCAE 5).
    pub blood_grade: [u8; 3],
    /// Worst grade of other toxicities of drugs.
    pub other_grade: u8,
    /// Liver toxicity within four months of a session, and late decompensation.
    pub liver_toxicity: [bool; 2],
    /// Whether the simulation allowed radioembolization.
    pub suitable: bool,
    /// Sessions done.
    pub sessions: u8,
    /// Day of the first one; zero: none.
    pub session_day: u16,
    /// Cycle of the first one.
    pub session_cycle: u8,
    /// Platelets on that day, 10^9/L.
    pub session_platelets: u16,
    /// Share of the dose of the first session delivered on days of capecitabine and of temozolomide,
    /// in thousandths.
    pub overlap: [u16; 2],
    /// Cycles begun.
    pub cycles: u16,
    /// Waits before cycles, all together.
    pub waits: u16,
    /// Reductions of a dose.
    pub reductions: u8,
    /// Dose of each drug over the planned one of the cycles begun, in percent.
    pub intensity_percent: [u8; 2],
    /// Day on which treatment ended; the horizon if it did not.
    pub ended: u16,
    /// Why.
    pub end: End,
}

/// A time to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Day of the event, or to which it was looked for.
    pub day: u16,
    /// Whether it happened.
    pub event: bool,
}

/// Why treatment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// It has not.
    Goes = 0,
    /// Progression.
    Progression = 1,
    /// Intolerance in cycle 1.
    IntoleranceFirst = 2,
    /// Later intolerance, by a rule of the protocol or without.
    Intolerance = 3,
    /// All cycles were given.
    Complete = 4,
    /// Withdrawal.
    Withdrawal = 5,
    /// Death.
    Death = 6,
}

impl End {
    /// All, by number.
    pub const ALL: [Self; 7] = [
        Self::Goes,
        Self::Progression,
        Self::IntoleranceFirst,
        Self::Intolerance,
        Self::Complete,
        Self::Withdrawal,
        Self::Death,
    ];

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Goes => "goes on at the horizon",
            Self::Progression => "progression",
            Self::IntoleranceFirst => "intolerance in cycle 1",
            Self::Intolerance => "later intolerance",
            Self::Complete => "all cycles given",
            Self::Withdrawal => "withdrawal",
            Self::Death => "death",
        }
    }
}
