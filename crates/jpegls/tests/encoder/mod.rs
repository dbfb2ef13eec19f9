//! An encoder for tests, written along annex A step by step and for nothing but being plain: it shares
//! no line with the decoder.

/// What is to be encoded, and how.
#[derive(Debug, Clone)]
pub struct Picture {
    pub columns: usize,
    pub rows: usize,
    pub bits: u32,
    pub components: usize,
    /// Those of one pixel beside each other.
    pub samples: Vec<u16>,
    pub near: i32,
    /// 0 a scan for each component, 1 by line, 2 by sample.
    pub interleaving: u8,
    /// MAXVAL, T1, T2, T3, RESET; all written if there are any.
    pub preset: Option<[u16; 5]>,
    /// Lines between restart markers; 0 for none.
    pub restart: usize,
}

/// The whole stream.
pub fn encode(p: &Picture) -> Vec<u8> {
    let mut to = vec![0xFF, 0xD8];
    let word = |n: usize| [(n >> 8) as u8, n as u8];
    let mut segment = |code: u8, body: &[u8]| {
        to.extend([0xFF, code]);
        to.extend(word(body.len() + 2));
        to.extend(body);
    };
    segment(0xFE, b"a comment");
    let mut frame = vec![p.bits as u8];
    frame.extend(word(p.rows));
    frame.extend(word(p.columns));
    frame.push(p.components as u8);
    (0..p.components).for_each(|n| frame.extend([n as u8 + 1, 0x11, 0]));
    segment(0xF7, &frame);
    if let Some(preset) = p.preset {
        let mut body = vec![1];
        preset.iter().for_each(|n| body.extend(word((*n).into())));
        segment(0xF8, &body);
    }
    if p.restart > 0 {
        segment(0xDD, &word(p.restart));
    }
    let all: Vec<usize> = (0..p.components).collect();
    let scans: Vec<&[usize]> = match p.interleaving {
        0 => all.chunks(1).collect(),
        _ => vec![&all],
    };
    for components in scans {
        to.extend([0xFF, 0xDA]);
        to.extend(word(6 + 2 * components.len()));
        to.push(components.len() as u8);
        components.iter().for_each(|n| to.extend([*n as u8 + 1, 0]));
        to.extend([p.near as u8, p.interleaving, 0]);
        let interval = if p.restart == 0 { p.rows } else { p.restart };
        for (n, first) in (0..p.rows).step_by(interval).enumerate() {
            if n > 0 {
                to.extend([0xFF, 0xD0 + ((n - 1) % 8) as u8]);
            }
            let last = (first + interval).min(p.rows);
            to.extend(Coder::new(p).lines(p, components, first..last));
        }
    }
    to.extend([0xFF, 0xD9]);
    to
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    byte: u32,
    used: u32,
}

impl Bits {
    fn bit(&mut self, bit: u32) {
        self.byte = self.byte << 1 | bit;
        self.used += 1;
        let width = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
        if self.used == width {
            self.bytes.push(self.byte as u8);
            (self.byte, self.used) = (0, 0);
        }
    }

    fn number(&mut self, number: u32, bits: u32) {
        (0..bits).rev().for_each(|n| self.bit(number >> n & 1));
    }

    fn end(mut self) -> Vec<u8> {
        while self.used > 0 || self.bytes.last() == Some(&0xFF) {
            self.bit(0);
        }
        self.bytes
    }
}

const J: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];

struct Coder {
    maxval: i32,
    near: i32,
    t: [i32; 3],
    reset: i32,
    range: i32,
    qbpp: u32,
    limit: u32,
    a: [i32; 367],
    b: [i32; 365],
    c: [i32; 365],
    n: [i32; 367],
    nn: [i32; 367],
    bits: Bits,
}

