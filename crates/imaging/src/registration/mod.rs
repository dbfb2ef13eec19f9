//! Where a point of one CT is in another: rigid registration by mutual information.
//!
//! | module | holds |
//! |---|---|
//! | [`rigid`] | the motion |
//! | `information` | how much one image says of another (normalised, Studholme 1999) |
//! | `search` | the best motion without derivatives (Powell 1964) |
//!
//! From coarse to fine, at points that lie on no grid (so that interpolation leaves no ripples), from
//! several starts. Nothing in it is random: the same images give the same motion with any number of
//! threads. What is found is looked at with suspicion: too little overlap, a turn no couch allows, an
//! image that fits better upside down, or one that fits anywhere as well, are refused.

mod information;
pub mod rigid;
mod search;

pub use rigid::{NotRigid, Rigid};

use crate::geometry::Grid;
use crate::image::Image;
use hepatica_physics::random::Random;
use information::{Map, Scene, Window, coarse};
use nalgebra::{Matrix3, Point3, Vector3};
use search::Six;
use thiserror::Error;

/// CT numbers that tell soft tissues apart; air and lung are one, bone is one.
const WINDOW: Window = Window { low: -300.0, high: 400.0 };
/// What is above this CT number is the patient.
const BODY_HU: i16 = -300;
/// A turn of one radian moves what is this far from the centre by as much: all six parameters are mm.
const ARM_MM: f64 = 100.0;
/// Voxels and points of each level; the last is the answer.
const LEVELS: [(f64, usize); 3] = [(10.0, 6_000), (5.0, 20_000), (2.5, 100_000)];
/// First step and last of the search at each level, in mm.
const STEPS: [[f64; 2]; 3] = [[12.0, 0.8], [3.0, 0.3], [1.0, 0.05]];
/// Places along the body that are tried as starts, in mm.
const ALONG: [f64; 9] = [0.0, -25.0, 25.0, -50.0, 50.0, -80.0, 80.0, -120.0, 120.0];

/// An image turned around must say so much more than the upright one before it is believed: a factor
/// on information above one, and a least difference (images of noise differ by less).
const CLEARLY: (f64, f64) = (1.1, 0.004);

/// What is asked of a registration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Most degrees it may turn: a patient lies alike on both couches.
    pub turn_degrees: f64,
    /// Least share of the region that must meet the other image.
    pub overlap: f64,
    /// How much better (of what the images say of each other) the place found must be than places 30 mm
    /// away.
    pub peak: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { turn_degrees: 20.0, overlap: 0.6, peak: 1.2 }
    }
}

/// How good a registration is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Normalised mutual information in the region: 1 says nothing, 2 says all.
    pub information: f64,
    /// The same at the start that the search began from.
    pub information_at_start: f64,
    /// Information above one, over the highest of six places 30 mm away.
    pub peak: f64,
    /// Share of the region that meets the other image.
    pub overlap: f64,
    /// Root mean square distance in mm, at the corners of the region, between what two halves of the
    /// points find.
    pub repeatability_mm: f64,
    /// The same between the motion and the way back found by itself, the images having changed
    /// places.
    pub inverse_mm: f64,
}

/// A motion and how good it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Registration {
    /// From the fixed image to the moving one.
    pub motion: Rigid,
    /// How good it is.
    pub quality: Quality,
}

