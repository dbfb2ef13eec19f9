//! Makes the tables of `data/`, or prints the kernel of one energy in water.
//!
//! ```text
//! cargo run --release -p hepatica-dosimetry --example point_kernel water > crates/dosimetry/data/point_kernel_y90_water.csv
//! cargo run --release -p hepatica-dosimetry --example point_kernel liver > crates/dosimetry/data/point_kernel_y90_liver.csv
//! cargo run --release -p hepatica-dosimetry --example point_kernel 1.0
//! ```

use hepatica_dosimetry::transport::point_source::{SHELL_MM, mono, y90};
use hepatica_physics::material::{LIVER, WATER};

const HISTORIES: u64 = 2_000_000;
const SEED: u64 = 90;

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let (source, material, shells) = match (what.as_str(), what.parse::<f64>()) {
        ("water", _) => ("90Y".to_owned(), WATER, y90(&WATER, HISTORIES, SEED)),
        ("liver", _) => ("90Y".to_owned(), LIVER, y90(&LIVER, HISTORIES, SEED)),
        (_, Ok(mev)) => {
            (format!("electrons of {mev} MeV"), WATER, mono(&WATER, mev, HISTORIES / 4, SEED))
        }
        _ => {
            eprintln!("say `water`, `liver` or an energy in MeV");
            std::process::exit(1);
        }
    };
    println!(
        "# Energy by distance from a point source of {source} in {}, distances in mm of unit density, MeV an electron.",
        material.name
    );
    println!(
        "# Made by crates/dosimetry/examples/point_kernel.rs, {HISTORIES} histories, seed {SEED}."
    );
    println!("shell_from_mm,mev");
    for (n, mev) in shells.iter().enumerate() {
        println!("{:.1},{mev:.6e}", n as f64 * SHELL_MM);
    }
}
