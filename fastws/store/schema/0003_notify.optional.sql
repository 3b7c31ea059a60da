-- Tells listeners which rows changed: keys only, once per statement. Optional on a foreign
-- database (a role that may not create triggers there still reconciles by polling).
-- Prices are written many times a second and are polled instead: a notifying commit takes a
-- lock of the whole database.

CREATE OR REPLACE FUNCTION fastws_notify_keys() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text;
BEGIN
    EXECUTE format('SELECT string_agg(left(%I::text, 200), E''\n'') FROM changed', TG_ARGV[1])
        INTO keys;
    IF keys IS NOT NULL THEN
        -- too many keys for a payload (8,000 bytes): an empty one means "read everything"
        PERFORM pg_notify(TG_ARGV[0], CASE WHEN octet_length(keys) < 7900 THEN keys ELSE '' END);
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS fastws_settings_inserted ON system_settings;
CREATE TRIGGER fastws_settings_inserted AFTER INSERT ON system_settings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION fastws_notify_keys('fastws_settings', 'key');
DROP TRIGGER IF EXISTS fastws_settings_updated ON system_settings;
CREATE TRIGGER fastws_settings_updated AFTER UPDATE ON system_settings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION fastws_notify_keys('fastws_settings', 'key');
DROP TRIGGER IF EXISTS fastws_settings_deleted ON system_settings;
CREATE TRIGGER fastws_settings_deleted AFTER DELETE ON system_settings
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION fastws_notify_keys('fastws_settings', 'key');

DROP TRIGGER IF EXISTS fastws_tokens_inserted ON tokens;
CREATE TRIGGER fastws_tokens_inserted AFTER INSERT ON tokens
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION fastws_notify_keys('fastws_tokens', 'address');
DROP TRIGGER IF EXISTS fastws_tokens_updated ON tokens;
CREATE TRIGGER fastws_tokens_updated AFTER UPDATE ON tokens
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION fastws_notify_keys('fastws_tokens', 'address');
DROP TRIGGER IF EXISTS fastws_tokens_deleted ON tokens;
CREATE TRIGGER fastws_tokens_deleted AFTER DELETE ON tokens
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION fastws_notify_keys('fastws_tokens', 'address');
