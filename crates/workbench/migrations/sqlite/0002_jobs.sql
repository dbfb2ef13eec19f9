-- Long work. A job is no event: it moves on, and what it made can be made again.
CREATE TABLE job (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    patient TEXT NOT NULL,
    asked TEXT NOT NULL,
    state TEXT NOT NULL,
    said TEXT NOT NULL,
    who TEXT NOT NULL,
    created TEXT NOT NULL,
    finished TEXT
) STRICT;
CREATE INDEX job_patient ON job (patient, created);
