//! `hepatica-cluster run`: a table of units in, a table of counts out.

use crate::error::ClusterError;
use crate::{function, session};
use ballista::prelude::{SessionConfigExt, SessionContextExt};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use hepatica_trial::sweep::Count;
use hepatica_trial::units::write_counts;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// The one text for both engines. A unit is computed where its row is read; counts are whole numbers, so that
/// their sums are the same in any order.
const SQL: &str = "
    SELECT of_draw, of_half, c['place'] AS place, SUM(c['count']) AS count
    FROM (
        SELECT
            CAST(draw AS BIGINT) AS of_draw,
            CAST(half AS BIGINT) AS of_half,
            unnest(hepatica_counts(scenario, draw, first, patients, half)) AS c
        FROM units
    )
    GROUP BY of_draw, of_half, c['place']";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scheduler of the cluster, df://HOST:PORT [default: this process]
    #[arg(long, value_name = "URL")]
    cluster: Option<String>,
    /// Folder of Parquet files, `scenario, draw, first, patients, half`; every executor must see it
    #[arg(long, value_name = "FOLDER")]
    units: PathBuf,
    /// Parquet file to write, `draw, half, place, count`
    #[arg(long, value_name = "FILE")]
    counts: PathBuf,
}

/// Computes the units.
pub async fn run(args: &Args) -> Result<(), ClusterError> {
    let units = fs::canonicalize(&args.units).map_err(|e| wrong(&args.units, &e))?;
    let files = fs::read_dir(&units).map_err(|e| wrong(&units, &e))?.count();
    if files == 0 {
        return Err(wrong(&units, &"no file in it, expected tables of units"));
    }
    // A task a file, whatever the size of the files.
    let config = SessionConfig::new_with_ballista()
        .with_target_partitions(files)
        .with_repartition_file_scans(false);
    let state = session::state(config)?;
    let context = match &args.cluster {
        Some(url) => {
            session::reachable(url)?;
            SessionContext::remote_with_state(url, state).await?
        }
        None => SessionContext::new_with_state(state),
    };
    // The engine's client starts from its own functions.
    context.register_udf(function::counts());
    let path = units.display().to_string();
    context.register_parquet("units", format!("{path}/"), ParquetReadOptions::default()).await?;
    let mut counts = Vec::new();
    for batch in context.sql(SQL).await?.collect().await? {
        let column = |n: usize| batch.column(n).as_primitive::<Int64Type>().values();
        let rows = column(0).iter().zip(column(1)).zip(column(2)).zip(column(3));
        // What is not of the job is found by who knows it, when the table is read.
        counts.extend(rows.map(|(((draw, half), place), count)| Count {
            draw: *draw as u64,
            half: *half as u8,
            place: *place as u32,
            count: *count as u64,
        }));
    }
    counts.sort_unstable();
    let partial = args.counts.with_extension("partial");
    let file = fs::File::create(&partial).map_err(|e| wrong(&partial, &e))?;
    write_counts(BufWriter::new(file), &counts)?;
    fs::rename(&partial, &args.counts).map_err(|e| wrong(&args.counts, &e))
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> ClusterError {
    ClusterError::File { path: path.to_owned(), why: why.to_string() }
}
