-- Chat rooms number what happens in them. A trigger does it, in the transaction of whoever writes
-- a message, so that other services' messages have their places, too. The room's row is locked
-- from the numbering to the commit: offsets become visible in their order and without holes.

CREATE TABLE fastws_chat_rooms (
    contest_id int PRIMARY KEY REFERENCES contests (id) ON DELETE CASCADE,
    last_offset bigint NOT NULL DEFAULT 0,
    slow_seconds int NOT NULL DEFAULT 0 CHECK (slow_seconds >= 0)
);

CREATE TABLE fastws_chat_events (
    contest_id int NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    room_offset bigint NOT NULL,
    kind varchar(16) NOT NULL CHECK (kind IN ('message', 'deleted')),
    message_id bigint NOT NULL,
    sender varchar(64) NOT NULL,
    client_id varchar(64),
    PRIMARY KEY (contest_id, room_offset)
);
-- A message that its client sends twice is one message.
CREATE UNIQUE INDEX fastws_chat_events_client ON fastws_chat_events (contest_id, sender, client_id)
    WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX fastws_chat_events_message ON fastws_chat_events (message_id, kind);

CREATE TABLE fastws_chat_mutes (
    contest_id int NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    wallet_address varchar(64) NOT NULL,
    until timestamptz NOT NULL,
    muted_by varchar(64) NOT NULL,
    PRIMARY KEY (contest_id, wallet_address)
);

CREATE FUNCTION fastws_chat_next(contest int) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO fastws_chat_rooms AS room (contest_id, last_offset) VALUES (contest, 1)
    ON CONFLICT (contest_id) DO UPDATE SET last_offset = room.last_offset + 1
    RETURNING last_offset
$$;

CREATE FUNCTION fastws_chat_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fastws_chat_events (contest_id, room_offset, kind, message_id, sender)
    VALUES (NEW.contest_id, fastws_chat_next(NEW.contest_id), 'message', NEW.id,
            NEW.sender_wallet_address);
    RETURN NULL;
END $$;

CREATE TRIGGER fastws_chat_numbered AFTER INSERT ON contest_chat_messages
    FOR EACH ROW EXECUTE FUNCTION fastws_chat_number();

-- Which room: once per statement. Room and offset of the last event; what is new is read.
CREATE FUNCTION fastws_notify_chat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('fastws_chat', contest_id || ':' || last)
    FROM (SELECT contest_id, max(room_offset) AS last FROM changed GROUP BY contest_id) AS rooms;
    RETURN NULL;
END $$;

CREATE TRIGGER fastws_chat_told AFTER INSERT ON fastws_chat_events
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fastws_notify_chat();

-- What was written before there were numbers.
INSERT INTO fastws_chat_events (contest_id, room_offset, kind, message_id, sender)
    SELECT contest_id, row_number() OVER (PARTITION BY contest_id ORDER BY id), 'message', id,
           sender_wallet_address
    FROM contest_chat_messages;
INSERT INTO fastws_chat_rooms (contest_id, last_offset)
    SELECT contest_id, max(room_offset) FROM fastws_chat_events GROUP BY contest_id
    ON CONFLICT (contest_id) DO UPDATE SET last_offset = excluded.last_offset;

CREATE INDEX IF NOT EXISTS contest_chat_messages_by_contest
    ON contest_chat_messages (contest_id, id);

-- What a participant bought with his weights when the contest began; his value is this at the
-- prices of the moment, and his cash.
CREATE TABLE fastws_contest_holdings (
    contest_id int NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    wallet_address varchar(64) NOT NULL,
    token_address varchar(64) NOT NULL,
    quantity numeric(40, 18) NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (contest_id, wallet_address, token_address)
);

-- A contest whose final standings are stored: once, whoever ends it.
CREATE TABLE fastws_contest_ends (
    contest_id int PRIMARY KEY REFERENCES contests (id) ON DELETE CASCADE,
    ended_at timestamptz NOT NULL DEFAULT now(),
    participants int NOT NULL
);
