//! A made-up trial, its parts by hand, and laws: the order of rows and the names of patients do
//! not matter.

mod made;

use hepatica_analysis::analyze::{Wishes as AnalyzeWishes, analyze};
use hepatica_analysis::data::trial;
use hepatica_analysis::frame::Frame;
use hepatica_analysis::lesions::Plans;
use hepatica_analysis::monitor::{Wishes, monitor};
use hepatica_analysis::read::csv;
use hepatica_analysis::schema::SHEETS;
use hepatica_analysis::stopping::{Given, Standing};
use hepatica_analysis::{Analysis, DataError, Monitor, Said, Trial};
use hepatica_regimen::Protocol;
use made::Tables;
use proptest::prelude::*;

fn read(tables: &Tables) -> Result<Trial, DataError> {
    let mut frames: [Option<Frame>; 7] = Default::default();
    for (frame, sheet) in frames.iter_mut().zip(SHEETS) {
        let file = format!("{}.csv", sheet.name.to_lowercase());
        let text = tables.get(file.as_str());
        *frame = text.map(|t| csv(&file, sheet, t.as_bytes())).transpose()?;
    }
    trial(frames, Said::default(), "made up".to_owned())
}

fn protocol() -> Protocol {
    Protocol::named("captemy90").expect("shipped")
}

fn monitored(tables: &Tables, wishes: &Wishes) -> Monitor {
    monitor(&read(tables).expect("sound"), &protocol(), wishes).expect("answered")
}

fn analyzed(tables: &Tables) -> Analysis {
    let wishes = AnalyzeWishes::default();
    analyze(&read(tables).expect("sound"), &protocol(), None, &wishes).expect("answered")
}

