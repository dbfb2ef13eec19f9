//! Which tables and columns are read. The names are those that `hepatica course export` writes;
//! columns that are not named here may be there and are not looked at.

use hepatica_exchange::tables::Kind;
use hepatica_exchange::tables::{Design, adam, sdtm};
use std::fmt::Write;

/// What a column is for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// A name: every text is one, `NA` too.
    Name,
    /// Text.
    Text,
    /// `Y` or `N`; empty where it is not known.
    Flag,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A day.
    Date,
}

impl Cell {
    /// The kind of the exchange's column.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Name | Self::Text | Self::Flag => Kind::Text,
            Self::Integer => Kind::Integer,
            Self::Number => Kind::Number,
            Self::Date => Kind::Date,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Name | Self::Text => "text",
            Self::Flag => "Y, N or empty",
            Self::Integer => "whole number",
            Self::Number => "number",
            Self::Date => "YYYY-MM-DD",
        }
    }
}

/// A column that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Name.
    pub name: &'static str,
    /// What it is.
    pub cell: Cell,
    /// Whether it must be there.
    pub required: bool,
    /// What it is read for.
    pub label: &'static str,
}

const fn need(name: &'static str, cell: Cell, label: &'static str) -> Used {
    Used { name, cell, required: true, label }
}
const fn may(name: &'static str, cell: Cell, label: &'static str) -> Used {
    Used { name, cell, required: false, label }
}

/// A table that is read.
#[derive(Debug, Clone, Copy)]
pub struct Sheet {
    /// Name of the table and, in small letters, of its file.
    pub name: &'static str,
    /// What it holds.
    pub label: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Columns.
    pub columns: &'static [Used],
    /// The table that the exchange writes.
    pub design: &'static Design,
}

use Cell::{Date, Flag, Integer, Name, Number, Text};

/// Subjects.
pub static ADSL: Sheet = Sheet {
    name: "ADSL",
    label: "one row a patient",
    required: true,
    columns: &[
        need("USUBJID", Name, "who"),
        may("STUDYID", Name, "the study, for the head of the report"),
        may("SUBJID", Name, "the same within the study: what figures and plan.json name"),
        may("SITEID", Name, "centre, for the accrual"),
        may("TRT01P", Name, "arm; two of them are compared"),
        may("ARM", Name, "arm, where there is no TRT01P"),
        may("SAFFL", Flag, "treated; else who has a TRTSDT"),
        may("DRUGFL", Flag, "any drug taken"),
        may("SESSFL", Flag, "any session given"),
        need("ENRLDT", Date, "enrolment"),
        may("C1D1DT", Date, "day 1 of cycle 1; else TRTSDT"),
        need("TRTSDT", Date, "first day of treatment; empty for who was not treated"),
        may("TRTEDT", Date, "last day of treatment"),
        may("EOTSTT", Text, "ONGOING, COMPLETED or DISCONTINUED"),
        may("EOTDT", Date, "end of treatment"),
        may("DCTREAS", Text, "why it ended"),
        may("NCYCLE", Integer, "cycles begun"),
        may("C1STOPFL", Flag, "ended before cycle 2 began"),
        may("NSESS", Integer, "sessions given"),
        may("SES1DT", Date, "session 1"),
        may("SES1CYC", Integer, "its cycle"),
        may("SES1CDY", Integer, "the day of that cycle"),
        may("SES1GBQ", Number, "its activity, GBq"),
        may("SES2DT", Date, "session 2"),
        may("SES2CYC", Integer, "its cycle"),
        may("SES2CDY", Integer, "the day of that cycle"),
        may("SES2GBQ", Number, "its activity, GBq"),
        may("DTHDT", Date, "death"),
        may("WITHDT", Date, "withdrawal of consent"),
        may("LSTALVDT", Date, "last known alive"),
        may("DCUTDT", Date, "data cut; else the last day of the tables, and that is said"),
    ],
    design: &adam::ADSL,
};

/// Times to events.
pub static ADTTE: Sheet = Sheet {
    name: "ADTTE",
    label: "one row a patient and endpoint",
    required: false,
    columns: &[
        need("USUBJID", Name, "who"),
        need("PARAMCD", Name, "endpoint: HPFS, PFS, OS, or others"),
        may("PARAM", Name, "its name"),
        need("AVAL", Integer, "days from STARTDT to ADT (or that and 1, in all rows alike)"),
        need("CNSR", Integer, "0 event; 1 censored; 2 a death after which the event cannot come"),
        may("STARTDT", Date, "from when; AVAL is checked against it"),
        may("ADT", Date, "until when"),
        may("EVNTDESC", Text, "what happened: words with `death` or `progress` tell the two apart"),
        may("CMPDT", Date, "the first competing event: progression outside the liver"),
        may("CMPDESC", Text, "what it was; a death is not counted by it, but by CNSR 2"),
    ],
    design: &adam::ADTTE,
};

