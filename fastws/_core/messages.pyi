from typing import Final, Literal

from typing_extensions import disjoint_base

NORMAL_CLOSURE: Final[int]
PROTOCOL_ERROR: Final[int]
NO_STATUS: Final[int]
INVALID_TEXT: Final[int]
TOO_BIG: Final[int]

_Event = Literal["", "text", "binary", "close", "ping", "pong", "failure"]

@disjoint_base
class Messages:
    def __init__(
        self, max_message: int, max_fragments: int = 64, inflates: bool = False
    ) -> None: ...
    @property
    def data(self) -> bytes: ...
    @property
    def inflated(self) -> int: ...
    @property
    def code(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    def feed(self, opcode: int, fin: bool, reserved: int, payload: bytes) -> _Event: ...
