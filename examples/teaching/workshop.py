"""Conversions as the lessons make them: with edgecheck's own converters, kept in edgecheck's own cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from edgecheck.anatomy.formats import identify
from edgecheck.anatomy.reading import params
from edgecheck.converters.agreement import agreement_of
from edgecheck.converters.convert import compressed, convert
from edgecheck.converters.interface import ConversionSettings, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecheck.converters.comparison import Agreement
    from edgecheck.core.artifact import Artifact
    from examples.teaching.table import Row

#: Where the lessons write their models by default.
MODELS = Path(__file__).parent / "models"


def made(model: Path, target: str, variant: str, samples: Path | None = None, prune: float = 0.0) -> Artifact:
    """The artifact of a conversion."""
    request = Request(
        model=model,
        source=identify(model).value,
        format=target,
        variant=variant,
        prune=prune,
        samples=samples,
    )
    return compressed(convert(request, _workshop(), progress=_tell), _workshop())


def agreement(artifact: Artifact, model: Path, samples: Path) -> Agreement:
    """How well an artifact agrees with the model that it was made from, on real samples."""
    request = Request(
        model=model,
        source=identify(model).value,
        format=artifact.format,
        variant=artifact.variant,
        samples=samples,
    )
    return agreement_of(artifact, request, _workshop(), progress=_tell)


def weights(model: Path) -> int:
    """How many weights a model file stores, read without its framework."""
    return params(model)


def folder() -> Path:
    """Where this lesson writes its models: the first argument, or a folder next to the lessons."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS
    place.mkdir(parents=True, exist_ok=True)
    return place


def run(lesson: Callable[[Path], list[Row]]) -> None:
    """Hold a lesson, and print its table."""
    from examples.teaching.table import markdown

    print(markdown(lesson(folder())), end="")


def _workshop() -> ConversionSettings:
    return ConversionSettings(user_cache_path("edgecheck"))


def _tell(said: str) -> None:
    print(said, file=sys.stderr)
