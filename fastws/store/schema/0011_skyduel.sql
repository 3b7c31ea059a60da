-- SkyDuel: matches, how they ended, what players are rated.

CREATE TABLE skyduel_matches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode varchar(32) NOT NULL,
    status varchar(16) NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'finished', 'abandoned')),
    created_by varchar(64),
    private boolean NOT NULL DEFAULT false,
    max_players int NOT NULL,
    score int NOT NULL,
    seconds int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    winner varchar(64),
    steps int,
    digest varchar(16),
    rated boolean NOT NULL DEFAULT false,
    recording bytea
);
CREATE INDEX skyduel_matches_open ON skyduel_matches (id) WHERE status = 'open';

CREATE TABLE skyduel_results (
    match_id bigint NOT NULL REFERENCES skyduel_matches ON DELETE CASCADE,
    player int NOT NULL,
    wallet_address varchar(64) NOT NULL,
    name varchar(64) NOT NULL,
    bot boolean NOT NULL,
    place int NOT NULL,
    score int NOT NULL,
    deaths int NOT NULL,
    left_early varchar(16) NOT NULL DEFAULT '',
    rating_before int NOT NULL,
    rating_after int NOT NULL,
    suspect int NOT NULL DEFAULT 0,
    PRIMARY KEY (match_id, player),
    UNIQUE (match_id, wallet_address)
);
CREATE INDEX skyduel_results_wallet ON skyduel_results (wallet_address, match_id DESC);

CREATE TABLE skyduel_ratings (
    wallet_address varchar(64) PRIMARY KEY,
    rating int NOT NULL,
    matches int NOT NULL DEFAULT 0,
    wins int NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
);
