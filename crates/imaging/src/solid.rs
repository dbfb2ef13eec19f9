//! The body that contours in planes stand for, and the part of every voxel that it fills.
//!
//! # Between the planes
//! Loops of neighbouring planes that share area belong together. Between them
//!
//! * the *area* follows the cubic through both areas with the slopes of the parabolas through three
//!   neighbouring planes: the volume of any ellipsoid, cone or paraboloid is exact, wherever the planes
//!   cut it, and of a row of slices the sum of areas times distance, as everywhere;
//! * the *shape* is where the signed distances to both outlines, weighed by how near their planes are,
//!   are above a level that gives that area: in the planes the outlines themselves.
//!
//! # Ends
//! A loop with nothing beside it in the next plane ends on the way there: where the parabola through its
//! last three areas comes to zero (a cap, shrinking from the outline inwards), or, if that is not before
//! the next plane, half-way to it, with the outline as it is.

use crate::contour::{Contour, Coverage, SAME_PLANE_MM, aligned, usual_gap};
use crate::geometry::{Grid, IndexBox};
use crate::mask::Mask;
use crate::polygon::{self, Loop};
use rayon::prelude::*;

/// Planes farther apart than this many of the usual distances are not joined: the structure has
/// two parts. Below it a contour was left out, and its neighbours meet in the middle.
const JOINED: f64 = 2.5;
/// A convex end that comes to less than this part of its last area ends there: the tip of a cone.
const TIP: f64 = 0.1;

/// A body drawn as contours in planes.
#[derive(Debug, Clone)]
pub struct Solid {
    planes: Vec<Plane>,
    /// Ordered by height of the base.
    pieces: Vec<Piece>,
    left_out: usize,
}

#[derive(Debug, Clone)]
struct Plane {
    z: f64,
    loops: Vec<Loop>,
}

/// What lies between two planes, or between a plane and an end.
#[derive(Debug, Clone)]
struct Piece {
    /// Height of the base and, above or below it, of the other end.
    from: f64,
    to: f64,
    base: Group,
    /// `None` at an end.
    tip: Option<Group>,
    /// Area in mm² as a polynomial of the way from base to tip, 0 to 1.
    area: [f64; 4],
    hole: bool,
}

/// Loops of a plane, by their numbers.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    plane: usize,
    loops: Vec<usize>,
}

impl Piece {
    fn area_at(&self, t: f64) -> f64 {
        let [a, b, c, d] = self.area;
        (a + t * (b + t * (c + t * d))).max(0.0)
    }

    fn volume(&self) -> f64 {
        let [a, b, c, d] = self.area;
        let whole = (self.to - self.from).abs() * (a + b / 2.0 + c / 3.0 + d / 4.0);
        if self.hole { -whole } else { whole }
    }

    fn flat(&self) -> bool {
        self.tip.is_none() && self.area[1..] == [0.0; 3]
    }
}

impl Solid {
    /// The body of contours. `slice_mm` is the usual distance between the planes of the whole structure
    /// set: a structure of one plane is that thick, and the planes of a structure of two or three are not
    /// joined over more. Contours in any order; of fewer than three points, not in a transverse plane,
    /// without area or hopelessly tangled, they are left out.
    #[must_use]
    pub fn new(contours: &[Contour], slice_mm: f64) -> Self {
        let mut by_height: Vec<(f64, Vec<polygon::Point>)> = contours
            .iter()
            .filter(|c| c.points.len() >= 3)
            .filter_map(|c| Some((c.height()?, c.points.iter().map(|p| [p.x, p.y]).collect())))
            .collect();
        by_height.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut drawn: Vec<(f64, Vec<Vec<polygon::Point>>)> = Vec::new();
        for (z, points) in by_height {
            match drawn.last_mut() {
                Some((height, list)) if z - *height < SAME_PLANE_MM => list.push(points),
                _ => drawn.push((z, vec![points])),
            }
        }
        let planes: Vec<Plane> = drawn
            .into_par_iter()
            .map(|(z, contours)| Plane { z, loops: polygon::loops(contours) })
            .filter(|p| !p.loops.is_empty())
            .collect();
        let heights: Vec<f64> = planes.iter().map(|p| p.z).collect();
        let usual = match usual_gap(&heights) {
            Some(gap) if heights.len() > 3 => gap,
            Some(gap) => gap.min(slice_mm),
            None => slice_mm,
        };
        let pieces = Linked::new(&planes, usual).pieces();
        let kept: usize = planes.iter().map(|p| p.loops.len()).sum();
        Self { left_out: contours.len().saturating_sub(kept), planes, pieces }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Volume in mm³.
    #[must_use]
    pub fn volume_mm3(&self) -> f64 {
        self.pieces.iter().map(Piece::volume).sum::<f64>().max(0.0)
    }

    /// The box that holds all contours and both ends, in mm: low and high corner. Between its planes a
    /// body may bulge out of it a little.
    #[must_use]
    pub fn bounds_mm(&self) -> Option<[[f64; 3]; 2]> {
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for p in self.pieces.iter().filter(|p| !p.hole) {
            low[2] = low[2].min(p.from).min(p.to);
            high[2] = high[2].max(p.from).max(p.to);
        }
        for l in self.planes.iter().flat_map(|p| &p.loops) {
            for a in 0..2 {
                low[a] = low[a].min(l.low[a]);
                high[a] = high[a].max(l.high[a]);
            }
        }
        (low[0] <= high[0] && low[2] <= high[2]).then_some([low, high])
    }

    /// The fraction of every voxel inside. Their sum is the volume of the body, whatever the voxels,
    /// as far as the grid reaches. `grid` must have its axes along the patient's, either way round.
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
            // Room for the bulge between planes.
            let margin = if a < 2 { BULGE_MM / spacing[a] } else { 0.0 };
            bounds.start[a] = (p.min(q) - margin).floor().clamp(0.0, size) as usize;
            bounds.end[a] = (p.max(q) + margin).ceil().clamp(0.0, size) as usize;
        }
        if bounds.is_empty() {
            return Mask::empty(grid.clone());
        }
        let [nx, ny, nz] = bounds.size();
        let fine: [usize; 2] = std::array::from_fn(|a| {
            let wanted = (spacing[a] / FINE_MM).ceil().clamp(1.0, 8.0) as usize;
            if nx * ny * wanted * wanted > MOST_PIXELS { 1 } else { wanted }
        });
        let lattice = Lattice {
            solid: self,
            voxels: Voxels { columns: nx, rows: ny, fine },
            scale: [0, 1].map(|a| sign[a] * fine[a] as f64 / spacing[a]),
            shift: [0, 1].map(|a| {
                (0.5 - origin[a] * sign[a] / spacing[a] - bounds.start[a] as f64) * fine[a] as f64
            }),
            size: [nx * fine[0], ny * fine[1]],
            pixel_mm: [0, 1].map(|a| spacing[a] / fine[a] as f64),
        };
        let up = |z: f64| index(2, z) - bounds.start[2] as f64;
        // Blocks of pieces, each on slices of its own, added up in order: the same sums with any number
        // of threads.
        let parts: Vec<(usize, Vec<f32>)> = self
            .pieces
            .par_chunks(BLOCK)
            .map(|pieces| {
                let ends = pieces.iter().flat_map(|p| [up(p.from), up(p.to)]);
                let (from, to) =
                    ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), z| (a.min(z), b.max(z)));
                let first = from.floor().clamp(0.0, nz as f64) as usize;
                let last = to.ceil().clamp(0.0, nz as f64) as usize;
                let mut slices = vec![0.0_f32; nx * ny * last.saturating_sub(first)];
                let mut fields = Fields::default();
                // One window for all where that is little more than each needs: then the tip of a piece
                // is the base of the next.
                let windows: Vec<Window> = pieces.iter().map(|p| lattice.window(p)).collect();
                let all = windows.iter().copied().reduce(Window::union);
                for (piece, own) in pieces.iter().zip(windows) {
                    let window = all.filter(|w| 2 * w.len() <= 3 * own.len()).unwrap_or(own);
                    lattice.add(piece, window, &up, &mut fields, first, &mut slices);
                }
                (first, slices)
            })
            .collect();
        let mut fraction = vec![0.0_f32; nx * ny * nz];
        for (first, slices) in parts {
            for (to, from) in fraction[nx * ny * first..].iter_mut().zip(slices) {
                *to += from;
            }
        }
        // Rounding of areas and of overlaps leaves dust on both ends.
        for f in &mut fraction {
            *f = match *f {
                f if f < DUST => 0.0,
                f if f > 1.0 - DUST => 1.0,
                f => f,
            };
        }
        Mask::new(grid.clone(), bounds, fraction)
    }

    /// How many contours are not in it, counting a line that became several as one: those of fewer than
    /// three points, drawn twice, without area.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

