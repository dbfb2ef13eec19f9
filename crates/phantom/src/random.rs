//! Random numbers by counter: each voxel's own, whatever the order of work.

use hepatica_physics::random::Random;

/// Random numbers of one voxel of one stream.
pub fn of_voxel(seed: u64, stream: u64, index: u64) -> Random {
    let mut r = Random::new(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    let mut r = Random::new(r.bits() ^ index);
    Random::new(r.bits())
}
