//! A made-up trial as tables: seeded, so that it is the same everywhere. Nobody's data are in it.

#![allow(dead_code)]

use hepatica_regimen::course::{days_between, plus};
use jiff::civil::{Date, date};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The day the data are cut.
pub const CUTOFF: Date = date(2029, 6, 30);

/// Tables by the name of their file.
pub type Tables = BTreeMap<&'static str, String>;

/// Numbers that look random: SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A fraction from 0 to below 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn up_to(&mut self, n: i64) -> i64 {
        (self.roll() * n as f64) as i64
    }
}

/// The heads of the tables.
const HEADS: [(&str, &str); 7] = [
    (
        "adsl.csv",
        "STUDYID,USUBJID,SUBJID,SITEID,AGE,TRT01P,SAFFL,DRUGFL,SESSFL,ENRLDT,C1D1DT,TRTSDT,TRTEDT,EOTSTT,EOTDT,DCTREAS,NCYCLE,C1STOPFL,NSESS,SES1DT,SES1CYC,SES1CDY,SES1GBQ,SES2DT,SES2CYC,SES2CDY,SES2GBQ,DTHDT,WITHDT,LSTALVDT,DCUTDT",
    ),
    ("adtte.csv", "USUBJID,PARAM,PARAMCD,STARTDT,ADT,AVAL,CNSR,EVNTDESC,CMPDT"),
    ("adrs.csv", "USUBJID,PARAMCD,PARCAT1,AVALC,ADT,ANL01FL"),
    ("adtr.csv", "USUBJID,PARAMCD,ADT,AVAL,BASE,PCHG,ABLFL,ANL01FL"),
    ("adae.csv", "USUBJID,AEDECOD,ATOXGRN,ATOXVER,ASTDT,AENDT,AREL,TRTEMFL,ACYCLE"),
    ("adlb.csv", "USUBJID,PARAMCD,ADT,ATOX,ATOXGRN,BTOXGRN,ATOXLON,ATOXHIN,ATOXVER,ACYCLE"),
    ("tr.csv", "USUBJID,TRLNKID,TRTESTCD,TRSTRESN,TRDTC"),
];

/// A trial of so many patients; with `arms` of two, every second patient is in the other one.
pub fn trial(patients: usize, arms: usize, seed: u64) -> Tables {
    let mut tables: Tables =
        HEADS.iter().map(|(file, head)| (*file, format!("{head}\r\n"))).collect();
    for n in 0..patients {
        patient(&mut tables, n, arms, &mut Dice::new(seed ^ (n as u64) << 20));
    }
    tables
}

/// Writes tables into a folder.
pub fn write(tables: &Tables, folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    for (file, text) in tables {
        std::fs::write(folder.join(file), text).expect("written");
    }
}

fn row(tables: &mut Tables, file: &'static str, cells: &[String]) {
    let text = tables.get_mut(file).expect("a table");
    let _ = write!(text, "{}\r\n", cells.join(","));
}

fn s(x: impl ToString) -> String {
    x.to_string()
}

fn day(x: Option<Date>) -> String {
    x.map_or(String::new(), |d| d.to_string())
}

/// What a scan says of a sum against the baseline and the smallest so far.
fn response(sum: f64, base: f64, nadir: f64) -> &'static str {
    if sum >= nadir * 1.2 && sum - nadir >= 5.0 {
        "PD"
    } else if sum <= 0.0 {
        "CR"
    } else if sum <= base * 0.7 {
        "PR"
    } else {
        "SD"
    }
}

const TERMS: [(&str, f64); 7] = [
    ("Fatigue", 0.6),
    ("Nausea", 0.5),
    ("Palmar-plantar erythrodysesthesia syndrome", 0.3),
    ("Diarrhea", 0.25),
    ("Abdominal pain", 0.35),
    ("Ascites", 0.06),
    ("Mucositis oral", 0.1),
];
const VALUES: [(&str, &str); 4] = [
    ("PLAT", "Platelet count decreased"),
    ("NEUT", "Neutrophil count decreased"),
    ("LYM", "Lymphocyte count decreased"),
    ("BILI", "Blood bilirubin increased"),
];

/// Ending of the codes, sum at baseline, and what each scan said.
type Region = (&'static str, Option<f64>, Vec<(Date, f64, &'static str)>);

