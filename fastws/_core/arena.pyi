from typing import Final, final

from fastws._core.table import Table

PLANES: Final[int]
SHOTS: Final[int]
WIDTH: Final[int]
HEIGHT: Final[int]
SLOWEST: Final[int]
FASTEST: Final[int]
PICKUP: Final[int]
TURN: Final[int]
SHOT_SPEED: Final[int]
SHOT_SECONDS: Final[float]
RADIUS: Final[int]
MAGAZINE: Final[int]
COOLDOWN_SECONDS: Final[float]
RELOAD_SECONDS: Final[float]
HEALTH: Final[int]
DAMAGE: Final[int]
DOWN_SECONDS: Final[float]
SHIELD_SECONDS: Final[float]
GONE: Final[int]
FLYING: Final[int]
DOWN: Final[int]
SHIELDED: Final[int]
HIT: Final[int]
DOWNED: Final[int]
RESPAWN: Final[int]
SINE: Final[tuple[int, ...]]

@final
class Arena:
    def __init__(
        self, planes: int, seed: int, *, hz: int = 30, score: int = 10, seconds: int = 180
    ) -> None: ...
    @property
    def digest(self) -> int: ...
    @property
    def planes(self) -> int: ...
    @property
    def hz(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def over(self) -> bool: ...
    def input(self, seat: int, seq: int, throttle: int, turn: int, fire: bool) -> None: ...
    def remove(self, seat: int) -> None: ...
    def step(self) -> bool: ...
    def turn(self, table: Table, own: Table, now: float) -> bool: ...
    def take_events(self) -> list[tuple[int, int, int]]: ...
    def planes_now(self) -> list[tuple[int, ...]]: ...
    def show(self, table: Table, game: int, first: int) -> None: ...
    def show_own(self, table: Table, first: int) -> None: ...
