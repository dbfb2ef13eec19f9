//! A synthetic patient with known truth, and the cameras that image it.
