//! People: accounts with roles by centre, passwords, sessions, signatures. As long as a store has no
//! account there is one local user, who may do everything and is reached from this machine only; with
//! the first account everybody signs in.

use crate::problem::Problem;
use crate::server::App;
use crate::store::Store;
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

/// Shortest and longest password, in characters.
const PASSWORD: std::ops::RangeInclusive<usize> = 12..=200;
/// Tries of a name that may fail before it has to wait.
const TRIES: u32 = 5;
/// How long it has to wait.
const WAIT: Duration = Duration::from_secs(15 * 60);
/// Names whose tries are remembered.
const MOST_NAMES: usize = 10_000;
/// Passwords that are tried at once: each takes 19 MiB and a moment of a core.
const AT_ONCE: usize = 2;
/// Requests of one person that may come at once, and how many a second go on.
const BURST: f64 = 600.0;
const A_SECOND: f64 = 60.0;

/// What a person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Records and begins courses.
    Coordinator,
    /// Records, plans, signs plans off.
    Physician,
    /// Records, plans, signs plans off.
    Physicist,
    /// Reads and exports.
    Statistician,
    /// Reads, and reads the audit trail.
    Monitor,
    /// Reads the audit trail, but no course.
    Administrator,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Look at a course or a plan.
    Read,
    /// Begin a course, record, correct.
    Record,
    /// Plan a case.
    Plan,
    /// Sign a plan off.
    Sign,
    /// Take a course away as a file.
    Export,
    /// Read the audit trail.
    Audit,
}

impl Act {
    fn words(self) -> &'static str {
        match self {
            Self::Read => "read courses",
            Self::Record => "record",
            Self::Plan => "plan",
            Self::Sign => "sign plans off",
            Self::Export => "export",
            Self::Audit => "read the audit trail",
        }
    }
}

const ROLES: [(Role, &str, &[Act]); 6] = [
    (Role::Coordinator, "coordinator", &[Act::Read, Act::Record, Act::Export]),
    (Role::Physician, "physician", &[Act::Read, Act::Record, Act::Plan, Act::Sign, Act::Export]),
    (Role::Physicist, "physicist", &[Act::Read, Act::Record, Act::Plan, Act::Sign]),
    (Role::Statistician, "statistician", &[Act::Read, Act::Export]),
    (Role::Monitor, "monitor", &[Act::Read, Act::Audit]),
    (Role::Administrator, "administrator", &[Act::Audit]),
];

impl Role {
    fn allows(self, act: Act) -> bool {
        ROLES.iter().any(|r| r.0 == self && r.2.contains(&act))
    }
}

/// A role at a centre, `physician@basel`, or at all of them, `statistician`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub role: Role,
    /// Where; none: at every centre, and of patients of none.
    pub centre: Option<String>,
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, centre) = match text.split_once('@') {
            Some((role, centre)) => (role, Some(checked_centre(centre)?)),
            None => (text, None),
        };
        let found = ROLES.iter().find(|r| r.1 == role);
        let Some((role, ..)) = found else {
            let known: Vec<_> = ROLES.iter().map(|r| r.1).collect();
            return Err(format!(
                "role {role}: expected one of {}, at every centre, or with @CENTRE at one",
                known.join(", ")
            ));
        };
        Ok(Self { role: *role, centre })
    }
}

impl Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ROLES.iter().find(|r| r.0 == self.role).map_or("", |r| r.1);
        match &self.centre {
            Some(centre) => write!(f, "{name}@{centre}"),
            None => f.write_str(name),
        }
    }
}

/// The name of a centre, if it can be one.
///
/// # Errors
/// One sentence.
pub fn checked_centre(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        return Err(format!("centre {text}: expected letters, digits and - _ . (64 at most)"));
    }
    Ok(text.to_owned())
}

/// Grants as they are stored: words with spaces between.
#[must_use]
pub fn grants_text(grants: &[Grant]) -> String {
    grants.iter().map(Grant::to_string).collect::<Vec<_>>().join(" ")
}

fn grants_of(text: &str) -> Vec<Grant> {
    // What a later program may have written is no right here.
    text.split_whitespace().filter_map(|g| g.parse().ok()).collect()
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The name, as events and the audit trail have it.
    pub name: String,
    /// What may be done where.
    pub grants: Vec<Grant>,
    /// The user of this machine, who needs no ceremony.
    pub local: bool,
}

impl Who {
    /// The user of this machine.
    #[must_use]
    pub fn local(name: &str) -> Self {
        Self { name: name.to_owned(), grants: Vec::new(), local: true }
    }

