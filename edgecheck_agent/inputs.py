"""What the model is fed: shapes for its open dimensions, samples that fit it, or seeded random values."""

import os
import zipfile
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.lib import format as npy

from edgecheck_agent import refusals

# Axes of a picture: batch, height, width and channels, in some order.
PICTURE = 4

# Random values are made in pieces of this many: larger temporary copies would show in the memory peak.
CHUNK = 65536

# Values by input, for one inference after the other.
Feeds = List[Dict[str, Any]]


class Input(NamedTuple):
    """One input of a model.

    `dims` has None where the model leaves a dimension open, `default` is the shape used where none is given, and
    `quantization` is scale and zero point.
    """

    name: str
    dtype: "np.dtype[Any]"
    dims: Tuple[Optional[int], ...]
    default: Tuple[int, ...]
    quantization: Optional[Tuple[float, int]]

    @property
    def label(self) -> str:
        """The name without what converters add to it: `serving_default_image:0` is `image`."""
        return short(self.name)


class Output(NamedTuple):
    """One output of an inference. `quantization` is scale and zero point, as the file has them."""

    name: str
    value: Any
    quantization: Optional[Tuple[float, int]]


def labels(inputs: Sequence[Input]) -> Dict[str, str]:
    """By name: the label, or the name itself where two inputs have one label, as `ids:0` and `ids:1` do."""
    seen = [one.label for one in inputs] + [one.name for one in inputs if one.name != one.label]
    return {one.name: one.label if seen.count(one.label) == 1 else one.name for one in inputs}


class Plan(NamedTuple):
    """The shape of every input, the feeds if there are samples, and the inputs whose dimensions were guessed."""

    shapes: Dict[str, Tuple[int, ...]]
    feeds: Feeds
    guessed: List[Input]


def planned(spec: Dict[str, Any], inputs: Sequence[Input], given: Dict[str, Any]) -> Plan:
    """Shapes are those of the samples; without samples those of the job's `inputs`, then the model's default.

    Raises:
        refusals.Refused: the samples or shapes do not fit the model.
    """
    feeds = _sample_feeds(inputs, given)
    wanted = by_input(inputs, spec["inputs"], "inputs")
    if feeds:
        wanted = {name: value.shape for name, value in feeds[0].items()}
    guessed = [one for one in inputs if None in one.dims and one.name not in wanted]
    return Plan(shapes(inputs, wanted), feeds, guessed)


def described(one: Input, plan: Plan) -> Dict[str, Any]:
    """The input as the `inputs` event shows it."""
    return {
        "name": one.name,
        "dtype": "string" if one.dtype.kind in "OS" else one.dtype.name,
        "dims": list(one.dims),
        "shape": list(plan.shapes[one.name]),
        "quantization": list(one.quantization) if one.quantization else None,
        "source": "samples" if plan.feeds else "random",
    }


def random_feed(inputs: Sequence[Input], shapes: Dict[str, Tuple[int, ...]], seed: int) -> Dict[str, Any]:
    """Random values of every input; see `random`."""
    return {one.name: random(one, shapes[one.name], seed + at) for at, one in enumerate(inputs)}


def _sample_feeds(inputs: Sequence[Input], given: Dict[str, Any]) -> Feeds:
    if not given:
        return []
    if len(inputs) == len(given) == 1:
        named = {inputs[0].name: next(iter(given.values()))}
    else:
        named = by_input(inputs, given, "samples")
    missing = [labels(inputs)[one.name] for one in inputs if one.name not in named]
    if missing:
        raise refusals.Refused("wrong-sample", "the samples have nothing for input %s" % missing[0])
    count = len(next(iter(named.values())))
    return [{one.name: fitted(one, named[one.name][at]) for one in inputs} for at in range(count)]


def short(name: str) -> str:
    """A tensor's name without a leading `serving_default_` and a trailing `:0`."""
    start = "serving_default_"
    rest = name[len(start) :] if name.startswith(start) else name
    head, _, tail = rest.rpartition(":")
    return head if head and tail.isdigit() else rest


def advice(inputs: Sequence[Input]) -> str:
    """Which inputs have which open dimensions, and what to write into the budget; empty for no inputs."""
    batch = "1" if any(None in one.dims[1:] for one in inputs) else "N"
    shown = labels(inputs)
    seen = " and ".join("input %s: shape %s" % (shown[one.name], shape_text(one)) for one in inputs)
    asked = ", ".join("%s: [%s]" % (shown[one.name], ", ".join(_letters(one, batch))) for one in inputs)
    return "%s; give inputs: {%s}" % (seen, asked) if inputs else ""


def shape_text(one: Input) -> str:
    """An input's shape as people write it, with ? for an open dimension."""
    return "[%s]" % ", ".join("?" if size is None else str(size) for size in one.dims)


def _letters(one: Input, batch: str) -> Iterator[str]:
    """The sizes to ask the user for: H and W where the input looks like a picture."""
    letters = [batch] + ["D%d" % axis for axis in range(1, len(one.dims))]
    if len(one.dims) == PICTURE:
        letters[1:] = "CHW" if one.dims[1] is not None else "HWC"
    for axis, size in enumerate(one.dims):
        yield letters[axis] if size is None else str(size)


