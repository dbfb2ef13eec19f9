//! The vectors of `trial.toml` that are about statistics and designs.

use hepatica_statistics::design::boin::Boin;
use hepatica_statistics::design::one_sample_log_rank::{Conduct, design};
use hepatica_statistics::design::predictive::PredictiveRule;
use hepatica_statistics::design::simon::{self, TwoStage};
use hepatica_statistics::design::toxicity::{BayesianRule, repeated_test};
use hepatica_statistics::design::{events, group_sequential, single_stage, two_stage};
use hepatica_statistics::proportion;
use hepatica_statistics::survival::competing::{fine_gray, gray_test};
use hepatica_statistics::survival::cox::{self, CoxOptions, Ties, TimeTransform};
use hepatica_statistics::survival::parametric::{self, Family, Observed};
use hepatica_statistics::survival::{
    AalenJohansen, CompetingRisks, IntervalCensored, KaplanMeier, LogRankOptions, Scale, Survival,
    Turnbull, Weibull, log_rank, one_sample_log_rank, restricted_mean,
};
use hepatica_vectors::{as_number, tables};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The tolerance that the file states for closed forms and closed-form estimators.
const CLOSED: f64 = 1e-9;
/// That for iterated fits.
const ITERATED: f64 = 1e-6;

/// gsDesign integrates on a grid and stops at 1e-6.
const GRID: f64 = 1e-6;

/// A line of output, and a failure when the numbers differ.
struct Check {
    title: String,
    worst: f64,
    count: usize,
}

impl Check {
    fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), worst: 0.0, count: 0 }
    }

    /// `None` agrees with nan only.
    fn maybe(&mut self, key: &str, got: Option<f64>, want: f64, rtol: f64, atol: f64) {
        self.count += 1;
        match got {
            None => assert!(want.is_nan(), "{} {key}: nothing, expected {want}", self.title),
            Some(got) => {
                let off = (got - want).abs();
                let same = got == want || off <= atol + rtol * want.abs();
                assert!(same, "{} {key}: {got:.15}, expected {want:.15}", self.title);
                // What a relative tolerance does not concern is no part of the worst.
                if rtol > 0.0 && want.abs() > 1e-14 && want.is_finite() {
                    self.worst = self.worst.max(off / want.abs());
                }
            }
        }
    }

    fn number(&mut self, key: &str, got: f64, want: f64, rtol: f64) {
        self.maybe(key, Some(got), want, rtol, 1e-15);
    }

    fn list(&mut self, key: &str, got: &[f64], want: &[f64], rtol: f64) {
        assert_eq!(got.len(), want.len(), "{} {key}", self.title);
        for (got, want) in got.iter().zip(want) {
            self.number(key, *got, *want, rtol);
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            println!("ok      {}: {} numbers, off by {:.1e}", self.title, self.count, self.worst);
        }
    }
}

fn number(v: &Table, key: &str) -> f64 {
    v.get(key).and_then(as_number).unwrap_or_else(|| panic!("no number `{key}`"))
}

fn whole(v: &Table, key: &str) -> u64 {
    number(v, key) as u64
}

fn text<'a>(v: &'a Table, key: &str) -> &'a str {
    v[key].as_str().unwrap_or_else(|| panic!("no text `{key}`"))
}

fn values(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|x| as_number(x).expect("a number")).collect()
}

fn numbers(v: &Table, key: &str) -> Vec<f64> {
    values(v.get(key).unwrap_or_else(|| panic!("no list `{key}`")))
}

/// One of the file's data sets, by column.
struct DataSet {
    columns: BTreeMap<String, Vec<f64>>,
}

impl DataSet {
    fn read(name: &str) -> Option<Self> {
        let sets = dataset(name)?;
        let columns = sets
            .iter()
            .filter_map(|(key, value)| {
                let list = value.as_array()?;
                let column = match list.first()? {
                    // Words as numbers in the order of the alphabet.
                    Value::String(_) => {
                        let mut words: Vec<_> = list.iter().filter_map(Value::as_str).collect();
                        let all = words.clone();
                        words.sort_unstable();
                        words.dedup();
                        all.iter().map(|w| words.binary_search(w).expect("there") as f64).collect()
                    }
                    _ => list.iter().map(|x| as_number(x).expect("a number")).collect(),
                };
                Some((key.clone(), column))
            })
            .collect();
        Some(Self { columns })
    }

    fn column(&self, name: &str) -> &[f64] {
        // The script calls the arms of one set x.
        let name = match name {
            "ph.ecog" => "ph_ecog",
            "x" => "maintained",
            other => other,
        };
        &self.columns.get(name).unwrap_or_else(|| panic!("no column {name}"))[..]
    }

