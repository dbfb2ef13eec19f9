//! A liver from CT: the largest even mass of soft tissue on the right.

use super::volume::Volume;
use super::{BONE_ABOVE_HU, SegmentError, cubes, filled_body};
use crate::geometry::Grid;
use crate::image::Image;
use crate::mask::Mask;

const CUBE_MM: f64 = 4.0;
/// CT numbers that a liver may have: fatty without contrast to portal venous.
const LEVELS: std::ops::RangeInclusive<i32> = 0..=170;
const LEVEL_STEP: usize = 10;
/// What counts as one tissue while its level is sought.
const EVEN_HU: f32 = 22.0;
/// The least ball that fits into a liver.
const BALL_AT_LEAST_MM: f64 = 22.0;
/// What is narrower between liver and what it touches is cut.
const NECK_MM: f64 = 9.0;
/// Volumes that a liver may have, mL.
const ML: std::ops::RangeInclusive<f64> = 400.0..=4500.0;

/// The liver, as far as the CT shows it: the level of CT numbers at which the largest ball fits into the right
/// half of the body is the liver's, if that belongs to something of a liver's volume; what has that level and hangs together by more than a neck is taken, then
/// what is enclosed by it (vessels, tumours).
///
/// # Errors
/// When there is no body, no such mass, or its volume is no liver's.
pub fn liver(ct: &Image<i16>) -> Result<Mask, SegmentError> {
    let (grid, hu) = cubes(ct, CUBE_MM)?;
    let body = filled_body(&grid, &hu)?;
    let middle = body.middle_mm();
    let even = smooth(&hu, grid.size());
    let bone = Volume::new(&grid, hu.iter().map(|h| *h > BONE_ABOVE_HU).collect());
    let room = body.eroded(4.0).minus(&bone.dilated(4.0));
    let right: Vec<bool> = (0..grid.len()).map(|n| room.x_of(n) < middle - 5.0).collect();
    // The largest ball of every level, and its middle.
    let mut balls: Vec<(f64, usize, f32)> = Vec::new();
    for hu in LEVELS.step_by(LEVEL_STEP) {
        let hu = hu as f32;
        let outside = (0..grid.len())
            .map(|n| !(room.inside[n] && right[n] && (even[n] - hu).abs() < EVEN_HU))
            .collect();
        let squared = Volume::new(&grid, outside).distance_squared();
        let best = (0..squared.len())
            .filter(|n| squared[*n].is_finite())
            .max_by(|a, b| squared[*a].total_cmp(&squared[*b]).then(b.cmp(a)));
        balls.extend(best.map(|n| (f64::from(squared[n]).sqrt(), n, hu)));
    }
    balls.sort_by(|a, b| b.0.total_cmp(&a.0));
    let largest = balls.first().map_or(0.0, |b| b.0);
    balls.retain(|b| b.0 >= BALL_AT_LEAST_MM);
    if balls.is_empty() {
        return Err(SegmentError::NoLiver(format!(
            "the largest even part on the right is a ball of {largest:.0} mm radius, expected at least {BALL_AT_LEAST_MM:.0} mm"
        )));
    }
    // The largest that belongs to something of a liver's volume: where nothing tells muscle and gut apart,
    // these are larger than any liver.
    let mut first = None;
    for (radius, seed, level) in balls {
        let whole =
            around(&Scan { grid: &grid, hu: &hu, even: &even }, &body, &room, &bone, seed, radius);
        if ML.contains(&whole.ml()) {
            return Ok(whole.mask(&grid));
        }
        first.get_or_insert((level, whole.ml()));
    }
    let (level, ml) = first.unwrap_or_default();
    Err(SegmentError::NoLiver(format!(
        "what hangs together at {level:.0} HU has {ml:.0} mL, expected {:.0} to {:.0} mL",
        ML.start(),
        ML.end()
    )))
}

/// A CT as cubes, and the same smoothed.
struct Scan<'a> {
    grid: &'a Grid,
    hu: &'a [f32],
    even: &'a [f32],
}

/// What has the level of a ball and hangs together with it.
fn around(
    scan: &Scan<'_>,
    body: &Volume,
    room: &Volume,
    bone: &Volume,
    seed: usize,
    radius: f64,
) -> Volume {
    let Scan { grid, hu, even } = *scan;
    // What the ball holds tells the level and its spread.
    let mut centre = Volume::none(grid);
    centre.inside[seed] = true;
    let ball = centre.dilated(0.8 * radius);
    let mean = ball.mean(even) as f32;
    let squares: Vec<f32> = even.iter().map(|h| (h - mean) * (h - mean)).collect();
    let spread = (ball.mean(&squares).sqrt() as f32 * 3.0).clamp(14.0, 28.0);
    let of = |inside: Vec<bool>| Volume::new(grid, inside);
    let all = 0..grid.len();
    let same = of(all.clone().map(|n| room.inside[n] && (even[n] - mean).abs() < spread).collect());
    let core = same.eroded(NECK_MM).part_with(seed);
    let core = if core.is_empty() { ball.and(&same) } else { core };
    // Back to its surface; averaging has dimmed the last voxels, so the level may be a little off there.
    let rim =
        of(all.clone().map(|n| body.inside[n] && (hu[n] - mean).abs() < spread + 25.0).collect());
    let grown = core.dilated(NECK_MM + 3.0).and(&rim);
    let soft = of(all.map(|n| hu[n] > mean - 70.0 && hu[n] < mean + 120.0).collect());
    grown.closed(10.0).filled_in_slices(|_| true).and(&soft).or(&grown).minus(bone).largest()
}

/// Mean over three voxels along each axis.
fn smooth(values: &[f32], [nx, ny, nz]: [usize; 3]) -> Vec<f32> {
    let mut from = values.to_vec();
    for (stride, length) in [(1, nx), (nx, ny), (nx * ny, nz)] {
        let to = (0..from.len())
            .map(|n| {
                let at = n / stride % length;
                let below = if at > 0 { from[n - stride] } else { from[n] };
                let above = if at + 1 < length { from[n + stride] } else { from[n] };
                (below + from[n] + above) / 3.0
            })
            .collect();
        from = to;
    }
    from
}