// ---- which loops belong together -----------------------------------------------------------------

struct Linked<'a> {
    planes: &'a [Plane],
    usual: f64,
    /// For every interval between planes: the groups below and above that belong together.
    joined: Vec<Vec<(Vec<usize>, Vec<usize>)>>,
}

impl<'a> Linked<'a> {
    fn new(planes: &'a [Plane], usual: f64) -> Self {
        let joined = planes
            .par_windows(2)
            .map(|w| {
                if w[1].z - w[0].z > JOINED * usual { Vec::new() } else { components(&w[0], &w[1]) }
            })
            .collect();
        Self { planes, usual, joined }
    }

    fn area(&self, plane: usize, loops: &[usize]) -> f64 {
        loops.iter().map(|n| self.planes[plane].loops[*n].area).sum()
    }

    /// The loops that go on from a group, upwards or downwards, if one loop goes on as one: where a body
    /// branches, slopes do not reach across.
    fn next(&self, plane: usize, loops: &[usize], up: bool) -> Option<(usize, &[usize])> {
        let interval = if up { plane } else { plane.checked_sub(1)? };
        self.joined.get(interval)?.iter().find_map(|(below, above)| match up {
            _ if below.len() != 1 || above.len() != 1 => None,
            true if below == loops => Some((plane + 1, above.as_slice())),
            false if above == loops => Some((plane - 1, below.as_slice())),
            _ => None,
        })
    }

    /// Whether nothing of these loops goes on upwards (downwards).
    fn ends(&self, plane: usize, loops: &[usize], up: bool) -> bool {
        let Some(interval) = (if up { Some(plane) } else { plane.checked_sub(1) }) else {
            return true;
        };
        !self.joined.get(interval).is_some_and(|list| {
            let side = |j: &(Vec<usize>, Vec<usize>)| if up { j.0.clone() } else { j.1.clone() };
            list.iter().any(|j| side(j).iter().any(|n| loops.contains(n)))
        })
    }

    /// Change of area per mm of height at the near end of an interval of secant `own` (per mm) and
    /// length `h`; `far` is the group at its other end, in the direction `up`.
    fn slope(&self, near: (usize, &[usize]), far: (usize, &[usize]), up: bool) -> f64 {
        let (z, a) = (self.planes[near.0].z, self.area(near.0, near.1));
        let (z1, a1) = (self.planes[far.0].z, self.area(far.0, far.1));
        let own = (a1 - a) / (z1 - z);
        let h = (z1 - z).abs();
        if near.1.len() != 1 || far.1.len() != 1 {
            return own;
        }
        if let Some((k, loops)) = self.next(near.0, near.1, !up) {
            let (z0, a0) = (self.planes[k].z, self.area(k, loops));
            let before = (a - a0) / (z - z0);
            let h0 = (z - z0).abs();
            return (own * h0 + before * h) / (h + h0);
        }
        match self.next(far.0, far.1, up) {
            // A flat end does not say that the area was about to change.
            Some(_)
                if self.ends(near.0, near.1, !up) && self.end(near.0, near.1[0], !up).flat() =>
            {
                0.0
            }
            Some((k, loops)) if self.ends(near.0, near.1, !up) => {
                let (z2, a2) = (self.planes[k].z, self.area(k, loops));
                let after = (a2 - a1) / (z2 - z1);
                let h2 = (z2 - z1).abs();
                own + (own - after) * h / (h + h2)
            }
            _ => own,
        }
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (k, plane) in self.planes.iter().enumerate() {
            let hole = |loops: &[usize]| self.planes[k].loops[loops[0]].hole;
            for up in [false, true] {
                for n in 0..plane.loops.len() {
                    if self.ends(k, &[n], up) {
                        pieces.push(self.end(k, n, up));
                    }
                }
            }
            let Some(joined) = self.joined.get(k) else { continue };
            for (below, above) in joined {
                let (z0, z1) = (plane.z, self.planes[k + 1].z);
                let h = z1 - z0;
                let (a, b) = (self.area(k, below), self.area(k + 1, above));
                // Not so steep that the area would be below zero in between.
                let m = self.slope((k, below), (k + 1, above), true).max(-3.0 * a / h) * h;
                let n = self.slope((k + 1, above), (k, below), false).min(3.0 * b / h) * h;
                pieces.push(Piece {
                    from: z0,
                    to: z1,
                    base: Group { plane: k, loops: below.clone() },
                    tip: Some(Group { plane: k + 1, loops: above.clone() }),
                    area: [a, m, 3.0 * (b - a) - 2.0 * m - n, 2.0 * (a - b) + m + n],
                    hole: hole(below),
                });
            }
        }
        pieces
    }

