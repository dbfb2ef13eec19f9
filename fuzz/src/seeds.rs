//! Small whole files of every kind, to begin from: `seeds CORPUS` fills a folder for each target.

#[path = "../../crates/imaging/tests/small_files/mod.rs"]
mod small_files;

#[path = "../../crates/analysis/tests/made/mod.rs"]
mod made;

use hepatica_regimen::event::Pinned;
use hepatica_regimen::protocol::Source;
use hepatica_regimen::{Event, Fact, Log};
use small_files::encoder::{Picture, encode};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = PathBuf::from(std::env::args().nth(1).ok_or("usage: seeds CORPUS")?);
    for target in ["dicom", "jpegls", "nifti", "contours", "text", "course", "trial", "tables"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    let files = corpus.join("dicom");
    small_files::write(&files)?;
    for name in ["one.nii", "two.nii.gz"] {
        fs::rename(files.join(name), corpus.join("nifti").join(name))?;
    }
    streams(&corpus.join("jpegls"))?;
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["protocols", "devices", "gates", "sites"] {
        for entry in fs::read_dir(home.join(folder))? {
            let path = entry?.path();
            let name = path.file_name().ok_or("a name")?;
            fs::copy(&path, corpus.join("text").join(name))?;
        }
    }
    fs::write(corpus.join("text/case.toml"), CASE)?;
    for entry in fs::read_dir(home.join("populations"))? {
        let path = entry?.path();
        let name = path.file_name().ok_or("a name")?;
        fs::copy(&path, corpus.join("trial").join(name))?;
    }
    fs::write(corpus.join("trial/dvh.csv"), DVH)?;
    fs::write(corpus.join("tables/all.csv"), tables(6, 2))?;
    fs::write(corpus.join("tables/one-arm.csv"), tables(3, 1))?;
    fs::write(corpus.join("tables/records.csv"), RECORDS)?;
    courses(&corpus.join("course"))?;
    Ok(())
}

/// The tables of a made-up trial in one text.
fn tables(patients: usize, arms: usize) -> String {
    let tables = made::trial(patients, arms, 7);
    let one =
        |(name, table): (&&str, &String)| format!("== {}\n{table}", name.trim_end_matches(".csv"));
    tables.iter().map(one).collect()
}

/// JPEG-LS of every kind.
fn streams(folder: &Path) -> Result<(), Box<dyn Error>> {
    for (n, bits) in [2, 8, 8, 8, 12, 16].into_iter().enumerate() {
        for (components, interleaving) in [(1, 0), (3, 0), (3, 1), (3, 2)] {
            let count = 17 * 9 * components;
            let stream = encode(&Picture {
                columns: 17,
                rows: 9,
                bits,
                components,
                // Slopes, runs and jumps.
                samples: (0..count)
                    .map(|k| (k / 7 * k / 50 * (n + 1) % (1 << bits)) as u16)
                    .collect(),
                near: if n % 3 == 1 { 2 } else { 0 },
                interleaving,
                preset: (n == 3).then_some([0, 4, 9, 30, 20]),
                restart: if n % 2 == 1 { 4 } else { 0 },
            });
            fs::write(folder.join(format!("{n}-{components}-{interleaving}.jls")), stream)?;
        }
    }
    Ok(())
}

