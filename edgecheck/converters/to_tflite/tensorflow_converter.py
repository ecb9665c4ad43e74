"""What all routes through TensorFlow's converter share: a variant's settings, and the conversion itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.samples import Feeds, feeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edgecheck.converters.samples import Port


def converted(  # noqa: PLR0913 - one more than allowed, each another thing
    request: Request,
    folder: Path,
    ports: Sequence[Port],
    converter: Callable[[], Any],
    way: str = "",
    *,
    by_name: bool = False,
) -> Made:
    """Convert with fresh converters until one succeeds, and write the file.

    Full integer is asked for strictly first; where an operator has no integer form, it stays float32.

    Args:
        request: What is asked for.
        folder: Where the file goes.
        ports: The model's inputs, in the order of the converter's.
        converter: Makes a converter; called once per attempt.
        way: What is special about it, for the route's text.
        by_name: Whether the converter may have the inputs in another order: Keras models come with theirs sorted by
            name, and calibration samples in a list would then go to each other's inputs without a word.
    """
    feeding = _named if by_name else _listed
    fed = feeds(ports, request) if request.variant == "int8" else None
    notes = ["Calibrated on random inputs: with `samples` it agrees better."] if fed and fed.seeded else []
    samples = None if fed is None else lambda: feeding(fed, ports)
    try:
        content = _set_up(converter(), request.variant, samples, strict=True).convert()
    except Exception:
        if samples is None:
            raise
        content = _set_up(converter(), request.variant, samples, strict=False).convert()
        notes.append("Some operators have no integer form and stay float32.")
    made = folder / "model.tflite"
    made.write_bytes(content)
    pruned = f"{request.prune:.0%} of the weights pruned by magnitude, then " if request.prune else ""
    calibrated = f", calibrated on {fed.words}" if fed else ""
    return Made((made,), f"{pruned}TensorFlow {tf.__version__} converter{way}{calibrated}", tuple(notes))


def _set_up(converter: Any, variant: str, samples: Callable[[], Iterator[Any]] | None, *, strict: bool) -> Any:
    if variant != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if samples is not None:
        converter.representative_dataset = samples
        if strict:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter


def _listed(fed: Feeds, ports: Sequence[Port]) -> Iterator[list[Any]]:
    for feed in fed.each:
        yield [feed[port.name] for port in ports]


def _named(fed: Feeds, ports: Sequence[Port]) -> Iterator[dict[str, Any]]:
    for feed in fed.each:
        yield {port.name: feed[port.name] for port in ports}
