"""The figures of a server: what each room counts, under the names operators know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from fastws.domain.breakers import Breakers
from fastws.domain.market.feed import Feed
from fastws.domain.rollout import Rollout
from fastws.domain.skyduel import Clockwork, Lobby
from fastws.gateway import Gateway
from fastws.metrics import Counts, Gauge, exposition
from fastws.server.rooms import Rooms
from fastws.server.tasks import Tasks

__all__ = ["figures"]

Labelled = dict[str, tuple[str, tuple[str, ...], Counts]]
"""Name → sentence, label names, and a callable that reads the figures."""


def figures(
    rooms: Rooms,
    gateway: Gateway,
    tasks: Tasks,
    answered: Counter[tuple[str, str]],
    lost_lines: Counts,
) -> Callable[[], bytes]:
    """A function that writes all of them in Prometheus' text format."""
    counts = {
        **_traffic(rooms, gateway, answered),
        **_failures(rooms, tasks, lost_lines),
        **_feed(rooms.market.feed),
        **_breakers(rooms.breakers),
        **_rollout(rooms.rollout),
        **_skyduel(rooms.lobby, rooms.clockwork),
    }
    return exposition(rooms.stats, _gauges(rooms, gateway), counts, _states(rooms))


def _gauges(rooms: Rooms, gateway: Gateway) -> dict[str, tuple[str, Gauge]]:
    connections, hub, feed = rooms.connections, rooms.hub, rooms.market.feed
    return {
        "subscriptions": ("Subscriptions now", lambda: sum(_followers(rooms).values())),
        "channels": ("Channels there are", lambda: len(hub.channels)),
        "pending_bytes": (
            "Bytes waiting in our buffers",
            lambda: sum(conn.outlet.pending for conn in connections),
        ),
        "flush_seconds": ("Time the last flush took", lambda: hub.lag),
        "sockets": ("Sockets held, of any kind", lambda: gateway.open_sockets),
        "pending_heads": ("Request heads being read", lambda: gateway.pending_heads),
        "connection_rows_waiting": (
            "Rows of websocket_connections not written yet",
            lambda: rooms.recorded.waiting,
        ),
        "database_available": ("1: it answers", lambda: float(rooms.database.available)),
        "tokens": ("Tokens in the market", lambda: len(rooms.market)),
        "price_alerts_waiting": (
            "Users' price alerts that have not fired",
            lambda: rooms.price_alerts.waiting,
        ),
        "price_alerts_due": (
            "Price alerts reached that wait for the database",
            lambda: rooms.price_alerts.due,
        ),
        "portfolios_followed": (
            "Wallets whose holdings somebody follows",
            lambda: len(rooms.portfolios),
        ),
        "contests": ("Contests at hand", lambda: len(rooms.contests)),
        "contest_rooms": ("Rooms that somebody is in", lambda: len(rooms.contest_rooms)),
        "skyduel_players": ("Players with a seat, bots too", lambda: rooms.lobby.players),
        "skyduel_results_waiting": (
            "Matches that are over and not stored yet",
            lambda: rooms.results.waiting,
        ),
        "candles_waiting": (
            "Candles of one second that are not stored yet",
            lambda: rooms.candles.waiting,
        ),
        "feed_age_seconds": (
            "Since the last price came; -1 before the first",
            lambda: -1.0 if (age := feed.age()) is None else age,
        ),
    }


def _traffic(rooms: Rooms, gateway: Gateway, answered: Counter[tuple[str, str]]) -> Labelled:
    return {
        "skipped": (
            "Frames put off because a socket was full",
            (),
            lambda: {(): sum(channel.skipped for channel in rooms.hub.channels)},
        ),
        "postponed": (
            "Times a client that fell behind had to wait for another flush",
            (),
            lambda: {(): sum(channel.postponed for channel in rooms.hub.channels)},
        ),
        "channel_messages": (
            "Frames delivered, by kind of channel",
            ("kind",),
            lambda: _delivered(rooms),
        ),
        "auth_results": (
            "Credentials judged, by where they were found",
            ("source", "outcome"),
            lambda: rooms.authority.results,
        ),
        "gateway_accepted": ("Sockets admitted", (), lambda: {(): gateway.accepted}),
        "gateway_refused": (
            "Sockets and requests turned away",
            ("reason",),
            lambda: {(reason,): n for reason, n in gateway.refused.items()},
        ),
        "deflate_compressions": (
            "Long texts compressed",
            (),
            lambda: {(): rooms.deflater.compressions},
        ),
        "deflate_frames": (
            "Long texts sent to clients that agreed on compression",
            ("form",),
            lambda: {("compressed",): rooms.deflater.sent, ("plain",): rooms.deflater.plain},
        ),
        "deflate_saved_bytes": (
            "Bytes that compression saved",
            (),
            lambda: {(): rooms.deflater.saved},
        ),
        "heartbeat_timeouts": ("Silent peers closed", (), lambda: {(): rooms.wheel.closed}),
        "http_answers": ("Answers to requests", ("route", "status"), lambda: answered),
    }


