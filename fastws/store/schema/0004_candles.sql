-- History of prices. Only candles of one second are written by fastws; the others are made from
-- them here, so that no two resolutions can contradict each other. Times are Unix seconds.

CREATE TABLE fastws_candle_tokens (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address text NOT NULL UNIQUE
);

CREATE TABLE fastws_candles (
    resolution integer NOT NULL, -- seconds
    token integer NOT NULL,      -- fastws_candle_tokens.id
    time bigint NOT NULL,        -- its begin
    open numeric NOT NULL,
    high numeric NOT NULL,
    low numeric NOT NULL,
    close numeric NOT NULL,
    volume double precision NOT NULL,
    PRIMARY KEY (resolution, token, time)
) PARTITION BY LIST (resolution);

CREATE TABLE fastws_candles_1s PARTITION OF fastws_candles FOR VALUES IN (1);
CREATE TABLE fastws_candles_1m PARTITION OF fastws_candles FOR VALUES IN (60);
CREATE TABLE fastws_candles_5m PARTITION OF fastws_candles FOR VALUES IN (300);
CREATE TABLE fastws_candles_15m PARTITION OF fastws_candles FOR VALUES IN (900);
CREATE TABLE fastws_candles_1h PARTITION OF fastws_candles FOR VALUES IN (3600);
CREATE TABLE fastws_candles_4h PARTITION OF fastws_candles FOR VALUES IN (14400);
CREATE TABLE fastws_candles_1d PARTITION OF fastws_candles FOR VALUES IN (86400);

-- Candles are inserted in order of time: a block range index is enough to roll up and to forget.
CREATE INDEX fastws_candles_time ON fastws_candles USING brin (time) WITH (pages_per_range = 16);

CREATE TABLE fastws_candle_rolls (
    resolution integer PRIMARY KEY,
    until bigint NOT NULL -- candles that begin before it are made
);
