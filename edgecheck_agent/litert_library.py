"""LiteRT's C library by ctypes: it profiles, and reaches a GPU, neither of which the Python interpreter does.

The library is the one in the package ai-edge-litert (`libLiteRt.so`, symbols of version VERS_1.0):
https://github.com/google-ai-edge/LiteRT/tree/main/litert/c. It applies XNNPACK as the Python interpreter does.
"""

import ctypes
import importlib
import os
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from edgecheck_agent import inputs, refusals, tflite_engine

CPU, GPU = 1, 2  # LiteRtHwAccelerators
_LIBRARY = "libLiteRt.so"
_OLDEST = (2, 3)  # the first whose calls are known to have these arguments
_READ, _WRITE = 0, 1  # LiteRtTensorBufferLockMode
_STRING = 5  # LiteRtElementType
_TYPE_BYTES = 80  # room for a LiteRtRankedTensorType: type, rank and flags, 8 dimensions, 8 strides
_DIMENSIONS, _MOST_DIMENSIONS = 8, 8  # where they are in it
_LAYOUT_BYTES = 68  # LiteRtLayout: the same without the type
_RUNTIME_FOLDER = 22  # kLiteRtEnvOptionTagRuntimeLibraryDir
_TEXT = 8  # kLiteRtAnyTypeString

# By LiteRtElementType, which numbers types as TFLite does.
_DTYPES = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
    10: "float16",
    11: "float64",
    12: "complex128",
    13: "uint64",
    15: "uint32",
    16: "uint16",
}


class _Option(ctypes.Structure):
    """A LiteRtEnvOption whose LiteRtAny is text."""

    _fields_ = [("tag", ctypes.c_int), ("kind", ctypes.c_int64), ("text", ctypes.c_char_p)]


class Setting(NamedTuple):
    """How models are compiled: for which hardware, with how many threads, and other options as names and TOML."""

    threads: int
    hardware: int = CPU
    options: Tuple[Tuple[bytes, bytes], ...] = ()


def library(package: str, version: str, reason: str, what: str) -> "Library":
    """The library of a package.

    Raises:
        refusals.Refused: it has none that is known, for `reason`; `what` is what it is needed for.
    """
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    folder = os.path.dirname(os.path.abspath(str(importlib.import_module(package).__file__)))
    path = os.path.join(folder, _LIBRARY)
    if package != tflite_engine.PACKAGES["ai-edge-litert"] or number < _OLDEST or not os.path.exists(path):
        name = {value: key for key, value in tflite_engine.PACKAGES.items()}[package]
        raise refusals.Refused(reason, "%s %s has no %s" % (name, version, what))
    return Library(path, reason)


