//! From a fact to the cells of its form.

use super::cell::{escape, list};
use super::{Cells, Envelope, FieldKind, Form, OTHER};
use hepatica_regimen::event::{Fact, Simulation};
use hepatica_regimen::measure::Measure;
use hepatica_regimen::response::{NonTargetState, Scan};
use std::collections::BTreeMap;

/// Fills a form.
pub(super) struct Writer<'a> {
    pub(super) form: &'a Form,
    pub(super) cells: Cells,
}

impl Writer<'_> {
    fn put(&mut self, id: &str, text: impl Into<String>) {
        self.cells.insert(format!("{}_{id}", self.form.prefix), text.into());
    }

    fn option(&mut self, id: &str, value: Option<impl ToString>) {
        self.put(id, value.map_or_else(String::new, |v| v.to_string()));
    }

    fn has(&self, id: &str) -> bool {
        let id = format!("{}_{id}", self.form.prefix);
        self.form.fields.iter().any(|f| f.id == id)
    }

    fn choose(&mut self, id: &str, value: &str) {
        let field = format!("{}_{id}", self.form.prefix);
        let codes = self.form.fields.iter().find(|f| f.id == field).map(|f| &f.kind);
        let known = match codes {
            Some(FieldKind::Choice(codes)) => {
                value != OTHER && codes.iter().any(|(code, _)| code == value)
            }
            _ => false,
        };
        self.put(id, if known { value } else { OTHER });
        if !known {
            self.put(&format!("{id}_other"), value);
        }
    }

    /// Values with fields of their own, and the others a line each.
    fn values(&mut self, values: &BTreeMap<String, f64>, ending: &str, more: &str) {
        let mut lines = Vec::new();
        for (name, value) in values {
            let id = format!("{name}{ending}");
            if Measure::find(name).is_ok_and(|m| m.id == *name) && self.has(&id) {
                self.put(&id, value.to_string());
            } else {
                lines.push(format!("{} = {value}", escape(name)));
            }
        }
        self.put(more, lines.join("\n"));
    }

    pub(super) fn fact(&mut self, fact: &Fact) {
        let yes = |b: bool| if b { "1" } else { "0" };
        match fact {
            Fact::Begin { protocol, variant, c1d1 } => {
                self.put("protocol", protocol.id.as_str());
                self.put("version", protocol.version.as_str());
                self.put("sha256", protocol.sha256.as_str());
                if let Some(v) = variant {
                    self.choose("variant", v);
                }
                self.put("c1d1", c1d1.to_string());
            }
            Fact::Enrolment { birth, variant, values } => {
                self.option("birth", *birth);
                if let Some(v) = variant {
                    self.choose("variant", v);
                }
                self.values(values, "", "more");
            }
            Fact::Labs { values } => self.values(values, "", "more"),
            Fact::Normal { lln, uln } => {
                self.values(lln, "_lln", "more_lln");
                self.values(uln, "_uln", "more_uln");
            }
            Fact::Doses { drug, taken, until, mg_per_intake } => {
                self.choose("drug", drug);
                self.put("taken", yes(*taken));
                self.option("until", *until);
                self.option("mg", *mg_per_intake);
            }
            Fact::Toxicity { term, grade, ctcae, related } => {
                self.choose("term", term);
                self.put("grade", grade.to_string());
                self.put("ctcae", ctcae.to_string());
                self.put("related", list(related.iter().map(String::as_str)));
            }
            Fact::Simulation(s) => self.simulation(s),
            Fact::Session { procedure, territory, activity_gbq, residual_gbq, device } => {
                self.choose("procedure", procedure);
                self.option("territory", territory.as_deref());
                self.put("activity", activity_gbq.to_string());
                self.option("residual", *residual_gbq);
                self.option("device", device.as_deref());
            }
            Fact::Procedure { procedure } => self.choose("procedure", procedure),
            Fact::Scan { reading } => self.scan(reading),
            Fact::Therapy { name, liver } => {
                self.put("kind", "therapy");
                self.put("therapy", name.as_str());
                self.put("liver", yes(*liver));
            }
            Fact::Hold { drugs } | Fact::Resume { drugs } => {
                self.put("kind", fact.kind());
                self.put("drugs", list(drugs.iter().map(String::as_str)));
            }
            Fact::Override { gate, criterion, until } => {
                self.put("kind", "override");
                self.put("gate", gate.as_str());
                self.put("criterion", criterion.as_str());
                self.option("until", *until);
            }
            Fact::Withdrawal {} | Fact::Death {} => self.put("kind", fact.kind()),
            Fact::Migration { .. } | Fact::Correction { .. } => {}
        }
    }

    fn simulation(&mut self, s: &Simulation) {
        self.option("plan_sha256", s.plan_sha256.as_deref());
        self.option("device", s.device.as_deref());
        let activities: Vec<_> = s.activity_gbq.iter().map(f64::to_string).collect();
        self.put("activities", activities.join("; "));
        let mut lines = Vec::new();
        for (name, m) in &s.measures {
            let plain = m.interval.is_none() && Measure::find(name).is_ok_and(|k| k.id == *name);
            match m.interval {
                _ if plain && self.has(name) => self.put(name, m.value.to_string()),
                None => lines.push(format!("{} = {}", escape(name), m.value)),
                Some([lo, hi]) => {
                    lines.push(format!("{} = {} [{lo}; {hi}]", escape(name), m.value));
                }
            }
        }
        self.put("more", lines.join("\n"));
        let limits = s.limits.iter();
        let limits =
            limits.map(|(n, l)| format!("{} = {} ; {}", escape(n), l.value, escape(&l.source)));
        self.put("limits", limits.collect::<Vec<_>>().join("\n"));
    }

    fn scan(&mut self, scan: &Scan) {
        let mut lines = Vec::new();
        for (n, l) in scan.lesions.iter().enumerate() {
            let id = |part: &str| format!("t{}_{part}", n + 1);
            // A lesion without a name or a site would look like an empty field.
            if self.has(&id("id")) && !l.id.is_empty() && !l.site.is_empty() {
                self.put(&id("id"), l.id.as_str());
                self.put(&id("site"), l.site.as_str());
                self.put(&id("node"), if l.node { "1" } else { "0" });
                self.option(&id("mm"), l.diameter_mm);
                self.option(&id("viable"), l.viable_mm);
                continue;
            }
            let mm = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
            let (id, site) = (escape(&l.id), escape(&l.site));
            let (node, whole, viable) = (u8::from(l.node), mm(l.diameter_mm), mm(l.viable_mm));
            lines.push(format!("{id}; {site}; {node}; {whole}; {viable}"));
        }
        self.put("more", lines.join("\n"));
        let other = scan.non_target.iter().map(|n| {
            let state = match n.state {
                NonTargetState::Cr => "cr",
                NonTargetState::NonCrNonPd => "non-cr-non-pd",
                NonTargetState::Pd => "pd",
                NonTargetState::Ne => "ne",
            };
            format!("{} = {state}", escape(&n.site))
        });
        self.put("non_target", other.collect::<Vec<_>>().join("\n"));
        self.put("new", list(scan.new_lesions.iter().map(String::as_str)));
    }
}

/// The cells of an envelope.
#[must_use]
pub fn write_envelope(form: &Form, e: &Envelope) -> Cells {
    let mut w = Writer { form, cells: Cells::new() };
    w.put("on", e.on.to_string());
    w.option("at", e.at);
    w.option("recorded", e.recorded);
    w.option("by", e.by.as_deref());
    w.option("why", e.why.as_deref());
    w.cells.retain(|_, text| !text.is_empty());
    w.cells
}
