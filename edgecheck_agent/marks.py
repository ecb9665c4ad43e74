"""Marks for a plugin of the emulator: instructions that do nothing, at which it begins and stops to count.

`movz xzr, #n` writes a number into the register that is always zero. No compiler emits it. It lies in a page of this
process's own that may be executed; ctypes calls it, which numpy has loaded already.
"""

import importlib
import platform
from typing import Any, List

SIMULATE, ZERO, STOP = 0, 1, 2

_FIRST = 0xEC00
_MOVZ_XZR = 0xD280001F
_RET = 0xD65F03C0
_PAGE = 4096
_READ_WRITE_EXECUTE = 7
_PRIVATE_ANONYMOUS = 0x22  # Linux


def callables() -> List[Any]:
    """A function for each mark, by its number; empty where there is none: on another processor, or without the page."""
    if platform.machine() != "aarch64":
        return []
    ctypes = importlib.import_module("ctypes")  # some small Pythons lack it
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    page = libc.mmap(None, _PAGE, _READ_WRITE_EXECUTE, _PRIVATE_ANONYMOUS, -1, 0)
    if page in (None, ctypes.c_void_p(-1).value):
        return []
    words = [word for number in (SIMULATE, ZERO, STOP) for word in (_MOVZ_XZR | (_FIRST + number) << 5, _RET)]
    code = (ctypes.c_uint32 * len(words)).from_address(page)
    code[:] = words
    kind = ctypes.CFUNCTYPE(None)
    return [kind(page + 8 * number) for number in (SIMULATE, ZERO, STOP)]


class Marks:
    """The marks, or nothing where none are wanted or there are none."""

    def __init__(self, *, wanted: bool) -> None:
        self._callables = callables() if wanted else []

    def set(self, number: int) -> None:
        """Set one: the plugin sees it at once."""
        if self._callables:
            self._callables[number]()
