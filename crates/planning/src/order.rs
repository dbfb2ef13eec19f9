//! From an activity in the patient to vials: which size, calibrated when.

use crate::device::Device;
use crate::plan::{Order, OrderChoice};
use hepatica_physics::{Activity, Dose, TimeSpan};
use hepatica_regimen::site::{Orderable, Site};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use thiserror::Error;

/// Choices shown.
const SHOWN: usize = 12;

/// Why no vial can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderError {
    /// A device file's calibration.
    #[error("device {device}: {key} = {found}, expected {expected}")]
    Calibration {
        /// The device.
        device: String,
        /// Which key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A date beyond the calendar.
    #[error("the calibration days of {device} are beyond the calendar")]
    Beyond {
        /// The device.
        device: String,
    },
}

/// An activity that meets a limit may be this much above it, by rounding.
const ROUNDING: f64 = 5e-4;

/// What an order is for.
#[derive(Debug)]
pub struct Need<'a> {
    /// Activity in the patient at the moment of treatment.
    pub prescribed: Activity,
    /// The least activity at which a limit is met, and which: vials do not go beyond it.
    pub ceiling: Option<(Activity, &'a str)>,
    /// When and where.
    pub treatment: &'a ZonedDateTime,
    /// Mean dose of the perfused volume per GBq.
    pub perfused_per_gbq: Dose,
    /// Mean dose of the lungs per GBq.
    pub lungs_per_gbq: Dose,
}

/// All choices within the device's life, best first, and the one proposed; `None` with a reason if
/// no vial serves.
///
/// # Errors
/// When the device's calibration days cannot be understood.
pub fn order(device: &Device, need: &Need<'_>) -> Result<Result<Order, String>, OrderError> {
    let residual = device.residual_fraction.value;
    let to_dispense = need.prescribed / (1.0 - residual);
    let mut choices = Vec::new();
    for calibration in calibrations_serving(device, need.treatment)? {
        for (vial, count) in vials(device, need, &calibration, to_dispense) {
            choices.push(choice(device, need, &calibration, vial, count));
        }
    }
    let rank = |c: &OrderChoice| {
        // Too many or too few spheres is a lesser fault than a wrong activity.
        (
            !c.acceptable,
            is_custom(device, c.vial_gbq),
            (c.deviation_percent.abs() * 10.0).round() as i64,
            c.vials,
        )
    };
    choices.sort_by(|a, b| {
        rank(a).cmp(&rank(b)).then_with(|| a.decay_h.abs().total_cmp(&b.decay_h.abs()))
    });
    let Some(best) = choices.first().cloned() else {
        let hours = device.vials.calibration.usable_after_h;
        return Ok(Err(format!(
            "{} has no calibration within {hours:.0} h before the treatment",
            device.name
        )));
    };
    if !best.acceptable {
        let largest = choices.iter().map(|c| c.activity_at_treatment_gbq).fold(0.0, f64::max);
        return Ok(Err(if largest < to_dispense.gbq() {
            format!(
                "{:.2} GBq to dispense is more than any vials of {} hold at the treatment ({largest:.2} GBq); change the day, the territory or the goal",
                to_dispense.gbq(),
                device.name
            )
        } else {
            format!(
                "no vial of {} comes within {:.0} % of {:.2} GBq at the treatment{} (nearest: {:+.1} %); change the hour, the day or the activity",
                device.name,
                100.0 * device.vials.tolerance,
                to_dispense.gbq(),
                need.ceiling.map_or(String::new(), |(_, limit)| format!(" and within {limit}")),
                best.deviation_percent
            )
        }));
    }
    let why = format!(
        "nearest to the prescribed {:.2} GBq ({:+.1} %){}",
        need.prescribed.gbq(),
        best.deviation_percent,
        best.spheres_millions.map(|n| format!(", {n:.1} million spheres")).unwrap_or_default()
    );
    choices.truncate(SHOWN);
    Ok(Ok(Order {
        treatment_instant: need.treatment.to_string(),
        planned_residual_fraction: residual,
        activity_to_dispense_gbq: to_dispense.gbq(),
        proposed: best,
        why,
        choices,
    }))
}