def _failures(rooms: Rooms, tasks: Tasks, lost_lines: Counts) -> Labelled:
    return {
        "standing": (
            "Open connections whose user was banned or got another role",
            ("change",),
            lambda: {
                ("withdrawn",): rooms.standing.withdrawn,
                ("role",): rooms.standing.changed,
            },
        ),
        "market_alerts": (
            "Unusual moves found in the market",
            ("kind",),
            lambda: {(kind,): n for kind, n in rooms.signals.counts.items()},
        ),
        "metadata_notices": (
            "Tokens whose metadata changed",
            (),
            lambda: {(): rooms.notices.told},
        ),
        "chat_stored": ("Chat messages stored", (), lambda: {(): rooms.chat.stored}),
        "candles_written": (
            "Candles of one second stored",
            (),
            lambda: {(): rooms.candles.written},
        ),
        "candles_dropped": (
            "Candles of one second given up while the database was away",
            (),
            lambda: {(): rooms.candles.dropped},
        ),
        "connection_rows_dropped": (
            "Rows of websocket_connections given up",
            (),
            lambda: {(): rooms.recorded.dropped},
        ),
        "log_lines_lost": ("Log lines nobody will read", ("reason",), lost_lines),
        "task_failures": (
            "Background tasks that failed",
            ("task",),
            lambda: {(name,): n for name, n in tasks.failures.items()},
        ),
    }


def _breakers(breakers: Breakers) -> Labelled:
    return {
        "breaker_calls": (
            "Calls that a circuit breaker has counted",
            ("service", "outcome"),
            lambda: {
                (one.name, outcome): n
                for one in breakers
                for outcome, n in (("ok", one.breaker.successful), ("failed", one.breaker.failed))
            },
        ),
        "breaker_transitions": (
            "Changes of state of circuit breakers",
            (),
            lambda: {(): breakers.transitions},
        ),
    }


def _rollout(rollout: Rollout) -> Labelled:
    return {
        "page_connections": (
            "Connections of pages, as they say, by version and endpoint",
            ("version", "endpoint", "outcome"),
            lambda: {
                (*key, outcome): n
                for key, said in rollout.items()
                for outcome, n in (
                    ("connected", said.connected),
                    ("failed", said.failed),
                    ("fell_back", said.fell_back),
                )
            },
        ),
        "page_errors": (
            "Errors of pages, as they say, by version and endpoint",
            ("version", "endpoint", "code"),
            lambda: {
                (*key, code): n for key, said in rollout.items() for code, n in said.errors.items()
            },
        ),
    }


def _skyduel(lobby: Lobby, clockwork: Clockwork) -> Labelled:
    return {
        "skyduel_inputs": (
            "Inputs of players; clamped and fast ones were applied, too",
            ("outcome",),
            lambda: {(outcome,): n for outcome, n in lobby.inputs().items()},
        ),
        "skyduel_steps_late": (
            "Times that steps were late by more than one step",
            (),
            lambda: {(): clockwork.late},
        ),
        "skyduel_steps_dropped": (
            "Steps that were never made",
            (),
            lambda: {(): clockwork.dropped},
        ),
    }


def _feed(feed: Feed) -> Labelled:
    return {
        "feed_updates": ("Price changes taken in", (), lambda: {(): feed.updates}),
        "feed_problems": (
            "What was wrong with the feed",
            ("kind",),
            lambda: {
                (kind,): getattr(feed, kind)
                for kind in ("ignored", "malformed", "out_of_order", "gaps", "reconnects")
            },
        ),
    }


def _states(rooms: Rooms) -> Labelled:
    feed = rooms.market.feed
    return {
        "channel_subscriptions": (
            "Subscriptions by kind of channel",
            ("kind",),
            lambda: {(kind,): n for kind, n in _followers(rooms).items()},
        ),
        "skyduel_matches": (
            "Matches at hand",
            ("status",),
            lambda: {(status,): n for status, n in rooms.lobby.counts().items()},
        ),
        "breaker_state": (
            "1 for the state a circuit breaker is in",
            ("service", "layer", "state"),
            lambda: {(one.name, one.layer, one.breaker.state): 1 for one in rooms.breakers},
        ),
        "feed_status": (
            "1 for the state the feed is in",
            ("source", "status"),
            lambda: {(feed.name, feed.status.value): 1},
        ),
    }


def _followers(rooms: Rooms) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for channel in rooms.hub.channels:
        found[channel.kind] += channel.followers
    return found


def _delivered(rooms: Rooms) -> Mapping[tuple[str], int]:
    found: Counter[tuple[str]] = Counter()
    for channel in rooms.hub.channels:
        found[channel.kind,] += channel.messages
    return found