def by_input(inputs: Sequence[Input], given: Dict[str, Any], what: str) -> Dict[str, Any]:
    """`given`, with the model's full names as keys.

    Raises:
        refusals.Refused: the model has no input of a name.
    """
    shown = labels(inputs)
    names = {shown[one.name]: one.name for one in inputs}
    names.update((one.name, one.name) for one in inputs)
    unknown = sorted(set(given) - set(names))
    if unknown:
        have = ", ".join(shown.values())
        raise refusals.Refused("wrong-sample", "%s name %s, but the model's inputs are: %s" % (what, unknown[0], have))
    return {names[name]: value for name, value in given.items()}


def shapes(inputs: Sequence[Input], wanted: Dict[str, Sequence[int]]) -> Dict[str, Tuple[int, ...]]:
    """The shape of every input: the wanted one, else the default; `wanted` has the model's full names.

    Raises:
        refusals.Refused: a wanted shape does not fit the model.
    """
    found = {}
    for one in inputs:
        shape = tuple(wanted.get(one.name, one.default))
        if len(shape) != len(one.dims) or not all(map(_takes, one.dims, shape)):
            message = "input %s has shape %s and does not take %s" % (one.label, shape_text(one), list(shape))
            raise refusals.Refused("wrong-sample", message)
        found[one.name] = shape
    return found


def _takes(size: Optional[int], asked: int) -> bool:
    return size is None or size == asked


def fitted(one: Input, sample: Any) -> Any:
    """The sample as this input takes it: with a batch axis, in its type, quantised where the input is.

    Raises:
        refusals.Refused: the sample holds text, and the input takes numbers.
    """
    value = np.asarray(sample)
    if value.ndim == len(one.dims) - 1 and one.dims[0] in (1, None):
        value = value[np.newaxis]
    if one.dtype.kind in "OS":
        return value.astype(object)
    if value.dtype.kind in "OSUV":
        raise refusals.Refused("wrong-sample", "input %s takes numbers, but its samples are not numbers" % one.label)
    if one.quantization and value.dtype.kind == "f":
        scale, zero = one.quantization
        limits = np.iinfo(one.dtype)
        value = np.clip(np.rint(value / scale) + zero, limits.min, limits.max)
    return np.ascontiguousarray(value, dtype=one.dtype).reshape(value.shape)


def random(one: Input, shape: Tuple[int, ...], seed: int) -> Any:
    """Values that any model takes, the same for the same seed under every version of Python and numpy.

    Floating point: uniform in [0, 1). One-byte integers: their full range, as pictures and quantised
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
    """Words `start` to `start + count` of the seed's stream: SplitMix64 (Steele, Lea, Flood 2014).

    Not numpy.random: importing it takes 6 MB, which would show in the peak.
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
        digits = np.finfo(dtype).nmant + 1  # no more, or the conversion could round up to 1
        return (stream >> np.uint64(64 - digits)) * 2.0**-digits
    if dtype.kind != "b" and dtype.itemsize == 1:
        return (stream >> np.uint64(56)).astype(np.uint8).view(dtype)
    return stream >> np.uint64(63)


class Header(NamedTuple):
    """The header of an array in an .npz file."""

    shape: Tuple[int, ...]
    fortran: bool
    dtype: Any

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * int(self.dtype.itemsize)


def read(path: str, most: int, room: int) -> Dict[str, Any]:
    """Read the samples of an .npz by array name; the first axis is the sample.

    At most `most` samples, and no more than fit into `room` bytes: the worker's memory must not grow with samples that
    it does not use.

    Raises:
        refusals.Refused: the file is not an .npz of plain arrays, or their numbers of samples differ.
    """
    name = os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {item[: -len(".npy")]: _header(archive, item) for item in archive.namelist()}
            counts = {header.shape[0] if header.shape else 0 for header in headers.values()}
            if len(counts) == 1 and 0 not in counts:
                fitting = max(1, room // max(1, sum(header.sample_bytes for header in headers.values())))
                count = min(most, fitting, *counts)
                return {item: _array(archive, item + ".npy", header, count) for item, header in headers.items()}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise refusals.Refused("wrong-sample", "%s cannot be read: %s" % (name, error)) from error
    message = "every array of %s needs the same number of samples, and at least one" % name
    raise refusals.Refused("wrong-sample", message)


def _header(archive: zipfile.ZipFile, item: str) -> Header:
    with archive.open(item) as file:
        return _read_header(file, item)


def _read_header(file: Any, item: str) -> Header:
    version = npy.read_magic(file)
    header = Header(*(npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file))
    if header.dtype.hasobject:
        raise ValueError("%s holds Python objects" % item)
    return header


def _array(archive: zipfile.ZipFile, item: str, header: Header, count: int) -> Any:
    with archive.open(item) as file:
        if header.fortran:  # its samples are not contiguous
            return npy.read_array(file, allow_pickle=False)[:count]
        _read_header(file, item)
        values = np.empty((count,) + header.shape[1:], dtype=header.dtype)
        _fill(values.reshape(-1).view(np.uint8).data, file)
        return values


def _fill(data: Any, file: Any) -> None:
    filled = 0
    while filled < len(data):
        piece = file.read(min(1 << 20, len(data) - filled))
        if not piece:
            raise EOFError("it is cut short")
        data[filled : filled + len(piece)] = piece
        filled += len(piece)
