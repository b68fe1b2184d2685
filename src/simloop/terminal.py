"""What a person sees in a terminal: tables, progress, warnings and errors."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

from simloop.errors import DataWarning


def say(text: str) -> None:
    """Print a line to standard output."""
    print(text, flush=True)


def print_json(record: dict[str, Any]) -> None:
    """Print one JSON object; NaN and infinities, which JSON lacks, become null."""
    say(json.dumps(_finite(record), indent=2))


def _finite(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: _finite(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [_finite(v) for v in x]
    return None if isinstance(x, float) and (x != x or abs(x) == float("inf")) else x


def table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table; the first column is text, the others are right-aligned."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    grid = Table(*[], box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for i, name in enumerate(header):
        grid.add_column(name, justify="left" if i == 0 else "right", no_wrap=i == 0, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console = Console(soft_wrap=False, highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(width=140, highlight=False, markup=False)
    console.print(grid)


@contextlib.contextmanager
def progress(stream: TextIO = sys.stderr) -> Iterator[Callable[[str, float], None]]:
    """Yield a callback (message, fraction) that shows a bar in a terminal and lines elsewhere."""
    if not stream.isatty():
        yield lambda message, fraction: print(f"[{fraction:4.0%}] {message}", file=stream, flush=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=Console(file=stream), transient=True,
    )  # fmt: skip
    with bar:
        tasks: dict[str, Any] = {}

        def update(message: str, fraction: float) -> None:
            name = message.split(":")[0]
            if name not in tasks:
                tasks[name] = bar.add_task(message, total=1.0)
            bar.update(tasks[name], completed=fraction, description=message)

        yield update


@contextlib.contextmanager
def shown_warnings() -> Iterator[list[str]]:
    """Print each distinct DataWarning once to standard error, as one line; yield the list of them."""
    seen: list[str] = []
    original = warnings.showwarning

    def show(message: Any, category: Any, *rest: Any, **named: Any) -> None:
        if not issubclass(category, DataWarning):
            original(message, category, *rest, **named)
        elif str(message) not in seen:
            seen.append(str(message))
            print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = show
        yield seen
