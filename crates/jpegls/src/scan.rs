//! Samples of a scan (annex A): their contexts, predictions, errors and runs.

use crate::bits::Bits;
use crate::parameters::Parameters;
use std::cmp::Ordering;

/// Orders of the codes of runs (A.2.1).
const J: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];

/// A run of so many samples is the longest that one bit can stand for.
pub(crate) const LONGEST_RUN: usize = 1 << J[31];

/// Contexts of three quantized gradients, the sign taken out.
const REGULAR: usize = 365;

/// Lines of one component: the one above and the one being decoded, each with one sample more before
/// its beginning and after its end.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    pub(crate) above: Vec<i32>,
    pub(crate) line: Vec<i32>,
    run_index: usize,
}

impl Lines {
    pub(crate) fn new(columns: usize) -> Self {
        Self { above: vec![0; columns + 2], line: vec![0; columns + 2], run_index: 0 }
    }

    /// As at the beginning of a scan or after a restart marker.
    pub(crate) fn clear(&mut self) {
        self.above.fill(0);
        self.line.fill(0);
        self.run_index = 0;
    }

    /// The samples of the line that was decoded.
    pub(crate) fn samples(&self) -> &[i32] {
        &self.line[1..self.line.len() - 1]
    }

    /// Makes the line that was decoded the one above; samples beyond its ends as A.2.1 has them.
    pub(crate) fn next(&mut self) {
        std::mem::swap(&mut self.above, &mut self.line);
        let end = self.above.len() - 1;
        self.above[end] = self.above[end - 1];
        self.line[0] = self.above[1];
    }
}

#[derive(Debug, Clone, Copy)]
struct Context {
    /// Sum of magnitudes of errors.
    a: i64,
    /// Sum of errors, for the bias.
    b: i32,
    /// Correction of the prediction.
    c: i32,
    /// How many samples.
    n: i32,
}

#[derive(Debug, Clone, Copy)]
struct RunContext {
    a: i64,
    n: i32,
    negative: i32,
}

/// Decodes the lines of a scan, or of a restart interval.
pub(crate) struct Decoder<'b> {
    p: Parameters,
    bits: Bits<'b>,
    contexts: [Context; REGULAR],
    runs: [RunContext; 2],
}

impl<'b> Decoder<'b> {
    pub(crate) fn new(p: Parameters, bytes: &'b [u8]) -> Self {
        let a = i64::from((p.range + 32) / 64).max(2);
        Self {
            p,
            bits: Bits::new(bytes),
            contexts: [Context { a, b: 0, c: 0, n: 1 }; REGULAR],
            runs: [RunContext { a, n: 1, negative: 0 }; 2],
        }
    }

