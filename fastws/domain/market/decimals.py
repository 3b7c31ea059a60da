"""Scaled integers: a number as ``mantissa * 10**exponent``, exact all the way in.

Owns the arithmetic between text, `Decimal` and scaled integers. A price never passes
through a float here. Knows nothing of tokens or tables.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Final, cast

__all__ = ["Scaled", "fit", "parse", "scale", "significant", "text"]

Scaled = tuple[int, int]
"""(mantissa, exponent): ``(6168599, -2)`` is 61685.99."""

EXACT_DIGITS: Final = 15
"""Digits that every client reads back exactly: a double holds 15 whole digits."""

MIN_EXPONENT: Final = -30
MAX_EXPONENT: Final = 30

_CONTEXT = Context(prec=30, traps=[])

_PLAIN = re.compile(r"(-?)(\d{1,30})(?:\.(\d{1,30}))?", re.ASCII)


def parse(value: str, digits: int = EXACT_DIGITS) -> Scaled:
    """Read a plain decimal text such as an exchange sends (``"61685.99000000"``).

    Trailing zeros of the fraction are dropped, so the exponent is the tick the number needs.
    Raises `ValueError` for anything else: exponents, plus signs, blanks, too many digits.
    """
    found = _PLAIN.fullmatch(value)
    if found is None:
        raise ValueError(f"not a plain decimal number: {value[:40]!r}")
    sign, whole, fraction = found.groups()
    fraction = (fraction or "").rstrip("0")
    mantissa = int(whole + fraction)
    if mantissa >= 10**digits:
        raise ValueError(f"more than {digits} digits: {value[:40]!r}")
    return (-mantissa if sign else mantissa), -len(fraction)


def scale(value: Decimal | int) -> Scaled:
    """The scaled integer of a finite number (30 digits at most); `ValueError` if absurd."""
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("must be a finite number")
    number = number.normalize(_CONTEXT)
    if not number:
        return 0, 0
    if not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise ValueError("is out of range")
    exponent = cast("int", number.as_tuple().exponent)
    return int(number.scaleb(-exponent, _CONTEXT)), exponent


def fit(value: Scaled, exponent: int | None, digits: int = 12) -> Scaled:
    """Bring ``value`` to the ``exponent`` its cell already has, or to one it needs.

    The exponent only becomes finer, so that a cell's values stay differences of integers; a
    mantissa beyond ``digits`` digits is rounded half to even to a coarser one.
    """
    mantissa, own = value
    if own > 0:
        mantissa, own = mantissa * 10**own, 0
    if exponent is not None and exponent < own:
        mantissa, own = mantissa * 10 ** (own - exponent), exponent
    over = len(str(abs(mantissa))) - digits
    if over > 0:
        mantissa, own = _halve_even(mantissa, over), own + over
    return mantissa, own


def significant(value: Scaled, digits: int) -> Scaled:
    """``value`` rounded half to even to ``digits`` digits: for figures that are estimates."""
    mantissa, exponent = value
    over = len(str(abs(mantissa))) - digits
    if over <= 0:
        return value
    return _halve_even(mantissa, over), exponent + over


def text(mantissa: int, exponent: int) -> str:
    """The number as JSON writes it, exact."""
    if exponent >= 0:
        return str(mantissa * 10**exponent)
    sign = "-" if mantissa < 0 else ""
    digits = str(abs(mantissa))
    places = -exponent
    if len(digits) <= places:
        digits = digits.zfill(places + 1)
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _halve_even(mantissa: int, drop: int) -> int:
    unit = int(10**drop)
    quotient, rest = divmod(abs(mantissa), unit)
    if rest * 2 > unit or (rest * 2 == unit and quotient & 1):
        quotient += 1
    return -quotient if mantissa < 0 else quotient
