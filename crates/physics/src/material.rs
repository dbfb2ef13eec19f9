//! What tissue is made of, and what density a CT number stands for.

use crate::quantity::Density;
use std::borrow::Cow;

/// Avogadro's number, 1/mol. CODATA 2018, exact.
pub(crate) const AVOGADRO: f64 = 6.022_140_76e23;

/// An element: charge, standard atomic weight in g/mol (IUPAC 2021, abridged), and its subshells as
/// electrons and ionisation energy in eV (free atoms, Carlson 1975; they shape the density effect
/// and are scaled to the mean excitation energy of the whole).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Element {
    pub z: u8,
    pub weight: f64,
    pub shells: &'static [(f64, f64)],
}

/// The elements tissue is made of.
const ELEMENTS: [Element; 12] = [
    Element { z: 1, weight: 1.008, shells: &[(1.0, 13.6)] },
    Element { z: 6, weight: 12.011, shells: &[(2.0, 288.0), (2.0, 16.6), (2.0, 11.3)] },
    Element { z: 7, weight: 14.007, shells: &[(2.0, 403.0), (2.0, 20.3), (3.0, 14.5)] },
    Element { z: 8, weight: 15.999, shells: &[(2.0, 538.0), (2.0, 28.5), (4.0, 13.6)] },
    Element {
        z: 11,
        weight: 22.990,
        shells: &[(2.0, 1075.0), (2.0, 66.0), (6.0, 34.0), (1.0, 5.1)],
    },
    Element {
        z: 12,
        weight: 24.305,
        shells: &[(2.0, 1308.0), (2.0, 92.0), (6.0, 54.0), (2.0, 7.6)],
    },
    Element {
        z: 15,
        weight: 30.974,
        shells: &[(2.0, 2148.0), (2.0, 191.0), (6.0, 135.0), (2.0, 20.0), (3.0, 10.5)],
    },
    Element {
        z: 16,
        weight: 32.06,
        shells: &[(2.0, 2476.0), (2.0, 232.0), (6.0, 170.0), (2.0, 20.2), (4.0, 10.4)],
    },
    Element {
        z: 17,
        weight: 35.45,
        shells: &[(2.0, 2829.0), (2.0, 277.0), (6.0, 208.0), (2.0, 24.5), (5.0, 13.0)],
    },
    Element {
        z: 19,
        weight: 39.098,
        shells: &[(2.0, 3610.0), (2.0, 381.0), (6.0, 299.0), (2.0, 37.0), (6.0, 18.7), (1.0, 4.3)],
    },
    Element {
        z: 20,
        weight: 40.078,
        shells: &[(2.0, 4041.0), (2.0, 441.0), (6.0, 353.0), (2.0, 46.0), (6.0, 28.0), (2.0, 6.1)],
    },
    Element {
        z: 26,
        weight: 55.845,
        shells: &[
            (2.0, 7117.0),
            (2.0, 851.0),
            (6.0, 715.0),
            (2.0, 98.0),
            (6.0, 61.0),
            (6.0, 9.0),
            (2.0, 7.9),
        ],
    },
];

/// The element of a charge; what is not in the table is a mistake of a constant in this file.
fn element(z: u8) -> &'static Element {
    ELEMENTS.iter().find(|e| e.z == z).expect("an element of the table")
}

/// A tissue as electrons see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Material {
    /// Name, as printed.
    pub name: Cow<'static, str>,
    /// Density its density effect is made for, g/cm³.
    pub density: f64,
    /// Mean excitation energy, eV.
    pub i_ev: f64,
    /// Charge of each element, and its share of the mass.
    pub composition: Cow<'static, [(u8, f64)]>,
}

const fn material(
    name: &'static str,
    density: f64,
    i_ev: f64,
    composition: &'static [(u8, f64)],
) -> Material {
    Material { name: Cow::Borrowed(name), density, i_ev, composition: Cow::Borrowed(composition) }
}

/// Liquid water; I of ICRU 37.
pub static WATER: Material = material("water", 1.0, 75.0, &[(1, 0.111_898), (8, 0.888_102)]);

/// Soft tissue of four components (ICRU 33), density as voxel S values are published for.
pub static SOFT_TISSUE: Material = material(
    "soft tissue (ICRU, four components)",
    1.04,
    74.852,
    &[(1, 0.101_172), (6, 0.111), (7, 0.026), (8, 0.761_828)],
);

/// Soft tissue of the MIRD phantoms (Cristy and Eckerman 1987).
pub static MIRD_SOFT_TISSUE: Material = material(
    "soft tissue (MIRD phantoms)",
    1.04,
    72.3,
    &[
        (1, 0.104_54),
        (6, 0.226_63),
        (7, 0.024_90),
        (8, 0.635_25),
        (11, 0.001_12),
        (12, 0.000_13),
        (15, 0.001_34),
        (16, 0.002_04),
        (17, 0.001_33),
        (19, 0.002_08),
        (20, 0.000_24),
    ],
);

/// Liver (ICRU 46).
pub static LIVER: Material = material(
    "liver (ICRU 46)",
    1.06,
    74.82,
    &[
        (1, 0.102),
        (6, 0.139),
        (7, 0.030),
        (8, 0.716),
        (11, 0.002),
        (15, 0.003),
        (16, 0.003),
        (17, 0.002),
        (19, 0.003),
    ],
);

