//! A course as a bundle.

use super::{Concept, LOINC, NOTICE, Reference, clean, drug, extension, quantity};
use crate::codes::CODES;
use crate::{CANONICAL, ExchangeError, Stamp, ids};
use hepatica_regimen::course::{Entry, Sample};
use hepatica_regimen::ctcae::Laboratory;
use hepatica_regimen::event::Fact;
use hepatica_regimen::measure::{Kind as Scale, Measure};
use hepatica_regimen::next::{DosePeriod, Kind, Obligation, Status};
use hepatica_regimen::protocol::{End, Procedure, ProcedureKind, Protocol};
use hepatica_regimen::{Agenda, Course, State};
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A course as a bundle of the type collection: the protocol's PlanDefinition and ResearchStudy, the
/// patient by identifier only, ResearchSubject, CarePlan, Medications and MedicationRequests,
/// MedicationStatements and MedicationAdministrations, Procedures, Observations and AdverseEvents.
/// Facts of days after the agenda's are left out: they have not happened.
///
/// # Errors
/// [`ExchangeError::TooMany`].
pub fn bundle(
    protocol: &Protocol,
    course: &Course<'_>,
    state: &State<'_>,
    agenda: &Agenda,
    stamp: Stamp,
) -> Result<Value, ExchangeError> {
    let cycles = u32::try_from(state.cycles.len()).unwrap_or(u32::MAX);
    let plan = super::plan_definition(protocol, Some(cycles))?;
    let id = ids::course(course);
    let writer = Writer { protocol, course, state, agenda, id: &id };
    let mut all =
        vec![plan, writer.study(), writer.patient(), writer.subject(), writer.care_plan()];
    all.extend(protocol.drug.iter().map(|d| writer.medication(&d.id, &d.name)));
    all.extend(writer.other_drugs().iter().map(|d| writer.medication(d, d)));
    all.extend(agenda.periods.iter().map(|p| writer.request(p)));
    let today = agenda.today;
    for entry in course.entries.iter().filter(|e| e.on <= today) {
        all.extend(writer.entry(entry));
    }
    all.extend(writer.responses());
    let entries: Vec<_> = all
        .into_iter()
        .filter_map(clean)
        .map(|r| {
            let (kind, id) = (&r["resourceType"], &r["id"]);
            let [kind, id] = [kind, id].map(|v| v.as_str().unwrap_or_default().to_owned());
            json!({"fullUrl": format!("{CANONICAL}/{kind}/{id}"), "resource": r})
        })
        .collect();
    Ok(json!({
        "resourceType": "Bundle",
        "id": id,
        "meta": {"tag": [{
            "system": format!("{CANONICAL}/CodeSystem/use"),
            "code": "research-only",
            "display": NOTICE,
        }]},
        "identifier": {"system": format!("{CANONICAL}/course"), "value": id},
        "type": "collection",
        "timestamp": stamp.recorded.to_string(),
        "entry": entries,
    }))
}

/// A registry number with its registry, where that is known.
pub(super) fn registry(number: &str) -> Value {
    let system = number.starts_with("NCT").then_some("https://clinicaltrials.gov");
    json!({"system": system, "value": number})
}

/// A measure: its name, and its LOINC code where one is certain.
pub(super) fn measure(id: &str) -> Concept {
    Concept::coded(crate::measure_name(id), LOINC, CODES.loinc.get(id))
}

struct Writer<'a> {
    protocol: &'a Protocol,
    course: &'a Course<'a>,
    state: &'a State<'a>,
    agenda: &'a Agenda,
    id: &'a str,
}