    /// Whether something may be done to a patient of a centre (empty: of none).
    #[must_use]
    pub fn may(&self, act: Act, centre: &str) -> bool {
        let allows =
            |g: &Grant| g.centre.as_deref().is_none_or(|c| c == centre) && g.role.allows(act);
        self.local || self.grants.iter().any(allows)
    }

    /// Whether something may be done somewhere.
    #[must_use]
    pub fn may_somewhere(&self, act: Act) -> bool {
        self.local || self.grants.iter().any(|g| g.role.allows(act))
    }

    /// Why something may not be done.
    #[must_use]
    pub fn refused(&self, act: Act) -> Problem {
        let grants = grants_text(&self.grants);
        let roles = if grants.is_empty() { "no role".to_owned() } else { grants };
        Problem::new(
            StatusCode::FORBIDDEN,
            "role",
            format!(
                "{} ({roles}) may not {} here; ask who keeps the accounts",
                self.name,
                act.words()
            ),
        )
    }

    /// The centre of a course that this person begins: the one that is said, or the only one there is.
    ///
    /// # Errors
    /// When it has to be said, or the person may not record there.
    pub fn centre_to_begin(&self, said: Option<&str>) -> Result<Option<String>, Problem> {
        let said = said.map(str::trim).filter(|c| !c.is_empty());
        let centre = match said {
            Some(c) => Some(checked_centre(c).map_err(Problem::refused)?),
            None if self.local => return Ok(None),
            None => {
                let own: Vec<_> = self.grants.iter().filter_map(|g| g.centre.clone()).collect();
                match own.as_slice() {
                    [one, rest @ ..] if rest.iter().all(|c| c == one) => Some(one.clone()),
                    _ => return Err(Problem::refused("centre: at which centre is the patient?")),
                }
            }
        };
        if !self.may(Act::Record, centre.as_deref().unwrap_or_default()) {
            return Err(self.refused(Act::Record));
        }
        Ok(centre)
    }
}

tokio::task_local! {
    /// Who asks, for as long as a request is answered.
    pub(crate) static ASKS: Who;
}

/// Who asks now; none outside of a request.
#[must_use]
pub fn current() -> Option<Who> {
    ASKS.try_with(Clone::clone).ok()
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Name to sign in with.
    pub name: String,
    /// Argon2id, in the PHC format.
    pub password: String,
    /// Grants, with spaces between.
    pub grants: String,
    /// 1: closed.
    pub closed: i64,
    /// When it was changed, RFC 3339.
    pub changed: String,
}

impl Account {
    /// Its grants.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        grants_of(&self.grants)
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token.
    pub token: String,
    /// The account.
    pub account: String,
    /// When it began, in seconds since 1970.
    pub begun: i64,
    /// When it was last used.
    pub seen: i64,
}

/// A patient at a centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The patient.
    pub patient: String,
    /// The centre.
    pub centre: String,
    /// Who said so.
    pub who: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A signature under a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The plan.
    pub plan: String,
    /// SHA-256 of its `plan.json`.
    pub sha256: String,
    /// Who.
    pub who: String,
    /// The roles that they had.
    pub roles: String,
    /// Why, in words.
    pub why: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The hash of a password that may be one.
///
/// # Errors
/// One sentence.
pub fn hashed(password: &str) -> Result<String, String> {
    let length = password.chars().count();
    if !PASSWORD.contains(&length) {
        return Err(format!(
            "the password has {length} characters; expected {} to {}",
            PASSWORD.start(),
            PASSWORD.end()
        ));
    }
    let wrong = |e: argon2::password_hash::Error| format!("the password cannot be hashed ({e})");
    let salt = SaltString::encode_b64(Uuid::new_v4().as_bytes()).map_err(wrong)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(wrong)?;
    Ok(hash.to_string())
}

