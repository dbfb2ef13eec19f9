//! Laws of the figure, on every sample course.

use super::*;
use crate::samples::{self, Sample};
use crate::timeline::doses::{days, runs};
use hepatica_physics::{Nuclide, TimeSpan};
use hepatica_regimen::Calendar;
use hepatica_regimen::ctcae::Limits;
use hepatica_regimen::exposure::{delivered, overlap};

fn drawn(sample: &Sample) -> (String, Canvas) {
    sample.look(|p, c, s, a| Figure::new(p, c, s, a).draw())
}

/// Attributes `x` and `width` of every rectangle, and its place in the text.
fn rectangles(svg: &str) -> Vec<[f64; 2]> {
    let number = |tag: &str, name: &str| -> f64 {
        let from = tag.find(&format!(" {name}=\"")).expect("it has one") + name.len() + 3;
        let to = tag[from..].find('"').expect("it is closed") + from;
        tag[from..to].parse().expect("a number")
    };
    svg.split("<rect")
        .skip(1)
        .filter(|tag| tag.split('>').next().is_some_and(|t| t.contains(" x=")))
        .map(|tag| [number(tag, "x"), number(tag, "width")])
        .collect()
}

#[test]
fn the_same_course_gives_the_same_bytes() {
    for sample in samples::all() {
        assert_eq!(drawn(&sample).0, drawn(&sample).0, "{}", sample.name);
    }
}

#[test]
fn everything_stays_on_the_page() {
    for sample in samples::all() {
        let (svg, canvas) = drawn(&sample);
        for [x, wide] in rectangles(&svg) {
            assert!(x >= 0.0 && x + wide <= WIDTH, "{}: {x} {wide}", sample.name);
        }
        for ([x0, _, x1, _], text) in &canvas.labels {
            assert!(*x0 >= 0.0 && *x1 <= WIDTH, "{}: {text} from {x0} to {x1}", sample.name);
        }
    }
}

#[test]
fn bars_lie_on_the_axis() {
    for sample in samples::all() {
        sample.look(|p, c, s, a| {
            let (axis, _) = range(p, c, s);
            for drug in &p.drug {
                for (from, to, _) in runs(&days(drug, c, s, a)) {
                    let [x0, x1] = [axis.begin(from), axis.end(to)];
                    assert!(LEFT <= x0 && x0 <= x1 && x1 <= RIGHT, "{}: {from} {to}", sample.name);
                }
            }
        });
    }
}

#[test]
fn no_label_overlaps_another() {
    for sample in samples::all() {
        let labels = drawn(&sample).1.labels;
        for (k, (a, one)) in labels.iter().enumerate() {
            for (b, other) in &labels[k + 1..] {
                let apart = a[2] <= b[0] + 0.5
                    || b[2] <= a[0] + 0.5
                    || a[3] <= b[1] + 0.5
                    || b[3] <= a[1] + 0.5;
                assert!(apart, "{}: `{one}` {a:?} and `{other}` {b:?}", sample.name);
            }
        }
    }
}

#[test]
fn text_of_users_is_escaped() {
    let evil = "<script>alert(1)</script>&\"'";
    let (svg, _) = drawn(&samples::delayed().of(evil));
    assert!(!svg.contains("<script"));
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;"));
}

#[test]
fn shares_of_a_planned_session_are_those_of_the_regimen() {
    let sample = samples::fresh();
    sample.look(|p, c, s, a| {
        let figure = Figure::new(p, c, s, a);
        let (sessions, _) = figure.sessions();
        let session = sessions.first().expect("planned");
        let calendar = Calendar::with_starts(p, c.c1d1, s.starts());
        let instant = session.on.at(12, 0, 0, 0).in_tz("UTC").expect("a zone");
        let expected = overlap(p, &calendar, &instant, Nuclide::Y90.half_life).expect("near");
        let (cycle, _) = s.cycle_day(session.on).expect("in a cycle");
        for drug in &p.drug {
            let until = s.cycle(cycle.number + 1).expect("laid out").start;
            let got = session.overlap(&days(drug, c, s, a), [cycle.start, until]);
            assert!((got - expected[&drug.id]).abs() < 1e-9, "{} {got}", drug.id);
        }
    });
}

#[test]
fn the_area_under_the_curve_is_what_is_delivered() {
    let sample = samples::delayed();
    sample.look(|p, c, s, a| {
        let (sessions, _) = Figure::new(p, c, s, a).sessions();
        let session = &sessions[0];
        assert!(session.done);
        // Simpson's rule on the curve that is drawn, against the closed form; the area of full
        // decay is the half-life over ln 2.
        let whole = session.half_life.d() / std::f64::consts::LN_2;
        let area = |from: f64, to: f64| {
            let n = 2000;
            let h = (to - from) / f64::from(n);
            let at = |k: i32| session.rate(TimeSpan::from_d(from + h * f64::from(k)));
            let inner: f64 =
                (1..n).map(|k| if k % 2 == 1 { 4.0 * at(k) } else { 2.0 * at(k) }).sum();
            (at(0) + inner + at(n)) * h / 3.0 / whole
        };
        for (from, to) in [(0.0, 1.0), (2.5, 7.5), (0.0, 26.0)] {
            let expected =
                delivered(session.half_life, TimeSpan::from_d(from), TimeSpan::from_d(to));
            assert!((area(from, to) - expected).abs() < 1e-9, "{from} {to}");
        }
    });
}

#[test]
fn days_not_taken_are_not_overlapped() {
    samples::delayed().look(|p, c, s, a| {
        let (sessions, _) = Figure::new(p, c, s, a).sessions();
        let session = &sessions[0];
        let drug = p.drug("capecitabine").expect("there is one");
        let known = [plus(session.on, -6), plus(session.on, 60)];
        let got = session.overlap(&days(drug, c, s, a), known);
        // Taken on the day itself and two more, then stopped by the patient and held; again from
        // 36 days later.
        let part = |from: f64, to: f64| {
            delivered(session.half_life, TimeSpan::from_d(from), TimeSpan::from_d(to))
        };
        let hour = session.hour / 24.0;
        let early = part(0.0, 3.0 - hour);
        let late = part(36.0 - hour, 50.0 - hour);
        assert!((got - early - late).abs() < 1e-9, "{got} {early} {late}");
    });
}

#[test]
fn bands_are_those_of_the_criteria() {
    let limits = Limits { lln: Some(150.0), ..Limits::default() };
    let bands = labs::band_edges("platelets", 5, &limits, [0.0, 300.0]);
    let grades: Vec<u8> = bands.iter().map(|b| b.2).collect();
    assert_eq!(grades, [4, 3, 2, 1, 0]);
    for (band, edge) in bands.iter().zip([25.0, 50.0, 75.0, 150.0]) {
        assert!((band.1 - edge).abs() < 1e-6, "{band:?}");
    }
}

#[test]
fn a_picture_is_made() {
    let png = samples::fresh().look(png).expect("it can be set");
    assert_eq!(&png[1..4], b"PNG");
}

/// What is written in the figure, in the order of drawing.
#[test]
fn what_is_written_stays_the_same() {
    let labels = drawn(&samples::delayed()).1.labels;
    let text: Vec<String> = labels.into_iter().map(|(_, text)| text).collect();
    insta::assert_snapshot!("delayed", text.join("\n"));
}
