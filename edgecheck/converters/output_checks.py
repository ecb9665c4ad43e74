"""Whether a converter did what it says: some write files that no runtime takes, some change nothing without a word."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from edgecheck.anatomy.values import Role
from edgecheck.converters.model_files import look
from edgecheck.converters.samples import shapes_of
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from pathlib import Path

    from ai_edge_litert.interpreter import Interpreter

    from edgecheck.converters.interface import Request

_KINDS = {"float16": "float16", "int8-weights": "int8", "int8-dynamic": "int8", "int8": "int8"}


def ensure_converted(file: Path, variant: str) -> None:
    """See that the weights of a model are of the variant's kind, at least some of them.

    Raises:
        RuntimeError: none are: onnxruntime's MatMulNBits on Gemm, ai-edge-quantizer on old encodings, and TensorFlow's
            converter on weights of fewer than 1,024 elements leave everything as it is.
    """
    wanted = _KINDS.get(variant)
    if wanted and not any(tensor.dtype == wanted and tensor.role is Role.WEIGHT for tensor in look(file).tensors):
        raise RuntimeError(f"it changed nothing, no weight is {wanted}")


def ensure_opens(file: Path, request: Request) -> None:
    """Open a model in this machine's runtime, where it has one; any other file passes.

    Args:
        file: The model.
        request: Tells how large the dimensions are that the model leaves open.

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
    """By its own kernels, or by XNNPACK where they refuse: that takes as much memory again as the weights have.

    In the shapes that it will run in: a file has 1 for an open dimension, which is too small for many convolutions.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    unknown: ConversionError | None = None

    def opened_by(kernels: OpResolverType) -> None:
        nonlocal unknown
        interpreter = Interpreter(model_path=str(file), experimental_op_resolver_type=kernels)
        try:
            _resize(interpreter, request)
        except ConversionError as error:
            unknown = error
        interpreter.allocate_tensors()

    try:
        try:
            opened_by(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        except (RuntimeError, ValueError):
            opened_by(OpResolverType.AUTO)
    except (RuntimeError, ValueError) as error:
        if unknown is not None:
            raise unknown from error
        raise RuntimeError(f"it wrote a file that LiteRT does not open ({_in_a_line(error, file)})") from error


def _resize(interpreter: Interpreter, request: Request) -> None:
    """Give inputs that leave more open than the batch the shapes that `request` tells.

    Raises:
        ConversionError: it does not tell them.
    """
    from edgecheck.converters.sources.tflite_runner import ports_of

    ports = ports_of(interpreter)
    if not any(None in port.dims[1:] for port in ports):
        return
    shapes = shapes_of(ports, request)
    for detail, port in zip(interpreter.get_input_details(), ports, strict=True):
        interpreter.resize_tensor_input(detail["index"], shapes[port.name])


def _in_a_line(error: Exception, file: Path) -> str:
    """What went wrong, without where the file was made, which is gone by now."""
    return " ".join(str(error).replace(str(file), file.name).split())[-300:]