/// Why images are not registered.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RegistrationError {
    /// An image with nobody in it.
    #[error("there is no body (nothing above {BODY_HU} HU) in the {0}")]
    NoBody(&'static str),
    /// They show different parts.
    #[error("they share only {:.0} % of the region, expected at least {:.0} %", 100.0 * .found, 100.0 * .least)]
    Overlap {
        /// Share of the region that meets the other image.
        found: f64,
        /// What was expected.
        least: f64,
    },
    /// A turn that no couch allows.
    #[error("the best fit turns by {found:.0} degrees, expected at most {most:.0}")]
    Turned {
        /// Degrees.
        found: f64,
        /// What was expected.
        most: f64,
    },
    /// One of them lies the other way.
    #[error("it fits better {0}")]
    Flipped(&'static str),
    /// It fits anywhere as well.
    #[error(
        "the best fit is no better than others near it (information {found:.2} times that 30 mm away, expected at least {least:.2})"
    )]
    NoPeak {
        /// Information above one over that of the best place 30 mm away.
        found: f64,
        /// What was expected.
        least: f64,
    },
    /// The search made it worse.
    #[error(
        "the best fit says no more than where the search began ({found:.4} against {start:.4})"
    )]
    NotBetter {
        /// Information found.
        found: f64,
        /// Information before.
        start: f64,
    },
}

/// Finds the motion that takes points of `fixed` to the same tissue in `moving`. `region` (low and high
/// corner, mm of the fixed image) is what must fit: the liver and its surroundings; without it the
/// body.
///
/// # Errors
/// When it fails: see [`RegistrationError`].
pub fn register(
    fixed: &Image<i16>,
    moving: &Image<i16>,
    region: Option<[[f64; 3]; 2]>,
    bounds: &Bounds,
) -> Result<Registration, RegistrationError> {
    let fixed_body = Body::of(fixed).ok_or(RegistrationError::NoBody("planning CT"))?;
    let moving_body = Body::of(moving).ok_or(RegistrationError::NoBody("scan's CT"))?;
    let region = region.unwrap_or(fixed_body.extent);
    let centre = Point3::from(std::array::from_fn(|a| 0.5 * (region[0][a] + region[1][a])));
    let pair = Pair { fixed, moving, centre };

    let rough = pair.scene(0, fixed_body.extent);
    let (start, first) = pair.start(&rough, &fixed_body, &moving_body);
    let middle = pair.scene(1, fixed_body.extent);
    let (second, _) = pair.best(&middle, first, STEPS[1]);
    let fine = pair.scene(2, region);
    let (found, information) = pair.best(&fine, second, STEPS[2]);
    let motion = pair.rigid(&found);
    let worth = fine.worth(&map(&motion));

    if worth.overlap < bounds.overlap {
        return Err(RegistrationError::Overlap { found: worth.overlap, least: bounds.overlap });
    }
    if motion.angle_degrees() > bounds.turn_degrees {
        return Err(RegistrationError::Turned {
            found: motion.angle_degrees(),
            most: bounds.turn_degrees,
        });
    }
    if let Some(how) = pair.flipped(&rough, &found) {
        return Err(RegistrationError::Flipped(how));
    }
    let peak = pair.peak(&fine, &found, information);
    if !(peak >= bounds.peak) {
        return Err(RegistrationError::NoPeak { found: peak, least: bounds.peak });
    }
    let before = fine.worth(&map(&pair.rigid(&start))).information;
    if information < before - 1e-3 {
        return Err(RegistrationError::NotBetter { found: information, start: before });
    }
    let halves = [0, 1].map(|k| {
        let (half, _) = pair.best(&fine.part(k, 2), found, STEPS[2]);
        pair.rigid(&half)
    });
    // Blur and noise of the two images pull the two ways apart: the answer is half way between.
    let back = pair.way_back(&motion, region).inverse();
    Ok(Registration {
        motion: motion.half_way_to(&back, centre),
        quality: Quality {
            information,
            information_at_start: before,
            peak,
            overlap: worth.overlap,
            repeatability_mm: halves[0].distance(&halves[1], region),
            inverse_mm: motion.distance(&back, region),
        },
    })
}

/// The patient in an image.
struct Body {
    centre: Point3<f64>,
    /// Low and high corner of the box that holds the patient, in mm.
    extent: [[f64; 3]; 2],
}