    /// The end of a loop, above or below its plane.
    fn end(&self, k: usize, n: usize, up: bool) -> Piece {
        let z = self.planes[k].z;
        let beside =
            if up { self.planes.get(k + 1) } else { k.checked_sub(1).map(|k| &self.planes[k]) };
        let room = match beside.map(|p| (p.z - z).abs()) {
            Some(gap) if gap <= JOINED * self.usual => gap,
            _ => self.usual,
        };
        let own = [n];
        let a = self.area(k, &own);
        // Areas at distances inwards: slope and curvature outwards from them.
        let inner = self.next(k, &own, !up).map(|(p, loops)| (p, loops.to_vec()));
        let second = inner.as_ref().and_then(|(p, loops)| self.next(*p, loops, !up));
        let (m, q) = match (&inner, second) {
            (Some((p1, l1)), Some((p2, l2))) => {
                let (d1, d2) = ((z - self.planes[*p1].z).abs(), (z - self.planes[p2].z).abs());
                let (s1, s2) = ((a - self.area(*p1, l1)) / d1, (a - self.area(p2, l2)) / d2);
                // a(-d) = a - m d + q d²
                let q = (s1 - s2) / (d2 - d1);
                (s1 + q * d1, q)
            }
            (Some((p1, l1)), None) => {
                ((a - self.area(*p1, l1)) / (z - self.planes[*p1].z).abs(), 0.0)
            }
            _ => (0.0, 0.0),
        };
        let (length, area) = match tip(a, m, q) {
            Some(c) if c <= room => (c, [a, m * c, q * c * c, 0.0]),
            _ => (0.5 * room, [a, 0.0, 0.0, 0.0]),
        };
        Piece {
            from: z,
            to: if up { z + length } else { z - length },
            base: Group { plane: k, loops: vec![n] },
            tip: None,
            area,
            hole: self.planes[k].loops[n].hole,
        }
    }
}

/// Where a + m x + q x² first comes to zero, x > 0, or as near to it as a tip does.
fn tip(a: f64, m: f64, q: f64) -> Option<f64> {
    if q == 0.0 {
        return (m < 0.0).then(|| -a / m);
    }
    let inside = m * m - 4.0 * a * q;
    if inside < 0.0 {
        // Convex, with its lowest place above zero.
        let lowest = -m / (2.0 * q);
        return (lowest > 0.0 && a + 0.5 * m * lowest < TIP * a).then_some(lowest);
    }
    // Without loss of digits: both roots, the smaller above zero.
    let s = -0.5 * (m + m.signum() * inside.sqrt());
    let roots = [s / q, if s == 0.0 { f64::INFINITY } else { a / s }];
    roots.into_iter().filter(|x| *x > 0.0).min_by(f64::total_cmp)
}

/// The loops of two neighbouring planes that belong together, as pairs of groups, none empty.
fn components(below: &Plane, above: &Plane) -> Vec<(Vec<usize>, Vec<usize>)> {
    let (n, m) = (below.loops.len(), above.loops.len());
    let mut root: Vec<usize> = (0..n + m).collect();
    fn find(root: &mut [usize], mut at: usize) -> usize {
        while root[at] != at {
            root[at] = root[root[at]];
            at = root[at];
        }
        at
    }
    for (i, a) in below.loops.iter().enumerate() {
        for (j, b) in above.loops.iter().enumerate() {
            if a.depth == b.depth && a.meets(b) {
                let (p, q) = (find(&mut root, i), find(&mut root, n + j));
                root[p.max(q)] = p.min(q);
            }
        }
    }
    let mut groups: std::collections::BTreeMap<usize, (Vec<usize>, Vec<usize>)> =
        std::collections::BTreeMap::new();
    for at in 0..n + m {
        let group = groups.entry(find(&mut root, at)).or_default();
        if at < n { group.0.push(at) } else { group.1.push(at - n) }
    }
    groups.into_values().filter(|(a, b)| !a.is_empty() && !b.is_empty()).collect()
}

// ---- voxels --------------------------------------------------------------------------------------

/// The shape between planes is found on pixels of about this size, or the grid's if they are smaller.
const FINE_MM: f64 = 1.1;
/// Most such pixels in a plane; where there were more, those of the grid are taken.
const MOST_PIXELS: usize = 1 << 24;
/// Room around the contours for the bulge between planes.
const BULGE_MM: f64 = 3.0;
/// Parts of a voxel that stand for nothing or for all of it: otherwise a liver without its tumour would
/// have voxels of rounding within the tumour, and their dose.
const DUST: f32 = 1e-5;
/// Pieces that are worked off one after the other.
const BLOCK: usize = 16;

/// Pixels of a plane, in a window of the grid.
struct Lattice<'a> {
    solid: &'a Solid,
    voxels: Voxels,
    /// From mm to pixels, pixel n from n to n + 1.
    scale: [f64; 2],
    shift: [f64; 2],
    size: [usize; 2],
    pixel_mm: [f64; 2],
}

/// Part of the lattice.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    start: [usize; 2],
    size: [usize; 2],
}