    fn survival(&self) -> Survival {
        let event = self.column("event").iter().map(|e| *e == 1.0).collect();
        Survival::new(self.column("time").to_vec(), event).expect("valid")
    }

    fn labels(&self, name: &str) -> Vec<usize> {
        let column = self.column(name);
        let mut levels = column.to_vec();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        let mut codes: Vec<usize> =
            column.iter().map(|x| levels.partition_point(|l| l < x)).collect();
        if name == "x" {
            // Maintained is the first level there.
            codes.iter_mut().for_each(|c| *c = 1 - *c);
        }
        if name == "celltype" {
            // squamous, smallcell, adeno, large; by the alphabet adeno, large, smallcell, squamous.
            codes.iter_mut().for_each(|c| *c = [2, 3, 1, 0][*c]);
        }
        codes
    }
}

fn dataset(name: &str) -> Option<Table> {
    // `tables` reads lists of tables; the data sets are single tables of the same file.
    tables("trial.toml", "km")?;
    let folder = std::env::var_os("HEPATICA_VECTORS").map_or_else(
        || {
            std::path::PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/vectors"
            ))
        },
        Into::into,
    );
    let text = std::fs::read_to_string(folder.join("trial.toml")).expect("read before");
    let root: Table = text.parse().expect("read before");
    root["data"][name].as_table().cloned()
}

/// `Surv(..) ~ a + b + strata(c)`: terms and strata.
fn formula(text: &str) -> (Vec<&str>, Option<&str>) {
    let right = text.split('~').nth(1).expect("a formula");
    let mut terms = Vec::new();
    let mut strata = None;
    for term in right.split('+').map(str::trim) {
        match term.strip_prefix("strata(").and_then(|t| t.strip_suffix(')')) {
            Some(name) => strata = Some(name),
            None => terms.push(term),
        }
    }
    (terms, strata)
}

#[test]
fn kaplan_meier_vectors() {
    let Some(vectors) = tables("trial.toml", "km") else { return };
    for v in &vectors {
        let (name, group) = (text(v, "data"), text(v, "group"));
        let set = DataSet::read(name).expect("the file is there");
        let all = set.survival();
        let data = match group.split_once('=') {
            None => all,
            Some((column, level)) => {
                let wanted = match level {
                    "Maintained" => 1.0,
                    "Nonmaintained" => 0.0,
                    other => other.parse().expect("a number"),
                };
                let labels = set.column(column).to_vec();
                all.select(|row| labels[row] == wanted).expect("some")
            }
        };
        let curve = KaplanMeier::fit(&data);
        let mut check = Check::new(format!("km {name} {group}"));
        check.number("n", curve.subjects() as f64, number(v, "n"), 0.0);
        check.number("events", curve.events() as f64, number(v, "events"), 0.0);
        let times = numbers(v, "times");
        let at: Vec<_> = times.iter().map(|t| curve.at(*t)).collect();
        for (i, at) in at.iter().enumerate() {
            check.number("surv", at.survival, numbers(v, "surv")[i], CLOSED);
            check.maybe("se", at.std_error, numbers(v, "se")[i], CLOSED, 0.0);
            check.number("at_risk", at.at_risk as f64, numbers(v, "at_risk")[i], 0.0);
        }
        for (key, scale) in
            [("plain", Scale::Plain), ("log", Scale::Log), ("loglog", Scale::LogLog)]
        {
            let lower = numbers(v, &format!("ci_{key}_lower"));
            let upper = numbers(v, &format!("ci_{key}_upper"));
            for (i, at) in at.iter().enumerate() {
                let limits = at.limits(scale, 0.95).expect("a level");
                check.maybe(key, limits.map(|l| l.lower), lower[i], CLOSED, 0.0);
                check.maybe(key, limits.map(|l| l.upper), upper[i], CLOSED, 0.0);
            }
            let rows = v[&format!("quantiles_{key}")].as_array().expect("three lists");
            let rows: Vec<_> = rows.iter().map(values).collect();
            for (i, p) in [0.25, 0.5, 0.75].into_iter().enumerate() {
                let q = curve.quantile(p, scale, 0.95).expect("a level");
                let title = format!("quantile {p} {key}");
                check.maybe(&title, q.estimate, rows[0][i], 0.0, 0.0);
                check.maybe(&title, q.lower, rows[1][i], 0.0, 0.0);
                check.maybe(&title, q.upper, rows[2][i], 0.0, 0.0);
            }
        }
    }
}

