//! A protocol as CDISC USDM v4: one study with one design, and its schedule of activities on one
//! timeline.
//!
//! * The timeline has one anchor, the first day that anything may be done on. All other timings are
//!   `After` it: whether the lower side of a window before an anchor is its earlier or its later one
//!   is disputed (DDF reference architecture, issue 694).
//! * Both ends of a window are given, or neither.
//! * Cycles are written out; a decision after the last says when another one follows.
//! * A gate is a condition in words, and the same typed in extension attributes.

use crate::codes::CODES;
use crate::schedule::{self, Item, What};
use crate::words::{self, Node};
use crate::{CANONICAL, ExchangeError, ids};
use hepatica_regimen::dose::Piece;
use hepatica_regimen::gate::GateRule;
use hepatica_regimen::protocol::{Drug, DrugVariant, Protocol};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CDISC: &str = "http://www.cdisc.org";
/// The package of terminology that the codes were read in.
const CT: &str = "2025-09-26";
/// Version of the model.
const USDM: &str = "4.0.0";

/// A protocol as USDM. Without a maximum in the protocol, `cycles` are written out, or
/// [`schedule::CYCLES`].
///
/// # Errors
/// [`ExchangeError::TooMany`].
pub fn study(protocol: &Protocol, cycles: Option<u32>) -> Result<Value, ExchangeError> {
    let cycles = schedule::cycles(protocol, cycles);
    let items = schedule::unroll(protocol, cycles)?;
    let mut writer = Writer { protocol, cycles, counts: BTreeMap::new() };
    Ok(writer.wrapper(&items))
}

/// What is done at one time: entries of the same day and window.
struct Group<'a> {
    items: Vec<&'a Item<'a>>,
    earliest: i64,
    target: i64,
    latest: i64,
}

struct Writer<'a> {
    protocol: &'a Protocol,
    cycles: u32,
    counts: BTreeMap<&'static str, usize>,
}

impl<'a> Writer<'a> {
    /// The next identifier of a class.
    fn id(&mut self, class: &'static str) -> String {
        let n = self.counts.entry(class).or_default();
        *n += 1;
        format!("{class}_{n}")
    }

    fn code_of(&mut self, system: &str, version: &str, code: &str, decode: &str) -> Value {
        json!({
            "id": self.id("Code"),
            "code": code, "codeSystem": system, "codeSystemVersion": version, "decode": decode,
            "extensionAttributes": [],
            "instanceType": "Code",
        })
    }

    /// A code of the CDISC terminology.
    fn code(&mut self, code: &str, decode: &str) -> Value {
        self.code_of(CDISC, CT, code, decode)
    }

    fn alias(&mut self, code: Value) -> Value {
        json!({
            "id": self.id("AliasCode"),
            "standardCode": code, "standardCodeAliases": [],
            "extensionAttributes": [],
            "instanceType": "AliasCode",
        })
    }

    /// A unit of the CDISC terminology; `None` where it has none like it.
    fn unit(&mut self, unit: &str) -> Option<Value> {
        let [code, decode] = CODES.cdisc.get(unit)?;
        let code = self.code(code, decode);
        Some(self.alias(code))
    }

    /// An instance of a class with an identifier, and what is given.
    fn make(&mut self, class: &'static str, fields: Value) -> Value {
        let id = self.id(class);
        with(class, id, fields)
    }

    // ---- study -----------------------------------------------------------------------------------

