//! Contradictions are found: each in a shipped protocol with one change of its text.

use hepatica_regimen::Protocol;
use hepatica_regimen::protocol::Source;
use hepatica_regimen::protocol::check::{Finding, Severity};

/// Warnings of the shipped protocols that stay, and why.
const ACCEPTED: [(&str, &str, &str); 1] = [(
    "capecitabine-tare",
    "gate simulation-safe, criterion capecitabine",
    "the days are Hickey's, who gave glass; whether a site follows Cohen with resin is for a person to decide and to record",
)];

#[test]
fn the_shipped_protocols_do_not_contradict_themselves() {
    for name in Protocol::shipped() {
        for f in Protocol::named(name).expect("shipped").findings() {
            let accepted = f.severity == Severity::Warning
                && ACCEPTED.iter().any(|(p, place, _)| *p == name && *place == f.place);
            assert!(accepted, "{name}: {}: {f}", f.severity);
        }
    }
    for (name, place, why) in ACCEPTED {
        let found = Protocol::named(name).expect("shipped").findings();
        assert!(found.iter().any(|f| f.place == place), "{name}, {place} is mended: {why}");
    }
}

/// What a change of a shipped protocol brings up that was not there before.
fn changed(name: &str, from: &str, to: &str) -> Vec<Finding> {
    let source = Source::named(name).expect("shipped");
    let text = source.text.replacen(from, to, 1);
    assert_ne!(text, source.text, "{name} has no `{from}`");
    let protocol = Protocol::parse(&text, "p.toml").expect("a protocol");
    let before = source.protocol.findings();
    protocol.findings().into_iter().filter(|f| !before.contains(f)).collect()
}

/// That exactly one thing is found, there, in these words.
#[track_caller]
fn finds(name: &str, [from, to]: [&str; 2], severity: Severity, sentence: &str) {
    let found = changed(name, from, to);
    let sentences: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(sentences, [sentence]);
    assert_eq!(found[0].severity, severity);
}

#[track_caller]
fn error(name: &str, change: [&str; 2], sentence: &str) {
    finds(name, change, Severity::Error, sentence);
}

#[track_caller]
fn warning(name: &str, change: [&str; 2], sentence: &str) {
    finds(name, change, Severity::Warning, sentence);
}

// ---- identifiers ---------------------------------------------------------------------------------

#[test]
fn an_id_twice() {
    error(
        "captemy90",
        ["id = \"visit\"", "id = \"scan\""],
        "assessment scan: the id `scan` is that of another assessment; give each its own",
    );
    error(
        "captemy90",
        ["id = \"visit\"", "id = \"capecitabine\""],
        "assessment capecitabine: the id `capecitabine` is that of another drug; give each its own",
    );
    error(
        "captemy90",
        ["id = \"pfs\"", "id = \"os\""],
        "endpoint os: the id `os` is that of another endpoint; give each its own",
    );
    // An included criterion counts.
    error(
        "radioembolization",
        [
            "include = [\"radioembolization\"]",
            "include = [\"radioembolization\"]\ncriterion = [{ id = \"inr\", name = \"INR\", measure = \"inr\", comparison = \"<\", limit = 1.6, unit = \"\", otherwise = \"hold\", source = \"[assumed]\" }]",
        ],
        "gate simulation-safe, criterion inr: the id `inr` is that of another criterion; give each its own",
    );
}

// ---- cycles --------------------------------------------------------------------------------------

#[test]
fn an_end_that_cannot_come() {
    error(
        "radioembolization",
        ["until = [\"progression\"", "until = [\"intolerance\", \"progression\""],
        "cycle: `until` names intolerance, and there is no drug that could be stopped; leave intolerance out",
    );
    error(
        "captemy90",
        ["until = [\"progression\"", "until = [\"complete\", \"progression\""],
        "cycle: `until` names complete, and there is no last cycle; write `at_most`, or leave complete out",
    );
    error(
        "mfolfox6",
        ["until = [\"complete\"", "until = [\"progression\""],
        "cycle: `until` names progression, and nothing says how it is found; add [response], or leave progression out",
    );
}

