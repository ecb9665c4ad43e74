"""A check on its way to another host: without its files, which travel by their content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from edgecheck.checks.check import Check
from edgecheck.converters import model_files
from edgecheck.errors import UsageError
from edgecheck.store import sha256_of


@dataclass(frozen=True, slots=True)
class Packed:
    """A check whose files are named by their content."""

    check: Check
    files: tuple[tuple[str, str], ...]
    """Name, relative to the folder that the files are put into, and sha256 of each."""
    model: str
    """The model's name in that folder: one of the files, or the folder that has them."""
    samples: str
    """The samples' name there; empty: there are none."""


def packed(check: Check, known: dict[Path, str]) -> Packed:
    """The check without its files.

    Args:
        check: What is to travel.
        known: The digests of files that were read before, by path; those of this check's are added.

    Raises:
        ModelError: a file of the model is missing.
        UsageError: the check needs the project's own code, which does not travel.
    """
    budget = check.budget
    if budget.model.factory:
        raise UsageError(
            f"{budget.name} needs the code of {budget.model.factory}, which does not travel to other hosts.",
            "Convert the model first: edgecheck convert",
        )
    model = Path(budget.model.path)
    names = {path: _relative(path, model) for path in map(Path, model_files.files_of(model, check.source))}
    samples = ""
    if budget.samples:
        samples = "samples.npz"
        names[Path(budget.samples)] = samples
    for path in names:
        if path not in known:
            known[path] = sha256_of(path)
    return Packed(check, tuple((name, known[path]) for path, name in names.items()), f"model/{model.name}", samples)


def _relative(path: Path, model: Path) -> str:
    return str(PurePosixPath("model", path.relative_to(model.parent)))


def contents(checks: Sequence[Packed], known: Mapping[Path, str]) -> dict[str, Path]:
    """By sha256: a file with this content, of those that the checks need."""
    wanted = {digest for check in checks for _, digest in check.files}
    return {digest: path for path, digest in known.items() if digest in wanted}


def unpacked(sent: Packed, contents: Mapping[str, bytes], folder: Path) -> Check:
    """The check with its files in a folder below `folder`, which may have them from an earlier check."""
    place = folder / hashlib.sha256(json.dumps(sent.files).encode()).hexdigest()[:32]
    for name, digest in sent.files:
        path = place / PurePosixPath(name)
        if not path.exists():
            _write(path, contents[digest])
    budget = sent.check.budget
    model = replace(budget.model, path=place / sent.model)
    samples = place / sent.samples if sent.samples else None
    return replace(sent.check, budget=replace(budget, model=model, samples=samples))


def _write(path: Path, content: bytes) -> None:
    """Write a file complete or not at all: other processes may look for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".coming-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(scratch).replace(path)
