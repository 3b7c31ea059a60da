"""The v69 base class of every endpoint: decode, check, dispatch, answer.

A subclass declares commands; the annotation of the message is its schema, the decorator is
its policy (checked before the schema), the returned `Reply` is the answer. This room owns the
conversation every endpoint shares (wire.md A2 opening, A3 envelope, part B subscriptions). It
knows nothing of sockets or of what any channel means.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, get_type_hints

import structlog
from msgspec import UNSET, Struct

from fastws import policy, wire
from fastws.config import EndpointConfig, LimitsConfig
from fastws.connection import Connection
from fastws.errors import Close, Code, StoreUnavailable, WireError
from fastws.hub import Channel, Hub, Subscription
from fastws.identity import Authority, Identity, Role
from fastws.metrics import Stats
from fastws.wire import Message, Reply

__all__ = ["Base", "Command", "Endpoint", "command"]

log = structlog.get_logger()

Replies = Reply | list[Reply] | None
Invalid = Mapping[str, tuple[str, str]]
"""Field → (code, message) for a missing or ill-typed field; ``"*"`` is any other."""

F = TypeVar("F", bound=Callable[..., Awaitable[Replies]])


class Base(Struct, frozen=True):
    """What every endpoint is given by the server."""

    hub: Hub
    authority: Authority
    limits: LimitsConfig
    settings: EndpointConfig
    stats: Stats
    clock: Callable[[], float] = time.time


class Command(Struct, frozen=True):
    """One declared command: the source of dispatch, policy, schema and documentation."""

    type: str
    method: Callable[..., Awaitable[Replies]]
    message: type[Message]
    role: Role | None
    denied: tuple[str, str] | None
    invalid: Invalid
    doc: str


def command(
    *types: str,
    role: Role | None = None,
    denied: tuple[str, str] | None = None,
    invalid: str | Invalid | None = None,
) -> Callable[[F], F]:
    """Declare a command under its ``type`` (and older clients' aliases for it).

    ``role`` is the least role that may run it, ``denied`` the code and text for others.
    ``invalid`` names the code (and text) that older clients know for a bad field.
    """
    table: Invalid = {"*": (invalid, "")} if isinstance(invalid, str) else invalid or {}

    def mark(method: F) -> F:
        method.__command__ = (types, role, denied, table)  # type: ignore[attr-defined]
        return method

    return mark


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
        table: dict[str, Command] = {}
        for base in reversed(cls.__mro__):
            for method in vars(base).values():
                for made in _commands_of(method):
                    table[made.type] = made
        cls.commands = table

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

    async def initial(self, conn: Connection, label: str) -> list[Reply]:
        """The data that follows a confirmation of ``label``."""
        return []

    async def opening(self, conn: Connection, labels: Collection[str]) -> None:
        """Send the first data of the automatic channels, before `connection_established`."""
        for label in labels:
            await self._send_initial(conn, label)

    async def left(self, conn: Connection, label: str) -> None:
        """A client unsubscribed from ``label``."""

    async def closed(self, conn: Connection) -> None:
        """A connection is gone."""

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
            labels = [label for label in self.automatic(conn) if self._may(conn, label)]
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
            conn.close(Close.INTERNAL)
            return
        user = None
        if conn.identity.authenticated:
            user = {"wallet_address": conn.identity.wallet, "role": conn.identity.role}
        conn.tell(
            Reply(
                "connection_established",
                connectionId=conn.id,
                authenticated=conn.identity.authenticated,
                user=user,
            )
        )

    def _admit(self, conn: Connection) -> bool:
        identity = conn.identity
        guest = self.is_public(conn.query.get("endpoint", ""))
        if self.requires_auth and not identity.authenticated and not guest:
            text = Close.UNAUTHORIZED.reason
            raise WireError(Code.UNAUTHORIZED, text, close=Close.UNAUTHORIZED)
        if self.role is not None and not policy.has_role(identity, self.role):
            raise WireError(Code.UNAUTHORIZED, Close.FORBIDDEN.reason, close=Close.FORBIDDEN)
        return conn.close_code is None

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
            type_, id_ = wire.open_envelope(data)
            conn.charge()
            await self.dispatch(conn, type_, id_, data)
        except WireError as error:
            conn.error(error, id_)
        except StoreUnavailable:
            conn.error(_away(), id_)
        except Exception:
            log.exception("endpoint.message_failed", endpoint=self.path, connection=conn.id)
            text = "Error processing message"
            conn.error(WireError(Code.MESSAGE_PROCESSING_ERROR, text), id_)

    async def dispatch(
        self, conn: Connection, type: str, id: int | str | None, data: bytes
    ) -> None:
        """Run the command of that type: first may he, then is it well formed, then do it."""
        found = self.commands.get(type)
        if found is None:
            raise WireError(Code.UNKNOWN_MESSAGE_TYPE, f"Unknown message type: {type[:64]}")
        policy.may_run(conn.identity, found.role, found.denied)
        message = _decode(found, data)
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

    @command("refresh", invalid=Code.INVALID_TOKEN)
    async def refresh(self, conn: Connection, msg: wire.Refresh) -> Reply:
        """Renew the identity on the open socket with a new token of the same wallet."""
        conn.identity = await self.base.authority.refresh(conn.identity, msg.token)
        expires = conn.identity.expires_at
        return Reply("token_refreshed", expires_at=None if expires is None else wire.iso(expires))

    @command("limits")
    async def limits(self, conn: Connection, msg: wire.Limits) -> Reply:
        """What is left in each bucket of this connection."""
        return Reply("limits", **conn.limits())

    # ── subscriptions ───────────────────────────────────────────────────────────────────

    async def follow(self, conn: Connection, msg: wire.Subscribe) -> None:
        """The whole of a subscription: access, confirmation, first data, live frames.

        A repeated subscription is confirmed again and gets its first data again; one with
        ``since`` starts over from there.
        """
        policy.check_name(msg.channel)
        if not self._may(conn, msg.channel):
            raise policy.refusal()
        if msg.format not in (UNSET, "legacy"):
            raise WireError(Code.UNKNOWN_FORMAT, f"Unknown format: {str(msg.format)[:32]}")
        since = None if msg.since is UNSET else msg.since
        subscription = self.attach(conn, msg.channel, since, msg.id)
        if not subscription.recovered:
            await self._send_initial(conn, msg.channel)
        subscription.open()

    def attach(
        self,
        conn: Connection,
        label: str,
        since: wire.Since | None = None,
        id: int | str | None = None,
    ) -> Subscription:
        """Attach and confirm; nothing of the channel is sent before ``open()``.

        Raises `WireError` for an unknown channel or one too many.
        """
        channel = self.channel(label)
        if channel is None:
            raise WireError(Code.UNKNOWN_CHANNEL, f"Unknown channel: {label}")
        subscription = conn.subscriptions.get(label)
        if subscription is None or since is not None:
            if subscription is None:
                self._count(conn, label)
            else:
                subscription.close()
            subscription = self.hub.attach(conn, channel, since)
            conn.subscriptions[label] = subscription
        fields: dict[str, Any] = {"channel": label, **subscription.describe()}
        conn.reply(Reply("subscription_confirmed", **fields), id)
        return subscription

    async def drop(self, conn: Connection, label: str) -> None:
        """End a subscription; harmless when there is none."""
        subscription = conn.subscriptions.pop(label, None)
        if subscription is None:
            return
        subscription.close()
        if self._is_grouped(label):
            conn.grouped -= 1
        await self.left(conn, label)

    def _may(self, conn: Connection, label: str) -> bool:
        if self.is_public(label):
            return True
        identity = conn.identity
        allowed = policy.may_subscribe(identity, self.path, label)
        return allowed and not self.denied(identity, label)

    def _count(self, conn: Connection, label: str) -> None:
        limits = self.base.limits
        if self._is_grouped(label):
            if conn.grouped >= limits.symbols:
                text = f"At most {limits.symbols} {self.grouped_prefix}* channels a connection"
                raise WireError(Code.TOO_MANY_ROWS, text, limit=limits.symbols)
            conn.grouped += 1
        elif len(conn.subscriptions) - conn.grouped + bool(conn.grouped) >= limits.channels:
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
        for reply in await self.initial(conn, label):
            conn.tell(reply, channel=label)


def _commands_of(method: Any) -> list[Command]:
    """The commands a function declares; none if it is not decorated."""
    mark = getattr(method, "__command__", None)
    if mark is None:
        return []
    types, role, denied, invalid = mark
    message = get_type_hints(method)["msg"]
    doc = (method.__doc__ or "").strip()
    return [Command(type_, method, message, role, denied, invalid, doc) for type_ in types]


def _decode(found: Command, data: bytes) -> Message:
    """Decode under the names that older clients know for a bad field."""
    try:
        return wire.decode(found.message, data)
    except WireError as error:
        field = error.fields.get("field", "")
        code, text = found.invalid.get(field) or found.invalid.get("*") or (error.code, "")
        if error.close is None:
            raise WireError(code, text or error.message, **error.fields) from None
        raise


def _away() -> WireError:
    text = "The database is away; try again in a few seconds"
    return WireError(Code.SERVICE_UNAVAILABLE, text, retry_after_ms=2000)
