//! The calendar and Y-90 window vectors of `trial.toml`.

use hepatica_physics::TimeSpan;
use hepatica_regimen::exposure::delivered;
use hepatica_regimen::{Calendar, CycleDay, Protocol};
use hepatica_vectors::{Answer, as_number, compare, tables};

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

#[test]
fn the_other_vectors_are_for_other_parts() {
    // Grades, RECIST, survival, designs: the course and the trial, which do not exist yet.
    for name in ["ctcae_high", "ctcae_low", "recist", "km", "simon"] {
        if let Some(list) = tables("trial.toml", name) {
            println!("aside   {} of {name} (the course and the trial)", list.len());
        }
    }
}
