//! The contours of one plane as simple loops: outlines one way, holes the other.
//!
//! People and programs draw the same area in many ways: a hole as a contour of its own or as a
//! keyhole, a contour twice, one that crosses itself, two that overlap. Here all become loops that
//! neither touch nor cross, of which areas and distances have one meaning.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::float::simplify::SimplifyShape;

/// A point in a plane, mm.
pub(crate) type Point = [f64; 2];

/// A closed line that does not cross itself; the first point is not repeated.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub points: Vec<Point>,
    /// Area inside, mm², above zero.
    pub area: f64,
    /// What it encloses is taken away, not added.
    pub hole: bool,
    /// How many others it lies in: 0 an outline, 1 its hole, 2 an island in the hole.
    pub depth: usize,
    pub low: Point,
    pub high: Point,
}

/// Loops smaller than this are dust of rounding, mm².
const DUST_MM2: f64 = 1e-4;
/// Contours of which this part is shared are one drawn twice, not one and its hole.
const TWICE: f64 = 0.98;
/// Length squared over area beyond which a line is a tangle: to find where it crosses itself could
/// take for ever. A circle has 13, a liver about 25, a keyhole with fifty holes some thousands.
const TANGLED: f64 = 1e6;

/// Pairs of points and lines that are looked at one by one.
const MOST_WORK: usize = 20_000_000;

/// Area by the shoelace formula: what is gone round twice counts twice; below zero clockwise.
pub(crate) fn signed_area(points: &[Point]) -> f64 {
    let Some(first) = points.first() else { return 0.0 };
    // From the first point on, so that far from the origin no digits are lost.
    let at = |p: &Point| [p[0] - first[0], p[1] - first[1]];
    let next = points.iter().cycle().skip(1);
    let twice = points.iter().zip(next).map(|(a, b)| {
        let (a, b) = (at(a), at(b));
        a[0] * b[1] - b[0] * a[1]
    });
    0.5 * twice.sum::<f64>()
}

fn bounds(points: &[Point]) -> [Point; 2] {
    points.iter().fold([[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]], |[low, high], p| {
        [[low[0].min(p[0]), low[1].min(p[1])], [high[0].max(p[0]), high[1].max(p[1])]]
    })
}

impl Loop {
    fn new(points: Vec<Point>, hole: bool) -> Self {
        let [low, high] = bounds(&points);
        Self { area: signed_area(&points).abs(), points, hole, depth: usize::from(hole), low, high }
    }

    /// Whether a point is inside.
    pub fn holds(&self, [x, y]: Point) -> bool {
        x >= self.low[0]
            && x <= self.high[0]
            && y >= self.low[1]
            && y <= self.high[1]
            && holds(&self.points, [x, y])
    }

    /// Whether two loops share area: as far as their points tell.
    pub fn meets(&self, other: &Self) -> bool {
        let apart = |a: usize| self.low[a] > other.high[a] || other.low[a] > self.high[a];
        if apart(0) || apart(1) {
            return false;
        }
        let (small, large) = if self.area < other.area { (self, other) } else { (other, self) };
        small.points.iter().any(|p| large.holds(*p)) || large.points.iter().any(|p| small.holds(*p))
    }
}

