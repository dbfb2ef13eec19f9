//! What a person sees while waiting: a bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Parts in a thousand: fine enough for a bar.
const PARTS: f64 = 1000.0;

/// A bar that says what is being done.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar on standard error if that is a terminal and `quiet` is not asked for.
    pub fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(PARTS as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:32} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Says what is being done and how much of the whole (0 to 1) is done.
    pub fn at(&self, what: &str, done: f64) {
        self.0.set_position((done.clamp(0.0, 1.0) * PARTS) as u64);
        self.0.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
