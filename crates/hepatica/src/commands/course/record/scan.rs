//! `hepatica course record COURSE scan`

use super::{CommandError, Common, pair, usage};
use hepatica_regimen::response::{Lesion, NonTarget, NonTargetState, Scan};
use hepatica_regimen::{Course, Fact};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ... scan --date 2026-11-20 liver/T1=34 liver/T2=22 node/N1=18       the baseline
  ... scan --date 2027-02-24 liver/T1=24 liver/T2=ne non-target/bone=non-cr new/lung=yes
  ... scan --date 2027-02-24 liver/T1=24:11                            11 mm of it enhancing

A node is measured by its short axis. `ne`: not evaluable. What begins with `node` is a node.")]
pub struct Args {
    /// SITE/LESION=MM or =MM:VIABLE_MM or =ne, non-target/SITE=cr|non-cr|pd|ne, new/SITE=yes, or `nothing`
    #[arg(required = true, value_name = "WHAT=HOW")]
    values: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn fact(args: &Args, course: &Course<'_>) -> Result<Fact, CommandError> {
    let mut scan = Scan { lesions: Vec::new(), non_target: Vec::new(), new_lesions: Vec::new() };
    for item in args.values.iter().filter(|i| *i != "nothing") {
        let (what, how) = pair(item)?;
        let (site, name) = what
            .split_once('/')
            .filter(|(s, n)| !s.is_empty() && !n.is_empty())
            .ok_or_else(|| usage(format!("{item}: expected SITE/LESION=MM, as in liver/T1=28")))?;
        match site {
            "non-target" => scan.non_target.push(NonTarget {
                site: name.to_owned(),
                state: match how {
                    "cr" => NonTargetState::Cr,
                    "non-cr" | "non-cr-non-pd" => NonTargetState::NonCrNonPd,
                    "pd" => NonTargetState::Pd,
                    "ne" => NonTargetState::Ne,
                    _ => {
                        return Err(usage(format!("{item}: expected cr, non-cr, pd or ne")));
                    }
                },
            }),
            "new" => match how {
                "yes" => scan.new_lesions.push(name.to_owned()),
                "no" => {}
                _ => return Err(usage(format!("{item}: expected yes or no"))),
            },
            _ => scan.lesions.push(lesion(item, site, name, how)?),
        }
    }
    // A target of another name than at baseline would be taken for another lesion.
    if let Some((on, baseline)) = course.scans.first() {
        for l in &scan.lesions {
            if !baseline.lesions.iter().any(|b| b.id == l.id) {
                let known: Vec<_> = baseline.lesions.iter().map(|b| b.id.as_str()).collect();
                return Err(usage(format!(
                    "{} is no target of the baseline of {on} ({}); a new lesion is new/{}=yes",
                    l.id,
                    known.join(", "),
                    l.site
                )));
            }
        }
    }
    Ok(Fact::Scan { reading: scan })
}

fn lesion(item: &str, site: &str, name: &str, how: &str) -> Result<Lesion, CommandError> {
    let mm = |text: &str| {
        let text = text.strip_suffix("mm").unwrap_or(text);
        let value = text.trim().parse::<f64>().ok().filter(|v| (0.0..=500.0).contains(v));
        value.ok_or_else(|| usage(format!("{item}: expected millimetres, 0 to 500, or ne")))
    };
    let (diameter, viable) = match how.split_once(':') {
        Some((whole, part)) => (Some(mm(whole)?), Some(mm(part)?)),
        None if how == "ne" => (None, None),
        None => (Some(mm(how)?), None),
    };
    if diameter.zip(viable).is_some_and(|(d, v)| v > d) {
        return Err(usage(format!("{item}: the viable part is longer than the lesion")));
    }
    Ok(Lesion {
        id: name.to_owned(),
        site: site.to_owned(),
        node: site.to_lowercase().starts_with("node"),
        diameter_mm: diameter,
        viable_mm: viable,
    })
}
