-- Events of all courses, a line of the course file each. The place of a line in its course is unique:
-- of two who add to the same state at once, one is told.
CREATE TABLE event (
    patient TEXT NOT NULL,
    place INTEGER NOT NULL,
    id TEXT NOT NULL,
    line TEXT NOT NULL,
    before TEXT NOT NULL,
    hash TEXT NOT NULL,
    recording TEXT NOT NULL,
    PRIMARY KEY (patient, place),
    UNIQUE (patient, before)
) STRICT;

-- One act of recording: its key is chosen by who sends it, so that sending it again adds nothing.
CREATE TABLE recording (
    key TEXT PRIMARY KEY NOT NULL,
    patient TEXT NOT NULL,
    request TEXT NOT NULL,
    first INTEGER NOT NULL,
    events INTEGER NOT NULL,
    recorded TEXT NOT NULL
) STRICT;

-- Who read and wrote what of a patient.
CREATE TABLE audit (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    patient TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_patient ON audit (patient, n);

CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
CREATE TRIGGER event_kept BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'an event is never removed'); END;
CREATE TRIGGER recording_stays BEFORE UPDATE ON recording BEGIN SELECT RAISE(ABORT, 'a recording is never changed'); END;
CREATE TRIGGER recording_kept BEFORE DELETE ON recording BEGIN SELECT RAISE(ABORT, 'a recording is never removed'); END;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'an audit record is never changed'); END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'an audit record is never removed'); END;
