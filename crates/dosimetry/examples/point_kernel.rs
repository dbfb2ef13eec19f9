//! Makes the tables of `data/`, or prints the kernel of one energy in water.
//!
//! ```text
//! cargo run --release -p hepatica-dosimetry --example point_kernel 90Y water > crates/dosimetry/data/point_kernel_y90_water.csv
//! cargo run --release -p hepatica-dosimetry --example point_kernel 1.0 water
//! ```

use hepatica_dosimetry::transport::point_source::{SHELL_MM, decays, mono};
use hepatica_physics::Nuclide;
use hepatica_physics::material::{LIVER, WATER};
use hepatica_physics::spectrum::BetaSpectrum;

const HISTORIES: u64 = 2_000_000;
const SEED: u64 = 90;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [source, medium] = &args[..] else { return usage() };
    let material = match medium.as_str() {
        "water" => &WATER,
        "liver" => &LIVER,
        _ => return usage(),
    };
    let spectrum = Nuclide::by_name(source).and_then(|n| BetaSpectrum::of(&n));
    let (what, histories, shells) = match (spectrum, source.parse::<f64>()) {
        (Some(spectrum), _) => {
            (source.clone(), HISTORIES, decays(spectrum, material, HISTORIES, SEED))
        }
        (None, Ok(mev)) => {
            let n = HISTORIES / 4;
            (format!("electrons of {mev} MeV"), n, mono(material, mev, n, SEED))
        }
        _ => return usage(),
    };
    println!(
        "# Energy by distance from a point source of {what} in {}; distances in mm of unit density, MeV a decay.",
        material.name
    );
    println!(
        "# Made by crates/dosimetry/examples/point_kernel.rs, {histories} histories, seed {SEED}."
    );
    println!("shell_from_mm,mev");
    for (n, mev) in shells.iter().enumerate() {
        println!("{:.1},{mev:.6e}", n as f64 * SHELL_MM);
    }
}

fn usage() {
    eprintln!("say a nuclide (90Y, 166Ho) or an energy in MeV, and water or liver");
    std::process::exit(1);
}