impl Body {
    fn of(image: &Image<i16>) -> Option<Self> {
        let grid = image.grid();
        let [nx, ny, _] = grid.size();
        // A stride is enough to see where a body is.
        let step = grid.spacing_mm().map(|d| (5.0 / d).round().max(1.0) as usize);
        let (mut sum, mut count) = (Vector3::zeros(), 0.0);
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for k in (0..grid.size()[2]).step_by(step[2]) {
            for j in (0..ny).step_by(step[1]) {
                for i in (0..nx).step_by(step[0]) {
                    if image.data()[i + nx * (j + ny * k)] > BODY_HU {
                        let p = grid.world([i as f64, j as f64, k as f64]);
                        sum += p.coords;
                        count += 1.0;
                        for a in 0..3 {
                            low[a] = low[a].min(p[a]);
                            high[a] = high[a].max(p[a]);
                        }
                    }
                }
            }
        }
        (count > 100.0).then(|| Self { centre: (sum / count).into(), extent: [low, high] })
    }
}

fn map(motion: &Rigid) -> Map {
    Map { linear: motion.linear(), translation: motion.translation() }
}

/// The two images, and the centre that is turned about.
struct Pair<'a> {
    fixed: &'a Image<i16>,
    moving: &'a Image<i16>,
    centre: Point3<f64>,
}

impl Pair<'_> {
    fn rigid(&self, p: &Six) -> Rigid {
        let turn = [p[0] / ARM_MM, p[1] / ARM_MM, p[2] / ARM_MM];
        Rigid::about(self.centre, turn, [p[3], p[4], p[5]])
    }

    /// Both images at a level, at points in a box of the fixed one.
    fn scene(&self, level: usize, region: [[f64; 3]; 2]) -> Scene {
        scene(self.fixed, self.moving, level, region)
    }

    fn best(&self, scene: &Scene, from: Six, [step, fine]: [f64; 2]) -> (Six, f64) {
        search::highest(&|p| scene.worth(&map(&self.rigid(p))).rated(), from, step, fine)
    }

    /// The best of several starts at the coarsest level: where the images lie, their grids' centres on
    /// each other, their bodies' centres on each other and places along the body from there. The first
    /// of the pair is the start that led there.
    fn start(&self, scene: &Scene, fixed: &Body, moving: &Body) -> (Six, Six) {
        let shift = |d: Vector3<f64>| [0.0, 0.0, 0.0, d.x, d.y, d.z];
        let middle = |g: &Grid| g.world(g.size().map(|n| 0.5 * (n - 1) as f64));
        let bodies = moving.centre - fixed.centre;
        let grids = middle(self.moving.grid()) - middle(self.fixed.grid());
        let mut starts = vec![[0.0; 6], shift(grids)];
        starts.extend(ALONG.map(|z| shift(Vector3::new(bodies.x, bodies.y, z))));
        starts.extend(ALONG.map(|z| shift(bodies + Vector3::new(0.0, 0.0, z))));
        let rate = |p: &Six| scene.worth(&map(&self.rigid(p))).rated();
        let mut rated: Vec<(f64, Six)> = starts.iter().map(|p| (rate(p), *p)).collect();
        rated.sort_by(|a, b| b.0.total_cmp(&a.0));
        let climbed = rated.iter().take(4).map(|(_, from)| {
            let (place, value) = self.best(scene, *from, STEPS[0]);
            (value, *from, place)
        });
        let best = climbed.max_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or(([0.0; 6], [0.0; 6]), |(_, from, place)| (from, place))
    }

    /// Whether it fits better when one image is turned around or mirrored, and how.
    fn flipped(&self, scene: &Scene, found: &Six) -> Option<&'static str> {
        let (upright, own) = self.best(scene, *found, STEPS[1]);
        let there = self.rigid(&upright).apply(self.centre).coords;
        let ways = [
            ("turned head to feet (about the left-right axis)", [1.0, -1.0, -1.0]),
            ("turned head to feet (about the front-back axis)", [-1.0, 1.0, -1.0]),
            ("turned face down", [-1.0, -1.0, 1.0]),
            ("with left and right exchanged", [-1.0, 1.0, 1.0]),
            ("with front and back exchanged", [1.0, -1.0, 1.0]),
            ("with head and feet exchanged", [1.0, 1.0, -1.0]),
        ];
        ways.into_iter()
            .map(|(how, signs)| {
                let flip = Matrix3::from_diagonal(&Vector3::from(signs));
                let value = |p: &Six| {
                    let m = self.rigid(p);
                    let linear = flip * m.linear();
                    let translation = flip * (m.translation() - there) + there;
                    scene.worth(&Map { linear, translation }).rated()
                };
                (how, search::highest(&value, upright, 20.0, STEPS[0][1]).1)
            })
            .filter(|(_, value)| *value - 1.0 > CLEARLY.0 * (own - 1.0) && *value > own + CLEARLY.1)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(how, _)| how)
    }

    /// Information above one at the place found over the highest 30 mm from it.
    fn peak(&self, scene: &Scene, found: &Six, information: f64) -> f64 {
        let away = (0..6).map(|n| {
            let mut p = *found;
            p[3 + n % 3] += if n < 3 { 30.0 } else { -30.0 };
            scene.worth(&map(&self.rigid(&p))).information
        });
        (information - 1.0) / (away.fold(1.0, f64::max) - 1.0).max(1e-9)
    }

    /// The motion from the moving image to the fixed one, found by itself from where the first search
    /// ended.
    fn way_back(&self, motion: &Rigid, region: [[f64; 3]; 2]) -> Rigid {
        let there = corners(motion, region);
        let centre = motion.apply(self.centre);
        let scene = scene(self.moving, self.fixed, 2, there);
        let first = motion.inverse();
        let value = |p: &Six| {
            let turn = [p[0] / ARM_MM, p[1] / ARM_MM, p[2] / ARM_MM];
            let more = Rigid::about(centre, turn, [p[3], p[4], p[5]]);
            scene.worth(&map(&more.then(&first))).rated()
        };
        let (p, _) = search::highest(&value, [0.0; 6], STEPS[2][0], STEPS[2][1]);
        let turn = [p[0] / ARM_MM, p[1] / ARM_MM, p[2] / ARM_MM];
        Rigid::about(centre, turn, [p[3], p[4], p[5]]).then(&first)
    }
}

