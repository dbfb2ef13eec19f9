//! Cases of a clinic: what happens, and what the course then says.
//!
//! CapTemY90 begun on 2026-12-02 has C2D1 on 2026-12-30, C2D7 on 2027-01-05, C3D1 on 2027-01-27,
//! C3D7 on 2027-02-02, C4D1 on 2027-02-24 and C4D7 on 2027-03-02.

mod clinic;

use clinic::{Clinic, criterion, day, dose, gate, obligation};
use hepatica_regimen::gate::{Status as GateStatus, Truth};
use hepatica_regimen::next::Status;
use hepatica_regimen::protocol::End;
use hepatica_regimen::state::{Begun, ProcedureStatus};
use hepatica_regimen::{Fact, State};

const C1D1: &str = "2026-12-02";

fn captemy90() -> Clinic {
    Clinic::new("captemy90", Some("g3-2024"), C1D1)
}

// ---- the next cycle ------------------------------------------------------------------------------

#[test]
fn platelets_of_92_on_day_1_wait_a_week_and_come_back_one_level_down() {
    let mut c = captemy90();
    c.labs("2026-12-30", &[("platelets", 92.0), ("anc", 1.8), ("bilirubin", 0.9)]);
    let held = c.agenda("2026-12-30");
    let second = obligation(&held, "c2");
    assert_eq!(second.status, Status::Held);
    assert_eq!(second.target, day("2027-01-06"), "asked again a week later");
    assert!(second.because.iter().any(|b| b.contains("platelets 92 10^9/L")), "{second:?}");
    assert!(!dose(&held, "capecitabine").due);

    c.labs("2027-01-06", &[("platelets", 120.0), ("anc", 2.0), ("bilirubin", 0.9)]);
    let begun = c.agenda("2027-01-06");
    let second = obligation(&begun, "c2");
    assert_eq!((second.status, second.done), (Status::Done, Some(day("2027-01-06"))));
    for drug in ["capecitabine", "temozolomide"] {
        assert_eq!(dose(&begun, drug).level, "-1", "{drug}");
    }
    assert_eq!(dose(&begun, "capecitabine").because, ["cycle 2 had to wait once"]);
    assert_eq!(obligation(&begun, "c3").target, day("2027-02-03"), "what follows moves with it");
}

#[test]
fn four_weeks_in_vain_stop_the_drugs() {
    let mut c = captemy90();
    for on in ["2026-12-30", "2027-01-06", "2027-01-13", "2027-01-20", "2027-01-27"] {
        c.labs(on, &[("platelets", 80.0), ("anc", 1.8), ("bilirubin", 0.9)]);
    }
    assert_eq!(obligation(&c.agenda("2027-01-26"), "c2").status, Status::Held);
    let stopped = c.agenda("2027-01-27");
    assert_eq!(obligation(&stopped, "c2").status, Status::Missed);
    assert!(dose(&stopped, "capecitabine").stopped && dose(&stopped, "temozolomide").stopped);
    let ended = stopped.ended.expect("every drug is stopped");
    assert_eq!((ended.on, ended.because), (day("2027-01-27"), End::Intolerance));
}

#[test]
fn a_cycle_in_vain_ends_a_course_even_if_a_drug_has_no_rule() {
    let mut c = Clinic::new("mfolfox6", None, "2027-01-04");
    for on in ["2027-01-18", "2027-01-25", "2027-02-01"] {
        c.labs(on, &[("platelets", 40.0), ("anc", 1.8)]);
    }
    let ended = c.agenda("2027-02-01").ended.expect("nothing can follow");
    assert_eq!((ended.on, ended.because), (day("2027-02-01"), End::Intolerance));
}

#[test]
fn without_counts_the_cycle_is_held_and_nothing_is_lowered() {
    let c = captemy90();
    let agenda = c.agenda("2027-01-04");
    let second = obligation(&agenda, "c2");
    assert_eq!(second.status, Status::Held);
    assert!(
        second.because.iter().any(|b| b.contains("not known: neutrophils, platelets")),
        "{second:?}"
    );
    assert_eq!(dose(&agenda, "capecitabine").level, "0");
}

