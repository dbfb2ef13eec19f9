//! The form that fits each kind of event: which fields, what was typed, and what is said by it.

use crate::opened::Opened;
use hepatica_regimen::ctcae::{Term, Version};
use hepatica_regimen::desk::Said;
use hepatica_regimen::event::{Event, Fact};
use hepatica_regimen::measure::Measure;
use hepatica_regimen::protocol::AssessmentKind;
use hepatica_regimen::response::NonTargetState;
use hepatica_regimen::{Calendar, Course, ProcedureKind};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// What was typed, by name of the field.
pub type Typed = BTreeMap<String, String>;

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A line; numbers may carry their unit.
    Line,
    /// Several lines.
    Lines,
    /// A day.
    Day,
    /// One of these: value and words.
    Choice(Vec<(String, String)>),
    /// Yes or nothing.
    Tick,
    /// A line, with these proposed.
    Proposed(Vec<String>),
}

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name in what is sent.
    pub name: String,
    /// For people.
    pub label: String,
    /// What helps; empty if nothing.
    pub hint: String,
    /// Unit behind it.
    pub unit: String,
    /// How it is filled in.
    pub input: Input,
    /// Whether it must be.
    pub required: bool,
}

impl Field {
    fn new(name: impl Into<String>, label: impl Into<String>, input: Input) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            hint: String::new(),
            unit: String::new(),
            input,
            required: false,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

fn choice<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> Input {
    Input::Choice(all.into_iter().map(|(v, n)| (v.to_owned(), n.to_owned())).collect())
}

/// Measures that the protocol's visits ask for, in its order.
fn measures(opened: &Opened, kind: AssessmentKind) -> Vec<&'static Measure> {
    let mut all: Vec<&'static Measure> = Vec::new();
    for id in opened.protocol.assessment.iter().filter(|a| a.kind == kind).flat_map(|a| &a.measures)
    {
        if let Ok(m) = Measure::find(id)
            && !all.iter().any(|a| a.id == m.id)
        {
            all.push(m);
        }
    }
    all
}

fn measure_field(m: &Measure, course: &Course<'_>) -> Field {
    let last = course.series.get(m.id.as_str()).and_then(|s| s.last());
    let hint = last.map_or(String::new(), |s| format!("last {} on {}", m.show(s.value), s.on));
    Field::new(format!("m.{}", m.id), &m.name, Input::Line).unit(&m.unit).hint(hint)
}

const MORE: &str = "One a line, as NAME=VALUE with or without its unit: calcium=2.3";

fn more(label: &str, hint: &str) -> Field {
    Field::new("more", label, Input::Lines).hint(hint)
}

