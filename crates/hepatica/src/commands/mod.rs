//! The commands.

#[cfg(feature = "workbench")]
mod account;
mod completions;
mod course;
mod demo;
#[cfg(feature = "workbench")]
mod export;
#[cfg(feature = "workbench")]
mod import;
mod inspect;
mod phantom;
mod plan;
mod protocol;
#[cfg(feature = "workbench")]
mod serve;
mod trial;
mod verify;

use crate::output::OutputError;
use clap::{Parser, Subcommand};
use hepatica_imaging::{ReadError, WriteError};
use hepatica_phantom::PhantomError;
use hepatica_planning::PlanError;
use hepatica_planning::verification::VerifyError;
use hepatica_report::ReportError;
use thiserror::Error;

/// Plan, schedule and evaluate radioembolization given with chemotherapy.
///
/// Research use only: not a cleared medical device.
#[derive(Debug, Parser)]
#[command(name = "hepatica", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  hepatica demo                        make a synthetic patient, plan it, say where the report is
  hepatica inspect CASE                what a folder of DICOM or NIfTI holds
  hepatica plan CASE --out OUT         from the simulation procedure to a plan
  hepatica verify CASE --scan SCAN --plan OUT --out OUT2   what was really given
  hepatica plan OUT --explain lung_shunt   how a number came to be
  hepatica course status P001.course   which day it is, what is due, held or reduced, and why
  hepatica protocol check FILE         what contradicts itself in a protocol
  hepatica trial monitor DATA          accrual, toxicity, stopping boundary, response so far

Exit codes: 0 done (and the gate passes), 1 error, 2 planned but a gate holds or fails (of `trial monitor`:
a stopping boundary is crossed).")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plan radioembolization from the simulation procedure
    Plan(Box<plan::Args>),
    /// Say what was really given, from the scan after treatment, beside the plan
    Verify(Box<verify::Args>),
    /// Say what a file or folder holds: series, role, geometry, problems
    Inspect(inspect::Args),
    /// Make a synthetic patient as DICOM files, with its truth
    Phantom(phantom::Args),
    /// Make the built-in synthetic patient and plan it
    Demo(demo::Args),
    /// Follow a patient's course through a protocol: what is due, held, reduced, and why
    Course(course::Args),
    /// Monitor and analyse a trial's data
    Trial(trial::Args),
    /// List, show, check and compare protocols
    Protocol(protocol::Args),
    /// Serve the workbench: the whole course in a browser
    #[cfg(feature = "workbench")]
    Serve(serve::Args),
    /// Accounts of the workbench: who may sign in, with what roles at which centres
    #[cfg(feature = "workbench")]
    Account(account::Args),
    /// Export a whole site as one file: a backup, or a move to another machine
    #[cfg(feature = "workbench")]
    Export(export::Args),
    /// Import a site that was exported, where there is nothing yet
    #[cfg(feature = "workbench")]
    Import(import::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

impl Cli {
    /// Whether the command runs until it is interrupted.
    pub fn serves(&self) -> bool {
        #[cfg(feature = "workbench")]
        return matches!(self.command, Command::Serve(_));
        #[cfg(not(feature = "workbench"))]
        false
    }
}

/// Runs a command; the answer is whether its gate passes (a command without one: yes).
pub fn run(cli: Cli) -> Result<bool, CommandError> {
    match cli.command {
        Command::Plan(args) => plan::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Phantom(args) => phantom::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Course(args) => course::run(&args),
        Command::Trial(args) => trial::run(&args),
        Command::Protocol(args) => protocol::run(&args),
        #[cfg(feature = "workbench")]
        Command::Serve(args) => serve::run(&args),
        #[cfg(feature = "workbench")]
        Command::Account(args) => account::run(&args),
        #[cfg(feature = "workbench")]
        Command::Export(args) => export::run(&args),
        #[cfg(feature = "workbench")]
        Command::Import(args) => import::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Why a command could not do its work: one sentence.
#[derive(Debug, Error)]
pub enum CommandError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Phantom(#[from] PhantomError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    ProtocolFile(#[from] hepatica_regimen::ProtocolError),
    #[error(transparent)]
    Log(#[from] hepatica_regimen::log::LogError),
    #[error(transparent)]
    Course(#[from] hepatica_regimen::course::CourseError),
    #[error(transparent)]
    Calendar(#[from] hepatica_regimen::calendar::CalendarError),
    #[error(transparent)]
    Texts(#[from] hepatica_report::texts::TextsError),
    #[error(transparent)]
    Exchange(#[from] hepatica_exchange::ExchangeError),
    #[error(transparent)]
    Odm(#[from] hepatica_exchange::odm::OdmError),
    #[error(transparent)]
    Redcap(#[from] hepatica_exchange::redcap::RedcapError),
    #[error(transparent)]
    Table(#[from] hepatica_exchange::tables::TableError),
    #[error(transparent)]
    Desk(#[from] hepatica_regimen::desk::DeskError),
    #[error(transparent)]
    Grade(#[from] hepatica_regimen::ctcae::GradeError),
    #[error(transparent)]
    Site(#[from] hepatica_regimen::site::SiteError),
    #[error(transparent)]
    Propose(#[from] hepatica_regimen::propose::ProposeError),
    #[error(transparent)]
    Device(#[from] hepatica_planning::device::DeviceError),
    #[error(transparent)]
    Data(#[from] hepatica_analysis::DataError),
    #[error(transparent)]
    Analysis(#[from] hepatica_analysis::AnalysisError),
    #[error(transparent)]
    Population(#[from] hepatica_biology::population::PopulationError),
    #[error(transparent)]
    Program(#[from] hepatica_trial::program::ProgramError),
    #[error(transparent)]
    Sweep(#[from] hepatica_trial::sweep::SweepError),
    #[error(transparent)]
    LesionDose(#[from] hepatica_trial::lesion_dose::LesionDoseError),
    #[error(transparent)]
    Targets(#[from] hepatica_trial::targets::TargetsError),
    #[error(transparent)]
    Calibrate(#[from] hepatica_trial::calibrate::CalibrateError),
    #[error("the design: {0}")]
    Statistics(#[from] hepatica_statistics::Error),
    #[cfg(feature = "workbench")]
    #[error(transparent)]
    Workbench(#[from] hepatica_workbench::WorkbenchError),
    #[error("{0}")]
    Usage(String),
    #[error("cannot be written as JSON ({0})")]
    Json(#[from] serde_json::Error),
    #[error("standard output cannot be written ({0})")]
    Stdout(#[from] std::io::Error),
}
