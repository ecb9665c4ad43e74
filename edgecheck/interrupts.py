"""Delays Ctrl-C and other interruptions while something is half started or half ended, and passes them to threads."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
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


class Stop:
    """Asks threads to end: what they wait for at a descriptor or in `pause` is interrupted.

    Signals reach the main thread only. The others wait for this descriptor too, and raise KeyboardInterrupt when it
    becomes readable, so that they leave their contexts in good order.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._is_set = threading.Event()
        #: Processes that are ended by the threads that started them, which say goodbye first.
        self.ended_in_order: set[int] = set()

    def fileno(self) -> int:
        """The descriptor that becomes readable, for good."""
        return self._reading

    @property
    def is_set(self) -> bool:
        """Whether the threads were asked to end."""
        return self._is_set.is_set()

    def set(self) -> None:
        """Ask them."""
        if not self.is_set:
            self._is_set.set()
            os.write(self._writing, b"!")

    def close(self) -> None:
        """Close the descriptors, once no thread waits for them."""
        os.close(self._reading)
        os.close(self._writing)


_of_thread = threading.local()


@contextmanager
def stoppable(stop: Stop) -> Iterator[None]:
    """Inside, the calling thread ends when it is asked to."""
    _of_thread.stop = stop
    try:
        yield
    finally:
        _of_thread.stop = None


def stop_of_thread() -> Stop | None:
    """What asks the calling thread to end; None in the main thread, which signals reach."""
    return getattr(_of_thread, "stop", None)


def pause(seconds: float) -> None:
    """Sleep.

    Raises:
        KeyboardInterrupt: the thread was asked to end.
    """
    stop = stop_of_thread()
    if stop is None:
        time.sleep(seconds)
    elif select.select([stop], [], [], seconds)[0]:
        raise KeyboardInterrupt
