"""A model and a variant become an artifact: as it is, from the cache, or by a child process per step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgecheck.anatomy.dtypes import is_quantised
from edgecheck.anatomy.values import Role
from edgecheck.converters import cache, model_files, process
from edgecheck.converters.interface import AS_IS, READY, Answer, ConversionSettings, Request, Task
from edgecheck.converters.routes import WEIGHTS, Way, formats_of, ways
from edgecheck.core.artifact import Artifact
from edgecheck.errors import ConversionError


def convert(request: Request, settings: ConversionSettings, *, tell: Callable[[str], None]) -> Artifact:
    """The artifact for `request`, by the first way that succeeds; a second time it comes from the cache.

    Args:
        request: What is asked for.
        settings: Where, and how long.
        tell: Is told what happens, a few words at a time.

    Raises:
        ConversionError: no way leads there, all of them failed, the model would run code that nobody trusts, or it
            comes with a factory that it has no use for.
        ModelError: the model is damaged, or files that belong to it are missing.
    """
    _ensure_factory_is_of_use(request)
    if _is_ready(request):
        return _ready(request)
    # A ready model has left by now: it pays for none of these.
    from edgecheck.converters.damage import ensure_whole
    from edgecheck.converters.fingerprint import fingerprint
    from edgecheck.converters.safety.gate import admit

    tried = ways(request)
    admitted, notes = admit(request)
    kept = (
        settings.cache
        / cache.PLACE
        / fingerprint(
            admitted, (way.last.maker for way in tried), (package for way in tried for package in way.last.packages)
        )
    )
    with cache.locked(kept, tell):
        answer = cache.lookup(kept)
        if answer is None:
            try:
                answer = _first_that_succeeds(
                    tried, _Order(request=admitted, asked=request, kept=kept, settings=settings, tell=tell)
                )
            except ConversionError:
                ensure_whole(request.model)
                raise
    return _artifact(admitted, kept, answer, notes)


def compressed(artifact: Artifact, settings: ConversionSettings) -> Artifact:
    """With its `download`: gzip at its strongest takes seconds for a large file, so that it is no part of `convert`."""
    files = tuple(map(Path, artifact.files))
    return replace(artifact, download=cache.download(settings.cache, artifact.sha256, files))


def _ensure_factory_is_of_use(request: Request) -> None:
    """A file that holds its own network would be converted as if no factory had been named."""
    if request.factory and request.source not in WEIGHTS and formats_of(request.source):
        raise ConversionError(
            f"{request.title} holds its own network: the factory {request.factory} has nothing to build.",
            "Leave out --factory (`factory` in a budget), or give a .pth or .safetensors of weights.",
        )


def _is_ready(request: Request) -> bool:
    """Whether the model is its own artifact.

    Raises:
        ConversionError: float32 is asked of weights that are coarser.
    """
    if request.source != request.format or request.source not in READY:
        return False
    if request.variant in _STORED:
        return request.variant == _precision(request) and not request.prune
    return request.variant == AS_IS


#: Variants that a ready file may be already: what it was trained in, or what it was exported in.
_STORED = ("float32", "float16")


def _precision(request: Request) -> str:
    """`float32` or `float16` where a ready model's weights are that; empty for others."""
    weights = [
        each for each in model_files.look(request.model).tensors if each.role is Role.WEIGHT and each.elements > 1
    ]
    kinds = {each.dtype for each in weights if each.dtype == "float16" or is_quantised(each.dtype)}
    if kinds and request.variant == "float32":
        raise ConversionError(
            f"{request.title} holds {' and '.join(sorted(kinds))} weights: float32 cannot be had back from them.",
            f"Check it as it is (variant `{AS_IS}`), or give the model that it was made from.",
        )
    return {frozenset(): "float32", frozenset({"float16"}): "float16"}.get(frozenset(kinds), "")


