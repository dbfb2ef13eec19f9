//! A scheduler and two executors on loopback, as processes: the same counts as one machine gives, with both
//! alive, with one killed half-way, and through `hepatica trial`.

use hepatica_trial::job::Unit;
use hepatica_trial::sweep::{ArmText, Count, ParametersText, Part, SCHEMA, Scenario};
use hepatica_trial::{Job, units};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hepatica-cluster");

/// A process that ends with its test.
struct Running {
    child: Child,
    /// What it said first.
    said: String,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut said).expect("a line");
        Self { child, said }
    }

    /// CPU seconds it used, where the system tells.
    fn cpu_seconds(&self) -> Option<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |n: usize| fields.get(n)?.parse::<f64>().ok();
        Some((ticks(11)? + ticks(12)?) / 100.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Cluster {
    url: String,
    executors: Vec<Running>,
    _scheduler: Running,
}

impl Cluster {
    fn start(executors: usize) -> Self {
        let scheduler =
            Running::start(&["scheduler", "--bind", "127.0.0.1:0", "--executor-timeout", "10"]);
        let url = scheduler.said.split_whitespace().last().expect("an address").to_owned();
        let executors = (0..executors)
            .map(|_| Running::start(&["executor", "--scheduler", &url, "--cores", "1"]))
            .collect();
        Self { url, executors, _scheduler: scheduler }
    }
}

fn scenario(patients: u64, draws: u64) -> Scenario {
    let protocol = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocols/captemy90.toml");
    Scenario {
        schema: SCHEMA,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        population: hepatica_biology::population::Population::shipped_text().to_owned(),
        parameters: ParametersText::Prior,
        setting: "captemy90".to_owned(),
        arms: vec![ArmText {
            name: "captemy90".to_owned(),
            protocol: fs::read_to_string(protocol).expect("the protocol"),
            variant: Some("pilot-2018".to_owned()),
            session: None,
            part: Part::Whole,
            sensitisers: None,
        }],
        nulls: None,
        nuclide: "90Y".to_owned(),
        lesion_doses: Vec::new(),
        horizon: 1826,
        with_marrow: true,
        seed: 5,
        draws,
        patients,
    }
}

/// Writes units, `each` to a file.
fn write(folder: &Path, scenario: &str, all: &[Unit], each: usize) -> PathBuf {
    let table = folder.join("units");
    fs::create_dir_all(&table).expect("a folder");
    for (n, part) in all.chunks(each).enumerate() {
        let file = File::create(table.join(format!("{n:03}.parquet"))).expect("a file");
        units::write_units(file, scenario, part).expect("units");
    }
    table
}

fn command(cluster: Option<&str>, table: &Path, counts: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg("--units").arg(table).arg("--counts").arg(counts);
    command.args(cluster.iter().flat_map(|url| ["--cluster", url]));
    command
}

fn counts(ended: &Output, file: &Path, job: &Job) -> Vec<Count> {
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    units::read_counts(File::open(file).expect("a file"), job).expect("counts")
}

fn here(job: &Job) -> Vec<Count> {
    let (drawn, complete) = job.run(false, |_, _| ControlFlow::Continue(()));
    assert!(complete);
    job.counts_of(0, &drawn)
}

/// Rows are small so that there are many: both executors must have some.
fn small_units(job: &Job) -> Vec<Unit> {
    let mut all = Vec::new();
    for unit in job.units() {
        for first in (unit.first..unit.first + unit.patients).step_by(500) {
            let patients = (unit.first + unit.patients - first).min(500);
            all.push(Unit { first, patients, ..unit });
        }
    }
    all
}

#[test]
fn two_executors_and_one_process_give_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = scenario(40_000, 4);
    let job = scenario.job().expect("a job");
    let text = scenario.to_text().expect("text");
    let table = write(folder.path(), &text, &small_units(&job), 4);
    let expected = here(&job);
    let file = folder.path().join("embedded.parquet");
    let ended = command(None, &table, &file).output().expect("runs");
    assert_eq!(counts(&ended, &file, &job), expected);
    let embedded = fs::read(&file).expect("a file");
    let cluster = Cluster::start(2);
    let file = folder.path().join("cluster.parquet");
    let ended = command(Some(&cluster.url), &table, &file).output().expect("runs");
    assert_eq!(counts(&ended, &file, &job), expected);
    assert_eq!(fs::read(&file).expect("a file"), embedded);
    for executor in &cluster.executors {
        if let Some(seconds) = executor.cpu_seconds() {
            assert!(seconds > 0.2, "an executor had nothing to do: {seconds} CPU seconds");
        }
    }
}