#[test]
fn restricted_mean_vectors() {
    let Some(vectors) = tables("trial.toml", "rmst") else { return };
    let set = DataSet::read("lung").expect("the file is there");
    for v in &vectors {
        let sex = set.column("sex").to_vec();
        let wanted = number(v, "sex");
        let data = set.survival().select(|row| sex[row] == wanted).expect("some");
        let tau = number(v, "tau");
        let got = restricted_mean(&KaplanMeier::fit(&data), tau).expect("known");
        let mut check = Check::new(format!("rmst sex {wanted} tau {tau}"));
        check.number("rmst", got.mean, number(v, "rmst"), CLOSED);
        check.number("se", got.std_error, number(v, "se"), CLOSED);
    }
}

#[test]
fn log_rank_vectors() {
    let Some(vectors) = tables("trial.toml", "logrank") else { return };
    for v in &vectors {
        let set = DataSet::read(text(v, "data")).expect("the file is there");
        let (terms, strata) = formula(text(v, "formula"));
        let strata = strata.map(|name| set.labels(name));
        let rho = number(v, "rho");
        let options = LogRankOptions { rho, strata: strata.as_deref() };
        let got = log_rank(&set.survival(), &set.labels(terms[0]), &options).expect("groups");
        let title = format!("logrank {} {} rho {rho}", text(v, "data"), text(v, "formula"));
        let mut check = Check::new(title);
        check.number("chisq", got.test.statistic, number(v, "chisq"), CLOSED);
        check.number("df", got.test.df as f64, number(v, "df"), 0.0);
        check.number("p", got.p(), number(v, "p"), CLOSED);
        check.list("obs", &got.observed, &numbers(v, "obs"), CLOSED);
        check.list("exp", &got.expected, &numbers(v, "exp"), CLOSED);
        check.number("var11", got.variance[0][0], number(v, "var11"), CLOSED);
    }
}

/// The rows of the terms that are complete, the terms, and the strata.
fn complete(set: &DataSet, terms: &[&str]) -> (Survival, Vec<Vec<f64>>, Vec<bool>) {
    let columns: Vec<&[f64]> = terms.iter().map(|t| set.column(t)).collect();
    let all = set.survival();
    let whole: Vec<bool> =
        (0..all.len()).map(|row| columns.iter().all(|c| c[row].is_finite())).collect();
    let data = all.select(|row| whole[row]).expect("some");
    let kept = |c: &&[f64]| c.iter().zip(&whole).filter(|(_, k)| **k).map(|(x, _)| *x).collect();
    (data, columns.iter().map(kept).collect(), whole)
}

#[test]
fn cox_vectors() {
    let Some(vectors) = tables("trial.toml", "cox") else { return };
    for v in &vectors {
        let set = DataSet::read(text(v, "data")).expect("the file is there");
        let (terms, strata) = formula(text(v, "formula"));
        let (data, columns, whole) = complete(&set, &terms);
        let columns: Vec<&[f64]> = columns.iter().map(|c| &c[..]).collect();
        let strata = strata.map(|name| {
            let labels = set.labels(name);
            labels.iter().zip(&whole).filter(|(_, k)| **k).map(|(l, _)| *l).collect::<Vec<_>>()
        });
        let ties = match text(v, "ties") {
            "efron" => Ties::Efron,
            "breslow" => Ties::Breslow,
            "exact" => Ties::Exact,
            other => panic!("ties {other}"),
        };
        let options = CoxOptions { ties, strata: strata.as_deref(), ..CoxOptions::default() };
        let fit = cox::fit(&data, &columns, &options).expect("fits");
        let title = format!("cox {} {} {ties:?}", text(v, "data"), text(v, "formula"));
        let mut check = Check::new(title);
        check.number("n", fit.subjects as f64, number(v, "n"), 0.0);
        check.number("events", fit.events as f64, number(v, "events"), 0.0);
        check.list("coef", &fit.coefficients, &numbers(v, "coef"), ITERATED);
        check.list("se", &fit.std_errors(), &numbers(v, "se"), ITERATED);
        let both = [fit.log_likelihood_null, fit.log_likelihood];
        check.list("loglik", &both, &numbers(v, "loglik"), CLOSED);
        check.number("lr", fit.likelihood_ratio.statistic, number(v, "lr_test"), ITERATED);
        check.number("score", fit.score.statistic, number(v, "score_test"), ITERATED);
        // R's summary gives the Wald statistic to two decimals.
        check.maybe("wald", Some(fit.wald.statistic), number(v, "wald_test"), 0.0, 0.005);
        let ratios = fit.hazard_ratios(0.95).expect("a level");
        let lower: Vec<_> = ratios.iter().map(|(_, i)| i.lower).collect();
        let upper: Vec<_> = ratios.iter().map(|(_, i)| i.upper).collect();
        check.list("lower", &lower, &numbers(v, "hr_lower95"), ITERATED);
        check.list("upper", &upper, &numbers(v, "hr_upper95"), ITERATED);
        if v.contains_key("concordance") {
            check.maybe("concordance", fit.concordance(), number(v, "concordance"), CLOSED, 0.0);
        }
    }
}

