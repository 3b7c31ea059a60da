"""Commands: one declaration from which dispatch, policy, schema and reference are read."""

from __future__ import annotations

import pytest

from fastws.command import command, commands_of
from fastws.errors import Close, WireError
from fastws.identity import Role
from fastws.wire import Message, Reply


class Order(Message):
    """A message of a test."""

    symbol: str
    amount: int = 1


class Parent:
    """Declares what its children inherit."""

    @command("shared")
    async def shared(self, conn: object, msg: Message) -> None:
        """Of the parent."""

    @command("order")
    async def order(self, conn: object, msg: Message) -> None:
        """Replaced by the child."""


class Child(Parent):
    """Declares its own."""

    @command("order", "ORDER", role=Role.ADMIN, denied=("NO", "Not you"))
    async def order(self, conn: object, msg: Order) -> Reply:
        """Buys something."""
        return Reply("ordered", symbol=msg.symbol)

    @command("plain", invalid="INVALID_REQUEST")
    async def plain(self, conn: object, msg: Order) -> None:
        pass

    @command("named", invalid={"symbol": ("MISSING_SYMBOL", "Which one?"), "*": ("OTHER", "")})
    async def named(self, conn: object, msg: Order) -> None:
        pass

    async def not_a_command(self, conn: object, msg: Order) -> None:
        pass


COMMANDS = commands_of(Child)


def test_declared_and_inherited_commands_are_found() -> None:
    assert set(COMMANDS) == {"shared", "order", "ORDER", "plain", "named"}
    assert set(commands_of(Parent)) == {"shared", "order"}, "a child adds nothing to its parent"


def test_the_child_wins() -> None:
    assert COMMANDS["order"].message is Order
    assert COMMANDS["order"].doc == "Buys something."
    assert COMMANDS["shared"].doc == "Of the parent."


def test_an_alias_is_the_same_command() -> None:
    one, other = COMMANDS["order"], COMMANDS["ORDER"]
    assert (one.type, other.type) == ("order", "ORDER")
    assert one.method is other.method
    assert one.role is other.role is Role.ADMIN
    assert one.denied == other.denied == ("NO", "Not you")


def test_anybody_may_run_what_names_no_role() -> None:
    assert COMMANDS["plain"].role is None
    assert COMMANDS["plain"].denied is None


async def test_the_decorated_method_is_still_a_method() -> None:
    reply = await Child().order(None, Order(symbol="SOL"))
    assert (reply.type, reply.fields) == ("ordered", {"symbol": "SOL"})


def test_the_annotation_is_the_schema() -> None:
    message = COMMANDS["order"].decode(b'{"symbol":"SOL","amount":3}')
    assert message == Order(symbol="SOL", amount=3)


@pytest.mark.parametrize(
    ("type_", "data", "code", "text"),
    [
        ("order", b"{}", "INVALID_PAYLOAD", None),
        ("plain", b"{}", "INVALID_REQUEST", None),
        ("plain", b'{"symbol":"x","amount":"y"}', "INVALID_REQUEST", None),
        ("named", b"{}", "MISSING_SYMBOL", "Which one?"),
        ("named", b'{"symbol":7}', "MISSING_SYMBOL", "Which one?"),
        ("named", b'{"symbol":"x","amount":"y"}', "OTHER", None),
    ],
)
def test_a_bad_field_has_the_code_older_clients_know(
    type_: str, data: bytes, code: str, text: str | None
) -> None:
    with pytest.raises(WireError) as caught:
        COMMANDS[type_].decode(data)
    error = caught.value
    assert error.code == code
    assert error.message == text if text else error.fields["field"] in error.message
    assert error.close is None


def test_what_is_no_json_closes_whatever_the_command_says() -> None:
    with pytest.raises(WireError) as caught:
        COMMANDS["plain"].decode(b"{")
    assert (caught.value.code, caught.value.close) == ("INVALID_MESSAGE", Close.UNSUPPORTED)


def test_a_method_without_a_message_is_a_mistake_found_at_once() -> None:
    class Broken:
        @command("x")
        async def method(self, conn: object) -> None:
            pass

    with pytest.raises(KeyError):
        commands_of(Broken)
