"""Before any converter opens a model: does it bring code, and is that code trusted?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from edgecheck.converters import model_files
from edgecheck.converters.damage import ensure_whole
from edgecheck.converters.interface import TRUST_ALL
from edgecheck.converters.safety import contents, factories
from edgecheck.converters.safety.allowlist import is_harmless
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgecheck.converters.interface import Request

_MOST_NAMED = 5


class _Examiner(NamedTuple):
    look: Callable[[Path], contents.Contents]
    kind: str
    """Which list of harmless names counts."""
    instead: str
    """What to write instead, for a person."""


_WEIGHTS = "torch.save(model.state_dict(), path)"
_EXAMINERS = {
    "pickle": _Examiner(contents.of_pickle, "sklearn", "skops.io.dump(model, path)"),
    "joblib": _Examiner(contents.of_pickle, "sklearn", "skops.io.dump(model, path)"),
    "skops": _Examiner(contents.of_skops, "sklearn", "a model of scikit-learn's own classes"),
    "torch-zip": _Examiner(contents.of_archive, "torch", _WEIGHTS),
    "torch-legacy": _Examiner(contents.of_torch_legacy, "torch", _WEIGHTS),
    "pt2": _Examiner(contents.of_archive, "torch", "torch.export.save without custom objects"),
}


class Admitted(NamedTuple):
    """A request that may be opened."""

    request: Request
    """Its `trusted` says whether the file may run code: `TRUST_ALL` or nothing."""
    notes: tuple[str, ...]
    """What a person should know of the file."""


def admit(request: Request) -> Admitted:
    """Let `request` pass; nothing of the model is executed.

    Raises:
        ConversionError: opening the model would run code, and nobody trusts it.
        ModelError: it is damaged.
    """
    if request.factory:
        _admit_factory(request)
    trusted = request.trusted == TRUST_ALL or (
        request.trusted != "" and request.trusted == f"sha256:{_digest(request)}"
    )
    notes: tuple[str, ...] = ()
    if (examiner := _EXAMINERS.get(request.source)) is not None:
        found = examiner.look(request.model)
        if not trusted:
            _refuse(request, found, examiner)
        notes = _versions(found.version)
    return Admitted(replace(request, trusted=TRUST_ALL if trusted else ""), notes)


def _digest(request: Request) -> str:
    return model_files.digest_of(model_files.shipped(request.model, request.source))


def would_run(request: Request) -> str:
    """What opening the model would import and run, for a person; empty where that is nothing, or is not known."""
    examiner = _EXAMINERS.get(request.source)
    return _offending(examiner.look(request.model), examiner) if examiner is not None else ""


def _offending(found: contents.Contents, examiner: _Examiner) -> str:
    names = sorted(f"{module}.{name}" for module, name in found.names if not is_harmless(module, name, examiner.kind))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def _refuse(request: Request, found: contents.Contents, examiner: _Examiner) -> None:
    hint = f"Save it as {examiner.instead}"
    # Beside a factory weights are data only, whoever is trusted: a pin of theirs would but take the factory's place.
    if not request.factory:
        hint += (
            f"; if you know who made it, write `trusted: sha256:{_digest(request)}` into the budget, or give --trust"
        )
    if offending := _offending(found, examiner):
        raise ConversionError(f"{request.title} is a pickle that would import and run {offending}.", f"{hint}.")
    if found.doubt:
        ensure_whole(request.model)  # trust mends no broken download, and must not be asked for one
        raise ConversionError(
            f"{request.title} cannot be read to its end without running it: {found.doubt}.", f"{hint}."
        )


def _versions(version: str) -> tuple[str, ...]:
    return (f"Written by scikit-learn {version}.",) if version not in ("", "skops") else ()


def _admit_factory(request: Request) -> None:
    digest = f"sha256:{factories.sha256(request.factory, request.home)}"
    if request.trusted not in (TRUST_ALL, digest):
        raise ConversionError(
            f"The factory {request.factory} is code of yours, and would run.",
            f"Read it, then write `trusted: {digest}` into the budget, or give --trust.",
        )
