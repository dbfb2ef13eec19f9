//! x
use multiversion::multiversion;
/// s
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2"))]
#[must_use]
pub fn f(a: &[f32; 16]) -> f32 { a.iter().map(|x| x * x).sum() }
