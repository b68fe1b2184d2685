"""A frame in a page with needles that show steering: SVG around a JPEG, in the page's own colours."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from html import escape

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

#: px of the picture's width in its own scale, degrees of a needle at full lock
_WIDTH, _FULL = 320, 60.0
#: px of a line of the caption below the picture
_LINE = 17


def panel(image: NDArray[np.uint8], needles: Sequence[tuple[str, float]], caption: Sequence[str]) -> Markup:
    """A frame (H, W, 3) with needles from its bottom, as (colour of the page, steering), the last one on top.

    The caption has several lines. Steering beyond full lock is drawn at full lock.
    """
    height = round(_WIDTH * image.shape[0] / image.shape[1])
    drawn = "".join(_needle(colour, steering, height) for colour, steering in needles)
    lines = "".join(
        f'<text x="0" y="{height + _LINE * (k + 1)}" fill="var(--muted)" style="font-size: 12px">{escape(line)}</text>'
        for k, line in enumerate(caption)
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {height + _LINE * len(caption) + 5}" role="img"'
        f' aria-label="{escape(": ".join(caption))}">'
        f'<image href="{_data(image, (_WIDTH, height))}" width="{_WIDTH}" height="{height}"/>{drawn}{lines}</svg>'
    )


def _needle(colour: str, steering: float, height: int) -> str:
    """A line on a wider one in the page's colour, so that it is seen on any picture."""
    angle = math.radians(_FULL * min(max(steering, -1.0), 1.0))
    length = 0.55 * height
    x, y = _WIDTH / 2 + length * math.sin(angle), height - 4 - length * math.cos(angle)
    line = f'x1="{_WIDTH / 2:g}" y1="{height - 4}" x2="{x:.1f}" y2="{y:.1f}" stroke-linecap="round"'
    return (
        f'<line {line} stroke="var(--paper)" stroke-width="8"/><line {line} stroke="var(--{colour})" stroke-width="4"/>'
    )


def _data(image: NDArray[np.uint8], size: tuple[int, int]) -> str:
    from PIL import Image

    picture = Image.fromarray(image)
    if picture.size[0] > 2 * size[0]:
        picture = picture.resize((2 * size[0], 2 * size[1]), Image.Resampling.BOX)
    content = io.BytesIO()
    picture.save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
