"""Runs .tflite files with either of two Python packages: ai-edge-litert or tflite-runtime."""

import base64
import importlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from edgecheck_agent import inputs, refusals

PACKAGES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}

# y = Abs(x) on one float, operator version 1, schema version 3.
TINY = base64.b64decode(
    "GAAAAFRGTDMAAA4AGAAUABAADAAIAAQADgAAABQAAAAcAAAAKAAAAPAAAAADAAAAAQAAAAQAAACY////CQAAAGVkZ2VjaGVjawAA"
    "AAEAAAAQAAAADAAUABAADAAIAAQADAAAABAAAABQAAAAVAAAAFgAAAABAAAAFAAAAAAADgAUAAAAEAAMAAsABAAOAAAAFAAAAAAA"
    "AE4QAAAAFAAAAAQABAAEAAAAAQAAAAEAAAABAAAAAAAAAAEAAAABAAAAAQAAAAAAAAACAAAAMAAAAAQAAADk////CAAAAAwAAAAB"
    "AAAAeQAAAAEAAAABAAAADAAMAAgAAAAAAAQADAAAAAgAAAAMAAAAAQAAAHgAAAABAAAAAQAAAAEAAAAQAAAADAAMAAsAAAAAAAQA"
    "DAAAAGUAAAAAAABl"
)


class Model:
    """One open model; `invoke` runs it on what it was last fed."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._places: Dict[str, int] = {}
        self.inputs: List[inputs.Input] = []
        for at, detail in enumerate(interpreter.get_input_details()):
            name = detail["name"] if detail["name"] not in self._places else "%s#%d" % (detail["name"], at)
            self.inputs.append(_described(name, detail))
            self._places[name] = detail["index"]
        self.invoke = interpreter.invoke

    def prepare(self, shapes: Dict[str, Tuple[int, ...]]) -> None:
        """Set the shapes that differ from the file's, and have the interpreter plan its memory."""
        for one in self.inputs:
            if shapes[one.name] != one.default:
                self._interpreter.resize_tensor_input(self._places[one.name], list(shapes[one.name]))
        self._interpreter.allocate_tensors()

    def feed(self, values: Dict[str, Any]) -> None:
        """Set the values of every input for the next `invoke`."""
        for name, value in values.items():
            self._interpreter.set_tensor(self._places[name], value)

    def outputs(self) -> List[inputs.Output]:
        """Run the model. Returns the name, value and quantisation of every output."""
        return self.named(self.invoke())

    def named(self, _outcome: None) -> List[inputs.Output]:
        """The same for the last `invoke`, which returned None."""
        details = self._interpreter.get_output_details()
        return [
            inputs.Output(one["name"], self._interpreter.get_tensor(one["index"]), _quantization(one))
            for one in details
        ]

    def reader(self) -> Callable[[], Any]:
        """What copies every output, as a program does that uses them; for a model that is prepared."""
        places = [detail["index"] for detail in self._interpreter.get_output_details()]
        return lambda: [self._interpreter.get_tensor(place) for place in places]

    def quantized(self) -> Dict[str, Optional[Tuple[float, int]]]:
        """By output: its quantisation."""
        return {one["name"]: _quantization(one) for one in self._interpreter.get_output_details()}

    def keeps_state(self) -> bool:
        """Whether the model holds resource variables, which `forget` does not reach (measured: litert 2.3)."""
        details = getattr(self._interpreter, "_get_ops_details", None)
        if details is None:
            return True
        return any(one["op_name"] in ("VAR_HANDLE", "CALL_ONCE") for one in details())

    def forget(self) -> None:
        """Reset variable tensors to their initial values."""
        self._interpreter.reset_all_variables()


