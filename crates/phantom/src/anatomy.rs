//! The patient: ellipsoids, cylinders and planes. LPS millimetres, z from the pelvis (0) to the
//! apices of the lungs (400); the patient's right is at negative x.

use nalgebra::Point3;

/// The box the patient is in, low and high corner.
pub const BOX_MM: [[f64; 3]; 2] = [[-190.0, -135.0, 0.0], [190.0, 135.0, 400.0]];

/// A tissue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Organ {
    /// Outside the patient.
    Air,
    /// Under the skin.
    Fat,
    /// What is not something else.
    Muscle,
    /// Vertebrae.
    Spine,
    /// Ribs.
    Rib,
    /// Right lung.
    LungRight,
    /// Left lung.
    LungLeft,
    /// Heart.
    Heart,
    /// Aorta.
    Aorta,
    /// Liver, tumours included.
    Liver,
    /// Spleen.
    Spleen,
    /// Right kidney.
    KidneyRight,
    /// Left kidney.
    KidneyLeft,
}

/// What is at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The organ.
    pub organ: Organ,
    /// In the liver: the Couinaud segment, 1 to 8; else 0.
    pub segment: u8,
    /// In a tumour: its number in [`TUMOURS`].
    pub tumour: Option<u8>,
    /// In the cold core of that tumour.
    pub necrosis: bool,
}

/// A tumour: a ball.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tumour {
    /// Its name.
    pub name: &'static str,
    /// Its centre.
    pub centre: [f64; 3],
    /// Its radius.
    pub radius_mm: f64,
    /// Radius of a core that takes up nothing; zero for none.
    pub necrosis_mm: f64,
    /// Concentration over that of the normal liver of its lobe.
    pub to_normal: f64,
}

/// The tumours: four in the right lobe, two in the left.
pub const TUMOURS: [Tumour; 6] = [
    tumour("T1", [-95.0, 2.0, 150.0], 26.0, 0.0, 6.0),
    tumour("T2", [-62.0, -34.0, 182.0], 16.0, 0.0, 5.0),
    tumour("T3", [-88.0, 38.0, 190.0], 20.0, 10.0, 4.0),
    tumour("T4", [-58.0, 20.0, 128.0], 12.0, 0.0, 7.0),
    tumour("T5", [22.0, -48.0, 178.0], 17.0, 0.0, 5.0),
    tumour("T6", [48.0, -40.0, 172.0], 11.0, 0.0, 6.0),
];

const fn tumour(
    name: &'static str,
    centre: [f64; 3],
    radius_mm: f64,
    necrosis_mm: f64,
    to_normal: f64,
) -> Tumour {
    Tumour { name, centre, radius_mm, necrosis_mm, to_normal }
}

/// Square of the distance from a centre in units of semi-axes: below one is inside.
fn ellipsoid(p: [f64; 3], centre: [f64; 3], axes: [f64; 3]) -> f64 {
    (0..3).map(|a| ((p[a] - centre[a]) / axes[a]).powi(2)).sum()
}

fn in_ball(p: [f64; 3], centre: [f64; 3], radius: f64) -> bool {
    ellipsoid(p, centre, [radius; 3]) < 1.0
}

/// Square of the distance from the axis of the torso, in units of its semi-axes.
fn torso(p: [f64; 3], inset_mm: f64) -> f64 {
    // Wider at the ribs than at the waist.
    let taper = 1.0 - 0.06 * ((p[2] - 230.0) / 200.0).powi(2);
    (p[0] / (172.0 * taper - inset_mm)).powi(2) + (p[1] / (118.0 * taper - inset_mm)).powi(2)
}

/// The liver, as if tumours were liver: two lobes, hollowed by kidney, heart and spine.
fn in_liver(p: [f64; 3]) -> bool {
    let right = ellipsoid(p, [-70.0, -2.0, 160.0], [68.0, 76.0, 72.0]);
    let left = ellipsoid(p, [8.0, -42.0, 175.0], [74.0, 34.0, 38.0]);
    // A soft union: the two melt into one another instead of meeting in an edge.
    let melt = (-4.0 * right).exp() + (-4.0 * left).exp();
    let inside = melt > (-4.0_f64).exp() && torso(p, 22.0) < 1.0;
    inside
        && !in_heart(p)
        && !in_kidney(p, 3.0)
        && ellipsoid(p, [0.0, 62.0, p[2]], [42.0, 42.0, 1.0]) > 1.0
}