impl information::Worth {
    /// What the search climbs: no images that hardly meet.
    fn rated(self) -> f64 {
        let short = (0.5 - self.overlap).max(0.0);
        self.information - short
    }
}

/// The box around a box that was moved.
fn corners(motion: &Rigid, [low, high]: [[f64; 3]; 2]) -> [[f64; 3]; 2] {
    let (mut l, mut h) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for n in 0..8 {
        let corner = std::array::from_fn(|a| if n >> a & 1 == 0 { low[a] } else { high[a] });
        let p = motion.apply(Point3::from(corner));
        for a in 0..3 {
            l[a] = l[a].min(p[a]);
            h[a] = h[a].max(p[a]);
        }
    }
    [l, h]
}

/// Two images at a level, at points in a box of the first.
fn scene(fixed: &Image<i16>, moving: &Image<i16>, level: usize, region: [[f64; 3]; 2]) -> Scene {
    let (spacing, count) = LEVELS[level];
    let [low, high] = region;
    let mut random = Random::new(level as u64);
    let places: Vec<Point3<f64>> = (0..count)
        .map(|_| {
            let p: [f64; 3] =
                std::array::from_fn(|a| low[a] + (high[a] - low[a]) * random.uniform());
            p.into()
        })
        .collect();
    let (a, b) = rayon::join(|| coarse(fixed, spacing, WINDOW), || coarse(moving, spacing, WINDOW));
    Scene::new(&a, &places, b)
}
