-- Tells listeners which contests changed, their participants and portfolios included: keys only,
-- once per statement. Without these triggers contests are read again every few seconds.

-- A key once, however many rows have it: a thousand participants of one contest fit the payload.
CREATE OR REPLACE FUNCTION fastws_notify_keys() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text;
BEGIN
    EXECUTE format('SELECT string_agg(DISTINCT left(%I::text, 200), E''\n'') FROM changed',
                   TG_ARGV[1]) INTO keys;
    IF keys IS NOT NULL THEN
        -- too many keys for a payload (8,000 bytes): an empty one means "read everything"
        PERFORM pg_notify(TG_ARGV[0], CASE WHEN octet_length(keys) < 7900 THEN keys ELSE '' END);
    END IF;
    RETURN NULL;
END $$;

DO $$
DECLARE
    what record;
    event record;
BEGIN
    FOR what IN SELECT * FROM (VALUES ('contests', 'id'), ('contest_participants', 'contest_id'),
                                      ('contest_portfolios', 'contest_id')) AS t (name, key)
    LOOP
        FOR event IN SELECT * FROM (VALUES ('inserted', 'INSERT', 'NEW'),
                                           ('updated', 'UPDATE', 'NEW'),
                                           ('deleted', 'DELETE', 'OLD')) AS e (done, op, rows)
        LOOP
            EXECUTE format('DROP TRIGGER IF EXISTS fastws_contest_%s ON %I', event.done, what.name);
            EXECUTE format('CREATE TRIGGER fastws_contest_%s AFTER %s ON %I '
                           'REFERENCING %s TABLE AS changed FOR EACH STATEMENT '
                           'EXECUTE FUNCTION fastws_notify_keys(''fastws_contests'', %L)',
                           event.done, event.op, what.name, event.rows, what.key);
        END LOOP;
    END LOOP;
END $$;
