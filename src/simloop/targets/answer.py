"""A line to a machine that may raise or stay silent: every question gets an answer in time, or one clear sentence.

    line = Line("gym:my.arm:make", timeout=5.0)
    line.ask("reset", lambda: machine.reset(...))      # InputError if it raised, or said nothing for 5 s

All questions are asked on one thread of the line's own, so a machine that is bound to a thread stays on it. Nobody can
stop a thread that hangs: after one silence the line is dead, and says so.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from simloop.errors import InputError

T = TypeVar("T")


class Line:
    """Asks a machine.

    Args:
        name: what errors call it.
        timeout: s, the longest that it may take; None: it is asked directly, on the caller's thread.
    """

    def __init__(self, name: str, timeout: float | None) -> None:
        self.name, self.timeout = name, timeout
        self._dead = False
        self._questions: queue.SimpleQueue[Callable[[], Any]] | None = None
        self._answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def ask(self, when: str, question: Callable[[], T]) -> T:
        """Return the answer; `when` says in errors where the episode was."""
        if self.timeout is None:
            answer, error = _answered(question)
        else:
            answer, error = self._waited(when, question, self.timeout)
        if isinstance(error, InputError):
            raise InputError(f"{when}: {error}") from error
        if error is not None:
            text = " ".join(str(error).split())[:200]
            raise InputError(f"{when}: the machine raised {type(error).__name__}: {text}") from error
        return answer  # type: ignore[return-value]  # None only beside an error

    def tell(self, farewell: Callable[[], None]) -> None:
        """Say something that needs no answer, on the machine's own thread; nothing to one that went silent."""
        if self.timeout is None or self._questions is None:
            farewell()
        elif not self._dead:
            self.ask("close", farewell)

    def _waited(self, when: str, question: Callable[[], T], timeout: float) -> tuple[Any, Exception | None]:
        if self._dead:
            raise InputError(f"{when}: the machine went silent before and is not asked again; start anew")
        if self._questions is None:
            self._questions = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._questions, self._answers), daemon=True).start()
        self._questions.put(question)
        with contextlib.suppress(queue.Empty):
            return self._answers.get(timeout=timeout)
        self._dead = True
        raise InputError(f"{when}: the machine was silent for {timeout:g} s")


def _serve(questions: queue.SimpleQueue[Callable[[], Any]], answers: queue.SimpleQueue[Any]) -> None:
    while True:
        answers.put(_answered(questions.get()))


def _answered(question: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return question(), None
    except Exception as error:  # whatever a machine's own code raises
        return None, error