/// Calibration instants from which vials may be used at the treatment, in order of time; for a device
/// made to order, the treatment itself. None means that spheres cannot be had for that moment.
///
/// # Errors
/// When the device's calibration days cannot be understood, or are beyond the calendar.
pub fn calibrations_serving(
    device: &Device,
    treatment: &ZonedDateTime,
) -> Result<Vec<ZonedDateTime>, OrderError> {
    let c = &device.vials.calibration;
    let wrong = |key, found: &str, expected| OrderError::Calibration {
        device: device.id.clone(),
        key,
        found: found.to_owned(),
        expected,
    };
    let (Some(time), Some(zone)) = (&c.time, &c.time_zone) else {
        // Made to order for the moment of treatment.
        return Ok(vec![treatment.clone()]);
    };
    let at: Time = time.parse().map_err(|_| wrong("time", time, "HH:MM"))?;
    let zone = TimeZone::get(zone).map_err(|_| wrong("time_zone", zone, "an IANA time zone"))?;
    let days: Vec<Weekday> = c
        .weekdays
        .iter()
        .map(|d| weekday(d).ok_or_else(|| wrong("weekdays", d, "days of the week in English")))
        .collect::<Result<_, _>>()?;
    let beyond = |_| OrderError::Beyond { device: device.id.clone() };
    let around = treatment.with_time_zone(zone.clone()).date();
    let (back, ahead) = (c.usable_after_h / 24.0, c.usable_before_h / 24.0);
    let mut found = Vec::new();
    for day in -(back.ceil() as i64) - 1..=ahead.ceil() as i64 + 1 {
        let date = around.checked_add(day.days()).map_err(beyond)?;
        if !days.contains(&date.weekday()) {
            continue;
        }
        let instant = date.to_datetime(at).to_zoned_datetime(zone.clone()).map_err(beyond)?;
        let after_h = elapsed(&instant, treatment).h();
        if -c.usable_before_h <= after_h && after_h <= c.usable_after_h {
            found.push(instant);
        }
    }
    Ok(found)
}

