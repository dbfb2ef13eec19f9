//! Numbers as a person reads them.

use crate::term;
use hepatica_trial::Estimate;
use hepatica_trial::results::{Grounds, NullRow, Unit};

/// A value in its unit.
pub fn value(x: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.1} %", 100.0 * x),
        Unit::Months => format!("{x:.1}"),
        Unit::Mean => format!("{x:.2}"),
    }
}

/// A number with its interval.
pub fn estimate(e: &Estimate, unit: Unit) -> String {
    let Some(x) = e.value else {
        return if e.reached > 0.0 {
            format!("not reached in {:.0} % of draws", 100.0 * (1.0 - e.reached))
        } else {
            "-".to_owned()
        };
    };
    let bare = |x: f64| match unit {
        Unit::Share => format!("{:.1}", 100.0 * x),
        Unit::Months => format!("{x:.1}"),
        Unit::Mean => format!("{x:.2}"),
    };
    match e.interval {
        // What cannot be has no doubt.
        Some([0.0, 0.0]) if x == 0.0 => "0".to_owned(),
        Some([low, high]) => format!("{} ({} to {})", value(x, unit), bare(low), bare(high)),
        None if e.reached < 1.0 => format!("{} (upper end not reached)", value(x, unit)),
        None => value(x, unit),
    }
}

/// The first lines of everything simulated.
pub fn grounds(g: &Grounds) -> Vec<String> {
    let mut lines = vec![
        format!(
            "Assumed: {} of the parameters are marked assumed, {} are fixed. Parameters: {}.",
            g.assumed, g.fixed, g.parameters
        ),
        if g.fitted.is_empty() {
            "Fitted: nothing.".to_owned()
        } else {
            format!(
                "Fitted to results of one therapy alone: {} parameters; no result of the combination was used.",
                g.fitted.len()
            )
        },
        format!(
            "Not identifiable, prior goes straight through: {}.",
            g.not_identifiable.join("; ")
        ),
    ];
    lines.push(g.left_out.to_owned());
    lines
}

/// Prints the first lines.
pub fn print_grounds(g: &Grounds) {
    for line in grounds(g) {
        anstream::println!("{}{line}{}", term::DIM, term::RESET);
    }
}

/// The independence nulls as a table.
pub fn nulls(rows: &[NullRow]) -> Vec<Vec<String>> {
    let mut table = vec![
        ["", "combination", "null", "null predicts", "combination less null", "beaten"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in rows {
        for (n, null) in row.nulls.iter().enumerate() {
            let first = n == 0;
            let beaten = null.difference.interval.is_some_and(|[low, _]| low > 0.0);
            table.push(vec![
                if first { row.name.to_owned() } else { String::new() },
                if first { estimate(&row.combination, Unit::Share) } else { String::new() },
                null.null.to_owned(),
                estimate(&null.predicted, Unit::Share),
                estimate(&null.difference, Unit::Share),
                if beaten { "yes" } else { "no" }.to_owned(),
            ]);
        }
    }
    table
}
