"""Commands: what a decorated method of an endpoint declares.

The annotation of the message is the schema, the decorator is the policy, the docstring is the
reference page; dispatch and documentation read the same declaration. Knows no connection.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct

from fastws import wire
from fastws.errors import WireError
from fastws.identity import Role
from fastws.wire import Message, Reply

__all__ = ["Command", "command", "commands_of"]

Replies = Reply | list[Reply] | None
Invalid = Mapping[str, tuple[str, str]]
"""Field → (code, message) for a missing or ill-typed field; ``"*"`` is any other."""

F = TypeVar("F", bound=Callable[..., Awaitable[Replies]])


class Command(Struct, frozen=True):
    """One declared command: the source of dispatch, policy, schema and documentation.

    ``operation`` is the first of its types: limits go by it, whatever alias a client uses.
    """

    type: str
    operation: str
    cost: float
    method: Callable[..., Awaitable[Replies]]
    message: builtins.type[Message]
    role: Role | None
    denied: tuple[str, str] | None
    invalid: Invalid
    doc: str

    def decode(self, data: bytes) -> Message:
        """Decode a message, under the names that older clients know for a bad field."""
        try:
            return wire.decode(self.message, data)
        except WireError as error:
            if error.close is not None:
                raise
            field = error.fields.get("field", "")
            code, text = self.invalid.get(field) or self.invalid.get("*") or (error.code, "")
            raise WireError(code, text or error.message, **error.fields) from None


def command(
    *types: str,
    role: Role | None = None,
    denied: tuple[str, str] | None = None,
    invalid: str | Invalid | None = None,
    cost: float = 1,
) -> Callable[[F], F]:
    """Declare a command under its ``type`` (and older clients' aliases for it).

    ``role`` is the least role that may run it, ``denied`` the code and text for others.
    ``invalid`` names the code (and text) that older clients know for a bad field. ``cost`` is
    what it takes from each bucket of who asks; a plain message takes 1.
    """
    table: Invalid = {"*": (invalid, "")} if isinstance(invalid, str) else invalid or {}

    def mark(method: F) -> F:
        method.__command__ = (types, role, denied, table, cost)  # type: ignore[attr-defined]
        return method

    return mark


def commands_of(cls: type) -> dict[str, Command]:
    """Every command a class declares or inherits, by type."""
    table: dict[str, Command] = {}
    for base in reversed(cls.__mro__):
        for method in vars(base).values():
            for made in _declared(method):
                table[made.type] = made
    return table


def _declared(method: Any) -> list[Command]:
    """The commands a function declares; none if it is not decorated."""
    mark = getattr(method, "__command__", None)
    if mark is None:
        return []
    types, role, denied, invalid, cost = mark
    message = get_type_hints(method)["msg"]
    doc = (method.__doc__ or "").strip()
    return [
        Command(type_, types[0], cost, method, message, role, denied, invalid, doc)
        for type_ in types
    ]