#[test]
fn a_window_after_the_last_cycle() {
    error(
        "captemy90",
        ["days = 28\nuntil", "days = 28\nat_most = 3\nuntil"],
        "procedure session-2, window: is in cycle 4, and there are 3 at most; move it, or raise cycle.at_most",
    );
    error(
        "mfolfox6",
        [
            "when = [{ from_cycle = 1",
            "when = [{ cycle = 13, earliest = 1, target = 1, latest = 1 }, { from_cycle = 1",
        ],
        "assessment counts-day-1: is in cycle 13, and there are 12 at most; move it, or raise cycle.at_most",
    );
}

#[test]
fn a_version_of_ctcae_that_nobody_knows() {
    error(
        "captem",
        ["ctcae = 5", "ctcae = 3"],
        "ctcae: CTCAE version 3 is not known here, expected 5 or 6; write 5 or 6",
    );
}

// ---- drugs ---------------------------------------------------------------------------------------

#[test]
fn a_variant_without_doses() {
    let found =
        changed("captem", "id = \"e2211\"\nper = \"intake\"", "id = \"e2212\"\nper = \"intake\"");
    let sentences: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        sentences,
        [
            "drug capecitabine: has no doses in variant e2211; add them, even if they are the same",
            "drug capecitabine: there is no variant `e2212`; did you mean `e2211`?",
        ]
    );
}

#[test]
fn levels_that_are_the_same_tablets() {
    warning(
        "captem",
        ["levels_mg_per_m2 = [750.0, 562.5, 375.0]", "levels_mg_per_m2 = [750.0, 700.0, 375.0]"],
        "drug capecitabine, variant e2211: level -1 is the same tablets as level 0 at 28 of 141 body surfaces from 1.26 to 2.53 m2; a reduction would reduce nothing there: add smaller tablets, or set the levels further apart",
    );
    error(
        "captem",
        ["levels_mg_per_m2 = [200.0, 150.0, 100.0]", "levels_mg_per_m2 = [200.0, 199.9, 100.0]"],
        "drug temozolomide, variant e2211: level -1 is the same tablets as level 0 at every body surface; a reduction would reduce nothing there: add smaller tablets, or set the levels further apart",
    );
}

#[test]
fn an_escalation_with_nothing_above() {
    error(
        "captemy90",
        ["variants = [\"pilot-2018\"]", "variants = [\"g3-2024\"]"],
        "drug temozolomide, escalation: variant g3-2024 begins on its highest level: there is nothing above; set start_level, or leave the variant out",
    );
}

#[test]
fn an_adjustment_in_another_unit() {
    error(
        "captem",
        ["unit = \"mL/min\"", "unit = \"mL/s\""],
        "drug capecitabine, adjustment by creatinine_clearance: creatinine_clearance is kept in mL/min, and `mL/s` is written; write unit = \"mL/min\"",
    );
    error(
        "captem",
        ["measure = \"dpyd_activity_score\"", "measure = \"dpyd_activty_score\""],
        "drug capecitabine, adjustment by dpyd_activty_score: there is no measure `dpyd_activty_score`; did you mean `dpyd_activity_score`?",
    );
}

// ---- procedures ----------------------------------------------------------------------------------

#[test]
fn a_requirement_that_is_not_there() {
    error(
        "captemy90",
        [
            "requires = [{ procedure = \"session-1\", least_days = 28 }]",
            "requires = [{ procedure = \"sesion-1\", least_days = 28 }]",
        ],
        "procedure session-2, requires: there is no procedure `sesion-1`; did you mean `session-1`?",
    );
}

#[test]
fn requirements_in_a_circle() {
    error(
        "captemy90",
        [
            "requires = [{ procedure = \"simulation\", least_days = 7, most_days = 42 }]",
            "requires = [{ procedure = \"session-2\" }]",
        ],
        "procedure session-1, requires: waits for itself: session-1 needs session-2 needs session-1; take one of these requirements out",
    );
}

