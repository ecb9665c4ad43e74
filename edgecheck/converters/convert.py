"""A model and a variant become an artifact: unchanged, from the cache, or by one child process per step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.signature import signature
from edgecheck.anatomy.values import Role
from edgecheck.converters import model_files
from edgecheck.converters.interface import AS_IS, READY, Answer, ConversionSettings, Request, Task
from edgecheck.converters.routes import WEIGHT_FORMATS, Way, formats_of, ways
from edgecheck.core.artifact import Artifact
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from edgecheck.converters.process import RouteError

#: Variants that a ready file may be already: what it was trained in, or what it was exported in.
_STORED = ("float32", "float16")


def convert(request: Request, settings: ConversionSettings, *, progress: Callable[[str], None]) -> Artifact:
    """The artifact for `request`, by the first way that succeeds; a repetition comes from the cache.

    Args:
        request: What to convert, and to what.
        settings: The cache folder, and the deadline of each child process.
        progress: Called with the progress, a few words at a time.

    Raises:
        ConversionError: no way exists, all of them failed, the model would run untrusted code, or it comes with a
            factory that it cannot use.
        ModelError: the model is damaged, or files that belong to it are missing.
    """
    _ensure_factory_is_needed(request)
    _ensure_signature(request)
    if _is_ready(request):
        return _ready(request)
    # Imported here so that a check of a ready model does not pay for them.
    from edgecheck.converters import cache
    from edgecheck.converters.safety.gate import admit, ensure_undamaged

    tried = ways(request)
    admitted, notes, seen = admit(request)
    packages = (package for way in tried for package in way.last.packages)
    kept = settings.cache / cache.PLACE / cache.cache_key(admitted, (way.last.maker for way in tried), packages)
    with cache.locked(kept, progress):
        answer = cache.lookup(kept)
        if answer is None:
            order = _Order(request=admitted, asked=request, seen=seen, kept=kept, settings=settings, progress=progress)
            try:
                answer = _first_that_succeeds(tried, order)
            except ConversionError:
                ensure_undamaged(request.model)
                raise
    return _artifact(admitted, kept, answer, notes)


def compressed(artifact: Artifact, settings: ConversionSettings) -> Artifact:
    """The artifact with its `download`; not part of `convert`, since gzip -9 takes seconds for a large file."""
    from edgecheck.converters import cache

    files = tuple(map(Path, artifact.files))
    return replace(artifact, download=cache.download(settings.cache, artifact.sha256, files))


def _ensure_factory_is_needed(request: Request) -> None:
    """Refuse a factory for a file that holds its own network: the conversion would silently ignore it."""
    if request.factory and request.source not in WEIGHT_FORMATS and formats_of(request.source):
        raise ConversionError(
            f"{request.title} contains its own network, so the factory {request.factory} has nothing to build.",
            "Leave out --factory (`factory` in a budget), or give a .pth or .safetensors of weights.",
        )


#: Formats whose models can have several signatures.
_WITH_SIGNATURES = ("tflite", "savedmodel")


def _ensure_signature(request: Request) -> None:
    """Refuse a signature that the model does not have; TensorFlow itself reads those of a SavedModel, later."""
    if not request.signature:
        return
    if request.source not in _WITH_SIGNATURES:
        raise ConversionError(
            f"{request.title} has no signatures: only .tflite files and SavedModels have them.",
            "Leave out --signature (`signature` in a budget).",
        )
    if request.source == "tflite":
        signature(request.model, request.signature)


# A ready model: the file is the artifact.


def _is_ready(request: Request) -> bool:
    """Whether the model already is the requested artifact.

    Raises:
        ConversionError: float32 is requested, and the weights are coarser.
    """
    if request.source != request.format or request.source not in READY:
        return False
    if request.variant in _STORED:
        return request.variant == _precision(request) and not request.prune
    return request.variant == AS_IS


def _precision(request: Request) -> str:
    """`float32` or `float16` if all weights of a ready model are that; empty otherwise."""
    weights = [
        each for each in model_files.anatomy_of(request.model).tensors if each.role is Role.WEIGHT and each.elements > 1
    ]
    kinds = {each.dtype for each in weights if each.dtype in ("float16", "float64") or is_quantised(each.dtype)}
    if kinds == {"float64"} and request.variant == "float32":
        raise ConversionError(
            f"{request.title} holds float64 weights, not float32.",
            f"Export it in float32, or check it unchanged (variant `{AS_IS}`).",
        )
    if kinds and request.variant == "float32":
        raise ConversionError(
            f"{request.title} holds {' and '.join(sorted(kinds))} weights: float32 cannot be recovered from them.",
            f"Check it unchanged (variant `{AS_IS}`), or use the model that it was made from.",
        )
    return {frozenset(): "float32", frozenset({"float16"}): "float16"}.get(frozenset(kinds), "")


def _ready(request: Request) -> Artifact:
    files = model_files.files_of(request.model, request.source)
    params, arithmetic = model_files.params_and_arithmetic(files[0])
    return Artifact(
        model=request.title,
        variant=request.variant,
        format=request.format,
        path=files[0],
        files=files,
        size=sum(file.stat().st_size for file in files),
        sha256=model_files.digest_of(files),
        signature=request.signature,
        params=params,
        arithmetic=arithmetic,
    )


# Any other model: the ways are tried in their order.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What to make, where it goes, and who hears about the progress."""

    request: Request
    """As it was admitted, which decides what its child process may run."""
    asked: Request
    """As it came, with its pin: a conversion that this one starts from is admitted separately, by that pin."""
    seen: tuple[object, ...]
    """What was examined."""
    kept: Path
    settings: ConversionSettings
    progress: Callable[[str], None]


