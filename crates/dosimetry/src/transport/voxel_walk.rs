//! Electrons through voxels of many materials, in long steps.
//!
//! A step is a budget of transport mean free paths and its hinge a random share of the budget
//! (Sempau, Wilderman and Bielajew 2000, Phys Med Biol 45:2263): both pieces are spent voxel by
//! voxel in the material that is there, so that no boundary needs a stop of its own. Energy is left
//! along the way.

use super::direction::{deflect, isotropic, turn, turn_at};
use super::interaction::{Interactions, sample_transfer};
use hepatica_physics::random::Random;
use hepatica_physics::scattering::moller_cosine;

/// How far a step goes, and where an electron ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stepping {
    /// Largest budget of a step in first transport mean free paths.
    pub transport: f32,
    /// Largest soft loss of a step over the energy.
    pub loss: f32,
    /// Electrons below this leave what they have where they are, MeV.
    pub stop_mev: f32,
}

/// Tissue of one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tissue {
    /// Density in g/cm³.
    pub density: f32,
    /// Place of its material in the list of [`Walk::materials`].
    pub material: u32,
}

/// What is walked through: voxels, and the materials they are of.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    /// Voxels along each axis.
    pub size: [usize; 3],
    /// Their spacing in cm.
    pub spacing_cm: [f32; 3],
    /// Tissue of every voxel, x fastest; one entry alone stands for all voxels.
    pub tissue: &'a [Tissue],
    /// Interactions of every material.
    pub materials: &'a [Interactions],
    /// Length of steps.
    pub stepping: Stepping,
}

/// Where energy goes.
pub trait Score {
    /// `mev` is left in a voxel.
    fn deposit(&mut self, voxel: usize, mev: f32);
    /// `mev` leaves as radiation.
    fn radiate(&mut self, mev: f32);
    /// `mev` leaves the grid.
    fn escape(&mut self, mev: f32);
}

/// An electron that waits: energy in MeV, voxel, place in cm from the grid's corner, direction.
#[derive(Debug, Clone, Copy)]
pub struct Electron {
    t: f32,
    voxel: [usize; 3],
    at: [f32; 3],
    along: [f32; 3],
}

/// What a step draws depends on its number alone, so that histories through two media stay alike as
/// long as the media let them.
const STEP: u64 = 0x9E6D_62D0_6F6A_9A9B;
const GENERATION: u64 = 0xD6E8_FEB8_6659_FD93;

