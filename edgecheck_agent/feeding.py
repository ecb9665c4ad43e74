"""What the model is fed: shapes for its open dimensions, samples that fit it, or seeded random values."""

from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from edgecheck_agent import refusals

PICTURE = 4  # batch, height, width and channels, in some order
CHUNK = 65536  # random values are made so many at a time: their transient copies must not show in the peak


class Input(NamedTuple):
    """One input of a model.

    `dims` has None where the model leaves a dimension open, `default` what is used there when nobody says otherwise;
    `quantization` is scale and zero point.
    """

    name: str
    dtype: "np.dtype[Any]"
    dims: Tuple[Optional[int], ...]
    default: Tuple[int, ...]
    quantization: Optional[Tuple[float, int]]

    @property
    def label(self) -> str:
        """The name without what converters put around it: `serving_default_image:0` is `image`."""
        return short(self.name)


def short(name: str) -> str:
    """A tensor's name without `serving_default_` in front and `:0` behind."""
    start = "serving_default_"
    rest = name[len(start) :] if name.startswith(start) else name
    head, _, tail = rest.rpartition(":")
    return head if head and tail.isdigit() else rest


def advice(inputs: Sequence[Input]) -> str:
    """Which of the inputs have which open dimensions, and what to write into the budget; "" for none."""
    batch = "1" if any(None in one.dims[1:] for one in inputs) else "N"
    seen = " and ".join("input %s: shape %s" % (one.label, dims(one)) for one in inputs)
    asked = ", ".join("%s: [%s]" % (one.label, ", ".join(_letters(one, batch))) for one in inputs)
    return "%s; give inputs: {%s}" % (seen, asked) if inputs else ""


def dims(one: Input) -> str:
    """An input's shape as people write it, with ? for what is open."""
    return "[%s]" % ", ".join("?" if size is None else str(size) for size in one.dims)


def _letters(one: Input, batch: str) -> Iterator[str]:
    """The sizes to ask for: H and W where the input looks like a picture."""
    letters = [batch] + ["D%d" % axis for axis in range(1, len(one.dims))]
    if len(one.dims) == PICTURE:
        letters[1:] = "CHW" if one.dims[1] is not None else "HWC"
    for axis, size in enumerate(one.dims):
        yield letters[axis] if size is None else str(size)


def by_input(inputs: Sequence[Input], given: Dict[str, Any], what: str) -> Dict[str, Any]:
    """`given`, keyed by the model's own names.

    Raises:
        refusals.Refused: a name is none of the model's inputs.
    """
    names = {one.label: one.name for one in inputs}
    names.update((one.name, one.name) for one in inputs)
    unknown = sorted(set(given) - set(names))
    if unknown:
        have = ", ".join(one.label for one in inputs)
        raise refusals.Refused("wrong-sample", "%s name %s, but the model's inputs are: %s" % (what, unknown[0], have))
    return {names[name]: value for name, value in given.items()}


def shapes(inputs: Sequence[Input], wanted: Dict[str, Sequence[int]]) -> Dict[str, Tuple[int, ...]]:
    """The shape of every input: the wanted one, else the default; `wanted` goes by the model's own names.

    Raises:
        refusals.Refused: a wanted shape does not fit the model.
    """
    found = {}
    for one in inputs:
        shape = tuple(wanted.get(one.name, one.default))
        if len(shape) != len(one.dims) or not all(map(_takes, one.dims, shape)):
            message = "input %s has shape %s and does not take %s" % (one.label, dims(one), list(shape))
            raise refusals.Refused("wrong-sample", message)
        found[one.name] = shape
    return found


def _takes(size: Optional[int], asked: int) -> bool:
    return size is None or size == asked


def fitted(one: Input, sample: Any) -> Any:
    """The sample as this input takes it: its batch axis added, its type converted, quantised where the input is.

    Raises:
        refusals.Refused: the sample's shape or type cannot be meant for this input.
    """
    value = np.asarray(sample)
    if value.ndim == len(one.dims) - 1 and one.dims[0] in (1, None):
        value = value[np.newaxis]
    if one.dtype.kind in "OS":
        return value.astype(object)
    if value.dtype.kind in "OSUV":
        raise refusals.Refused("wrong-sample", "input %s takes numbers, its samples are not" % one.label)
    if one.quantization and value.dtype.kind == "f":
        scale, zero = one.quantization
        limits = np.iinfo(one.dtype)
        value = np.clip(np.rint(value / scale) + zero, limits.min, limits.max)
    return np.ascontiguousarray(value, dtype=one.dtype).reshape(value.shape)


def random(one: Input, shape: Tuple[int, ...], seed: int) -> Any:
    """Values that any model takes, the same for the same seed under every version of Python and numpy.

    Floating point: uniform in [0, 1). One-byte integers: their whole range, as pictures and quantised
    tensors have. Wider integers: 0 and 1, which every embedding table holds, or 1 where there is only one
    value, since that is mostly a count. Text: the word "edgecheck".
    """
    if one.dtype.kind in "OS":
        return np.full(shape, b"edgecheck" if one.dtype.kind == "S" else "edgecheck", dtype=object)
    values = np.empty(shape, dtype=one.dtype)
    flat = values.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        part[...] = _some(words(seed, start, part.size), one.dtype)
    if one.dtype.kind in "iu" and one.dtype.itemsize > 1 and flat.size == 1:
        flat[0] = 1
    return values


def words(seed: int, start: int, count: int) -> Any:
    """The `count` words from `start` on of the stream that belongs to the seed: SplitMix64 (Steele, Lea, Flood 2014).

    Not numpy.random: to import it takes 6 MB, which would be in the peak.
    """
    at = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    state = at * np.uint64(0x9E3779B97F4A7C15) + _mixed(np.full(1, seed % 2**64, dtype=np.uint64))
    return _mixed(state)


def _mixed(state: Any) -> Any:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _some(stream: Any, dtype: Any) -> Any:
    if dtype.kind in "fc":
        digits = np.finfo(dtype).nmant + 1  # so many that the conversion does not round up to 1
        return (stream >> np.uint64(64 - digits)) * 2.0**-digits
    if dtype.kind != "b" and dtype.itemsize == 1:
        return (stream >> np.uint64(56)).astype(np.uint8).view(dtype)
    return stream >> np.uint64(63)
