"""Parameters, their space and random streams."""

from __future__ import annotations

import numpy as np
import pytest

from simloop.errors import InputError
from simloop.parameters import Parameter, ParameterSpace
from simloop.randomness import stream

SPACE = ParameterSpace(
    [
        Parameter("mass", 0.1, 10.0, 1.0, unit="kg", scale="log"),
        Parameter("offset", -1.0, 1.0, 0.0, unit="m"),
        Parameter("count", 0, 5, 2, integer=True),
        Parameter("surface", 0, 2, 0, choices=("wood", "steel", "felt")),
    ]
)


def test_scale_round_trip() -> None:
    """To the scale and back is the identity."""
    rows = np.array([[0.5, -0.3, 1, 2], [9.0, 0.9, 5, 0]])
    np.testing.assert_allclose(SPACE.from_scale(SPACE.to_scale(rows)), rows)
    assert SPACE.to_scale(rows)[0, 0] == pytest.approx(np.log(0.5))


def test_dict_round_trip() -> None:
    """A space read back from its record is the same space."""
    assert ParameterSpace.from_dict(SPACE.to_dict()) == SPACE


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[20, 0, 0, 0]], "parameter 'mass' is 20 kg in row 0: outside its bounds"),
        ([[1, np.nan, 0, 0]], "parameter 'offset' is nan in row 0"),
        ([[1, 0, 1.5, 0]], "parameter 'count' takes whole numbers, got 1.5"),
        ([[1, 0]], r"must have shape \(n, 4\)"),
    ],
)
def test_rows_are_checked(rows: list[list[float]], sentence: str) -> None:
    """A row that makes no sense is answered by the parameter, the row and what was expected."""
    with pytest.raises(InputError, match=sentence):
        SPACE.check(rows)


def test_unknown_name_is_answered_by_a_close_match() -> None:
    """A misspelt parameter is answered by the one that was meant."""
    with pytest.raises(InputError, match=r"unknown parameter 'mas'.*'mass'"):
        SPACE.index("mas")


def test_streams_depend_on_their_key_alone() -> None:
    """The same key gives the same numbers whatever was drawn before; any other key gives others."""
    first = stream(3, "noise", 1).random(4)
    stream(3, "noise", 0).random(1000)
    np.testing.assert_array_equal(stream(3, "noise", 1).random(4), first)
    others = [stream(4, "noise", 1), stream(3, "noise", 2), stream(3, "other", 1), stream(3, "noise", "1")]
    assert all((s.random(4) != first).all() for s in others)


def test_neighbouring_seeds_share_nothing() -> None:
    """Seeds 0 and 1 give uncorrelated streams, unlike `seed + i`."""
    a = np.concatenate([stream(0, "x", i).standard_normal(50) for i in range(200)])
    b = np.concatenate([stream(1, "x", i).standard_normal(50) for i in range(200)])
    assert abs(np.corrcoef(a[50:], b[:-50])[0, 1]) < 0.04
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04
