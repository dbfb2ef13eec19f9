//! The workbench alone, for working on its pages: compiles without the rest of the program.
//!
//!     cargo run -p hepatica-workbench --example serve -- DATA [ADDRESS:PORT] [small]

use hepatica_phantom::Options;
use hepatica_workbench::{Access, Config, serve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let data = args.next().ok_or("which data folder?")?.into();
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned()).parse()?;
    let small = args.next().is_some();
    let phantom = if small { Options::small() } else { Options::default() };
    let who = "developer".to_owned();
    let access = Access::default();
    let config = Config { listen, data, database: None, who, examples: true, phantom, access };
    Ok(serve(config, |address| println!("workbench http://{address}"))?)
}
