"""Whether a converter did what it claims: some write files that no runtime opens, some silently change nothing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.anatomy.values import Role
from edgecheck.converters.interface import Request
from edgecheck.converters.model_files import anatomy_of
from edgecheck.converters.samples import shapes_of
from edgecheck.core.sayings import plain
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

#: By variant: the type that at least some of its weights have.
_TYPES = {"float16": "float16", "int8-weights": "int8", "int8-dynamic": "int8", "int8": "int8"}


def ensure_converted(file: Path, variant: str) -> None:
    """Check that at least some weights of a model have the variant's type.

    Raises:
        RuntimeError: none have: onnxruntime's MatMulNBits on Gemm, ai-edge-quantizer on old encodings, and TensorFlow's
            converter on weights of fewer than 1,024 elements leave everything unchanged.
    """
    wanted = _TYPES.get(variant)
    if wanted and not any(tensor.dtype == wanted and tensor.role is Role.WEIGHT for tensor in anatomy_of(file).tensors):
        raise RuntimeError(f"it changed nothing, no weight is {wanted}")


def ensure_opens(file: Path, request: Request) -> None:
    """Open a model in this machine's runtime, if its runtime is installed; any other file passes.

    Args:
        file: The model.
        request: Says how large the dimensions are that the model leaves open.

    Raises:
        RuntimeError: the runtime refuses it.
        ConversionError: it refuses it with every open dimension at 1, and nothing says how large they are.
    """
    if file.suffix == ".onnx" and find_spec("onnxruntime") is not None:
        _open_onnx(file)
    if file.suffix == ".tflite" and find_spec("ai_edge_litert") is not None:
        _open_tflite(file, request)


def _open_onnx(file: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RuntimeError(f"it wrote a file that onnxruntime does not open ({_in_a_line(error, file)})") from error


def _open_tflite(file: Path, request: Request) -> None:
    """Open it with LiteRT's own kernels, or with XNNPACK if they refuse: XNNPACK copies all weights.

    In the shapes in which it will run: the file has 1 for an open dimension, which is too small for many convolutions.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    unknown: ConversionError | None = None

    def open_with(kernels: OpResolverType) -> None:
        nonlocal unknown
        interpreter = Interpreter(model_path=str(file), experimental_op_resolver_type=kernels)
        try:
            _resize(interpreter, request)
        except ConversionError as error:
            unknown = error
        interpreter.allocate_tensors()

    try:
        try:
            open_with(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        except (RuntimeError, ValueError):
            open_with(OpResolverType.AUTO)
    except (RuntimeError, ValueError) as error:
        if unknown is not None:
            raise unknown from error
        raise RuntimeError(f"it wrote a file that LiteRT does not open ({_in_a_line(error, file)})") from error


def _resize(interpreter: Interpreter, request: Request) -> None:
    """Set the shapes that `request` gives, if any input leaves more open than the batch.

    Raises:
        ConversionError: it does not give them.
    """
    from edgecheck.converters.sources.tflite_runner import ports_of

    ports = ports_of(interpreter)
    if not any(None in port.dims[1:] for port in ports):
        return
    shapes = shapes_of(ports, request)
    for detail, port in zip(interpreter.get_input_details(), ports, strict=True):
        interpreter.resize_tensor_input(detail["index"], shapes[port.name])


def _in_a_line(error: Exception, file: Path) -> str:
    """The error without the path of the file, a temporary folder that is gone by the time it is shown."""
    return plain(str(error).replace(str(file), file.name))