#[test]
fn two_counts_for_one_day_hold_until_one_is_corrected() {
    let mut c = captemy90();
    c.good_labs("2026-12-30");
    let wrong = c.labs("2026-12-30", &[("platelets", 130.0)]);
    let agenda = c.agenda("2026-12-30");
    let platelets = criterion(gate(&agenda, "cycle", "next-cycle"), "platelets").clone();
    assert_eq!((platelets.truth, platelets.status), (Truth::CannotTell, GateStatus::Hold));
    assert!(platelets.reason.contains("two values"), "{}", platelets.reason);
    assert_eq!(agenda.conflicts.len(), 1);

    c.because(
        "2026-12-30",
        Some("typed for another patient"),
        Fact::Correction { of: wrong, fact: None },
    );
    let agenda = c.agenda("2026-12-30");
    assert!(agenda.conflicts.is_empty());
    assert_eq!(obligation(&agenda, "c2").status, Status::Done);
}

#[test]
fn a_person_may_go_on_and_says_why() {
    let mut c = captemy90();
    c.labs("2026-12-30", &[("platelets", 92.0), ("anc", 1.8), ("bilirubin", 0.9)]);
    c.because(
        "2026-12-30",
        Some("transfused this morning"),
        Fact::Override {
            gate: "next-cycle".to_owned(),
            criterion: "platelets".to_owned(),
            until: None,
        },
    );
    let agenda = c.agenda("2026-12-30");
    assert_eq!(obligation(&agenda, "c2").status, Status::Done);
    assert_eq!(dose(&agenda, "capecitabine").level, "0", "it did not wait");
    let course = c.course(None);
    let gate = c.protocol.gates("cycle").next().expect("a gate");
    let starts = [day(C1D1)];
    let known = hepatica_regimen::evidence::Known {
        protocol: &c.protocol,
        course: &course,
        cycle_starts: &starts,
        day: day("2026-12-30"),
        until: day("2026-12-30"),
    };
    let answer = gate.evaluate(&known);
    assert_eq!(answer.status, GateStatus::Overridden);
    assert!(answer.reason.contains("overridden: transfused this morning"), "{}", answer.reason);
    // It holds for its day alone.
    assert_eq!(
        gate.status(&hepatica_regimen::evidence::Known {
            day: day("2026-12-31"),
            until: day("2026-12-31"),
            ..known
        }),
        GateStatus::Hold
    );
}

#[test]
fn what_was_begun_on_its_day_did_not_wait() {
    let mut c = captemy90();
    c.doses("2026-12-02", "2026-12-15", "capecitabine", true);
    c.labs("2026-12-30", &[("platelets", 92.0), ("anc", 1.8), ("bilirubin", 0.9)]);
    c.doses("2026-12-30", "2026-12-30", "capecitabine", true);
    let agenda = c.agenda("2026-12-31");
    assert_eq!(dose(&agenda, "capecitabine").level, "0");
    assert!(
        agenda.deviations.iter().any(|d| d.contains("all the same")),
        "{:?}",
        agenda.deviations
    );
}

#[test]
fn a_late_dose_does_not_begin_the_next_cycle() {
    let mut c = Clinic::new("capecitabine-tare", Some("hickey-2014"), "2027-01-04");
    c.doses("2027-01-04", "2027-01-18", "capecitabine", true);
    let course = c.course(None);
    let state = State::of(&c.protocol, &course, day("2027-01-19"), 0);
    assert_eq!(state.cycles[1].begun, Begun::ToCome, "day 15 is the end of cycle 1");
    assert_eq!(state.cycles[1].start, day("2027-01-25"));
}

#[test]
fn a_cycle_of_which_nothing_was_recorded_stays_where_it_was() {
    let mut c = captemy90();
    c.good_labs("2026-12-30");
    c.doses("2026-12-30", "2026-12-30", "capecitabine", true);
    let agenda = c.agenda("2026-12-31");
    assert_eq!(obligation(&agenda, "c1").done, Some(day(C1D1)));
    assert_eq!((agenda.cycle, agenda.cycle_day), (Some(2), Some(2)));
    // Nor does the second become the third.
    c.good_labs("2027-01-27");
    c.doses("2027-02-24", "2027-02-24", "capecitabine", true);
    c.good_labs("2027-02-24");
    let agenda = c.agenda("2027-02-24");
    assert_eq!((agenda.cycle, agenda.cycle_day), (Some(4), Some(1)));
}

