//! What the simulator does on a day is what the engine for real patients says of that day: what a virtual
//! clinic would have written down is folded into a course, and the engine is asked.

use hepatica_biology::population::{Parameter, Population};
use hepatica_physics::Nuclide;
use hepatica_physics::random::Keyed;
use hepatica_regimen::course::plus;
use hepatica_regimen::event::{Limit, Measured, Pinned, Simulation};
use hepatica_regimen::next::Status;
use hepatica_regimen::outcome::outcomes;
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, NonTarget, NonTargetState, Response, Scan, Scope};
use hepatica_regimen::{Course, Event, EventId, Fact, Protocol, State, next};
use hepatica_trial::outcome::{End, Outcome};
use hepatica_trial::patient::{Patient, Recorded};
use hepatica_trial::program::{DrugKind, Program};
use hepatica_trial::recist::Best;
use hepatica_trial::{Model, ward};
use jiff::civil::{Date, date};
use std::collections::BTreeMap;

const C1D1: Date = date(2024, 3, 5);

fn on(day: i32) -> Date {
    plus(C1D1, i64::from(day))
}

fn event(day: i32, fact: Fact) -> (EventId, Event) {
    let on = on(day);
    let recorded = on.at(12, 0, 0, 0).in_tz("UTC").expect("an instant").timestamp();
    let patient = "V001".to_owned();
    let event = Event { patient, on, at: None, recorded, by: "clinic".to_owned(), why: None, fact };
    (event.id(), event)
}

