//! Dose-volume histograms: a weighted sample of doses, and the measures read from it.