#[test]
fn a_window_that_cannot_be_met() {
    error(
        "captemy90",
        ["least_days = 7, most_days = 42", "least_days = 40, most_days = 42"],
        "procedure session-1, requires simulation: must be 40 days after Simulation procedure, so on study day 41 at the earliest, and its last day is 35; widen one of the windows, or lower least_days",
    );
    error(
        "captemy90",
        ["least_days = 7, most_days = 42", "least_days = 1, most_days = 6"],
        "procedure session-1, requires simulation: must be 6 days after Simulation procedure at most, so by study day 34, and its first day is 35; widen one of the windows, or raise most_days",
    );
    error(
        "captemy90",
        ["least_days = 7, most_days = 42", "least_days = 28, most_days = 27"],
        "procedure session-1, requires simulation: at least 28 and at most 27 days before; exchange them",
    );
    warning(
        "captemy90",
        [
            "procedure = \"session-1\", least_days = 28",
            "procedure = \"session-1\", least_days = 42",
        ],
        "procedure session-2, requires session-1: the window in cycle 3 ends before 42 days have passed; leave that window out, or widen it",
    );
}

// ---- assessments ---------------------------------------------------------------------------------

#[test]
fn an_assessment_of_what_there_is_not() {
    error(
        "captemy90",
        ["measures = [\"ecog\", \"weight\"]", "measures = [\"ecgo\", \"weight\"]"],
        "assessment visit: there is no measure `ecgo`; did you mean `ecog`?",
    );
    error(
        "captemy90",
        ["measures = [\"ecog\", \"weight\"]", "measures = [\"ecog\", \"body_weight\"]"],
        "assessment visit: `body_weight` is another name of the measure weight; write `weight`",
    );
    error(
        "captemy90",
        ["measures = [\"ecog\", \"weight\"]", "measures = []"],
        "assessment visit: measures nothing, so it is never done; list its measures",
    );
}

#[test]
fn an_assessment_after_what_there_is_not() {
    error(
        "capecitabine-tare",
        ["after = \"session-1\"", "after = \"session-2\""],
        "assessment toxicity-6-weeks: there is no procedure `session-2`; did you mean `session-1`?",
    );
}

// ---- gates ---------------------------------------------------------------------------------------

#[test]
fn a_gate_before_what_there_is_not() {
    error(
        "captemy90",
        ["guards = [\"session-2\"]", "guards = [\"session-3\"]"],
        "gate second-lobe: there is no procedure `session-3`; did you mean `session-1`?",
    );
    error(
        "captemy90",
        ["guards = [\"session-2\"]", "guards = []"],
        "gate second-lobe: guards nothing, so it is never asked; say what it stands before",
    );
}

#[test]
fn a_measure_nobody_records() {
    error(
        "captem",
        [
            "{ id = \"anc\", name = \"Neutrophils\", measure = \"anc\", comparison = \">=\", limit = 1.5, unit = \"10^9/L\"",
            "{ id = \"anc\", name = \"White cells\", measure = \"wbc\", comparison = \">=\", limit = 1.5, unit = \"10^9/L\"",
        ],
        "gate next-cycle, criterion anc: nothing gives wbc: no assessment measures it, no simulation plans it, and it is not known on entry; add wbc to an assessment before it is asked",
    );
    error(
        "captem",
        [
            "measure = \"anc\", comparison = \">=\", limit = 1.5, unit = \"10^9/L\", otherwise = \"hold\", within_days = 3",
            "measure = \"days_since_session\", comparison = \">=\", limit = 1.5, unit = \"d\", otherwise = \"hold\"",
        ],
        "gate next-cycle, criterion anc: nothing gives days_since_session: there is no radioembolization; leave it out",
    );
}

