"""What a command holds until it ends, such as a board of a lab that several checks use one after another.

Nothing here knows what is held: a target that leases something says how it is released.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

from edgecheck.interrupts import held

Lease = TypeVar("Lease")


@dataclass(slots=True)
class _Scope:
    """What was leased since it began, by key; each with what releases it."""

    leases: dict[Hashable, tuple[object, ExitStack]] = field(default_factory=dict)

    def end(self) -> None:
        """Release everything, the last first."""
        with ExitStack() as stack:
            while self.leases:
                stack.push(self.leases.pop(next(iter(self.leases)))[1])


#: For leases outside of every scope: they are released when the process ends.
_LAST = _Scope()
atexit.register(_LAST.end)

_scopes: list[_Scope] = [_LAST]
_locks: dict[Hashable, threading.Lock] = {}
_guard = threading.Lock()


@contextmanager
def releasing() -> Iterator[None]:
    """A scope: what is leased inside, by whichever thread, is released on leaving."""
    scope = _Scope()
    _scopes.append(scope)
    try:
        yield
    finally:
        with held():
            _scopes.remove(scope)
            scope.end()


def leased(key: Hashable, lease: Callable[[], AbstractContextManager[Lease]], good: Callable[[Lease], bool]) -> Lease:
    """What is leased under `key`; it is leased in the innermost scope if it is not yet, or not `good` any more.

    Others who ask for the same key meanwhile wait; those who ask for another key do not.
    """
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        for scope in reversed(_scopes):
            if key in scope.leases:
                found = cast("Lease", scope.leases[key][0])
                if good(found):
                    return found
                scope.leases.pop(key)[1].close()
        with ExitStack() as stack:
            made = stack.enter_context(lease())
            _scopes[-1].leases[key] = (made, stack.pop_all())
        return made


def held_now() -> tuple[object, ...]:
    """Everything that this process holds."""
    return tuple(lease for scope in _scopes for lease, _ in scope.leases.values())
