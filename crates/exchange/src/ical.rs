//! A course as iCalendar.