// ---- doses ---------------------------------------------------------------------------------------

#[test]
fn hand_foot_grade_2_for_the_first_second_third_and_fourth_time() {
    let mut c = captemy90();
    for (n, [from, to], level) in [
        (1, ["2026-12-05", "2026-12-08"], "0"),
        (2, ["2026-12-10", "2026-12-12"], "-1"),
        (3, ["2027-01-01", "2027-01-04"], "-2"),
    ] {
        c.toxicity(from, "hand-foot syndrome", 2);
        let held = c.agenda(from);
        assert!(dose(&held, "capecitabine").held.is_some(), "time {n}");
        assert!(dose(&held, "temozolomide").held.is_none(), "time {n}");
        c.toxicity(to, "hand-foot syndrome", 1);
        let again = c.agenda(to);
        assert!(dose(&again, "capecitabine").held.is_none(), "time {n}");
        assert_eq!(dose(&again, "capecitabine").level, level, "time {n}");
    }
    c.toxicity("2027-01-08", "hand-foot syndrome", 2);
    assert!(dose(&c.agenda("2027-01-08"), "capecitabine").stopped);
}

#[test]
fn grade_3_diarrhoea_holds_and_comes_back_one_level_down() {
    let mut c = captemy90();
    c.toxicity("2026-12-06", "diarrhoea", 3);
    let held = c.agenda("2026-12-07");
    let reason = dose(&held, "capecitabine").held.clone().expect("held");
    assert!(reason.contains("diarrhoea grade 3 until grade 1"), "{reason}");
    // Noted under its other name: it is the same toxicity.
    c.toxicity("2026-12-10", "Diarrhea", 0);
    let again = c.agenda("2026-12-10");
    assert!(dose(&again, "capecitabine").held.is_none());
    assert_eq!(dose(&again, "capecitabine").level, "-1");
    let words = dose(&again, "capecitabine").words.clone().expect("a dose");
    assert!(words.ends_with("twice a day"), "{words}");
}

#[test]
fn a_grade_3_that_passes_through_grade_2_is_one_toxicity() {
    let mut c = captemy90();
    c.toxicity("2026-12-05", "diarrhoea", 2);
    c.toxicity("2026-12-06", "diarrhoea", 3);
    c.toxicity("2026-12-08", "diarrhoea", 2);
    c.toxicity("2026-12-09", "diarrhoea", 0);
    c.toxicity("2027-01-02", "diarrhoea", 2);
    c.toxicity("2027-01-03", "diarrhoea", 0);
    // Grade 2 for the second time, grade 3 once: 75 %, not 50 %.
    assert_eq!(dose(&c.agenda("2027-01-03"), "capecitabine").level, "-1");
}

#[test]
fn a_nadir_of_45_lowers_temozolomide_from_the_next_cycle() {
    let mut c = captemy90();
    c.good_labs("2026-12-30");
    c.labs("2027-01-01", &[("platelets", 45.0)]);
    c.good_labs("2027-01-27");
    assert_eq!(dose(&c.agenda("2027-01-10"), "temozolomide").level, "0", "this cycle is as it was");
    let third = c.agenda("2027-01-27");
    assert_eq!(dose(&third, "temozolomide").level, "-1");
    assert_eq!(dose(&third, "capecitabine").level, "0");
    let because = &dose(&third, "temozolomide").because;
    assert!(because[0].starts_with("platelets 45 10^9/L on 2027-01-01"), "{because:?}");
}