/// Inflated lung (ICRU 46).
pub static LUNG: Material = material(
    "lung, inflated (ICRU 46)",
    0.26,
    75.17,
    &[
        (1, 0.103),
        (6, 0.105),
        (7, 0.031),
        (8, 0.749),
        (11, 0.002),
        (15, 0.002),
        (16, 0.003),
        (17, 0.003),
        (19, 0.002),
    ],
);

/// Cortical bone of an adult (ICRU 46); I of NIST's table.
pub static CORTICAL_BONE: Material = material(
    "cortical bone (ICRU 46)",
    1.92,
    112.0,
    &[
        (1, 0.034),
        (6, 0.155),
        (7, 0.042),
        (8, 0.435),
        (11, 0.001),
        (12, 0.002),
        (15, 0.103),
        (16, 0.003),
        (20, 0.225),
    ],
);

/// Cortical bone of ICRP 23, density 1.85 g/cm³ as voxel S values are published for.
pub static CORTICAL_BONE_ICRP: Material = material(
    "cortical bone (ICRP 23)",
    1.85,
    106.414,
    &[
        (1, 0.047_234),
        (6, 0.144_330),
        (7, 0.041_990),
        (8, 0.446_096),
        (12, 0.002_2),
        (15, 0.104_97),
        (16, 0.003_15),
        (20, 0.209_93),
    ],
);

impl Material {
    /// Elements, and atoms of each per gram.
    pub(crate) fn atoms(&self) -> impl Iterator<Item = (&'static Element, f64)> + '_ {
        self.composition.iter().map(|&(z, share)| {
            let e = element(z);
            (e, share * AVOGADRO / e.weight)
        })
    }

    /// Charge over atomic weight, mol/g.
    #[must_use]
    pub fn z_over_a(&self) -> f64 {
        self.atoms().map(|(e, per_gram)| f64::from(e.z) * per_gram / AVOGADRO).sum()
    }

    /// Electrons per gram.
    #[must_use]
    pub fn electrons_per_gram(&self) -> f64 {
        self.z_over_a() * AVOGADRO
    }

    /// Strength of radiation loss: sum of `share Z (Z + 1) / A`.
    pub(crate) fn radiation_strength(&self) -> f64 {
        self.atoms()
            .map(|(e, per_gram)| {
                let z = f64::from(e.z);
                z * (z + 1.0) * per_gram / AVOGADRO
            })
            .sum()
    }

    /// Two materials side by side in a volume, `share` of it the other; the mean excitation energy
    /// by Bragg's rule.
    #[must_use]
    pub fn mixed_with(&self, other: &Self, share: f64) -> Self {
        let masses = [self.density * (1.0 - share), other.density * share];
        let density = masses[0] + masses[1];
        let of = |n: usize| masses[n] / density;
        let mut composition: Vec<(u8, f64)> = Vec::new();
        for (n, m) in [self, other].into_iter().enumerate() {
            for &(z, w) in m.composition.iter() {
                match composition.iter_mut().find(|c| c.0 == z) {
                    Some(c) => c.1 += w * of(n),
                    None => composition.push((z, w * of(n))),
                }
            }
        }
        composition.sort_unstable_by_key(|c| c.0);
        let electrons = [of(0) * self.z_over_a(), of(1) * other.z_over_a()];
        let ln_i = (electrons[0] * self.i_ev.ln() + electrons[1] * other.i_ev.ln())
            / (electrons[0] + electrons[1]);
        Self {
            name: format!("{:.0} % {} in {}", 100.0 * share, other.name, self.name).into(),
            density,
            i_ev: ln_i.exp(),
            composition: composition.into(),
        }
    }
}

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

    #[test]
    fn shells_hold_every_electron() {
        for e in ELEMENTS {
            let sum: f64 = e.shells.iter().map(|s| s.0).sum();
            assert_eq!(sum, f64::from(e.z), "Z {}", e.z);
        }
    }

    #[test]
    fn charge_over_weight_as_published() {
        // Facts page 5.1, from the compositions of ICRU and ICRP.
        for (m, expected) in [
            (&WATER, 0.55509),
            (&SOFT_TISSUE, 0.54975),
            (&LIVER, 0.54997),
            (&LUNG, 0.55048),
            (&CORTICAL_BONE_ICRP, 0.52130),
        ] {
            let whole: f64 = m.composition.iter().map(|c| c.1).sum();
            assert!((whole - 1.0).abs() < 2e-3, "{}: {whole}", m.name);
            assert!((m.z_over_a() / expected - 1.0).abs() < 1e-3, "{}: {}", m.name, m.z_over_a());
        }
    }

    #[test]
    fn a_mixture_has_the_masses_of_its_parts() {
        let half = LIVER.mixed_with(&CORTICAL_BONE, 0.5);
        assert!((half.density - 1.49).abs() < 1e-12);
        assert!((half.composition.iter().map(|c| c.1).sum::<f64>() - 1.0).abs() < 1e-3);
        assert!(half.i_ev > LIVER.i_ev && half.i_ev < CORTICAL_BONE.i_ev);
        assert_eq!(LIVER.mixed_with(&CORTICAL_BONE, 0.0).density, LIVER.density);
    }
}
