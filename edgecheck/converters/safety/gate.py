"""Before any converter opens a model: does it bring code, and is that code trusted?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.converters.interface import TRUST_ALL
from edgecheck.converters.safety import factories
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from edgecheck.converters.interface import Request


def admit(request: Request) -> tuple[str, ...]:
    """Let `request` pass, with what a person should know of it; nothing of the model is executed.

    Raises:
        ConversionError: opening the model would run code, and nobody trusts it.
    """
    if request.factory:
        _admit_factory(request)
    return ()


def _admit_factory(request: Request) -> None:
    digest = f"sha256:{factories.sha256(request.factory, request.home)}"
    if request.trusted not in (TRUST_ALL, digest):
        raise ConversionError(
            f"The factory {request.factory} is code of yours, and would run.",
            f"Read it, then write `trusted: {digest}` into the budget, or give --trust.",
        )
