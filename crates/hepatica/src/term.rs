//! Colours, which `anstream` drops where there is no terminal, and tables.

use anstyle::{AnsiColor, Reset, Style};
use hepatica_planning::Status;

/// Of the word `error`.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Of the word `warning`.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Of headings.
pub const HEAD: Style = Style::new().bold();
/// Of what matters less.
pub const DIM: Style = Style::new().dimmed();
/// Back to plain.
pub const RESET: Reset = Reset;

/// The colour of a gate's answer.
pub fn of(status: Status) -> Style {
    match status {
        Status::Pass => AnsiColor::Green.on_default().bold(),
        Status::Overridden => AnsiColor::Blue.on_default().bold(),
        Status::Hold => AnsiColor::Yellow.on_default().bold(),
        Status::Fail => AnsiColor::Red.on_default().bold(),
    }
}

/// The word for a gate's answer.
pub fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Overridden => "overridden",
        Status::Hold => "hold",
        Status::Fail => "fail",
    }
}

/// Lines of a table with columns as wide as their widest cell; a column whose cells all begin with
/// a digit or are empty is aligned to the right.
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |c: usize| rows.iter().filter_map(move |r| r.get(c));
    let width: Vec<_> =
        (0..columns).map(|c| cells(c).map(|s| s.chars().count()).max().unwrap_or(0)).collect();
    let numeric: Vec<_> = (0..columns)
        .map(|c| {
            let mut body = cells(c).skip(1).filter(|s| !s.is_empty()).peekable();
            body.peek().is_some()
                && body.all(|s| s.starts_with(|ch: char| ch.is_ascii_digit() || ch == '-'))
        })
        .collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (c, cell) in row.iter().enumerate() {
                let pad = " ".repeat(width[c] - cell.chars().count());
                let parts = if numeric[c] { [pad.as_str(), cell] } else { [cell.as_str(), &pad] };
                line.push_str(&parts.concat());
                line.push_str("  ");
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// Prints a table whose first row is its head.
pub fn print_table(rows: &[Vec<String>]) {
    for (n, line) in table(rows).into_iter().enumerate() {
        let head = if n == 0 { HEAD } else { Style::new() };
        anstream::println!("{head}{line}{RESET}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_to_the_right_and_words_to_the_left() {
        let rows = [vec!["name", "Gy"], vec!["liver", "9.5"], vec!["T1", "120"]]
            .map(|r| r.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(table(&rows), ["name    Gy", "liver  9.5", "T1     120"]);
    }
}
