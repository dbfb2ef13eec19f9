//! Closed planar contours: to masks by exact areas, and from masks by tracing.

use crate::geometry::{Grid, IndexBox};
use crate::isoline::isolines;
use crate::mask::Mask;
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
/// Planes farther apart than this many of the usual distances are not joined: the structure has
/// two parts. Below it a contour was left out, and its neighbours meet in the middle.
const JOINED: f64 = 2.5;

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
        signed_area(self.points.iter().map(|p| [p.x, p.y])).abs()
    }
}

fn signed_area(points: impl Iterator<Item = [f64; 2]> + Clone) -> f64 {
    let next = points.clone().cycle().skip(1);
    0.5 * points.zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>()
}

/// Contours in planes, with the slab each plane stands for.
///
/// A slab reaches to half of the distance to the next plane; the first and the last reach as far
/// out as the usual half distance. Contours in contours are holes (exclusive or); contours that
/// overlap in part are joined.
#[derive(Debug, Clone)]
pub struct Slabs {
    slabs: Vec<Slab>,
}

#[derive(Debug, Clone)]
struct Slab {
    from: f64,
    to: f64,
    /// Outer contours run one way, holes the other.
    polygons: Vec<Vec<[f64; 2]>>,
}

impl Slabs {
    /// Orders contours into slabs. `slice_mm` is the usual distance between the planes of the whole
    /// structure set: a structure of one plane is that thick, and the planes of a structure of two
    /// or three are not joined over more. Contours of fewer than three points, not in a transverse
    /// plane, or drawn twice, are left out.
    #[must_use]
    pub fn new(contours: &[Contour], slice_mm: f64) -> Self {
        let mut by_height: Vec<(f64, Vec<[f64; 2]>)> = contours
            .iter()
            .filter(|c| c.points.len() >= 3)
            .filter_map(|c| Some((c.height()?, c.points.iter().map(|p| [p.x, p.y]).collect())))
            .collect();
        by_height.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut planes: Vec<(f64, Vec<Vec<[f64; 2]>>)> = Vec::new();
        for (z, polygon) in by_height {
            match planes.last_mut() {
                Some((height, list)) if z - *height < SAME_PLANE_MM => {
                    // Drawn twice it would be a hole in itself.
                    if !list.contains(&polygon) {
                        list.push(polygon);
                    }
                }
                _ => planes.push((z, vec![polygon])),
            }
        }
        let heights: Vec<f64> = planes.iter().map(|p| p.0).collect();
        let usual = match usual_gap(&heights) {
            Some(gap) if heights.len() > 3 => gap,
            Some(gap) => gap.min(slice_mm),
            None => slice_mm,
        };
        let half = |gap: f64| if gap > JOINED * usual { 0.5 * usual } else { 0.5 * gap };
        let slabs = planes
            .into_iter()
            .enumerate()
            .map(|(n, (z, polygons))| {
                let below = if n > 0 { half(z - heights[n - 1]) } else { 0.5 * usual };
                let above = heights.get(n + 1).map_or(0.5 * usual, |next| half(next - z));
                Slab { from: z - below, to: z + above, polygons: oriented(polygons) }
            })
            .collect();
        Self { slabs }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slabs.is_empty()
    }

    /// Volume in mm³: area times thickness.
    #[must_use]
    pub fn volume_mm3(&self) -> f64 {
        let area =
            |s: &Slab| s.polygons.iter().map(|p| signed_area(p.iter().copied())).sum::<f64>();
        self.slabs.iter().map(|s| area(s).abs() * (s.to - s.from)).sum()
    }

    /// The box that holds everything, in mm: low and high corner.
    #[must_use]
    pub fn bounds_mm(&self) -> Option<[[f64; 3]; 2]> {
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for s in &self.slabs {
            low[2] = low[2].min(s.from);
            high[2] = high[2].max(s.to);
            for p in s.polygons.iter().flatten() {
                for a in 0..2 {
                    low[a] = low[a].min(p[a]);
                    high[a] = high[a].max(p[a]);
                }
            }
        }
        (low[0] <= high[0]).then_some([low, high])
    }