#[test]
fn a_value_asked_fresher_than_it_is_measured() {
    let found = changed(
        "capecitabine-tare",
        "when = [{ from_cycle = 2, earliest = -2, target = 1, latest = 1 }]",
        "when = [{ from_cycle = 2, earliest = 8, target = 8, latest = 8 }]",
    );
    let sentences: Vec<_> = found.iter().map(ToString::to_string).collect();
    let of = |measure: &str| {
        format!(
            "gate next-cycle, criterion {measure}: a value of the last 3 days is asked before cycle, and no assessment is then; add {measure} to one that is, or ask for an older value"
        )
    };
    assert_eq!(sentences, [of("anc"), of("platelets")]);
}

#[test]
fn an_unknown_measure_names_the_near_one() {
    error(
        "captem",
        [
            "measure = \"platelets\", comparison = \">=\"",
            "measure = \"platelet\", comparison = \">=\"",
        ],
        "gate next-cycle, criterion platelets: there is no measure `platelet`; did you mean `platelets`?",
    );
    error(
        "captem",
        ["measure = \"platelets\", comparison = \">=\"", "measure = \"plt\", comparison = \">=\""],
        "gate next-cycle, criterion platelets: `plt` is another name of the measure platelets; write `platelets`",
    );
}

#[test]
fn a_limit_in_another_unit_is_converted() {
    error(
        "captem",
        ["limit = 100.0, unit = \"10^9/L\"", "limit = 100000.0, unit = \"/uL\""],
        "gate next-cycle, criterion platelets: platelets is kept in 10^9/L, and `/uL` is written; write limit = 100.0, unit = \"10^9/L\"",
    );
    error(
        "captemy90",
        ["limit = 2.0, unit = \"mg/dL\"", "limit = 34.2, unit = \"umol/L\""],
        "gate eligibility, criterion bilirubin: bilirubin is kept in mg/dL, and `umol/L` is written; write limit = 2.0, unit = \"mg/dL\"",
    );
    error(
        "captem",
        ["limit = 1.0, unit = \"grade\"", "limit = 1.0, unit = \"percent\""],
        "gate next-cycle, criterion toxicity: toxicity_grade is kept in grade, and `percent` is written; write unit = \"grade\"",
    );
}

#[test]
fn a_limit_that_decides_nothing() {
    error(
        "captem",
        ["limit = 100.0, unit = \"10^9/L\"", "limit = 100000.0, unit = \"10^9/L\""],
        "gate next-cycle, criterion platelets: no possible value (0 to 5000) is >= 100000; so it decides nothing: check the limit and its unit",
    );
    error(
        "captem",
        ["limit = 1.0, unit = \"grade\"", "limit = 5.0, unit = \"grade\""],
        "gate next-cycle, criterion toxicity: every possible value (0 to 5) is <= 5; so it decides nothing: check the limit and its unit",
    );
}

#[test]
fn a_criterion_that_holds_nothing() {
    error(
        "captemy90",
        [
            "missing = \"pass\", source = \"as for the next intake",
            "missing = \"pass\", override = [{ protocol = \"captemy90\", reason = \"none\" }], source = \"as for the next intake",
        ],
        "gate tolerability, criterion now: goes on whatever is found: not met is overridden, missing passes; leave the criterion out, or let a missing value hold",
    );
}

#[test]
fn an_override_for_another_protocol() {
    error(
        "captemy90",
        [
            "missing = \"pass\", source = \"as for the next intake",
            "missing = \"pass\", override = [{ protocol = \"captem\", reason = \"none\" }], source = \"as for the next intake",
        ],
        "gate tolerability, criterion now: is overridden for protocol captem, and this is captemy90; name this protocol, or leave the override out",
    );
}

#[test]
fn a_criterion_of_no_terms_or_drugs() {
    error(
        "captem",
        [
            "measure = \"toxicity_grade\", terms = [\"non-haematologic\"], ",
            "measure = \"toxicity_grade\", ",
        ],
        "gate next-cycle, criterion toxicity: toxicity_grade without terms; say of which terms",
    );
    error(
        "captemy90",
        ["drugs = [\"capecitabine\"], over", "drugs = [\"capecitabin\"], over"],
        "gate tolerability, criterion taken: there is no drug `capecitabin`; did you mean `capecitabine`?",
    );
}

