-- What waits to be said in a room, in one statement: the room is taken, each message is found again
-- by its client's id, refused or stored, in their order. One round trip instead of nine.

CREATE FUNCTION fastws_chat_say(room int, senders text[], texts text[], clients text[])
RETURNS TABLE (place int, fresh boolean, refused text, until timestamptz, message bigint)
LANGUAGE plpgsql AS $$
DECLARE
    slow int;
BEGIN
    INSERT INTO fastws_chat_rooms (contest_id) VALUES (room) ON CONFLICT DO NOTHING;
    SELECT slow_seconds INTO slow FROM fastws_chat_rooms WHERE contest_id = room FOR UPDATE;
    FOR place IN 1 .. cardinality(senders) LOOP
        fresh := false; refused := NULL; until := NULL; message := NULL;
        IF clients[place] IS NOT NULL THEN
            SELECT e.message_id INTO message FROM fastws_chat_events e
            WHERE e.contest_id = room AND e.sender = senders[place]
                AND e.client_id = clients[place] AND e.kind = 'message';
        END IF;
        IF message IS NULL THEN
            SELECT m.until INTO until FROM fastws_chat_mutes m
            WHERE m.contest_id = room AND m.wallet_address = senders[place]
                AND m.until > clock_timestamp();
            IF until IS NOT NULL THEN
                refused := 'muted';
            ELSIF slow > 0 THEN
                SELECT max(m.created_at) + make_interval(secs => slow) INTO until
                FROM contest_chat_messages m
                WHERE m.contest_id = room AND m.sender_wallet_address = senders[place]
                    AND m.created_at > clock_timestamp() - make_interval(secs => slow);
                IF until IS NOT NULL THEN
                    refused := 'slow';
                END IF;
            END IF;
            IF refused IS NULL THEN
                INSERT INTO contest_chat_messages
                    (contest_id, sender_wallet_address, message_text, created_at)
                VALUES (room, senders[place], texts[place], clock_timestamp())
                RETURNING id INTO message;
                UPDATE fastws_chat_events e SET client_id = clients[place]
                WHERE e.message_id = message AND e.kind = 'message'
                    AND clients[place] IS NOT NULL;
                fresh := true;
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