impl Window {
    fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn union(self, other: Self) -> Self {
        if self.len() == 0 {
            return other;
        }
        if other.len() == 0 {
            return self;
        }
        let start: [usize; 2] = std::array::from_fn(|a| self.start[a].min(other.start[a]));
        let size = std::array::from_fn(|a| {
            (self.start[a] + self.size[a]).max(other.start[a] + other.size[a]) - start[a]
        });
        Self { start, size }
    }
}

/// How far inside (above zero) or outside the outline of a group of loops each pixel is, in mm.
#[derive(Debug)]
struct Field {
    distances: Distances,
    /// What it covers, in pixels.
    sum: f64,
}

/// Voxels of a slice under the pixels of the lattice: `fine` of these along each side of one.
#[derive(Debug, Clone, Copy)]
struct Voxels {
    columns: usize,
    rows: usize,
    fine: [usize; 2],
}

impl Voxels {
    fn in_slice(&self) -> usize {
        self.columns * self.rows
    }

    /// The number of the voxel under every pixel of a window, in the order of the pixels.
    fn of(self, window: Window) -> impl Iterator<Item = usize> {
        let along = move |a: usize| {
            let first = window.start[a];
            (first..first + window.size[a]).map(move |n| n / self.fine[a])
        };
        let across: Vec<usize> = along(0).collect();
        along(1).flat_map(move |y| across.clone().into_iter().map(move |x| x + self.columns * y))
    }
}

/// The fields made last: the tip of a piece is the base of the next.
#[derive(Debug, Default)]
struct Fields {
    kept: Vec<(Group, Window, Field)>,
}

impl Lattice<'_> {
    fn loops<'s>(&'s self, group: &'s Group) -> impl Iterator<Item = &'s Loop> + 's {
        let plane = &self.solid.planes[group.plane];
        group.loops.iter().map(|n| &plane.loops[*n])
    }

    /// The pixels that a piece may touch.
    fn window(&self, piece: &Piece) -> Window {
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        for group in std::iter::once(&piece.base).chain(&piece.tip) {
            for l in self.loops(group) {
                for a in 0..2 {
                    let ends = [l.low[a], l.high[a]].map(|x| x * self.scale[a] + self.shift[a]);
                    low[a] = low[a].min(ends[0].min(ends[1]));
                    high[a] = high[a].max(ends[0].max(ends[1]));
                }
            }
        }
        let mut window = Window { start: [0; 2], size: [0; 2] };
        for a in 0..2 {
            let margin = if piece.flat() { 0.0 } else { BULGE_MM / self.pixel_mm[a] + 1.0 };
            let size = self.size[a] as f64;
            let start = (low[a] - margin).floor().clamp(0.0, size);
            window.start[a] = start as usize;
            window.size[a] = ((high[a] + margin).ceil().clamp(0.0, size) - start).max(0.0) as usize;
        }
        window
    }

    fn covered(&self, group: &Group, window: Window) -> Vec<f32> {
        let [columns, rows] = window.size;
        let mut total = vec![0.0_f32; columns * rows];
        // Loops of a group neither touch nor cross, so all are covered at once; each the way round
        // that counts as inside.
        let mut area = Coverage::new(columns, rows);
        for l in self.loops(group) {
            let to_pixel = |p: &polygon::Point| {
                [0, 1].map(|a| p[a] * self.scale[a] + self.shift[a] - window.start[a] as f64)
            };
            let mut points: Vec<_> = l.points.iter().map(to_pixel).collect();
            if polygon::signed_area(&points) < 0.0 {
                points.reverse();
            }
            area.add(&points);
        }
        area.finish(|n, share| total[n] = share as f32);
        total
    }

    fn field(&self, group: &Group, window: Window) -> Field {
        let covered = self.covered(group, window);
        let distances = Distances::new(&covered, window.size, self.pixel_mm);
        let sum = covered.iter().map(|c| f64::from(*c)).sum();
        Field { distances, sum }
    }

    /// Adds what a piece fills of the voxels of `slices`, the first of which is slice `first`.
    fn add(
        &self,
        piece: &Piece,
        window: Window,
        up: &dyn Fn(f64) -> f64,
        fields: &mut Fields,
        first: usize,
        slices: &mut [f32],
    ) {
        if window.size.contains(&0) {
            return;
        }
        let (from, to) = (up(piece.from), up(piece.to));
        let (low, high) = (from.min(to), from.max(to));
        let voxels = self.voxels;
        let plane = voxels.in_slice();
        let last = first + slices.len() / plane;
        let share = 1.0 / (voxels.fine[0] * voxels.fine[1]) as f32;
        let sign = if piece.hole { -share } else { share };
        let range =
            (low.floor().max(first as f64) as usize)..(high.ceil().min(last as f64) as usize);
        if range.is_empty() {
            return;
        }
        if piece.flat() {
            let covered = self.covered(&piece.base, window);
            for k in range {
                let overlap = (high.min(k as f64 + 1.0) - low.max(k as f64)).max(0.0) as f32;
                let slice = &mut slices[(k - first) * plane..][..plane];
                for (place, c) in voxels.of(window).zip(&covered).filter(|(_, c)| **c > 0.0) {
                    slice[place] += sign * overlap * c;
                }
            }
            return;
        }
        let base = fields.take(self, &piece.base, window);
        let tip = piece.tip.as_ref().map(|group| fields.take(self, group, window));
        let mut shape = Between::new(piece, &base, tip.as_ref(), voxels.of(window), self.pixel_mm);
        let mut level = 0.0;
        for k in range {
            let (a, b) = (low.max(k as f64), high.min(k as f64 + 1.0));
            if b <= a {
                continue;
            }
            let slice = &mut slices[(k - first) * plane..][..plane];
            // Two points of Gauss: exact for the cubic of the area.
            let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
            for z in [middle - half / 3.0_f64.sqrt(), middle + half / 3.0_f64.sqrt()] {
                shape.go(((z - from) / (to - from)).clamp(0.0, 1.0));
                level = shape.level(level);
                shape.add(level, sign * half as f32, slice);
            }
            let weight = sign * (b - a) as f32;
            for (place, pixels) in &shape.whole {
                slice[*place as usize] += weight * *pixels as f32;
            }
        }
        if let (Some(group), Some(tip)) = (&piece.tip, tip) {
            fields.keep(group.clone(), window, tip);
        }
        fields.keep(piece.base.clone(), window, base);
    }
}

