//! The regimen: protocol as data, its calendar, and when each drug is taken.
