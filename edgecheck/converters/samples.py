"""Inputs for calibration and comparison: the user's samples, or seeded random values."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgecheck.anatomy.encodings.zipfile_errors import ZIP_ERRORS
from edgecheck.converters.interface import Request
from edgecheck.converters.matching import assigned, labels, matched, short
from edgecheck.converters.refusals import CALIBRATED_ON_NOISE, other_names
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: Samples that are used at most; more would make conversions slower and no better.
MOST = 256

#: Random inputs that replace missing samples.
SEEDED = 16

#: The same for models of tables, whose rows cost next to nothing and whose decisions are many.
SEEDED_ROWS = 64


class Port(NamedTuple):
    """One input of a model."""

    name: str
    dims: tuple[int | None, ...]
    """None where the model leaves a dimension open; the first is the batch."""
    dtype: str
    """Its name in numpy."""
    draw: Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]] | None = None
    """Makes random values of a shape that reach what the model decides on; None: any values do."""
    seeded: int = SEEDED
    """How many random values replace missing samples."""


class Feeds(NamedTuple):
    """For each sample a mapping from input name to values, with a batch of one."""

    each: tuple[dict[str, NDArray[Any]], ...]
    seeded: bool
    """Whether they are random, for lack of samples."""

    @property
    def words(self) -> str:
        """What they are, to show: `40 samples`."""
        return f"{len(self.each)} seeded random inputs" if self.seeded else f"{len(self.each)} samples"

    @property
    def notes(self) -> tuple[str, ...]:
        """What to note on an artifact that was calibrated on them."""
        return (CALIBRATED_ON_NOISE,) if self.seeded else ()


def feeds(ports: Sequence[Port], request: Request) -> Feeds:
    """The samples of `request` in the form that the model takes, or seeded random values.

    Raises:
        ConversionError: the samples do not fit the model, or a dimension is open and nothing says how large it is.
    """
    if request.samples is not None:
        return Feeds(_from_file(ports, request.samples, ordered=request.ordered), seeded=False)
    shapes = shapes_of(ports, request)
    source = np.random.Generator(np.random.PCG64(0))
    count = max((port.seeded for port in ports), default=SEEDED)
    each = tuple({port.name: _drawn(port, shapes[port.name], source) for port in ports} for _ in range(count))
    return Feeds(each, seeded=True)


def _drawn(port: Port, shape: tuple[int, ...], source: np.random.Generator) -> NDArray[Any]:
    if port.draw is None:
        return _random(port.dtype, shape, source)
    return port.draw(source, shape).astype(object if is_text(port.dtype) else port.dtype)


def ids_below(size: int) -> Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]]:
    """A `Port.draw` of whole numbers from 0 to below `size`: rows of a table with that many."""

    def drawn(source: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        return source.integers(0, max(size, 1), shape)

    return drawn


def shapes_of(ports: Sequence[Port], request: Request) -> dict[str, tuple[int, ...]]:
    """The shape of every input for a batch of one: from the budget's `inputs:`, then from the model.

    A dimension that both leave open comes from the samples.

    Raises:
        ConversionError: a dimension other than the batch is open and nothing says how large it is, or the samples do
            not fit the model.
    """
    wanted = _wanted(ports, request)
    if request.samples is not None and any(None in port.dims[1:] and port.name not in wanted for port in ports):
        first = feeds(ports, request).each[0]
        wanted = {name: value.shape for name, value in first.items()} | wanted
    shapes, open_ports = {}, []
    for port in ports:
        dims = wanted.get(port.name, port.dims)
        shape = tuple((1 if axis == 0 else 0) if size is None else size for axis, size in enumerate(dims))
        if 0 in shape:
            open_ports.append(port)
        elif not _fits(shape, port.dims):
            raise ConversionError(
                f"Input {short(port.name)} has shape {_shown(port.dims)} and does not accept {list(shape)}.",
                "Correct --input, or `inputs:` in the budget.",
            )
        shapes[port.name] = shape
    if open_ports:
        raise _open_dimension(open_ports)
    return shapes


def described(samples: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """By name of the arrays in an .npz: the shape of one sample, and its type. Only headers are read.

    Raises:
        ConversionError: the file cannot be read as samples.
    """
    with _readable(samples), zipfile.ZipFile(samples) as archive:
        heads = {name.removesuffix(".npy"): _head(archive, name) for name in archive.namelist()}
    return {name: (shape[1:], dtype.name) for name, (shape, dtype) in heads.items()}


def _head(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        return shape, dtype


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return values


@contextmanager
def _readable(samples: Path) -> Iterator[None]:
    try:
        yield
    except ZIP_ERRORS as error:
        raise ConversionError(
            f"The samples {samples.name} cannot be read: {error}.", "Write them with numpy.savez(path, input=array)."
        ) from error


def load(samples: Path, most: int = MOST) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name, at most `most` samples of each; nothing is unpickled.

    Raises:
        ConversionError: it is not an .npz, holds Python objects, or its arrays have different numbers of samples.
    """
    with _readable(samples), zipfile.ZipFile(samples) as archive:
        arrays = {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}
    counts = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        found = ", ".join(f"{name} {count}" for name, count in counts.items()) or "no arrays"
        raise ConversionError(
            f"Every array of {samples.name} needs the same number of samples, and at least one: it has {found}.",
            "Write one array per input of the model, first axis the sample.",
        )
    return {name: array[:most] for name, array in arrays.items()}


