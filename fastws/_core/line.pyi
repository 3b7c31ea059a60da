from collections.abc import Callable
from typing import Any, Final, Self, final

CORKED: Final[int]
COMPRESSED: Final[int]
SLICE_LINES: Final[int]
SLICE_SECONDS: Final[float]

@final
class Traffic:
    messages: int
    bytes: int
    received: int
    received_bytes: int

@final
class Cork:
    def __new__(cls, call_soon: Callable[[Callable[[], None]], Any] | None = None) -> Self: ...
    def flush(self, most: int = 0x7FFFFFFF) -> int: ...

@final
class Line:
    traffic: Traffic
    full: bool
    tap: Callable[[Any, int], None] | None
    def __new__(
        cls,
        cork: Cork,
        write: Callable[[Any], Any],
        fd: int = -1,
        is_closing: Callable[[], bool] | None = None,
        size_waiting: Callable[[], int] | None = None,
    ) -> Self: ...
    @property
    def cork(self) -> Cork: ...
    @property
    def open(self) -> bool: ...
    @property
    def messages(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def corked(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    def send(self, payload: Any, opcode: int = 1) -> None: ...
    def end(self) -> None: ...
    def forget(self) -> None: ...
    @property
    def received(self) -> int: ...
    def took(self, size: int) -> None: ...
    def flush(self) -> int: ...
