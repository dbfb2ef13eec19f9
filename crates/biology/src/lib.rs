//! Dose to effect: BED, EUD, TCP, NTCP.