class Library:
    """The calls of the library; each that fails is a RuntimeError with its name."""

    def __init__(self, path: str, reason: str) -> None:
        self.reason = reason  # of refusals of what it cannot do
        self.folder = os.path.dirname(path)
        self._calls = ctypes.CDLL(path)
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = ctypes.c_void_p

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a LiteRtStatus."""
        status = getattr(self._calls, name)(*arguments)
        if status:
            raise RuntimeError("%s of LiteRT's C library failed with status %d" % (name, status))

    def new(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """The handle that a function returns by its last argument."""
        handle = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle

    def truth(self, name: str, *arguments: Any) -> bool:
        """The answer that a function returns by its last argument."""
        value = ctypes.c_bool()
        self.call(name, *arguments, ctypes.byref(value))
        return bool(value.value)

    def number(self, name: str, *arguments: Any) -> int:
        """The size that a function returns by its last argument."""
        value = ctypes.c_size_t()
        self.call(name, *arguments, ctypes.byref(value))
        return value.value

    def add_options(self, options: ctypes.c_void_p, name: bytes, text: bytes) -> None:
        """Add options in TOML; the library frees its copy."""
        copy = ctypes.c_void_p(self._c.strdup(text))
        self.call("LiteRtAddOpaqueOptions", options, self.new("LiteRtCreateOpaqueOptions", name, copy, self._c.free))


class Compiled:
    """A compiled model and, once the shapes are known, its buffers."""

    def __init__(self, library: Library, path: str, setting: Setting, signature: Optional[str]) -> None:
        self._library = library
        self._chosen = signature
        # Without the folder, accelerators are not found, and the CPU takes their place without a word. With it, their
        # libraries are loaded even if the model is for the CPU, and not every processor can load them.
        folder = _Option(_RUNTIME_FOLDER, _TEXT, os.fsencode(library.folder))
        count = 1 if setting.hardware != CPU else 0
        self._environment = library.new("LiteRtCreateEnvironment", count, ctypes.byref(folder))
        self._model = library.new("LiteRtCreateModelFromFile", self._environment, os.fsencode(path))
        options = library.new("LiteRtCreateOptions")
        library.call("LiteRtSetOptionsHardwareAccelerators", options, setting.hardware)
        library.add_options(options, b"xnnpack", b"num_threads = %d\n" % setting.threads)
        for name, text in setting.options:
            library.add_options(options, name, text)
        self.handle = library.new("LiteRtCreateCompiledModel", self._environment, self._model, options)
        self._number = self._signature_number()
        self._signature = library.new("LiteRtGetModelSignature", self._model, self._number)
        self._inputs: Any = ()
        self._outputs: Any = ()
        self._returned: List[Tuple[Any, Tuple[int, ...]]] = []

    def _signature_number(self) -> ctypes.c_size_t:
        """The index of the signature to run."""
        for at in range(self._library.number("LiteRtGetNumModelSignatures", self._model)):
            signature = self._library.new("LiteRtGetModelSignature", self._model, ctypes.c_size_t(at))
            name = ctypes.c_char_p()
            self._library.call("LiteRtGetSignatureKey", signature, ctypes.byref(name))
            if self._chosen is None or (name.value or b"").decode("utf-8", "replace") == self._chosen:
                return ctypes.c_size_t(at)
        return ctypes.c_size_t(0)

    def names(self, side: str = "Input") -> List[str]:
        """The names of the inputs or outputs, in the order of the buffers: the signature's if one was chosen."""
        found = []
        for at in range(self._library.number("LiteRtGetNumSignature%ss" % side, self._signature)):
            name, index = ctypes.c_char_p(), ctypes.c_size_t(at)
            if self._chosen is None:
                tensor = self._library.new("LiteRtGetSignature%sTensorByIndex" % side, self._signature, index)
                self._library.call("LiteRtGetTensorName", tensor, ctypes.byref(name))
            else:
                self._library.call("LiteRtGetSignature%sName" % side, self._signature, index, ctypes.byref(name))
            found.append((name.value or b"").decode("utf-8", "replace"))
        return found

    def resize(self, at: int, shape: Tuple[int, ...]) -> None:
        """Set the shape of an input."""
        dims = (ctypes.c_int * len(shape))(*shape)
        arguments = (self.handle, self._number, ctypes.c_size_t(at), dims, ctypes.c_size_t(len(shape)))
        self._library.call("LiteRtCompiledModelResizeInputTensorNonStrict", *arguments)

    def allocate(self, shapes: List[Tuple[int, ...]]) -> None:
        """Make the buffers; `shapes` are those of the inputs."""
        self._inputs = self._buffers("Input", shapes)
        count = self._library.number("LiteRtGetNumSignatureOutputs", self._signature)
        layouts = (ctypes.c_byte * (_LAYOUT_BYTES * count))()
        arguments = (self.handle, self._number, ctypes.c_size_t(count), layouts, ctypes.c_bool(1))
        self._library.call("LiteRtGetCompiledModelOutputTensorLayouts", *arguments)
        raw = bytes(layouts)
        outputs = [_shape_in(raw, at * _LAYOUT_BYTES) for at in range(count)]
        self._outputs = self._buffers("Output", outputs)
        self._returned = [(self._dtype(at), shape) for at, shape in enumerate(outputs)]

    def _dtype(self, at: int) -> Any:
        """The type of an output."""
        tensor = self._library.new("LiteRtGetSignatureOutputTensorByIndex", self._signature, ctypes.c_size_t(at))
        kind = (ctypes.c_ubyte * _TYPE_BYTES)()
        self._library.call("LiteRtGetRankedTensorType", tensor, kind)
        return np.dtype(_DTYPES[int.from_bytes(bytes(kind[:4]), sys.byteorder)])

    def _buffers(self, side: str, shapes: List[Tuple[int, ...]]) -> Any:
        buffers = (ctypes.c_void_p * len(shapes))()
        for at, shape in enumerate(shapes):
            index = ctypes.c_size_t(at)
            tensor = self._library.new("LiteRtGetSignature%sTensorByIndex" % side, self._signature, index)
            kind = _ranked(self._library, tensor, shape)
            of_buffer = (self.handle, self._number, index)
            needs = self._library.new("LiteRtGetCompiledModel%sBufferRequirements" % side, *of_buffer)
            made = self._library.new("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, kind, needs)
            buffers[at] = made.value
        return buffers

    def fill(self, at: int, content: bytes) -> None:
        """Write an input.

        Raises:
            RuntimeError: the buffer has another size.
        """
        buffer = ctypes.c_void_p(self._inputs[at])
        size = self._library.number("LiteRtGetTensorBufferPackedSize", buffer)
        if size != len(content):
            raise RuntimeError(
                "input %d has %d bytes; its buffer in LiteRT's C library has %d" % (at, len(content), size)
            )
        place = ctypes.c_void_p()
        self._library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), _WRITE)
        ctypes.memmove(place, content, len(content))
        self._library.call("LiteRtUnlockTensorBuffer", buffer)

    def run(self) -> None:
        """Run once; an accelerator may still work when this returns, until `read` waits for it."""
        inputs = (ctypes.c_size_t(len(self._inputs)), self._inputs)
        outputs = (ctypes.c_size_t(len(self._outputs)), self._outputs)
        self._library.call("LiteRtRunCompiledModel", self.handle, self._number, *inputs, *outputs)

    def read(self) -> List[Any]:
        """Copies of all outputs, in the order of the buffers."""
        return [self._copy(at, dtype, shape) for at, (dtype, shape) in enumerate(self._returned)]

    def _copy(self, at: int, dtype: Any, shape: Tuple[int, ...]) -> Any:
        buffer, place = ctypes.c_void_p(self._outputs[at]), ctypes.c_void_p()
        value = np.empty(shape, dtype=dtype)
        self._library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), _READ)
        ctypes.memmove(value.ctypes.data, place, value.nbytes)
        self._library.call("LiteRtUnlockTensorBuffer", buffer)
        return value