fn verified(password: &str, hash: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

/// What is remembered of people between requests.
#[derive(Debug)]
pub struct People {
    tries: Mutex<HashMap<String, (u32, Instant)>>,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
    hashing: Semaphore,
    /// A hash for names that are not there: they take as long as others.
    nobody: String,
    /// How long a session lasts without being used.
    pub idle: Duration,
    /// How long it lasts at all.
    pub longest: Duration,
}

impl People {
    /// Sessions end so long after they were last used, and so long after they began.
    ///
    /// # Errors
    /// When no password can be hashed: a fault of the machine.
    pub fn new(idle: Duration, longest: Duration) -> Result<Self, String> {
        Ok(Self {
            tries: Mutex::default(),
            buckets: Mutex::default(),
            hashing: Semaphore::new(AT_ONCE),
            nobody: hashed(&Uuid::new_v4().to_string())?,
            idle,
            longest,
        })
    }

    /// Minutes that a name has to wait, if it has to.
    fn waits(&self, name: &str) -> Option<u64> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|_, (_, since)| since.elapsed() < WAIT);
        let (failed, since) = tries.get(name)?;
        let left = WAIT.saturating_sub(since.elapsed()).as_secs().div_ceil(60);
        (*failed >= TRIES).then_some(left)
    }

    fn failed(&self, name: &str) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() < MOST_NAMES || tries.contains_key(name) {
            let entry = tries.entry(name.to_owned()).or_insert((0, Instant::now()));
            *entry = (entry.0 + 1, Instant::now());
        }
    }

    fn worked(&self, name: &str) {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Whether a person has not asked too much.
    #[must_use]
    pub fn goes_on(&self, name: &str) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (left, since) = buckets.entry(name.to_owned()).or_insert((BURST, now));
        *left = (*left + A_SECOND * now.duration_since(*since).as_secs_f64()).min(BURST);
        *since = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

/// Whether a name and a password belong together.
///
/// # Errors
/// When they do not, the account is closed, or too many tries failed.
pub async fn authenticate(app: &App, name: &str, password: &str) -> Result<Account, Problem> {
    let name = name.trim();
    if name.len() > 200 || password.len() > 4 * PASSWORD.end() {
        return Err(Problem::refused("name or password: longer than any that is accepted"));
    }
    if let Some(minutes) = app.people.waits(name) {
        let detail = format!("too many tries with this name failed: wait {minutes} minutes");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "tries", detail));
    }
    let account = app.store.account(name).await?.filter(|a| a.closed == 0);
    let hash = account.as_ref().map_or(&app.people.nobody, |a| &a.password).clone();
    let password = password.to_owned();
    let permit = app.people.hashing.acquire().await;
    let right = tokio::task::spawn_blocking(move || verified(&password, &hash)).await;
    drop(permit);
    match account {
        Some(account) if right.unwrap_or(false) => {
            app.people.worked(name);
            Ok(account)
        }
        _ => {
            app.people.failed(name);
            let entry = crate::desk::audit(name, "sign-in failed", "*", "wrong name or password");
            app.store.audit(&entry).await?;
            Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "password",
                "the name or the password is wrong",
            ))
        }
    }
}

/// Signs somebody in: the token that names the session.
///
/// # Errors
/// As [`authenticate`].
pub async fn sign_in(app: &App, name: &str, password: &str) -> Result<(String, Account), Problem> {
    let account = authenticate(app, name, password).await?;
    // 244 random bits.
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let now = Timestamp::now().as_second();
    app.store
        .put_session(&Session {
            token: sha256(token.as_bytes()),
            account: account.name.clone(),
            begun: now,
            seen: now,
        })
        .await?;
    app.store.audit(&crate::desk::audit(&account.name, "sign-in", "*", &account.grants)).await?;
    Ok((token, account))
}

/// Who has a token, if the session still lasts.
///
/// # Errors
/// When the store cannot be read.
pub async fn of_token(app: &App, token: &str) -> Result<Option<Who>, Problem> {
    let token = sha256(token.as_bytes());
    let Some(mut session) = app.store.session(&token).await? else { return Ok(None) };
    let now = Timestamp::now().as_second();
    let within = |since: i64, longest: Duration| {
        (0..=longest.as_secs() as i64).contains(&(now - since).max(0))
    };
    let lasts = within(session.seen, app.people.idle) && within(session.begun, app.people.longest);
    let account = app.store.account(&session.account).await?.filter(|a| a.closed == 0);
    let (true, Some(account)) = (lasts, account) else {
        app.store.drop_session(&token).await?;
        return Ok(None);
    };
    // Not at every request: once in a while is enough.
    if now - session.seen > (app.people.idle.as_secs() / 20) as i64 {
        session.seen = now;
        app.store.put_session(&session).await?;
    }
    let grants = account.grants();
    Ok(Some(Who { name: account.name, grants, local: false }))
}

/// Ends the session of a request.
///
/// # Errors
/// When the store cannot be written.
pub async fn sign_out(app: &App, headers: &axum::http::HeaderMap) -> Result<(), Problem> {
    if let Some((token, _)) = crate::access::token(headers) {
        app.store.drop_session(&sha256(token.as_bytes())).await?;
        app.store.audit(&crate::desk::audit(&app.who(), "sign-out", "*", "")).await?;
    }
    Ok(())
}