impl Fields {
    /// The field of a group in a window: as it was made, or new.
    fn take(&mut self, lattice: &Lattice<'_>, group: &Group, window: Window) -> Field {
        let found = self.kept.iter().position(|(g, w, _)| g == group && *w == window);
        found.map_or_else(|| lattice.field(group, window), |n| self.kept.swap_remove(n).2)
    }

    fn keep(&mut self, group: Group, window: Window, field: Field) {
        self.kept.retain(|(g, ..)| g.plane + 1 >= group.plane);
        self.kept.push((group, window, field));
    }
}

/// The shape between a base and a tip. Of the pixels whose share changes on the way there are columns of
/// numbers, so that several are worked off at a time.
struct Between<'a> {
    piece: &'a Piece,
    /// What base and tip cover, in pixels.
    sums: [f64; 2],
    /// Distances to the outlines of base and tip; without a tip only the first are there.
    base: Vec<f32>,
    tip: Option<Vec<f32>>,
    /// Voxels they lie in.
    places: Vec<u32>,
    /// Voxels with pixels that are whole all the way, and how many.
    whole: Vec<(u32, u32)>,
    whole_pixels: usize,
    /// Width of the edge, mm: a pixel.
    edge: f64,
    /// Area of base and tip as drawn, mm².
    drawn: [f64; 2],
    /// Where on the way it is, 0 to 1, and the distances there.
    t: f64,
    here: Vec<f32>,
}

/// Pixels worked off at a time, and sums of so many times that before they are added up with more digits.
const LANES: usize = 8;
const SHORT_SUM: usize = 32;

impl<'a> Between<'a> {
    fn new(
        piece: &'a Piece,
        base: &Field,
        tip: Option<&Field>,
        places: impl Iterator<Item = usize>,
        pixel_mm: [f64; 2],
    ) -> Self {
        let edge = (pixel_mm[0] * pixel_mm[1]).sqrt();
        let reach = (0.5 * edge + BULGE_MM) as f32;
        let mut shape = Self {
            piece,
            sums: [base.sum, tip.map_or(0.0, |t| t.sum)],
            base: Vec::new(),
            tip: tip.map(|_| Vec::new()),
            places: Vec::new(),
            whole: Vec::new(),
            whole_pixels: 0,
            edge,
            drawn: [piece.area_at(0.0), piece.area_at(1.0)],
            t: 0.0,
            here: Vec::new(),
        };
        for ((n, d), place) in base.distances.near.iter().enumerate().zip(places) {
            // A cap shrinks to nothing: all of it changes.
            let other = tip.map_or(f32::NEG_INFINITY, |t| t.distances.near[n]);
            if d.min(other) > reach {
                shape.whole_pixels += 1;
                match shape.whole.last_mut() {
                    Some((last, pixels)) if *last as usize == place => *pixels += 1,
                    _ => shape.whole.push((place as u32, 1)),
                }
            } else if d.max(other) > -reach {
                shape.base.push(base.distances.of(n));
                shape.places.push(place as u32);
                if let (Some(to), Some(tip)) = (&mut shape.tip, tip) {
                    to.push(tip.distances.of(n));
                }
            }
        }
        shape
    }

    /// Goes to a place on the way from base (0) to tip (1).
    fn go(&mut self, t: f64) {
        self.t = t;
        let t = t as f32;
        self.here.clear();
        match &self.tip {
            Some(tip) => {
                let both = self.base.iter().zip(tip);
                self.here.extend(both.map(|(d, e)| (1.0 - t) * d + t * e));
            }
            None => self.here.extend_from_slice(&self.base),
        }
    }

    /// Pixels to cover in all.
    fn wanted(&self) -> f64 {
        let t = self.t;
        let area = self.piece.area_at(t);
        if self.tip.is_none() {
            return if self.drawn[0] > 0.0 { self.sums[0] * area / self.drawn[0] } else { 0.0 };
        }
        // What the window cuts off is missing in both.
        let covered = (1.0 - t) * self.sums[0] + t * self.sums[1];
        let drawn = (1.0 - t) * self.drawn[0] + t * self.drawn[1];
        covered * area / drawn
    }

    /// Pixels covered with so much added to the distances, and how many the edge cuts.
    fn covered(&self, level: f64) -> (f64, usize) {
        let (level, per) = (level as f32, 1.0 / self.edge as f32);
        let share = |d: f32| 0.5 + (d + level) * per;
        let is_cut = |share: f32| u32::from((share > 0.0) & (share < 1.0));
        let (mut sum, mut cut) = (0.0_f64, 0_usize);
        for block in self.here.chunks(LANES * SHORT_SUM) {
            let (mut sums, mut cuts) = ([0.0_f32; LANES], [0_u32; LANES]);
            let mut groups = block.chunks_exact(LANES);
            for group in &mut groups {
                for ((d, sum), cut) in group.iter().zip(&mut sums).zip(&mut cuts) {
                    let share = share(*d);
                    *sum += share.clamp(0.0, 1.0);
                    *cut += is_cut(share);
                }
            }
            for d in groups.remainder() {
                let share = share(*d);
                sum += f64::from(share.clamp(0.0, 1.0));
                cut += is_cut(share) as usize;
            }
            sum += sums.iter().map(|s| f64::from(*s)).sum::<f64>();
            cut += cuts.iter().sum::<u32>() as usize;
        }
        (sum, cut)
    }

    /// What to add to the distances so that the area is right.
    fn level(&self, guess: f64) -> f64 {
        let wanted = self.wanted() - self.whole_pixels as f64;
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        let mut level = guess;
        let mut step = BULGE_MM;
        for _ in 0..60 {
            let (sum, cut) = self.covered(level);
            let off = wanted - sum;
            if off.abs() <= 1e-5 * (wanted.abs() + 1e-3) {
                break;
            }
            if off > 0.0 {
                low = level
            } else {
                high = level
            }
            let newton = level + off * self.edge / cut.max(1) as f64;
            level = if cut > 0 && newton > low && newton < high {
                newton
            } else if low.is_finite() && high.is_finite() {
                0.5 * (low + high)
            } else {
                step *= 2.0;
                if off > 0.0 { level + step } else { level - step }
            };
            if high - low < 1e-9 || step > 1e7 {
                break;
            }
        }
        level
    }

