"""Reads an .npz of samples a few at a time: the worker's memory must not grow with samples that it does not use."""

import os
import zipfile
from typing import Any, Dict, NamedTuple, Tuple

import numpy as np
from numpy.lib import format as npy

from edgecheck_agent import refusals


class Header(NamedTuple):
    """What an array of the file is, before it is read."""

    shape: Tuple[int, ...]
    fortran: bool
    dtype: Any

    @property
    def sample_bytes(self) -> int:
        """Of one sample."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * int(self.dtype.itemsize)


def read(path: str, most: int, room: int) -> Dict[str, Any]:
    """Arrays by name, of which the first axis is the sample: at most `most` of them, and what goes into `room` bytes.

    Raises:
        refusals.Refused: the file is no .npz of plain arrays, or they hold different numbers of samples.
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
        if header.fortran:  # its samples do not lie one after the other
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