#[test]
fn cox_zph_vectors() {
    let Some(vectors) = tables("trial.toml", "cox_zph") else { return };
    for v in &vectors {
        let set = DataSet::read(text(v, "data")).expect("the file is there");
        let (data, columns, _) = complete(&set, &["age", "sex", "ph.ecog"]);
        let columns: Vec<&[f64]> = columns.iter().map(|c| &c[..]).collect();
        let fit = cox::fit(&data, &columns, &CoxOptions::default()).expect("fits");
        let test = fit.proportional_hazards(TimeTransform::KaplanMeier).expect("varies");
        let all: Vec<_> = test.terms.iter().chain([&test.global]).collect();
        let mut check = Check::new(format!("cox_zph {}", text(v, "data")));
        let chi: Vec<_> = all.iter().map(|t| t.statistic).collect();
        let p: Vec<_> = all.iter().map(|t| t.p()).collect();
        check.list("chisq", &chi, &numbers(v, "chisq"), ITERATED);
        check.list("p", &p, &numbers(v, "p"), ITERATED);
    }
}

fn mgus(group: &str) -> CompetingRisks {
    let set = DataSet::read("mgus2").expect("the file is there");
    let cause = set.column("cause").iter().map(|c| *c as u32).collect();
    let all = CompetingRisks::new(set.column("time").to_vec(), cause).expect("valid");
    let sex = set.column("sex").to_vec();
    let wanted = match group {
        "all" => return all,
        "F" => 0.0,
        "M" => 1.0,
        other => panic!("group {other}"),
    };
    all.select(|row| sex[row] == wanted).expect("some")
}

#[test]
fn aalen_johansen_vectors() {
    let Some(vectors) = tables("trial.toml", "aalen_johansen") else { return };
    for v in &vectors {
        let group = text(v, "group");
        let data = mgus(group);
        let mut check = Check::new(format!("aalen_johansen {group}"));
        for cause in [1, 2] {
            let curve = AalenJohansen::fit(&data, cause).expect("a cause");
            let at: Vec<_> = numbers(v, "times").iter().map(|t| curve.at(*t)).collect();
            let cif: Vec<_> = at.iter().map(|a| a.incidence).collect();
            let se: Vec<_> = at.iter().map(|a| a.std_error).collect();
            check.list("cif", &cif, &numbers(v, &format!("cif{cause}")), CLOSED);
            check.list("se", &se, &numbers(v, &format!("se{cause}")), CLOSED);
        }
    }
}

#[test]
fn proportion_vectors() {
    let Some(vectors) = tables("trial.toml", "binom_ci") else { return };
    for v in &vectors {
        let (x, n) = (whole(v, "x"), whole(v, "n"));
        let mut check = Check::new(format!("binom_ci {x}/{n}"));
        for (key, interval) in [
            ("cp", proportion::clopper_pearson(x, n, 0.95)),
            ("wilson", proportion::wilson(x, n, 0.95)),
            ("jeffreys", proportion::jeffreys(x, n, 0.95)),
            ("midp", proportion::mid_p(x, n, 0.95)),
        ] {
            let i = interval.expect("valid");
            let want = numbers(v, key);
            // R's Wilson limit at 0 of 10 is 2e-17 of rounding.
            check.maybe(key, Some(i.lower), want[0], CLOSED, 1e-15);
            check.maybe(key, Some(i.upper), want[1], CLOSED, 1e-15);
        }
    }
    let Some(vectors) = tables("trial.toml", "binom_p") else { return };
    for v in &vectors {
        let (x, n, p0) = (whole(v, "x"), whole(v, "n"), number(v, "p0"));
        let greater = proportion::Alternative::Greater;
        let p = proportion::exact_test(x, n, p0, greater).expect("valid");
        let mut check = Check::new(format!("binom_p {x}/{n} p0 {p0}"));
        check.number("p_ge", p, number(v, "p_ge"), CLOSED);
    }
}

