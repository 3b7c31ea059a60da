"""Scaled integers: exact from text to text, whatever the number."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.domain.market import fit, parse, scale, significant, text


class TestDecimals:
    @pytest.mark.parametrize(
        ("given_text", "scaled"),
        [
            ("61685.99000000", (6168599, -2)),
            ("61686.00000000", (61686, 0)),
            ("0.00001234", (1234, -8)),
            ("0", (0, 0)),
            ("0.000", (0, 0)),
            ("-1.50", (-15, -1)),
            ("100", (100, 0)),
        ],
    )
    def test_parse(self, given_text: str, scaled: tuple[int, int]) -> None:
        assert parse(given_text) == scaled

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            ".",
            "1.",
            ".5",
            "+1",
            "1e5",
            "1,5",
            " 1",
            "1 ",
            "١٢",
            "NaN",
            "inf",
            "1" * 16,
            "9" * 999,
        ],
    )
    def test_parse_refuses(self, bad: str) -> None:
        with pytest.raises(ValueError, match=r"not a plain|more than"):
            parse(bad)

    @given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 15))
    def test_text_and_parse_agree(self, mantissa: int, places: int) -> None:
        written = text(mantissa, -places)
        assert Decimal(written) == Decimal(mantissa).scaleb(-places)
        assert orjson.loads(written) == float(Decimal(written))
        again = parse(written)
        assert Decimal(again[0]).scaleb(again[1]) == Decimal(written)

    @given(
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
    )
    def test_scale_is_exact(self, number: Decimal) -> None:
        try:
            mantissa, exponent = scale(number)
        except ValueError:
            assert number.adjusted() < -30
            return
        if len(number.as_tuple().digits) <= 30:
            digits = tuple(map(int, str(abs(mantissa))))
            assert Decimal((int(mantissa < 0), digits, exponent)) == number

    @pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E-999"])
    def test_scale_refuses(self, bad: str) -> None:
        with pytest.raises(ValueError, match=r"finite|range"):
            scale(Decimal(bad))

    def test_scale_does_not_choke_on_a_million_digits(self) -> None:
        mantissa, exponent = scale(Decimal("0." + "3" * 1_000_000))
        assert (mantissa, exponent) == (int("3" * 30), -30)

    def test_exponent_only_becomes_finer(self) -> None:
        assert fit((61686, 0), -2) == (6168600, -2)
        assert fit((6168599, -2), 0) == (6168599, -2)
        assert fit((5, 3), None) == (5000, 0)

    def test_too_many_digits_round_half_even(self) -> None:
        assert fit((1234567890125, -5), None) == (123456789012, -4)
        assert fit((1234567890135, -5), None) == (123456789014, -4)
        assert fit((-1234567890135, -5), None) == (-123456789014, -4)
        assert significant((1234567, -2), 3) == (123, 2)
        assert significant((12, -2), 3) == (12, -2)

    @given(st.integers(0, 10**14), st.integers(-12, 3), st.none() | st.integers(-12, 0))
    def test_fit_keeps_the_value_when_there_is_room(
        self, mantissa: int, exponent: int, cell: int | None
    ) -> None:
        got, at = fit((mantissa, exponent), cell, 12)
        wanted = Decimal(mantissa).scaleb(exponent)
        assert abs(Decimal(got).scaleb(at) - wanted) <= wanted.scaleb(-11)
        assert got <= 10**12