    /// Adds the share of every pixel that changes, times a weight, to the voxels of a slice.
    fn add(&self, level: f64, weight: f32, slice: &mut [f32]) {
        let (level, per) = (level as f32, 1.0 / self.edge as f32);
        for (d, place) in self.here.iter().zip(&self.places) {
            let share = 0.5 + (d + level) * per;
            if share > 0.0 {
                slice[*place as usize] += weight * share.min(1.0);
            }
        }
    }
}

/// Signed distance in mm of every pixel from the outline, above zero inside, from what is covered of
/// each: exact coverage tells how far off the outline is where it cuts a pixel; elsewhere it is the
/// distance to the nearest such pixel and what is left there. Only pixels within [`NEAR_MM`] of the outline
/// are given theirs at once; most of the others are never asked about.
#[derive(Debug)]
struct Distances {
    columns: usize,
    pixel_mm: [f32; 2],
    /// The outline pixel nearest in the same column: how far it is, in mm², and what is covered of it.
    column: Nearest,
    /// Endless, with the sign of its side, where it is farther than [`NEAR_MM`] and a pixel.
    near: Vec<f32>,
}

/// Pixels of an outline: how far they are, in mm², infinite where there is none, and what is covered of
/// them.
#[derive(Debug, Default)]
struct Nearest {
    squared: Vec<f32>,
    covered: Vec<f32>,
}

/// Up to here pixels change between two planes whose outlines lie on each other: what is within it has
/// its distance found at once, row by row.
const NEAR_MM: f32 = BULGE_MM as f32;
/// Pixels of a row worked off at a time.
const RUN: usize = 32;

impl Distances {
    fn new(covered: &[f32], [columns, rows]: [usize; 2], pixel_mm: [f64; 2]) -> Self {
        let pixel_mm = pixel_mm.map(|d| d as f32);
        let outline = outline(covered, columns);
        let column = nearest_in_column(covered, &outline, columns, pixel_mm[1]);
        // One pixel more: half for the edge, half for what is left in the nearest pixel.
        let reach = NEAR_MM + (pixel_mm[0] * pixel_mm[1]).sqrt();
        let mut distances = Self { columns, pixel_mm, column, near: Vec::new() };
        distances.near = Vec::with_capacity(covered.len());
        for row in 0..rows {
            distances.row(row, reach, &covered[columns * row..][..columns]);
        }
        distances
    }

    /// Distances of a row that are within `reach`.
    fn row(&mut self, row: usize, reach: f32, covered: &[f32]) {
        let columns = self.columns;
        let here = columns * row..columns * (row + 1);
        let (squared, seeds) = (&self.column.squared[here.clone()], &self.column.covered[here]);
        let side = |covered: f32| if covered >= 0.5 { 1.0_f32 } else { -1.0 };
        let most = reach * reach;
        let steps = (reach / self.pixel_mm[0]).ceil() as usize;
        let edge = self.edge();
        for start in (0..columns).step_by(RUN) {
            let end = (start + RUN).min(columns);
            let around = start.saturating_sub(steps)..(end + steps).min(columns);
            if squared[around].iter().all(|d| *d > most) {
                self.near.extend(covered[start..end].iter().map(|c| side(*c) * f32::INFINITY));
                continue;
            }
            let (mut best, mut seed) = ([f32::INFINITY; RUN], [0.0_f32; RUN]);
            best[..end - start].copy_from_slice(&squared[start..end]);
            seed[..end - start].copy_from_slice(&seeds[start..end]);
            for step in 1..=steps {
                let across = step as f32 * self.pixel_mm[0];
                let across = across * across;
                // From the left, then from the right.
                let (left, right) = (start.max(step), end.min(columns.saturating_sub(step)));
                if left < end {
                    let to = left - start..end - start;
                    let from = left - step..end - step;
                    let (best, seed) = (&mut best[to.clone()], &mut seed[to]);
                    nearer(best, seed, &squared[from.clone()], &seeds[from], across);
                }
                if start < right {
                    let to = 0..right - start;
                    let from = start + step..right + step;
                    let (best, seed) = (&mut best[to.clone()], &mut seed[to]);
                    nearer(best, seed, &squared[from.clone()], &seeds[from], across);
                }
            }
            let found = best.iter().zip(&seed).zip(&covered[start..end]);
            self.near.extend(found.map(|((best, seed), covered)| {
                let to_pixel = if *best > most { f32::INFINITY } else { best.sqrt() };
                side(*covered) * to_pixel + (seed - 0.5) * edge
            }));
        }
    }

    fn edge(&self) -> f32 {
        (self.pixel_mm[0] * self.pixel_mm[1]).sqrt()
    }

    /// The distance of a pixel that is not near.
    fn far(&self, n: usize) -> f32 {
        let (columns, rows) = (self.columns, self.near.len() / self.columns);
        let (row, x) = (n / columns, n % columns);
        let here = columns * row..columns * (row + 1);
        let (squared, seeds) = (&self.column.squared[here.clone()], &self.column.covered[here]);
        let (mut best, mut seed) = (squared[x], seeds[x]);
        for step in 1..columns {
            let across = step as f32 * self.pixel_mm[0];
            let across = across * across;
            if across >= best {
                break;
            }
            for from in [x.checked_sub(step), Some(x + step).filter(|x| *x < columns)] {
                let Some(from) = from else { continue };
                let d = squared[from] + across;
                if d < best {
                    (best, seed) = (d, seeds[from]);
                }
            }
        }
        let side = self.near[n].signum();
        if best.is_finite() {
            side * best.sqrt() + (seed - 0.5) * self.edge()
        } else {
            // No outline in the window: as far as anything in it.
            side * (self.pixel_mm[0] * columns as f32 + self.pixel_mm[1] * rows as f32)
        }
    }

    fn of(&self, n: usize) -> f32 {
        if self.near[n].is_finite() { self.near[n] } else { self.far(n) }
    }
}

