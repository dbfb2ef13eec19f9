//! Numeric test vectors kept as TOML: read, evaluated, compared, one line printed for each.
//!
//! For tests only (a dev-dependency). The vectors live outside the repository, in the folder that
//! the environment variable `HEPATICA_VECTORS` names, else in `../shared/vectors` beside the
//! workspace. Where the default folder is absent the test prints `skipped: ...` and passes; where
//! the variable names a folder that is not there, it fails.
//!
//! ```no_run
//! use hepatica_vectors::{Answer, Suite};
//!
//! // In crates/<yours>/tests/vectors.rs, in a #[test] whose name contains `vectors`:
//! Suite::new("dosimetry.toml")
//!     .group("decay", |v| Ok((-v.number("dt_h")? / v.number("half_life_h")?).exp2().into()))
//!     .group("bio", |v| {
//!         Ok(Answer::table([("g", v.number("t_rep_h")?.into()), ("bed", 1.0.into())]))
//!     })
//!     .elsewhere(&["activity", "lung"], "planning's own vector test")
//!     .not_concerned("mc", "belongs to the Monte Carlo engine")
//!     .listed_miss(|v| v.name.starts_with("vsv_bone").then(|| "water kernel".to_owned()))
//!     .run();
//! ```
//!
//! A `[[vector]]` has `name`, `group`, `inputs`, `expected` (number, list of numbers or table of
//! numbers), `rtol` and/or `atol`. It passes when every number differs from the expected one by no
//! more than `atol + rtol * |expected|`. The run fails on a miss that is not listed, on a vector
//! that cannot be evaluated, and on a group that nobody knows. An answer may hold more than what
//! is expected, never less.
//!
//! Files of another layout (`trial.toml`) are read with [`tables`] and compared with [`compare`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// One vector of a file.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Its name, unique in the file.
    pub name: String,
    /// What it is about; decides who evaluates it.
    pub group: String,
    /// What goes in.
    pub inputs: Table,
    /// What must come out.
    pub expected: Value,
    /// Relative tolerance.
    pub rtol: f64,
    /// Absolute tolerance.
    pub atol: f64,
}

impl Vector {
    fn read(table: &Table) -> Result<Self, String> {
        let text = |key: &str| {
            table
                .get(key)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| format!("a vector has no text `{key}`: {table:?}"))
        };
        let name = text("name")?;
        let inputs = table.get("inputs").and_then(Value::as_table).cloned().unwrap_or_default();
        let expected =
            table.get("expected").cloned().ok_or_else(|| format!("{name}: no `expected`"))?;
        let tolerance = |key: &str| table.get(key).and_then(as_number).unwrap_or(0.0);
        let (rtol, atol) = (tolerance("rtol"), tolerance("atol"));
        Ok(Self { group: text("group")?, name, inputs, expected, rtol, atol })
    }

    /// The input as a number.
    ///
    /// # Errors
    /// When it is absent or no number.
    pub fn number(&self, key: &str) -> Result<f64, String> {
        self.input(key).and_then(|v| as_number(v).ok_or_else(|| format!("`{key}` is no number")))
    }

    /// The input as a list of numbers.
    ///
    /// # Errors
    /// When it is absent or something else.
    pub fn numbers(&self, key: &str) -> Result<Vec<f64>, String> {
        self.input(key)?
            .as_array()
            .and_then(|list| list.iter().map(as_number).collect())
            .ok_or_else(|| format!("`{key}` is no list of numbers"))
    }

    /// The input as text.
    ///
    /// # Errors
    /// When it is absent or something else.
    pub fn text(&self, key: &str) -> Result<&str, String> {
        self.input(key)?.as_str().ok_or_else(|| format!("`{key}` is no text"))
    }

    /// Whether the input is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.inputs.contains_key(key)
    }

    fn input(&self, key: &str) -> Result<&Value, String> {
        self.inputs.get(key).ok_or_else(|| format!("no input `{key}`"))
    }
}

/// What our code says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One number.
    Number(f64),
    /// Numbers in the order of the expected ones.
    List(Vec<f64>),
    /// Answers by name.
    Table(BTreeMap<String, Answer>),
}

impl Answer {
    /// An answer of several named parts.
    #[must_use]
    pub fn table<K: Into<String>>(parts: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Table(parts.into_iter().map(|(name, part)| (name.into(), part)).collect())
    }
}

