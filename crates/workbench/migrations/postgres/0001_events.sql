-- Events of all courses, a line of the course file each. The place of a line in its course is unique:
-- of two who add to the same state at once, one is told.
CREATE TABLE event (
    patient TEXT NOT NULL,
    place BIGINT NOT NULL,
    id TEXT NOT NULL,
    line TEXT NOT NULL,
    before TEXT NOT NULL,
    hash TEXT NOT NULL,
    recording TEXT NOT NULL,
    PRIMARY KEY (patient, place),
    UNIQUE (patient, before)
);

-- One act of recording: its key is chosen by who sends it, so that sending it again adds nothing.
CREATE TABLE recording (
    key TEXT PRIMARY KEY,
    patient TEXT NOT NULL,
    request TEXT NOT NULL,
    first BIGINT NOT NULL,
    events BIGINT NOT NULL,
    recorded TEXT NOT NULL
);

-- Who read and wrote what of a patient.
CREATE TABLE audit (
    n BIGSERIAL PRIMARY KEY,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    patient TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_patient ON audit (patient, n);

CREATE FUNCTION only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is never changed or removed', TG_TABLE_NAME;
END $$;
CREATE TRIGGER event_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER recording_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON recording
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