    /// The fraction of every voxel inside: exact in the plane, overlap of slabs along the height.
    /// `grid` must have its axes along the patient's, either way round.
    ///
    /// # Panics
    /// When the grid is turned.
    #[must_use]
    pub fn on(&self, grid: &Grid) -> Mask {
        let sign = aligned(grid).expect("a grid along the patient's axes");
        let Some([low, high]) = self.bounds_mm() else { return Mask::empty(grid.clone()) };
        let spacing = grid.spacing_mm();
        let origin = grid.origin_mm();
        // Continuous index, with voxel n from n to n + 1.
        let index = |a: usize, x: f64| (x - origin[a]) * sign[a] / spacing[a] + 0.5;
        let mut bounds = IndexBox { start: [0; 3], end: [0; 3] };
        for a in 0..3 {
            let (p, q) = (index(a, low[a]), index(a, high[a]));
            let size = grid.size()[a] as f64;
            bounds.start[a] = p.min(q).floor().clamp(0.0, size) as usize;
            bounds.end[a] = p.max(q).ceil().clamp(0.0, size) as usize;
        }
        if bounds.is_empty() {
            return Mask::empty(grid.clone());
        }
        let [nx, ny, nz] = bounds.size();
        // Slabs in the box's own indices: voxel n from n to n + 1.
        let slabs: Vec<(f64, f64, &Slab)> = self
            .slabs
            .iter()
            .map(|s| {
                let [p, q] = [s.from, s.to].map(|z| index(2, z) - bounds.start[2] as f64);
                (p.min(q), p.max(q), s)
            })
            .collect();
        let mut fraction = vec![0.0_f32; nx * ny * nz];
        fraction.par_chunks_mut(nx * ny).enumerate().for_each(|(k, plane)| {
            let k = k as f64;
            for (from, to, slab) in &slabs {
                let overlap = to.min(k + 1.0) - from.max(k);
                if overlap <= 0.0 {
                    continue;
                }
                let mut area = Coverage::new(nx, ny);
                for polygon in &slab.polygons {
                    let to_pixel =
                        |p: &[f64; 2]| [0, 1].map(|a| index(a, p[a]) - bounds.start[a] as f64);
                    area.add(&polygon.iter().map(to_pixel).collect::<Vec<_>>());
                }
                area.finish(|n, share| plane[n] += (overlap * share) as f32);
            }
            // Rounding of areas and of overlaps leaves dust on both ends.
            for f in plane {
                *f = if *f < 1e-5 { 0.0 } else { f.min(1.0) };
            }
        });
        Mask::new(grid.clone(), bounds, fraction)
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

/// Outer contours counter-clockwise, contours in an odd number of others clockwise.
fn oriented(polygons: Vec<Vec<[f64; 2]>>) -> Vec<Vec<[f64; 2]>> {
    let depth: Vec<usize> = polygons
        .iter()
        .enumerate()
        .map(|(n, p)| {
            let others = polygons.iter().enumerate().filter(|(m, _)| *m != n);
            others.filter(|(_, other)| inside(other, p)).count()
        })
        .collect();
    polygons
        .into_iter()
        .zip(depth)
        .map(|(mut p, depth)| {
            let wanted = if depth % 2 == 0 { 1.0 } else { -1.0 };
            if signed_area(p.iter().copied()) * wanted < 0.0 {
                p.reverse();
            }
            p
        })
        .collect()
}

/// Whether most of a polygon's points are inside another (a hole may touch its outer contour); 33
/// of them, evenly taken, tell.
fn inside(outer: &[[f64; 2]], polygon: &[[f64; 2]]) -> bool {
    let points = || polygon.iter().step_by(polygon.len().div_ceil(33));
    let hits = points().filter(|p| holds(outer, **p)).count();
    2 * hits > points().count()
}

fn holds(polygon: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let next = polygon.iter().cycle().skip(1);
    polygon
        .iter()
        .zip(next)
        .filter(|(a, b)| {
            (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        })
        .count()
        % 2
        == 1
}

/// Exact area coverage of pixels by polygons: every edge adds what lies to its right, row by row;
/// running sums along the rows give the areas.
struct Coverage {
    columns: usize,
    rows: usize,
    change: Vec<f64>,
}

impl Coverage {
    fn new(columns: usize, rows: usize) -> Self {
        // A column more, for what an edge at the right border hands on.
        Self { columns, rows, change: vec![0.0; (columns + 2) * rows] }
    }

    fn add(&mut self, points: &[[f64; 2]]) {
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
    fn finish(self, mut pixel: impl FnMut(usize, f64)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    fn circle(x: f64, y: f64, z: f64, r: f64) -> Contour {
        let points = (0..256)
            .map(|n| {
                let (s, c) = (2.0 * PI * f64::from(n) / 256.0).sin_cos();
                Point3::new(x + r * c, y + r * s, z)
            })
            .collect();
        Contour { points }
    }

    fn grid(spacing: f64) -> Grid {
        let n = (80.0 / spacing) as usize;
        Grid::axial([n; 3], [spacing; 3], [-40.0 + 0.3; 3]).expect("valid")
    }

    fn volume_ml(contours: &[Contour], spacing: f64) -> f64 {
        Slabs::new(contours, 2.0).on(&grid(spacing)).volume().ml()
    }

    #[test]
    fn a_cylinder_has_its_volume_on_any_grid() {
        let contours: Vec<_> =
            (0..15).map(|k| circle(1.3, -2.1, f64::from(k) * 2.0 - 14.0, 10.0)).collect();
        let truth = PI * 100.0 * 30.0 * 1e-3;
        for spacing in [1.0, 2.21, 4.42, 9.3] {
            let ratio = volume_ml(&contours, spacing) / truth;
            assert!((ratio - 1.0).abs() < 2e-4, "{spacing} mm: {ratio}");
        }
    }

    #[test]
    fn small_structures_do_not_vanish_in_coarse_voxels() {
        let contours: Vec<_> = (0..3).map(|k| circle(0.7, 0.2, f64::from(k), 1.0)).collect();
        let truth = PI * 3.0 * 1e-3;
        assert!((volume_ml(&contours, 4.42) / truth - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_sphere_and_a_cone_by_their_contours() {
        let sphere: Vec<_> = (-19..=19)
            .map(|k| {
                let z = f64::from(k);
                circle(0.0, 0.0, z, (400.0 - z * z).sqrt())
            })
            .collect();
        let truth = 4.0 / 3.0 * PI * 8.0;
        assert!((volume_ml(&sphere, 3.0) / truth - 1.0).abs() < 3e-3);
        let cone: Vec<_> = (0..30)
            .map(|k| circle(0.0, 0.0, f64::from(k) - 14.5, (f64::from(k) + 0.5) / 2.0))
            .collect();
        let truth = PI * 225.0 * 30.0 / 3.0 * 1e-3;
        assert!((volume_ml(&cone, 3.0) / truth - 1.0).abs() < 3e-3);
    }

    #[test]
    fn holes_islands_in_holes_and_keyholes() {
        let ring =
            [circle(0.0, 0.0, 0.0, 20.0), circle(0.0, 0.0, 0.0, 10.0), circle(0.0, 0.0, 0.0, 5.0)];
        let truth = PI * (400.0 - 100.0 + 25.0) * 2.0 * 1e-3;
        assert!((volume_ml(&ring, 2.0) / truth - 1.0).abs() < 1e-3);
        let mut keyhole = circle(0.0, 0.0, 0.0, 20.0).points;
        keyhole.push(keyhole[0]);
        keyhole.extend(circle(0.0, 0.0, 0.0, 10.0).points.iter().rev());
        let truth = PI * 300.0 * 2.0 * 1e-3;
        assert!((volume_ml(&[Contour { points: keyhole }], 2.0) / truth - 1.0).abs() < 1e-2);
    }

    #[test]
    fn parts_far_apart_are_not_joined_and_a_forgotten_slice_is_filled() {
        let two: Vec<_> =
            [-20.0, -18.0, -16.0, 16.0, 18.0, 20.0].map(|z| circle(0.0, 0.0, z, 5.0)).into();
        assert!((volume_ml(&two, 2.0) / (PI * 25.0 * 12.0 * 1e-3) - 1.0).abs() < 1e-3);
        let gap: Vec<_> = [-4.0, -2.0, 2.0, 4.0].map(|z| circle(0.0, 0.0, z, 5.0)).into();
        assert!((volume_ml(&gap, 2.0) / (PI * 25.0 * 10.0 * 1e-3) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn tracing_and_filling_go_round() {
        let grid = grid(2.0);
        let mask = Mask::from_fn(grid.clone(), |ijk| {
            let p = grid.world(ijk.map(|n| n as f64));
            let d = p.coords.norm();
            (if d < 25.0 { 25.0 - d } else { 0.0 }).min(1.0) as f32 * f32::from(u8::from(d > 12.0))
        });
        let back = Slabs::new(&trace(&mask), 2.0).on(&grid);
        let ratio = back.volume().ml() / mask.volume().ml();
        assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    }

    proptest! {
        #[test]
        fn the_start_and_the_direction_of_a_contour_do_not_matter(
            start in 0_usize..256, reverse: bool, x in -10.0_f64..10.0, r in 2.0_f64..25.0,
        ) {
            let whole = circle(x, 0.0, 0.0, r);
            let mut other = whole.clone();
            other.points.rotate_left(start);
            if reverse { other.points.reverse(); }
            let (a, b) = (volume_ml(&[whole], 3.0), volume_ml(&[other], 3.0));
            prop_assert!((a - b).abs() < 1e-5 * a);
        }

        #[test]
        fn disjoint_parts_add(r in 2.0_f64..8.0, s in 2.0_f64..8.0) {
            let (a, b) = (circle(-15.0, 0.0, 0.0, r), circle(15.0, 0.0, 0.0, s));
            let both = volume_ml(&[a.clone(), b.clone()], 3.0);
            prop_assert!((both - volume_ml(&[a], 3.0) - volume_ml(&[b], 3.0)).abs() < 1e-5);
        }
    }
}
