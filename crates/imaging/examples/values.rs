//! What we read of files, for other readers to be compared with: `values PATH OUT` looks at PATH and
//! prints one line of JSON for each series, its values beside it as `OUT/N.f32` (32-bit floats, the
//! low byte first, i fastest). `tests/interop/images.py` runs it.

use hepatica_imaging::volume::{self, Summary};
use hepatica_imaging::{SpacingPolicy, inventory};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (path, out, policy) = match arguments.as_slice() {
        [path, out] => (path, out, SpacingPolicy::Refuse),
        [path, out, word] if word.as_os_str() == "resample" => (path, out, SpacingPolicy::Resample),
        _ => return Err("usage: values PATH OUT [resample]".into()),
    };
    let inventory = match inventory::scan(path) {
        Ok(inventory) => inventory,
        Err(e) => {
            println!("{}", serde_json::json!({ "refused": e.to_string() }));
            return Ok(());
        }
    };
    for problem in &inventory.problems {
        println!("{}", serde_json::json!({ "refused": problem }));
    }
    for (n, series) in inventory.series.iter().enumerate() {
        let line = match volume::read(series, policy) {
            Ok(volume) => {
                let mut to = BufWriter::new(File::create(out.join(format!("{n}.f32")))?);
                for v in volume.image.data() {
                    to.write_all(&v.to_le_bytes())?;
                }
                to.flush()?;
                serde_json::json!({ "n": n, "series": series, "values": Summary::of(&volume) })
            }
            Err(e) => serde_json::json!({ "n": n, "series": series, "refused": e.to_string() }),
        };
        println!("{line}");
    }
    Ok(())
}
