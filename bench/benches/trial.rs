//! Virtual patients a second, of each arm, with and without blood counts.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hepatica_biology::population::Population;
use hepatica_physics::Nuclide;
use hepatica_regimen::Protocol;
use hepatica_trial::{Model, Program, ward};
use std::hint::black_box;

/// Patients of a sample.
const PATIENTS: u64 = 4096;

fn patients(c: &mut Criterion) {
    let population = Population::named("net-liver").expect("shipped");
    let mut group = c.benchmark_group("virtual patients");
    group.throughput(Throughput::Elements(PATIENTS)).sample_size(10);
    for (name, variant) in [
        ("captem", None),
        ("tare", None),
        ("captemy90", Some("pilot-2018")),
        ("captemy90", Some("g3-2024")),
    ] {
        let protocol = Protocol::named(name).expect("shipped");
        let program = Program::compile(&protocol, variant).expect("a program");
        for with_marrow in [true, false] {
            let setting = population.setting("captemy90").expect("shipped").clone();
            let mut model = Model::new(population.middle(), setting, &Nuclide::Y90);
            model.with_marrow = with_marrow;
            let run = ward::Run { model: &model, program: &program, seed: 7, horizon: 1825 };
            let label = format!(
                "{name} {} {}",
                variant.unwrap_or(""),
                if with_marrow { "with marrow" } else { "without" }
            );
            group.bench_function(label, |b| b.iter(|| black_box(ward::run(&run, 0..PATIENTS))));
        }
    }
    group.finish();
}

criterion_group!(benches, patients);
criterion_main!(benches);
