//! What kidneys, enzymes and the like make of a dose: tables of factors, as data.

use super::DoseError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A factor on the dose, with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// For what, as in `creatinine clearance`.
    pub what: String,
    /// Above 0, at most 1.
    pub factor: f64,
    /// Why, in words.
    pub because: String,
    /// Where it is from.
    pub source: String,
}

/// Factors on the dose by the value of a measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentTable {
    /// Which measure, as in `creatinine clearance`.
    pub measure: String,
    /// Unit of its values; empty for a score.
    #[serde(default)]
    pub unit: String,
    /// Largest value there can be; beyond it the value is asked back.
    pub most: f64,
    /// Rows of rising `from`. The first one's is the least value there can be.
    pub row: Vec<AdjustmentRow>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentRow {
    /// Value from which it holds, up to the next row's.
    pub from: f64,
    /// Factor on the dose; 0 means contraindicated.
    pub factor: f64,
    /// `seen`, `recalled` or `derived`.
    pub mark: String,
    /// Where it is from.
    pub source: String,
}

impl AdjustmentTable {
    /// Whether the table can be used.
    ///
    /// # Errors
    /// [`DoseError::Value`]: no rows, rows out of order, a factor outside 0 to 1.
    pub fn check(&self) -> Result<(), DoseError> {
        let key = |k: &str| format!("adjustment by {}: {k}", self.measure);
        let (Some(first), Some(last)) = (self.row.first(), self.row.last()) else {
            return Err(DoseError::value(key("row"), "none", "at least one"));
        };
        let finite = first.from.is_finite() && self.most.is_finite() && last.from <= self.most;
        if !finite || self.row.windows(2).any(|w| !(w[0].from < w[1].from)) {
            return Err(DoseError::value(
                key("row"),
                "rows out of order",
                "rows of rising `from`, none above `most`",
            ));
        }
        for row in &self.row {
            if !(0.0..=1.0).contains(&row.factor) {
                return Err(DoseError::value(key("factor"), row.factor, "0 to 1"));
            }
        }
        Ok(())
    }

    /// The factor for a value; `None` where the dose stays as it is.
    ///
    /// # Errors
    /// [`DoseError::Contraindicated`] where the factor is 0; [`DoseError::Value`] for a value that
    /// there cannot be, and for a table that cannot be used.
    pub fn adjustment(&self, value: f64) -> Result<Option<Adjustment>, DoseError> {
        self.check()?;
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let row = self.row.iter().rev().find(|r| value >= r.from).filter(|_| value <= self.most);
        let Some(row) = row else {
            let least = self.row.first().map_or(f64::NAN, |r| r.from);
            let expected = format!("{least} to {}{unit}", self.most);
            return Err(DoseError::value(&self.measure, value, expected));
        };
        let source = format!("{} [{}]", row.source, row.mark);
        if row.factor == 0.0 {
            return Err(DoseError::Contraindicated {
                measure: self.measure.clone(),
                value,
                unit: self.unit.clone(),
                source_text: source,
            });
        }
        let shown = (value * 100.0).round() / 100.0;
        Ok((row.factor < 1.0).then(|| Adjustment {
            what: self.measure.clone(),
            factor: row.factor,
            because: format!("{} {shown}{unit}", self.measure),
            source,
        }))
    }
}
