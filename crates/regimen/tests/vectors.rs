//! The vectors of `trial.toml` that are about the regimen: calendar, Y-90 windows, CTCAE, RECIST.

use hepatica_physics::TimeSpan;
use hepatica_regimen::ctcae::{Limits, Version, grade};
use hepatica_regimen::exposure::delivered;
use hepatica_regimen::response::{
    Criteria, Lesion, NonTarget, NonTargetState, ResponseRules, Scan, Scope, Series, assess,
};
use hepatica_regimen::{Calendar, CycleDay, Protocol};
use hepatica_vectors::{Answer, as_number, compare, tables};
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use toml::{Table, Value};

#[test]
fn calendar_vectors() {
    let Some(vectors) = tables("trial.toml", "calendar") else { return };
    let protocol = Protocol::named("captemy90").expect("shipped");
    for v in &vectors {
        let text = |key: &str| v[key].as_str().expect("a date");
        let calendar =
            Calendar::new(&protocol, Calendar::parse_date(text("c1d1")).expect("a date"));
        for (key, cycle, day) in [
            ("c1d10", 1, 10),
            ("c1d14", 1, 14),
            ("c2d1", 2, 1),
            ("c2d7", 2, 7),
            ("c3d7", 3, 7),
            ("c4d7", 4, 7),
            ("c13d28", 13, 28),
        ] {
            let date = calendar.date(CycleDay { cycle, day }).expect("near");
            assert_eq!(date.to_string(), text(key), "{key} of {}", text("c1d1"));
            println!("ok      calendar {} {key} {date}", text("c1d1"));
        }
        let c2d7 = calendar.date(CycleDay { cycle: 2, day: 7 }).expect("near");
        let weekday = i64::from(c2d7.weekday().to_monday_one_offset());
        assert_eq!(Some(weekday), v["c2d7_weekday"].as_integer());
    }
}

#[test]
fn y90_window_vectors() {
    let Some(vectors) = tables("trial.toml", "y90_window") else { return };
    // The constants of the file, not of our nuclide: [y90_window_constants].
    let half_life = TimeSpan::from_h(64.05);
    for v in &vectors {
        let number = |key: &str| as_number(&v[key]).expect("a number");
        let instilled = 24.0 * (number("y90_day") - 1.0) + number("h_inf");
        // A protocol day d begins at 24 (d - 1) h.
        let span = |first: f64, last: f64| {
            let after = |h: f64| TimeSpan::from_h((h - instilled).max(0.0));
            delivered(half_life, after(24.0 * (first - 1.0)), after(24.0 * last))
        };
        let answer = [
            ("frac_cape", span(1.0, 14.0)),
            ("frac_tmz", span(10.0, 14.0)),
            ("frac_before_tmz", span(1.0, 9.0)),
            ("frac_after_day14", span(15.0, 1e6)),
        ];
        for (key, got) in answer {
            let off = compare(&Answer::from(got), &v[key], 1e-9, 1e-12)
                .unwrap_or_else(|why| panic!("day {}: {key} {why}", number("y90_day")));
            println!(
                "ok      y90_window day {} {key} {got:.6} (off by {off:.1e})",
                number("y90_day")
            );
        }
    }
}

/// The list of numbers under a key.
fn numbers(v: &Table, key: &str) -> Vec<f64> {
    v[key].as_array().expect("a list").iter().map(|x| as_number(x).expect("a number")).collect()
}