def _ready(request: Request) -> Artifact:
    files = model_files.shipped(request.model, request.source)
    params, arithmetic = model_files.inside(files[0])
    return Artifact(
        model=request.title,
        variant=request.variant,
        format=request.format,
        path=files[0],
        files=files,
        size=sum(file.stat().st_size for file in files),
        sha256=model_files.digest_of(files),
        params=params,
        arithmetic=arithmetic,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What is to be made, where it goes, and who hears of it."""

    request: Request
    """As it was admitted: what its child process may run."""
    asked: Request
    """As it came, with its pin: a conversion that this one begins with is admitted by that, for itself."""
    kept: Path
    settings: ConversionSettings
    tell: Callable[[str], None]


def _first_that_succeeds(tried: tuple[Way, ...], order: _Order) -> Answer:
    failures: dict[str, process.RouteError] = {}
    for way in tried:
        notes = tuple(
            f"{title[:1].upper()}{title[1:]} failed first: {_without_subject(error)}"
            for title, error in failures.items()
        )
        try:
            return _make(way, order, notes)
        except process.RouteError as error:
            failures[way.last.title] = error
    raise _all_failed(failures)


def _make(way: Way, order: _Order, notes: tuple[str, ...]) -> Answer:
    request, last = order.request, way.last
    base: Artifact | None = None
    if way.through_float:
        base = convert(replace(order.asked, variant="float32", prune=0.0), order.settings, tell=order.tell)
        request = replace(
            request,
            model=Path(base.path),
            source=base.format,
            factory="",
            name=request.title,
            samples=_samples_between(request, order),
            ordered=True,
        )
    doing = f"converting to {_what(order.request)} with {last.title}"
    with process.working_in(order.kept.parent) as scratch:
        task = Task(maker=f"edgecheck.converters.{last.maker}", request=request, extra=last.extra, doing=doing)
        out, answer = process.perform(task, scratch, order.settings.deadline, order.tell)
        if base is not None:
            answer = replace(
                answer,
                route=f"{base.route}, then {answer.route}",
                seconds=base.seconds + answer.seconds,
                peak_memory=max(base.peak_memory, answer.peak_memory),
            )
            notes = (*base.notes, *notes)
        answer = replace(answer, notes=(*notes, *answer.notes), model=order.request.title, what=_what(order.request))
        return cache.keep(out, order.kept, answer)


def _samples_between(request: Request, order: _Order) -> Path | None:
    """The samples for a step that starts from an artifact, whose inputs a converter may have renamed.

    Several arrays have to go by the source's own names and order, which only the source tells: what it is compared on
    has them.
    """
    if request.samples is None or request.variant != "int8":
        return request.samples
    from edgecheck.converters.agreement import reference_of
    from edgecheck.converters.samples import described

    if len(described(request.samples)) == 1:
        return request.samples
    return reference_of(order.asked, order.settings, tell=order.tell).samples


def _what(request: Request) -> str:
    pruned = f" pruned {request.prune:.0%}" if request.prune else ""
    return f"{request.variant}{pruned} .{request.format}"


def _all_failed(failures: dict[str, process.RouteError]) -> ConversionError:
    """One error for all: what they agree on, or what each said."""
    messages = list(dict.fromkeys(error.message for error in failures.values()))
    hint = next((error.hint for error in failures.values() if error.hint), "")
    if len(messages) == 1:
        return ConversionError(messages[0], hint)
    said = " ".join(f"{title[:1].upper()}{title[1:]}: {_without_subject(error)}" for title, error in failures.items())
    return ConversionError(f"All {len(failures)} routes failed. {said}", hint)


def _without_subject(error: ConversionError) -> str:
    return f"{error.message.removeprefix('The converter failed: ').removeprefix('The converter ').rstrip('.')}."


def _artifact(request: Request, kept: Path, answer: Answer, notes: tuple[str, ...]) -> Artifact:
    files = tuple(kept / name for name in answer.files)
    return Artifact(
        model=request.title,
        variant=request.variant,
        format=request.format,
        path=files[0],
        files=files,
        size=sum(file.stat().st_size for file in files),
        sha256=model_files.joined([answer.sha256[name] for name in answer.files]),
        route=answer.route,
        params=answer.params,
        arithmetic=answer.arithmetic,
        notes=(*notes, *answer.notes),
        seconds=answer.seconds,
        peak_memory=answer.peak_memory,
    )