/// The fields of a kind of event; `None` if there is no such kind.
#[must_use]
pub fn fields(kind: &str, opened: &Opened, course: &Course<'_>) -> Option<Vec<Field>> {
    let p = &opened.protocol;
    let drugs = || p.drug.iter().map(|d| (d.id.as_str(), d.name.as_str()));
    let until = |hint: &str| Field::new("until", "Until", Input::Day).hint(hint);
    let drug_ticks = || {
        let tick = |(id, name)| Field::new(format!("d.{id}"), name, Input::Tick);
        drugs().map(tick).collect::<Vec<_>>()
    };
    Some(match kind {
        "labs" => {
            let lab = measures(opened, AssessmentKind::Laboratory);
            let seen = measures(opened, AssessmentKind::Visit);
            let mut all: Vec<_> = lab.iter().map(|m| measure_field(m, course)).collect();
            let visit = seen.iter().filter(|m| !lab.iter().any(|l| l.id == m.id));
            all.extend(visit.map(|m| measure_field(m, course)));
            all.push(more("More values", MORE));
            all
        }
        "normal" => {
            let lab = measures(opened, AssessmentKind::Laboratory);
            let field = |m: &&'static Measure| {
                Field::new(format!("m.{}", m.id), &m.name, Input::Line).unit(&m.unit)
            };
            let mut all: Vec<_> = lab.iter().map(field).collect();
            all.push(more("More limits", "One a line: alt=7-40, albumin=35-, bilirubin=-1.2"));
            all
        }
        "enrolment" => {
            let variants = p.variant.iter().map(|v| (v.id.as_str(), v.name.as_str()));
            let variants = [("", "not chosen")].into_iter().chain(variants);
            let sexes = [("", "not said"), ("female", "female"), ("male", "male")];
            let mut all = vec![
                Field::new("birth", "Day of birth", Input::Day),
                Field::new("m.sex", "Sex", choice(sexes)),
                Field::new("m.height", "Height", Input::Line).unit("cm"),
                Field::new("m.weight", "Weight", Input::Line).unit("kg"),
                Field::new("variant", "Dose variant", choice(variants)),
            ];
            let known = ["sex", "height", "weight"];
            let lab = measures(opened, AssessmentKind::Laboratory);
            let asked = p.gates("start").flat_map(|g| &g.criterion);
            for m in asked.filter_map(|c| Measure::find(&c.measure).ok()) {
                let there = all.iter().any(|f| f.name == format!("m.{}", m.id));
                if !there && !known.contains(&m.id.as_str()) && !lab.iter().any(|l| l.id == m.id) {
                    all.push(measure_field(m, course));
                }
            }
            all.push(more("More values", MORE));
            all
        }
        "doses" => {
            let how = [("", "nothing to record"), ("taken", "taken"), ("missed", "missed")];
            let mut all = Vec::new();
            for (id, name) in drugs() {
                all.push(Field::new(format!("d.{id}"), name, choice(how)));
                let mg =
                    Field::new(format!("mg.{id}"), format!("{name}: each intake"), Input::Line);
                all.push(mg.unit("mg").hint("if it was not what was prescribed"));
            }
            all.push(until("if it was more than one day; at most one cycle"));
            all
        }
        "toxicity" => {
            let version = Version::try_from(p.ctcae).ok()?;
            let terms = Term::all().map(|t| t.name(version).to_owned()).collect();
            let grades = [
                ("", "choose"),
                ("0", "0: it is over"),
                ("1", "1: mild"),
                ("2", "2: moderate"),
                ("3", "3: severe"),
                ("4", "4: life-threatening"),
                ("5", "5: death"),
            ];
            let mut all = vec![
                Field::new("term", "CTCAE term", Input::Proposed(terms)).required(),
                Field::new("grade", "Grade from this day on", choice(grades)).required(),
            ];
            all.extend(drug_ticks().into_iter().map(|mut f| {
                f.label = format!("Put down to {}", f.label);
                f
            }));
            all
        }
        "procedure" => {
            let others = p.procedures(ProcedureKind::Other);
            let all: Vec<_> = others.map(|x| (x.id.as_str(), x.name.as_str())).collect();
            vec![Field::new("procedure", "Procedure", choice(all)).required()]
        }
        "session" => {
            let sessions = p.procedures(ProcedureKind::Radioembolization);
            let open = sessions.filter(|x| !course.sessions.iter().any(|s| s.procedure == x.id));
            let all: Vec<_> = open.map(|x| (x.id.as_str(), x.name.as_str())).collect();
            vec![
                Field::new("procedure", "Session", choice(all)).required(),
                Field::new("activity", "Activity that left the vial", Input::Line)
                    .hint("with its unit: 1.8 GBq, 1800 MBq or 48.6 mCi")
                    .required(),
                Field::new("residual", "Activity that stayed in vial and lines", Input::Line)
                    .hint("with its unit: 20 MBq"),
                Field::new("territory", "Territory", Input::Line).hint("what was treated: right"),
                Field::new(
                    "device",
                    "Device",
                    choice([
                        ("", "not said"),
                        ("glass", "glass"),
                        ("resin", "resin"),
                        ("holmium", "holmium"),
                    ]),
                ),
            ]
        }
        "scan" => scan_fields(course),
        "therapy" => vec![
            Field::new("name", "Treatment", Input::Line).required(),
            Field::new("liver", "It was directed at the liver", Input::Tick),
        ],
        "hold" | "resume" => {
            drug_ticks().into_iter().map(|f| f.hint("none ticked: all drugs")).collect()
        }
        "override" => {
            let gates = p.gate.iter().flat_map(|g| {
                let of = move |c: &hepatica_regimen::gate::CriterionRule| {
                    (format!("{} {}", g.id, c.id), format!("{}: {}", g.name, c.name))
                };
                g.criterion.iter().map(of)
            });
            let doses = p.drug.iter().flat_map(|d| &d.adjustment).map(|t| {
                let name = Measure::find(&t.measure).map_or(t.measure.clone(), |m| m.name.clone());
                (format!("dose {}", t.measure), format!("Dose without: {name}"))
            });
            let mut all: Vec<_> = gates.chain(doses).collect();
            all.dedup();
            vec![
                Field::new("criterion", "Criterion", Input::Choice(all)).required(),
                until("that day only if left out"),
            ]
        }
        "withdrawal" | "death" => Vec::new(),
        _ => return None,
    })
}