/// Whether spheres of a device can be had at a site for a treatment day, and until when they must be
/// ordered: the device's calibrations at the site's hour of treatment, the site's deliveries. What
/// cannot be understood is a reason why not.
#[must_use]
pub fn orderable(device: &Device, site: &Site, date: Date) -> Orderable {
    let no = |because: String| Orderable::No { because };
    match site.treatment(date) {
        Err(e) => no(e.to_string()),
        Ok(treatment) => match calibrations_serving(device, &treatment) {
            Err(e) => no(e.to_string()),
            Ok(calibrations) => site.spheres(date, &calibrations),
        },
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name.to_lowercase().as_str() {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn elapsed(from: &ZonedDateTime, to: &ZonedDateTime) -> TimeSpan {
    TimeSpan::from_s((to.timestamp() - from.timestamp()).as_secs_f64())
}

/// Sizes and numbers of vials to look at.
fn vials(
    device: &Device,
    need: &Need<'_>,
    calibration: &ZonedDateTime,
    to_dispense: Activity,
) -> Vec<(f64, u32)> {
    let v = &device.vials;
    if let Some(step) = v.made_to_order_step_gbq {
        let left = device.nuclide().decay_factor(elapsed(calibration, need.treatment));
        let size = (to_dispense.gbq() / left / step).round() * step;
        let fits = v.least_gbq.is_none_or(|l| size >= l) && v.most_gbq.is_none_or(|m| size <= m);
        return if fits { vec![(size, 1)] } else { Vec::new() };
    }
    let listed = v.sizes_gbq.iter().copied();
    listed.chain(custom_sizes(device)).flat_map(|s| (1..=v.most).map(move |n| (s, n))).collect()
}

fn is_custom(device: &Device, vial_gbq: f64) -> bool {
    let listed = &device.vials.sizes_gbq;
    !listed.is_empty() && !listed.contains(&vial_gbq)
}

/// Sizes made on request, between the smallest and the largest of the list.
fn custom_sizes(device: &Device) -> Vec<f64> {
    let v = &device.vials;
    let low = v.sizes_gbq.iter().copied().fold(f64::INFINITY, f64::min);
    let high = v.sizes_gbq.iter().copied().fold(0.0, f64::max);
    let Some(step) = v.custom_step_gbq.filter(|_| low < high) else { return Vec::new() };
    (1..)
        .map(|n| low + f64::from(n) * step)
        .take_while(|s| *s < high)
        .filter(|s| !v.sizes_gbq.contains(s))
        .collect()
}

fn choice(
    device: &Device,
    need: &Need<'_>,
    calibration: &ZonedDateTime,
    vial_gbq: f64,
    vials: u32,
) -> OrderChoice {
    let age = elapsed(calibration, need.treatment);
    let whole = device.nuclide().decayed(Activity::from_gbq(vial_gbq), age) * f64::from(vials);
    let in_patient = whole * (1.0 - device.residual_fraction.value);
    // A part of a vial is dispensed where that may be done; else all of it goes in.
    let delivered =
        if device.vials.apportionable { in_patient.min(need.prescribed) } else { in_patient };
    let deviation = delivered / need.prescribed - 1.0;
    let bq_per_sphere = device.sphere_activity(age);
    let spheres = delivered / bq_per_sphere / 1e6;
    let s = &device.spheres;
    let few = s.least_millions.is_some_and(|l| spheres < l);
    let many = s.most_millions.is_some_and(|m| spheres > m);
    let off = deviation.abs() > device.vials.tolerance;
    let beyond = need.ceiling.filter(|(most, _)| delivered.gbq() > most.gbq() * (1.0 + ROUNDING));
    let mut notes = Vec::new();
    if is_custom(device, vial_gbq) {
        notes.push("a size made on request".to_owned());
    }
    if let Some((most, limit)) = beyond {
        notes.push(format!("beyond {limit}, met at {:.2} GBq", most.gbq()));
    }
    if off {
        notes.push(format!("more than {:.0} % off", 100.0 * device.vials.tolerance));
    }
    if few {
        notes.push("few spheres: uneven, hot".to_owned());
    }
    if many {
        notes.push("many spheres: embolic load".to_owned());
    }
    if device.vials.apportionable && !off && whole > need.prescribed * 1.5 {
        notes.push(format!("{:.2} GBq are left over", (in_patient - delivered).gbq()));
    }
    OrderChoice {
        vial_gbq,
        vials,
        calibration_instant: calibration.to_string(),
        decay_h: age.h(),
        activity_at_treatment_gbq: whole.gbq(),
        delivered_gbq: delivered.gbq(),
        deviation_percent: 100.0 * deviation,
        perfused_dose_gy: need.perfused_per_gbq.gy() * delivered.gbq(),
        lung_dose_gy: need.lungs_per_gbq.gy() * delivered.gbq(),
        spheres_millions: Some(spheres),
        bq_per_sphere: Some(bq_per_sphere.bq()),
        acceptable: !(off || few || many || beyond.is_some()),
        note: notes.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> ZonedDateTime {
        text.parse().expect("an instant")
    }

    fn need<'a>(gbq: f64, treatment: &'a ZonedDateTime) -> Need<'a> {
        Need {
            ceiling: None,
            prescribed: Activity::from_gbq(gbq),
            treatment,
            perfused_per_gbq: Dose::from_gy(40.0),
            lungs_per_gbq: Dose::from_gy(3.0),
        }
    }

    fn proposed(device: &str, gbq: f64, treatment: &str) -> Result<OrderChoice, String> {
        let device = Device::named(device).expect("shipped");
        let treatment = at(treatment);
        order(&device, &need(gbq, &treatment)).expect("a calendar").map(|o| o.proposed)
    }

    #[test]
    fn glass_calibrated_on_sunday_noon_decays_to_tuesday() {
        // Tuesday 13:00 is 49 h after Sunday noon: 3 GBq become 1.766.
        let choice = proposed("glass", 1.75, "2027-01-05T13:00[America/New_York]").unwrap();
        assert_eq!((choice.vial_gbq, choice.vials), (3.0, 1));
        assert!(choice.calibration_instant.starts_with("2027-01-03T12:00:00-05:00"));
        assert!((choice.decay_h - 49.0).abs() < 1e-9);
        assert!((choice.activity_at_treatment_gbq - 3.0 * (-49.0_f64 / 64.1).exp2()).abs() < 1e-9);
    }

    #[test]
    fn clocks_that_change_in_between_count() {
        // In New York clocks go forward on Sunday 14 March 2027 at 2:00, before noon; back on
        // Sunday 7 November 2027. From Sunday 7 March noon to Monday 15 March noon: 191 hours.
        let device = Device::named("glass").expect("shipped");
        let treatment = at("2027-03-15T12:00[America/New_York]");
        let hours: Vec<_> = calibrations_serving(&device, &treatment)
            .unwrap()
            .iter()
            .map(|c| elapsed(c, &treatment).h())
            .collect();
        assert_eq!(hours, [191.0, 24.0]);
    }

    #[test]
    fn spheres_for_a_day_are_those_of_the_device_and_the_site() {
        let site = Site::named("example").expect("shipped");
        let resin = Device::named("resin").expect("shipped");
        let date = "2027-01-05".parse().expect("a date");
        let Orderable::Yes { order_by, because } = orderable(&resin, &site, date) else {
            panic!("resin is calibrated from Monday to Saturday")
        };
        assert_eq!(order_by.to_string(), "2026-12-30");
        assert!(because.contains("2027-01-04 18:00 EST to 2027-01-07 18:00 EST"), "{because}");
        // Usable for 12 h after calibration only, Monday morning has none: none is calibrated on Sunday.
        let mut few = resin;
        few.vials.calibration.usable_before_h = 0.0;
        few.vials.calibration.usable_after_h = 12.0;
        let monday = "2027-01-04".parse().expect("a date");
        assert!(matches!(orderable(&few, &site, monday), Orderable::No { .. }));
        few.vials.calibration.weekdays = vec!["someday".to_owned()];
        let Orderable::No { because } = orderable(&few, &site, date) else { panic!("no day") };
        assert!(because.contains("weekdays = someday"), "{because}");
    }

    #[test]
    fn resin_may_be_used_before_calibration_and_in_part() {
        let choice = proposed("resin", 2.0, "2027-01-05T13:00[America/New_York]").unwrap();
        assert!((choice.delivered_gbq - 2.0).abs() < 1e-12);
        assert!(choice.activity_at_treatment_gbq > 2.0);
    }

    #[test]
    fn more_than_any_vial_is_said() {
        let error = proposed("glass", 40.0, "2027-01-05T13:00[America/New_York]").unwrap_err();
        assert!(error.contains("more than any vials"), "{error}");
    }

    #[test]
    fn no_vial_takes_an_activity_beyond_a_limit() {
        // 3 GBq are 1.77 at the treatment, all of it in the patient but for the residual.
        let device = Device::named("glass").expect("shipped");
        let treatment = at("2027-01-05T13:00[America/New_York]");
        let without = need(1.70, &treatment);
        let free = order(&device, &without).unwrap().unwrap().proposed;
        assert!(free.delivered_gbq > 1.70);
        let within = Need {
            ceiling: Some((Activity::from_gbq(1.70), "lung_dose_session")),
            ..need(1.70, &treatment)
        };
        // Of the list 3 GBq of this Sunday are too much; a size made on request of the Sunday before
        // serves.
        let order = order(&device, &within).unwrap().unwrap();
        assert!(order.proposed.acceptable && order.proposed.delivered_gbq <= 1.701);
        let excluded = order.choices.iter().find(|c| c.vial_gbq == 3.0 && c.decay_h < 72.0);
        assert!(excluded.is_none_or(|c| c.note.contains("beyond lung_dose_session")));
    }

    proptest! {
        #[test]
        fn what_is_proposed_is_within_tolerance(gbq in 0.3_f64..10.0) {
            if let Ok(choice) = proposed("glass", gbq, "2027-01-05T13:00[America/New_York]") {
                prop_assert!(choice.deviation_percent.abs() <= 10.0 + 1e-9);
                prop_assert!((choice.delivered_gbq / gbq - 1.0).abs() <= 0.1 + 1e-9);
            }
        }
    }
}