#[test]
fn the_pilot_goes_up_from_150_to_200() {
    let mut c = Clinic::new("captemy90", Some("pilot-2018"), C1D1);
    c.good_labs("2026-12-30");
    let agenda = c.agenda("2026-12-30");
    assert_eq!(dose(&agenda, "temozolomide").level, "+1");
    assert_eq!(dose(&agenda, "capecitabine").level, "0");
    // Not where the nadir was low.
    c.labs("2026-12-29", &[("anc", 1.2)]);
    assert_eq!(dose(&c.agenda("2026-12-30"), "temozolomide").level, "0");
}

#[test]
fn without_a_variant_no_dose_is_said() {
    let c = Clinic::new("captemy90", None, C1D1);
    let agenda = c.agenda(C1D1);
    assert_eq!(dose(&agenda, "capecitabine").needs, ["the dose variant"]);
    assert!(dose(&agenda, "capecitabine").words.is_none());
    assert!(agenda.warnings.iter().any(|w| w.contains("variant=pilot-2018")));
}

// ---- procedures ----------------------------------------------------------------------------------

/// Simulated on C1D15, cycle 1 taken, cycle 2 begun on time.
fn simulated(device: &str) -> Clinic {
    let mut c = captemy90();
    c.doses("2026-12-02", "2026-12-15", "capecitabine", true);
    c.simulation("2026-12-16", device);
    c.good_labs("2026-12-30");
    c.doses("2026-12-30", "2026-12-30", "capecitabine", true);
    c
}

#[test]
fn low_platelets_move_the_first_session_and_the_second_after_it() {
    let mut c = simulated("resin");
    c.good_labs("2027-01-04");
    c.labs("2027-01-05", &[("platelets", 80.0), ("further_session_needed", 1.0)]);
    let on_the_day = c.agenda("2027-01-05");
    let first = obligation(&on_the_day, "c2/session-1");
    assert_eq!(first.status, Status::Held);
    assert!(first.because.iter().any(|b| b.contains("platelets 80")), "{:?}", first.because);

    let after = c.agenda("2027-01-06");
    assert_eq!(obligation(&after, "c2/session-1").status, Status::Missed);
    assert_eq!(obligation(&after, "c3/session-1").target, day("2027-02-02"));
    let second = obligation(&after, "c4/session-2");
    assert_eq!(second.target, day("2027-03-02"), "28 days after the first");

    c.good_labs("2027-01-27");
    c.good_labs("2027-02-01");
    let ready = c.agenda("2027-02-02");
    // The simulation is older than 42 days by then: it must be done again.
    let first = obligation(&ready, "c3/session-1");
    assert_eq!(first.status, Status::Held);
    assert!(first.because.iter().any(|b| b.contains("more than 42 days")), "{:?}", first.because);
    c.simulation("2027-01-20", "resin");
    assert_eq!(obligation(&c.agenda("2027-02-02"), "c3/session-1").status, Status::Due);
}

#[test]
fn a_session_waits_for_its_simulation() {
    let mut c = captemy90();
    c.doses("2026-12-02", "2026-12-15", "capecitabine", true);
    c.good_labs("2026-12-30");
    c.good_labs("2027-01-04");
    let agenda = c.agenda("2027-01-05");
    let first = agenda
        .obligations
        .iter()
        .find(|o| o.what == "session-1" && ![Status::Missed, Status::Upcoming].contains(&o.status));
    assert!(first.is_none_or(|o| o.status == Status::Held), "{first:?}");
}

#[test]
fn a_second_lobe_that_is_not_needed_is_left_out() {
    let mut c = simulated("resin");
    c.good_labs("2027-01-04");
    c.session("2027-01-05", "session-1");
    let asked = c.agenda("2027-01-06");
    assert_eq!(obligation(&asked, "c3/session-2").status, Status::Undecided);
    c.labs("2027-01-20", &[("further_session_needed", 0.0)]);
    let course = c.course(None);
    let state = State::of(&c.protocol, &course, day("2027-01-20"), 0);
    assert_eq!(state.procedures[2].status, ProcedureStatus::NotNeeded);
    let agenda = c.agenda("2027-01-20");
    assert_eq!(obligation(&agenda, "c3/session-2").status, Status::NotNeeded);
    assert!(!agenda.gates.iter().any(|g| g.before == "session-2"));
}