fn scan_fields(course: &Course<'_>) -> Vec<Field> {
    let mut all = Vec::new();
    match course.scans.first() {
        None => {
            all.push(Field::new("targets", "Target lesions", Input::Lines).hint(
                "One a line, SITE/LESION=MM: liver/T1=34; a node by its short axis: node/N1=18",
            ));
            all.push(
                Field::new("others", "Non-target lesions", Input::Lines)
                    .hint("One a line: bone=non-cr"),
            );
        }
        Some((_, baseline)) => {
            for l in &baseline.lesions {
                let before = l
                    .diameter_mm
                    .map_or("not evaluable".to_owned(), |d| format!("{d} mm at baseline"));
                let name = format!("t.{}/{}", l.site, l.id);
                all.push(
                    Field::new(name, format!("{} in {}", l.id, l.site), Input::Line)
                        .unit("mm")
                        .hint(format!(
                            "{before}; ne: not evaluable; 24:11 if 11 mm of it are viable"
                        ))
                        .required(),
                );
            }
            let how = [
                ("", "not looked at"),
                ("cr", "gone"),
                ("non-cr", "there, not worse"),
                ("pd", "unequivocally worse"),
                ("ne", "not evaluable"),
            ];
            for n in &baseline.non_target {
                let name = format!("n.{}", n.site);
                all.push(Field::new(name, format!("Non-target: {}", n.site), choice(how)));
            }
        }
    }
    all.push(
        Field::new("new", "New lesions", Input::Line)
            .hint("Sites with a comma between them: lung, bone; empty if there are none"),
    );
    all
}

fn lines<'a>(typed: &'a Typed, name: &str) -> Vec<&'a str> {
    let text = typed.get(name).map_or("", String::as_str);
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect()
}

fn filled<'a>(typed: &'a Typed, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    typed.iter().filter_map(move |(k, v)| {
        let (key, value) = (k.strip_prefix(prefix)?, v.trim());
        (!value.is_empty()).then_some((key, value))
    })
}

fn get(typed: &Typed, name: &str) -> Option<String> {
    typed.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}

fn date(typed: &Typed, name: &str, label: &str) -> Result<Option<Date>, String> {
    get(typed, name)
        .map(|t| Calendar::parse_date(&t))
        .transpose()
        .map_err(|_| format!("{label}: expected a date written YYYY-MM-DD"))
}

