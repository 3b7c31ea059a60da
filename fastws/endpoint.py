"""The v69 base class of every endpoint: decode, check, dispatch, answer.

A subclass declares commands; the annotation of the message is its schema, the decorator is
its policy (checked before the schema), the returned `Reply` is the answer. This room owns the
conversation every endpoint shares (wire.md A2 opening, A3 envelope, part B subscriptions). It
knows nothing of sockets or of what any channel means.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, Final

import structlog
from msgspec import UNSET, Struct

from fastws import policy, wire
from fastws.command import Command, command, commands_of
from fastws.config import EndpointConfig, LimitsConfig
from fastws.connection import Connection
from fastws.errors import Close, Code, StoreUnavailable, WireError
from fastws.hub import Channel, Hub, Subscription, TableSubscription
from fastws.identity import Authority, Identity, Role
from fastws.metrics import Stats
from fastws.wire import Message, Reply

__all__ = ["Base", "Endpoint", "command"]

log = structlog.get_logger()


class Base(Struct, frozen=True):
    """What every endpoint is given by the server."""

    hub: Hub
    authority: Authority
    limits: LimitsConfig
    settings: EndpointConfig
    stats: Stats
    report: Callable[[str, str], None] = lambda service, message: None
    clock: Callable[[], float] = time.time


class Endpoint:
    """One WebSocket endpoint under ``/api/v69/ws/<path>``."""

    path: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    requires_auth: ClassVar[bool] = True
    role: ClassVar[Role | None] = None
    public_channels: ClassVar[tuple[str, ...]] = ()
    grouped_prefix: ClassVar[str] = ""  # labels that count as one channel together
    commands: ClassVar[dict[str, Command]] = {}

    def __init_subclass__(cls) -> None:
        cls.commands = commands_of(cls)

    def __init__(self, base: Base) -> None:
        self.base = base
        self.hub = base.hub
        self.clock = base.clock

    # ── what a subclass may say ─────────────────────────────────────────────────────────

    @property
    def name(self) -> str:
        """The name in files and configuration: ``token_data`` for ``token-data``."""
        return self.path.replace("-", "_")

    def welcome(self, conn: Connection) -> Reply | None:
        """The first frame, if the endpoint has one."""
        return None

    def automatic(self, conn: Connection) -> Iterable[str]:
        """Labels every client of its access is subscribed to at connect."""
        return ()

    def channel(self, label: str) -> Channel | None:
        """The channel of a label, made if need be; None: there is no such channel."""
        return self.hub.find(f"{self.path}/{label}")

    async def initial(self, conn: Connection, label: str) -> Sequence[Reply | bytes]:
        """The data that follows a confirmation of ``label``; bytes are frames ready to go."""
        return []

    async def opening(self, conn: Connection, labels: Collection[str]) -> None:
        """Send the first data of the automatic channels, before `connection_established`."""
        for label in labels:
            await self._send_initial(conn, label)

    async def left(self, conn: Connection, label: str) -> None:
        """A client unsubscribed from ``label``."""

    def closed(self, conn: Connection) -> None:
        """A connection is gone; its subscriptions are still there to be read."""

    def is_public(self, label: str) -> bool:
        """Whether anybody at all may follow ``label`` here."""
        return label in self.public_channels

    def denied(self, identity: Identity, label: str) -> bool:
        """An endpoint's own refusal on top of the policy table."""
        return False

    async def binary(self, conn: Connection, data: bytes) -> None:
        """A binary message that is not JSON."""
        raise WireError(Code.INVALID_MESSAGE, "Invalid message format", close=Close.UNSUPPORTED)

    # ── the opening sequence (wire.md A2) ───────────────────────────────────────────────

    async def open(self, conn: Connection) -> None:
        """Welcome, confirmations, first data and ``connection_established``, in that order."""
        try:
            if not self._admit(conn):
                return
            welcome = self.welcome(conn)
            if welcome is not None:
                conn.tell(welcome)
            labels = [label for label in self._automatic(conn) if self._may(conn, label)]
            held = [self.attach(conn, label) for label in labels]
            await self.opening(conn, labels)
            for subscription in held:
                subscription.open()
            await self._subscribe_from_query(conn)
        except WireError as error:
            conn.error(error)
            return
        except StoreUnavailable:
            conn.error(_away())
        except Exception:
            log.exception("endpoint.open_failed", endpoint=self.path, connection=conn.id)
            self.base.report(self.path, "opening sequence failed")
            conn.close(Close.INTERNAL)
            return
        who, user = conn.identity, None
        if who.authenticated:
            user = {"wallet_address": who.wallet, "role": who.role}
        fields = {"connectionId": conn.id, "authenticated": who.authenticated, "user": user}
        conn.tell(Reply("connection_established", **fields))

    def _admit(self, conn: Connection) -> bool:
        identity = conn.identity
        guest = self.is_public(conn.query.get("endpoint", ""))
        if self.requires_auth and not identity.authenticated and not guest:
            text = Close.UNAUTHORIZED.reason
            raise WireError(Code.UNAUTHORIZED, text, close=Close.UNAUTHORIZED)
        if self.role is not None and not policy.has_role(identity, self.role):
            raise WireError(Code.UNAUTHORIZED, Close.FORBIDDEN.reason, close=Close.FORBIDDEN)
        return conn.close_code is None

    def _automatic(self, conn: Connection) -> Iterable[str]:
        """A client that says by itself what it follows comes with ``?automatic=false``."""
        return () if conn.query.get("automatic") == "false" else self.automatic(conn)

    async def _subscribe_from_query(self, conn: Connection) -> None:
        label = conn.query.get("channel")
        if not label or label in conn.subscriptions:
            return
        try:
            await self.follow(conn, wire.Subscribe(channel=label))
        except WireError as error:
            conn.error(error)

    # ── dispatch (wire.md A3) ───────────────────────────────────────────────────────────

    async def handle(self, conn: Connection, data: bytes, binary: bool) -> None:
        """Answer one message. Raises nothing: every failure becomes an ``error`` frame."""
        id_: int | str | None = None
        try:
            if binary and data[:1] not in (b"{", b" "):
                conn.charge()
                await self.binary(conn, data)
                return
            found = None
            try:
                type_, id_ = wire.open_envelope(data)
                found = self.commands.get(type_)
            finally:  # what cannot be read costs as much as a plain message
                conn.charge(*(found.operation, found.cost) if found else ())
            await self.dispatch(conn, type_, id_, data)
        except WireError as error:
            conn.error(error, id_)
        except StoreUnavailable:
            conn.error(_away(), id_)
        except Exception:
            log.exception("endpoint.message_failed", endpoint=self.path, connection=conn.id)
            self.base.report(self.path, "a message could not be processed")
            text = "Error processing message"
            conn.error(WireError(Code.MESSAGE_PROCESSING_ERROR, text), id_)

    async def dispatch(
        self, conn: Connection, type: str, id: int | str | None, data: bytes
    ) -> None:
        """Run the command of that type: first may he, then is it well formed, then do it."""
        found = self.commands.get(type)
        if found is None:
            raise WireError(Code.UNKNOWN_MESSAGE_TYPE, f"Unknown message type: {type[:64]}")
        policy.may_run(
            conn.identity,
            found.role,
            found.denied,
            requires_auth=self.requires_auth and type not in BUILT_IN,
        )
        message = found.decode(data)
        begun = time.perf_counter()
        replies = await found.method(self, conn, message)
        for reply in [replies] if isinstance(replies, Reply) else replies or ():
            conn.reply(reply, id)
        self.base.stats.command(self.path, type, time.perf_counter() - begun)

    # ── what every endpoint answers ─────────────────────────────────────────────────────

    @command("heartbeat")
    async def heartbeat(self, conn: Connection, msg: Message) -> Reply:
        """A sign of life; answered by ``heartbeat_ack``."""
        return Reply("heartbeat_ack")

    @command("ping")
    async def ping(self, conn: Connection, msg: wire.Ping) -> Reply:
        """Answered by ``pong`` with the client's own timestamp, if it gave one."""
        return Reply("pong") if msg.timestamp is UNSET else Reply("pong", timestamp=msg.timestamp)

    @command(
        "subscribe",
        invalid={
            "channel": (Code.INVALID_SUBSCRIPTION, "Channel name is required"),
            "since": (Code.INVALID_SINCE, ""),
            "format": (Code.UNKNOWN_FORMAT, ""),
        },
    )
    async def subscribe(self, conn: Connection, msg: wire.Subscribe) -> None:
        """Follow a channel: confirmation, first data, then what happens."""
        if not msg.channel:
            raise WireError(Code.INVALID_SUBSCRIPTION, "Channel name is required")
        await self.follow(conn, msg)

    @command(
        "unsubscribe",
        invalid={"channel": (Code.INVALID_UNSUBSCRIPTION, "Channel name is required")},
    )
    async def unsubscribe(self, conn: Connection, msg: wire.Unsubscribe) -> Reply:
        """Stop following a channel; confirmed also when it was not followed."""
        if not msg.channel:
            raise WireError(Code.INVALID_UNSUBSCRIPTION, "Channel name is required")
        await self.drop(conn, msg.channel)
        return Reply("unsubscription_confirmed", channel=msg.channel)

    @command("pause", invalid=Code.INVALID_SUBSCRIPTION)
    async def pause(self, conn: Connection, msg: wire.Pause) -> Reply:
        """Keep a subscription but stop its frames."""
        self._subscription(conn, msg.channel).pause()
        return Reply("paused", channel=msg.channel)

    @command("resume", invalid=Code.INVALID_SUBSCRIPTION)
    async def resume(self, conn: Connection, msg: wire.Pause) -> Reply:
        """Restart a paused subscription from where it stopped."""
        self._subscription(conn, msg.channel).resume()
        return Reply("resumed", channel=msg.channel)

    @command("resync", invalid=Code.INVALID_SUBSCRIPTION)
    async def resync(self, conn: Connection, msg: wire.Pause) -> None:
        """Begin a table again with a snapshot: the client's copy does not agree."""
        self._subscription(conn, msg.channel).resync()

    @command("refresh", invalid=Code.INVALID_TOKEN)
    async def refresh(self, conn: Connection, msg: wire.Refresh) -> Reply:
        """Renew the identity on the open socket with a new token of the same wallet.

        A subscription that the new identity may not have is ended, and the client told.
        """
        authority = self.base.authority
        conn.identity = await authority.refresh(conn.identity, msg.token)
        if authority.ended(conn.identity):  # while it was looked up; nobody else closes this one
            conn.close(Close.SESSION_REVOKED)
        self.reconsider(conn)
        expires = conn.identity.expires_at
        return Reply("token_refreshed", expires_at=None if expires is None else wire.iso(expires))

    @command("limits")
    async def limits(self, conn: Connection, msg: wire.Limits) -> Reply:
        """What is left in each bucket of this connection."""
        return Reply("limits", **conn.limits())

    def reconsider(self, conn: Connection) -> None:
        """End what the identity may not have: a subscription, or the whole conversation."""
        if self.role is not None and not policy.has_role(conn.identity, self.role):
            conn.close(Close.WITHDRAWN)
            return
        for label in [label for label in conn.subscriptions if not self._may(conn, label)]:
            conn.subscriptions[label].close()
            conn.grouped -= self._is_grouped(label)
            conn.subscription_ended(label, Code.SUBSCRIPTION_DENIED, policy.refusal().message)

    # ── subscriptions ───────────────────────────────────────────────────────────────────

    async def follow(self, conn: Connection, msg: wire.Subscribe) -> None:
        """The whole of a subscription: access, confirmation, first data, live frames.

        A repeated subscription is confirmed again and gets its first data again; one with
        ``since`` starts over from there.
        """
        policy.check_name(msg.channel)
        if not self._may(conn, msg.channel):
            raise policy.refusal()
        if msg.since is not UNSET and (channel := self.channel(msg.channel)) is not None:
            await channel.reach(msg.since)
        subscription = self.attach(conn, msg.channel, msg)
        resumed = msg.since is not UNSET and subscription.recovered
        if not (resumed or isinstance(subscription, TableSubscription)):
            await self._send_initial(conn, msg.channel)
        subscription.open()

    def attach(
        self, conn: Connection, label: str, asked: wire.Subscribe | None = None
    ) -> Subscription:
        """Join and confirm; nothing of the channel is sent before ``open()``."""
        subscription = self.join(conn, label, asked)
        fields: dict[str, Any] = {"channel": label, **subscription.describe()}
        conn.reply(Reply("subscription_confirmed", **fields), asked.id if asked else None)
        return subscription

    def join(
        self, conn: Connection, label: str, asked: wire.Subscribe | None = None
    ) -> Subscription:
        """The connection's subscription of a channel, made if there is none; says nothing.

        Raises `WireError` for an unknown channel, one too many, or what cannot be had of it.
        """
        channel = self.channel(label)
        if channel is None:
            raise WireError(Code.UNKNOWN_CHANNEL, f"Unknown channel: {label}")
        held = conn.subscriptions.get(label)
        if held is None:
            self._check_room(conn, label)
        asked = asked or wire.Subscribe(channel=label)
        conn.subscriptions[label] = subscription = self.hub.follow(conn, channel, asked, held)
        if held is None:
            conn.grouped += self._is_grouped(label)
        return subscription

    async def drop(self, conn: Connection, label: str) -> None:
        """End a subscription; harmless when there is none."""
        subscription = conn.subscriptions.pop(label, None)
        if subscription is None:
            return
        subscription.close()
        conn.grouped -= self._is_grouped(label)
        await self.left(conn, label)

    def _may(self, conn: Connection, label: str) -> bool:
        if self.is_public(label):
            return True
        identity = conn.identity
        allowed = policy.may_subscribe(identity, self.path, label)
        return allowed and not self.denied(identity, label)

    def _check_room(self, conn: Connection, label: str) -> None:
        """Raise unless one more channel is within the limits of a connection."""
        limits = self.base.limits
        grouped = self._is_grouped(label)
        if grouped and conn.grouped >= limits.symbols:
            text = f"At most {limits.symbols} {self.grouped_prefix}* channels a connection"
            raise WireError(Code.TOO_MANY_ROWS, text, limit=limits.symbols)
        used = len(conn.subscriptions) - conn.grouped + bool(conn.grouped)
        if used >= limits.channels and not (grouped and conn.grouped):
            text = f"At most {limits.channels} channels a connection"
            raise WireError(Code.TOO_MANY_CHANNELS, text, limit=limits.channels)

    def _is_grouped(self, label: str) -> bool:
        return bool(self.grouped_prefix) and label.startswith(self.grouped_prefix)

    def _subscription(self, conn: Connection, label: str) -> Subscription:
        subscription = conn.subscriptions.get(label)
        if subscription is None:
            raise WireError(Code.NOT_SUBSCRIBED, f"Not subscribed to {label[:128]}")
        return subscription

    async def _send_initial(self, conn: Connection, label: str) -> None:
        for item in await self.initial(conn, label):
            if isinstance(item, bytes):
                conn.push(item, label)
            else:
                conn.tell(item, channel=label)


def _away() -> WireError:
    text = "The database is away; try again in a few seconds"
    return WireError(Code.SERVICE_UNAVAILABLE, text, retry_after_ms=2000)


BUILT_IN: Final = frozenset(commands_of(Endpoint))
"""What a guest of public channels may say too."""