fn in_heart(p: [f64; 3]) -> bool {
    ellipsoid(p, [28.0, -42.0, 262.0], [52.0, 44.0, 52.0]) < 1.0
}

fn in_kidney(p: [f64; 3], margin: f64) -> bool {
    let axes = [27.0 + margin, 25.0 + margin, 50.0 + margin];
    [-62.0, 62.0].iter().any(|x| ellipsoid(p, [*x, 62.0, 82.0], axes) < 1.0)
}

/// The plane between the lobes (Cantlie's): negative on the right.
fn lobe(p: [f64; 3]) -> f64 {
    p[0] + 0.45 * p[1] + 36.0
}

/// Whether a point of the liver is in the right lobe.
#[must_use]
pub fn is_right_lobe(segment: u8) -> bool {
    (5..=8).contains(&segment)
}

/// Couinaud's segment of a point in the liver.
fn segment(p: [f64; 3]) -> u8 {
    let upper = p[2] > 165.0;
    if lobe(p) < 0.0 {
        // The right hepatic vein parts front from back.
        let front = p[1] - 0.3 * (p[0] + 70.0) < 2.0;
        return match (front, upper) {
            (true, false) => 5,
            (false, false) => 6,
            (false, true) => 7,
            (true, true) => 8,
        };
    }
    if p[1] > -8.0 && p[0] < 25.0 {
        return 1;
    }
    match (p[0] < 8.0, p[2] > 176.0) {
        (true, _) => 4,
        (false, true) => 2,
        (false, false) => 3,
    }
}

/// What is at a point.
#[must_use]
pub fn at(point: Point3<f64>) -> Place {
    let p = [point.x, point.y, point.z];
    let plain = |organ| Place { organ, segment: 0, tumour: None, necrosis: false };
    if torso(p, 0.0) >= 1.0 {
        return plain(Organ::Air);
    }
    if torso(p, 12.0) >= 1.0 {
        return plain(Organ::Fat);
    }
    let wall = torso(p, 20.0) >= 1.0;
    if wall {
        // Ribs slant down from back to front.
        let along = (p[2] - 0.35 * p[1]).rem_euclid(30.0);
        let rib = p[2] > 110.0 && along < 11.0 && torso(p, 13.5) < 1.0;
        return plain(if rib { Organ::Rib } else { Organ::Muscle });
    }
    if in_liver(p) {
        let tumour = TUMOURS.iter().position(|t| in_ball(p, t.centre, t.radius_mm));
        let necrosis = tumour.is_some_and(|n| {
            let t = &TUMOURS[n];
            t.necrosis_mm > 0.0 && in_ball(p, t.centre, t.necrosis_mm)
        });
        let tumour = tumour.map(|n| n as u8);
        return Place { organ: Organ::Liver, segment: segment(p), tumour, necrosis };
    }
    if in_kidney(p, 0.0) {
        return plain(if p[0] < 0.0 { Organ::KidneyRight } else { Organ::KidneyLeft });
    }
    if ellipsoid(p, [0.0, 74.0, p[2]], [21.0, 21.0, 1.0]) < 1.0 {
        return plain(Organ::Spine);
    }
    if in_heart(p) {
        return plain(Organ::Heart);
    }
    if ellipsoid(p, [14.0, 42.0, p[2]], [11.0, 11.0, 1.0]) < 1.0 {
        return plain(Organ::Aorta);
    }
    if ellipsoid(p, [104.0, 32.0, 185.0], [30.0, 44.0, 52.0]) < 1.0 {
        return plain(Organ::Spleen);
    }
    if ellipsoid(p, [-78.0, 12.0, 288.0], [66.0, 86.0, 108.0]) < 1.0 && p[2] > 196.0 {
        return plain(Organ::LungRight);
    }
    if ellipsoid(p, [80.0, 14.0, 288.0], [62.0, 84.0, 108.0]) < 1.0 && p[2] > 190.0 {
        return plain(Organ::LungLeft);
    }
    plain(Organ::Muscle)
}

