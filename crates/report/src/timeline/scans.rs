//! Scans: the sum of diameters of all targets, of those in the liver and of those outside it, with
//! the response of each.

use super::axis::short;
use super::canvas::{
    Anchor, FAINT, INK, PAPER, RULE, Rows, SMALL, SOFT, Style, line, through, width,
};
use super::{Figure, LEFT, RIGHT};
use hepatica_regimen::next::{Kind, Status};
use hepatica_regimen::outcome::Scans;
use hepatica_regimen::protocol::AssessmentKind;
use hepatica_regimen::response::{Response, Scope, Series, assess};
use jiff::civil::Date;

/// Height of the curves.
const HIGH: f64 = 62.0;

/// One region's sums and responses.
struct Region {
    scope: Scope,
    /// Day and sum in mm, the baseline first.
    sums: Vec<(Date, f64)>,
    /// Day and response.
    letters: Vec<(Date, Response)>,
}

impl Figure<'_, '_> {
    /// Scans with sums and responses. Gives the bottom.
    pub(super) fn scans(&mut self, y: f64) -> f64 {
        let planned: Vec<Date> = self.planned_scans();
        let until = self.state.today;
        let done: Vec<Date> =
            self.course.scans.iter().map(|s| s.0).filter(|d| *d <= until).collect();
        if planned.is_empty() && done.is_empty() {
            return y;
        }
        self.separate(y);
        let regions = self.regions();
        let most = regions.iter().flat_map(|r| &r.sums).map(|s| s.1).fold(0.0, f64::max);
        let high = if most > 0.0 { HIGH } else { 0.0 };
        let base = y + 12.0 + high;
        let up = |mm: f64| base - high * mm / (1.08 * most.max(1.0));
        let rule = format!(r#"stroke="{RULE}" stroke-width="0.8""#);
        self.canvas.back.push_str(&line([LEFT, base], [RIGHT, base], &rule));
        // From behind to front: the sum of all is on top.
        for region in regions.iter().rev() {
            let points: Vec<[f64; 2]> =
                region.sums.iter().map(|(d, mm)| [self.axis.middle(*d), up(*mm)]).collect();
            let (thick, dash) = match region.scope {
                Scope::All => (2.2, ""),
                Scope::Liver => (1.4, "6 3"),
                Scope::OutsideLiver => (1.4, "1.5 2.5"),
            };
            let look = format!(
                r#"fill="none" stroke="{INK}" stroke-width="{thick}" stroke-dasharray="{dash}""#
            );
            self.canvas.path(&through(&points), &look);
            for at in &points {
                self.scan_mark(region.scope, *at);
            }
        }
        let mut heights: Vec<f64> = Vec::new();
        if let Some(all) = regions.first() {
            for mm in all.sums.first().into_iter().chain(all.sums.last()).map(|s| s.1) {
                let at = up(mm) + 3.5;
                if heights.iter().all(|t| (t - at).abs() > 10.0) && base + 3.5 - at > 10.0 {
                    heights.push(at);
                    let text = format!("{mm:.0}");
                    self.canvas.label(&text, [LEFT - 6.0, at], Anchor::End, FAINT);
                }
            }
        }
        if most > 0.0 {
            self.canvas.label("0", [LEFT - 6.0, base + 3.5], Anchor::End, FAINT);
            self.lane(y + 12.0 + high / 2.0 - 4.0, "Scans", "sum of diameters, mm");
        } else {
            self.lane(base - 2.0, "Scans", "");
        }
        // Scans themselves, done and to come, on the rule.
        for date in &planned {
            let look = format!(r#"fill="{PAPER}" stroke="{SOFT}" stroke-width="1.2""#);
            self.canvas.circle([self.axis.middle(*date), base], 3.6, &look);
        }
        for date in done.iter().filter(|d| self.axis.holds(**d)) {
            let x = self.axis.middle(*date);
            let look = format!(r#"stroke="{INK}" stroke-width="1.6""#);
            self.canvas.line([x, base - 4.0], [x, base + 4.0], &look);
        }
        let mut y = base + 8.0;
        if regions.iter().all(|r| r.letters.is_empty()) {
            return y + if most > 0.0 { 6.0 } else { 10.0 };
        }
        for region in &regions {
            let (name, style) = match region.scope {
                Scope::All => ("all", Style { bold: true, ..SMALL }),
                Scope::Liver => ("liver", SMALL),
                Scope::OutsideLiver => ("outside the liver", SMALL),
            };
            let right = LEFT - 22.0;
            self.canvas.label(name, [right, y + 9.0], Anchor::End, style);
            let at = [LEFT - 12.0, y + 5.5];
            self.scan_mark(region.scope, at);
            let mut rows = Rows::default();
            // The newest first: where there is no room for all, those are the ones to read.
            for (date, response) in region.letters.iter().rev() {
                let text = match response {
                    Response::NonCrNonPd => "non-CR/non-PD",
                    other => other.as_str(),
                };
                let x = self.axis.middle(*date);
                let half = width(text, style) / 2.0;
                let x = x.clamp(LEFT + half, RIGHT - half);
                if rows.place(x - half, x + half) == 0 {
                    let bold = style.bold || *response == Response::Pd;
                    let style = Style { bold, ..style };
                    // The line of today or of the end is not to run through letters.
                    let paper = [x - half - 2.0, y, x + half + 2.0, y + 12.0];
                    self.canvas.rect(paper, &format!(r#"fill="{PAPER}""#));
                    self.canvas.label(text, [x, y + 9.0], Anchor::Middle, style);
                }
            }
            y += 13.0;
        }
        if let Some(first) = regions.first().and_then(|r| r.sums.first()) {
            let best = self.agenda.outcomes.responses.iter().find(|a| a.scope == Scope::All);
            let best = best.map_or(String::new(), |a| format!("; best response {}", a.best));
            self.notes.push(format!("Baseline scan {}: {:.0} mm{best}.", short(first.0), first.1));
        }
        y + 5.0
    }

    /// Scans that are still to come or should be done.
    fn planned_scans(&self) -> Vec<Date> {
        let open = [Status::Upcoming, Status::Due, Status::Overdue];
        let imaging = |id: &str| {
            let of = |a: &&hepatica_regimen::protocol::Assessment| {
                a.id == id && a.kind == AssessmentKind::Imaging
            };
            self.protocol.assessment.iter().any(|a| of(&a))
        };
        self.agenda
            .obligations
            .iter()
            .filter(|o| o.kind == Kind::Assessment && open.contains(&o.status) && imaging(&o.what))
            .map(|o| o.target)
            .filter(|d| self.axis.holds(*d))
            .collect()
    }

    /// Sums and responses of all, liver, and outside it, where there are any.
    fn regions(&self) -> Vec<Region> {
        let start = self.state.cycles.first().map_or(self.course.c1d1, |c| c.start);
        let scans = Scans::of(self.course, self.state.today);
        let (Some(scans), Some(rules)) = (scans, &self.protocol.response) else {
            return Vec::new();
        };
        let series = Series {
            start,
            baseline_date: scans.baseline_on,
            baseline: scans.baseline,
            later: &scans.later,
        };
        let mut regions = Vec::new();
        for scope in [Scope::All, Scope::Liver, Scope::OutsideLiver] {
            let a = assess(&series, scope, rules);
            let first = a.baseline_sum_mm.map(|mm| (a.baseline_date, mm));
            let later = a.points.iter().filter_map(|p| Some((p.date, p.sum_mm?)));
            let sums: Vec<_> =
                first.into_iter().chain(later).filter(|(d, _)| self.axis.holds(*d)).collect();
            let letters: Vec<_> = a
                .points
                .iter()
                .map(|p| (p.date, p.overall))
                .filter(|(d, _)| self.axis.holds(*d))
                .collect();
            let nothing = letters.iter().all(|l| l.1 == Response::Nd);
            if sums.is_empty() && nothing {
                continue;
            }
            regions.push(Region { scope, sums, letters });
        }
        // Where all of it is in the liver, the liver's curve says nothing new.
        let same = |a: &Region, b: &Region| a.sums == b.sums && a.letters == b.letters;
        if regions.len() == 2 && same(&regions[0], &regions[1]) {
            regions.truncate(1);
        }
        regions
    }

    fn scan_mark(&mut self, scope: Scope, [x, y]: [f64; 2]) {
        match scope {
            Scope::All => self.canvas.circle([x, y], 3.4, &format!(r#"fill="{INK}""#)),
            Scope::Liver => {
                let look = format!(r#"fill="{PAPER}" stroke="{INK}" stroke-width="1.4""#);
                self.canvas.rect([x - 3.0, y - 3.0, x + 3.0, y + 3.0], &look);
            }
            Scope::OutsideLiver => {
                let look = format!(r#"fill="{PAPER}" stroke="{INK}" stroke-width="1.4""#);
                let d = through(&[[x, y - 4.0], [x + 3.8, y + 2.8], [x - 3.8, y + 2.8]]) + "Z";
                self.canvas.path(&d, &look);
            }
        }
    }
}
