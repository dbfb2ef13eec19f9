//! `hepatica course propose-start`

use super::CommandError;
use crate::term;
use hepatica_planning::device::Device;
use hepatica_planning::order::orderable;
use hepatica_regimen::propose::{self, Side};
use hepatica_regimen::site::{Site, named_date};
use hepatica_regimen::{Calendar, Protocol};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course propose-start --protocol captemy90 --site example --from 2026-12-01 --to 2027-01-31
  hepatica course propose-start --protocol captemy90 --site ours.toml --from 2027-01-01 --to 2027-03-31 --all

A site is a file (docs/site.md): days with a catheter room, holidays, how spheres come.")]
pub struct Args {
    /// Protocol: a shipped name or a file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: String,
    /// Site: `example` or a file
    #[arg(long, value_name = "NAME|FILE")]
    site: String,
    /// First day of cycle 1 to look at
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: String,
    /// Last day of cycle 1 to look at
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: String,
    /// Device, if not the site's: glass, resin, holmium, or a device file
    #[arg(long, value_name = "NAME|FILE")]
    device: Option<String>,
    /// How many to show
    #[arg(long, default_value = "5")]
    top: usize,
    /// Show all, also those that are not possible
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let protocol = Protocol::named(&args.protocol)?;
    let site = Site::named(&args.site)?;
    let device = Device::named(args.device.as_deref().unwrap_or(&site.spheres.device))?;
    let days = Calendar::parse_date(&args.from)?..=Calendar::parse_date(&args.to)?;
    let proposals = propose::propose(&propose::appointments(&protocol), &site, days, &|day| {
        orderable(&device, &site, day)
    })?;
    let possible = proposals.iter().filter(|p| p.possible).count();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&proposals)?);
        return Ok(possible > 0);
    }
    let shown = if args.all { proposals.len() } else { args.top.min(possible) };
    for (n, p) in proposals.iter().take(shown).enumerate() {
        let (head, reset) = (term::HEAD, term::RESET);
        let word = if p.possible { format!("{}.", n + 1) } else { "not possible:".to_owned() };
        anstream::println!(
            "{head}{word} C1D1 {}{reset}  {}penalty {}{reset}",
            named_date(p.c1d1),
            term::DIM,
            p.penalty
        );
        for placed in &p.placed {
            let date = placed.date.map_or("not placed".to_owned(), named_date);
            let order =
                placed.order_by.map_or(String::new(), |d| format!(", spheres ordered by {d}"));
            anstream::println!("     {:<28} {:<6} {date}{order}", placed.name, placed.label);
        }
        for r in &p.reasons {
            let sign = match r.side {
                Side::For => "+",
                Side::Against => "-",
                Side::Note => "!",
            };
            anstream::println!("     {sign} {}", r.text);
        }
    }
    if possible == 0 {
        anstream::println!(
            "No first day from {} to {} is possible at {}; --all says why.",
            args.from,
            args.to,
            site.name
        );
    } else if !args.all {
        anstream::println!(
            "{}{possible} of {} days are possible{}",
            term::DIM,
            proposals.len(),
            term::RESET
        );
    }
    Ok(possible > 0)
}
