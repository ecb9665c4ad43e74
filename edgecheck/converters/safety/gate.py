"""Before a converter opens a model: would that run code, and is the code trusted? After a failure: is it damaged?"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edgecheck.anatomy.encodings.span import Damage, Unread
from edgecheck.anatomy.reading import read
from edgecheck.converters import model_files
from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.refusals import holds_code, leads_elsewhere, trust_hint, would_import, would_run_when_opened
from edgecheck.converters.safety import factories, pickled_imports, programs
from edgecheck.converters.safety.pickled_imports import PickledImports, is_harmless
from edgecheck.core.text import listed
from edgecheck.errors import ConversionError, ModelError

#: Imports or operators that a message names at most.
_MOST_NAMED = 5


class _Examiner(NamedTuple):
    imports_of: Callable[[Path], PickledImports]
    kind: str
    """Which list of harmless names applies."""
    instead: str
    """The safe form to save the model in."""


_WEIGHTS = "torch.save(model.state_dict(), path)"
_EXAMINERS = {
    "pickle": _Examiner(pickled_imports.of_pickle, "sklearn", "skops.io.dump(model, path)"),
    "joblib": _Examiner(pickled_imports.of_pickle, "sklearn", "skops.io.dump(model, path)"),
    "skops": _Examiner(pickled_imports.of_skops, "sklearn", "a model of scikit-learn's own classes"),
    "torch-zip": _Examiner(pickled_imports.of_archive, "torch", _WEIGHTS),
    "torch-legacy": _Examiner(pickled_imports.of_torch_legacy, "torch", _WEIGHTS),
    "pt2": _Examiner(programs.of_pt2, "torch", "torch.export.save without custom objects"),
    "torchscript": _Examiner(programs.of_torchscript, "torch", "a module whose forward only computes"),
    "savedmodel": _Examiner(programs.of_saved_model, "", "a model whose functions only compute"),
    "keras": _Examiner(programs.of_keras, "", "a model of Keras' own layers"),
    "hdf5": _Examiner(programs.of_hdf5, "", "a model of Keras' own layers"),
}

#: The package whose wrappers around layers are for the training only; see `keras_wrappers`.
_WRAPPERS = "tensorflow_model_optimization"

#: Formats whose layers are named, rather than operators.
_KERAS = ("keras", "hdf5")


class Admitted(NamedTuple):
    """A request whose model may be opened."""

    request: Request
    """Its `trusted` says whether the file may run code: `TRUST_ALL` or nothing."""
    notes: tuple[str, ...]
    """What the user should know about the file."""
    seen: tuple[object, ...]
    """What was examined: identity, size and times of each file; see `ensure_unchanged`."""


def admit(request: Request) -> Admitted:
    """Check a request and let it pass; nothing of the model is executed.

    Raises:
        ConversionError: opening the model would run untrusted code.
        ModelError: it is damaged.
    """
    seen = _state(request)  # before anything is hashed
    if request.factory:
        _admit_factory(request)
    trusted = request.trusted == TRUST_ALL or (
        request.trusted != "" and request.trusted == f"sha256:{_digest(request)}"
    )
    notes: tuple[str, ...] = ()
    if (examiner := _EXAMINERS.get(request.source)) is not None:
        found = examiner.imports_of(request.model)
        if not trusted:
            _refuse(request, found, examiner)
        notes = _versions(found.version)
    return Admitted(replace(request, trusted=TRUST_ALL if trusted else ""), notes, seen)


def ensure_unchanged(request: Request, seen: tuple[object, ...]) -> None:
    """Check that what a child has opened, and the code of a factory that it ran, is what was examined.

    Times of change are compared instead of hashes: a file that was replaced and put back has another one.

    Raises:
        ConversionError: it is another file, or it was written to.
    """
    if _state(request) != seen:
        what = f"{request.title} or {request.factory}" if request.factory else request.title
        raise ConversionError(
            f"{what} changed after it had been examined, so the result was discarded.",
            "Try again once nothing writes to it.",
        )


def _state(request: Request) -> tuple[object, ...]:
    try:
        # opening any other file runs nothing, and its artifact's hash says what it is
        files = model_files.files_of(request.model, request.source) if request.source in _EXAMINERS else ()
        if request.factory:
            files += factories.code(request.factory, request.home).files
        states = [file.stat() for file in files]
    except (OSError, ConversionError):
        return ("unreadable",)
    return tuple((each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for each in states)


def _digest(request: Request) -> str:
    return model_files.digest_of(model_files.files_of(request.model, request.source))


def would_run(request: Request) -> str:
    """The imports that opening the model would run, to show; empty if there are none or the format is not examined."""
    examiner = _EXAMINERS.get(request.source)
    return _offending(examiner.imports_of(request.model), examiner) if examiner is not None else ""


def _offending(found: PickledImports, examiner: _Examiner) -> str:
    names = sorted(f"{module}.{name}" for module, name in found.names if not is_harmless(module, name, examiner.kind))
    return listed(names, _MOST_NAMED)


def _refuse(request: Request, found: PickledImports, examiner: _Examiner) -> None:
    hint = f"Save it as {examiner.instead}"
    if any(_WRAPPERS in each for each in found.runs):
        hint = "Save it as .h5, from which the wrappers are taken off, or save what strip_pruning returns"
    # With a factory, weights are loaded as data only: a pin of the weights would have no use.
    if not request.factory:
        hint += f"; if you know who made it, {trust_hint(_digest(request))}"
    if offending := _offending(found, examiner):
        raise would_import(request.title, offending, f"{hint}.")
    if found.runs:
        refusal = holds_code if request.source in _KERAS else would_run_when_opened
        raise refusal(request.title, listed(found.runs, _MOST_NAMED), f"{hint}.")
    if found.reads:
        raise leads_elsewhere(request.title, listed(found.reads, _MOST_NAMED), f"{hint}.")
    if found.doubt:
        ensure_undamaged(request.model)  # trusting a broken download would not fix it
        raise ConversionError(
            f"{request.title} cannot be read to its end without running it: {found.doubt}.", f"{hint}."
        )


def _versions(version: str) -> tuple[str, ...]:
    return (f"Written by scikit-learn {version}.",) if version not in ("", "skops") else ()


def _admit_factory(request: Request) -> None:
    digest = factories.sha256(request.factory, request.home)
    if request.trusted not in (TRUST_ALL, f"sha256:{digest}"):
        raise ConversionError(
            f"The factory {request.factory} is your own code and would be executed.",
            f"Read it, then {trust_hint(digest)}.",
        )


def ensure_undamaged(model: Path) -> None:
    """Check that a file obeys its format, and that an archive's members have their checksums.

    Called only after a failure, so that good models do not pay for it.

    Args:
        model: A file or a folder whose format is known.

    Raises:
        ModelError: it is damaged, most often by an interrupted download.
    """
    try:
        read(model)
    except ModelError as error:
        cause = error.__cause__
        # a file of a kind that edgecheck does not read may be fine
        if isinstance(cause, Damage) and not isinstance(cause, Unread):
            raise
    if model.is_file() and zipfile.is_zipfile(model):
        _ensure_members(model)


def _ensure_members(model: Path) -> None:
    try:
        with zipfile.ZipFile(model) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _damaged(model, str(error)) from error
    except (NotImplementedError, RuntimeError):  # a compression or an encryption that Python does not support
        return
    if broken is not None:
        raise _damaged(model, f"its member {broken} does not match its checksum")


def _damaged(model: Path, how: str) -> ModelError:
    return ModelError(
        f"{model} is damaged: {how.rstrip('.')}.",
        "Download or export it again, and compare its size and checksum with the original.",
    )
