//! How many subjects, and when to stop.