/// Only the tables named, with these rows.
fn tables(all: &[(&'static str, &[&str])]) -> Tables {
    all.iter().map(|(file, rows)| (*file, rows.join("\n") + "\n")).collect()
}

const SL: &str = "USUBJID,SITEID,ENRLDT,TRTSDT,EOTSTT,DRUGFL,SESSFL,SES1DT,DTHDT,DCUTDT";

#[test]
fn three_patients_by_hand() {
    let t = tables(&[
        (
            "adsl.csv",
            &[
                SL,
                "P1,N,2027-01-04,2027-01-10,ONGOING,Y,Y,2027-02-13,,2028-01-10",
                "P2,N,2027-03-01,2027-03-05,DISCONTINUED,Y,N,,,2028-01-10",
                "P3,S,2027-03-09,2027-03-10,ONGOING,Y,N,,,2028-01-10",
            ],
        ),
        (
            "adae.csv",
            &[
                "USUBJID,AEDECOD,ATOXGRN,ATOXVER,ASTDT,AREL,ACYCLE",
                "P1,Fatigue,2,5,2027-01-12,RELATED,1",
                "P1,Fatigue,3,5,2027-02-13,RELATED,2",
                "P2,Diarrhea,3,5,2027-03-08,RELATED,1",
                "P2,Nausea,1,5,2027-03-04,,",
            ],
        ),
        (
            "adlb.csv",
            &[
                "USUBJID,PARAMCD,ADT,ATOX,ATOXGRN,BTOXGRN,ATOXLON,ATOXHIN,ATOXVER,ACYCLE",
                "P3,PLAT,2027-03-30,Platelet count decreased,4,0,4,4,5,1",
                "P3,NEUT,2027-03-30,Neutrophil count decreased,,0,2,4,5,1",
                "P2,PLAT,2027-03-20,Platelet count decreased,1,1,1,1,5,1",
            ],
        ),
    ]);
    let m = monitored(&t, &Wishes::default());
    let months: Vec<_> = m.accrual.months.iter().map(|x| x.enrolled).collect();
    assert_eq!(months, [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(m.accrual.centres[0].enrolled, 2);
    // P3 may still have a session: of P1 and P2 it is decided.
    let both = m.feasibility.both.expect("told");
    assert_eq!((both.count, both.of, m.feasibility.undecided.len()), (1, 2, 1));
    let window = |n: usize| {
        let t = &m.toxicity.windows[n].table;
        (t.patients, t.any.count, t.grade_3_or_more.count)
    };
    // Fatigue got worse on the day of the session; nausea began before treatment; platelets of
    // P2 were no worse than at baseline.
    assert_eq!(window(0), (3, 3, 2));
    assert_eq!(window(2), (1, 1, 1));
    assert_eq!(m.toxicity.all.grade_3_or_more.count, 3);
    let severe = m.toxicity.all.terms.iter().find(|t| t.term.starts_with("Neutro")).expect("there");
    assert_eq!(severe.worst_grade, [0, 1, 0, 0, 0]);
    // Three events in three patients stop the trial: posterior of Beta(3.3, 0.7) above 0.3.
    assert_eq!(m.stopping.standing, Standing::Crossed, "{}", m.stopping.sentence);
    assert_eq!((m.stopping.evaluable, m.stopping.events.count), (3, 3));
    assert_eq!(m.stopping.path, [[1, 1], [2, 2], [3, 3]]);
}

#[test]
fn what_cannot_be_told_may_cross_the_boundary() {
    let t = tables(&[
        (
            "adsl.csv",
            &[
                "USUBJID,ENRLDT,TRTSDT,DTHDT,DCUTDT",
                "P1,2027-01-04,2027-01-10,2027-01-30,2028-01-10",
                "P2,2027-03-01,2027-03-05,2027-03-30,2028-01-10",
                "P3,2027-03-09,2027-03-10,2027-04-01,2028-01-10",
            ],
        ),
        ("adae.csv", &["USUBJID,AEDECOD,ATOXGRN,ATOXVER,ASTDT"]),
    ]);
    let m = monitored(&t, &Wishes::default());
    assert_eq!(m.stopping.standing, Standing::PerhapsCrossed);
    assert!(!m.goes_on());
}

#[test]
fn the_boundary_is_the_published_one() {
    // Vectors of the statistics: prior (1, 1), limit 0.3, certainty 0.95, from 5 on.
    let given = Given {
        limit: Some(0.3),
        prior: Some((1.0, 1.0)),
        certainty: Some(0.95),
        first: Some(5),
        ..Given::default()
    };
    let wishes = Wishes { stopping: given, ..Wishes::default() };
    let m = monitored(&made::trial(20, 1, 3), &wishes);
    let stop: Vec<_> = m.stopping.boundary.iter().map(|l| l.stop_at.unwrap_or(0)).collect();
    assert_eq!(stop[..10], [4, 4, 5, 5, 5, 6, 6, 7, 7, 8]);
    assert_eq!(m.stopping.boundary[0].evaluable, 5);
}

#[test]
fn response_has_exact_intervals_and_everybody_in_the_denominator() {
    let mut rows = vec!["USUBJID,PARAMCD,AVALC,ADT".to_owned()];
    let mut subjects = vec!["USUBJID,ENRLDT,TRTSDT".to_owned()];
    for n in 0..21 {
        subjects.push(format!("P{n:02},2027-01-0{},2027-01-10", 1 + n % 9));
        // 14 of 19 with disease in the liver respond; one has none there, one was never scanned.
        let best = match n {
            0..=13 => "PR",
            14..=17 => "SD",
            18 => "MISSING",
            _ => "ND",
        };
        rows.push(format!("P{n:02},BORLIV,{best},"));
    }
    let all: Tables = [("adsl.csv", subjects), ("adrs.csv", rows)]
        .into_iter()
        .map(|(file, rows)| (file, rows.join("\n")))
        .collect();
    let a = analyzed(&all);
    let liver = &a.arms[0].response[0];
    assert_eq!((liver.patients, liver.no_disease, liver.not_scanned), (19, 2, 1));
    assert_eq!((liver.response.count, liver.response.of), (14, 19));
    let [low, high] = liver.response.interval.expect("there");
    // R: binom.test(14, 19).
    assert!((low - 0.487_972).abs() < 1e-5 && (high - 0.908_534).abs() < 1e-5, "{low} {high}");
    assert_eq!(liver.response_of_evaluable.of, 18);
}

#[test]
fn times_are_those_of_kaplan_and_meier() {
    let mut rows = vec!["USUBJID,PARAMCD,AVAL,CNSR".to_owned()];
    let mut subjects = vec!["USUBJID,ENRLDT,TRTSDT,DTHDT".to_owned()];
    // Freireich 1963, in days: 6-mercaptopurine.
    let days = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35];
    let event = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
    for (n, (d, e)) in days.iter().zip(event).enumerate() {
        subjects.push(format!("P{n:02},2027-01-01,2027-01-10,"));
        rows.push(format!("P{n:02},PFS,{d},{}", 1 - e));
    }
    let all: Tables = [("adsl.csv", subjects), ("adtte.csv", rows)]
        .into_iter()
        .map(|(file, rows)| (file, rows.join("\n")))
        .collect();
    let a = analyzed(&all);
    let pfs = &a.endpoints[0].arms[0];
    assert_eq!((pfs.n, pfs.events, pfs.median_days.estimate), (21, 9, Some(23.0)));
    let at_10 = pfs.curve.iter().find(|p| p.days == 10.0).expect("a step");
    assert!((at_10.fraction - 0.7529).abs() < 5e-5 && at_10.at_risk == 15);
    assert_eq!(a.competing, None);
}

#[test]
fn a_death_that_competes_is_no_progression_elsewhere() {
    let t = tables(&[
        (
            "adsl.csv",
            &[
                "USUBJID,ENRLDT,TRTSDT,DTHDT",
                "P1,2027-01-01,2027-01-01,2027-03-01",
                "P2,2027-01-01,2027-01-01,",
                "P3,2027-01-01,2027-01-01,",
            ],
        ),
        (
            "adtte.csv",
            &[
                "USUBJID,PARAMCD,STARTDT,ADT,AVAL,CNSR,EVNTDESC,CMPDT,CMPDESC",
                "P1,HPFS,2027-01-01,2027-03-01,59,2,death,2027-03-01,death",
                "P2,HPFS,2027-01-01,2027-03-26,84,1,no event,2027-02-01,progression outside the liver",
                "P3,HPFS,2027-01-01,2027-03-26,84,0,progression in the liver,2027-03-26,progression outside the liver",
            ],
        ),
    ]);
    let a = analyzed(&t);
    let causes = &a.competing.as_ref().expect("told")[0].causes;
    assert_eq!(causes.iter().map(|c| c.events).collect::<Vec<_>>(), [1, 1, 1]);
    // Without a status nobody is undecided for want of it.
    assert!(a.arms[0].feasibility.undecided.is_empty());
}

#[test]
fn nobody_nothing_and_one_are_answered() {
    let one = tables(&[("adsl.csv", &["USUBJID,ENRLDT,TRTSDT", "P1,2027-01-04,"])]);
    let m = monitored(&one, &Wishes::default());
    assert_eq!((m.stopping.evaluable, m.stopping.standing), (0, Standing::NoLookYet));
    let a = analyzed(&one);
    assert_eq!((a.endpoints.len(), a.patients.len()), (0, 1));
    let censored = tables(&[
        (
            "adsl.csv",
            &[
                "USUBJID,TRT01P,ENRLDT,TRTSDT",
                "P1,A,2027-01-04,2027-01-04",
                "P2,B,2027-01-04,2027-01-04",
            ],
        ),
        ("adtte.csv", &["USUBJID,PARAMCD,AVAL,CNSR,EVNTDESC", "P1,HPFS,0,1,", "P2,HPFS,100,1,"]),
    ]);
    let a = analyzed(&censored);
    let e = &a.endpoints[0];
    assert_eq!(e.arms[1].median_days.estimate, None);
    let note = e.comparison.as_ref().and_then(|c| c.note.clone()).unwrap_or_default();
    assert!(note.contains("no log-rank test") && note.contains("no hazard ratio"), "{note}");
    assert_eq!(e.arms[0].curve.last().map(|p| p.fraction), Some(1.0));
    for (patients, arms) in [(1, 1), (2, 2), (3, 1)] {
        let made = made::trial(patients, arms, 5);
        monitored(&made, &Wishes::default());
        analyzed(&made);
    }
}

#[test]
fn two_arms_are_held_against_each_other() {
    let a = analyzed(&made::trial(60, 2, 11));
    let hepatic = a.endpoints.iter().find(|e| e.code == "HPFS").expect("there");
    let c = hepatic.comparison.as_ref().expect("two arms");
    assert_eq!(c.arms, ["CAPTEM", "CapTemY90"]);
    let hr = c.hazard_ratio.expect("told");
    assert!(hr.lower < hr.estimate && hr.estimate < hr.upper && c.p.is_some_and(|p| p < 1.0));
    assert_eq!(a.arms.len(), 2);
    assert_eq!(a.competing.as_ref().map(Vec::len), Some(2));
    assert_eq!(a.between_scans.as_ref().map(Vec::len), Some(2));
}

#[test]
fn causes_and_pieces_add_up() {
    let a = analyzed(&made::trial(40, 1, 2));
    let c = &a.competing.as_ref().expect("told")[0];
    let last: f64 = c.causes.iter().filter_map(|x| x.curve.last()).map(|p| p.fraction).sum();
    assert!(last <= 1.0 + 1e-9, "{last}");
    let b = &a.between_scans.as_ref().expect("told")[0];
    let whole: f64 = b.pieces.iter().map(|p| p.probability).sum();
    assert!((whole - 1.0).abs() < 1e-6, "{whole}");
    let events = a.endpoints[0].arms[0].events;
    assert_eq!(b.between_scans + b.deaths, events);
    // Progression happened before the scan that shows it.
    let usual = a.endpoints[0].arms[0].median_days.estimate.expect("reached");
    assert!(b.median_days.expect("reached")[0] <= usual);
}

#[test]
fn plans_are_matched_by_patient_and_lesion() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in made::plans(9, 1) {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let plans = Plans::read(folder.path()).expect("read");
    let trial = read(&made::trial(8, 1, 2)).expect("sound");
    let a =
        analyze(&trial, &protocol(), Some(&plans), &AnalyzeWishes::default()).expect("answered");
    let d = a.dose_response.expect("plans were given");
    assert!(d.lesions.len() >= 10 && d.patients <= 8);
    assert!(d.unmatched.iter().any(|u| u.contains("P009")), "{:?}", d.unmatched);
    assert_eq!(d.halves.iter().map(|h| h.responded.of).sum::<u64>(), d.lesions.len() as u64);
}

/// One sentence for each way in which data can be wrong.
#[test]
fn bad_data_are_one_sentence() {
    let good = || made::trial(6, 1, 4);
    let sl = |rows: &[&str]| tables(&[("adsl.csv", rows)]);
    let with = |file: &'static str, rows: &[&str]| {
        let mut t = tables(&[(
            "adsl.csv",
            &[
                "USUBJID,ENRLDT,TRTSDT,DTHDT,DCUTDT",
                "P1,2027-01-04,2027-01-10,2027-06-01,2027-12-31",
                "P2,2027-01-04,2027-01-10,,2027-12-31",
            ],
        )]);
        t.insert(file, rows.join("\n"));
        t
    };
    let tte = "USUBJID,PARAMCD,STARTDT,ADT,AVAL,CNSR,EVNTDESC";
    let ae = "USUBJID,AEDECOD,ATOXGRN,ATOXVER,ASTDT";
    let cases: Vec<(Tables, &str)> = vec![
        (
            sl(&["USUBJID,ENRLDT", "P1,2027-01-01"]),
            "adsl.csv: no column TRTSDT (first day of treatment; empty for who was not treated); it is needed (docs/trial-data.md)",
        ),
        (
            sl(&["USUBJID,ENRLDT,TRTSTD", "P1,2027-01-01,"]),
            "adsl.csv: unknown column TRTSTD; did you mean TRTSDT? Rename it, or take it out",
        ),
        (
            sl(&["USUBJID,ENRLDT,TRTSDT", "P1,2027-01-01,", "P1,2027-01-02,"]),
            "adsl.csv, row 3, USUBJID: subject P1 is there twice (also in row 2); keep one of them",
        ),
        (
            sl(&["USUBJID,ENRLDT,TRTSDT", "P1,2027-01-05,2027-01-04"]),
            "adsl.csv, row 2, TRTSDT: P1: 2027-01-04 is before enrolment on 2027-01-05; correct one of the two days",
        ),
        (
            sl(&["USUBJID,ENRLDT,TRTSDT"]),
            "adsl.csv: cannot be read as a trial (it has no row; expected one for each patient)",
        ),
        (
            sl(&["USUBJID,ENRLDT,TRTSDT", "P1,2027-01-05"]),
            "adsl.csv, row 2: 2 cells, but 3 columns; quote cells that hold commas, and end no row early",
        ),
        (
            sl(&["USUBJID;ENRLDT;TRTSDT", "P1;2027-01-05;"]),
            "adsl.csv: cannot be read as CSV (its columns are separated by semicolons, expected commas; save it as comma-separated)",
        ),
        (
            sl(&["USUBJID,ENRLDT,TRTSDT", ",2027-01-05,"]),
            "adsl.csv, row 2, USUBJID: empty, expected who",
        ),
        (
            with("adtte.csv", &[tte, "P9,OS,2027-01-10,2027-06-01,142,0,death"]),
            "adtte.csv, row 2, USUBJID: subject P9 is not in adsl.csv; add its row there, or take this one out",
        ),
        (
            with("adtte.csv", &[tte, "P1,OS,2027-01-10,2027-06-01,-3,0,death"]),
            "adtte.csv, row 2, AVAL = -3, expected days from 0 on; check STARTDT and ADT",
        ),
        (
            with("adtte.csv", &[tte, "P1,OS,2027-01-10,2027-06-01,100,0,death"]),
            "adtte.csv, row 2, AVAL: 100, but from 2027-01-10 to 2027-06-01 are 142 days; count all rows alike, in days",
        ),
        (
            with(
                "adtte.csv",
                &[
                    tte,
                    "P1,OS,2027-01-10,2027-06-01,143,0,death",
                    "P2,OS,2027-01-10,2027-06-01,142,1,",
                ],
            ),
            "adtte.csv, row 3, AVAL: 142, but from 2027-01-10 to 2027-06-01 are 142 days, and row 2 counts otherwise; count all rows alike, in days",
        ),
        (
            with("adtte.csv", &[tte, "P1,OS,2027-01-01,2027-06-01,151,0,death"]),
            "adtte.csv, row 2, STARTDT: P1: 2027-01-01 is before enrolment on 2027-01-04; correct STARTDT, or ENRLDT in ADSL",
        ),
        (
            with("adtte.csv", &[tte, "P2,OS,2027-01-10,2027-06-01,142,0,death"]),
            "adtte.csv, row 2, CNSR: P2: a death, but ADSL has none (DTHDT); fill in DTHDT, or correct CNSR",
        ),
        (
            with("adtte.csv", &[tte, "P1,OS,2027-01-10,2027-06-01,142,1,"]),
            "adtte.csv, row 2, CNSR: P1: censored, but ADSL has a death (DTHDT); correct CNSR, or take DTHDT out",
        ),
        (
            with("adtte.csv", &[tte, "P2,PFS,2027-01-10,2027-06-01,142,0,something"]),
            "adtte.csv, row 2, EVNTDESC = something, expected words with either `death` or `progression`: the two are told apart by it",
        ),
        (
            with(
                "adtte.csv",
                &[
                    tte,
                    "P2,PFS,2027-01-10,2027-06-01,142,0,progression",
                    "P2,PFS,2027-01-10,2027-06-01,142,0,progression",
                ],
            ),
            "adtte.csv, row 3, PARAMCD: PFS of P2 is there twice (also in row 2); keep one of them",
        ),
        (
            with("adtte.csv", &[tte, "P2,PFS,2027-01-10,2028-06-01,508,0,progression"]),
            "adtte.csv, row 2, ADT = 2028-06-01, expected a day until the data cut, 2027-12-31 (DCUTDT of ADSL); correct it, or move the cut with --on",
        ),
        (
            with("adtte.csv", &[tte, "P2,PFS,2027-01-10,2027-06-01,NaN,0,progression"]),
            "adtte.csv, row 2, AVAL = `NaN`, expected a whole number, or nothing where it is not known",
        ),
        (
            with("adae.csv", &[ae, "P1,Fatigue,6,5,2027-02-01"]),
            "adae.csv, row 2, ATOXGRN = 6, expected a grade from 1 to 5",
        ),
        (
            with("adae.csv", &[ae, "P1,Fatigue,2,,2027-02-01"]),
            "adae.csv, row 2, ATOXVER: grades without a version of CTCAE; fill in ATOXVER (5 or 6), or say it with --ctcae",
        ),
        (
            with("adae.csv", &[ae, "P1,Fatigue,2,4,2027-02-01"]),
            "adae.csv, row 2, ATOXVER = 4, expected version 5 or 6 of CTCAE; grade by one of them, versions differ",
        ),
        (
            with("adae.csv", &[ae, "P1,Fatigue,2,5,2027-02-01", "P2,Fatigue,2,6,2027-02-01"]),
            "adae.csv, row 3, ATOXVER: CTCAE v6, but CTCAE v5 in rows before; the versions grade the same value differently: grade all by one of them",
        ),
        (
            with("adae.csv", &[ae, "P1,Fatigue,2,5,2027-07-01"]),
            "adae.csv, row 2, ASTDT: P1: a toxicity on 2027-07-01 is after the death on 2027-06-01; correct one of the two days",
        ),
        (
            with("adrs.csv", &["USUBJID,PARAMCD,AVALC,ADT", "P1,BORLIV,PR,", "P1,BORLIV,CR,"]),
            "adrs.csv, row 3, PARAMCD: BORLIV of P1, who would be counted as two patients, is there twice (also in row 2); keep one of them",
        ),
        (
            with("adrs.csv", &["USUBJID,PARAMCD,AVALC,ADT", "P1,BORLIV,better,"]),
            "adrs.csv, row 2, AVALC = BETTER, expected CR, PR, SD, NON-CR/NON-PD, PD, NE, ND, or MISSING for a patient without a scan",
        ),
        (
            with(
                "adrs.csv",
                &["USUBJID,PARAMCD,AVALC,ADT", "P1,BORLIV,PR,", "P1,OVRLIV,SD,2027-04-01"],
            ),
            "adrs.csv, row 2, AVALC: P1: PR is the best response, but no scan (OVR) says so; correct it, or the row of the scan",
        ),
        (
            with(
                "adtr.csv",
                &["USUBJID,PARAMCD,ADT,AVAL,BASE,PCHG", "P1,SDIAMLIV,2027-04-01,50,100,-40"],
            ),
            "adtr.csv, row 2, PCHG: -40 %, but from 100 to 50 mm is -50.0 %; correct PCHG, AVAL or BASE",
        ),
    ];
    for (tables, expected) in cases {
        let error = read(&tables).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }
    read(&good()).expect("what is good is read");
}

fn shuffled(text: &str, dice: &mut made::Dice) -> String {
    let mut rows: Vec<&str> = text.split("\r\n").filter(|r| !r.is_empty()).collect();
    for n in (2..rows.len()).rev() {
        rows.swap(n, 1 + (dice.roll() * n as f64) as usize);
    }
    rows.join("\r\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The order of rows does not matter, to a digit.
    #[test]
    fn rows_in_any_order(seed in 0_u64..1000, arms in 1_usize..3) {
        let made = made::trial(15, arms, seed);
        let mut dice = made::Dice::new(seed);
        let mixed: Tables = made.iter().map(|(f, t)| (*f, shuffled(t, &mut dice))).collect();
        let json = |t: &Tables| serde_json::to_string(&(analyzed(t), monitored(t, &Wishes::default()))).expect("JSON");
        prop_assert_eq!(json(&made), json(&mixed));
    }

    /// What patients are called changes nothing but their names.
    #[test]
    fn patients_by_any_name(seed in 0_u64..1000) {
        let made = made::trial(12, 2, seed);
        // Turned round, so that the order of the names changes too.
        let rename = |text: &str| {
            let mut text = text.to_owned();
            for n in 1..=12 {
                text = text.replace(&format!("P{n:03}"), &format!("Q{:03}", 900 - n));
            }
            text
        };
        let renamed: Tables = made.iter().map(|(f, t)| (*f, rename(t))).collect();
        let numbers = |t: &Tables| {
            let a = analyzed(t);
            let mut arms = a.arms.clone();
            for x in &mut arms {
                x.feasibility.undecided.clear();
                x.feasibility.stopped.clear();
            }
            let mut s = monitored(t, &Wishes::default()).stopping;
            s.patients.clear();
            serde_json::to_string(&(arms, a.endpoints, a.competing, a.between_scans, s)).expect("JSON")
        };
        prop_assert_eq!(numbers(&made), numbers(&renamed));
    }

    /// No text makes the reader panic.
    #[test]
    fn any_text_is_answered(text in "[A-Z,\"\n\r0-9.;\t-]{0,200}") {
        for sheet in SHEETS {
            let head: Vec<&str> = sheet.columns.iter().map(|c| c.name).collect();
            let _ = csv("x.csv", sheet, text.as_bytes());
            let _ = csv("x.csv", sheet, format!("{}\n{text}", head.join(",")).as_bytes());
        }
    }
}