/// CT number in HU of a place, portal venous phase.
#[must_use]
pub fn hu(place: Place) -> f64 {
    match place.organ {
        Organ::Air => -1000.0,
        Organ::Fat => -100.0,
        Organ::Muscle => 55.0,
        Organ::Spine => 260.0,
        Organ::Rib => 420.0,
        Organ::LungRight | Organ::LungLeft => -740.0,
        Organ::Heart => 125.0,
        Organ::Aorta => 150.0,
        Organ::Liver if place.necrosis => 22.0,
        Organ::Liver if place.tumour.is_some() => 78.0,
        Organ::Liver => 112.0,
        Organ::Spleen => 122.0,
        Organ::KidneyRight | Organ::KidneyLeft => 175.0,
    }
}

/// CT number in HU of a place without contrast medium.
#[must_use]
pub fn hu_without_contrast(place: Place) -> f64 {
    match place.organ {
        Organ::Air => -1000.0,
        Organ::Fat => -105.0,
        Organ::Muscle => 48.0,
        Organ::Spine => 210.0,
        Organ::Rib => 380.0,
        Organ::LungRight | Organ::LungLeft => -780.0,
        Organ::Heart | Organ::Aorta => 40.0,
        Organ::Liver if place.necrosis => 18.0,
        Organ::Liver if place.tumour.is_some() => 44.0,
        Organ::Liver => 58.0,
        Organ::Spleen => 47.0,
        Organ::KidneyRight | Organ::KidneyLeft => 32.0,
    }
}

/// Linear attenuation coefficient per mm at 140 keV: water's times density, 0.154 cm²/g.
#[must_use]
pub fn attenuation_per_mm(place: Place) -> f64 {
    let density = match place.organ {
        Organ::Air => 0.0,
        Organ::LungRight | Organ::LungLeft => 0.26,
        Organ::Fat => 0.95,
        Organ::Spine | Organ::Rib => 1.25,
        _ => 1.05,
    };
    0.0154 * density
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;

    /// Volumes by 3 mm points: mL of what a test says.
    fn ml(test: impl Fn(Place) -> bool) -> f64 {
        let grid = Grid::axial([128, 92, 134], [3.0; 3], [-190.5, -136.5, 0.5]).expect("valid");
        let [nx, ny, nz] = grid.size();
        let count = (0..nx * ny * nz)
            .filter(|n| {
                let index = [n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64);
                test(at(grid.world(index)))
            })
            .count();
        count as f64 * grid.voxel_volume().ml()
    }

    #[test]
    fn organs_have_the_size_of_organs() {
        let liver = ml(|p| p.organ == Organ::Liver);
        assert!((1300.0..1900.0).contains(&liver), "liver {liver}");
        let lungs = ml(|p| matches!(p.organ, Organ::LungLeft | Organ::LungRight));
        assert!((2800.0..4500.0).contains(&lungs), "lungs {lungs}");
        let tumours = ml(|p| p.tumour.is_some());
        assert!((0.07..0.2).contains(&(tumours / liver)), "tumours {tumours}");
        for organ in [Organ::Spleen, Organ::KidneyLeft, Organ::KidneyRight] {
            let v = ml(|p| p.organ == organ);
            assert!((100.0..350.0).contains(&v), "{organ:?} {v}");
        }
    }

    #[test]
    fn every_segment_is_there_and_the_tumours_are_whole_and_apart() {
        for s in 1..=8 {
            let v = ml(|p| p.segment == s);
            assert!(v > 15.0, "segment {s} {v}");
        }
        for (n, t) in TUMOURS.iter().enumerate() {
            let drawn = ml(|p| p.tumour == Some(n as u8));
            let ball = 4.0 / 3.0 * std::f64::consts::PI * t.radius_mm.powi(3) * 1e-3;
            assert!((drawn / ball - 1.0).abs() < 0.08, "{} {drawn} {ball}", t.name);
            let right = lobe(t.centre) < -t.radius_mm;
            let left = lobe(t.centre) > t.radius_mm;
            assert!(right || left, "{} in one lobe", t.name);
        }
    }
}
