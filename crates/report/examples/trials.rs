//! Draws every figure of a trial with invented data into a folder, to be looked at:
//! `cargo run -p hepatica-report --example trials -- FOLDER`.

use hepatica_report::trial::{Axis, Bar, Bars, Entry, Forest, bars, forest};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("give a folder")?);
    std::fs::create_dir_all(&folder)?;
    let response = |label: &str, value, interval, class| Bar {
        label: label.to_owned(),
        value,
        interval: Some(interval),
        class,
    };
    let entry = |label: &str, detail: &str, estimate, interval| Entry {
        label: label.to_owned(),
        detail: detail.to_owned(),
        estimate,
        interval,
    };
    let figures = [
        bars(&Bars {
            name: "bars".to_owned(),
            title: "Response in the liver, simulated".to_owned(),
            y: Axis::new("Patients (%)").from_to(0.0, 1.0).in_percent(),
            bars: vec![
                response("CAPTEM", 0.45, [0.39, 0.52], 0),
                response("radioembolization", 0.48, [0.38, 0.57], 1),
                response("both", 0.76, [0.68, 0.81], 2),
            ],
            ..Bars::default()
        }),
        forest(&Forest {
            name: "forest".to_owned(),
            title: "Hazard ratios, simulated".to_owned(),
            x_label: "Hazard ratio (logarithmic)".to_owned(),
            logarithmic: true,
            reference: Some(1.0),
            entries: vec![
                entry("Both against CAPTEM", "", None, None),
                entry("Hepatic PFS", "38 events", Some(0.61), Some([0.42, 0.89])),
                entry("PFS", "44 events", Some(0.72), Some([0.51, 1.02])),
                entry("OS", "9 events", Some(0.9), Some([0.01, 80.0])),
            ],
            ..Forest::default()
        }),
    ];
    for f in figures {
        std::fs::write(folder.join(format!("{}.svg", f.name)), &f.svg)?;
        std::fs::write(folder.join(format!("{}.png", f.name)), f.png()?)?;
    }
    Ok(())
}