#[test]
fn ctcae_vectors() {
    for group in ["ctcae_low", "ctcae_high"] {
        let Some(vectors) = tables("trial.toml", group) else { return };
        for v in &vectors {
            let number = |key: &str| v.get(key).and_then(as_number);
            let term = v["term"].as_str().expect("a term");
            let version = Version::try_from(number("version").expect("a version") as u8);
            let version = version.expect("known");
            let limits = Limits {
                lln: number("lln"),
                uln: number("uln"),
                baseline: number("baseline"),
                anticoagulated: false,
            };
            let grades: Vec<f64> = numbers(v, "value")
                .into_iter()
                .map(|value| {
                    let graded = grade(term, version, value, &limits).expect("has limits");
                    f64::from(graded.grade().expect("nothing is missing").grade)
                })
                .collect();
            let baseline = number("baseline").map_or(String::new(), |b| format!(" baseline {b}"));
            let what = format!("{term} {version}{baseline}");
            compare(&Answer::from(grades.clone()), &v["grade"], 0.0, 0.0)
                .unwrap_or_else(|why| panic!("{what}: value {why}"));
            println!("ok      {group:<10} {what}: {} values", grades.len());
        }
    }
}

#[test]
fn recist_vectors() {
    let Some(vectors) = tables("trial.toml", "recist") else { return };
    let rules = ResponseRules::standard(Criteria::Recist11);
    let start = date(2027, 1, 1);
    let on = |day: f64| -> Date { start + (day as i64).days() };
    for v in &vectors {
        let name = v["name"].as_str().expect("a name");
        let text = |value: &Value| value.as_str().expect("a word").to_owned();
        let list = |key: &str| v[key].as_array().expect("a list").clone();
        // One lesion as long as the sum; nan is not evaluable.
        let scan = |sum: f64, state: &str, new: bool| Scan {
            lesions: vec![Lesion {
                id: "t1".into(),
                site: "liver".into(),
                node: false,
                diameter_mm: Some(sum).filter(|mm| !mm.is_nan()),
                viable_mm: None,
            }],
            non_target: vec![NonTarget {
                site: "lung".into(),
                state: match state {
                    "CR" => NonTargetState::Cr,
                    "NN" => NonTargetState::NonCrNonPd,
                    "PD" => NonTargetState::Pd,
                    "NE" => NonTargetState::Ne,
                    other => panic!("{name}: non-target {other}"),
                },
            }],
            new_lesions: if new { vec!["bone".into()] } else { Vec::new() },
        };
        let baseline = scan(as_number(&v["baseline"]).expect("mm"), "NN", false);
        let states: Vec<String> = list("nontarget").iter().map(text).collect();
        let news: Vec<bool> =
            list("new_lesion").iter().map(|x| x.as_bool().expect("true or false")).collect();
        let scans: Vec<Scan> = numbers(v, "sums")
            .into_iter()
            .zip(&states)
            .zip(&news)
            .map(|((sum, state), new)| scan(sum, state, *new))
            .collect();
        let later: Vec<(Date, &Scan)> =
            numbers(v, "days").into_iter().map(on).zip(&scans).collect();
        let series = Series {
            start,
            baseline_date: start - Span::new().days(14),
            baseline: &baseline,
            later: &later,
        };
        let got = assess(&series, Scope::All, &rules);
        let words = |key: &str| list(key).iter().map(text).collect::<Vec<_>>();
        let target: Vec<_> =
            got.points.iter().map(|p| p.target.expect("a target").as_str()).collect();
        let overall: Vec<_> = got.points.iter().map(|p| p.overall.as_str()).collect();
        assert_eq!(target, words("target_response"), "{name}: target");
        assert_eq!(overall, words("overall_response"), "{name}: overall");
        assert_eq!(got.best.as_str(), text(&v["bor_unconfirmed"]), "{name}: best");
        let confirmed = got.best_confirmed.expect("asked for");
        assert_eq!(confirmed.as_str(), text(&v["bor_confirmed"]), "{name}: best confirmed");
        assert!(got.problems.is_empty() && got.points.iter().all(|p| p.problems.is_empty()));
        println!(
            "ok      recist     {name}: {} best {}, confirmed {confirmed}",
            overall.join(" "),
            got.best
        );
    }
}

#[test]
fn the_other_vectors_are_for_other_parts() {
    // Survival and designs: crates/statistics.
    for name in ["km", "simon"] {
        if let Some(list) = tables("trial.toml", name) {
            println!("aside   {} of {name} (statistics)", list.len());
        }
    }
}