/// What is said by what was typed.
///
/// # Errors
/// One sentence, where it says nothing that can be recorded.
pub fn said(kind: &str, typed: &Typed) -> Result<Said, String> {
    let measured = || {
        let all = filled(typed, "m.").map(|(k, v)| format!("{k}={v}"));
        let mut all: Vec<_> = all.collect();
        all.extend(lines(typed, "more").into_iter().map(str::to_owned));
        all
    };
    let nothing = |v: &[String]| v.is_empty().then(|| "nothing is filled in".to_owned());
    let some = |v: Vec<String>| nothing(&v).map_or(Ok(v), Err);
    let drugs = || filled(typed, "d.").map(|(k, _)| k.to_owned()).collect::<Vec<_>>();
    Ok(match kind {
        "labs" => Said::Labs { values: some(measured())? },
        "normal" => Said::Normal { values: some(measured())? },
        "enrolment" => {
            let mut values = measured();
            for name in ["birth", "variant"] {
                values.extend(get(typed, name).map(|v| format!("{name}={v}")));
            }
            Said::Enrolment { values: some(values)? }
        }
        "doses" => {
            let mg = |drug: &str| get(typed, &format!("mg.{drug}"));
            let with_mg = |drug: &str, how: &str| match mg(drug) {
                Some(mg) if how == "taken" => {
                    format!("{drug}={}mg", mg.trim_end_matches("mg").trim())
                }
                _ => format!("{drug}={how}"),
            };
            let values = filled(typed, "d.").map(|(drug, how)| with_mg(drug, how)).collect();
            Said::Doses { values: some(values)?, until: date(typed, "until", "until")? }
        }
        "toxicity" => {
            let term = get(typed, "term").ok_or("which CTCAE term?")?;
            let grade = get(typed, "grade").ok_or("which grade?")?;
            Said::Toxicity {
                values: vec![format!("{term}={grade}")],
                ctcae: None,
                related: drugs(),
            }
        }
        "procedure" => {
            Said::Procedure { procedure: get(typed, "procedure").ok_or("which procedure?")? }
        }
        "session" => Said::Session {
            procedure: get(typed, "procedure"),
            activity: get(typed, "activity").ok_or("which activity left the vial?")?,
            residual: get(typed, "residual"),
            territory: get(typed, "territory"),
            device: get(typed, "device"),
        },
        "scan" => {
            let mut values: Vec<_> =
                lines(typed, "targets").into_iter().map(str::to_owned).collect();
            values.extend(lines(typed, "others").into_iter().map(|l| format!("non-target/{l}")));
            values.extend(filled(typed, "t.").map(|(k, v)| format!("{k}={v}")));
            values.extend(filled(typed, "n.").map(|(k, v)| format!("non-target/{k}={v}")));
            let new = get(typed, "new").unwrap_or_default();
            let sites = new.split(',').map(str::trim).filter(|s| !s.is_empty());
            values.extend(sites.map(|s| format!("new/{s}=yes")));
            Said::Scan { values: some(values)? }
        }
        "therapy" => Said::Therapy {
            name: get(typed, "name").ok_or("which treatment?")?,
            liver: get(typed, "liver").is_some(),
        },
        "hold" => Said::Hold { drugs: drugs() },
        "resume" => Said::Resume { drugs: drugs() },
        "override" => {
            let both = get(typed, "criterion").ok_or("which criterion?")?;
            let (gate, criterion) = both.split_once(' ').ok_or("which criterion?")?;
            Said::Override {
                gate: gate.to_owned(),
                criterion: criterion.to_owned(),
                until: date(typed, "until", "until")?,
            }
        }
        "withdrawal" => Said::Withdrawal {},
        "death" => Said::Death {},
        other => return Err(format!("no form records `{other}`")),
    })
}

