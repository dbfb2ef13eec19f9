//! How far the log of a course had come.

use hepatica_regimen::{Event, EventId};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How far the log of a course had come when it was exported. A course does not tell: an event that
/// was taken back leaves no trace in it, and yet it changed dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Number of events.
    pub events: usize,
    /// When the last one was recorded, in UTC.
    pub recorded: Timestamp,
}

impl Stamp {
    /// Counts events as the fold does: each once, and with `as_of` only those recorded by then.
    pub fn of<'e>(
        events: impl IntoIterator<Item = (&'e EventId, &'e Event)>,
        as_of: Option<Timestamp>,
    ) -> Self {
        let known = events.into_iter().filter(|(_, e)| as_of.is_none_or(|t| e.recorded <= t));
        let mut ids = BTreeSet::new();
        let mut recorded = Timestamp::UNIX_EPOCH;
        for (id, event) in known {
            ids.insert(id);
            recorded = recorded.max(event.recorded);
        }
        Self { events: ids.len(), recorded }
    }
}