def _ranked(library: Library, tensor: ctypes.c_void_p, shape: Tuple[int, ...]) -> Any:
    """The tensor's LiteRtRankedTensorType with this shape."""
    kind = (ctypes.c_ubyte * _TYPE_BYTES)()
    library.call("LiteRtGetRankedTensorType", tensor, kind)
    if int.from_bytes(bytes(kind[:4]), sys.byteorder) == _STRING:
        raise refusals.Refused(library.reason, "LiteRT's C library does not take text")
    if len(shape) > _MOST_DIMENSIONS:
        raise refusals.Refused(library.reason, "LiteRT's C library takes 8 dimensions at most")
    for at, size in enumerate(shape):
        begin = _DIMENSIONS + 4 * at
        kind[begin : begin + 4] = list(int(size).to_bytes(4, sys.byteorder))
    return kind


def _shape_in(raw: bytes, start: int) -> Tuple[int, ...]:
    """The dimensions in a LiteRtLayout: seven bits of rank, then the sizes."""
    rank = min(raw[start] & 0x7F, _MOST_DIMENSIONS)
    sizes = [start + 4 + 4 * at for at in range(rank)]
    return tuple(int.from_bytes(raw[at : at + 4], sys.byteorder, signed=True) for at in sizes)


class Model:
    """What models that this library runs have in common: the methods of `tflite_engine.Model` that feed them."""

    def __init__(self, compiled: Compiled, described: List[inputs.Input]) -> None:
        """Take a model, and its inputs as the interpreter describes them."""
        self._compiled = compiled
        self.inputs = described
        names = [one.name for one in described]
        theirs = compiled.names()
        # Two tensors of one name have the order of the graph.
        self._at = {name: theirs.index(name) if theirs.count(name) == 1 else names.index(name) for name in names}

    def prepare(self, shapes: Dict[str, Tuple[int, ...]]) -> None:
        """Set the shapes that differ from the file's, and make the buffers."""
        for one in self.inputs:
            if shapes[one.name] != one.default:
                self._compiled.resize(self._at[one.name], shapes[one.name])
        ordered = sorted(self.inputs, key=lambda one: self._at[one.name])
        self._compiled.allocate([shapes[one.name] for one in ordered])

    def feed(self, values: Dict[str, Any]) -> None:
        """Set the values of every input for the next `invoke`."""
        for name, value in values.items():
            self._compiled.fill(self._at[name], np.ascontiguousarray(value).tobytes())
