//! Sets of voxels: growing, shrinking, parts, holes.

use crate::geometry::Grid;
use crate::mask::Mask;
use rayon::prelude::*;

/// Voxels that are in or out, i fastest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Volume {
    size: [usize; 3],
    mm: [f64; 3],
    /// World x of voxel (0, 0, 0) and what a step along each axis adds.
    x: (f64, [f64; 3]),
    voxel_ml: f64,
    pub inside: Vec<bool>,
}

impl Volume {
    pub fn new(grid: &Grid, inside: Vec<bool>) -> Self {
        let mm = grid.spacing_mm();
        let step = std::array::from_fn(|a| grid.axes()[(0, a)] * mm[a]);
        Self {
            size: grid.size(),
            mm,
            x: (grid.origin_mm().x, step),
            voxel_ml: grid.voxel_volume().ml(),
            inside,
        }
    }

    pub fn none(grid: &Grid) -> Self {
        Self::new(grid, vec![false; grid.len()])
    }

    fn with(&self, inside: Vec<bool>) -> Self {
        Self { inside, ..self.shell() }
    }

    /// These voxels and no other.
    fn only(&self, voxels: impl IntoIterator<Item = usize>) -> Self {
        let mut inside = vec![false; self.inside.len()];
        voxels.into_iter().for_each(|n| inside[n] = true);
        self.with(inside)
    }

    fn shell(&self) -> Self {
        Self { inside: Vec::new(), ..*self }
    }

    pub fn mask(&self, grid: &Grid) -> Mask {
        Mask::from_fn(grid.clone(), |at| if self.inside[grid.offset(at)] { 1.0 } else { 0.0 })
    }

    pub fn is_empty(&self) -> bool {
        !self.inside.iter().any(|v| *v)
    }

    pub fn count(&self) -> usize {
        self.inside.iter().filter(|v| **v).count()
    }

    pub fn ml(&self) -> f64 {
        self.count() as f64 * self.voxel_ml
    }