/// What would have to be typed for an event: where a correction begins.
#[must_use]
pub fn typed(event: &Event, fields: &[Field]) -> Typed {
    let mut t = Typed::new();
    let mut put = |name: String, value: String| drop(t.insert(name, value));
    let is_field = |name: &str| fields.iter().any(|f| f.name == name);
    let mut rest = Vec::new();
    let mut values = |map: &BTreeMap<String, f64>, put: &mut dyn FnMut(String, String)| {
        for (id, v) in map {
            let name = format!("m.{id}");
            let value = if id == "sex" {
                if *v == 1.0 { "male".to_owned() } else { "female".to_owned() }
            } else {
                v.to_string()
            };
            if is_field(&name) {
                put(name, value);
            } else {
                rest.push(format!("{id}={value}"));
            }
        }
    };
    match &event.fact {
        Fact::Labs { values: v } => values(v, &mut put),
        Fact::Enrolment { birth, variant, values: v } => {
            values(v, &mut put);
            birth.iter().for_each(|b| put("birth".to_owned(), b.to_string()));
            variant.iter().for_each(|v| put("variant".to_owned(), v.clone()));
        }
        Fact::Normal { lln, uln } => {
            for id in lln.keys().chain(uln.keys()) {
                let shown =
                    |m: &BTreeMap<String, f64>| m.get(id).map_or(String::new(), f64::to_string);
                put(format!("m.{id}"), format!("{}-{}", shown(lln), shown(uln)));
            }
        }
        Fact::Doses { drug, taken, until, mg_per_intake } => {
            let how = if *taken { "taken" } else { "missed" };
            put(format!("d.{drug}"), how.to_owned());
            mg_per_intake.iter().for_each(|mg| put(format!("mg.{drug}"), mg.to_string()));
            until.iter().for_each(|u| put("until".to_owned(), u.to_string()));
        }
        Fact::Toxicity { term, grade, ctcae, related } => {
            let version = Version::try_from(*ctcae).ok();
            let name = Term::known(term).zip(version).map_or(term.as_str(), |(t, v)| t.name(v));
            put("term".to_owned(), name.to_owned());
            put("grade".to_owned(), grade.to_string());
            related.iter().for_each(|d| put(format!("d.{d}"), "yes".to_owned()));
        }
        Fact::Session { procedure, territory, activity_gbq, residual_gbq, device } => {
            put("procedure".to_owned(), procedure.clone());
            put("activity".to_owned(), format!("{activity_gbq} GBq"));
            residual_gbq.iter().for_each(|r| put("residual".to_owned(), format!("{r} GBq")));
            territory.iter().for_each(|x| put("territory".to_owned(), x.clone()));
            device.iter().for_each(|x| put("device".to_owned(), x.clone()));
        }
        Fact::Procedure { procedure } => put("procedure".to_owned(), procedure.clone()),
        Fact::Scan { reading } => {
            let mut targets = Vec::new();
            for l in &reading.lesions {
                let size = match (l.diameter_mm, l.viable_mm) {
                    (Some(d), Some(v)) => format!("{d}:{v}"),
                    (Some(d), None) => d.to_string(),
                    _ => "ne".to_owned(),
                };
                put(format!("t.{}/{}", l.site, l.id), size.clone());
                targets.push(format!("{}/{}={size}", l.site, l.id));
            }
            put("targets".to_owned(), targets.join("\n"));
            for n in &reading.non_target {
                let state = match n.state {
                    NonTargetState::Cr => "cr",
                    NonTargetState::NonCrNonPd => "non-cr",
                    NonTargetState::Pd => "pd",
                    NonTargetState::Ne => "ne",
                };
                put(format!("n.{}", n.site), state.to_owned());
            }
            put("new".to_owned(), reading.new_lesions.join(", "));
        }
        Fact::Therapy { name, liver } => {
            put("name".to_owned(), name.clone());
            if *liver {
                put("liver".to_owned(), "yes".to_owned());
            }
        }
        Fact::Hold { drugs } | Fact::Resume { drugs } => {
            drugs.iter().for_each(|d| put(format!("d.{d}"), "yes".to_owned()));
        }
        Fact::Override { gate, criterion, until } => {
            put("criterion".to_owned(), format!("{gate} {criterion}"));
            until.iter().for_each(|u| put("until".to_owned(), u.to_string()));
        }
        _ => {}
    }
    if !rest.is_empty() {
        t.insert("more".to_owned(), rest.join("\n"));
    }
    // What the form does not ask for would be said without being seen.
    t.retain(|name, _| is_field(name));
    t
}