impl Writer<'_> {
    fn uuid(&self, kind: &str, key: &str) -> String {
        ids::uuid(&[self.id, kind, key])
    }

    fn reference(&self, kind: &str, key: &str) -> Reference {
        Reference::to(kind, &self.uuid(kind, key))
    }

    fn subject_of(&self) -> Reference {
        self.reference("Patient", "")
    }

    // ---- study and patient -----------------------------------------------------------------------

    fn study_id(&self) -> String {
        ids::uuid(&["study", &self.protocol.id, &self.protocol.version])
    }

    fn study(&self) -> Value {
        json!({
            "resourceType": "ResearchStudy",
            "id": self.study_id(),
            "identifier": [self.protocol.registry.as_ref().map(|r| registry(r))],
            "title": self.protocol.name,
            "protocol": [Reference::to("PlanDefinition", &ids::plain(&self.protocol.id))],
            "status": "active",
            "description": self.protocol.source,
        })
    }

    fn patient(&self) -> Value {
        let dead = self.course.death.filter(|d| *d <= self.agenda.today);
        json!({
            "resourceType": "Patient",
            "id": self.uuid("Patient", ""),
            "identifier": [{
                "system": format!("{CANONICAL}/subject"),
                "value": self.course.patient,
            }],
            "deceasedDateTime": dead.map(|d| d.to_string()),
        })
    }

    fn subject(&self) -> Value {
        let status = match self.agenda.ended.map(|e| e.because) {
            Some(End::Withdrawal) => "withdrawn",
            Some(End::Death | End::Complete) => "off-study",
            Some(End::Progression | End::Intolerance) => "follow-up",
            None if self.agenda.cycle.is_some() => "on-study-intervention",
            None => "on-study",
        };
        json!({
            "resourceType": "ResearchSubject",
            "id": self.uuid("ResearchSubject", ""),
            "identifier": [{
                "system": format!("{CANONICAL}/subject"),
                "value": self.course.patient,
            }],
            "status": status,
            "period": self.period(),
            "study": Reference::to("ResearchStudy", &self.study_id()),
            "individual": self.subject_of(),
            "assignedArm": self.course.variant,
        })
    }

    fn period(&self) -> Value {
        let start = self.state.cycles.first().map_or(self.course.c1d1, |c| c.start);
        let end = self.agenda.ended.map(|e| e.on.to_string());
        // What ended before it began has no start.
        let start = (self.agenda.ended.is_none_or(|e| e.on >= start)).then(|| start.to_string());
        json!({"start": start, "end": end})
    }

    // ---- the plan --------------------------------------------------------------------------------

    fn care_plan(&self) -> Value {
        let (a, p) = (self.agenda, self.protocol);
        let status = match a.ended.map(|e| e.because) {
            Some(End::Complete) => "completed",
            Some(_) => "revoked",
            None => "active",
        };
        let warnings = a.conflicts.iter().chain(&a.deviations).chain(&a.warnings);
        let notes: Vec<_> = warnings.map(|w| json!({"text": w})).collect();
        json!({
            "resourceType": "CarePlan",
            "id": self.uuid("CarePlan", ""),
            "instantiatesCanonical": [format!("{}|{}", super::plan_url(p), p.version)],
            "status": status,
            "intent": "plan",
            "title": p.name,
            "description": format!("{NOTICE} As of {}.", a.today),
            "subject": self.subject_of(),
            "period": self.period(),
            "activity": a.obligations.iter().map(|o| self.activity(o)).collect::<Vec<_>>(),
            "note": notes,
        })
    }

    fn activity(&self, o: &Obligation) -> Value {
        let period = self
            .agenda
            .periods
            .iter()
            .find(|p| o.kind == Kind::Drug && p.dose.drug == o.what && p.from == o.earliest);
        if let Some(p) = period {
            return json!({"reference": self.reference("MedicationRequest", &request_key(p))});
        }
        let status = match o.status {
            Status::Done => "completed",
            Status::Due | Status::Upcoming => "scheduled",
            Status::Overdue | Status::Undecided => "not-started",
            Status::Held => "on-hold",
            Status::Missed => "stopped",
            Status::NotNeeded | Status::Cancelled => "cancelled",
        };
        let done = o.done.filter(|_| o.kind == Kind::Procedure);
        let outcome = done.and_then(|_| self.procedure_entry(&o.what));
        let kind = (o.kind != Kind::Cycle).then_some("ServiceRequest");
        json!({
            "outcomeReference": [outcome.map(|e| self.reference("Procedure", &e.id.0))],
            "detail": {
                "extension": [
                    extension("target", "valueDate", o.target.to_string()),
                    extension("reference", "valueString", &o.reference),
                    extension("if-missed", "valueString", &o.if_missed),
                    extension("obligation", "valueString", &o.id),
                    extension("status", "valueCode", crate::words::code(&o.status)),
                ],
                "kind": kind,
                "code": {"text": o.name},
                "status": status,
                "statusReason": {"text": o.because.join("; ")},
                "scheduledPeriod": {
                    "start": o.earliest.to_string(), "end": o.latest.to_string(),
                },
                "description": o.source,
            },
        })
    }

    // ---- drugs -----------------------------------------------------------------------------------

    fn medication(&self, id: &str, name: &str) -> Value {
        json!({
            "resourceType": "Medication",
            "id": self.uuid("Medication", id),
            "code": drug(id, name),
        })
    }

    /// Drugs that were taken although the protocol does not have them.
    fn other_drugs(&self) -> BTreeSet<String> {
        let taken = self.course.doses.iter().map(|r| r.drug);
        taken.filter(|d| self.protocol.drug(d).is_none()).map(str::to_owned).collect()
    }

    fn request(&self, p: &DosePeriod) -> Value {
        let dose = &p.dose;
        let ended = self.agenda.ended.is_some_and(|e| e.on < p.from);
        let status = match () {
            () if ended => "cancelled",
            () if dose.stopped => "stopped",
            () if dose.held.is_some() => "on-hold",
            () if p.to < self.agenda.today => "completed",
            () if p.from > self.agenda.today => "draft",
            () => "active",
        };
        let tablets = dose.intake.iter().flat_map(|i| &i.counts).filter(|c| c.count > 0);
        let tablets = tablets.map(|c| {
            let piece = dose.intake.as_ref().map_or("piece", |i| i.piece.word(c.count));
            json!({
                "url": format!("{CANONICAL}/StructureDefinition/tablets"),
                "extension": [
                    {"url": "strength", "valueQuantity": quantity(c.strength_mg, "mg")},
                    {"url": "count", "valueQuantity": {"value": c.count, "unit": piece}},
                ],
            })
        });
        let form = self.protocol.drug(&dose.drug).and_then(|d| d.form.as_ref());
        let because: Vec<_> = dose.held.iter().chain(&dose.because).cloned().collect();
        let needs: Vec<_> = dose.needs.iter().map(|n| format!("needs {n}")).collect();
        let lines = dose.lines.iter().map(|l| {
            format!(
                "{}: {} {}, {} ({})",
                l.what,
                super::number(l.value),
                l.unit,
                l.because,
                l.source
            )
        });
        let notes = because.iter().cloned().chain(needs).chain(lines);
        let day = |d: Date| d.to_string();
        json!({
            "resourceType": "MedicationRequest",
            "id": self.uuid("MedicationRequest", &request_key(p)),
            "extension": [
                extension("cycle", "valueInteger", p.cycle),
                extension("cycle-day", "valueInteger", p.from_day),
                extension("dose-level", "valueString", &dose.level),
            ],
            "status": status,
            "statusReason": {"text": because.join("; ")},
            // What the protocol asks for; who prescribes is a person.
            "intent": "plan",
            "medicationReference": self.reference("Medication", &dose.drug),
            "subject": self.subject_of(),
            "note": notes.map(|n| json!({"text": n})).collect::<Vec<_>>(),
            "dosageInstruction": [{
                "extension": tablets.collect::<Vec<_>>(),
                "text": dose.words,
                "timing": {"repeat": {
                    "boundsPeriod": {"start": day(p.from), "end": day(p.to)},
                    "frequency": dose.times_a_day, "period": 1, "periodUnit": "d",
                }},
                "route": form.map(|_| json!({"text": "by mouth"})),
                "doseAndRate": [dose.mg_per_intake.map(|mg| json!({
                    "doseQuantity": quantity(mg, "mg"),
                }))],
            }],
        })
    }

    /// The period that a day of a drug falls in.
    fn request_on(&self, drug: &str, day: Date) -> Option<Reference> {
        let mut periods = self.agenda.periods.iter();
        let period = periods.find(|p| p.dose.drug == drug && (p.from..=p.to).contains(&day))?;
        Some(self.reference("MedicationRequest", &request_key(period)))
    }

    // ---- what happened ---------------------------------------------------------------------------

    fn entry(&self, e: &Entry<'_>) -> Vec<Value> {
        let note = e.why.map(|w| json!({"text": w}));
        match e.fact {
            Fact::Enrolment { values, .. } | Fact::Labs { values } => {
                values.iter().filter_map(|(id, v)| self.observation(e, id, *v, None)).collect()
            }
            Fact::Simulation(s) => {
                let measures = s.measures.iter();
                let mut all: Vec<_> = measures
                    .filter_map(|(id, m)| self.observation(e, id, m.value, m.interval))
                    .collect();
                let mut simulations = self.protocol.procedures(ProcedureKind::Simulation);
                let plan = s.plan_sha256.as_ref();
                let plan = plan.map(|h| extension("plan-sha256", "valueString", h));
                let planned = s
                    .activity_gbq
                    .iter()
                    .map(|a| extension("planned-activity", "valueQuantity", quantity(*a, "GBq")));
                let extensions: Vec<_> = plan.into_iter().chain(planned).collect();
                all.push(self.procedure(e, simulations.next(), "Simulation procedure", extensions));
                all
            }
            Fact::Doses { drug, taken, until, mg_per_intake } => {
                vec![self.taken(e, drug, *taken, *until, *mg_per_intake, note)]
            }
            Fact::Toxicity { term, grade, ctcae, related } if *grade > 0 => {
                vec![self.adverse(e, term, *grade, *ctcae, related)]
            }
            Fact::Session { procedure, territory, activity_gbq, residual_gbq, device } => {
                let gbq = |name, v: &f64| extension(name, "valueQuantity", quantity(*v, "GBq"));
                let mut extensions = vec![gbq("activity", activity_gbq)];
                extensions.extend(residual_gbq.iter().map(|r| gbq("residual-activity", r)));
                let device = device.iter().map(|d| extension("device", "valueString", d));
                extensions.extend(device);
                let known = self.protocol.procedure.iter().find(|p| p.id == *procedure);
                let mut resource = self.procedure(e, known, procedure, extensions);
                resource["bodySite"] = json!([territory.as_ref().map(|t| json!({"text": t}))]);
                vec![resource]
            }
            Fact::Procedure { procedure } => {
                let known = self.protocol.procedure.iter().find(|p| p.id == *procedure);
                vec![self.procedure(e, known, procedure, Vec::new())]
            }
            Fact::Therapy { name, liver } => {
                let liver = extension("directed-at-liver", "valueBoolean", *liver);
                vec![self.procedure(e, None, name, vec![liver])]
            }
            _ => Vec::new(),
        }
    }

    fn observation(
        &self,
        e: &Entry<'_>,
        id: &str,
        value: f64,
        interval: Option<[f64; 2]>,
    ) -> Option<Value> {
        // What no measure is, the course names among its problems.
        let m = Measure::find(id).ok()?;
        let laboratory = Laboratory::of_measure(&m.id);
        let category = laboratory.map(|_| {
            json!({"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "laboratory",
            }]})
        });
        let last = self.course.samples_until(&m.id, self.agenda.today).last();
        let is_last = |s: &Sample| (s.on, s.at, s.value) == (e.on, e.at, value);
        let grade = last
            .filter(|s| is_last(s))
            .and_then(|_| self.agenda.values.iter().find(|v| v.measure == m.id)?.grade?.grade());
        let grade =
            grade.map(|g| super::complex("ctcae-grade", &grade_tree(g.grade, g.version.into())));
        let interval = interval.map(|[low, high]| {
            let [low, high] = [low, high].map(|x| quantity(x, &m.unit));
            extension("interval", "valueRange", json!({"low": low, "high": high}))
        });
        let limit = |l: &std::collections::BTreeMap<&'static str, f64>| {
            l.get(m.id.as_str()).map(|x| quantity(*x, &m.unit))
        };
        let normal = json!({"low": limit(&self.course.lln), "high": limit(&self.course.uln)});
        let mut resource = json!({
            "resourceType": "Observation",
            "id": self.uuid("Observation", &format!("{}/{id}", e.id)),
            "extension": [grade, interval],
            "status": if e.corrected { "corrected" } else { "final" },
            "category": [category],
            "code": measure(&m.id),
            "subject": self.subject_of(),
            "effectiveDateTime": e.on.to_string(),
            "issued": e.recorded.to_string(),
            "note": [e.why.map(|w| json!({"text": w}))],
            "referenceRange": [normal],
        });
        match m.kind {
            Scale::YesNo if m.show(1.0) == "yes" => resource["valueBoolean"] = json!(value != 0.0),
            Scale::YesNo => resource["valueCodeableConcept"] = json!({"text": m.show(value)}),
            Scale::Score if value.fract() == 0.0 => resource["valueInteger"] = json!(value as i64),
            Scale::Score | Scale::Number => resource["valueQuantity"] = quantity(value, &m.unit),
        }
        Some(resource)
    }

    fn taken(
        &self,
        e: &Entry<'_>,
        drug: &str,
        taken: bool,
        until: Option<Date>,
        mg: Option<f64>,
        note: Option<Value>,
    ) -> Value {
        let period = self
            .agenda
            .periods
            .iter()
            .find(|p| p.dose.drug == drug && (p.from..=p.to).contains(&e.on));
        let mg = mg.or(period.filter(|_| taken).and_then(|p| p.dose.mg_per_intake));
        let request = self.request_on(drug, e.on);
        // What is told ahead ends today.
        let until = until.unwrap_or(e.on).max(e.on).min(self.agenda.today);
        let when = json!({"start": e.on.to_string(), "end": until.to_string()});
        let medication = self.reference("Medication", drug);
        let infusion = self.protocol.drug(drug).is_some_and(|d| d.form.is_none());
        let dose = mg.filter(|_| taken).map(|mg| quantity(mg, "mg"));
        if infusion {
            return json!({
                "resourceType": "MedicationAdministration",
                "id": self.uuid("MedicationAdministration", &e.id.0),
                "status": if taken { "completed" } else { "not-done" },
                "medicationReference": medication,
                "subject": self.subject_of(),
                "effectivePeriod": when,
                "request": request,
                "note": [note],
                "dosage": dose.map(|d| json!({"dose": d})),
            });
        }
        json!({
            "resourceType": "MedicationStatement",
            "id": self.uuid("MedicationStatement", &e.id.0),
            "basedOn": [request],
            "status": if taken { "completed" } else { "not-taken" },
            "medicationReference": medication,
            "subject": self.subject_of(),
            "effectivePeriod": when,
            "dateAsserted": e.recorded.to_string(),
            "note": [note],
            "dosage": [dose.map(|d| json!({"doseAndRate": [{"doseQuantity": d}]}))],
        })
    }

    fn adverse(
        &self,
        e: &Entry<'_>,
        term: &str,
        grade: u8,
        ctcae: u8,
        related: &[String],
    ) -> Value {
        let today = self.agenda.today;
        let mut later = self.course.toxicities.iter().filter(|t| t.term == term && t.on <= today);
        let over = later.any(|t| t.on > e.on && t.grade == 0);
        let (outcome, words) = match (grade, over) {
            (5, _) => ("fatal", "Fatal"),
            (_, true) => ("resolved", "Resolved"),
            (_, false) => ("ongoing", "Ongoing"),
        };
        let suspects: Vec<_> = related
            .iter()
            .map(|what| {
                let drug = self.protocol.drug(what).map(|_| self.reference("Medication", what));
                let procedure = || {
                    let entry = self.procedure_entry(what).filter(|p| p.on <= e.on)?;
                    Some(self.reference("Procedure", &entry.id.0))
                };
                match drug.or_else(procedure) {
                    Some(reference) => json!({"instance": reference}),
                    None => json!({"instance": {"display": what}}),
                }
            })
            .collect();
        json!({
            "resourceType": "AdverseEvent",
            "id": self.uuid("AdverseEvent", &e.id.0),
            "extension": [super::complex("ctcae-grade", &grade_tree(grade, ctcae))],
            "actuality": "actual",
            "event": {"text": term},
            "subject": self.subject_of(),
            "date": e.on.to_string(),
            "recordedDate": e.recorded.to_string(),
            "outcome": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/adverse-event-outcome",
                "code": outcome, "display": words,
            }]},
            "suspectEntity": suspects,
            "study": [Reference::to("ResearchStudy", &self.study_id())],
        })
    }

    /// The last entry that says that a procedure was done.
    fn procedure_entry(&self, id: &str) -> Option<&Entry<'_>> {
        let kind = self.protocol.procedure.iter().find(|p| p.id == id).map(|p| p.kind);
        self.course.entries.iter().rfind(|e| {
            e.on <= self.agenda.today
                && match e.fact {
                    Fact::Session { procedure, .. } | Fact::Procedure { procedure } => {
                        procedure == id
                    }
                    Fact::Simulation(_) => kind == Some(ProcedureKind::Simulation),
                    _ => false,
                }
        })
    }

    fn procedure(
        &self,
        e: &Entry<'_>,
        known: Option<&Procedure>,
        name: &str,
        extensions: Vec<Value>,
    ) -> Value {
        // A time of the day would need its zone, which is the site's and not the event's.
        let at =
            e.at.map(|t| extension("local-time", "valueTime", t.strftime("%H:%M:%S").to_string()));
        let extensions: Vec<_> = extensions.into_iter().chain(at).collect();
        json!({
            "resourceType": "Procedure",
            "id": self.uuid("Procedure", &e.id.0),
            "extension": extensions,
            "status": "completed",
            "code": {"text": known.map_or(name, |p| p.name.as_str())},
            "subject": self.subject_of(),
            "performedDateTime": e.on.to_string(),
            "note": [e.why.map(|w| json!({"text": w}))],
        })
    }

    /// Responses by region and scan.
    fn responses(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for a in &self.agenda.outcomes.responses {
            let (criteria, scope) = (crate::words::code(&a.criteria), crate::words::code(&a.scope));
            for p in &a.points {
                let sum = p.sum_mm.map(|mm| {
                    json!({
                        "code": {"text": "Sum of diameters of target lesions"},
                        "valueQuantity": quantity(mm, "mm"),
                    })
                });
                let key = format!("response/{scope}/{}", p.date);
                all.push(json!({
                    "resourceType": "Observation",
                    "id": self.uuid("Observation", &key),
                    "status": "final",
                    "code": {"text": format!("Response, {criteria}, region: {scope}")},
                    "subject": self.subject_of(),
                    "effectiveDateTime": p.date.to_string(),
                    "valueCodeableConcept": {"text": p.overall.as_str()},
                    "note": p.notes.iter().chain(&p.problems)
                        .map(|n| json!({"text": n})).collect::<Vec<_>>(),
                    "component": [sum],
                }));
            }
        }
        all
    }
}

fn request_key(p: &DosePeriod) -> String {
    format!("c{}/{}/{}", p.cycle, p.dose.drug, p.from_day)
}

fn grade_tree(grade: u8, version: u8) -> Vec<(&'static str, crate::words::Node)> {
    use crate::words::Node;
    vec![("grade", Node::Whole(grade.into())), ("version", Node::Text(format!("CTCAE v{version}")))]
}
