//! `hepatica account`

use super::{CommandError, course, import::Place};
use crate::term;
use clap::Subcommand;
use hepatica_workbench::people::{Grant, checked_centre};
use hepatica_workbench::site::{AccountChange, accounts_now, change_account_now, place_now};
use std::io::{BufRead, IsTerminal};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica account add anna --role physician@basel       asks for the password; or: ... < password.txt
  hepatica account add omar --role statistician --role monitor@bern
  hepatica account change anna --role physicist@basel    new roles; --password asks for a new password
  hepatica account close anna                            may no longer sign in; the trail keeps the name
  hepatica account centre P001 basel                     which centre a patient is of
  hepatica account list

Roles: coordinator, physician, physicist, statistician, monitor, administrator; with @CENTRE at one centre, else at all.
With the first account everybody signs in.")]
pub struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make an account
    Add {
        /// Name to sign in with
        name: String,
        /// Role, with @CENTRE at one centre; may be repeated
        #[arg(long = "role", required = true, value_name = "ROLE[@CENTRE]")]
        roles: Vec<Grant>,
        #[command(flatten)]
        place: Place,
    },
    /// Change roles or password; who is signed in with it signs in again
    Change {
        /// The account
        name: String,
        /// Roles in place of those before; may be repeated
        #[arg(long = "role", value_name = "ROLE[@CENTRE]")]
        roles: Vec<Grant>,
        /// Ask for a new password
        #[arg(long)]
        password: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Close an account
    Close {
        /// The account
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Say which centre a patient is of
    Centre {
        /// The patient
        patient: String,
        /// The centre
        centre: String,
        #[command(flatten)]
        place: Place,
    },
    /// List accounts with their roles
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// The password: a line of standard input, asked for where somebody sits before it.
fn password() -> Result<String, CommandError> {
    let mut line = String::new();
    if std::io::stdin().is_terminal() {
        line = rpassword::prompt_password("Password: ")?;
    } else {
        std::io::stdin().lock().read_line(&mut line)?;
    }
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(CommandError::Usage("no password was given on standard input".to_owned()));
    }
    Ok(line.to_owned())
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let by = course::recorder(None)?;
    match &args.command {
        What::Add { name, roles, place } => {
            let change = AccountChange::Add { password: password()?, grants: roles.clone() };
            change_account_now(&place.site()?, name, &change, &by)?;
        }
        What::Change { name, roles, password: ask, place } => {
            let grants = (!roles.is_empty()).then(|| roles.clone());
            if grants.is_none() && !ask {
                let said = "nothing to change: say --role or --password".to_owned();
                return Err(CommandError::Usage(said));
            }
            let password = if *ask { Some(password()?) } else { None };
            let change = AccountChange::Change { password, grants };
            change_account_now(&place.site()?, name, &change, &by)?;
        }
        What::Close { name, place } => {
            change_account_now(&place.site()?, name, &AccountChange::Close, &by)?;
        }
        What::Centre { patient, centre, place } => {
            let centre = checked_centre(centre).map_err(CommandError::Usage)?;
            place_now(&place.site()?, patient, &centre, &by)?;
        }
        What::List { place } => {
            let mut rows = vec![["name", "roles", "changed"].map(str::to_owned).to_vec()];
            for a in accounts_now(&place.site()?)? {
                let roles = if a.closed == 0 { a.grants } else { "closed".to_owned() };
                rows.push(vec![a.name, roles, a.changed.chars().take(10).collect()]);
            }
            term::print_table(&rows);
        }
    }
    Ok(true)
}
