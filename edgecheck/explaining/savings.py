"""Everything that would make a model smaller, as one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.advice import Advice, advise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecheck.anatomy.duplicates import Repeated
    from edgecheck.anatomy.measuring import Measured
    from edgecheck.anatomy.values import Anatomy


def savings(
    anatomy: Anatomy, copies: Iterable[Repeated], measured: Mapping[int, Measured] | None
) -> tuple[Advice, ...]:
    """What types and shapes tell, and where the weights were read what compression would save; the most first.

    Raises:
        ModelError: the model's file is no longer there.
    """
    found = advise(anatomy, copies)
    if measured is None:
        return found
    from edgecheck.anatomy.compressing import advise_compression

    return tuple(sorted((*found, *advise_compression(anatomy, measured)), key=lambda advice: -advice.saves))
