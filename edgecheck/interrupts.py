"""Delays Ctrl-C and other interruptions while something is half started or half ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held() -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP wait; the first of them is delivered on leaving.

    For the moment between the start of a child process and the note that it has to be ended: an interruption there
    would leave it behind. Outside of the main thread this does nothing: signals never reach other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda late, _frame: came.append(late)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