impl From<f64> for Answer {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Vec<f64>> for Answer {
    fn from(values: Vec<f64>) -> Self {
        Self::List(values)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(x) => write!(f, "{x:.7}"),
            Self::List(list) => {
                let words: Vec<_> = list.iter().map(|x| format!("{x:.7}")).collect();
                write!(f, "[{}]", words.join(", "))
            }
            Self::Table(parts) => {
                let words: Vec<_> = parts.iter().map(|(k, v)| format!("{k} = {v}")).collect();
                write!(f, "{{ {} }}", words.join(", "))
            }
        }
    }
}

/// Largest relative difference between an answer and what is expected.
///
/// # Errors
/// When a number is out of tolerance or missing, or the shapes differ; the message says which.
pub fn compare(got: &Answer, expected: &Value, rtol: f64, atol: f64) -> Result<f64, String> {
    if let (Answer::Number(got), Some(want)) = (got, as_number(expected)) {
        let off = (got - want).abs();
        let relative = if want == 0.0 { off } else { (got - want) / want };
        // Written so that NaN is out of tolerance.
        return if off <= atol + rtol * want.abs() {
            Ok(relative)
        } else {
            Err(format!("got {got:.7}, expected {want:.7} (off by {:+.3} %)", 100.0 * relative))
        };
    }
    let parts: Vec<(String, Result<f64, String>)> = match (got, expected) {
        (Answer::List(got), Value::Array(want)) => {
            if got.len() != want.len() {
                return Err(format!("got {} numbers, expected {}", got.len(), want.len()));
            }
            let each = got.iter().zip(want).enumerate();
            each.map(|(n, (g, w))| (n.to_string(), compare(&Answer::Number(*g), w, rtol, atol)))
                .collect()
        }
        (Answer::Table(got), Value::Table(want)) => want
            .iter()
            .map(|(key, w)| {
                let result = match got.get(key) {
                    Some(g) => compare(g, w, rtol, atol),
                    None => Err("is missing in our answer".to_owned()),
                };
                (key.clone(), result)
            })
            .collect(),
        _ => return Err(format!("the answer {got} has another shape than {expected}")),
    };
    let mut worst = 0.0_f64;
    for (which, result) in parts {
        let off = result.map_err(|why| format!("{which}: {why}"))?;
        if off.abs() > worst.abs() {
            worst = off;
        }
    }
    Ok(worst)
}

type Reason<'a> = Box<dyn Fn(&Vector) -> Option<String> + 'a>;
type Evaluate<'a> = Box<dyn Fn(&Vector) -> Result<Answer, String> + 'a>;

enum Group<'a> {
    Ours(Evaluate<'a>),
    NotOurs(String),
}

/// A file of vectors and who evaluates which group.
pub struct Suite<'a> {
    file: &'static str,
    groups: BTreeMap<String, Group<'a>>,
    listed: Vec<Reason<'a>>,
}

impl<'a> Suite<'a> {
    /// The vectors of `file` in the vectors' folder.
    #[must_use]
    pub fn new(file: &'static str) -> Self {
        Self { file, groups: BTreeMap::new(), listed: Vec::new() }
    }

    /// How to evaluate the vectors of a group.
    #[must_use]
    pub fn group(
        mut self,
        name: &str,
        evaluate: impl Fn(&Vector) -> Result<Answer, String> + 'a,
    ) -> Self {
        self.groups.insert(name.to_owned(), Group::Ours(Box::new(evaluate)));
        self
    }

    /// Groups that another test evaluates; `whose` says which. They are not printed one by one.
    #[must_use]
    pub fn elsewhere(mut self, names: &[&str], whose: &str) -> Self {
        for name in names {
            self.groups.insert((*name).to_owned(), Group::NotOurs(format!("in {whose}")));
        }
        self
    }

    /// A group that concerns nothing that exists yet, and why.
    #[must_use]
    pub fn not_concerned(mut self, name: &str, why: &str) -> Self {
        self.groups.insert(name.to_owned(), Group::NotOurs(format!("not concerned: {why}")));
        self
    }

    /// Vectors that may miss their tolerance, and the reason for each. They are evaluated and
    /// printed like all others.
    #[must_use]
    pub fn listed_miss(mut self, reason: impl Fn(&Vector) -> Option<String> + 'a) -> Self {
        self.listed.push(Box::new(reason));
        self
    }