#[test]
fn simon_vectors() {
    let Some(vectors) = tables("trial.toml", "simon") else { return };
    for v in &vectors {
        let (p0, p1) = (number(v, "p0"), number(v, "p1"));
        let (alpha, beta) = (number(v, "alpha"), number(v, "beta"));
        let found = simon::search(p0, p1, alpha, beta, 100).expect("found");
        let got = match text(v, "kind") {
            "minimax" => found.minimax(),
            "optimal" => found.optimal(),
            other => panic!("kind {other}"),
        };
        let mut check = Check::new(format!("simon {} {p0} {p1} {alpha} {beta}", text(v, "kind")));
        let TwoStage { r1, n1, r, n } = got.design;
        for (key, got) in [("r1", r1), ("n1", n1), ("r", r), ("n", n)] {
            check.number(key, f64::from(got), number(v, key), 0.0);
        }
        check.number("alpha", got.null.reject, number(v, "exact_alpha"), CLOSED);
        check.number("power", got.alternative.reject, number(v, "exact_power"), CLOSED);
        check.number("pet_p0", got.null.stop_early, number(v, "pet_p0"), CLOSED);
        check.number("en_p0", got.null.expected_n, number(v, "en_p0"), CLOSED);
        check.number("pet_p1", got.alternative.stop_early, number(v, "pet_p1"), CLOSED);
    }
}

#[test]
fn two_stage_inference_vectors() {
    let Some(vectors) = tables("trial.toml", "twostage_inference") else { return };
    for v in &vectors {
        let count = |key: &str| whole(v, key) as u32;
        let plan = TwoStage::new(count("r1"), count("n1"), count("r1"), count("n"));
        let got = two_stage::inference(plan.expect("a design"), count("x"), number(v, "p0"), 0.05);
        let got = got.expect("valid");
        let mut check = Check::new(format!("twostage_inference {} of {}", count("x"), count("n")));
        check.number("umvue", got.umvue, number(v, "pumvue"), CLOSED);
        check.number("p", got.p_value, number(v, "p_value"), CLOSED);
        // clinfun gives the innermost points of a grid of 0.0001.
        let inward = |x: f64, round: fn(f64) -> f64| round(1e4 * x) / 1e4;
        let limits = got.koyama_chen;
        check.maybe("lower", Some(inward(limits.lower, f64::ceil)), number(v, "5_LCL"), 0.0, 1e-9);
        check.maybe(
            "upper",
            Some(inward(limits.upper, f64::floor)),
            number(v, "95_UCL"),
            0.0,
            1e-9,
        );
    }
}

#[test]
fn single_stage_vectors() {
    let Some(vectors) = tables("trial.toml", "single_stage") else { return };
    for v in &vectors {
        let (p0, p1) = (number(v, "p0"), number(v, "p1"));
        let got = single_stage::search(p0, p1, number(v, "alpha"), number(v, "beta"), 200);
        let got = got.expect("found");
        let mut check = Check::new(format!("single_stage {p0} {p1}"));
        check.number("n", f64::from(got.n), number(v, "n"), 0.0);
        check.number("r", f64::from(got.r), number(v, "r"), 0.0);
        check.number("alpha", got.alpha, number(v, "exact_alpha"), CLOSED);
        check.number("beta", got.beta, number(v, "exact_beta"), CLOSED);
    }
}

#[test]
fn one_sample_log_rank_vectors() {
    let Some(vectors) = tables("trial.toml", "one_sample_logrank") else { return };
    for v in &vectors {
        let mut words = text(v, "data").split(' ');
        let set = DataSet::read(words.next().expect("a name")).expect("the file is there");
        let mut data = set.survival();
        if let Some((column, level)) = words.next().and_then(|w| w.split_once("==")) {
            let wanted: f64 = level.parse().expect("a number");
            let labels = set.column(column).to_vec();
            data = data.select(|row| labels[row] == wanted).expect("some");
        }
        let null = Weibull::new(number(v, "null_median"), number(v, "null_shape"));
        let null = null.expect("positive");
        let hazard = |t: f64| null.cumulative_hazard(t);
        let got = one_sample_log_rank(data.times(), data.event_flags(), hazard).expect("valid");
        let title = format!("one_sample_logrank {} {null:?}", text(v, "data"));
        let mut check = Check::new(title);
        check.number("O", got.observed, number(v, "O"), 0.0);
        check.number("E", got.expected, number(v, "E"), CLOSED);
        check.maybe("breslow", got.z_breslow(), number(v, "z_breslow"), CLOSED, 0.0);
        check.maybe("wu", got.z_wu(), number(v, "z_wu"), CLOSED, 0.0);
        let (ratio, limits) = got.ratio(0.95).expect("expected");
        check.number("smr", ratio, number(v, "smr"), CLOSED);
        let both = [limits.lower, limits.upper];
        check.list("limits", &both, &numbers(v, "smr_ci95_exact"), CLOSED);
    }
}