#[test]
fn a_limit_that_no_device_gives() {
    error(
        "radioembolization",
        [
            "measure = \"days_since_session\", comparison = \">=\", limit = 28.0,",
            "measure = \"days_since_session\", comparison = \">=\", limit_of = \"lung_sesion_gy\",",
        ],
        "gate second-lobe, criterion interval: there is no limit of a device or case `lung_sesion_gy`; did you mean `lung_session_gy`?",
    );
}

#[test]
fn a_wait_that_cannot_be() {
    error(
        "captem",
        [
            "exhausted = \"stop\", drugs = [\"capecitabine\", \"temozolomide\"]",
            "exhausted = \"stop\", drugs = [\"capecitabine\", \"temozolamide\"]",
        ],
        "gate next-cycle, wait: there is no drug `temozolamide`; did you mean `temozolomide`?",
    );
    warning(
        "captem",
        ["exhausted = \"stop\"", "exhausted = \"down\""],
        "gate next-cycle, wait: when it has waited in vain the cycle is not begun, and the drugs are not stopped; write `exhausted = \"stop\"`",
    );
    let found = changed("captem", "guards = [\"cycle\"]", "guards = [\"start\"]");
    assert!(found.iter().any(|f| f.to_string() == "gate next-cycle, wait: only a cycle waits, and the gate does not guard `cycle`; leave `wait` out, or guard the cycle"), "{found:?}");
}

// ---- modifications -------------------------------------------------------------------------------

#[test]
fn a_modification_that_never_applies() {
    error(
        "captem",
        ["grades = [4]", "grades = [6]"],
        "modification capecitabine-grade-4: is for grade 6, and toxicities have grades 1 to 5; correct the grade",
    );
    error(
        "mfolfox6",
        [
            "terms = [\"peripheral sensory neuropathy\"]",
            "terms = [\"periferal sensory neuropathy\"]",
        ],
        "modification neuropathy-grade-2: there is no CTCAE term `periferal sensory neuropathy`; did you mean `peripheral-sensory-neuropathy`?",
    );
    error(
        "captem",
        ["hold_until_grade = 1", "hold_until_grade = 2"],
        "modification capecitabine-grade-2: holds until grade 2 or below, and grade 2 already is; lower hold_until_grade",
    );
    error(
        "captem",
        [
            "drugs = [\"temozolomide\"]\nmeasure = \"anc\"",
            "drugs = [\"temozolomid\"]\nmeasure = \"anc\"",
        ],
        "modification temozolomide-nadir-neutrophils: there is no drug `temozolomid`; did you mean `temozolomide`?",
    );
}

#[test]
fn a_step_below_the_lowest_level() {
    warning(
        "captem",
        [
            "then = [\"same\", \"minus1\", \"minus2\", \"stop\"]",
            "then = [\"same\", \"minus1\", \"minus3\", \"stop\"]",
        ],
        "modification capecitabine-grade-2: Capecitabine has no 3 levels below the starting one in variant e2211: it would be stopped; add a level, or write \"stop\"",
    );
}

// ---- outcomes and marks --------------------------------------------------------------------------

#[test]
fn rules_of_endpoints_and_response() {
    error(
        "captem",
        ["missed_scans_days = 182", "missed_scans_days = 0"],
        "endpoint pfs: missed_scans_days = 0, expected the days of the scans missed; correct it",
    );
    error(
        "captem",
        ["stable_min_days = 42", "stable_min_days = 42\ntargets_per_organ_max = 0"],
        "response: targets_per_organ_max = 0, expected 1 to targets_max; correct it",
    );
    error(
        "captem",
        ["start = \"enrolment\"", "start = \"first-session\""],
        "endpoint pfs: counts from the first session, and there is no radioembolization; count from another day",
    );
}

#[test]
fn a_number_without_a_mark() {
    warning(
        "captem",
        ["source = \"every 12 weeks [recalled]\"", "source = \"every 12 weeks\""],
        "assessment scan: its source does not say how sure it is: `every 12 weeks`; add [seen], [recalled], [derived] or [assumed]",
    );
}