#[test]
fn capecitabine_with_resin_is_shown_as_overridden() {
    let mut c = simulated("resin");
    c.good_labs("2027-01-04");
    let agenda = c.agenda("2027-01-05");
    let safe = gate(&agenda, "session-1", "simulation-safe");
    assert_eq!(safe.status, GateStatus::Overridden, "{}", safe.reason);
    let capecitabine = criterion(safe, "capecitabine");
    assert_eq!((capecitabine.truth, capecitabine.status), (Truth::NotMet, GateStatus::Overridden));
    assert!(capecitabine.reason.contains("on purpose"), "{}", capecitabine.reason);
    assert_eq!(obligation(&agenda, "c2/session-1").status, Status::Due);
    let first = obligation(&agenda, "c2/session-1");
    assert!(first.because.iter().any(|b| b.contains("on purpose")), "{:?}", first.because);
    // Glass has no such text.
    let mut glass = simulated("glass");
    glass.good_labs("2027-01-04");
    let agenda = glass.agenda("2027-01-05");
    let safe = gate(&agenda, "session-1", "simulation-safe");
    assert!(safe.criteria.iter().all(|c| c.id != "capecitabine"));
}

#[test]
fn eligibility_names_what_is_missing() {
    let c = captemy90();
    let agenda = c.agenda("2026-12-01");
    let eligibility = gate(&agenda, "start", "eligibility");
    assert_eq!(eligibility.status, GateStatus::Hold);
    let alt = criterion(eligibility, "alt");
    assert_eq!(alt.truth, Truth::CannotTell);
    let needs = alt.needs.clone().expect("something");
    assert_eq!(needs, "ALT over its upper limit of normal: a value from 2026-11-04 to 2026-12-02");
    assert!(eligibility.reason.contains("not known: consent given"), "{}", eligibility.reason);
}

// ---- the end -------------------------------------------------------------------------------------

#[test]
fn progression_ends_the_course() {
    let mut c = captemy90();
    c.scan("2026-11-25", 50.0);
    c.good_labs("2026-12-30");
    c.scan("2027-01-20", 70.0);
    assert!(c.agenda("2027-01-19").ended.is_none());
    let agenda = c.agenda("2027-01-20");
    let ended = agenda.ended.expect("it grew by 40 %");
    assert_eq!((ended.on, ended.because), (day("2027-01-20"), End::Progression));
    assert_eq!(obligation(&agenda, "c3").status, Status::Cancelled);
    assert_eq!(c.agenda("2027-02-20").cycle, None, "no cycle runs after the end");
}

#[test]
fn nothing_begins_after_a_death() {
    let mut c = Clinic::new("radioembolization", None, C1D1);
    c.record("2027-01-10", Fact::Death {});
    let agenda = c.agenda("2027-06-01");
    assert_eq!(obligation(&agenda, "c2").status, Status::Done);
    assert_eq!(obligation(&agenda, "c3").status, Status::Cancelled);
    assert_eq!((agenda.cycle, agenda.cycle_day), (None, None));
}

// ---- another regimen -----------------------------------------------------------------------------

#[test]
fn mfolfox6_comes_every_14_days_to_the_milligram() {
    let mut c = Clinic::new("mfolfox6", None, "2027-01-04");
    c.labs("2027-01-18", &[("platelets", 90.0), ("anc", 2.0)]);
    let agenda = c.agenda("2027-01-18");
    assert_eq!((agenda.cycle, agenda.cycle_day), (Some(2), Some(1)));
    let oxaliplatin = dose(&agenda, "oxaliplatin");
    assert!(oxaliplatin.due);
    assert_eq!(oxaliplatin.words.as_deref(), Some("154 mg by infusion"));
    assert!(!dose(&c.agenda("2027-01-20"), "fluorouracil").due, "it runs for two days");
    c.toxicity("2027-01-20", "peripheral sensory neuropathy", 2);
    assert_eq!(dose(&c.agenda("2027-01-20"), "oxaliplatin").level, "-1");
    c.toxicity("2027-01-22", "peripheral sensory neuropathy", 3);
    assert!(dose(&c.agenda("2027-01-22"), "oxaliplatin").stopped);
}