/// A course as it is kept, and its events alone.
fn courses(folder: &Path) -> Result<(), Box<dyn Error>> {
    let source = Source::named("mfolfox6")?;
    // The text of a protocol is long, and nothing reads it in a fold.
    let protocol = Pinned { text: String::new(), ..Pinned::from(&source) };
    let event = |on: &str, fact: Fact| -> Result<Event, Box<dyn Error>> {
        let (on, recorded) = (on.parse()?, "2027-02-01T09:00:00Z".parse()?);
        let (patient, by) = ("P001".to_owned(), "nurse".to_owned());
        Ok(Event { patient, on, at: None, recorded, by, why: None, fact })
    };
    let begin =
        Fact::Begin { protocol, variant: Some("g3-2024".to_owned()), c1d1: "2026-12-02".parse()? };
    let mut log = Log::begin(&folder.join("P001.course"), event("2026-12-02", begin)?)?;
    for (on, fact) in FACTS {
        log.append(event(on, serde_json::from_str(fact)?)?)?;
    }
    let of = log.entries().nth(1).map(|(id, _)| id.clone()).ok_or("an event")?;
    log.append(event("2026-12-03", Fact::Correction { of, fact: None })?)?;
    log.write()?;
    let lines = log.events().iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    for n in 1..lines.len() {
        fs::write(folder.join(format!("{n}.jsonl")), [&lines[0], "\n", &lines[n]].concat())?;
    }
    fs::write(folder.join("all.jsonl"), lines.join("\n"))?;
    Ok(())
}

const FACTS: [(&str, &str); 14] = [
    ("2026-12-02", r#"{"kind":"labs","values":{"height":170.0,"weight":70.0,"sex":0.0}}"#),
    ("2026-12-02", r#"{"kind":"enrolment","birth":"1960-02-29","values":{"consent":1.0}}"#),
    ("2026-12-02", r#"{"kind":"normal","uln":{"alt":35.0}}"#),
    ("2026-12-02", r#"{"kind":"doses","drug":"capecitabine","taken":true,"until":"2026-12-15"}"#),
    ("2026-12-05", r#"{"kind":"toxicity","term":"diarrhoea","grade":3,"ctcae":5}"#),
    ("2026-12-08", r#"{"kind":"toxicity","term":"diarrhoea","grade":0,"ctcae":5}"#),
    (
        "2026-12-16",
        r#"{"kind":"simulation","device":"resin","measures":{"lung_shunt_percent":{"value":5.0,"interval":[4.0,6.0]}},"limits":{"lung_session_gy":{"value":30.0,"source":"s"}}}"#,
    ),
    ("2026-12-30", r#"{"kind":"labs","values":{"platelets":92.0,"anc":1.8,"bilirubin":0.9}}"#),
    ("2027-01-05", r#"{"kind":"session","procedure":"session-1","activity_gbq":1.5}"#),
    (
        "2027-01-06",
        r#"{"kind":"scan","reading":{"lesions":[{"id":"L1","site":"liver","diameter_mm":50.0}]}}"#,
    ),
    ("2027-01-07", r#"{"kind":"hold"}"#),
    ("2027-01-09", r#"{"kind":"resume"}"#),
    ("2027-01-10", r#"{"kind":"override","gate":"next-cycle","criterion":"platelets"}"#),
    ("2027-01-20", r#"{"kind":"death"}"#),
];

const DVH: &str = "session,compartment,role,dose_gy,volume_fraction
1,T1,tumour,0,1
1,T1,tumour,100,0.9
1,T1,tumour,200,0.1
all,T1,tumour,0,1
all,T1,tumour,250,0.5
1,Liver,whole_normal_liver,0,1
";

const RECORDS: &str = "record_id,redcap_repeat_instrument,redcap_repeat_instance,on,platelets
P001,,,2026-12-02,
P001,labs,1,2026-12-30,92
";

const CASE: &str = r#"schema = 1
[protocol]
name = "captemy90"
c1d1 = "2026-12-02"
[site]
time_zone = "America/New_York"
treatment_time = "13:00"
[device]
name = "glass"
[patient]
height_cm = 170
weight_kg = 70
[images]
ct = "CT"
spect = "NM"
structures = ["RTSTRUCT/rtstruct.dcm"]
[structures]
liver = "Liver"
tumours = ["T1"]
[[territory]]
id = "right"
structure = "Right lobe"
session = 1
[[session]]
id = 1
device = "glass"
[extrahepatic]
status = "none"
"#;