/// Takes what is nearer, so much farther across.
fn nearer(best: &mut [f32], seed: &mut [f32], squared: &[f32], seeds: &[f32], across: f32) {
    for (((best, seed), squared), theirs) in best.iter_mut().zip(seed).zip(squared).zip(seeds) {
        let d = squared + across;
        let nearer = d < *best;
        *best = if nearer { d } else { *best };
        *seed = if nearer { *theirs } else { *seed };
    }
}

/// Pixels that the outline cuts, or with one of another side beside them: 1, the others 0.
fn outline(covered: &[f32], columns: usize) -> Vec<u8> {
    let inside: Vec<u8> = covered.iter().map(|c| u8::from(*c >= 0.5)).collect();
    let mut outline: Vec<u8> =
        covered.iter().map(|c| u8::from(*c > 1e-6) & u8::from(*c < 1.0 - 1e-6)).collect();
    let mut differ = |from: usize, length: usize, apart: usize| {
        let (here, there) = (&inside[from..][..length], &inside[from + apart..][..length]);
        for at in [from, from + apart] {
            let both = here.iter().zip(there);
            outline[at..][..length].iter_mut().zip(both).for_each(|(o, (a, b))| *o |= a ^ b);
        }
    };
    let rows = covered.len() / columns;
    for row in 0..rows {
        differ(columns * row, columns - 1, 1);
        if row + 1 < rows {
            differ(columns * row, columns, columns);
        }
    }
    outline
}

