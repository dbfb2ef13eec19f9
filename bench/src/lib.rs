//! Benchmarks alone; see `benches/` and `README.md`.