#[test]
fn the_only_variant_need_not_be_chosen() {
    // Two waits in two cycles, then a third: 85, 65, 50 and nothing below.
    let mut c = Clinic::new("mfolfox6", None, "2027-01-04");
    for [low, high] in
        [["2027-01-18", "2027-01-25"], ["2027-02-08", "2027-02-15"], ["2027-03-01", "2027-03-08"]]
    {
        c.labs(low, &[("platelets", 60.0), ("anc", 2.0)]);
        c.labs(high, &[("platelets", 160.0), ("anc", 2.0)]);
    }
    let agenda = c.agenda("2027-02-15");
    assert_eq!(dose(&agenda, "oxaliplatin").level, "-2");
    assert_eq!(dose(&agenda, "oxaliplatin").words.as_deref(), Some("90 mg by infusion"));
    assert!(dose(&c.agenda("2027-03-08"), "oxaliplatin").stopped);
}

#[test]
fn what_is_late_is_done_as_soon_as_possible_and_is_one_obligation() {
    let mut c = Clinic::changed(
        "radioembolization",
        "if_missed = \"next-cycle\"",
        "if_missed = \"as-soon-as-possible\"",
        "none",
        C1D1,
    );
    c.labs("2026-12-02", &[("weight", 70.0)]);
    let agenda = c.agenda("2027-01-02");
    let of: Vec<_> = agenda.obligations.iter().filter(|o| o.what == "simulation").collect();
    assert_eq!(of.len(), 1, "{of:?}");
    assert_eq!((of[0].status, of[0].target), (Status::Overdue, day("2027-01-02")));
}

#[test]
fn an_assessment_twice_a_cycle_is_two_obligations() {
    let c = Clinic::changed(
        "captem",
        "when = [{ from_cycle = 2, earliest = 1, target = 3, latest = 5 }]",
        "when = [{ from_cycle = 2, earliest = 1, target = 3, latest = 5 }, { from_cycle = 2, earliest = 8, target = 8, latest = 9 }]",
        "e2211",
        C1D1,
    );
    let agenda = c.agenda(C1D1);
    assert_eq!(obligation(&agenda, "c2/counts-day-22").target, day("2027-01-01"));
    assert_eq!(obligation(&agenda, "c2/counts-day-22/2").target, day("2027-01-06"));
}

// ---- what was recorded wrongly -------------------------------------------------------------------

#[test]
fn an_event_of_another_patient_is_named_and_not_counted() {
    let mut c = captemy90();
    c.labs("2026-12-30", &[("platelets", 92.0)]);
    let (_, other) = c.events.last_mut().expect("an event");
    other.patient = "P002".to_owned();
    let course = c.course(None);
    assert!(!course.series.contains_key("platelets"));
    assert!(course.problems[0].contains("is of patient P002, not P001"), "{:?}", course.problems);
}

#[test]
fn a_correction_that_holds_a_correction_changes_nothing() {
    let mut c = captemy90();
    let id = c.labs("2026-12-30", &[("platelets", 92.0)]);
    let nested = Fact::Correction { of: id.clone(), fact: None };
    c.record("2026-12-30", Fact::Correction { of: id, fact: Some(Box::new(nested)) });
    let course = c.course(None);
    assert_eq!(course.series["platelets"][0].value, 92.0);
    assert_eq!(course.problems.len(), 1, "{:?}", course.problems);
}

#[test]
fn a_second_beginning_is_a_problem() {
    let mut c = captemy90();
    let (_, begin) = c.events[0].clone();
    let Fact::Begin { protocol, .. } = begin.fact else { panic!("the first event") };
    let c1d1 = day("2026-11-01");
    c.record("2026-11-01", Fact::Begin { protocol, variant: None, c1d1 });
    // The one that was recorded first stands: what came later must be a correction.
    c.events[0].1.recorded = "2026-10-01T00:00:00Z".parse().expect("an instant");
    let course = c.course(None);
    assert_eq!(course.c1d1, day(C1D1));
    assert_eq!(course.problems.len(), 1, "{:?}", course.problems);
}