    fn zip(&self, other: &Self, f: impl Fn(bool, bool) -> bool) -> Self {
        self.with(self.inside.iter().zip(&other.inside).map(|(a, b)| f(*a, *b)).collect())
    }

    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a && b)
    }

    pub fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a || b)
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a && !b)
    }

    pub fn place(&self, n: usize) -> [usize; 3] {
        let [nx, ny, _] = self.size;
        [n % nx, n / nx % ny, n / (nx * ny)]
    }

    /// World x of a voxel.
    pub fn x_of(&self, n: usize) -> f64 {
        let at = self.place(n);
        (0..3).fold(self.x.0, |x, a| x + at[a] as f64 * self.x.1[a])
    }

    fn voxels(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.inside.len()).filter(|n| self.inside[*n])
    }

    pub fn mean(&self, values: &[f32]) -> f64 {
        self.voxels().map(|n| f64::from(values[n])).sum::<f64>() / self.count().max(1) as f64
    }

    /// Mean world x of the voxels.
    pub fn middle_mm(&self) -> f64 {
        self.voxels().map(|n| self.x_of(n)).sum::<f64>() / self.count().max(1) as f64
    }

    /// Part of the voxels whose x is above `x`.
    pub fn share_beyond(&self, x: f64) -> f64 {
        let beyond = self.voxels().filter(|n| self.x_of(*n) > x).count();
        beyond as f64 / self.count().max(1) as f64
    }

    fn bounds(&self) -> Option<[[usize; 2]; 3]> {
        let mut bounds: Option<[[usize; 2]; 3]> = None;
        for n in self.voxels() {
            let at = self.place(n);
            let b = bounds.get_or_insert(at.map(|i| [i, i]));
            for a in 0..3 {
                b[a] = [b[a][0].min(at[a]), b[a][1].max(at[a])];
            }
        }
        bounds
    }

    pub fn extent_mm(&self) -> [f64; 3] {
        let bounds = self.bounds();
        std::array::from_fn(|a| bounds.map_or(0.0, |b| (b[a][1] - b[a][0] + 1) as f64 * self.mm[a]))
    }

    /// Whether the first or the last slice has some of it.
    pub fn reaches_an_end(&self) -> bool {
        self.bounds().is_some_and(|b| b[2][0] == 0 || b[2][1] + 1 == self.size[2])
    }

    /// Voxels of each part that touches no other (faces count).
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.inside.len()];
        let mut parts = Vec::new();
        for n in self.voxels() {
            if !seen[n] {
                parts.push(self.flood(n, &mut seen));
            }
        }
        parts
    }

    fn ml_of(&self, part: &[usize]) -> f64 {
        part.len() as f64 * self.voxel_ml
    }

    /// Parts that do not touch (faces count), largest first.
    pub fn components(&self) -> Vec<Self> {
        let mut parts = self.parts();
        // Small ones by the thousand are noise.
        parts.retain(|p| self.ml_of(p) > 0.5);
        parts.sort_by_key(|p| std::cmp::Reverse(p.len()));
        parts.into_iter().take(64).map(|voxels| self.only(voxels)).collect()
    }

    /// Everything in parts of more than `ml`.
    pub fn components_above(&self, ml: f64) -> Self {
        self.only(self.parts().into_iter().filter(|p| self.ml_of(p) > ml).flatten())
    }

    pub fn largest(&self) -> Self {
        self.components().into_iter().next().unwrap_or_else(|| self.only([]))
    }

    /// The part that holds a voxel.
    pub fn part_with(&self, seed: usize) -> Self {
        if !self.inside[seed] {
            return self.only([]);
        }
        self.only(self.flood(seed, &mut vec![false; self.inside.len()]))
    }

    fn flood(&self, from: usize, seen: &mut [bool]) -> Vec<usize> {
        let [nx, ny, nz] = self.size;
        let mut part = vec![from];
        seen[from] = true;
        let mut next = 0;
        while let Some(&n) = part.get(next) {
            next += 1;
            let [i, j, k] = self.place(n);
            let mut ask = |there: bool, m: usize| {
                if there && self.inside[m] && !seen[m] {
                    seen[m] = true;
                    part.push(m);
                }
            };
            ask(i > 0, n.wrapping_sub(1));
            ask(i + 1 < nx, n + 1);
            ask(j > 0, n.wrapping_sub(nx));
            ask(j + 1 < ny, n + nx);
            ask(k > 0, n.wrapping_sub(nx * ny));
            ask(k + 1 < nz, n + nx * ny);
        }
        part
    }

    /// With all that cannot be reached, within its slice, from voxels of the border that are outside and
    /// where `open` holds.
    pub fn filled_in_slices(&self, open: impl Fn(usize) -> bool + Sync) -> Self {
        let [nx, ny, _] = self.size;
        let mut inside = self.inside.clone();
        inside.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
            let mut outside = vec![false; nx * ny];
            let mut list: Vec<usize> = Vec::new();
            for n in 0..nx * ny {
                let (i, j) = (n % nx, n / nx);
                let border = i == 0 || j == 0 || i + 1 == nx || j + 1 == ny;
                if border && !slice[n] && open(k * nx * ny + n) {
                    outside[n] = true;
                    list.push(n);
                }
            }
            while let Some(n) = list.pop() {
                let (i, j) = (n % nx, n / nx);
                let mut ask = |there: bool, m: usize| {
                    if there && !slice[m] && !outside[m] {
                        outside[m] = true;
                        list.push(m);
                    }
                };
                ask(i > 0, n.wrapping_sub(1));
                ask(i + 1 < nx, n + 1);
                ask(j > 0, n.wrapping_sub(nx));
                ask(j + 1 < ny, n + nx);
            }
            slice.iter_mut().zip(outside).for_each(|(inside, out)| *inside = !out);
        });
        self.with(inside)
    }

    /// Voxels farther than `mm` from everything outside; beyond the image nothing is outside.
    pub fn eroded(&self, mm: f64) -> Self {
        let outside: Vec<bool> = self.inside.iter().map(|v| !v).collect();
        let squared = self.with(outside).distance_squared();
        self.with(squared.iter().map(|d| f64::from(*d) > mm * mm).collect())
    }

    /// Voxels no farther than `mm` from some voxel.
    pub fn dilated(&self, mm: f64) -> Self {
        let squared = self.distance_squared();
        self.with(squared.iter().map(|d| f64::from(*d) <= mm * mm).collect())
    }

    /// Gaps narrower than twice `mm` are filled; not those to the first and the last slice, beyond which
    /// nothing is known.
    pub fn closed(&self, mm: f64) -> Self {
        let mut closed = self.dilated(mm).eroded(mm).or(self);
        let from_end = |n: usize| {
            let k = self.place(n)[2];
            k.min(self.size[2] - 1 - k) as f64 * self.mm[2]
        };
        for n in 0..closed.inside.len() {
            closed.inside[n] &= self.inside[n] || from_end(n) > mm;
        }
        closed
    }

    /// Square of the distance in mm from every voxel to the nearest one inside: exact, axis by axis, each
    /// the lower envelope of parabolas.
    pub fn distance_squared(&self) -> Vec<f32> {
        let [nx, ny, nz] = self.size;
        let mut d: Vec<f32> =
            self.inside.iter().map(|v| if *v { 0.0 } else { f32::INFINITY }).collect();
        d.par_chunks_mut(nx).for_each_init(Envelope::default, |e, row| {
            e.line(row.len(), self.mm[0], |n| row[n]);
            row.copy_from_slice(&e.out);
        });
        d.par_chunks_mut(nx * ny).for_each_init(Envelope::default, |e, slice| {
            for i in 0..nx {
                e.line(ny, self.mm[1], |n| slice[i + nx * n]);
                for n in 0..ny {
                    slice[i + nx * n] = e.out[n];
                }
            }
        });
        // Along k by columns of a row, so that threads share nothing.
        let columns: Vec<Vec<f32>> = (0..ny)
            .into_par_iter()
            .map_init(Envelope::default, |e, j| {
                let mut rows = vec![0.0; nx * nz];
                for i in 0..nx {
                    e.line(nz, self.mm[2], |n| d[i + nx * (j + ny * n)]);
                    for n in 0..nz {
                        rows[i + nx * n] = e.out[n];
                    }
                }
                rows
            })
            .collect();
        for (j, rows) in columns.into_iter().enumerate() {
            for n in 0..nz {
                d[nx * (j + ny * n)..][..nx].copy_from_slice(&rows[nx * n..][..nx]);
            }
        }
        d
    }
}

