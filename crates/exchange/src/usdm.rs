//! A protocol as CDISC USDM v4.
