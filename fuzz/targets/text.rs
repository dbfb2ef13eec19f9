//! Any text as a file that a person writes: case, treatment record, device, gate, site, protocol; and what
//! follows from one that was accepted.
#![no_main]

use hepatica_physics::{Activity, Dose, TimeSpan};
use hepatica_planning::case::Case;
use hepatica_planning::device::Device;
use hepatica_planning::order::{self, Need};
use hepatica_planning::verification::Given;
use hepatica_regimen::gate::GateFile;
use hepatica_regimen::protocol::diff::diff;
use hepatica_regimen::site::Site;
use hepatica_regimen::{Calendar, Protocol};
use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let _ = Case::parse(text, Path::new("case.toml"));
    let _ = GateFile::parse(text, "gate.toml");
    if let Ok(given) =
        Given::parse(text, Path::new("treatment.toml"), "UTC", TimeSpan::from_h(64.05))
    {
        let _ = given.delivered();
    }
    if let Ok(site) = Site::parse(text, "site.toml") {
        let _ = site.treatment(date(2026, 12, 2));
        let _ = site.working_days_before(date(2026, 12, 2), 5);
    }
    if let Ok(device) = Device::parse(text, "device.toml") {
        let treatment =
            date(2026, 12, 2).at(12, 0, 0, 0).in_tz("Europe/Zurich").expect("an instant");
        let need = Need {
            prescribed: Activity::from_gbq(2.0),
            ceiling: Some((Activity::from_gbq(2.1), "limit")),
            treatment: &treatment,
            perfused_per_gbq: Dose::from_gy(50.0),
            lungs_per_gbq: Dose::from_gy(3.0),
        };
        let _ = order::order(&device, &need);
        let _ = device.sphere_activity(TimeSpan::from_h(24.0));
    }
    if let Ok(protocol) = Protocol::parse(text, "protocol.toml") {
        for finding in protocol.findings() {
            assert!(!finding.to_string().is_empty());
        }
        assert!(diff(&protocol, &protocol).is_empty());
        let calendar = Calendar::new(&protocol, date(2026, 12, 2));
        for cycle in [1, 2, u32::MAX] {
            for drug in &protocol.drug {
                let _ = calendar.drug(drug, cycle);
            }
        }
        for window in protocol.procedure.iter().flat_map(|p| &p.window) {
            let _ = calendar.window(*window);
        }
    }
});