fn patient(tables: &mut Tables, n: usize, arms: usize, dice: &mut Dice) {
    let label = format!("P{:03}", n + 1);
    let id = format!("MADE-UP-{label}");
    let enrolled = plus(date(2026, 11, 2), (n as i64 * 13) % 700);
    let c1d1 = plus(enrolled, 5 + dice.up_to(8));
    let other = arms > 1 && n % 2 == 1;
    let stops = dice.roll() < 0.1;
    let session = (!stops && !other).then(|| plus(c1d1, 34)).filter(|d| *d <= CUTOFF);
    let second =
        session.filter(|_| dice.roll() < 0.4).map(|d| plus(d, 28)).filter(|d| *d <= CUTOFF);
    let death =
        (dice.roll() < 0.25).then(|| plus(c1d1, 250 + dice.up_to(700))).filter(|d| *d <= CUTOFF);
    let death = death.filter(|_| !stops);
    let until = death.unwrap_or(CUTOFF);
    // Scans: sums of the liver and of what is outside it.
    let outside = dice.roll() < 0.5;
    let deep = if other { 0.15 + 0.4 * dice.roll() } else { 0.2 + 0.7 * dice.roll() };
    let grows = 0.01 + if other { 0.09 } else { 0.05 } * dice.roll();
    let (base, base_out) =
        (40.0 + (60.0 * dice.roll()).round(), 20.0 + (20.0 * dice.roll()).round());
    let size = |base: f64, deep: f64, visit: f64| {
        let left = 1.0 - deep * (1.0 - (-visit / 1.5).exp());
        (base * (left + grows * visit * visit / 4.0) * 10.0).round() / 10.0
    };
    let mut scans: Vec<(Date, f64, Option<f64>)> = Vec::new();
    for visit in 1..=12 {
        let on = plus(c1d1, 84 * visit - 3 + dice.up_to(7));
        if on > until || (stops && visit > 1) {
            break;
        }
        let out = outside.then(|| size(base_out, deep * 0.6, visit as f64 * 1.2));
        scans.push((on, size(base, deep, visit as f64), out));
    }
    let mut regions: Vec<Region> = Vec::new();
    for code in ["", "LIV", "OUT"] {
        let sum = |liver: f64, out: Option<f64>| match code {
            "LIV" => Some(liver),
            "OUT" => out,
            _ => Some(liver + out.unwrap_or(0.0)),
        };
        let base = sum(base, outside.then_some(base_out));
        let (mut nadir, mut seen) = (base.unwrap_or(0.0), Vec::new());
        for (on, liver, out) in &scans {
            let (Some(sum), Some(base)) = (sum(*liver, *out), base) else { continue };
            let sum = (sum * 10.0).round() / 10.0;
            seen.push((*on, sum, response(sum, base, nadir)));
            nadir = nadir.min(sum);
        }
        regions.push((code, base, seen));
    }
    let progression = |code: &str| {
        let r = regions.iter().find(|r| r.0 == code)?;
        r.2.iter().find(|p| p.2 == "PD").map(|p| p.0)
    };
    let [all, liver, out] = ["", "LIV", "OUT"].map(progression);
    let ended = if stops { Some(plus(c1d1, 12 + dice.up_to(10))) } else { all.or(death) };
    let reason = match (stops, all, death) {
        (true, ..) => ["ADVERSE EVENT", "WITHDRAWAL BY SUBJECT"][usize::from(dice.roll() < 0.3)],
        (_, Some(_), _) => "PROGRESSIVE DISEASE",
        (_, None, Some(_)) => "DEATH",
        _ => "",
    };
    let last = ended.unwrap_or(CUTOFF).min(until);
    let cycles = (days_between(c1d1, last) / 28 + 1).max(1);
    let alive = death.unwrap_or(CUTOFF);
    row(
        tables,
        "adsl.csv",
        &[
            s("MADE-UP"),
            id.clone(),
            label,
            s(["North", "South", "West"][(dice.roll() * 3.0) as usize]),
            s(40 + dice.up_to(40)),
            s(if other { "CAPTEM" } else { "CapTemY90" }),
            s("Y"),
            s("Y"),
            s(if session.is_some() { "Y" } else { "N" }),
            s(enrolled),
            s(c1d1),
            s(c1d1),
            s(last),
            s(if ended.is_some() { "DISCONTINUED" } else { "ONGOING" }),
            day(ended),
            s(reason),
            s(if stops { 1 } else { cycles }),
            s(if stops { "Y" } else { "N" }),
            s(i32::from(session.is_some()) + i32::from(second.is_some())),
            day(session),
            s(session.map_or("", |_| "2")),
            s(session.map_or("", |_| "7")),
            session.map_or(String::new(), |_| format!("{:.2}", 1.0 + 2.0 * dice.roll())),
            day(second),
            s(second.map_or("", |_| "3")),
            s(second.map_or("", |_| "7")),
            second.map_or(String::new(), |_| format!("{:.2}", 0.5 + dice.roll())),
            day(death),
            String::new(),
            s(alive),
            s(CUTOFF),
        ],
    );
    let last_scan = scans.last().map_or(c1d1, |x| x.0);
    for (code, name, pd, competes) in [
        ("HPFS", "Hepatic progression-free survival", liver, out),
        ("PFS", "Progression-free survival", all, None),
        ("OS", "Overall survival", None, None),
    ] {
        let (to, censored, what) = match (pd, death) {
            (Some(pd), _) => (pd, 0, "progression in the liver"),
            (None, Some(death)) => (death, 0, "death"),
            (None, None) if code == "OS" => (CUTOFF, 1, "no event"),
            (None, None) => (last_scan, 1, "no event"),
        };
        let what = if code == "PFS" { what.replace(" in the liver", "") } else { s(what) };
        let competes = competes.filter(|d| *d <= to);
        let days = days_between(c1d1, to);
        row(
            tables,
            "adtte.csv",
            &[
                id.clone(),
                s(name),
                s(code),
                s(c1d1),
                s(to),
                s(days),
                s(censored),
                what,
                day(competes),
            ],
        );
    }
    for (code, base, seen) in &regions {
        let pd = progression(code);
        let flag = |on: Date| s(if pd.is_none_or(|pd| on <= pd) { "Y" } else { "" });
        let mut best: Option<(usize, &str)> = None;
        for (on, sum, word) in seen {
            row(
                tables,
                "adrs.csv",
                &[id.clone(), format!("OVR{code}"), s("RECIST 1.1"), s(word), s(on), flag(*on)],
            );
            let rank = ["CR", "PR", "SD", "PD"].iter().position(|w| w == word).unwrap_or(9);
            if pd.is_none_or(|pd| *on <= pd) && best.is_none_or(|b| rank < b.0) {
                best = Some((rank, word));
            }
            let Some(base) = base else { continue };
            let change = format!("{:.2}", 100.0 * (sum - base) / base);
            row(
                tables,
                "adtr.csv",
                &[
                    id.clone(),
                    format!("SDIAM{code}"),
                    s(on),
                    s(sum),
                    s(base),
                    change,
                    s(""),
                    flag(*on),
                ],
            );
        }
        if let Some(base) = base {
            let on = plus(c1d1, -9);
            row(
                tables,
                "adtr.csv",
                &[
                    id.clone(),
                    format!("SDIAM{code}"),
                    s(on),
                    s(base),
                    s(base),
                    s("0"),
                    s("Y"),
                    s("Y"),
                ],
            );
        }
        let word = match (best, base) {
            (_, None) if !scans.is_empty() => "ND",
            (Some((_, word)), _) => word,
            _ => "MISSING",
        };
        row(
            tables,
            "adrs.csv",
            &[id.clone(), format!("BOR{code}"), s("RECIST 1.1"), s(word), s(""), s("Y")],
        );
    }
    for (term, chance) in TERMS {
        if dice.roll() > chance {
            continue;
        }
        let from = plus(c1d1, 3 + dice.up_to(160));
        let grade = [1, 1, 2, 2, 2, 3, 1, 2, 3, 1][dice.up_to(10) as usize];
        if from > until || (stops && from > plus(c1d1, 40)) {
            continue;
        }
        let to = plus(from, 5 + dice.up_to(20)).min(until);
        let cycle = days_between(c1d1, from) / 28 + 1;
        let related = if dice.roll() < 0.8 { "RELATED" } else { "NOT RELATED" };
        row(
            tables,
            "adae.csv",
            &[id.clone(), s(term), s(grade), s(5), s(from), s(to), s(related), s("Y"), s(cycle)],
        );
    }
    for cycle in 1..=cycles.min(6) {
        let on = plus(c1d1, 28 * (cycle - 1) + 2);
        if on > until || on > CUTOFF {
            break;
        }
        for (code, term) in VALUES {
            let low = if session.is_some_and(|x| on > x) { 0.25 } else { 0.12 };
            let roll = dice.roll();
            let grade = if roll < low / 10.0 {
                4
            } else if roll < low / 4.0 {
                3
            } else {
                i64::from(roll < low)
            };
            // Without the site's limits some grades cannot be told.
            let told = dice.roll() > 0.02;
            let cell = |n: i64| s(n);
            let (known, from, to) = if told {
                (cell(grade), cell(grade), cell(grade))
            } else {
                (s(""), cell(0), cell(1))
            };
            row(
                tables,
                "adlb.csv",
                &[id.clone(), s(code), s(on), s(term), known, s(0), from, to, s(5), s(cycle)],
            );
        }
    }
    for (k, share) in [(1, 0.6), (2, 0.4)] {
        let lesion = format!("T-L{k}");
        let cells = |mm: f64, on: Date| {
            [id.clone(), lesion.clone(), s("LDIAM"), format!("{:.1}", mm * share), s(on)]
        };
        row(tables, "tr.csv", &cells(base, plus(c1d1, -9)));
        for (on, liver, _) in &scans {
            row(tables, "tr.csv", &cells(*liver, *on));
        }
    }
}

/// Plans of the patients of a trial, as far as an analysis looks at them.
pub fn plans(patients: usize, seed: u64) -> Vec<(String, String)> {
    let mut dice = Dice::new(seed);
    let plan = |n: usize| {
        let dose = |dice: &mut Dice| 60.0 + 200.0 * dice.roll();
        let lesion = |name: &str, gy: f64| {
            format!(
                r#"{{"name":"{name}","role":"tumour","dose_gy":{{"mean":{gy:.1},"mean_interval":[{:.1},{:.1}]}}}}"#,
                gy * 0.7,
                gy * 1.4
            )
        };
        let (a, b) = (dose(&mut dice), dose(&mut dice));
        let label = format!("P{:03}", n + 1);
        let text = format!(
            r#"{{"schema":"hepatica-plan/1","patient":{{"id":"{label}"}},"sessions":[{{"compartments":[{},{}]}}]}}"#,
            lesion("L1", a),
            lesion("L2", b)
        );
        (format!("{label}.json"), text)
    };
    (0..patients).map(plan).collect()
}