class SignatureModel:
    """One signature of an open model: only its graph is planned, fed and run.

    `SignatureRunner.__call__` plans, feeds, runs and copies in one step, so the calls that it makes are made here; they
    are the same in tflite-runtime since 2.7 and in ai-edge-litert.
    """

    def __init__(self, interpreter: Any, signature: str) -> None:
        if not hasattr(interpreter, "get_signature_runner"):
            message = "this runtime runs the first signature only; signatures need tflite-runtime 2.7 or later"
            raise refusals.Refused("missing-runtime", message)
        names = list(interpreter.get_signature_list())
        if signature not in names:
            message = "the model has no signature %r; it has: %s" % (signature, ", ".join(names) or "none")
            raise refusals.Refused("wrong-sample", message)
        self._interpreter = interpreter
        self._runner = interpreter.get_signature_runner(signature)
        self._calls = interpreter._interpreter  # noqa: SLF001 - nothing public runs a signature without copying
        self._graph = self._calls.GetSubgraphIndexFromSignature(signature)
        details = self._runner.get_input_details()
        self._places = {name: int(detail["index"]) for name, detail in details.items()}
        self.inputs = [_described(name, detail) for name, detail in details.items()]

    def prepare(self, shapes: Dict[str, Tuple[int, ...]]) -> None:
        """See `Model.prepare`."""
        for one in self.inputs:
            if shapes[one.name] != one.default:
                sizes = np.array(shapes[one.name], dtype=np.int32)
                self._calls.ResizeInputTensor(self._places[one.name], sizes, False, self._graph)  # noqa: FBT003 - not strict
        self._calls.AllocateTensors(self._graph)

    def feed(self, values: Dict[str, Any]) -> None:
        """See `Model.feed`."""
        for name, value in values.items():
            self._calls.SetTensor(self._places[name], value, self._graph)

    def invoke(self) -> None:
        """Run the signature on what it was last fed."""
        self._calls.Invoke(self._graph)

    def outputs(self) -> List[inputs.Output]:
        """See `Model.outputs`; the names are the signature's."""
        self.invoke()
        return self.named(None)

    def named(self, _outcome: None) -> List[inputs.Output]:
        """See `Model.named`."""
        return [
            inputs.Output(name, self._calls.GetTensor(detail["index"], self._graph), _quantization(detail))
            for name, detail in self._runner.get_output_details().items()
        ]

    def reader(self) -> Callable[[], Any]:
        """See `Model.reader`."""
        places = [detail["index"] for detail in self._runner.get_output_details().values()]
        return lambda: [self._calls.GetTensor(place, self._graph) for place in places]

    def quantized(self) -> Dict[str, Optional[Tuple[float, int]]]:
        """See `Model.quantized`."""
        return {name: _quantization(detail) for name, detail in self._runner.get_output_details().items()}

    def keeps_state(self) -> bool:
        """Whether it may hold variables: the operators of other graphs than the first cannot be listed."""
        return True

    def forget(self) -> None:
        """See `Model.forget`."""
        self._interpreter.reset_all_variables()


class Engine:
    """One of the two packages, completely loaded.

    Both load their shared library when the first interpreter is made, and XNNPACK's tables when the first
    operator is delegated: a tiny model brings both into memory before "runtime ready".
    """

    def __init__(self, name: str, threads: int) -> None:
        self.package = PACKAGES[name]
        self._interpreter = importlib.import_module(self.package + ".interpreter").Interpreter
        self.version = str(getattr(importlib.import_module(self.package), "__version__", ""))
        self._threads = threads
        tiny = self._interpreter(model_content=TINY, num_threads=threads)
        tiny.allocate_tensors()
        tiny.invoke()

    def open(self, path: str, signature: Optional[str] = None) -> Union[Model, "SignatureModel"]:
        """Load a model from its file, which is mapped, not read; of several signatures, `signature` runs.

        Raises:
            refusals.Refused: it has no such signature, or the runtime cannot choose one.
            Exception: whatever the runtime raises.
        """
        return wrapped(self.interpreter(path), signature)

    def interpreter(self, path: str, delegates: Sequence[Any] = ()) -> Any:
        """An interpreter of the model, to which `delegates` were applied in their order."""
        given = {"experimental_delegates": list(delegates)} if delegates else {}
        return self._interpreter(model_path=path, num_threads=self._threads, **given)


def wrapped(interpreter: Any, signature: Optional[str]) -> Union[Model, SignatureModel]:
    """The open model of an interpreter; of several signatures, `signature` runs."""
    return Model(interpreter) if signature is None else SignatureModel(interpreter, signature)


def _described(name: str, detail: Dict[str, Any]) -> inputs.Input:
    default = tuple(int(size) for size in detail["shape"])
    signature = [int(size) for size in detail.get("shape_signature", ())]
    dims = tuple(size if size >= 0 else None for size in signature) if len(signature) == len(default) else default
    return inputs.Input(name, np.dtype(detail["dtype"]), dims, default, _quantization(detail))


def _quantization(detail: Dict[str, Any]) -> Optional[Tuple[float, int]]:
    scale, zero = detail["quantization"]
    return (float(scale), int(zero)) if scale else None
