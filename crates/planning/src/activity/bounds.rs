//! Limits and goals as activities, and which of them binds.

use crate::device::Sourced;
use crate::plan::Bound;
use hepatica_physics::Activity;

/// Limits and goals of one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounds(Vec<Bound>);

impl Bounds {
    /// Adds a limit: what must not be exceeded, and the activity that just meets it. `None` if any
    /// activity does.
    pub fn limit(&mut self, id: &str, value: &Sourced, unit: &str, activity: Option<Activity>) {
        self.add(id, "limit", value, unit, activity);
    }

    /// Adds a goal: what is aimed at, and the activity that just meets it. `None` if none does.
    pub fn goal(&mut self, id: &str, value: &Sourced, unit: &str, activity: Option<Activity>) {
        self.add(id, "goal", value, unit, activity);
    }

    fn add(
        &mut self,
        id: &str,
        kind: &str,
        value: &Sourced,
        unit: &str,
        activity: Option<Activity>,
    ) {
        if let Some(activity) = activity {
            self.0.push(Bound {
                id: id.to_owned(),
                kind: kind.to_owned(),
                value: value.value,
                unit: unit.to_owned(),
                activity_gbq: activity.gbq(),
                source: value.cited(),
            });
        }
    }

    /// The activity, and which bound set it: the smallest activity of all goals and limits. Goals
    /// ask for no more than they need, limits allow no more than is safe.
    #[must_use]
    pub fn binding(&self) -> Option<(Activity, &str)> {
        self.0
            .iter()
            .min_by(|a, b| a.activity_gbq.total_cmp(&b.activity_gbq))
            .map(|b| (Activity::from_gbq(b.activity_gbq), b.id.as_str()))
    }

    /// All of them.
    #[must_use]
    pub fn into_list(self) -> Vec<Bound> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_binds_and_what_no_activity_meets_is_left_out() {
        let mut bounds = Bounds::default();
        let gbq = |a| Some(Activity::from_gbq(a));
        bounds.goal("tumour_dose", &Sourced::stated(200.0), "Gy", gbq(3.0));
        bounds.limit("lung_dose_session", &Sourced::stated(30.0), "Gy", None);
        assert_eq!(bounds.binding().map(|b| b.1), Some("tumour_dose"));
        bounds.limit("normal_liver_dose", &Sourced::stated(40.0), "Gy", gbq(2.5));
        assert_eq!(bounds.binding().map(|b| (b.0.gbq(), b.1)), Some((2.5, "normal_liver_dose")));
        assert_eq!(bounds.into_list().len(), 2);
    }
}
