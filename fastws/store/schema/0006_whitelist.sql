-- Tokens as administrators want them listed; what is set here goes before what a source says.
-- A row stays when a token is taken off the list (listed = false), so that sources cannot bring
-- it back.

CREATE TABLE fastws_token_whitelist (
    address varchar(64) PRIMARY KEY,
    symbol varchar(64) NOT NULL,
    name varchar(128),
    decimals smallint,
    image_url varchar(512),
    listed boolean NOT NULL,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by varchar(64) NOT NULL
);

-- What users hold, as whoever watches their wallets writes it.
CREATE TABLE fastws_token_holdings (
    wallet_address varchar(64) NOT NULL,
    token_address varchar(64) NOT NULL,
    amount numeric NOT NULL CHECK (amount >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (wallet_address, token_address)
);

-- Tells listeners whose holdings changed: wallets only, once per statement.
CREATE FUNCTION fastws_notify_wallets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wallets text;
BEGIN
    SELECT string_agg(DISTINCT wallet_address, E'\n') INTO wallets FROM changed;
    IF wallets IS NOT NULL THEN
        -- too many for a payload (8,000 bytes): an empty one means "read everything"
        PERFORM pg_notify('fastws_holdings',
                          CASE WHEN octet_length(wallets) < 7900 THEN wallets ELSE '' END);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER fastws_holdings_inserted AFTER INSERT ON fastws_token_holdings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fastws_notify_wallets();
CREATE TRIGGER fastws_holdings_updated AFTER UPDATE ON fastws_token_holdings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fastws_notify_wallets();
CREATE TRIGGER fastws_holdings_deleted AFTER DELETE ON fastws_token_holdings
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fastws_notify_wallets();