    fn wrapper(&mut self, items: &[Item<'_>]) -> Value {
        let p = self.protocol;
        let version = self.version(items);
        json!({
            "study": {
                // A UUID, as the model asks.
                "id": ids::uuid(&["usdm", &p.id, &p.version]),
                "name": p.id, "label": p.name, "description": p.source,
                "versions": [version],
                "documentedBy": [],
                "extensionAttributes": [],
                "instanceType": "Study",
            },
            "usdmVersion": USDM,
            "systemName": "Hepatica",
            "systemVersion": env!("CARGO_PKG_VERSION"),
        })
    }

    fn version(&mut self, items: &[Item<'_>]) -> Value {
        let p = self.protocol;
        let version_id = self.id("StudyVersion");
        // The protocol's file names no sponsor.
        let kind = self.code("C21541", "Healthcare Facility");
        let sponsor = self.make(
            "Organization",
            json!({
                "name": "Sponsor", "label": "not stated in the protocol's file", "type": kind,
                "identifierScheme": CANONICAL, "identifier": "sponsor",
                "legalAddress": null, "managedSites": [],
            }),
        );
        let own = self.make("StudyIdentifier", json!({"text": p.id, "scopeId": sponsor["id"]}));
        let (mut organizations, mut identifiers) = (vec![sponsor.clone()], vec![own]);
        if let Some(number) = &p.registry {
            let kind = self.code("C93453", "Study Registry");
            let registry = self.make(
                "Organization",
                json!({
                    "name": "Registry", "label": "trial registry", "type": kind,
                    "identifierScheme": CANONICAL, "identifier": "registry",
                    "legalAddress": null, "managedSites": [],
                }),
            );
            let scope = registry["id"].clone();
            identifiers
                .push(self.make("StudyIdentifier", json!({"text": number, "scopeId": scope})));
            organizations.push(registry);
        }
        let code = self.code("C70793", "Clinical Study Sponsor");
        let role = self.make(
            "StudyRole",
            json!({
                "name": "Sponsor", "label": null, "description": null, "code": code,
                "appliesToIds": [version_id], "assignedPersons": [],
                "organizationIds": [sponsor["id"]], "masking": null, "notes": [],
            }),
        );
        let kind = self.code("C207616", "Official Study Title");
        let title = self.make("StudyTitle", json!({"text": p.name, "type": kind}));

        let products = self.products();
        let intervention = self.intervention(&products);
        let (surrogates, surrogate_ids) = self.surrogates();
        let (activities, activity_ids) = self.activities(&intervention, &surrogate_ids);
        let (criteria, criterion_items) = self.eligibility();
        let conditions = self.conditions(&activity_ids);
        let design = self.design(items, &intervention, activities, &activity_ids, criteria);
        let notes =
            p.notes.clone().into_iter().chain(p.modification.iter().map(words::modification));
        let notes: Vec<_> = std::iter::once("Research use only.".to_owned())
            .chain(notes)
            .map(|text| self.make("CommentAnnotation", json!({"text": text, "codes": []})))
            .collect();
        with(
            "StudyVersion",
            version_id,
            json!({
                "versionIdentifier": p.version,
                "rationale": p.source,
                "documentVersionIds": [], "dateValues": [], "amendments": [],
                "businessTherapeuticAreas": [],
                "studyIdentifiers": identifiers,
                "referenceIdentifiers": [],
                "studyDesigns": [design],
                "titles": [title],
                "eligibilityCriterionItems": criterion_items,
                "narrativeContentItems": [], "abbreviations": [],
                "roles": [role],
                "organizations": organizations,
                "studyInterventions": [intervention],
                "administrableProducts": products.values().collect::<Vec<_>>(), "medicalDevices": [], "productOrganizationRoles": [],
                "biomedicalConcepts": [], "bcCategories": [],
                "bcSurrogates": surrogates,
                "dictionaries": [],
                "conditions": conditions,
                "notes": notes,
            }),
        )
    }

    /// The regimen as one intervention, as a design with a single group has one; its drugs are
    /// administrations.
    fn intervention(&mut self, products: &BTreeMap<&str, Value>) -> Value {
        let p = self.protocol;
        let mut administrations = Vec::new();
        for d in &p.drug {
            if d.variant.is_empty() {
                administrations.push(self.administration(d, None, products.get(d.id.as_str())));
            }
            for v in &d.variant {
                administrations.push(self.administration(d, Some(v), products.get(d.id.as_str())));
            }
        }
        let role = self.code("C41161", "Protocol Agent");
        let kind = match (p.drug.is_empty(), p.procedure.is_empty()) {
            (true, _) => self.code("C15313", "Radiation Therapy"),
            (false, true) => self.code("C1909", "Pharmacologic Substance"),
            (false, false) => self.code("C54696", "Combination Product"),
        };
        self.make(
            "StudyIntervention",
            json!({
                "name": p.id, "label": p.name, "description": p.source,
                "role": role, "type": kind, "minimumResponseDuration": null,
                "codes": [], "administrations": administrations, "notes": [],
            }),
        )
    }

    /// Drugs that come in tablets or capsules, by their identifiers.
    fn products(&mut self) -> BTreeMap<&'a str, Value> {
        let mut products = BTreeMap::new();
        let protocol = self.protocol;
        for d in &protocol.drug {
            let Some(form) = &d.form else { continue };
            let code = match form.piece {
                Piece::Tablet => self.code("C42998", "Tablet Dosage Form"),
                Piece::Capsule => self.code("C25158", "Capsule Dosage Form"),
            };
            let dose_form = self.alias(code);
            let designation = self.code("C202579", "Investigational Medicinal Product");
            let product = self.make(
                "AdministrableProduct",
                json!({
                    "name": d.id, "label": d.name,
                    "description": format!("{} of {:?} mg", form.piece.word(2), form.tablets_mg),
                    "administrableDoseForm": dose_form, "pharmacologicClass": null,
                    "productDesignation": designation, "sourcing": null,
                    "properties": [], "ingredients": [], "identifiers": [], "notes": [],
                }),
            );
            products.insert(d.id.as_str(), product);
        }
        products
    }

    /// A drug in a variant, an intake at the level it begins on. What has a route must have a dose:
    /// where the route is not known both are in the description only.
    fn administration(
        &mut self,
        d: &Drug,
        variant: Option<&DrugVariant>,
        product: Option<&Value>,
    ) -> Value {
        let days = f64::from(d.last_day - d.first_day + 1);
        let unit = self.unit("d");
        let quantity = self.make("Quantity", json!({"value": days, "unit": unit}));
        let duration = self.make(
            "Duration",
            json!({
                "text": format!("days {} to {} of each cycle", d.first_day, d.last_day),
                "quantity": quantity, "durationWillVary": false, "reasonDurationWillVary": null,
            }),
        );
        let times = variant.and_then(|v| v.times_a_day).unwrap_or(d.times_a_day);
        let frequency = match times {
            1 => Some(("C25473", "Daily")),
            2 => Some(("C64496", "Twice Daily")),
            3 => Some(("C64527", "Three Times Daily")),
            4 => Some(("C64530", "Four Times Daily")),
            _ => None,
        };
        let frequency = frequency.map(|(code, decode)| {
            let code = self.code(code, decode);
            self.alias(code)
        });
        let (mut dose, mut route, mut given) = (None, None, None);
        let mut description = d.source.clone();
        if let Some(v) = variant {
            let (levels, unit) = match v.levels_mg.is_empty() {
                true => (&v.levels_mg_per_m2, "mg/m2"),
                false => (&v.levels_mg, "mg"),
            };
            let per = words::code(&v.per);
            description = format!("levels {levels:?} {unit} per {per} ({})", v.source);
            if let (Some(level), Some(product)) = (levels.get(v.start_level), product) {
                let intake = if per == "day" { level / f64::from(times) } else { *level };
                let unit = self.unit(unit);
                dose = Some(self.make("Quantity", json!({"value": intake, "unit": unit})));
                let code = self.code("C38288", "Oral Route of Administration");
                route = Some(self.alias(code));
                given = Some(product["id"].clone());
            }
        }
        let name = variant.map_or_else(|| d.id.clone(), |v| format!("{} {}", d.id, v.id));
        self.make(
            "Administration",
            json!({
                "name": name, "label": d.name, "description": description,
                "duration": duration, "dose": dose, "route": route, "frequency": frequency,
                "administrableProductId": given, "medicalDeviceId": null, "notes": [],
            }),
        )
    }

    /// Measures, as there are no published concepts for all of them.
    fn surrogates(&mut self) -> (Vec<Value>, BTreeMap<String, String>) {
        let p = self.protocol;
        let (mut all, mut ids) = (Vec::new(), BTreeMap::new());
        for m in p.assessment.iter().flat_map(|a| &a.measures) {
            if ids.contains_key(m) {
                continue;
            }
            let surrogate = self.make(
                "BiomedicalConceptSurrogate",
                json!({
                    "name": m, "label": crate::measure_name(m), "description": null,
                    "reference": format!("{CANONICAL}/measure/{m}"), "notes": [],
                }),
            );
            ids.insert(m.clone(), text_of(&surrogate["id"]));
            all.push(surrogate);
        }
        (all, ids)
    }

    /// Drugs, procedures and assessments as activities, with their identifiers by ours.
    fn activities(
        &mut self,
        intervention: &Value,
        surrogates: &BTreeMap<String, String>,
    ) -> (Vec<Value>, BTreeMap<String, String>) {
        let p = self.protocol;
        let own = |kind: &str, id: &str| format!("{kind}/{id}");
        let drugs = p.drug.iter().map(|d| (own("drug", &d.id), &d.name, &d.source, &[][..]));
        let procedures =
            p.procedure.iter().map(|x| (own("procedure", &x.id), &x.name, &x.source, &[][..]));
        let assessments = p
            .assessment
            .iter()
            .map(|a| (own("assessment", &a.id), &a.name, &a.source, a.measures.as_slice()));
        let entries: Vec<_> = drugs.chain(procedures).chain(assessments).collect();
        let ids: Vec<_> = entries.iter().map(|_| self.id("Activity")).collect();
        let mut all = Vec::new();
        let mut by_ours = BTreeMap::new();
        for (n, (key, name, source, measures)) in entries.iter().enumerate() {
            let concepts: Vec<_> = measures.iter().filter_map(|m| surrogates.get(m)).collect();
            let mut defined = Vec::new();
            if concepts.is_empty() {
                let id = key.split_once('/').map_or(key.as_str(), |(_, id)| id);
                let code = self.code_of(CANONICAL, &p.version, id, name);
                // A scan is no part of the treatment.
                let treats = !key.starts_with("assessment/");
                defined.push(self.make(
                    "Procedure",
                    json!({
                        "name": id, "label": name, "description": source,
                        "procedureType": key.split('/').next(), "code": code,
                        "studyInterventionId": treats.then(|| intervention["id"].clone()),
                        "notes": [],
                    }),
                ));
            }
            all.push(with(
                "Activity",
                ids[n].clone(),
                json!({
                    "name": key, "label": name, "description": source,
                    "previousId": n.checked_sub(1).map(|n| &ids[n]),
                    "nextId": ids.get(n + 1),
                    "childIds": [], "definedProcedures": defined,
                    "biomedicalConceptIds": [], "bcCategoryIds": [],
                    "bcSurrogateIds": concepts,
                    "timelineId": null, "notes": [],
                }),
            ));
            by_ours.insert(key.clone(), ids[n].clone());
        }
        (all, by_ours)
    }

    /// Criteria of the gates before the start.
    fn eligibility(&mut self) -> (Vec<Value>, Vec<Value>) {
        let p = self.protocol;
        let rules: Vec<_> = p.gates("start").flat_map(|g| &g.criterion).collect();
        let ids: Vec<_> = rules.iter().map(|_| self.id("EligibilityCriterion")).collect();
        let (mut criteria, mut items) = (Vec::new(), Vec::new());
        for (n, rule) in rules.iter().enumerate() {
            let typed = self.extension("criterion", &words::criterion_tree(rule));
            let mut item = self.make("EligibilityCriterionItem", json!({
                "name": format!("EC{:03}", n + 1), "label": rule.name, "description": rule.source,
                "text": html(&words::criterion(rule)), "dictionaryId": null, "notes": [],
            }));
            item["extensionAttributes"] = json!([typed]);
            let category = self.code("C25532", "Inclusion Criteria");
            criteria.push(with(
                "EligibilityCriterion",
                ids[n].clone(),
                json!({
                    "name": format!("IN{:03}", n + 1), "label": rule.name, "description": null,
                    "category": category, "identifier": format!("{:02}", n + 1),
                    "criterionItemId": item["id"],
                    "previousId": n.checked_sub(1).map(|n| &ids[n]), "nextId": ids.get(n + 1),
                    "notes": [],
                }),
            ));
            items.push(item);
        }
        (criteria, items)
    }

    /// Gates as conditions on what they stand before.
    fn conditions(&mut self, activities: &BTreeMap<String, String>) -> Vec<Value> {
        let p = self.protocol;
        let drugs = || p.drug.iter().filter_map(|d| activities.get(&format!("drug/{}", d.id)));
        let mut all = Vec::new();
        for g in &p.gate {
            let mut applies: Vec<&String> = Vec::new();
            for what in &g.guards {
                match what.as_str() {
                    "start" | "cycle" => applies.extend(drugs()),
                    id => applies.extend(activities.get(&format!("procedure/{id}"))),
                }
            }
            applies.dedup();
            if !applies.is_empty() {
                all.push(self.condition(g, &applies));
            }
        }
        for procedure in &p.procedure {
            let Some(activity) = activities.get(&format!("procedure/{}", procedure.id)) else {
                continue;
            };
            for (n, words) in words::conditions(procedure).iter().enumerate() {
                all.push(self.make(
                    "Condition",
                    json!({
                        "name": format!("{} {}", procedure.id, n + 1), "label": procedure.name,
                        "description": procedure.source, "text": html(words),
                        "dictionaryId": null, "notes": [],
                        "contextIds": [], "appliesToIds": [activity],
                    }),
                ));
            }
        }
        all
    }

    fn condition(&mut self, g: &GateRule, applies: &[&String]) -> Value {
        let typed = self.extension("gate", &words::gate_tree(g));
        let mut condition = self.make(
            "Condition",
            json!({
                "name": format!("gate {}", g.id), "label": g.name,
                "description": format!("before {}", g.guards.join(", ")),
                "text": html(&words::gate(g)), "dictionaryId": null, "notes": [],
                "contextIds": [], "appliesToIds": applies,
            }),
        );
        condition["extensionAttributes"] = json!([typed]);
        condition
    }

    fn extension(&mut self, name: &str, nodes: &[(&'static str, Node)]) -> Value {
        let url = format!("{CANONICAL}/StructureDefinition/{name}");
        let parts: Vec<_> = nodes.iter().map(|(name, node)| self.part(&url, name, node)).collect();
        let mut attribute = self.attribute(&url);
        attribute["extensionAttributes"] = json!(parts);
        attribute
    }

    fn attribute(&mut self, url: &str) -> Value {
        json!({
            "id": self.id("ExtensionAttribute"), "url": url,
            "extensionAttributes": [], "instanceType": "ExtensionAttribute",
        })
    }

    fn part(&mut self, url: &str, name: &str, node: &Node) -> Value {
        let url = format!("{url}/{name}");
        let mut attribute = self.attribute(&url);
        match node {
            Node::Text(s) => attribute["valueString"] = json!(s),
            Node::Whole(n) => attribute["valueInteger"] = json!(n),
            Node::Quantity(value, unit) => {
                let unit = self.unit(unit);
                attribute["valueQuantity"] = json!({
                    "id": self.id("Quantity"), "value": value, "unit": unit,
                    "extensionAttributes": [], "instanceType": "Quantity",
                });
            }
            Node::Nodes(nodes) => {
                let parts: Vec<_> =
                    nodes.iter().map(|(n, node)| self.part(&url, n, node)).collect();
                attribute["extensionAttributes"] = json!(parts);
            }
        }
        attribute
    }

    // ---- design ----------------------------------------------------------------------------------

    fn design(
        &mut self,
        items: &[Item<'_>],
        intervention: &Value,
        activities: Vec<Value>,
        activity_ids: &BTreeMap<String, String>,
        criteria: Vec<Value>,
    ) -> Value {
        let p = self.protocol;
        let kind = self.code("C174266", "Investigational Arm");
        let origin = self.code("C188866", "Data Generated Within Study");
        let arm = self.make(
            "StudyArm",
            json!({
                "name": p.id, "label": p.name, "description": p.source, "type": kind,
                "dataOriginDescription": "Data generated within the study",
                "dataOriginType": origin, "populationIds": [], "notes": [],
            }),
        );
        let screened = items.iter().any(|i| i.target < 0);
        let named: Vec<_> = [
            ("Screening", "C202487", "Screening Epoch"),
            ("Treatment", "C101526", "Treatment Epoch"),
        ]
        .into_iter()
        .skip(usize::from(!screened))
        .collect();
        let ids: Vec<_> = named.iter().map(|_| self.id("StudyEpoch")).collect();
        let (mut epochs, mut cells, mut elements) = (Vec::new(), Vec::new(), Vec::new());
        for (n, (name, code, decode)) in named.iter().enumerate() {
            let kind = self.code(code, decode);
            epochs.push(with(
                "StudyEpoch",
                ids[n].clone(),
                json!({
                    "name": name, "label": name, "description": null, "type": kind,
                    "previousId": n.checked_sub(1).map(|n| &ids[n]), "nextId": ids.get(n + 1),
                    "notes": [],
                }),
            ));
            let treated = *name == "Treatment";
            let given: Vec<_> = treated.then(|| intervention["id"].clone()).into_iter().collect();
            let element = self.make(
                "StudyElement",
                json!({
                    "name": name, "label": name, "description": null,
                    "transitionStartRule": null, "transitionEndRule": null,
                    "studyInterventionIds": given, "notes": [],
                }),
            );
            cells.push(self.make(
                "StudyCell",
                json!({
                    "armId": arm["id"], "epochId": ids[n], "elementIds": [element["id"]],
                }),
            ));
            elements.push(element);
        }
        let (timeline, encounters) = self.timeline(items, activity_ids, &ids, screened);
        let objectives = self.objectives();
        let sexes = vec![self.code("C16576", "Female"), self.code("C20197", "Male")];
        let criterion_ids: Vec<_> = criteria.iter().map(|c| c["id"].clone()).collect();
        let population = self.make(
            "StudyDesignPopulation",
            json!({
                "name": "Population", "label": null, "description": null,
                "includesHealthySubjects": false,
                "plannedEnrollmentNumber": null, "plannedCompletionNumber": null,
                "plannedSex": sexes, "criterionIds": criterion_ids, "plannedAge": null,
                "cohorts": [], "notes": [],
            }),
        );
        let study_type = self.code("C98388", "Interventional Study");
        let phase = self.code("C48660", "Not Applicable");
        let phase = self.alias(phase);
        let model = self.code("C82640", "Single Group Study");
        let intent = self.code("C49656", "Treatment Study");
        let blinding = self.code("C49659", "Open Label Study");
        let blinding = self.alias(blinding);
        self.make(
            "InterventionalStudyDesign",
            json!({
                "name": p.id, "label": p.name, "description": p.source,
                "studyType": study_type, "studyPhase": phase, "therapeuticAreas": [],
                "characteristics": [], "encounters": encounters, "activities": activities,
                "arms": [arm], "studyCells": cells, "rationale": p.source,
                "epochs": epochs, "elements": elements, "estimands": [], "indications": [],
                "studyInterventionIds": [intervention["id"]],
                "objectives": objectives, "population": population,
                "scheduleTimelines": [timeline], "biospecimenRetentions": [],
                "documentVersionIds": [], "eligibilityCriteria": criteria,
                "analysisPopulations": [], "notes": [],
                "subTypes": [], "model": model, "intentTypes": [intent], "blindingSchema": blinding,
            }),
        )
    }

    /// The first endpoint is the primary one.
    fn objectives(&mut self) -> Vec<Value> {
        let p = self.protocol;
        p.endpoint
            .iter()
            .enumerate()
            .map(|(n, e)| {
                let level = match n {
                    0 => self.code("C94496", "Primary Endpoint"),
                    _ => self.code("C139173", "Secondary Endpoint"),
                };
                let endpoint = self.make("Endpoint", json!({
                "name": e.id, "label": e.name, "description": e.source, "text": html(&e.name),
                "dictionaryId": null, "notes": [], "purpose": "Efficacy", "level": level,
            }));
                let level = match n {
                    0 => self.code("C85826", "Trial Primary Objective"),
                    _ => self.code("C85827", "Trial Secondary Objective"),
                };
                let text = format!("To estimate: {}", e.name);
                self.make("Objective", json!({
                "name": format!("objective {}", e.id), "label": e.name, "description": e.source,
                "text": html(&text), "dictionaryId": null, "notes": [],
                "level": level, "endpoints": [endpoint],
            }))
            })
            .collect()
    }

    // ---- timeline --------------------------------------------------------------------------------

    fn timeline(
        &mut self,
        items: &[Item<'_>],
        activities: &BTreeMap<String, String>,
        epochs: &[String],
        screened: bool,
    ) -> (Value, Vec<Value>) {
        let groups = groups(items);
        let start = groups.iter().map(|g| g.earliest).min().unwrap_or(0).min(0);
        let treatment = &epochs[usize::from(screened)];
        let epoch_of = |day: i64| if day < 0 { &epochs[0] } else { treatment };
        let anchor = self.id("ScheduledActivityInstance");
        let ids: Vec<_> = groups.iter().map(|_| self.id("ScheduledActivityInstance")).collect();
        let encounter_ids: Vec<_> = groups.iter().map(|_| self.id("Encounter")).collect();
        let end = self.id("ScheduledActivityInstance");
        let decision = self.id("ScheduledDecisionInstance");
        let exit = self.make("ScheduleTimelineExit", json!({}));

        let what = match start {
            0 => "Day 1 of cycle 1".to_owned(),
            days => format!("{} days before day 1 of cycle 1: screening may begin", -days),
        };
        let mut instances = vec![with(
            "ScheduledActivityInstance",
            anchor.clone(),
            json!({
                "name": "anchor", "label": what, "description": what,
                "defaultConditionId": ids.first().unwrap_or(&decision),
                "epochId": epoch_of(start), "timelineId": null, "timelineExitId": null,
                "activityIds": [], "encounterId": null,
            }),
        )];
        let mut timings = vec![self.timing("anchor", &what, 0, None, &anchor, &anchor)];
        let mut encounters = Vec::new();
        for (n, g) in groups.iter().enumerate() {
            let name = format!("T{:04}", n + 1);
            let label = self.day(g);
            let window =
                (g.earliest < g.latest).then(|| [g.target - g.earliest, g.latest - g.target]);
            let timing = self.timing(&name, &label, g.target - start, window, &ids[n], &anchor);
            let kind = self.code("C25716", "Visit");
            let mode = self.code("C175574", "In Person");
            encounters.push(with("Encounter", encounter_ids[n].clone(), json!({
                "name": format!("E{:04}", n + 1), "label": label, "description": null, "type": kind,
                "previousId": n.checked_sub(1).map(|n| &encounter_ids[n]),
                "nextId": encounter_ids.get(n + 1),
                "scheduledAtId": timing["id"],
                "environmentalSettings": [], "contactModes": [mode],
                "transitionStartRule": null, "transitionEndRule": null, "notes": [],
            })));
            timings.push(timing);
            let done: Vec<_> =
                g.items.iter().filter_map(|i| activities.get(&self.key(i))).collect();
            instances.push(with(
                "ScheduledActivityInstance",
                ids[n].clone(),
                json!({
                    "name": format!("I{:04}", n + 1), "label": label, "description": null,
                    "defaultConditionId": ids.get(n + 1).unwrap_or(&decision),
                    "epochId": epoch_of(g.target), "timelineId": null, "timelineExitId": null,
                    "activityIds": done, "encounterId": encounter_ids[n],
                }),
            ));
        }
        let days = i64::from(self.protocol.cycle.days);
        let last = i64::from(self.cycles - 1) * days;
        // Another cycle is the last one again.
        let again = groups.iter().position(|g| g.target >= last).map_or(&anchor, |n| &ids[n]);
        let ends: Vec<_> = self.protocol.cycle.until.iter().map(ToString::to_string).collect();
        let most = self.protocol.cycle.at_most;
        let most = most.map_or("there is no maximum".to_owned(), |n| format!("at most {n} cycles"));
        let text = format!("None of these has come: {}; {most}", ends.join(", "));
        let assignment = self.make(
            "ConditionAssignment",
            json!({
                "condition": text, "conditionTargetId": again,
            }),
        );
        instances.push(with(
            "ScheduledDecisionInstance",
            decision,
            json!({
                "name": "another cycle", "label": "Does another cycle follow?", "description": text,
                "defaultConditionId": end, "epochId": treatment,
                "conditionAssignments": [assignment],
            }),
        ));
        let over = i64::from(self.cycles) * days;
        let over = groups.last().map_or(over, |g| over.max(g.target));
        timings.push(self.timing("end", "End of treatment", over - start, None, &end, &anchor));
        instances.push(with(
            "ScheduledActivityInstance",
            end,
            json!({
                "name": "end", "label": "End of treatment", "description": null,
                "defaultConditionId": null, "epochId": epochs.last(), "timelineId": null,
                "timelineExitId": exit["id"], "activityIds": [], "encounterId": null,
            }),
        ));
        let duration = self.make(
            "Duration",
            json!({
                "text": self.protocol.duration(), "quantity": null,
                "durationWillVary": true, "reasonDurationWillVary": self.protocol.duration(),
            }),
        );
        let timeline = self.make("ScheduleTimeline", json!({
            "name": "main", "label": "Schedule of activities",
            "description": format!("{} cycles written out; {}", self.cycles, self.protocol.duration()),
            "mainTimeline": true,
            "entryCondition": "The patient is a candidate for the protocol",
            "entryId": anchor, "exits": [exit], "timings": timings, "instances": instances,
            "plannedDuration": duration,
        }));
        (timeline, encounters)
    }

    fn timing(
        &mut self,
        name: &str,
        label: &str,
        days: i64,
        window: Option<[i64; 2]>,
        from: &str,
        anchor: &str,
    ) -> Value {
        let kind = match from == anchor {
            true => self.code("C201358", "Fixed Reference Timing Type"),
            false => self.code("C201356", "After Timing Type"),
        };
        let relation = self.code("C201355", "Start to Start");
        let [lower, upper] = match window {
            Some(ends) => ends.map(|d| Some(format!("P{d}D"))),
            None => [None, None],
        };
        let words =
            window.map(|[before, after]| format!("{before} days before to {after} days after"));
        self.make(
            "Timing",
            json!({
                "name": name, "label": label, "description": null,
                "type": kind, "value": format!("P{days}D"), "valueLabel": format!("{days} days"),
                "relativeToFrom": relation,
                "relativeFromScheduledInstanceId": from,
                "relativeToScheduledInstanceId": anchor,
                "windowLower": lower, "windowUpper": upper, "windowLabel": words,
            }),
        )
    }

    /// `C2D7`, or `day -14`.
    fn day(&self, g: &Group<'_>) -> String {
        let days = i64::from(self.protocol.cycle.days);
        match g.target {
            t if t < 0 => format!("day {t}"),
            t => format!("C{}D{}", t / days + 1, t % days + 1),
        }
    }

    fn key(&self, i: &Item<'_>) -> String {
        match i.what {
            What::Drug(n) => format!("drug/{}", self.protocol.drug[n].id),
            What::Procedure(p, _) => format!("procedure/{}", p.id),
            What::Assessment(a) => format!("assessment/{}", a.id),
        }
    }
}

/// Entries of the same day and window together; what comes twice is once.
fn groups<'a>(items: &'a [Item<'a>]) -> Vec<Group<'a>> {
    let same = |a: &Item<'_>, b: &Item<'_>| {
        (a.target, a.earliest, a.latest) == (b.target, b.earliest, b.latest)
    };
    let group = |all: &'a [Item<'a>]| {
        let mut items: Vec<&Item<'_>> = all.iter().collect();
        items.dedup_by(|a, b| a.what == b.what);
        let (earliest, target, latest) = (all[0].earliest, all[0].target, all[0].latest);
        Group { items, earliest, target, latest }
    };
    items.chunk_by(same).map(group).collect()
}

/// Fields with what every instance of a class has.
fn with(class: &str, id: String, mut fields: Value) -> Value {
    fields["id"] = json!(id);
    fields["instanceType"] = json!(class);
    fields["extensionAttributes"] = json!([]);
    fields
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Text as a paragraph of HTML, which is what the model asks for.
fn html(text: &str) -> String {
    let mut all = String::from("<p>");
    for c in text.chars() {
        match c {
            '&' => all += "&amp;",
            '<' => all += "&lt;",
            '>' => all += "&gt;",
            c => all.push(c),
        }
    }
    all + "</p>"
}
