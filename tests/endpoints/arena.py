"""A contest endpoint over a real database, and what fills the platform's tables for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import structs

from fastws._core.table import Table
from fastws.config import ContestConfig
from fastws.connection import Connection
from fastws.domain.contests import Chat, Contests, Leaderboards, Lifecycle, Rooms
from fastws.domain.market import COLUMNS, TOGETHER, Market, Token
from fastws.domain.people import People
from fastws.endpoints.contest import Contest
from fastws.identity import Identity, Role
from fastws.store.audit import Audit
from fastws.store.chat import ChatRows
from fastws.store.contests import ContestRows
from fastws.store.pool import Database
from fastws.store.users import Users
from tests.fakes import ADMIN, USER, Clock, RecordingOutlet, make_base, make_hub, opened

PLAYER = structs.replace(USER, wallet="PlayerWa11et", nickname="player")
VIEWER = structs.replace(USER, wallet="ViewerWa11et", nickname="viewer")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Arena:
    """The endpoint with everything below it. Times are the clock's, and stand still."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock(START.timestamp())
        self.hub = make_hub(self.clock)
        table = Table("tokens", COLUMNS, 1, common=TOGETHER)
        self.market = Market(table, self.clock)
        rows = ContestRows(database)
        self.users = Users(database)
        self.audit = Audit(database)
        self.contests = Contests(database, rows, self.clock)
        self.boards = Leaderboards(self.hub, self.contests, table, 250, 1)
        self.rooms = Rooms()
        self.chat = Chat(database, ChatRows(database), self.clock, 10)
        self.lifecycle = Lifecycle(database, rows, self.contests, self.boards.price, self.clock)
        self.endpoint = Contest(
            make_base(self.hub, self.clock),
            database,
            ContestConfig(),
            contests=self.contests,
            leaderboards=self.boards,
            rooms=self.rooms,
            chat=self.chat,
            lifecycle=self.lifecycle,
            people=People(database, self.users, self.audit),
            monotonic=self.clock,
        )

    async def begin(self) -> None:
        """Users there are, and where the chat stands."""
        for who in (PLAYER, VIEWER, ADMIN):
            assert who.wallet is not None
            await self.users.set_role(who.wallet, str(who.role))
            sql = "UPDATE users SET nickname = $2 WHERE wallet_address = $1"
            await self.database.execute(sql, who.wallet, who.nickname)
        await self.chat.log.load()

    # ── what there is ───────────────────────────────────────────────────────────────────

    async def contest(self, *participants: str, status: str = "pending", **fields: Any) -> int:
        """A new contest with these participants; read by the book."""
        made = {
            "start_time": START + timedelta(hours=1),
            "end_time": START + timedelta(hours=2),
            "settings": {},
            "min_participants": 0,
            **fields,
        }
        sql = """
            INSERT INTO contests (contest_code, name, start_time, end_time, settings,
                                  min_participants, status)
            VALUES (gen_random_uuid()::text, 'Moon', $1, $2, $3, $4, $5::text::contest_status)
            RETURNING id
        """
        id_: int = await self.database.fetchval(sql, *made.values(), status)
        sql = """
            INSERT INTO contest_participants (contest_id, wallet_address, entry_time)
            SELECT $1, wallet, $3::timestamptz + make_interval(secs => place)
            FROM unnest($2::text[]) WITH ORDINALITY AS given (wallet, place)
        """
        await self.database.execute(sql, id_, list(participants), START)
        await self.read(id_)
        await self.turn(1.0)
        return id_

    async def enter(self, contest: int, wallet: str, at: datetime = START) -> None:
        """Somebody takes part."""
        sql = """
            INSERT INTO contest_participants (contest_id, wallet_address, entry_time)
            VALUES ($1, $2, $3)
        """
        await self.database.execute(sql, contest, wallet, at)

    async def weigh(self, contest: int, wallets: list[str], **weights: int) -> None:
        """Portfolios: percent by symbol."""
        for symbol, weight in weights.items():
            sql = """
                INSERT INTO tokens (address, symbol, name) VALUES ($1, $1, $1)
                ON CONFLICT (address) DO UPDATE SET name = excluded.name RETURNING id
            """
            token = await self.database.fetchval(sql, symbol)
            sql = """
                INSERT INTO contest_portfolios (contest_id, wallet_address, token_id, weight)
                SELECT $1, wallet, $3, $4 FROM unnest($2::text[]) AS wallet
            """
            await self.database.execute(sql, contest, wallets, token, weight)

    def price(self, **prices: str) -> None:
        """Seal prices by symbol, which is the address too."""
        for symbol, text in prices.items():
            if symbol not in self.market:
                self.market.upsert(Token(address=symbol, symbol=symbol, name=symbol))
            sign, digits, exponent = Decimal(text).as_tuple()
            assert not sign
            assert isinstance(exponent, int)
            self.market.set(symbol, "price", (int("".join(map(str, digits))), exponent), 15)
        self.market.table.seal(self.clock())

    async def read(self, *contests: int) -> None:
        """Let the book read these (or all) again."""
        self.contests.ask(*contests)
        if not contests:
            await self.contests._missed()
        await self.contests.read()

    # ── who comes, and time ─────────────────────────────────────────────────────────────

    async def come(
        self, who: Identity = VIEWER, **options: Any
    ) -> tuple[Connection, RecordingOutlet]:
        """Somebody connects."""
        conn, outlet, _ = await opened(self.endpoint, who, **options)
        return conn, outlet

    async def turn(self, seconds: float = 0.0) -> None:
        """Time passes, and everybody is told what there is to tell."""
        self.clock.now += seconds
        self.boards.turn()
        await self.endpoint.turn()
        self.hub.flush(self.clock.now)


def chief() -> Identity:
    """A superadmin."""
    return structs.replace(ADMIN, wallet="ChiefWa11et", role=Role.SUPERADMIN)