    /// Whether all that was given is read.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.bits.is_at_end()
    }

    /// The next line of one component.
    pub(crate) fn line(&mut self, lines: &mut Lines) -> Result<(), &'static str> {
        let done = self.line_of_one(lines);
        self.whole(done)
    }

    /// The next line of components interleaved by sample.
    pub(crate) fn line_by_sample(&mut self, lines: &mut [Lines]) -> Result<(), &'static str> {
        let done = self.line_of_all(lines);
        self.whole(done)
    }

    /// Zeros are read beyond the end of the bits: what comes of them is no fault of its own.
    fn whole(&self, done: Result<(), &'static str>) -> Result<(), &'static str> {
        if self.bits.is_beyond() { Err(TOO_FEW) } else { done }
    }

    fn line_of_one(&mut self, lines: &mut Lines) -> Result<(), &'static str> {
        let count = lines.line.len();
        let (above, line) = (&lines.above[..count], &mut lines.line[..count]);
        let columns = count - 2;
        let mut at = 1;
        // The gradient between the two above is the next sample's second.
        let mut known = None;
        while at <= columns {
            let [c, b, d] = [above[at - 1], above[at], above[at + 1]];
            let a = line[at - 1];
            let second = known.unwrap_or_else(|| self.quantize(b - c));
            let first = self.quantize(d - b);
            let context = 81 * first + 9 * second + self.quantize(c - a);
            if context != 0 {
                line[at] = self.regular(context, a, b, c)?;
                at += 1;
                known = Some(first);
                continue;
            }
            known = None;
            let run = self.run(&mut lines.run_index, columns + 1 - at)?;
            line[at..at + run].fill(a);
            at += run;
            if at <= columns {
                line[at] = self.interruption(lines.run_index, a, above[at])?;
                lines.run_index = lines.run_index.saturating_sub(1);
                at += 1;
            }
        }
        Ok(())
    }

    /// Components interleaved by sample have their runs together.
    fn line_of_all(&mut self, lines: &mut [Lines]) -> Result<(), &'static str> {
        let Some(columns) = lines.first().map(|l| l.samples().len()) else { return Ok(()) };
        let mut at = 1;
        while at <= columns {
            let mut contexts = [0; 4];
            for (context, l) in contexts.iter_mut().zip(lines.iter()) {
                let [c, b, d] = [l.above[at - 1], l.above[at], l.above[at + 1]];
                let [first, second] = [d - b, b - c].map(|g| self.quantize(g));
                *context = 81 * first + 9 * second + self.quantize(c - l.line[at - 1]);
            }
            if contexts != [0; 4] {
                for (context, l) in contexts.iter().zip(lines.iter_mut()) {
                    let [a, b, c] = [l.line[at - 1], l.above[at], l.above[at - 1]];
                    l.line[at] = self.regular(*context, a, b, c)?;
                }
                at += 1;
                continue;
            }
            let mut run_index = lines[0].run_index;
            let run = self.run(&mut run_index, columns + 1 - at)?;
            for l in lines.iter_mut() {
                let a = l.line[at - 1];
                l.line[at..at + run].fill(a);
            }
            at += run;
            if at <= columns {
                for l in lines.iter_mut() {
                    l.line[at] =
                        self.interruption_from_above(run_index, l.line[at - 1], l.above[at])?;
                }
                run_index = run_index.saturating_sub(1);
                at += 1;
            }
            lines[0].run_index = run_index;
        }
        Ok(())
    }

    /// Region of a gradient, -4 to 4 (A.3.3).
    #[inline]
    fn quantize(&self, gradient: i32) -> i32 {
        let [t1, t2, t3] = self.p.thresholds;
        let d = gradient.abs();
        let region = i32::from(d > self.p.near)
            + i32::from(d >= t1)
            + i32::from(d >= t2)
            + i32::from(d >= t3);
        if gradient < 0 { -region } else { region }
    }

    /// A sample in regular mode (A.4 to A.6), its neighbours left, above, and above left.
    #[inline]
    fn regular(&mut self, context: i32, a: i32, b: i32, c: i32) -> Result<i32, &'static str> {
        let p = &self.p;
        let sign = if context < 0 { -1 } else { 1 };
        let q = &mut self.contexts[context.unsigned_abs() as usize];
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        let edge = if c >= high {
            low
        } else if c <= low {
            high
        } else {
            a + b - c
        };
        let prediction = (edge + sign * q.c).clamp(0, p.maxval);
        let k = order(q.n, q.a);
        let code = self.bits.golomb(k, p.limit - p.qbpp - 1, p.qbpp)?;
        // Even codes are errors from 0 up, odd ones from -1 down; the other way round where the bias
        // says that negative ones are the more frequent (A.5.2).
        let half = (code >> 1) as i32;
        let swapped = p.near == 0 && k == 0 && 2 * q.b <= -q.n;
        let error = if (code & 1 == 1) != swapped { -half - 1 } else { half };
        if error.abs() > p.range {
            return Err(NO_ERROR);
        }
        q.b += error * (2 * p.near + 1);
        q.a += i64::from(error.abs());
        if q.n == p.reset as i32 {
            q.a >>= 1;
            q.b >>= 1;
            q.n >>= 1;
        }
        q.n += 1;
        if q.b <= -q.n {
            q.b = (q.b + q.n).max(1 - q.n);
            q.c = (q.c - 1).max(-128);
        } else if q.b > 0 {
            q.b = (q.b - q.n).min(0);
            q.c = (q.c + 1).min(127);
        }
        Ok(p.sample(prediction, sign * error))
    }

    /// How many samples, of at most that many, are as the one before (A.7.1).
    fn run(&mut self, index: &mut usize, most: usize) -> Result<usize, &'static str> {
        let mut run = 0;
        while self.bits.number(1) == 1 {
            let whole = 1 << J[*index];
            run += whole;
            if run > most {
                return Ok(most);
            }
            *index = (*index + 1).min(J.len() - 1);
            if run == most {
                return Ok(run);
            }
        }
        run += self.bits.number(J[*index]) as usize;
        // There is a sample after it that is not of the run.
        if run < most { Ok(run) } else { Err("a run beyond its end") }
    }

    /// The sample that ends a run (A.7.2), its neighbours left and above.
    fn interruption(&mut self, index: usize, a: i32, b: i32) -> Result<i32, &'static str> {
        if (a - b).abs() > self.p.near {
            return self.interruption_from_above(index, a, b);
        }
        let error = self.interruption_error(index, 1)?;
        Ok(self.p.sample(a, error))
    }

    /// That sample where its neighbours differ, or where components have their runs together.
    fn interruption_from_above(
        &mut self,
        index: usize,
        a: i32,
        b: i32,
    ) -> Result<i32, &'static str> {
        let error = self.interruption_error(index, 0)?;
        Ok(self.p.sample(b, if a > b { -error } else { error }))
    }

    fn interruption_error(&mut self, index: usize, kind: usize) -> Result<i32, &'static str> {
        let p = &self.p;
        let r = &mut self.runs[kind];
        let alike = kind as i32;
        let k = order(r.n, r.a + i64::from(alike * (r.n >> 1)));
        let code = self.bits.golomb(k, p.limit - J[index] - 1 - p.qbpp - 1, p.qbpp)?;
        // The code is twice the magnitude, less one for one of the signs, less one if both neighbours
        // are alike, for then the error is not zero (A.7.2.1).
        let twice = code as i32 + alike;
        let map = twice & 1;
        let magnitude = (twice + map) / 2;
        if magnitude > p.range {
            return Err(NO_ERROR);
        }
        let negative = (k != 0 || 2 * r.negative >= r.n) == (map == 1);
        let error = if negative { -magnitude } else { magnitude };
        r.negative += i32::from(error < 0);
        r.a += i64::from((code as i32 + 1 - alike) >> 1);
        if r.n == p.reset as i32 {
            r.a >>= 1;
            r.n >>= 1;
            r.negative >>= 1;
        }
        r.n += 1;
        Ok(error)
    }
}

const TOO_FEW: &str = "its bits end before its samples";
const NO_ERROR: &str = "a difference beyond the range of samples";

impl Parameters {
    /// A sample from its prediction and the error of that (A.4.5, A.6).
    #[inline]
    fn sample(&self, prediction: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let value = prediction + error * step;
        // Errors are kept modulo the range.
        let value = if value < -self.near {
            value + self.range * step
        } else if value > self.maxval + self.near {
            value - self.range * step
        } else {
            value
        };
        value.clamp(0, self.maxval)
    }
}

/// The least `k` with n 2^k >= a (A.5.1).
#[inline]
fn order(n: i32, a: i64) -> u32 {
    let n = i64::from(n);
    let k = n.leading_zeros().saturating_sub(a.leading_zeros());
    match (n << k).cmp(&a) {
        Ordering::Less => k + 1,
        _ => k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_code_is_the_least_that_does() {
        for n in 1..130 {
            for a in (0..3000).chain([1 << 20, 1 << 32, (1 << 32) + 1]) {
                let expected = (0..).find(|k| i64::from(n) << k >= a).expect("one");
                assert_eq!(order(n, a), expected, "{n} {a}");
            }
        }
    }
}