def _places(names: Sequence[str], arrays: Sequence[str], samples: Path, *, ordered: bool = False) -> tuple[int, ...]:
    """For each of a model's inputs the position of its array: one array may have any name, several the inputs'.

    Args:
        names: The model's inputs.
        arrays: The names in the .npz, in its order.
        samples: The .npz, to name it in the error.
        ordered: Whether edgecheck wrote it, see `Request.ordered`.

    Raises:
        ConversionError: the names do not say which array is for which input.
    """
    by_place = ordered or len(names) == len(arrays) == 1
    places = (matched if by_place else assigned)(names, arrays)
    if places is None:
        hint = "Write one array per input of the model, under the input's name."
        raise other_names(f"{samples.name} holds", arrays, labels(names).values(), hint)
    return places


def _from_file(ports: Sequence[Port], samples: Path, *, ordered: bool) -> tuple[dict[str, NDArray[Any]], ...]:
    arrays = load(samples)
    names = list(arrays)
    places = _places([port.name for port in ports], names, samples, ordered=ordered)
    by_port = {port.name: arrays[names[place]] for port, place in zip(ports, places, strict=True)}
    count = len(arrays[names[0]])
    return tuple(
        {port.name: fitted(by_port[port.name][index], port, samples.name) for port in ports} for index in range(count)
    )


def fitted(sample: NDArray[Any], port: Port, where: str) -> NDArray[Any]:
    """One sample in the form that the input takes: its batch axis added, its type converted.

    Raises:
        ConversionError: its shape or its type does not fit this input.
    """
    value = sample[np.newaxis] if sample.ndim == len(port.dims) - 1 else sample
    if not _fits(value.shape, port.dims):
        raise ConversionError(
            f"A sample of {where} has shape {list(sample.shape)}, but input {short(port.name)} takes"
            f" {_shown(port.dims)}.",
            "The first axis is the sample; the others are those of the source model's input.",
        )
    if value.dtype.kind == "c":
        raise ConversionError(
            f"The samples for input {short(port.name)} are complex numbers, but it takes {port.dtype}.",
            "Save real and imaginary parts in the form that the source model takes.",
        )
    if is_text(port.dtype):
        return _as_text(value, port)
    if value.dtype.kind in "USV":
        raise ConversionError(
            f"The samples for input {short(port.name)} are text, but it takes {port.dtype}.",
            "Save them as numbers, in the form that the source model takes.",
        )
    converted = value.astype(port.dtype)
    if (
        np.issubdtype(value.dtype, np.floating)
        and np.issubdtype(converted.dtype, np.integer)
        and (not np.array_equal(converted, value))
    ):
        raise ConversionError(
            f"The samples for input {short(port.name)} are fractions, but it takes {port.dtype}.",
            "Save them in the type that the source model takes.",
        )
    return np.ascontiguousarray(converted)


