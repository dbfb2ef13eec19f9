//! A course as evidence: what is known of a measure on a day, for the gates.

use crate::course::{Course, Sample, Toxicity, days_between, plus};
use crate::ctcae::Term;
use crate::dose::{Renal, Sex};
use crate::gate::{CriterionRule, Evidence, Found, Over, Value};
use crate::protocol::Protocol;
use hepatica_physics::Mass;
use jiff::civil::Date;

/// What is known on a day.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a, 'e> {
    /// The protocol.
    pub protocol: &'a Protocol,
    /// The course.
    pub course: &'a Course<'e>,
    /// First days of the cycles so far.
    pub cycle_starts: &'a [Date],
    /// The day in question: what a gate stands before.
    pub day: Date,
    /// What is known until then; not later than the day in question.
    pub until: Date,
}

impl Known<'_, '_> {
    /// First and last day that count for a criterion.
    fn days(&self, over: Over) -> Option<[Date; 2]> {
        Some(match over {
            Over::Latest | Over::Course => [Date::MIN, self.until],
            // What came before the first dose belongs to the baseline.
            Over::Baseline => [Date::MIN, self.until.min(*self.cycle_starts.first()?)],
            Over::Cycle => {
                let start = self.cycle_starts.iter().rev().find(|s| **s < self.day)?;
                [plus(*start, 1), self.until]
            }
            Over::Cycle1 => {
                let first = *self.cycle_starts.first()?;
                let next = self.cycle_starts.get(1).map_or(self.until, |d| plus(*d, -1));
                [first, next.min(self.until)]
            }
        })
    }

    /// What is known of a measure; the worst by the criterion where several days count.
    fn measured(&self, measure: &str, rule: &CriterionRule) -> Found {
        let Some([from, to]) = self.days(rule.over) else { return Found::Missing };
        let samples = self.course.samples_until(measure, to);
        let samples = &samples[samples.partition_point(|s| s.on < from)..];
        let found = match rule.over {
            Over::Latest | Over::Baseline => samples.last(),
            Over::Cycle | Over::Cycle1 | Over::Course => {
                samples.iter().reduce(|a, b| if self.worse(rule, a, b) { b } else { a })
            }
        };
        let Some(s) = found else { return Found::Missing };
        if let Some(c) = self.course.conflict(measure, s.on) {
            return Found::Conflict { on: c.on, values: c.values };
        }
        if let Some(days) = rule.within_days
            && days_between(s.on, self.day) > i64::from(days)
        {
            return Found::Stale { on: s.on };
        }
        Found::Value(Value { value: s.value, interval: s.interval, on: Some(s.on) })
    }

    fn worse(&self, rule: &CriterionRule, a: &Sample, b: &Sample) -> bool {
        rule.comparison.worse(a.value, b.value) == b.value
    }

    /// Grade of what the criterion's terms name.
    fn toxicity(&self, rule: &CriterionRule) -> Found {
        let Some([from, to]) = self.days(rule.over) else { return Found::Missing };
        let matching = || {
            self.course
                .toxicities
                .iter()
                .filter(|t| t.on <= to && rule.terms.iter().any(|s| selects(s, t)))
        };
        // Of each term the grade it has on a day is the last one recorded until then.
        let mut worst: Option<(u8, Date)> = None;
        for (n, t) in matching().enumerate() {
            let next = matching().skip(n + 1).find(|later| later.id == t.id);
            let counts = match rule.over {
                Over::Latest | Over::Baseline => next.is_none(),
                _ => t.on >= from || next.is_none_or(|later| later.on > from),
            };
            if counts && worst.is_none_or(|(grade, _)| t.grade > grade) {
                worst = Some((t.grade, t.on));
            }
        }
        worst.map_or(Found::Missing, |(grade, on)| {
            Found::Value(Value { value: f64::from(grade), interval: None, on: Some(on) })
        })
    }

    /// Share of the days on which the drugs were due that they were taken on, in percent.
    fn taken(&self, rule: &CriterionRule) -> Found {
        let Some([from, to]) = self.days(rule.over) else { return Found::Missing };
        let (mut due, mut taken, mut recorded) = (0_u32, 0_u32, false);
        for drug in self.protocol.drug.iter().filter(|d| rule.drugs.contains(&d.id)) {
            for start in self.cycle_starts {
                for day in drug.first_day..=drug.last_day {
                    let date = plus(*start, i64::from(day) - 1);
                    if date < from || date > to {
                        continue;
                    }
                    due += 1;
                    let record = self.course.doses.iter().rev().find(|r| {
                        r.drug == drug.id && (r.from..=r.to).contains(&date) && r.from <= self.until
                    });
                    recorded |= record.is_some();
                    taken += u32::from(record.is_some_and(|r| r.taken));
                }
            }
        }
        if !recorded || due == 0 {
            return Found::Missing;
        }
        let value = 100.0 * f64::from(taken) / f64::from(due);
        Found::Value(Value { value, interval: None, on: None })
    }

    /// A number that follows from the day.
    fn since(&self, event: Option<Date>) -> Found {
        event.map_or(Found::Missing, |on| {
            let value = days_between(on, self.day) as f64;
            Found::Value(Value { value, interval: None, on: Some(on) })
        })
    }

