//! Any text as a file of the simulated trial: population, targets, posterior, scenario, dose-volume
//! curves; and the compiled job of a scenario that was accepted.
#![no_main]

use hepatica_biology::population::Population;
use hepatica_trial::draws::{Parameters, Posterior};
use hepatica_trial::lesion_dose;
use hepatica_trial::sweep::Scenario;
use hepatica_trial::targets::Targets;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SHIPPED: LazyLock<Population> =
    LazyLock::new(|| Population::parse(Population::shipped_text(), "shipped").expect("shipped"));

fuzz_target!(|text: &str| {
    let _ = Population::parse(text, "population.toml");
    let _ = Targets::parse(text, "targets.toml");
    if let Ok(posterior) = Posterior::parse(text, "posterior.csv", &SHIPPED) {
        // What was read is written as it was understood.
        let again =
            Posterior::parse(&posterior.to_text(), "again.csv", &SHIPPED).expect("as written");
        assert_eq!(again.to_text(), posterior.to_text());
        let _ = Parameters::Posterior(posterior).draw(&SHIPPED, 1, 0);
    }
    if let Ok(scenario) = Scenario::parse(text) {
        let _ = scenario.job();
    }
    if let Ok(doses) = lesion_dose::parse(text, "dvh.csv") {
        assert!(!doses.is_empty());
    }
});
