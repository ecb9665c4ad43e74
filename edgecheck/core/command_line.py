"""The command that does a check again, as a person types it: messages that advise one hold all of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from edgecheck.core.address import EMULATED, is_this_machine
from edgecheck.core.budget import Budget, Variant
from edgecheck.core.device import DeviceProfile
from edgecheck.core.limits import Limit
from edgecheck.core.units import Unit

#: Units of sizes, the one with the shortest number first.
_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def check_command(  # noqa: PLR0913 - each is a part of the command
    budget: Budget,
    profile: DeviceProfile,
    *,
    target: str = "",
    variant: Variant | None = None,
    limits: Sequence[Limit] = (),
    inputs: Mapping[str, str] | None = None,
    device: str = "",
) -> str:
    """`edgecheck check …`, with everything that this check was asked for.

    Args:
        budget: What is checked; one without a path was made from the command line, whose options are repeated.
        profile: The device.
        target: The address.
        variant: How the model was converted.
        limits: Those of the command line are repeated.
        inputs: Shapes to add, as texts.
        device: Another device to name.
    """
    words = ["edgecheck", "check", str(budget.path or budget.model.path)]
    if device or not profile.is_this_machine:
        words += ["--device", device or profile.id]
    if target and not is_this_machine(target):
        words += ["--target", target]
    if not budget.path:
        words += _of_a_model(budget, variant, limits)
    for name, shape in (inputs or {}).items():
        words += ["--input", f"{name}={shape}"]
    return shlex.join(words)


def profile_command(budget: Budget, profile: DeviceProfile, *, target: str = "", variant: Variant | None = None) -> str:
    """`edgecheck profile …` of the model that a check is about, on its device."""
    words = ["edgecheck", "profile", str(budget.model.path)]
    if not profile.is_this_machine:
        words += ["--device", profile.id]
    if target and not is_this_machine(target) and target != str(EMULATED):
        words += ["--target", target]
    return shlex.join([*words, *_of_a_model(budget, variant, ())])


def _of_a_model(budget: Budget, variant: Variant | None, limits: Sequence[Limit]) -> Iterator[str]:
    usual = "as-is" if PurePath(budget.model.path).suffix in (".onnx", ".tflite") else "float32"
    chosen = "" if variant is None or str(variant) == usual else variant.name
    written = [limit for limit in limits if limit.source.kind == "command line" and limit.error is not None]
    options: list[tuple[str, object]] = [
        ("--variant", chosen if budget.variants else "auto"),
        *(("--limit", f"{each.metric.name}={_typed(each.error or 0.0, each.metric.unit)}") for each in written),
        *(("--input", f"{name}={','.join(map(str, shape))}") for name, shape in budget.inputs.items()),
        ("--samples", budget.samples),
        ("--signature", budget.model.signature),
        ("--factory", budget.model.factory),
        ("--accelerator", budget.accelerator.typed if budget.accelerator is not None else ""),
        ("--runtime", budget.runtime),
        ("--bundle", budget.bundle),
        ("--threads", budget.threads if budget.threads != 1 else ""),
    ]
    for option, value in options:
        if value:
            yield from (option, str(value))


def _typed(value: float, unit: Unit) -> str:
    """A bound as it is typed, without losing a digit: `80MiB`, `50ms`, `0.99`."""
    match unit:
        case Unit.BYTES:
            name, factor = next(((name, size) for name, size in _SIZES if value and not value % size), ("B", 1))
            return f"{value / factor:.0f}{name}"
        case Unit.SECONDS:
            return f"{value * 1000:.12g}ms"
        case _:
            return f"{value:.12g}"
