//! The patients that are there on the first start: synthetic, on the shipped protocol, with courses that
//! lie around today. Their events go through the same desk as everybody's.

use crate::desk::{Beginning, Entry, begin, record};
use crate::opened::today;
use crate::problem::Problem;
use crate::store::Store;
use hepatica_regimen::course::plus;
use hepatica_regimen::desk::Said;
use jiff::civil::Date;

/// Who recorded them.
const BY: &str = "example";
/// The patient whose images come with the program.
pub const WITH_IMAGES: &str = "PHANTOM";

struct Example<'s> {
    store: &'s dyn Store,
    patient: &'static str,
    c1d1: Date,
    head: String,
    n: u32,
}

impl<'s> Example<'s> {
    async fn begin(
        store: &'s dyn Store,
        patient: &'static str,
        c1d1: Date,
    ) -> Result<Self, Problem> {
        let beginning = Beginning {
            key: format!("example {patient} begins"),
            patient: patient.to_owned(),
            protocol: "captemy90".to_owned(),
            variant: Some("g3-2024".to_owned()),
            c1d1,
            centre: None,
        };
        let head = begin(store, BY, &beginning).await?.head;
        Ok(Self { store, patient, c1d1, head, n: 0 })
    }

    /// Says what happened on a study day, the first being 1; the day before that is -1 days away, and
    /// so on: `day` is added to day 1.
    async fn say(&mut self, day: i64, said: Said) -> Result<(), Problem> {
        self.n += 1;
        let entry = Entry {
            key: format!("example {} {}", self.patient, self.n),
            head: self.head.clone(),
            on: Some(plus(self.c1d1, day - 1)),
            at: None,
            why: None,
            confirm: false,
            corrects: None,
            said: Some(said),
        };
        self.head = record(self.store, BY, self.patient, &entry).await?.head;
        Ok(())
    }
}

fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn labs(words: &str) -> Said {
    Said::Labs { values: list(words) }
}

fn enrolment(words: &str) -> Said {
    Said::Enrolment { values: list(words) }
}

fn taken(drug: &str, until: Date) -> Said {
    Said::Doses { values: vec![format!("{drug}=taken")], until: Some(until) }
}

/// Makes them.
///
/// # Errors
/// When the desk or the store refuses.
pub async fn make(store: &dyn Store) -> Result<(), Problem> {
    let today = today();
    with_images(store, plus(today, -17)).await?;
    waits(store, plus(today, -29)).await?;
    treated(store, plus(today, -72)).await?;
    Example::begin(store, "EX-04", plus(today, 6)).await?;
    Ok(())
}

/// Cycle 1, day 18: the simulation procedure is due, and its images are the built-in case.
async fn with_images(store: &dyn Store, c1d1: Date) -> Result<(), Problem> {
    let mut p = Example::begin(store, WITH_IMAGES, c1d1).await?;
    let entry = "birth=1964-05-17 sex=male height=172cm weight=74kg consent=yes";
    p.say(-8, enrolment(entry)).await?;
    p.say(-2, labs("platelets=231 anc=4.1 haemoglobin=13.4 bilirubin=0.6 albumin=4.1 creatinine=0.9 alt=28 ast=25 inr=1.0 ecog=0")).await?;
    p.say(-5, Said::Scan { values: list("liver/T1=41 liver/T2=28 liver/T3=36") }).await?;
    p.say(1, taken("capecitabine", plus(c1d1, 13))).await?;
    p.say(10, taken("temozolomide", plus(c1d1, 13))).await?;
    p.say(
        15,
        labs(
            "platelets=198 anc=3.2 bilirubin=0.7 albumin=4.0 creatinine=0.9 alt=31 ast=29 inr=1.0",
        ),
    )
    .await
}

/// Cycle 2 waits for platelets.
async fn waits(store: &dyn Store, c1d1: Date) -> Result<(), Problem> {
    let mut p = Example::begin(store, "EX-02", c1d1).await?;
    let entry = "birth=1957-11-02 sex=female height=164cm weight=61kg consent=yes";
    p.say(-6, enrolment(entry)).await?;
    p.say(-1, labs("platelets=164 anc=2.9 haemoglobin=12.1 bilirubin=0.8 albumin=3.9 creatinine=0.8 alt=33 ast=30 inr=1.1 ecog=1")).await?;
    p.say(1, taken("capecitabine", plus(c1d1, 13))).await?;
    p.say(10, taken("temozolomide", plus(c1d1, 13))).await?;
    let related = vec!["capecitabine".to_owned()];
    let values = vec!["hand-foot=1".to_owned()];
    p.say(16, Said::Toxicity { values, ctcae: None, related }).await?;
    p.say(28, labs("platelets=82 anc=1.7 bilirubin=0.9 albumin=3.8 creatinine=0.8")).await
}

/// Cycle 3, after the first lobe.
async fn treated(store: &dyn Store, c1d1: Date) -> Result<(), Problem> {
    let mut p = Example::begin(store, "EX-03", c1d1).await?;
    let entry = "birth=1969-01-23 sex=male height=181cm weight=86kg consent=yes";
    p.say(-9, enrolment(entry)).await?;
    p.say(-1, labs("platelets=242 anc=4.4 haemoglobin=14.2 bilirubin=0.5 albumin=4.3 creatinine=1.0 alt=24 ast=22 inr=1.0 ecog=0")).await?;
    p.say(-4, Said::Scan { values: list("liver/T1=52 liver/T2=33") }).await?;
    for cycle in 0..3 {
        let first = 28 * cycle;
        if cycle > 0 {
            p.say(first, labs("platelets=176 anc=2.6 bilirubin=0.7 albumin=4.1 creatinine=1.0 alt=30 ast=27 inr=1.0 ecog=0")).await?;
        }
        p.say(first + 1, taken("capecitabine", plus(c1d1, first + 13))).await?;
        p.say(first + 10, taken("temozolomide", plus(c1d1, first + 13))).await?;
    }
    let session = Said::Session {
        procedure: None,
        activity: "1.9GBq".to_owned(),
        residual: Some("20MBq".to_owned()),
        territory: Some("right".to_owned()),
        device: Some("glass".to_owned()),
    };
    p.say(35, session).await?;
    p.say(71, Said::Scan { values: list("liver/T1=37 liver/T2=27") }).await
}