def _first_that_succeeds(tried: tuple[Way, ...], order: _Order) -> Answer:
    from edgecheck.converters.process import RouteError

    failures: dict[str, RouteError] = {}
    for way in tried:
        notes = tuple(f"{_capital(title)} failed first: {_shortened(error)}" for title, error in failures.items())
        try:
            return _make(way, order, notes)
        except RouteError as error:
            failures[way.last.title] = error
    raise _all_failed(failures)


def _make(way: Way, order: _Order, notes: tuple[str, ...]) -> Answer:
    from edgecheck.converters import cache, process
    from edgecheck.converters.safety.gate import ensure_unchanged

    request, last = order.request, way.last
    base: Artifact | None = None
    if way.through_float:
        base = convert(replace(order.asked, variant="float32", prune=0.0), order.settings, progress=order.progress)
        request = replace(
            request,
            model=Path(base.path),
            source=base.format,
            signature="",
            factory="",
            name=request.title,
            samples=_samples_between(request, order),
            ordered=True,
        )
    what = _what(order.request)
    doing = f"converting to {what} with {last.title}"
    with cache.making(order.kept) as scratch:
        task = Task(maker=f"edgecheck.converters.{last.maker}", request=request, extra=last.extra, doing=doing)
        out, answer = process.perform(task, scratch, order.settings.deadline, order.progress)
        ensure_unchanged(order.request, order.seen)
        answer = replace(answer, notes=(*notes, *answer.notes), model=order.request.title, what=what)
        return cache.keep(out, order.kept, answer if base is None else _after(base, answer))


def _samples_between(request: Request, order: _Order) -> Path | None:
    """The samples for a step that starts from an artifact, whose inputs a converter may have renamed.

    Several arrays must be in the source's own order, which only the source knows: the samples of its recording are.
    """
    if request.samples is None or request.variant != "int8":
        return request.samples
    # Imported here because they import numpy, which most conversions do without.
    from edgecheck.converters.agreement import reference_of
    from edgecheck.converters.samples import described

    if len(described(request.samples)) == 1:
        return request.samples
    return reference_of(order.asked, order.settings, progress=order.progress).samples


def _after(base: Artifact, answer: Answer) -> Answer:
    """The answer of a second step, with what the float32 artifact took."""
    return replace(
        answer,
        route=f"{base.route}, then {answer.route}",
        notes=(*base.notes, *answer.notes),
        seconds=base.seconds + answer.seconds,
        peak_memory=max(base.peak_memory, answer.peak_memory),
    )


def _what(request: Request) -> str:
    pruned = f" pruned {request.prune:.0%}" if request.prune else ""
    return f"{request.variant}{pruned} .{request.format}"


def _all_failed(failures: dict[str, RouteError]) -> ConversionError:
    """One error for all: what they agree on, or what each said."""
    messages = list(dict.fromkeys(error.message for error in failures.values()))
    hint = next((error.hint for error in failures.values() if error.hint), "")
    if len(messages) == 1:
        return ConversionError(messages[0], hint)
    said = " ".join(f"{_capital(title)}: {_shortened(error)}" for title, error in failures.items())
    return ConversionError(f"All {len(failures)} routes failed. {said}", hint)


def _shortened(error: ConversionError) -> str:
    """The message without its subject, which the caller names."""
    return f"{error.message.removeprefix('The converter failed: ').removeprefix('The converter ').rstrip('.')}."


def _capital(title: str) -> str:
    return f"{title[:1].upper()}{title[1:]}"


def _artifact(request: Request, kept: Path, answer: Answer, notes: tuple[str, ...]) -> Artifact:
    files = tuple(kept / name for name in answer.files)
    return Artifact(
        model=request.title,
        variant=request.variant,
        format=request.format,
        path=files[0],
        files=files,
        size=sum(file.stat().st_size for file in files),
        sha256=model_files.combined_digest([answer.sha256[name] for name in answer.files]),
        signature=request.signature if request.source == request.format else "",
        route=answer.route,
        params=answer.params,
        arithmetic=answer.arithmetic,
        notes=(*notes, *answer.notes),
        seconds=answer.seconds,
        peak_memory=answer.peak_memory,
    )