impl Coder {
    fn new(p: &Picture) -> Self {
        let preset = p.preset.unwrap_or_default().map(i32::from);
        let or = |given: i32, default: i32| if given == 0 { default } else { given };
        let maxval = or(preset[0], (1 << p.bits) - 1);
        let near = p.near;
        let clamp = |i: i32, j: i32| if i > maxval || i < j { j } else { i };
        let (t1, t2, t3);
        if maxval >= 128 {
            let factor = (maxval.min(4095) + 128) / 256;
            t1 = clamp(factor + 2 + 3 * near, near + 1);
            t2 = clamp(factor * (7 - 3) + 3 + 5 * near, or(preset[1], t1));
            t3 = clamp(factor * (21 - 4) + 4 + 7 * near, or(preset[2], t2));
        } else {
            let factor = 256 / (maxval + 1);
            t1 = clamp(2.max(3 / factor + 3 * near), near + 1);
            t2 = clamp(3.max(7 / factor + 5 * near), or(preset[1], t1));
            t3 = clamp(4.max(21 / factor + 7 * near), or(preset[2], t2));
        }
        let log = |n: i32| (0..).find(|k| 1_i64 << k >= i64::from(n)).expect("one");
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bpp = 2.max(log(maxval + 1));
        let a = 2.max((range + 32) / 64);
        Self {
            maxval,
            near,
            t: [or(preset[1], t1), or(preset[2], t2), or(preset[3], t3)],
            reset: or(preset[4], 64),
            range,
            qbpp: log(range),
            limit: 2 * (bpp + 8.max(bpp)),
            a: [a; 367],
            b: [0; 365],
            c: [0; 365],
            n: [1; 367],
            nn: [0; 367],
            bits: Bits::default(),
        }
    }

    fn lines(mut self, p: &Picture, components: &[usize], rows: std::ops::Range<usize>) -> Vec<u8> {
        let samples_of = |row: usize, c: usize| -> Vec<i32> {
            (0..p.columns)
                .map(|x| p.samples[(row * p.columns + x) * p.components + c].into())
                .collect()
        };
        // The lines above as they will be decoded, with one before and one after.
        let mut above = vec![vec![0; p.columns + 2]; components.len()];
        let mut run_index = vec![0; components.len()];
        for row in rows {
            let mut now: Vec<Vec<i32>> = components
                .iter()
                .zip(&above)
                .map(|(c, above)| [vec![above[1]], samples_of(row, *c), vec![0]].concat())
                .collect();
            if p.interleaving == 2 {
                self.line(&above, &mut now, &mut run_index[0]);
            } else {
                for n in 0..components.len() {
                    let (above, now) = (&above[n..=n], &mut now[n..=n]);
                    self.line(above, now, &mut run_index[n]);
                }
            }
            for line in &mut now {
                line[p.columns + 1] = line[p.columns];
            }
            above = now;
        }
        self.bits.end()
    }

    /// A line of components coded together; samples are replaced by what they decode to.
    fn line(&mut self, above: &[Vec<i32>], now: &mut [Vec<i32>], run_index: &mut usize) {
        let columns = now[0].len() - 2;
        let mut x = 1;
        while x <= columns {
            let flat = (0..now.len()).all(|n| {
                let (up, line) = (&above[n], &now[n]);
                [up[x + 1] - up[x], up[x] - up[x - 1], up[x - 1] - line[x - 1]]
                    .iter()
                    .all(|d| d.abs() <= self.near)
            });
            if !flat {
                for n in 0..now.len() {
                    now[n][x] = self.regular(&above[n], &now[n], x);
                }
                x += 1;
                continue;
            }
            let ra: Vec<i32> = now.iter().map(|line| line[x - 1]).collect();
            let mut count = 0;
            while x <= columns && (0..now.len()).all(|n| (now[n][x] - ra[n]).abs() <= self.near) {
                (0..now.len()).for_each(|n| now[n][x] = ra[n]);
                count += 1;
                x += 1;
            }
            while count >= 1 << J[*run_index] {
                self.bits.bit(1);
                count -= 1 << J[*run_index];
                *run_index = (*run_index + 1).min(31);
            }
            if x > columns {
                if count > 0 {
                    self.bits.bit(1);
                }
                return;
            }
            self.bits.bit(0);
            self.bits.number(count, J[*run_index]);
            for n in 0..now.len() {
                let alone = now.len() == 1;
                now[n][x] = self.interruption(ra[n], above[n][x], now[n][x], *run_index, alone);
            }
            *run_index = run_index.saturating_sub(1);
            x += 1;
        }
    }

    fn region(&self, d: i32) -> i32 {
        let [t1, t2, t3] = self.t;
        let inner =
            [-t3, -t2, -t1, -self.near].iter().position(|t| d < *t + i32::from(*t != -self.near));
        match inner {
            Some(n) => n as i32 - 4,
            None if d <= self.near => 0,
            None if d < t1 => 1,
            None if d < t2 => 2,
            None if d < t3 => 3,
            None => 4,
        }
    }