/// Even-odd rule.
fn holds(polygon: &[Point], [x, y]: Point) -> bool {
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

/// The loops of the contours of a plane.
///
/// * One line encloses what it goes round, once or twice: a keyhole has its hole, a line that goes
///   round twice its area once.
/// * Contours in contours are holes, contours in holes are parts again; contours that overlap in part
///   are joined; one that is drawn twice (98 % the same area) counts once.
pub(crate) fn loops(contours: Vec<Vec<Point>>) -> Vec<Loop> {
    let mut found = apart(contours);
    let depths: Vec<usize> = (0..found.len())
        .map(|n| {
            let own = std::slice::from_ref(&found[n]);
            let others = found.iter().enumerate().filter(|(m, _)| *m != n);
            others.filter(|(_, other)| mostly_inside(std::slice::from_ref(*other), own)).count()
        })
        .collect();
    for (l, depth) in found.iter_mut().zip(depths) {
        l.depth = depth;
        l.hole = depth % 2 == 1;
    }
    found
}

/// Loops that neither touch nor cross; their depths are not known yet.
fn apart(contours: Vec<Vec<Point>>) -> Vec<Loop> {
    let mut simple: Vec<Vec<Loop>> = contours
        .into_iter()
        .map(|points| simplified(vec![points], FillRule::NonZero))
        .filter(|loops| !loops.is_empty())
        .collect();
    if simple.len() > 1 {
        simple = once(simple);
    }
    if simple.len() == 1 {
        return simple.pop().unwrap_or_default();
    }
    let depth: Vec<usize> = (0..simple.len())
        .map(|n| {
            let others = simple.iter().enumerate().filter(|(m, _)| *m != n);
            others.filter(|(_, other)| mostly_inside(other, &simple[n])).count()
        })
        .collect();
    let points = |loops: &[Loop]| loops.iter().map(|l| l.points.len()).sum::<usize>();
    let pairs = || (0..simple.len()).flat_map(|n| (0..n).map(move |m| (n, m)));
    let near = |(n, m): &(usize, usize)| boxes_meet(&simple[*n], &simple[*m]);
    // Point by point against line by line: where that would take long, the overlay asks by itself.
    let work: usize =
        pairs().filter(near).map(|(n, m)| points(&simple[n]) * points(&simple[m])).sum();
    let crossing =
        work > MOST_WORK || pairs().filter(near).any(|(n, m)| partly(&simple[n], &simple[m]));
    let turned: Vec<Loop> = simple
        .into_iter()
        .zip(depth)
        .flat_map(|(loops, depth)| {
            loops.into_iter().map(move |mut l| {
                l.hole ^= depth % 2 == 1;
                l
            })
        })
        .collect();
    if !crossing {
        return turned;
    }
    let lines = turned
        .into_iter()
        .map(|mut l| {
            if (signed_area(&l.points) < 0.0) != l.hole {
                l.points.reverse();
            }
            l.points
        })
        .collect();
    simplified(lines, FillRule::Positive)
}

fn boxes_meet(a: &[Loop], b: &[Loop]) -> bool {
    a.iter()
        .any(|a| b.iter().any(|b| (0..2).all(|n| a.low[n] <= b.high[n] && b.low[n] <= a.high[n])))
}

/// Whether two contours have both common area and area of their own, or touch: their lines may
/// cross.
fn partly(a: &[Loop], b: &[Loop]) -> bool {
    let inside = |points: &[Loop], of: &[Loop]| {
        let all = points.iter().flat_map(|l| &l.points);
        let (mut some, mut not) = (false, false);
        for p in all {
            let odd = of.iter().filter(|l| l.holds(*p)).count() % 2 == 1;
            some |= odd;
            not |= !odd;
            if some && not {
                return true;
            }
        }
        false
    };
    inside(a, b) || inside(b, a)
}

/// Whether most points of a contour are inside another (a hole may touch its outer contour); 33 of
/// them, evenly taken, tell.
fn mostly_inside(outer: &[Loop], contour: &[Loop]) -> bool {
    if !boxes_meet(outer, contour) {
        return false;
    }
    let Some(line) = contour.first() else { return false };
    let points = || line.points.iter().step_by(line.points.len().div_ceil(33));
    let hits = points().filter(|p| outer.iter().filter(|l| l.holds(**p)).count() % 2 == 1).count();
    2 * hits > points().count()
}

/// Without contours that are drawn a second time.
fn once(contours: Vec<Vec<Loop>>) -> Vec<Vec<Loop>> {
    let area =
        |loops: &[Loop]| loops.iter().map(|l| if l.hole { -l.area } else { l.area }).sum::<f64>();
    let mut kept: Vec<Vec<Loop>> = Vec::new();
    for own in contours {
        let twice = kept.iter().any(|other| {
            let (a, b) = (area(&own), area(other));
            let alike = |x: f64, y: f64| (x - y).abs() < 0.05 * (a.abs().sqrt() + b.abs().sqrt());
            let boxes = (0..2).all(|n| {
                alike(own[0].low[n], other[0].low[n]) && alike(own[0].high[n], other[0].high[n])
            });
            if !boxes || a.min(b) < TWICE * a.max(b) {
                return false;
            }
            let lines = own.iter().chain(other).map(|l| l.points.clone()).collect();
            let differs: f64 = area(&simplified(lines, FillRule::EvenOdd));
            differs < (1.0 - TWICE) * (a + b)
        });
        if !twice {
            kept.push(own);
        }
    }
    kept
}

/// What lines enclose by a rule, as loops that neither touch nor cross.
fn simplified(lines: Vec<Vec<Point>>, rule: FillRule) -> Vec<Loop> {
    let length: f64 = lines
        .iter()
        .flat_map(|l| l.iter().zip(l.iter().cycle().skip(1)))
        .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
        .sum();
    let [low, high] = bounds(&lines.concat());
    let room = (high[0] - low[0]) * (high[1] - low[1]);
    if !(room > DUST_MM2) || length * length > TANGLED * room {
        return Vec::new();
    }
    let shapes = lines.simplify_shape(rule);
    shapes
        .into_iter()
        .flat_map(|shape| shape.into_iter().enumerate().map(|(n, points)| Loop::new(points, n > 0)))
        .filter(|l| l.area > DUST_MM2)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn circle(x: f64, r: f64, n: u32) -> Vec<Point> {
        (0..n)
            .map(|i| (TAU * f64::from(i) / f64::from(n)).sin_cos())
            .map(|(s, c)| [x + r * c, r * s])
            .collect()
    }

    fn area(contours: Vec<Vec<Point>>) -> f64 {
        loops(contours).iter().map(|l| if l.hole { -l.area } else { l.area }).sum()
    }

    fn of(r: f64, n: u32) -> f64 {
        signed_area(&circle(0.0, r, n))
    }

    #[test]
    fn a_line_counts_what_it_goes_round_once() {
        let one = circle(3.0, 10.0, 100);
        let twice = [one.clone(), one.clone()].concat();
        let back: Vec<Point> = one.iter().rev().copied().collect();
        for contours in [
            vec![one.clone()],
            vec![back.clone()],
            vec![twice],
            vec![one.clone(), one.clone()],
            vec![one.clone(), back],
            vec![one.clone(), circle(3.0, 10.02, 173)],
        ] {
            let found = area(contours);
            assert!((found / of(10.0, 100) - 1.0).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn holes_islands_keyholes_and_eights() {
        let ring = vec![circle(0.0, 20.0, 200), circle(1.0, 10.0, 200), circle(1.0, 5.0, 200)];
        let truth = of(20.0, 200) - of(10.0, 200) + of(5.0, 200);
        assert!((area(ring.clone()) - truth).abs() < 1e-3);
        // The same in any order and direction.
        let other: Vec<_> =
            [2, 0, 1].map(|n: usize| ring[n].iter().rev().copied().collect()).into();
        assert!((area(other) - truth).abs() < 1e-3);
        let mut keyhole = circle(0.0, 20.0, 200);
        keyhole.push(keyhole[0]);
        keyhole.push([10.0, 0.0]);
        keyhole.extend(circle(0.0, 10.0, 200).iter().rev());
        let found = loops(vec![keyhole]);
        assert_eq!(found.len(), 2, "an outline and a hole: {found:?}");
        let eight = vec![[0.0, 0.0], [10.0, 10.0], [10.0, 0.0], [0.0, 10.0]];
        assert!((area(vec![eight]) - 50.0).abs() < 1e-6);
    }

    #[test]
    fn contours_that_overlap_in_part_are_joined() {
        let square = |x: f64| vec![[x, 0.0], [x + 10.0, 0.0], [x + 10.0, 10.0], [x, 10.0]];
        assert!((area(vec![square(0.0), square(6.0)]) - 160.0).abs() < 1e-6);
        assert!((area(vec![square(0.0), square(20.0)]) - 200.0).abs() < 1e-6);
        // A hole that reaches out of its outline takes away what is inside only.
        let hole = vec![[2.0, 2.0], [8.0, 2.0], [8.0, 11.0], [2.0, 11.0]];
        let found = area(vec![square(0.0), hole.clone()]);
        assert!((46.0 - 1e-6..=106.0 + 1e-6).contains(&found), "{found}");
    }

    #[test]
    fn a_tangle_is_left_out_in_no_time() {
        let tangle: Vec<Point> = (0..200_000_u32)
            .map(|n| {
                [f64::from(n.wrapping_mul(7_919) % 1000), f64::from(n.wrapping_mul(104_729) % 997)]
            })
            .collect();
        assert!(loops(vec![tangle]).is_empty());
    }
}