#[test]
fn one_sample_log_rank_size_vectors() {
    let Some(vectors) = tables("trial.toml", "one_sample_logrank_n") else { return };
    for v in &vectors {
        let median = |key: &str| Weibull::exponential(number(v, key)).expect("positive");
        let conduct = Conduct {
            accrual: number(v, "accrual"),
            follow_up: number(v, "followup"),
            loss_hazard: 0.0,
        };
        let got = design(median("m0"), median("m1"), conduct, number(v, "alpha")).expect("valid");
        let beta = number(v, "beta");
        let n = got.subjects(beta).expect("valid");
        let title = format!("one_sample_logrank_n {} {}", number(v, "m0"), number(v, "m1"));
        let mut check = Check::new(title);
        let exactly = got.subjects_exactly(beta).expect("valid");
        check.number("n_raw", exactly, number(v, "n_raw"), CLOSED);
        check.number("n", f64::from(n), number(v, "n"), 0.0);
        check.number("p1", got.event_probability, number(v, "event_prob_h1"), CLOSED);
        // Twenty thousand trials have an error of 0.003.
        let power = got.power(n).expect("some");
        check.maybe("power", Some(power), number(v, "simulated_power_20000"), 0.0, 0.012);
    }
}

#[test]
fn bayesian_toxicity_vectors() {
    let Some(vectors) = tables("trial.toml", "bayes_tox") else { return };
    for v in &vectors {
        let prior = numbers(v, "prior");
        let rule = BayesianRule {
            prior: (prior[0], prior[1]),
            limit: number(v, "p_limit"),
            certainty: number(v, "cut"),
            n_first: whole(v, "n_first") as u32,
            n_max: whole(v, "n_max") as u32,
        };
        let boundary = rule.boundary().expect("a rule");
        let mut table = vec![-1.0; rule.n_max as usize];
        for look in boundary.looks() {
            table[look.n as usize - 1] = look.stop_at.map_or(-1.0, f64::from);
        }
        let mut check = Check::new(format!("bayes_tox {prior:?} {}", rule.limit));
        check.list("min_x", &table, &numbers(v, "min_x"), 0.0);
        let at: Vec<_> = numbers(v, "true_p").into_iter().map(|p| boundary.at(p)).collect();
        let stop: Vec<_> = at.iter().map(|a| a.stop).collect();
        let expected: Vec<_> = at.iter().map(|a| a.expected_n).collect();
        check.list("stop", &stop, &numbers(v, "prob_stop"), CLOSED);
        check.list("expected", &expected, &numbers(v, "expected_n"), CLOSED);
    }
}

#[test]
fn repeated_test_toxicity_vectors() {
    let Some(vectors) = tables("trial.toml", "clinfun_toxbdry") else { return };
    for v in &vectors {
        let looks: Vec<u32> = numbers(v, "looks").into_iter().map(|n| n as u32).collect();
        // The script takes the default: a tenth.
        let got = repeated_test(&looks, number(v, "p_lo"), 0.1).expect("looks");
        let most = |boundary: &hepatica_statistics::design::toxicity::Boundary| -> Vec<f64> {
            let limit = |l: &hepatica_statistics::design::toxicity::Look| l.stop_at.map(|x| x - 1);
            boundary.looks().iter().map(|l| limit(l).map_or(f64::NAN, f64::from)).collect()
        };
        let mut check = Check::new("clinfun_toxbdry");
        let looser = got.looser.as_ref().expect("there is one");
        check.list("lo", &most(looser), &numbers(v, "lo_bdry"), 0.0);
        check.list("hi", &most(&got.boundary), &numbers(v, "hi_bdry"), 0.0);
        let at: Vec<_> = numbers(v, "true_p").into_iter().map(|p| got.boundary.at(p)).collect();
        let stop: Vec<_> = at.iter().map(|a| a.stop).collect();
        let expected: Vec<_> = at.iter().map(|a| a.expected_n).collect();
        check.list("cross", &stop, &numbers(v, "pcross_hi"), CLOSED);
        check.list("expected", &expected, &numbers(v, "ess_hi"), CLOSED);
    }
}

