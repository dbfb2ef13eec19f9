//! Closed planar contours: exact areas of pixels, and contours traced from masks.

use crate::geometry::Grid;
use crate::isoline::isolines;
use crate::mask::Mask;
use crate::polygon;
use nalgebra::Point3;
use rayon::prelude::*;

/// A closed contour in a transverse plane, LPS millimetres; the first point is not repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct Contour {
    /// Its points, all at one height.
    pub points: Vec<Point3<f64>>,
}

/// Points within this of each other in height are in one plane.
pub(crate) const SAME_PLANE_MM: f64 = 0.01;
impl Contour {
    /// Height of the plane, if all points are in one.
    #[must_use]
    pub fn height(&self) -> Option<f64> {
        let z = self.points.first()?.z;
        self.points.iter().all(|p| (p.z - z).abs() < 10.0 * SAME_PLANE_MM).then_some(z)
    }

    /// Area by the shoelace formula, positive whatever the direction.
    #[must_use]
    pub fn area_mm2(&self) -> f64 {
        polygon::signed_area(&self.points.iter().map(|p| [p.x, p.y]).collect::<Vec<_>>()).abs()
    }
}

/// The median distance between neighbours of sorted heights; `None` for fewer than two.
#[must_use]
pub fn usual_gap(heights: &[f64]) -> Option<f64> {
    let mut gaps: Vec<f64> = heights.windows(2).map(|w| w[1] - w[0]).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied()
}

/// The direction of each axis, +1 or -1, if the grid lies along the patient's axes: to a tenth of
/// a millimetre over half a metre.
#[must_use]
pub fn aligned(grid: &Grid) -> Option<[f64; 3]> {
    let axes = grid.axes();
    (0..9)
        .all(|n| n % 4 == 0 || axes[(n / 3, n % 3)].abs() < 2e-4)
        .then(|| [0, 1, 2].map(|a| axes[(a, a)].signum()))
}

/// Exact area coverage of pixels by polygons: every edge adds what lies to its right, row by row;
/// running sums along the rows give the areas.
pub(crate) struct Coverage {
    columns: usize,
    rows: usize,
    change: Vec<f64>,
}

impl Coverage {
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        // A column more, for what an edge at the right border hands on.
        Self { columns, rows, change: vec![0.0; (columns + 2) * rows] }
    }

    pub(crate) fn add(&mut self, points: &[[f64; 2]]) {
        let next = points.iter().cycle().skip(1);
        for (a, b) in points.iter().zip(next) {
            self.edge(*a, *b);
        }
    }

    fn edge(&mut self, a: [f64; 2], b: [f64; 2]) {
        if a[1] == b[1] {
            return;
        }
        let (sign, top, bottom) = if a[1] < b[1] { (1.0, a, b) } else { (-1.0, b, a) };
        let slope = (bottom[0] - top[0]) / (bottom[1] - top[1]);
        let x_at = |y: f64| top[0] + (y - top[1]) * slope;
        let first = top[1].max(0.0).floor() as usize;
        let last = (bottom[1].min(self.rows as f64).ceil() as usize).min(self.rows);
        for row in first..last {
            let (y0, y1) = (top[1].max(row as f64), bottom[1].min(row as f64 + 1.0));
            if y1 > y0 {
                self.row_edge(row, x_at(y0), x_at(y1), sign * (y1 - y0));
            }
        }
    }

    /// An edge within a row, of signed height `dy`: spreads it over the columns it crosses.
    fn row_edge(&mut self, row: usize, x0: f64, x1: f64, dy: f64) {
        let width = self.columns as f64;
        let (left, right) = (x0.min(x1), x0.max(x1));
        let line = &mut self.change[row * (self.columns + 2)..][..self.columns + 2];
        let mut put = |x: f64, dy: f64| {
            // The part of the pixel to the right of x is covered by dy, all further pixels whole.
            let x = x.clamp(0.0, width);
            let column = (x.floor() as usize).min(self.columns);
            let right = 1.0 - (x - column as f64);
            line[column] += dy * right;
            line[column + 1] += dy * (1.0 - right);
        };
        if right - left < 1e-12 {
            put(0.5 * (left + right), dy);
            return;
        }
        // Piece by piece between column borders; the middle of a piece stands for it exactly.
        let per_x = dy / (right - left);
        let mut from = left;
        while from < right {
            let border = if from < 0.0 {
                0.0
            } else if from >= width {
                right
            } else {
                from.floor() + 1.0
            };
            let to = border.min(right);
            put(0.5 * (from + to), per_x * (to - from));
            from = to;
        }
    }

    /// Hands out the covered share of every pixel, row by row.
    pub(crate) fn finish(self, mut pixel: impl FnMut(usize, f64)) {
        for (row, line) in self.change.chunks_exact(self.columns + 2).enumerate() {
            let mut sum: f64 = 0.0;
            for (column, change) in line[..self.columns].iter().enumerate() {
                sum += change;
                pixel(row * self.columns + column, sum.abs().min(1.0));
            }
        }
    }
}

/// The outlines of a mask at one half, slice by slice along k, holes as contours of their own.
#[must_use]
pub fn trace(mask: &Mask) -> Vec<Contour> {
    if mask.is_empty() {
        return Vec::new();
    }
    let bounds = mask.bounds();
    let [nx, ny, _] = bounds.size();
    // A margin of nothing around, so that a voxel at the border of the box is enclosed whole.
    let (columns, rows) = (nx + 2, ny + 2);
    let corner = [bounds.start[0] as f64 - 1.0, bounds.start[1] as f64 - 1.0];
    (bounds.start[2]..bounds.end[2])
        .into_par_iter()
        .flat_map_iter(|k| {
            let mut plane = vec![0.0; columns * rows];
            for j in 0..ny {
                let row = &mask.fractions()[nx * (j + ny * (k - bounds.start[2]))..][..nx];
                plane[columns * (j + 1) + 1..][..nx].copy_from_slice(row);
            }
            isolines(&plane, columns, rows, 0.5).into_iter().map(move |line| {
                let world = |p: &[f32; 2]| {
                    let [i, j] = [0, 1].map(|a| f64::from(p[a]) + corner[a]);
                    mask.grid().world([i, j, k as f64])
                };
                Contour { points: line.iter().map(world).collect() }
            })
        })
        .collect()
}