/// Lower envelope of the parabolas of a line.
#[derive(Debug, Default)]
struct Envelope {
    /// Indices of parabolas, and from where each is lowest.
    parabolas: Vec<(usize, f32)>,
    own: Vec<f32>,
    out: Vec<f32>,
}

impl Envelope {
    fn line(&mut self, len: usize, step: f64, value: impl Fn(usize) -> f32) {
        let step = step as f32;
        self.own.clear();
        self.own.extend((0..len).map(value));
        self.parabolas.clear();
        self.out.clear();
        for n in (0..len).filter(|n| self.own[*n].is_finite()) {
            let x = n as f32 * step;
            let mut from = f32::NEG_INFINITY;
            while let Some((m, start)) = self.parabolas.last() {
                let y = *m as f32 * step;
                let meet = ((self.own[n] + x * x) - (self.own[*m] + y * y)) / (2.0 * (x - y));
                if meet > *start {
                    from = meet;
                    break;
                }
                self.parabolas.pop();
            }
            self.parabolas.push((n, from));
        }
        if self.parabolas.is_empty() {
            self.out.resize(len, f32::INFINITY);
            return;
        }
        let mut at = 0;
        for n in 0..len {
            let x = n as f32 * step;
            while self.parabolas.get(at + 1).is_some_and(|(_, from)| *from <= x) {
                at += 1;
            }
            let (m, _) = self.parabolas[at];
            let gap = x - m as f32 * step;
            self.out.push(self.own[m] + gap * gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_all_pairs() {
        let grid = Grid::axial([7, 6, 5], [1.0, 2.0, 1.5], [0.0; 3]).expect("valid");
        let inside: Vec<bool> = (0..grid.len()).map(|n| n * 7919 % 23 == 0).collect();
        let volume = Volume::new(&grid, inside);
        let found = volume.distance_squared();
        for (n, found) in found.into_iter().enumerate() {
            let a = volume.place(n);
            let nearest = volume
                .voxels()
                .map(|m| {
                    let b = volume.place(m);
                    (0..3).map(|x| ((a[x] as f64 - b[x] as f64) * volume.mm[x]).powi(2)).sum()
                })
                .fold(f64::INFINITY, f64::min);
            assert!((f64::from(found) - nearest).abs() < 1e-4, "{a:?}");
        }
    }

    #[test]
    fn parts_holes_and_growth() {
        let grid = Grid::axial([20, 20, 3], [1.0; 3], [0.0; 3]).expect("valid");
        let ring = (0..grid.len())
            .map(|n| [n % 20, n / 20 % 20])
            .map(|[i, j]| {
                let r = (i as f64 - 8.0).hypot(j as f64 - 8.0);
                (4.0..6.5).contains(&r) || (i > 16 && j > 16)
            })
            .collect();
        let volume = Volume::new(&grid, ring);
        assert_eq!(volume.components_above(0.0).count(), volume.count());
        let whole = volume.filled_in_slices(|_| true);
        assert!(whole.inside[8 + 20 * 8] && !whole.inside[0]);
        assert!(volume.dilated(1.0).count() > volume.count());
        assert!(volume.eroded(1.0).count() < volume.count());
        assert_eq!(volume.closed(1.0).and(&volume), volume);
        assert!(volume.reaches_an_end());
    }
}
