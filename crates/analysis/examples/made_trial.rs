//! Writes a made-up trial of so many patients and arms, and plans of its patients, to look at:
//! `cargo run -p hepatica-analysis --example made_trial -- FOLDER 30 1`.

#[path = "../tests/made/mod.rs"]
mod made;

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: made_trial FOLDER PATIENTS ARMS")?);
    let patients = args.next().map_or(Ok(30), |n| n.parse())?;
    let arms = args.next().map_or(Ok(1), |n| n.parse())?;
    made::write(&made::trial(patients, arms, 7), &folder.join("data"));
    std::fs::create_dir_all(folder.join("plans"))?;
    for (file, text) in made::plans(patients, 7) {
        std::fs::write(folder.join("plans").join(file), text)?;
    }
    Ok(())
}