    fn regular(&mut self, up: &[i32], line: &[i32], x: usize) -> i32 {
        let (ra, rb, rc, rd) = (line[x - 1], up[x], up[x - 1], up[x + 1]);
        let mut q = [rd - rb, rb - rc, rc - ra].map(|d| self.region(d));
        let mut sign = 1;
        if q.iter().find(|n| **n != 0).is_some_and(|n| *n < 0) {
            sign = -1;
            q = q.map(|n| -n);
        }
        let q = (81 * q[0] + 9 * q[1] + q[2]) as usize;
        let mut px = if rc >= ra.max(rb) {
            ra.min(rb)
        } else if rc <= ra.min(rb) {
            ra.max(rb)
        } else {
            ra + rb - rc
        };
        px = (px + sign * self.c[q]).clamp(0, self.maxval);
        let (error, rx) = self.error(line[x], px, sign);
        let k = (0..).find(|k| self.n[q] << k >= self.a[q]).expect("one");
        let swap = self.near == 0 && k == 0 && 2 * self.b[q] <= -self.n[q];
        let mapped = match (swap, error >= 0) {
            (true, true) => 2 * error + 1,
            (true, false) => -2 * (error + 1),
            (false, true) => 2 * error,
            (false, false) => -2 * error - 1,
        };
        self.code(mapped as u32, k, self.limit);
        self.b[q] += error * (2 * self.near + 1);
        self.a[q] += error.abs();
        if self.n[q] == self.reset {
            self.a[q] /= 2;
            self.b[q] = if self.b[q] >= 0 { self.b[q] / 2 } else { -((1 - self.b[q]) / 2) };
            self.n[q] /= 2;
        }
        self.n[q] += 1;
        if self.b[q] <= -self.n[q] {
            self.b[q] += self.n[q];
            if self.c[q] > -128 {
                self.c[q] -= 1;
            }
            if self.b[q] <= -self.n[q] {
                self.b[q] = -self.n[q] + 1;
            }
        } else if self.b[q] > 0 {
            self.b[q] -= self.n[q];
            if self.c[q] < 127 {
                self.c[q] += 1;
            }
            if self.b[q] > 0 {
                self.b[q] = 0;
            }
        }
        rx
    }

    /// The error of a prediction as it is coded, and what the sample decodes to.
    fn error(&self, sample: i32, px: i32, sign: i32) -> (i32, i32) {
        let mut error = sign * (sample - px);
        let step = 2 * self.near + 1;
        error = if error > 0 { (error + self.near) / step } else { -((self.near - error) / step) };
        let rx = (px + sign * error * step).clamp(0, self.maxval);
        if error < 0 {
            error += self.range;
        }
        if error >= (self.range + 1) / 2 {
            error -= self.range;
        }
        (error, rx)
    }

    fn interruption(&mut self, ra: i32, rb: i32, sample: i32, index: usize, alone: bool) -> i32 {
        let alike = alone && (ra - rb).abs() <= self.near;
        let (px, sign) = match (alike, ra > rb) {
            (true, _) => (ra, 1),
            (false, true) => (rb, -1),
            (false, false) => (rb, 1),
        };
        let (error, rx) = self.error(sample, px, sign);
        let kind = i32::from(alike);
        let q = 365 + kind as usize;
        let temp = self.a[q] + if alike { self.n[q] / 2 } else { 0 };
        let k: u32 = (0..).find(|k| self.n[q] << k >= temp).expect("one");
        let map = (k == 0 && error > 0 && 2 * self.nn[q] < self.n[q])
            || (error < 0 && 2 * self.nn[q] >= self.n[q])
            || (error < 0 && k != 0);
        let mapped = 2 * error.abs() - kind - i32::from(map);
        self.code(mapped as u32, k, self.limit - J[index] - 1);
        if error < 0 {
            self.nn[q] += 1;
        }
        self.a[q] += (mapped + 1 - kind) / 2;
        if self.n[q] == self.reset {
            self.a[q] /= 2;
            self.n[q] /= 2;
            self.nn[q] /= 2;
        }
        self.n[q] += 1;
        rx
    }

    fn code(&mut self, value: u32, k: u32, limit: u32) {
        let most = limit - self.qbpp - 1;
        if value >> k < most {
            (0..value >> k).for_each(|_| self.bits.bit(0));
            self.bits.bit(1);
            self.bits.number(value, k);
        } else {
            (0..most).for_each(|_| self.bits.bit(0));
            self.bits.bit(1);
            self.bits.number(value - 1, self.qbpp);
        }
    }
}
