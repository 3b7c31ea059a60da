from collections.abc import Iterable
from typing import Any, Final, Self, final

from fastws._core.cells import Column
from fastws._core.table import Observer, Table

VIEWS: Final[int]
SHARED_FRAMES: Final[int]

@final
class View(Observer):
    def __new__(cls, table: Table, columns: Iterable[str] | None = None) -> Self: ...
    @property
    def table(self) -> Table: ...
    @property
    def columns(self) -> tuple[Column, ...]: ...
    @property
    def checksum(self) -> int: ...
    def describe(self) -> dict[str, Any]: ...
    def hash_of(self, key: str) -> int: ...
