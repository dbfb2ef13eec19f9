//! Transport of electrons.
//!
//! | module | holds |
//! |---|---|
//! | [`interaction`] | what an electron loses and how it scatters in a material, by energy |
//! | [`direction`] | turning a direction, and the angle of a step |
//! | [`point_source`] | electrons from a point in a uniform medium, in fine steps: what point kernels are made with |
//! | [`voxel_walk`] | electrons through voxels of many materials, in long steps: the Monte Carlo engine's |
//!
//! Electrons slow down continuously by collisions that transfer less than a cut, with straggling,
//! and deflect at a random point of each step (random hinge) by an angle whose first two moments
//! are those of Goudsmit and Saunderson. Transfers above the cut are sampled one by one (Møller);
//! the electrons they set free are followed, too. Energy lost to bremsstrahlung (0.4 % of the whole)
//! leaves.

pub mod direction;
pub mod interaction;
pub mod point_source;
pub mod voxel_walk;