#[test]
fn boin_vectors() {
    let Some(vectors) = tables("trial.toml", "boin") else { return };
    for v in &vectors {
        let got = Boin::new(number(v, "target")).expect("a target");
        let mut check = Check::new(format!("boin {}", got.target));
        check.number("escalate", got.escalate, number(v, "lambda_e"), CLOSED);
        check.number("deescalate", got.deescalate, number(v, "lambda_d"), CLOSED);
        let words = |key: &str| -> Vec<Option<u32>> {
            let list = v[key].as_array().expect("a list");
            list.iter().map(|x| x.as_str().expect("text").trim().parse().ok()).collect()
        };
        for (i, n) in words("n").into_iter().enumerate() {
            let row = got.row(n.expect("a number")).expect("a row");
            assert_eq!(Some(row.escalate_at_most), words("escalate_if_le")[i], "{n:?}");
            assert_eq!(row.deescalate_at_least, words("deescalate_if_ge")[i], "{n:?}");
            assert_eq!(row.eliminate_at_least, words("eliminate_if_ge")[i], "{n:?}");
            check.count += 3;
        }
    }
}

#[test]
fn predictive_probability_vectors() {
    let Some(vectors) = tables("trial.toml", "pred_prob") else { return };
    for v in &vectors {
        let prior = numbers(v, "prior");
        let rule = PredictiveRule {
            prior: (prior[0], prior[1]),
            p0: number(v, "p0"),
            theta: number(v, "theta_t"),
            n_max: whole(v, "n_max") as u32,
        };
        let (x, n) = (whole(v, "x") as u32, whole(v, "n") as u32);
        let mut check = Check::new(format!("pred_prob {x}/{n} of {}", rule.n_max));
        check.number("pp", rule.probability(x, n).expect("valid"), number(v, "pp"), CLOSED);
        let now = rule.posterior(x, n).expect("valid");
        check.number("posterior", now, number(v, "post_prob_now"), CLOSED);
    }
}

#[test]
fn group_sequential_vectors() {
    use group_sequential::{Spending, equal_looks, spending_bounds, wang_tsiatis};
    let Some(vectors) = tables("trial.toml", "group_seq") else { return };
    for v in &vectors {
        let looks = equal_looks(whole(v, "k") as usize);
        let mut check = Check::new(format!("group_seq {} looks", looks.len()));
        let of = spending_bounds(&looks, 0.025, Spending::OBrienFleming).expect("looks");
        let pocock = spending_bounds(&looks, 0.025, Spending::Pocock).expect("looks");
        let steep = wang_tsiatis(&looks, 0.025, 0.0).expect("looks");
        check.list("lan_demets_of", &of.bounds, &numbers(v, "lan_demets_of"), GRID);
        check.list("lan_demets_pocock", &pocock.bounds, &numbers(v, "lan_demets_pocock"), GRID);
        check.list("wang_tsiatis_of", &steep.bounds, &numbers(v, "wang_tsiatis_of"), GRID);
        let inflation = of.inflation(0.1).expect("a power");
        check.number("inflation", inflation, number(v, "inflation_ldof_power90"), GRID);
    }
}

#[test]
fn schoenfeld_vectors() {
    let Some(vectors) = tables("trial.toml", "schoenfeld_events") else { return };
    for v in &vectors {
        let (hr, alpha) = (number(v, "hr"), number(v, "alpha_one_sided"));
        let got = events::schoenfeld(hr, alpha, number(v, "beta"), 0.5).expect("valid");
        let mut check = Check::new(format!("schoenfeld_events {hr}"));
        check.number("events", got, number(v, "events"), CLOSED);
    }
}

#[test]
fn cuminc_variance_vectors() {
    let Some(vectors) = tables("trial.toml", "cuminc_var") else { return };
    for v in &vectors {
        for sex in ["F", "M"] {
            let curve = AalenJohansen::fit(&mgus(sex), 1).expect("a cause");
            let times = numbers(v, "times");
            let got: Vec<_> = times.iter().map(|t| curve.variance_aalen(*t)).collect();
            let mut check = Check::new(format!("cuminc_var {sex}"));
            check.list("variance", &got, &numbers(v, sex), CLOSED);
        }
    }
}

