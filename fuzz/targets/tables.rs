//! Any text as the tables of a trial (a line `== adsl` begins a table), read, monitored and analysed on
//! a shipped protocol; and as records that REDCap exported.
#![no_main]

use hepatica_analysis::{Said, analyze, load, monitor};
use hepatica_exchange::redcap::{self, Import};
use hepatica_regimen::protocol::Source;
use jiff::Timestamp;
use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PROTOCOL: LazyLock<Source> = LazyLock::new(|| Source::named("captemy90").expect("shipped"));

const TABLES: [&str; 7] = ["adsl", "adtte", "adrs", "adtr", "adae", "adlb", "tr"];

fuzz_target!(|text: &str| {
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().expect("an instant");
    let import = Import { file: "records.csv", source: &PROTOCOL, now, by: "nurse" };
    let _ = redcap::read(text.as_bytes(), &import);
    let parts: Vec<(&str, &str)> = text
        .split("== ")
        .filter_map(|part| part.split_once('\n'))
        .filter(|(name, _)| TABLES.contains(&name.trim()))
        .map(|(name, table)| (name.trim(), table))
        .collect();
    hepatica_fuzz::with_folder(|folder| {
        for (name, table) in &parts {
            std::fs::write(folder.join(name).with_extension("csv"), table).expect("written");
        }
        let said = Said::default();
        let Ok(trial) = load(folder, said, date(2029, 6, 30), now, &|_, _| ()) else { return };
        let _ = monitor(&trial, &PROTOCOL.protocol, &Default::default());
        let _ = analyze(&trial, &PROTOCOL.protocol, None, &Default::default());
    });
});
