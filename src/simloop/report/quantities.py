"""Numbers as people read them: three digits, angles in degrees beside radians, "not finite" said in a word."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from simloop.report.blocks import Cell

NOTHING = "–"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3, *, padded: bool = False) -> str:
    """A number with `digits` significant digits, without exponents where that is readable.

    Zeros at its end are left out unless it is `padded`, as measured values in a column are.
    """
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -5 < size < 7:
        text = f"{value:,.{max(digits - 1 - size, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text and not padded else text
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}"
    return text.replace("-", "−")


def with_unit(value: float | None, unit: str, digits: int = 3, *, padded: bool = False) -> str:
    """A number and its unit."""
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{number(value, digits, padded=padded)} {unit_sign(unit)}".rstrip()


def unit_sign(unit: str) -> str:
    """A unit with raised exponents: kg m^2 as kg m²."""
    return re.sub(r"\^(-?\d+)", lambda found: found[1].translate(_RAISED), unit)


def spoken(value: float | None, unit: str) -> str:
    """A value with its unit as people say it: radians in degrees."""
    if unit == "rad" and value is not None and math.isfinite(value):
        return f"{number(math.degrees(value), padded=True)}°"
    return with_unit(value, unit, padded=True)


def measured(value: float | None, unit: str) -> Cell:
    """A table's cell of a value: degrees with radians below, other units as they are."""
    said = spoken(value, unit)
    beside = with_unit(value, unit, padded=True)
    return Cell(said, beside if beside != said else "")


def span(interval: Sequence[float] | None, unit: str = "") -> str:
    """An interval in words, in degrees where the unit is rad."""
    if interval is None:
        return NOTHING
    low, high = interval
    if unit == "rad" and math.isfinite(low) and math.isfinite(high):
        return f"{number(math.degrees(low), padded=True)} to {number(math.degrees(high), padded=True)}°"
    return f"{number(low, padded=True)} to {with_unit(high, unit, padded=True)}"


def percent(share: float | None) -> str:
    """A share in percent."""
    return NOTHING if share is None or not math.isfinite(share) else f"{100 * share:.0f} %"


def count(things: float, name: str) -> str:
    """A number of things, with the plural where there is not one of them."""
    return f"{number(things, 9)} {name}{'' if things == 1 else 's'}"


def shortened(name: str, most: int = 26) -> str:
    """A long name with its middle left out, for labels in figures."""
    if len(name) <= most:
        return name
    return f"{name[: most // 2 - 1]}…{name[-(most - most // 2) :]}"