impl Walk<'_> {
    /// Follows an electron of `t_mev` that starts at a random place of a voxel in a random
    /// direction, and all it sets free. `key` names the history; `waiting` is working memory.
    pub fn history(
        &self,
        voxel: [usize; 3],
        t_mev: f32,
        key: u64,
        waiting: &mut Vec<Electron>,
        score: &mut impl Score,
    ) {
        let mut random = Random::new(key);
        let at = std::array::from_fn(|a| {
            (voxel[a] as f64 + random.uniform()) as f32 * self.spacing_cm[a]
        });
        waiting.clear();
        waiting.push(Electron { t: t_mev, voxel, at, along: isotropic(&mut random) });
        let mut own = key;
        while let Some(electron) = waiting.pop() {
            own = own.wrapping_add(GENERATION);
            self.follow(electron, own, waiting, score);
        }
    }

    fn tissue(&self, voxel: usize) -> Tissue {
        if self.tissue.len() == 1 { self.tissue[0] } else { self.tissue[voxel] }
    }

    /// Distance in cm to the next plane of voxels along each axis.
    fn planes(&self, voxel: [usize; 3], at: [f32; 3], along: [f32; 3]) -> [f32; 3] {
        std::array::from_fn(|a| {
            let next = voxel[a] + usize::from(along[a] > 0.0);
            let distance = (next as f32 * self.spacing_cm[a] - at[a]) / along[a];
            // A direction within a plane never meets the next; rounding never goes back.
            if distance > 0.0 {
                distance
            } else if along[a] == 0.0 {
                f32::INFINITY
            } else {
                0.0
            }
        })
    }

    fn follow(
        &self,
        electron: Electron,
        key: u64,
        waiting: &mut Vec<Electron>,
        score: &mut impl Score,
    ) {
        let Electron { mut t, mut voxel, mut at, mut along } = electron;
        let stop = self.stepping.stop_mev;
        let [nx, ny, _] = self.size;
        let mut place = voxel[0] + nx * (voxel[1] + ny * voxel[2]);
        let mut tissue = self.tissue(place);
        let mut planes = self.planes(voxel, at, along);
        let mut hard_left = -Random::new(key).uniform().ln() as f32;
        let mut step = key;
        loop {
            step = step.wrapping_add(STEP);
            let mut random = Random::new(step);
            let row = self.materials[tissue.material as usize].at(t);
            let budget = self.stepping.transport.min(row.first * self.stepping.loss * t / row.soft);
            let mean = budget / row.first;
            let factor =
                Interactions::straggled(&row, mean, random.uniform() as f32) / (row.soft * mean);
            let hinge = random.uniform() as f32;
            for piece in [budget * hinge, budget * (1.0 - hinge)] {
                let mut left = piece;
                loop {
                    let material = &self.materials[tissue.material as usize];
                    let axis = nearest(planes);
                    let to_plane = planes[axis] * tissue.density;
                    // The energy at the middle decides: the loss is right to second order.
                    let row = material.at(t);
                    let length = (left / row.first).min(to_plane).min(hard_left / row.hard);
                    let loss = row.soft * factor + row.radiation;
                    let row = material.at((t - 0.5 * length * loss).max(0.5 * stop));
                    let (to_hinge, to_hard) = (left / row.first, hard_left / row.hard);
                    let length = to_plane.min(to_hinge).min(to_hard);
                    let given = row.soft * factor * length;
                    let radiated = row.radiation * length;
                    if given + radiated + stop >= t {
                        return score.deposit(place, t);
                    }
                    score.deposit(place, given);
                    score.radiate(radiated);
                    t -= given + radiated;
                    let cm = if length < to_plane { length / tissue.density } else { planes[axis] };
                    for a in 0..3 {
                        at[a] += cm * along[a];
                        planes[a] -= cm;
                    }
                    left -= length * row.first;
                    hard_left -= length * row.hard;
                    if length == to_plane {
                        let next = if along[axis] > 0.0 {
                            voxel[axis] + 1
                        } else {
                            voxel[axis].wrapping_sub(1)
                        };
                        if next >= self.size[axis] {
                            return score.escape(t);
                        }
                        voxel[axis] = next;
                        planes[axis] = self.spacing_cm[axis] / along[axis].abs();
                        place = voxel[0] + nx * (voxel[1] + ny * voxel[2]);
                        tissue = self.tissue(place);
                    } else if length == to_hinge {
                        break;
                    } else {
                        hard_left = -random.uniform().ln() as f32;
                        let energy = f64::from(t);
                        let cut = f64::from(material.cut);
                        if energy > 2.0 * cut {
                            let w = sample_transfer(energy, cut, &mut random);
                            let (kept, (s, c)) =
                                turn(along, moller_cosine(energy, w) as f32, &mut random);
                            let freed =
                                turn_at(along, moller_cosine(energy, energy - w) as f32, -s, -c);
                            waiting.push(Electron { t: w as f32, voxel, at, along: freed });
                            along = kept;
                            t -= w as f32;
                            planes = self.planes(voxel, at, along);
                        }
                    }
                }
                if piece == budget * hinge {
                    let row = self.materials[tissue.material as usize].at(t);
                    let second = budget * row.second_over_first;
                    along = deflect(along, budget, second, &mut random);
                    planes = self.planes(voxel, at, along);
                }
            }
        }
    }
}

fn nearest([x, y, z]: [f32; 3]) -> usize {
    if x < y {
        if x < z { 0 } else { 2 }
    } else if y < z {
        1
    } else {
        2
    }
}