fn values(list: &[(&str, f64)]) -> BTreeMap<String, f64> {
    list.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

/// What the model takes as met.
const MET: [(&str, f64); 11] = [
    ("inr", 1.0),
    ("albumin", 4.0),
    ("ecog", 0.0),
    ("alt_uln", 1.0),
    ("ast_uln", 1.0),
    ("creatinine", 0.9),
    ("portal_vein_patent", 1.0),
    ("ascites", 0.0),
    ("active_infection", 0.0),
    ("tumour_burden_percent", 20.0),
    ("washout_days", 60.0),
];

fn lesions(liver: &[f64], elsewhere: &[f64]) -> Vec<Lesion> {
    let lesion = |id: String, site: &str, mm: f64| Lesion {
        id,
        site: site.to_owned(),
        node: false,
        diameter_mm: Some(mm),
        viable_mm: None,
    };
    let liver = liver.iter().enumerate().map(|(n, mm)| lesion(format!("H{n}"), "liver", *mm));
    let elsewhere =
        elsewhere.iter().enumerate().map(|(n, mm)| lesion(format!("L{n}"), "lung", *mm));
    liver.chain(elsewhere).collect()
}

fn others(grown: bool) -> Vec<NonTarget> {
    let state = if grown { NonTargetState::Pd } else { NonTargetState::NonCrNonPd };
    vec![NonTarget { site: "liver".to_owned(), state }]
}

/// A fact of the simulator as a real clinic writes it; the decisions of the day apart.
fn fact(recorded: &Recorded, sessions: &[String]) -> Option<Fact> {
    Some(match recorded {
        Recorded::Blood([anc, platelets, lymphocytes, bilirubin]) => {
            let mut all = values(&MET);
            all.extend(values(&[
                ("anc", *anc),
                ("platelets", *platelets),
                ("lymphocytes", *lymphocytes),
                ("bilirubin", *bilirubin),
            ]));
            Fact::Labs { values: all }
        }
        Recorded::Toxicity { liver, grade } => Fact::Toxicity {
            term: if *liver { "ascites" } else { "diarrhoea" }.to_owned(),
            grade: *grade,
            ctcae: 5,
            related: Vec::new(),
        },
        Recorded::Cycle(_) => return None,
        Recorded::Dose(kind, taken, _) => Fact::Doses {
            drug: match kind {
                DrugKind::Capecitabine => "capecitabine",
                DrugKind::Temozolomide => "temozolomide",
            }
            .to_owned(),
            taken: *taken,
            until: None,
            mg_per_intake: None,
        },
        Recorded::Simulation(suitable) => {
            let measured = |value| Measured { value, interval: None };
            let limit = |value| Limit { value, source: "test".to_owned() };
            Fact::Simulation(Simulation {
                device: Some("resin".to_owned()),
                measures: [
                    ("lung_shunt_percent", if *suitable { 5.0 } else { 30.0 }),
                    ("lung_dose_session_gy", 5.0),
                    ("lung_dose_cumulative_gy", 8.0),
                    ("normal_liver_dose_gy", 25.0),
                    ("extrahepatic_uncorrectable", 0.0),
                    ("extrahepatic_correctable", 0.0),
                    ("activity_orderable", 1.0),
                ]
                .map(|(k, v)| (k.to_owned(), measured(v)))
                .into(),
                limits: ["lung_session_gy", "lung_cumulative_gy", "normal_liver_gy"]
                    .map(|k| (k.to_owned(), limit(50.0)))
                    .into(),
                activity_gbq: vec![1.5, 1.0],
                plan_sha256: None,
            })
        }
        Recorded::FurtherNeeded(needed) => Fact::Labs {
            values: values(&[("further_session_needed", f64::from(u8::from(*needed)))]),
        },
        Recorded::Session(n) => Fact::Session {
            procedure: sessions[*n].clone(),
            territory: None,
            activity_gbq: 1.5,
            residual_gbq: None,
            device: Some("resin".to_owned()),
        },
        Recorded::Scan { liver, elsewhere, new_liver, others_grown, new_elsewhere } => {
            let mut new_lesions = Vec::new();
            if *new_liver {
                new_lesions.push("liver".to_owned());
            }
            if *new_elsewhere {
                new_lesions.push("bone".to_owned());
            }
            let lesions = lesions(liver, elsewhere);
            Fact::Scan { reading: Scan { lesions, non_target: others(*others_grown), new_lesions } }
        }
        // A decision without a rule is the patient's for the engine: it ends treatment.
        Recorded::Stopped | Recorded::Withdrew => Fact::Withdrawal {},
        Recorded::Died => Fact::Death {},
    })
}

fn is_decision(recorded: &Recorded) -> bool {
    matches!(recorded, Recorded::Dose(..) | Recorded::Session(_) | Recorded::FurtherNeeded(_))
}

struct Virtual {
    name: String,
    protocol: Protocol,
    program: Program,
    begin: (EventId, Event),
    trace: Vec<(i32, Recorded)>,
    events: Vec<(i32, bool, (EventId, Event))>,
    outcome: Outcome,
}

impl Virtual {
    fn new(source: &Source, variant: Option<&str>, model: &Model, patient: u64, days: u16) -> Self {
        let protocol = source.protocol.clone();
        let program = Program::compile(&protocol, variant).expect("a program");
        let run = ward::Run { model, program: &program, seed: 11, horizon: days };
        let mut trace: Vec<(i32, Recorded)> = Vec::new();
        let outcome = ward::follow(&run, patient, &mut trace);
        let sessions: Vec<String> = program.sessions.iter().map(|s| s.id.clone()).collect();
        let mut events = Vec::new();
        let [liver, elsewhere] = Patient::new(model, &program, 11, patient, days).baseline_sizes();
        let baseline = Scan {
            lesions: lesions(&liver, &elsewhere),
            non_target: others(false),
            new_lesions: Vec::new(),
        };
        events.push((-14, false, event(-14, Fact::Scan { reading: baseline })));
        for (day, recorded) in &trace {
            if let Some(fact) = fact(recorded, &sessions) {
                events.push((*day, is_decision(recorded), event(*day, fact)));
            }
        }
        let variant = program.variant.clone();
        let begin = event(0, Fact::Begin { protocol: Pinned::from(source), variant, c1d1: C1D1 });
        let name = format!("{} {} patient {patient}", protocol.id, variant_name(&program));
        Self { name, protocol, program, begin, trace, events, outcome }
    }

    /// Asks the engine about a day, before what is decided on it.
    fn ask(&self, day: i32) {
        let known =
            self.events.iter().filter(|(on, decision, _)| *on < day || (*on == day && !decision));
        let all: Vec<_> = std::iter::once(&self.begin).chain(known.map(|(.., e)| e)).collect();
        let course = Course::fold(all.iter().map(|(id, e)| (id, e)), None).expect("a course");
        let state = State::of(&self.protocol, &course, on(day), 0);
        let said = format!("{} day {day}", self.name);

        // The last day of the last cycle is the last of the course.
        let last_cycle = i32::from(self.outcome.end == End::Complete);
        let ended = i32::from(self.outcome.ended) - last_cycle;
        let has_ended = self.outcome.end != End::Goes && ended <= day;
        match state.ended {
            None => assert!(!has_ended, "{said}: ended on {ended} ({:?})", self.outcome.end),
            Some((when, why)) => {
                assert!(has_ended, "{said}: the engine says {why} on {when}");
                assert_eq!(when, on(ended), "{said}: {why} {:?}", self.outcome.end);
                return;
            }
        }

        let began = |r: &&(i32, Recorded)| r.0 <= day && matches!(r.1, Recorded::Cycle(_));
        let (start, number) = match self.trace.iter().rfind(began) {
            Some((start, Recorded::Cycle(n))) => (*start, *n),
            _ => panic!("{said}: no cycle"),
        };
        let running = state.cycles.iter().rfind(|c| c.has_begun() && c.start <= on(day));
        let running = running.unwrap_or_else(|| panic!("{said}: the engine knows no cycle"));
        assert_eq!((running.number, running.start), (u32::from(number), on(start)), "{said}");

        for (place, drug) in self.protocol.drug.iter().enumerate() {
            let kind = match drug.id.as_str() {
                "capecitabine" => DrugKind::Capecitabine,
                _ => DrugKind::Temozolomide,
            };
            let cycle_day = day - start + 1;
            if !(drug.first_day as i32..=drug.last_day as i32).contains(&cycle_day) {
                continue;
            }
            let level = state.drugs[place].below_start(on(day));
            let held = state.drugs[place].hold(on(day)).is_some();
            let done = self.trace.iter().find_map(|(d, r)| match r {
                Recorded::Dose(k, taken, level) if *d == day && *k == kind => {
                    Some((*taken, *level))
                }
                _ => None,
            });
            match done {
                None => assert_eq!(level, None, "{said}: {} is stopped", drug.id),
                Some((taken, found)) => {
                    assert_eq!(taken, !held, "{said}: {} held", drug.id);
                    // The step of a toxicity that lasts counts from its first day for the engine, from
                    // its last for the simulator; nothing is taken in between.
                    if taken {
                        assert_eq!(level, Some(found), "{said}: level of {}", drug.id);
                    }
                }
            }
        }

        let cycle_day = day - start + 1;
        for (n, session) in self.program.sessions.iter().enumerate() {
            let of_cycle = session.windows.iter().find(|w| w[0] == i32::from(number));
            let last = session.windows.last().filter(|w| session.again && w[0] < i32::from(number));
            let Some([_, _, target, latest]) = of_cycle.or(last) else { continue };
            if !(*target..=*latest).contains(&cycle_day) {
                continue;
            }
            let before = |r: &&(i32, Recorded)| r.0 < day && r.1 == Recorded::Session(n);
            if self.trace.iter().any(|r| before(&r)) {
                continue;
            }
            let treated = self.trace.contains(&(day, Recorded::Session(n)));
            let agenda = next(&self.protocol, &course, &state);
            let due = agenda
                .obligations
                .iter()
                .any(|o| o.what == session.id && o.status == Status::Due && o.earliest <= on(day));
            let because: Vec<_> =
                agenda.obligations.iter().filter(|o| o.what == session.id).collect();
            assert_eq!(treated, due, "{said}: {} {because:#?}", session.id);
        }
    }

    /// Response and progression of all scans.
    fn judge(&self) {
        let all: Vec<_> =
            std::iter::once(&self.begin).chain(self.events.iter().map(|(.., e)| e)).collect();
        let course = Course::fold(all.iter().map(|(id, e)| (id, e)), None).expect("a course");
        let state = State::of(&self.protocol, &course, on(4000), 0);
        let found = outcomes(&self.protocol, &course, &state);
        for (scope, region) in [(Scope::Liver, 0), (Scope::All, 2)] {
            let Some(said) = found.responses.iter().find(|a| a.scope == scope) else {
                assert_eq!(self.outcome.best[region], Best::None, "{}", self.name);
                continue;
            };
            assert!(said.problems.is_empty(), "{}: {:?}", self.name, said.problems);
            let best = match said.best {
                Response::Cr | Response::Pr => Best::Response,
                Response::Sd => Best::Stable,
                Response::Pd => Best::Progression,
                _ => Best::None,
            };
            assert_eq!(self.outcome.best[region], best, "{} {scope:?}", self.name);
            let confirmed = said.best_confirmed == Some(Response::Pr);
            assert_eq!(self.outcome.confirmed[region], confirmed, "{} {scope:?}", self.name);
            let endpoint = if region == 0 { self.outcome.hepatic_pfs } else { self.outcome.pfs };
            match said.progression_date {
                Some(when) => assert_eq!(when, on(i32::from(endpoint.day)), "{}", self.name),
                None => {
                    let died = self.trace.iter().any(|(_, r)| *r == Recorded::Died);
                    assert_eq!(endpoint.event, died, "{} {scope:?}", self.name);
                }
            }
        }
    }
}

fn variant_name(program: &Program) -> &str {
    program.variant.as_deref().unwrap_or("")
}

/// A population in which much happens: gates close, doses fall, livers suffer.
fn rough() -> Model {
    let population = Population::named("net-liver").expect("shipped");
    let mut theta = population.middle();
    for (parameter, value) in [
        (Parameter::NeutrophilsSlope, 0.9),
        (Parameter::PlateletsSlope, 0.9),
        (Parameter::Grade2PerCycle, 0.20),
        (Parameter::Grade3PerCycle, 0.12),
        (Parameter::Grade4PerCycle, 0.03),
        (Parameter::UnsuitableShare, 0.15),
        (Parameter::LiverTd50Gy, 35.0),
        (Parameter::IntoleranceCycle1, 0.08),
        (Parameter::DeathPerMonth, 0.01),
        (Parameter::WithdrawalPerMonth, 0.01),
    ] {
        theta[parameter] = value;
    }
    let setting = population.setting("captemy90").expect("shipped").clone();
    Model::new(theta, setting, &Nuclide::Y90)
}

fn compare(protocol: &str, variant: Option<&str>, patients: u64, days: u16, asked: u32) {
    let source = Source::named(protocol).expect("shipped");
    let model = rough();
    let mut happened = BTreeMap::<String, u32>::new();
    for patient in 0..patients {
        let v = Virtual::new(&source, variant, &model, patient, days);
        v.judge();
        let last = v.trace.last().map_or(0, |(day, _)| *day);
        let random = Keyed::new(5, patient);
        let mut asks: Vec<i32> =
            (0..asked).map(|n| (random.uniform(1, n)[0] * f64::from(last + 1)) as i32).collect();
        // Days on which something was decided, and the day after treatment ended.
        let decided = v.trace.iter().filter(|(_, r)| {
            matches!(r, Recorded::Cycle(_) | Recorded::Session(_) | Recorded::Toxicity { .. })
        });
        asks.extend(decided.map(|(day, _)| *day).filter(|d| random.uniform(2, *d as u32)[0] < 0.3));
        for (n, w) in v.program.sessions.iter().flat_map(|s| &s.windows).enumerate() {
            asks.push(28 * (w[0] - 1) + w[2] - 1 + 7 * (n as i32 % 2));
        }
        asks.push(i32::from(v.outcome.ended));
        asks.retain(|d| (0..=last).contains(d));
        asks.sort_unstable();
        asks.dedup();
        for day in asks {
            v.ask(day);
        }
        *happened.entry(v.outcome.end.name().to_owned()).or_default() += 1;
        *happened.entry(format!("{} sessions", v.outcome.sessions)).or_default() += 1;
        *happened.entry("waits".to_owned()).or_default() += u32::from(v.outcome.waits);
        *happened.entry("reductions".to_owned()).or_default() += u32::from(v.outcome.reductions);
    }
    println!("{protocol}: {happened:?}");
}

#[test]
fn captemy90_of_the_pilot() {
    compare("captemy90", Some("pilot-2018"), 2000, 500, 3);
}

#[test]
fn captemy90_of_grade_3() {
    compare("captemy90", Some("g3-2024"), 1000, 400, 3);
}

#[test]
fn captem() {
    compare("captem", None, 1500, 500, 3);
}

#[test]
fn radioembolization_alone() {
    compare("radioembolization", None, 1000, 400, 3);
}
