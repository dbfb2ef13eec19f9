//! Makes `data/point_kernel_y90_water.csv`, or prints the kernel of one energy.
//!
//! ```text
//! cargo run --release -p hepatica-dosimetry --example point_kernel > crates/dosimetry/data/point_kernel_y90_water.csv
//! cargo run --release -p hepatica-dosimetry --example point_kernel -- 1.0
//! ```

use hepatica_dosimetry::transport::{SHELL_MM, mono_in_water, y90_in_water};

const HISTORIES: u64 = 2_000_000;
const SEED: u64 = 90;

fn main() {
    let energy: Option<f64> = std::env::args().nth(1).and_then(|a| a.parse().ok());
    let shells = match energy {
        Some(mev) => mono_in_water(mev, HISTORIES / 4, SEED),
        None => y90_in_water(HISTORIES, SEED),
    };
    let source = energy.map_or("90Y".to_owned(), |e| format!("electrons of {e} MeV"));
    println!(
        "# Energy by distance from a point source of {source} in water of 1 g/cm3, MeV a beta."
    );
    println!(
        "# Made by crates/dosimetry/examples/point_kernel.rs, {HISTORIES} histories, seed {SEED}."
    );
    println!("shell_from_mm,mev");
    for (n, mev) in shells.iter().enumerate() {
        println!("{:.1},{mev:.6e}", n as f64 * SHELL_MM);
    }
}
