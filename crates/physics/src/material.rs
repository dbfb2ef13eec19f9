//! What a CT number stands for.

use crate::quantity::Density;

/// Nodes of CT number (HU) and density (g/cm³), linear in between (Schneider 2000, as GATE carries
/// it; the step between 100 and 101 HU, from soft tissue to bone, is intended).
const NODES: [(f64, f64); 9] = [
    (-1000.0, 1.21e-3),
    (-98.0, 0.93),
    (-97.0, 0.930_486),
    (14.0, 1.03),
    (23.0, 1.031),
    (100.0, 1.1199),
    (101.0, 1.0762),
    (1600.0, 1.9642),
    (3000.0, 2.8),
];

/// Mass density of the tissue of a CT number in HU; below -1000 and above 3000 HU that of the end.
/// Contrast medium raises the CT number of liver, and so its density here, by some percent.
#[must_use]
pub fn density_from_hu(hu: f64) -> Density {
    let hu = hu.clamp(NODES[0].0, NODES[NODES.len() - 1].0);
    let above = NODES.partition_point(|n| n.0 < hu).max(1);
    let ((h0, d0), (h1, d1)) = (NODES[above - 1], NODES[above]);
    Density::from_g_per_ml(d0 + (d1 - d0) * (hu - h0) / (h1 - h0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn air_water_and_beyond() {
        assert!((density_from_hu(-1000.0).g_per_ml() - 1.21e-3).abs() < 1e-9);
        assert_eq!(density_from_hu(-2000.0), density_from_hu(-1000.0));
        assert_eq!(density_from_hu(1e9), density_from_hu(3000.0));
        assert!((density_from_hu(0.0).g_per_ml() - 1.01745).abs() < 1e-4);
    }
}
