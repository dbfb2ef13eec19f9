//! The function that the engine knows more: a row of units to what it counts.

use datafusion::arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, Int64Builder, ListArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hepatica_trial::Job;
use hepatica_trial::job::{UNIT, Unit};
use hepatica_trial::sweep::{Scenario, compute_unit};
use std::sync::{Arc, LazyLock, Mutex};

/// Its name in SQL.
pub const NAME: &str = "hepatica_counts";
/// What a reason of ours is between, among the engine's words.
pub const REFUSED: [&str; 2] = ["a unit was refused: ", "; nothing is written"];

/// `hepatica_counts(scenario, draw, first, patients, half)`: a list of `place, count` without zeros.
pub fn counts() -> ScalarUDF {
    ScalarUDF::new_from_impl(Counts { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Counts {
    signature: Signature,
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("place", DataType::Int64, false),
        Field::new("count", DataType::Int64, false),
    ])
});

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Struct(FIELDS.clone()), false))
}

impl ScalarUDFImpl for Counts {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.len() == 5 {
            let whole = DataType::Int64;
            Ok(vec![DataType::Utf8View, whole.clone(), whole.clone(), whole.clone(), whole])
        } else {
            Err(DataFusionError::Plan(format!("{NAME} takes 5 columns, not {}", given.len())))
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let scenario = columns[0].as_string_view();
        let number = |place: usize| columns[place].as_primitive::<Int64Type>();
        let (mut places, mut numbers) = (Int64Builder::new(), Int64Builder::new());
        let mut lengths = Vec::with_capacity(scenario.len());
        for row in 0..scenario.len() {
            if columns.iter().any(|c| c.is_null(row)) {
                return Err(refused("an empty cell"));
            }
            let [draw, first, patients, half] = [1, 2, 3, 4].map(|c| number(c).value(row));
            let job = job(scenario.value(row))?;
            let unit = unit(&job, draw, first, patients, half)?;
            let before = places.len();
            for (place, count) in (0..).zip(compute_unit(&job, &unit)).filter(|(_, c)| *c > 0) {
                places.append_value(place);
                // No more than the patients of a unit, or what they sum up to.
                numbers.append_value(count as i64);
            }
            lengths.push(places.len() - before);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(places.finish()), Arc::new(numbers.finish())];
        let values = StructArray::try_new(FIELDS.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = ListArray::try_new(item(), offsets, Arc::new(values), None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

fn refused(why: impl std::fmt::Display) -> DataFusionError {
    let [begin, end] = REFUSED;
    DataFusionError::Execution(format!("{begin}{why}{end}"))
}

/// The unit of a row: within its job, and no larger than units are.
fn unit(job: &Job, draw: i64, first: i64, patients: i64, half: i64) -> Result<Unit> {
    let wrong = || {
        refused(format!(
            "draw {draw}, first {first}, patients {patients}, half {half} are not of its job"
        ))
    };
    let whole = |x: i64| u64::try_from(x).map_err(|_| wrong());
    let half = u8::try_from(half).map_err(|_| wrong())?;
    let unit = Unit { draw: whole(draw)?, first: whole(first)?, patients: whole(patients)?, half };
    let end = unit.first.checked_add(unit.patients).ok_or_else(wrong)?;
    if unit.draw < job.draws
        && half < 2
        && (1..=UNIT).contains(&unit.patients)
        && end <= job.patients
    {
        Ok(unit)
    } else {
        Err(wrong())
    }
}

/// The job of a scenario. All rows of a sweep have the same one: the last is kept.
fn job(scenario: &str) -> Result<Arc<Job>> {
    static LAST: Mutex<Option<(String, Arc<Job>)>> = Mutex::new(None);
    let mut last = LAST.lock().map_err(|_| refused("another one ended in a panic"))?;
    if let Some((_, job)) = last.as_ref().filter(|(text, _)| text == scenario) {
        return Ok(job.clone());
    }
    let job = Arc::new(Scenario::parse(scenario).and_then(|s| s.job()).map_err(refused)?);
    *last = Some((scenario.to_owned(), job.clone()));
    Ok(job)
}