#[test]
fn a_sweep_completes_though_an_executor_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = scenario(120_000, 4);
    let job = scenario.job().expect("a job");
    let text = scenario.to_text().expect("text");
    let table = write(folder.path(), &text, &small_units(&job), 6);
    let mut cluster = Cluster::start(2);
    let file = folder.path().join("counts.parquet");
    let run = command(Some(&cluster.url), &table, &file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // Killed when it has computed something: what it holds is lost with it.
    let begun = Instant::now();
    while cluster.executors[0].cpu_seconds().is_none_or(|s| s < 1.5) {
        assert!(begun.elapsed() < Duration::from_secs(120), "it never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(cluster.executors.remove(0));
    assert!(!file.exists(), "all was done before anything was killed");
    let ended = run.wait_with_output().expect("ends");
    assert_eq!(counts(&ended, &file, &job), here(&job));
}

#[test]
fn what_cannot_be_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = scenario(1000, 1);
    let job = scenario.job().expect("a job");
    let text = scenario.to_text().expect("text");
    let all = job.units();
    let table = write(folder.path(), &text, &all, 1);
    let file = folder.path().join("counts.parquet");
    let said = |mut command: Command| {
        let ended = command.output().expect("runs");
        assert_eq!(ended.status.code(), Some(2));
        assert!(!file.exists());
        let text = String::from_utf8(ended.stderr).expect("UTF-8");
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    };
    let text_of = said(command(Some("df://127.0.0.1:1"), &table, &file));
    assert!(text_of.contains("no scheduler answers at df://127.0.0.1:1"), "{text_of}");
    let text_of = said(command(Some("head:50050"), &table, &file));
    assert!(text_of.contains("expected df://HOST:PORT"), "{text_of}");
    let none = folder.path().join("none");
    assert!(said(command(None, &none, &file)).contains("none"));
    fs::create_dir(&none).expect("a folder");
    assert!(said(command(None, &none, &file)).contains("no file in it"));
    // Another version's scenario, by this process and by a cluster.
    let old = text.replacen(env!("CARGO_PKG_VERSION"), "0.0.1", 1);
    let table = write(&folder.path().join("old"), &old, &all, 1);
    let text_of = said(command(None, &table, &file));
    assert!(text_of.contains("use one version everywhere"), "{text_of}");
    let cluster = Cluster::start(1);
    let text_of = said(command(Some(&cluster.url), &table, &file));
    assert!(text_of.contains("use one version everywhere"), "{text_of}");
    // A unit of another job.
    let other = [Unit { draw: 7, ..all[0] }];
    let table = write(&folder.path().join("other"), &text, &other, 1);
    let text_of = said(command(None, &table, &file));
    assert!(text_of.contains("draw 7") && text_of.contains("not of its job"), "{text_of}");
}

/// The whole way: `hepatica trial simulate --cluster`, its folder like that of one machine.
#[test]
fn the_same_folder_as_one_machine_writes() {
    let Some(hepatica) = std::env::var_os("HEPATICA") else {
        println!("skipped: HEPATICA does not name the program hepatica");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    // The companion is found on the path.
    let path = std::env::join_paths(
        [Path::new(PROGRAM).parent().expect("a folder").to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .expect("a path");
    let hepatica = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(hepatica);
    let simulate = |out: &str, more: &[&str]| {
        let mut command = Command::new(&hepatica);
        command.env("PATH", &path).current_dir(folder.path());
        command.args(["trial", "simulate", "captemy90", "--no-rows", "--quiet"]);
        command.args(["--patients", "20000", "--draws", "30", "--seed", "7", "--out", out]);
        command.args(more).output().expect("runs")
    };
    let good = |ended: Output| {
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    let cluster = Cluster::start(2);
    good(simulate("here", &[]));
    good(simulate("there", &["--cluster", &cluster.url]));
    for name in ["simulation.json", "numbers.csv", "scenario.json"] {
        let read = |out: &str| fs::read(folder.path().join(out).join(name)).expect("a file");
        assert_eq!(read("here"), read("there"), "{name}");
    }
    assert!(!folder.path().join(".there.unfinished").exists());
    let ended = simulate("nowhere", &["--cluster", "df://127.0.0.1:1"]);
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && text.contains("no scheduler answers"), "{text}");
    assert!(!folder.path().join("nowhere").exists());
}
