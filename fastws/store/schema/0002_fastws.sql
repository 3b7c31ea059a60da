-- What fastws itself needs beside the platform's tables.

CREATE TABLE IF NOT EXISTS fastws_revoked_sessions (
    seq bigserial UNIQUE,
    session_id varchar(64) PRIMARY KEY,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    until timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS fastws_revoked_sessions_until ON fastws_revoked_sessions (until);
