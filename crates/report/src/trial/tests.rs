//! Laws of the figures: nothing overlaps, nothing leaves the page, texts stay texts, and nothing
//! is not a number.

use super::*;

fn sample(n: usize) -> Vec<Figure> {
    let evil = "</text><script>P&\"1\"";
    let label = |k: usize| if k == 0 { evil.to_owned() } else { format!("P{k:03}") };
    let steps = |scale: f64| -> Vec<Step> {
        (1..=n)
            .map(|k| {
                let survival = 1.0 - scale * k as f64 / (n as f64 + 1.0);
                let (lower, upper) = ((survival - 0.15).max(0.0), (survival + 0.12).min(1.0));
                Step { time: 40.0 * k as f64, survival, lower, upper }
            })
            .collect()
    };
    let group = |name: &str, scale| Group {
        name: name.to_owned(),
        steps: steps(scale),
        censored: vec![90.0, 500.0],
        until: 40.0 * n as f64 + 30.0,
        risk: vec![n as u64, n as u64 / 2, 0],
    };
    let references = vec![
        Reference { at: 20.0, label: "+20 %".into() },
        Reference { at: -30.0, label: "−30 %".into() },
    ];
    let classes = vec!["CR".to_owned(), "PR".to_owned(), "SD".to_owned()];
    vec![
        kaplan_meier(&KaplanMeier {
            name: "km".into(),
            title: "Hepatic progression-free survival".into(),
            notes: vec!["Median 22 months (95 % 14 to not reached). Bands: log-log.".into()],
            x: Axis::new("Days"),
            y_label: "Free of events (%)".into(),
            groups: vec![group(evil, 0.7), group("B", 0.4)],
            risk_at: vec![0.0, 400.0, 800.0],
        }),
        waterfall(&Bars {
            name: "waterfall".into(),
            title: evil.into(),
            y: Axis::new("Best change (%)"),
            bars: (0..n)
                .map(|k| Bar {
                    label: label(k),
                    value: 40.0 - 110.0 * k as f64 / n.max(1) as f64,
                    interval: None,
                    class: k % 3,
                })
                .collect(),
            classes: classes.clone(),
            references: references.clone(),
            ..Bars::default()
        }),
        bars(&Bars {
            name: "bars".into(),
            title: "Response by arm".into(),
            y: Axis::new("Patients (%)").from_to(0.0, 1.0).in_percent(),
            bars: vec![
                Bar { label: "CAPTEM".into(), value: 0.45, interval: Some([0.39, 0.52]), class: 0 },
                Bar { label: "both".into(), value: 0.76, interval: Some([0.68, 0.81]), class: 1 },
            ],
            ..Bars::default()
        }),
        spider(&Spider {
            name: "spider".into(),
            x: Axis::new("Months"),
            y: Axis::new("Change (%)"),
            strands: (0..n)
                .map(|k| Strand {
                    label: label(k),
                    class: k % 3,
                    points: vec![[0.0, 0.0], [2.8, -(k as f64)], [5.6, -2.0 * k as f64]],
                })
                .collect(),
            classes: classes.clone(),
            references: references.clone(),
            ..Spider::default()
        }),
        swimmer(&Swimmer {
            name: "swimmer".into(),
            x: Axis::new("Months"),
            lanes: (0..n)
                .map(|k| Lane {
                    label: label(k),
                    class: k % 3,
                    treated: 3.0 + k as f64,
                    followed: 5.0 + k as f64,
                    ongoing: k % 2 == 0,
                    marks: vec![Mark { at: 1.1, kind: 0 }, Mark { at: 1.1, kind: 3 }],
                })
                .collect(),
            classes,
            marks: vec!["session".into(), "response".into(), "progression".into(), "death".into()],
            ..Swimmer::default()
        }),
        boundary(&Boundary {
            name: "boundary".into(),
            stop_at: (0..n as u64).map(|k| (k > 1).then_some(2 + k / 4)).collect(),
            path: (1..=n as u64 / 2).map(|k| [k, k / 6]).collect(),
            x_label: "Patients evaluable".into(),
            y_label: "Patients with an event".into(),
            ..Boundary::default()
        }),
        forest(&Forest {
            name: "forest".into(),
            logarithmic: true,
            reference: Some(1.0),
            x_label: "Hazard ratio".into(),
            entries: (0..n)
                .map(|k| Entry {
                    label: label(k),
                    detail: format!("{k} of {n}"),
                    estimate: (k != 1).then_some(0.4 + 0.2 * k as f64),
                    interval: (k != 1).then_some([0.001 + 0.1 * k as f64, 1.0 + 30.0 * k as f64]),
                })
                .collect(),
            ..Forest::default()
        }),
        scatter(&Scatter {
            name: "scatter".into(),
            x: Axis::new("Dose (Gy)"),
            y: Axis::new("Change (%)"),
            points: (0..n)
                .map(|k| Point {
                    label: label(k),
                    at: [50.0 * k as f64, -4.0 * k as f64],
                    x_interval: Some([40.0 * k as f64, 60.0 * k as f64]),
                    y_interval: None,
                    class: k % 2,
                })
                .collect(),
            references,
            ..Scatter::default()
        }),
    ]
}

#[test]
fn texts_stay_texts_and_numbers_are_numbers() {
    for n in [0, 1, 2, 19, 300] {
        for f in sample(n) {
            assert!(!f.svg.contains("<script"), "{}", f.name);
            assert!(!f.svg.contains("NaN") && !f.svg.contains("inf"), "{} {n}", f.name);
            assert!(f.csv.lines().count() >= 1 && !f.csv.contains("NaN"), "{}", f.name);
            let fields = f.csv.lines().next().map_or(0, |l| l.split(',').count());
            assert!(fields >= 3, "{}", f.name);
        }
    }
}

#[test]
fn the_same_data_give_the_same_picture() {
    assert_eq!(sample(19), sample(19));
    for f in sample(3) {
        let png = f.png().expect("drawn");
        assert!(png.starts_with(b"\x89PNG"), "{}", f.name);
    }
}