/// Responses.
pub static ADRS: Sheet = Sheet {
    name: "ADRS",
    label: "one row a patient, region and scan (OVR), and a patient and region (BOR, CBOR)",
    required: false,
    columns: &[
        need("USUBJID", Name, "who"),
        need("PARAMCD", Name, "OVR, BOR, CBOR; with LIV of the liver, with OUT outside it"),
        may("PARCAT1", Text, "criteria"),
        need("AVALC", Text, "CR, PR, SD, NON-CR/NON-PD, PD, NE, ND (no disease there), MISSING"),
        need("ADT", Date, "the scan, for OVR"),
        may("ANL01FL", Flag, "up to progression"),
    ],
    design: &adam::ADRS,
};

/// Sizes.
pub static ADTR: Sheet = Sheet {
    name: "ADTR",
    label: "one row a patient, region and scan: the sum of the targets",
    required: false,
    columns: &[
        need("USUBJID", Name, "who"),
        need("PARAMCD", Name, "SDIAM, SDIAMLIV, SDIAMOUT"),
        need("ADT", Date, "the scan"),
        need("AVAL", Number, "the sum, mm; empty where a target cannot be measured"),
        need("BASE", Number, "the sum at baseline, mm"),
        may("PCHG", Number, "change from baseline, %; checked against AVAL and BASE"),
        may("ABLFL", Flag, "the baseline"),
        may("ANL01FL", Flag, "up to progression"),
    ],
    design: &adam::ADTR,
};

/// Toxicities.
pub static ADAE: Sheet = Sheet {
    name: "ADAE",
    label: "one row a stretch of days on which a toxicity had a grade",
    required: false,
    columns: &[
        need("USUBJID", Name, "who"),
        need("AEDECOD", Text, "CTCAE term"),
        may("HAEMFL", Flag, "of the blood; else what the table of terms says"),
        need("ATOXGRN", Integer, "grade, 1 to 5"),
        may("ATOXVER", Integer, "version of CTCAE, 5 or 6; else --ctcae"),
        need("ASTDT", Date, "first day"),
        may("AENDT", Date, "the day on which it was over or had another grade"),
        may("AREL", Text, "RELATED where it is put down to the treatment"),
        may("TRTEMFL", Flag, "began under treatment; else ASTDT from TRTSDT on"),
        may(
            "ACYCLE",
            Integer,
            "cycle of ASTDT; else by the length of the protocol's cycles, and that is said",
        ),
    ],
    design: &adam::ADAE,
};

/// Laboratory values.
pub static ADLB: Sheet = Sheet {
    name: "ADLB",
    label: "one row a laboratory value",
    required: false,
    columns: &[
        need("USUBJID", Name, "who"),
        may("PARAMCD", Name, "test"),
        need("ADT", Date, "when"),
        may("ATOX", Text, "CTCAE term; without it the row is not looked at"),
        need("ATOXGRN", Integer, "grade, 0 to 4; empty where it cannot be told"),
        may("BTOXGRN", Integer, "grade at baseline"),
        may("ATOXLON", Integer, "lowest grade it may be, where it cannot be told"),
        may("ATOXHIN", Integer, "highest grade it may be"),
        may("ATOXVER", Integer, "version of CTCAE, 5 or 6; else --ctcae"),
        may("ACYCLE", Integer, "cycle of ADT"),
    ],
    design: &adam::ADLB,
};

/// Lesions.
pub static TR: Sheet = Sheet {
    name: "TR",
    label: "one row a lesion and scan (for dose and response of lesions)",
    required: false,
    columns: &[
        need("USUBJID", Name, "who"),
        need("TRLNKID", Name, "the lesion, named as in plan.json"),
        need("TRTESTCD", Name, "LDIAM or SAXIS; other rows are not looked at"),
        need("TRSTRESN", Number, "diameter, mm"),
        need("TRDTC", Text, "when; the first ten characters are the day"),
    ],
    design: &sdtm::TR,
};

/// All of them.
pub static SHEETS: [&Sheet; 7] = [&ADSL, &ADTTE, &ADRS, &ADTR, &ADAE, &ADLB, &TR];

/// Every table and column as Markdown: the part of `docs/trial-data.md` that is made from the
/// program.
#[must_use]
pub fn describe() -> String {
    let mut text = String::new();
    for s in SHEETS {
        // Writing to a String does not fail.
        let needed = if s.required { "needed" } else { "optional" };
        let _ = write!(text, "### {} ({needed}): {}\n\n", s.name, s.label);
        text.push_str("| column | | holds | read for |\n|---|---|---|---|\n");
        for c in s.columns {
            let needed = if c.required { "needed" } else { "" };
            let _ = writeln!(text, "| `{}` | {needed} | {} | {} |", c.name, c.cell.word(), c.label);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_that_are_exported() {
        for s in SHEETS {
            for c in s.columns {
                let exported = s.design.columns.iter().find(|d| d.name == c.name);
                let exported = exported.unwrap_or_else(|| panic!("{} {}", s.name, c.name));
                assert_eq!(exported.kind, c.cell.kind(), "{} {}", s.name, c.name);
            }
        }
    }

    #[test]
    fn every_column_is_in_the_docs() {
        let page = include_str!("../../../docs/trial-data.md");
        assert!(
            page.contains(&describe()),
            "docs/trial-data.md is behind; its table is now:\n{}",
            describe()
        );
    }
}
