//! What is reckoned with: each number with where it is from, so that nothing is silent.

use schemars::JsonSchema;
use serde::Serialize;

/// Days of a month, where days are shown as months.
pub const MONTH_DAYS: f64 = 365.25 / 12.0;

/// A number or a choice, and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Setting {
    /// What.
    pub name: String,
    /// Its value, in words.
    pub value: String,
    /// `given`, `protocol`, `data`, or `assumed`.
    pub from: &'static str,
    /// Why this, where it was assumed.
    pub because: Option<&'static str>,
}

/// Settings as they are made.
#[derive(Debug, Default)]
pub struct Settings(pub Vec<Setting>);

impl Settings {
    /// A value that may have been given, else the usual one.
    pub fn choose<T: std::fmt::Display>(
        &mut self,
        name: &str,
        given: Option<T>,
        usual: T,
        because: &'static str,
    ) -> T {
        let (value, from, because) = match given {
            Some(value) => (value, "given", None),
            None => (usual, "assumed", Some(because)),
        };
        let (name, shown) = (name.to_owned(), value.to_string());
        self.0.push(Setting { name, value: shown, from, because });
        value
    }

    /// A value that is known.
    pub fn note(&mut self, name: &str, value: impl std::fmt::Display, from: &'static str) {
        let (name, value) = (name.to_owned(), value.to_string());
        self.0.push(Setting { name, value, from, because: None });
    }

    /// A choice that nobody was asked for.
    pub fn assume(&mut self, name: &str, value: &str, because: &'static str) {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.0.push(Setting { name, value, from: "assumed", because: Some(because) });
    }
}
