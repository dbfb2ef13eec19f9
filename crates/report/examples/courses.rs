//! Draws the timeline and the calendar of invented courses into a folder, to be looked at:
//! `cargo run -p hepatica-report --example courses -- FOLDER`.

#[path = "../src/samples.rs"]
#[allow(dead_code)]
mod samples;

use hepatica_report::texts::Texts;
use hepatica_report::{patient_calendar, timeline};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("give a folder")?);
    std::fs::create_dir_all(&folder)?;
    let texts = Texts::shipped().map(Texts::named).collect::<Result<Vec<_>, _>>()?;
    for (k, sample) in samples::all().iter().enumerate() {
        sample.look(|p, c, s, a| -> Result<(), Box<dyn std::error::Error>> {
            let file = |end: &str| folder.join(format!("{}{end}", sample.name));
            std::fs::write(file(".svg"), timeline::svg(p, c, s, a))?;
            std::fs::write(file(".png"), timeline::png(p, c, s, a)?)?;
            let t = &texts[k % texts.len()];
            std::fs::write(file(".pdf"), patient_calendar::pdf(p, c, s, a, t, 3)?)?;
            Ok(())
        })?;
    }
    Ok(())
}