    /// Age on the day in question, in whole years.
    #[must_use]
    pub fn age_years(&self) -> Option<f64> {
        let birth = self.course.birth?;
        let years = i32::from(self.day.year()) - i32::from(birth.year());
        let had = (self.day.month(), self.day.day()) >= (birth.month(), birth.day());
        Some(f64::from(years - i32::from(!had)))
    }

    /// Last value of a measure.
    #[must_use]
    pub fn latest(&self, measure: &str) -> Option<Sample> {
        let sample = *self.course.samples_until(measure, self.until).last()?;
        self.course.conflict(measure, sample.on).is_none().then_some(sample)
    }

    /// Creatinine clearance by Cockcroft and Gault from age, sex, weight and creatinine, in mL/min.
    #[must_use]
    pub fn creatinine_clearance(&self) -> Option<Sample> {
        if let Some(stated) = self.latest("creatinine_clearance") {
            return Some(stated);
        }
        let creatinine = self.latest("creatinine")?;
        let sex = if self.latest("sex")?.value == 1.0 { Sex::Female } else { Sex::Male };
        let renal = Renal {
            age_years: self.age_years().or_else(|| Some(self.latest("age")?.value))?,
            sex,
            weight: Mass::from_kg(self.latest("weight")?.value),
            creatinine_mg_per_dl: creatinine.value,
        };
        let value = renal.creatinine_clearance_ml_per_min().ok()?;
        Some(Sample { value, interval: None, ..creatinine })
    }
}

/// Whether a selector of toxicities is for one.
#[must_use]
pub fn selects(selector: &str, toxicity: &Toxicity<'_>) -> bool {
    match selector {
        "any" => true,
        "haematologic" => toxicity.haematologic,
        // What no table knows is taken as not haematologic: the stricter rules are there.
        "non-haematologic" => !toxicity.haematologic,
        _ => match Term::known(selector) {
            Some(term) => term.id() == toxicity.id,
            None => selector.eq_ignore_ascii_case(toxicity.id),
        },
    }
}

impl Evidence for Known<'_, '_> {
    fn find(&self, rule: &CriterionRule) -> Found {
        let value = |value: Option<f64>| {
            value.map_or(Found::Missing, |value| {
                Found::Value(Value { value, interval: None, on: None })
            })
        };
        match rule.measure.as_str() {
            "toxicity_grade" => self.toxicity(rule),
            "doses_taken_percent" => self.taken(rule),
            "days_since_session" => {
                let before = |d: &Date| *d < self.day && *d <= self.until;
                self.since(self.course.sessions.iter().map(|s| s.on).rfind(before))
            }
            "days_since_simulation" => {
                let before = |d: &Date| *d <= self.until;
                self.since(self.course.simulations.iter().map(|s| s.0).rfind(before))
            }
            "age" => match self.age_years() {
                Some(age) => value(Some(age)),
                None => self.measured("age", rule),
            },
            "capecitabine" => {
                value(Some(f64::from(u8::from(self.protocol.drug("capecitabine").is_some()))))
            }
            "creatinine_clearance" => match self.creatinine_clearance() {
                Some(s) => Found::Value(Value { value: s.value, interval: None, on: Some(s.on) }),
                None => Found::Missing,
            },
            measure => match self.measured(measure, rule) {
                // `alt_uln` is ALT over the upper limit that the site gave.
                Found::Missing => match measure.strip_suffix("_uln") {
                    Some(base) => match (self.measured(base, rule), self.course.uln.get(base)) {
                        (Found::Value(v), Some(uln)) if *uln > 0.0 => {
                            let interval = v.interval.map(|[a, b]| [a / uln, b / uln]);
                            Found::Value(Value { value: v.value / uln, interval, on: v.on })
                        }
                        (Found::Value(_), _) | (Found::Missing, _) => Found::Missing,
                        (other, _) => other,
                    },
                    None => Found::Missing,
                },
                found => found,
            },
        }
    }

    fn device(&self) -> Option<&str> {
        let c = self.course;
        let until = |on: &Date| *on <= self.until;
        let planned = c.simulations.iter().rfind(|(on, s)| until(on) && s.device.is_some());
        let given = c.sessions.iter().rfind(|s| until(&s.on) && s.device.is_some());
        let planned = planned.and_then(|(on, s)| Some((*on, s.device.as_deref()?)));
        let given = given.and_then(|s| Some((s.on, s.device?)));
        planned.into_iter().chain(given).max_by_key(|(on, _)| *on).map(|(_, device)| device)
    }

    fn protocol(&self) -> &str {
        &self.protocol.id
    }

    fn limit(&self, name: &str) -> Option<(f64, &str)> {
        let (_, simulation) = self.course.simulations.iter().rfind(|(on, _)| *on <= self.until)?;
        simulation.limits.get(name).map(|l| (l.value, l.source.as_str()))
    }

    fn overridden(&self, gate: &str, criterion: &str) -> Option<&str> {
        self.course
            .overrides
            .iter()
            .rfind(|o| {
                o.gate == gate
                    && o.criterion == criterion
                    && (o.from..=o.to.max(o.from)).contains(&self.day)
                    && o.from <= self.until
            })
            .map(|o| o.why)
    }

    fn needed(&self, rule: &CriterionRule) -> Option<(Option<Date>, Date)> {
        let from = rule.within_days.map(|d| plus(self.day, -i64::from(d)));
        Some((from, self.day))
    }
}