/// Says which centre a patient is of.
///
/// # Errors
/// When the store cannot be written.
pub async fn place(
    store: &dyn Store,
    patient: &str,
    centre: &str,
    who: &str,
) -> Result<(), Problem> {
    let at = Timestamp::now().to_string();
    let own = str::to_owned;
    let placement = Placement { patient: own(patient), centre: own(centre), who: own(who), at };
    store.place_patient(&placement).await?;
    store.audit(&crate::desk::audit(who, "place", patient, centre)).await?;
    Ok(())
}

/// Signs a plan off. Who signed in says the password once more.
///
/// # Errors
/// When there is no such plan, no reason, or the password is wrong.
pub async fn sign(
    app: &App,
    plan: &str,
    patient: &str,
    password: &str,
    why: &str,
) -> Result<Signature, Problem> {
    let why = why.trim();
    if why.is_empty() || why.len() > 2_000 {
        return Err(Problem::refused(
            "why: say in a sentence what you have checked (2000 letters at most)",
        ));
    }
    let who = current().unwrap_or_else(|| Who::local(&app.who()));
    if !who.local {
        authenticate(app, &who.name, password).await?;
    }
    let (_, bytes) = crate::plans::plan(app, plan)?;
    let signature = Signature {
        plan: plan.to_owned(),
        sha256: sha256(&bytes),
        who: who.name.clone(),
        roles: if who.local { "local user".to_owned() } else { grants_text(&who.grants) },
        why: why.to_owned(),
        at: Timestamp::now().to_string(),
    };
    app.store.sign(&signature).await?;
    app.store
        .audit(&crate::desk::audit(&who.name, "sign", patient, &format!("plan {plan}: {why}")))
        .await?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(grants: &str) -> Who {
        Who { name: "p".to_owned(), grants: grants_of(grants), local: false }
    }

    #[test]
    fn a_role_counts_where_it_was_given() {
        let physician = who("physician@basel");
        assert!(physician.may(Act::Record, "basel") && physician.may(Act::Sign, "basel"));
        assert!(!physician.may(Act::Read, "bern") && !physician.may(Act::Read, ""));
        assert!(!physician.may(Act::Audit, "basel"));
        let statistician = who("statistician");
        assert!(statistician.may(Act::Read, "bern") && statistician.may(Act::Read, ""));
        assert!(!statistician.may_somewhere(Act::Record));
        let both = who("monitor@bern coordinator@basel");
        assert!(both.may(Act::Audit, "bern") && !both.may(Act::Audit, "basel"));
        assert!(!who("administrator").may_somewhere(Act::Read), "keeps accounts, reads no course");
        assert!(!who("").may_somewhere(Act::Read) && Who::local("u").may(Act::Sign, "x"));
    }

    #[test]
    fn a_grant_is_what_is_written_of_it() {
        for text in ["physician@basel", "statistician", "monitor@site-2"] {
            let grant: Grant = text.parse().expect(text);
            assert_eq!(grant.to_string(), text);
        }
        for bad in ["surgeon", "physician@", "physician@a b", "", "Physician"] {
            let said = bad.parse::<Grant>().expect_err(bad);
            assert!(said.contains("expected") && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_course_begins_at_a_centre_where_one_may_record() {
        let one = who("physician@basel");
        assert_eq!(one.centre_to_begin(None).expect("the only one"), Some("basel".to_owned()));
        assert_eq!(one.centre_to_begin(Some("bern")).expect_err("elsewhere").code, "role");
        let two = who("physician@basel coordinator@bern");
        assert!(two.centre_to_begin(None).is_err_and(|p| p.detail.contains("which centre")));
        assert!(two.centre_to_begin(Some("bern")).is_ok());
        assert_eq!(Who::local("u").centre_to_begin(None).expect("none"), None);
    }

    #[test]
    fn passwords_are_hashed_with_argon2id_and_short_ones_refused() {
        let hash = hashed("correct horse battery").expect("long enough");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verified("correct horse battery", &hash));
        assert!(!verified("correct horse batterz", &hash) && !verified("x", "no hash"));
        assert_ne!(hash, hashed("correct horse battery").expect("again"), "salted");
        assert!(hashed("short").is_err_and(|e| e.contains("expected 12 to 200")));
    }

    #[test]
    fn who_asks_too_much_waits_and_others_do_not() {
        let people = People::new(Duration::from_secs(1), Duration::from_secs(1)).expect("people");
        let went = (0..2_000).filter(|_| people.goes_on("busy")).count();
        assert!((600..1_000).contains(&went), "{went}");
        assert!(people.goes_on("other"));
    }
}