def is_text(dtype: str) -> bool:
    """Whether a framework's name of a type means text; numpy has none of that name."""
    return dtype in ("string", "object", "str", "bytes")


def _as_text(value: NDArray[Any], port: Port) -> NDArray[Any]:
    if value.dtype.kind not in "US":
        raise ConversionError(
            f"The samples for input {short(port.name)} are numbers, but it takes text.",
            "Save them as text: numpy.array([...], dtype=str).",
        )
    return value.astype(str).astype(object)


def zeros(port: Port, shape: tuple[int, ...]) -> NDArray[Any]:
    """Values that mean nothing: zeros, or empty texts."""
    return np.full(shape, "", dtype=object) if is_text(port.dtype) else np.zeros(shape, port.dtype)


def _random(dtype: str, shape: tuple[int, ...], source: np.random.Generator) -> NDArray[Any]:
    """Values that any model accepts.

    Floating point: uniform in [0, 1). One-byte integers: their full range, as in pictures. Wider integers: 0 and 1,
    which are valid in every embedding table.
    """
    if is_text(dtype):
        raise ConversionError(
            "An input takes text, which edgecheck cannot make up.",
            "Give samples of text: --samples FILE, or `samples:` in a budget.",
        )
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return source.random(shape, dtype=np.float32).astype(kind)
    if kind.kind == "b":
        return source.integers(0, 2, shape).astype(kind)
    if kind.kind in "iu":
        low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.itemsize == 1 else (0, 1)
        return source.integers(low, high, shape, endpoint=True).astype(kind)
    raise ConversionError(
        f"An input takes {dtype}, for which there are no random values.",
        "Give samples: --samples FILE, or `samples:` in a budget.",
    )


def _wanted(ports: Sequence[Port], request: Request) -> dict[str, tuple[int, ...]]:
    """The budget's shapes by the model's names, not necessarily for each input; a converter may have renamed them."""
    inputs = request.inputs
    names = [port.name for port in ports]
    shown = labels(names)
    by_name = {name: inputs[view] for name in names for view in (shown[name], name) if view in inputs}
    unknown = set(inputs) - {*names, *shown.values()}
    if not unknown:
        return by_name
    places = (matched if request.ordered else assigned)(names, list(inputs))
    if places is None:
        raise other_names("`inputs:` name", inputs, shown.values(), "Use the model's own names.")
    shapes = list(inputs.values())
    return {name: shapes[place] for name, place in zip(names, places, strict=True)}


def _fits(shape: tuple[int, ...], dims: tuple[int | None, ...]) -> bool:
    return len(shape) == len(dims) and all(wanted in (None, size) for size, wanted in zip(shape, dims, strict=True))


def _shown(dims: tuple[int | None, ...]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in dims)}]"


def _open_dimension(ports: Sequence[Port]) -> ConversionError:
    shown = labels([port.name for port in ports])
    seen = " and ".join(f"input {shown[port.name]} has shape {_shown(port.dims)}" for port in ports)
    asked = ", ".join(f"{shown[port.name]}: [{', '.join(_letters(port.dims))}]" for port in ports)
    options = " ".join(f"--input {shown[port.name]}={','.join(_letters(port.dims))}" for port in ports)
    return ConversionError(
        f"The model leaves a dimension open: {seen}.",
        f"Give --samples FILE or {options}; in a budget `samples:` or `inputs: {{{asked}}}`.",
    )


def _letters(dims: tuple[int | None, ...]) -> list[str]:
    """The sizes to ask for, with a letter for each open one; the batch is 1."""
    return [str(size) if size is not None else f"D{axis}" if axis else "1" for axis, size in enumerate(dims)]