#[test]
fn gray_test_vectors() {
    let Some(vectors) = tables("trial.toml", "gray_test") else { return };
    let set = DataSet::read("mgus2").expect("the file is there");
    for v in &vectors {
        let cause = whole(v, "cause") as u32;
        let got = gray_test(&mgus("all"), &set.labels(text(v, "group")), cause).expect("groups");
        let mut check = Check::new(format!("gray_test cause {cause}"));
        check.number("chisq", got.test.statistic, number(v, "chisq"), CLOSED);
        check.number("df", got.test.df as f64, number(v, "df"), 0.0);
        check.number("p", got.p(), number(v, "p"), CLOSED);
    }
}

#[test]
fn fine_gray_vectors() {
    let Some(vectors) = tables("trial.toml", "fine_gray") else { return };
    let set = DataSet::read("mgus2").expect("the file is there");
    for v in &vectors {
        let cause = whole(v, "cause") as u32;
        let columns = [set.column("age"), set.column("sex")];
        let got = fine_gray::fit(&mgus("all"), cause, &columns).expect("fits");
        let mut check = Check::new(format!("fine_gray cause {cause}"));
        check.list("coef", &got.coefficients, &numbers(v, "coef"), ITERATED);
        check.list("se", &got.std_errors(), &numbers(v, "se"), ITERATED);
        check.number("loglik", got.log_likelihood, number(v, "loglik"), ITERATED);
    }
}

#[test]
fn parametric_vectors() {
    let Some(vectors) = tables("trial.toml", "survreg") else { return };
    for v in &vectors {
        let set = DataSet::read(text(v, "data")).expect("the file is there");
        let family = match text(v, "dist") {
            "exponential" => Family::Exponential,
            "weibull" => Family::Weibull,
            "lognormal" => Family::LogNormal,
            "loglogistic" => Family::LogLogistic,
            other => panic!("family {other}"),
        };
        let rows = Observed::rows(&set.survival());
        let got = parametric::fit(&rows, &[set.column("sex")], family).expect("fits");
        let coefficients = [got.intercept, got.coefficients[0]];
        let mut check = Check::new(format!("survreg {family:?}"));
        check.list("coef", &coefficients, &numbers(v, "coef"), ITERATED);
        check.number("sigma", got.sigma, number(v, "sigma"), ITERATED);
        check.number("loglik", got.log_likelihood, number(v, "loglik"), ITERATED);
        check.list("se", &got.std_errors(), &numbers(v, "se"), ITERATED);
    }
}

#[test]
fn turnbull_vectors() {
    let Some(vectors) = tables("trial.toml", "turnbull") else { return };
    for v in &vectors {
        let (left, right) = (numbers(v, "left"), numbers(v, "right"));
        let data = IntervalCensored::new(left.clone(), right.clone()).expect("valid");
        let mut check = Check::new(format!("turnbull {}", text(v, "data")));
        check.number("n", data.len() as f64, number(v, "n"), 0.0);
        let got = Turnbull::fit(&data).expect("converges");
        println!("        gap {:.1e} after {} steps", got.gap, got.iterations);
        let grid = numbers(v, "grid");
        let want = numbers(v, "npmle_surv_at_grid");
        for (i, (t, want)) in grid.iter().zip(want).enumerate() {
            // The script's last cell stands for all that is later.
            let at = got.at(if i + 1 == grid.len() { f64::INFINITY } else { *t });
            check.maybe("npmle", Some(at.lower), want, ITERATED, 1e-9);
            check.maybe("npmle", Some(at.upper), want, ITERATED, 1e-9);
        }
        let weibull = parametric::fit(&Observed::intervals(&data), &[], Family::Weibull);
        let weibull = weibull.expect("fits");
        check.number("mu", weibull.intercept, number(v, "weibull_mu"), ITERATED);
        check.number("sigma", weibull.sigma, number(v, "weibull_sigma"), ITERATED);
        check.number("loglik", weibull.log_likelihood, number(v, "weibull_loglik"), ITERATED);
        let median = weibull.quantile(0.5, &[]).expect("a share");
        check.number("median", median, number(v, "weibull_median"), ITERATED);
        // What the usual practice gives: an event when it is seen.
        let event: Vec<bool> = right.iter().map(|r| r.is_finite()).collect();
        let time = left.iter().zip(&right).map(|(l, r)| if r.is_finite() { *r } else { *l });
        let naive = Survival::new(time.collect(), event).expect("valid");
        let median = KaplanMeier::fit(&naive).median();
        check.maybe("naive", median, number(v, "naive_right_endpoint_median"), 0.0, 0.0);
        let truth = KaplanMeier::fit(&DataSet::read("lung").expect("there").survival()).median();
        check.maybe("true", truth, number(v, "true_event_median"), 0.0, 0.0);
    }
}
