-- Who may sign in, with what roles where. Passwords are Argon2id; a closed account stays, for the trail.
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,
    grants TEXT NOT NULL,
    closed BIGINT NOT NULL,
    changed TEXT NOT NULL
);

-- Who is signed in. Of the token only its SHA-256 is kept; times are seconds since 1970.
CREATE TABLE session (
    token TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    begun BIGINT NOT NULL,
    seen BIGINT NOT NULL
);

-- Which centre a patient is of: the last row counts.
CREATE TABLE placement (
    n BIGSERIAL PRIMARY KEY,
    patient TEXT NOT NULL,
    centre TEXT NOT NULL,
    who TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX placement_patient ON placement (patient, n);

-- Who signed which plan off, to the byte, and why.
CREATE TABLE signature (
    n BIGSERIAL PRIMARY KEY,
    plan TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    who TEXT NOT NULL,
    roles TEXT NOT NULL,
    why TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX signature_plan ON signature (plan, n);

CREATE TRIGGER placement_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON placement
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER signature_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON signature
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
