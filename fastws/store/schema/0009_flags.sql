-- Feature flags: what is on, for whom. A row that is missing means the default of whoever asks.

CREATE TABLE fastws_flags (
    name varchar(64) PRIMARY KEY,
    enabled boolean NOT NULL,
    percentage numeric(5, 2) NOT NULL DEFAULT 100 CHECK (percentage BETWEEN 0 AND 100),
    wallets text[] NOT NULL DEFAULT '{}',
    environments text[] NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by varchar(64) NOT NULL
);

CREATE FUNCTION fastws_notify_flags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('fastws_flags', '');
    RETURN NULL;
END $$;

CREATE TRIGGER fastws_flags_changed AFTER INSERT OR UPDATE OR DELETE ON fastws_flags
    FOR EACH STATEMENT EXECUTE FUNCTION fastws_notify_flags();
