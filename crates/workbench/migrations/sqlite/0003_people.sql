-- Who may sign in, with what roles where. Passwords are Argon2id; a closed account stays, for the trail.
CREATE TABLE account (
    name TEXT PRIMARY KEY NOT NULL,
    password TEXT NOT NULL,
    grants TEXT NOT NULL,
    closed INTEGER NOT NULL,
    changed TEXT NOT NULL
) STRICT;

-- Who is signed in. Of the token only its SHA-256 is kept; times are seconds since 1970.
CREATE TABLE session (
    token TEXT PRIMARY KEY NOT NULL,
    account TEXT NOT NULL,
    begun INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;

-- Which centre a patient is of: the last row counts.
CREATE TABLE placement (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL,
    centre TEXT NOT NULL,
    who TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX placement_patient ON placement (patient, n);

-- Who signed which plan off, to the byte, and why.
CREATE TABLE signature (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    plan TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    who TEXT NOT NULL,
    roles TEXT NOT NULL,
    why TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX signature_plan ON signature (plan, n);

CREATE TRIGGER placement_stays BEFORE UPDATE ON placement BEGIN SELECT RAISE(ABORT, 'a placement is never changed'); END;
CREATE TRIGGER placement_kept BEFORE DELETE ON placement BEGIN SELECT RAISE(ABORT, 'a placement is never removed'); END;
CREATE TRIGGER signature_stays BEFORE UPDATE ON signature BEGIN SELECT RAISE(ABORT, 'a signature is never changed'); END;
CREATE TRIGGER signature_kept BEFORE DELETE ON signature BEGIN SELECT RAISE(ABORT, 'a signature is never removed'); END;
