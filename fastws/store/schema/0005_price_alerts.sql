-- Prices that users want to be told of. An alert fires once; it stays readable afterwards.

CREATE TABLE IF NOT EXISTS fastws_price_alerts (
    id bigserial PRIMARY KEY,
    wallet_address varchar(64) NOT NULL,
    token_address varchar(64) NOT NULL,
    symbol varchar(64) NOT NULL,
    condition varchar(8) NOT NULL CHECK (condition IN ('above', 'below')),
    price numeric NOT NULL CHECK (price > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    fired_at timestamptz,
    fired_price numeric
);
CREATE INDEX IF NOT EXISTS fastws_price_alerts_wallet
    ON fastws_price_alerts (wallet_address, id);
CREATE INDEX IF NOT EXISTS fastws_price_alerts_waiting
    ON fastws_price_alerts (id) WHERE fired_at IS NULL;
