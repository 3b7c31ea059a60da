from collections.abc import Iterable
from typing import Any, Literal, Self

from typing_extensions import disjoint_base

_Kind = Literal["decimal", "int", "enum", "float", "text"]

class Column:
    name: str
    kind: _Kind
    def __init__(self, name: str, kind: _Kind) -> None: ...

@disjoint_base
class Cells:
    def __new__(cls, name: str, columns: Iterable[Column], *args: Any, **more: Any) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> tuple[Column, ...]: ...
    def set_decimal(self, row: int, column: int, mantissa: int, exponent: int) -> int: ...
