//! `hepatica serve`

use super::{CommandError, course, import::Place};
use crate::term;
use clap::ValueHint;
use hepatica_workbench::site::Site;
use hepatica_workbench::tls::Tls;
use hepatica_workbench::{Access, Config, serve};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica serve                          http://127.0.0.1:8090, the data in the user's data folder
  hepatica serve --data /srv/hepatica --listen 127.0.0.1:9000
  hepatica serve --database postgres://hepatica@localhost/hepatica
  hepatica serve --listen 0.0.0.0:8443 --host hepatica.example.org --tls-certificate chain.pem --tls-key key.pem
                                          for other machines: with accounts only (hepatica account add)

Cases that can be planned are folders of DICOM under DATA/cases, scans after treatment under DATA/scans.")]
pub struct Args {
    /// Where to listen; beyond this machine only with TLS and accounts
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    #[command(flatten)]
    place: Place,
    /// Name it is opened by, beside those of this machine; may be repeated
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Certificate and what it is signed with, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    tls_certificate: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    tls_key: Option<PathBuf>,
    /// Who works with it; the user of the machine if left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Leave the example patients out of a new store
    #[arg(long)]
    no_examples: bool,
    /// Open it in the browser
    #[arg(long)]
    open: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let Site { data, database } = args.place.site()?;
    let tls = args.tls_certificate.clone().zip(args.tls_key.clone());
    let tls = tls.map(|(certificate, key)| Tls { certificate, key });
    let config = Config {
        listen: args.listen,
        data: data.clone(),
        database,
        who: course::recorder(args.by.clone())?,
        examples: !args.no_examples,
        phantom: hepatica_phantom::Options::default(),
        access: Access { hosts: args.host.clone(), tls: tls.clone(), ..Access::default() },
    };
    serve(config, |address| {
        let url = format!("{}://{address}", if tls.is_some() { "https" } else { "http" });
        if !args.quiet {
            let (head, dim, reset) = (term::HEAD, term::DIM, term::RESET);
            anstream::println!("{head}workbench{reset} {url}");
            anstream::println!("{dim}data{reset}      {}", data.display());
            anstream::println!("{dim}Research use only. Ctrl-C ends it.{reset}");
        }
        if args.open {
            open(&url);
        }
    })?;
    Ok(true)
}

/// Asks the desktop for a browser.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(program);
    command.arg(url).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(e) = command.spawn() {
        anstream::eprintln!("warning: no browser could be opened ({e}); open {url}");
    }
}
