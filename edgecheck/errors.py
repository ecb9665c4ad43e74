"""Every error that edgecheck raises on purpose, each with its exit code and a hint.

    EdgecheckError
    ├── UsageError            2   the command line asks for something impossible
    │   ├── ConfigError       2   budgets or profiles have problems (all of them in one error)
    │   └── ModelError        2   the model file is missing or is not a model
    └── UndecidedError        3   the question was valid, but could not be answered
        ├── ConversionError   3   no route, or the converter failed
        ├── TargetError       3   the connection to the device is broken (failures on the device are results)
        ├── BundleError       3   no runtime fits the device's Python, machine and libc
        └── EmulatorError     3   the emulated machine cannot be built or started

Any other exception that reaches `edgecheck.cli` is an internal error: exit code 70.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class EdgecheckError(Exception):
    """Something that the user can act on.

    Args:
        message: What happened, one sentence.
        hint: What to do next, one sentence or a command; may be empty.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EdgecheckError):
    """The command line asks for something impossible."""

    exit_code = 2


class ConfigError(UsageError):
    """Budgets or profiles have problems; `problems` holds a sentence for each.

    Args:
        problems: Sentences, or values that read as one and say more (`edgecheck.config.problems.Problem`).
        hint: As for every error.
    """

    def __init__(self, problems: Sequence[object], hint: str = "") -> None:
        self.problems = tuple(map(str, problems))
        self.found = tuple(problems)
        super().__init__("\n".join(self.problems), hint)


class ModelError(UsageError):
    """The model file is missing, damaged or not a model."""


class UndecidedError(EdgecheckError):
    """The question was valid, but could not be answered."""


class ConversionError(UndecidedError):
    """There is no route, or the converter failed."""


class TargetError(UndecidedError):
    """The connection to the device is broken."""


class ConnectionLostError(TargetError):
    """The connection to a device broke in the middle."""


class BoardLostError(TargetError):
    """One of several boards cannot be used any more: another one takes its check. It never reaches the command line.

    Args:
        message: As for every error.
        hint: As for every error.
        midway: Whether the board was lost while a model ran on it.
    """

    def __init__(self, message: str, hint: str = "", *, midway: bool = False) -> None:
        super().__init__(message, hint)
        self.midway = midway


class UnreachableError(TargetError):
    """The device does not answer: it is off, hung or still starting. Nothing is wrong with keys, names or settings."""


class RestartedError(TargetError):
    """The device stopped answering in the middle, and was switched off and on: what ran there can run again."""


class BundleError(UndecidedError):
    """No runtime fits the device's Python, machine and libc."""


class EmulatorError(UndecidedError):
    """The emulated machine cannot be built or started."""