    /// Evaluates all vectors and prints a line for each.
    ///
    /// # Panics
    /// When a vector misses and is not listed, cannot be evaluated, or is of an unknown group; or
    /// when the file cannot be read.
    pub fn run(self) {
        let Some(vectors) = tables(self.file, "vector") else { return };
        let mut failures = Vec::new();
        let mut count = [0_usize; 3];
        let mut set_aside: BTreeMap<String, usize> = BTreeMap::new();
        for table in &vectors {
            let vector = match Vector::read(table) {
                Ok(vector) => vector,
                Err(why) => {
                    failures.push(why);
                    continue;
                }
            };
            let Vector { name, group, .. } = &vector;
            let evaluate = match self.groups.get(group) {
                Some(Group::Ours(evaluate)) => evaluate,
                Some(Group::NotOurs(why)) => {
                    *set_aside.entry(format!("{group} ({why})")).or_default() += 1;
                    continue;
                }
                None => {
                    failures.push(format!("{name}: nobody knows the group `{group}`"));
                    continue;
                }
            };
            let verdict = evaluate(&vector).and_then(|answer| {
                compare(&answer, &vector.expected, vector.rtol, vector.atol)
                    .map(|off| format!("{answer} (off by {:+.3} %)", 100.0 * off))
            });
            match verdict {
                Ok(line) => {
                    count[0] += 1;
                    println!("ok      {group:<12} {name:<34} {line}");
                }
                Err(why) => match self.listed.iter().find_map(|f| f(&vector)) {
                    Some(reason) => {
                        count[1] += 1;
                        println!("listed  {group:<12} {name:<34} {why}; {reason}");
                    }
                    None => {
                        count[2] += 1;
                        println!("MISS    {group:<12} {name:<34} {why}");
                        failures.push(format!("{group} {name}: {why}"));
                    }
                },
            }
        }
        for (group, n) in set_aside {
            println!("aside   {n} of {group}");
        }
        println!("{}: {} ok, {} listed, {} missed", self.file, count[0], count[1], count[2]);
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    }
}

/// All `[[name]]` tables of a file of vectors; `None` (after printing `skipped: ...`) when the
/// default folder is not there.
///
/// # Panics
/// When the folder is named by `HEPATICA_VECTORS` and the file is not in it, when the file is no
/// TOML, and when it has no table of that name.
#[must_use]
pub fn tables(file: &str, name: &str) -> Option<Vec<Table>> {
    let (folder, asked) = match std::env::var_os("HEPATICA_VECTORS") {
        Some(folder) => (PathBuf::from(folder), true),
        None => {
            let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
            (PathBuf::from(default), false)
        }
    };
    let path = folder.join(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if !asked && !folder.is_dir() => {
            println!("skipped: {} is not there", path.display());
            return None;
        }
        Err(e) => panic!("{}: {e}", path.display()),
    };
    let root: Table = match text.parse() {
        Ok(root) => root,
        Err(e) => panic!("{}: {e}", path.display()),
    };
    let list = root.get(name).and_then(Value::as_array);
    let Some(list) = list else { panic!("{} has no [[{name}]]", path.display()) };
    Some(list.iter().filter_map(Value::as_table).cloned().collect())
}

/// A TOML integer or float.
#[must_use]
pub fn as_number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|n| n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        text.parse::<Table>().expect("valid")["x"].clone()
    }

    #[test]
    fn tolerance_is_relative_plus_absolute() {
        assert!(compare(&1.009.into(), &value("x = 1"), 0.01, 0.0).is_ok());
        assert!(compare(&1.011.into(), &value("x = 1"), 0.01, 0.0).is_err());
        assert!(compare(&1.011.into(), &value("x = 1"), 0.01, 0.002).is_ok());
        assert!(compare(&f64::NAN.into(), &value("x = 1"), 0.01, 1.0).is_err());
    }

    #[test]
    fn shapes_must_agree_and_nothing_may_be_missing() {
        let table = value("x = { a = 1.0, b = [2, 3] }");
        let full = Answer::table([("a", 1.0.into()), ("b", vec![2.0, 3.0].into())]);
        assert!(compare(&full, &table, 0.0, 0.0).is_ok());
        let part = Answer::table([("a", Answer::from(1.0))]);
        assert!(compare(&part, &table, 0.0, 0.0).is_err());
        assert!(compare(&1.0.into(), &table, 0.0, 0.0).is_err());
        assert!(compare(&vec![1.0].into(), &value("x = [1, 2]"), 0.0, 0.0).is_err());
    }
}
