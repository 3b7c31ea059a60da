from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, Never, Self

from typing_extensions import disjoint_base

from fastws._core.cells import Column
from fastws._core.table import Table
from fastws._core.view import View

MAX_ROWS: Final[int]

def state(table: Table) -> bytes: ...

@disjoint_base
class Replica(Table):
    def __new__(
        cls,
        name: str,
        columns: Iterable[Column],
        epoch: int = 0,
        common: Iterable[Iterable[str]] = (),
    ) -> Self: ...
    @property
    def view(self) -> View: ...
    def add(self, key: str, **values: Any) -> Never: ...
    def remove(self, key: str) -> Never: ...
    def set_row(self, key: str, values: Mapping[str, Any]) -> Never: ...
    def apply(self, epoch: int, block: bytes, now: float) -> Literal["applied", "old", "gap"]: ...
    def load(self, data: bytes, now: float) -> bool: ...