/// The outline pixel nearest in the column of each pixel; the upper of two as near.
fn nearest_in_column(covered: &[f32], outline: &[u8], columns: usize, pixel_mm: f32) -> Nearest {
    let mut found = Nearest::default();
    found.squared.reserve(covered.len());
    found.covered.reserve(covered.len());
    // Steps to the last outline pixel from above, then from below.
    let (mut steps, mut seed) = (vec![f32::INFINITY; columns], vec![0.0_f32; columns]);
    let go = |covered: &[f32], outline: &[u8], steps: &mut [f32], seed: &mut [f32]| {
        for (((steps, seed), covered), outline) in
            steps.iter_mut().zip(seed).zip(covered).zip(outline)
        {
            let on = *outline != 0;
            *steps = if on { 0.0 } else { *steps + 1.0 };
            *seed = if on { *covered } else { *seed };
        }
    };
    for (covered, outline) in covered.chunks(columns).zip(outline.chunks(columns)) {
        go(covered, outline, &mut steps, &mut seed);
        found.squared.extend_from_slice(&steps);
        found.covered.extend_from_slice(&seed);
    }
    steps.fill(f32::INFINITY);
    let rows = covered.chunks(columns).zip(outline.chunks(columns));
    let there = found.squared.chunks_mut(columns).zip(found.covered.chunks_mut(columns));
    for ((covered, outline), (above, theirs)) in rows.zip(there).rev() {
        go(covered, outline, &mut steps, &mut seed);
        for (((above, theirs), steps), seed) in above.iter_mut().zip(theirs).zip(&steps).zip(&seed)
        {
            let nearer = *steps < *above;
            let least = if nearer { *steps } else { *above } * pixel_mm;
            *above = least * least;
            *theirs = if nearer { *seed } else { *theirs };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contour::trace;
    use nalgebra::Point3;
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
        Solid::new(contours, 2.0).on(&grid(spacing)).volume().ml()
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
        let back = Solid::new(&trace(&mask), 2.0).on(&grid);
        let ratio = back.volume().ml() / mask.volume().ml();
        assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    }

    /// A ball as contours in planes `gap` apart, the first at `phase` of a gap above the south pole.
    fn ball(r: f64, gap: f64, phase: f64) -> Vec<Contour> {
        let planes = (0..).map(|n| -r + gap * (f64::from(n) + phase)).take_while(|z| *z < r);
        planes.map(|z| circle(0.4, -0.3, z, (r * r - z * z).sqrt())).collect()
    }

    fn volume_on(contours: &[Contour], gap: f64, spacing: [f64; 3]) -> f64 {
        let size = spacing.map(|d| (60.0 / d) as usize);
        let grid = Grid::axial(size, spacing, [-30.2, -29.9, -29.6]).expect("valid");
        Solid::new(contours, gap).on(&grid).volume().ml()
    }

    #[test]
    fn small_balls_on_thick_slices() {
        // The bar of 4 mL is 1 %, of 1.5 mL 3 %; the planes may cut the ball anywhere.
        for (ml, bar) in [(4.0_f64, 0.01), (1.5, 0.03), (0.5, 0.03)] {
            let r = (ml * 1e3 * 0.75 / PI).cbrt();
            let mut worst = 0.0_f64;
            for step in 1..20 {
                let contours = ball(r, 2.5, f64::from(step) / 20.0);
                let found = volume_on(&contours, 2.5, [1.0, 1.0, 2.5]);
                worst = worst.max((found / ml - 1.0).abs());
            }
            println!("{ml} mL on 1 x 1 x 2.5 mm: {:.2} % at worst", 100.0 * worst);
            assert!(worst < bar, "{ml} mL: {worst}");
        }
    }

    #[test]
    fn the_shape_between_planes_is_that_of_the_ball() {
        // Voxel by voxel against the ball itself, on finer slices than were drawn.
        let (r, centre) = (10.0, [0.4, -0.3, 0.0]);
        let grid =
            Grid::axial([30, 30, 60], [1.0, 1.0, 0.5], [-14.5, -14.5, -14.6]).expect("valid");
        let mask = Solid::new(&ball(r, 2.5, 0.3), 2.5).on(&grid);
        let truth = Mask::from_fn(grid.clone(), |ijk| {
            let hits = (0..512_usize)
                .filter(|p| {
                    let at = [p % 8, p / 8 % 8, p / 64];
                    let q: [f64; 3] =
                        std::array::from_fn(|a| ijk[a] as f64 + (at[a] as f64 + 0.5) / 8.0 - 0.5);
                    let p = grid.world(q);
                    (0..3).map(|a| (p[a] - centre[a]).powi(2)).sum::<f64>() < r * r
                })
                .count();
            hits as f32 / 512.0
        });
        let wrong: f64 = (0..grid.len())
            .map(|n| [n % 30, n / 30 % 30, n / 900])
            .map(|at| f64::from((mask.at(at) - truth.at(at)).abs()))
            .sum::<f64>()
            * 0.5e-3;
        println!("voxels differ by {wrong:.4} of {:.3} mL", truth.volume().ml());
        assert!(wrong < 0.02 * truth.volume().ml(), "{wrong}");
    }

    #[test]
    fn contours_on_other_planes_than_the_slices_unsorted_and_useless_ones() {
        let mut contours: Vec<_> =
            (0..12).map(|k| circle(0.0, 0.0, f64::from(k) * 2.5 - 13.1, 8.0)).collect();
        contours.swap(0, 7);
        contours.swap(3, 11);
        contours.push(contours[5].clone());
        contours.push(Contour { points: circle(0.0, 0.0, 1.0, 8.0).points[..2].to_vec() });
        contours.push(Contour { points: vec![Point3::new(1.0, 2.0, -13.1); 5] });
        let truth = PI * 64.0 * 30.0 * 1e-3;
        for spacing in [[1.0, 1.0, 2.5], [0.7, 1.3, 4.0], [4.42; 3]] {
            let found = volume_on(&contours, 2.5, spacing);
            assert!((found / truth - 1.0).abs() < 1e-3, "{spacing:?}: {found} of {truth} mL");
        }
        assert_eq!(Solid::new(&contours, 2.5).left_out(), 3);
    }

    #[test]
    fn a_liver_without_its_tumour_and_the_tumour_are_the_liver() {
        let outer: Vec<_> = (-9..=9)
            .map(|k| f64::from(k) * 2.5)
            .map(|z| circle(0.0, 0.0, z, (25.0_f64 * 25.0 - z * z).sqrt()))
            .collect();
        let tumour = ball(8.0, 2.5, 0.4);
        let drop = -8.0 + 2.5 * 0.4;
        // On the liver's planes.
        let tumour: Vec<_> = tumour
            .into_iter()
            .map(|c| Contour {
                points: c
                    .points
                    .iter()
                    .map(|p| Point3::new(p.x, p.y, ((p.z - drop) / 2.5).round() * 2.5 - 7.5))
                    .collect(),
            })
            .collect();
        let normal: Vec<_> = outer.iter().chain(&tumour).cloned().collect();
        let grid = grid(3.1);
        let [liver, tumour, normal] = [&outer, &tumour, &normal].map(|c| Solid::new(c, 2.5));
        let sum = normal.volume_mm3() + tumour.volume_mm3();
        assert!((sum / liver.volume_mm3() - 1.0).abs() < 1e-9);
        let (a, b) = (normal.on(&grid), liver.on(&grid).minus(&tumour.on(&grid)));
        let off = a.voxels().map(|(n, f)| {
            let [nx, ny, _] = grid.size();
            (f - b.at([n % nx, n / nx % ny, n / (nx * ny)])).abs()
        });
        assert!(off.fold(0.0, f32::max) < 1e-4);
    }

    #[test]
    fn islands_in_holes_go_through_planes() {
        let contours: Vec<_> = (0..10)
            .flat_map(|k| [25.0, 14.0, 6.0].map(|r| circle(0.0, 0.0, 2.0 * f64::from(k) - 9.0, r)))
            .collect();
        let truth = PI * (625.0 - 196.0 + 36.0) * 20.0 * 1e-3;
        for spacing in [1.0, 4.42] {
            let found = volume_ml(&contours, spacing);
            assert!((found / truth - 1.0).abs() < 1e-3, "{spacing} mm: {found} of {truth} mL");
        }
    }

    #[test]
    fn a_branch_and_a_bay() {
        // Two legs that grow together, like lobes of a liver.
        let legs =
            [-6.0, -4.0, -2.0].map(|z| [circle(-8.0, 0.0, z, 5.0), circle(8.0, 0.0, z, 5.0)]);
        let trunk = [0.0, 2.0, 4.0].map(|z| circle(0.0, 0.0, z, 14.0));
        let contours: Vec<_> = legs.into_iter().flatten().chain(trunk).collect();
        let (leg, body) = (PI * 25.0, PI * 196.0);
        let truth = (2.0 * leg * 5.0 + (2.0 * leg + body) + body * 5.0) * 1e-3;
        for spacing in [1.0, 2.21, 4.42] {
            let found = volume_ml(&contours, spacing);
            assert!((found / truth - 1.0).abs() < 1e-3, "{spacing} mm: {found} of {truth} mL");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_structure_keeps_its_volume_on_every_grid(
            gap in 1.0_f64..6.0, phase in 0.01_f64..0.99, r in 4.0_f64..24.0, squash in 0.5_f64..1.0,
            bumps in 0_u32..7, spacing in prop::array::uniform3(0.6_f64..9.0),
            shift in prop::array::uniform3(-3.0_f64..3.0), flip: bool, hole: bool,
        ) {
            let mut contours = ball(r, gap, phase);
            if hole {
                let inner = 0.4 * r;
                let heights: Vec<f64> = contours.iter().filter_map(Contour::height).collect();
                contours.extend(heights.into_iter().filter(|z| z.abs() < inner).map(|z| {
                    circle(0.4, -0.3, z, (inner * inner - z * z).sqrt())
                }));
            }
            for p in contours.iter_mut().flat_map(|c| &mut c.points) {
                let angle = f64::from(bumps) * p.y.atan2(p.x) + 0.1 * p.z;
                let f = 1.0 + 0.08 * angle.sin() * f64::from(u8::from(bumps > 0));
                *p = Point3::new(p.x * f, p.y * f * squash, p.z);
            }
            let solid = Solid::new(&contours, gap);
            let sign = if flip { -1.0 } else { 1.0 };
            let size = spacing.map(|d| (70.0 / d) as usize);
            let origin = std::array::from_fn(|a| shift[a] - sign * 0.5 * spacing[a] * size[a] as f64);
            let grid = Grid::new(size, spacing, origin, nalgebra::Matrix3::identity() * sign).unwrap();
            let (found, truth) = (solid.on(&grid).volume().mm3(), solid.volume_mm3());
            prop_assert!((found / truth - 1.0).abs() < 1e-3, "{} of {} mm3", found, truth);
        }

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
