"""Runs .tflite files with either of two Python packages: ai-edge-litert or tflite-runtime."""

import base64
import importlib
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from edgecheck_agent import inputs

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

    def outputs(self) -> List[Tuple[str, Any, Optional[Tuple[float, int]]]]:
        """Run the model. Returns the name, value and quantisation of every output."""
        return self.named(self.invoke())

    def named(self, _outcome: None) -> List[Tuple[str, Any, Optional[Tuple[float, int]]]]:
        """The same for the last `invoke`, which returned None."""
        details = self._interpreter.get_output_details()
        return [(one["name"], self._interpreter.get_tensor(one["index"]), _quantization(one)) for one in details]

    def keeps_state(self) -> bool:
        """Whether the model holds resource variables, which `forget` does not reach (measured: litert 2.3)."""
        details = getattr(self._interpreter, "_get_ops_details", None)
        if details is None:
            return True
        return any(one["op_name"] in ("VAR_HANDLE", "CALL_ONCE") for one in details())

    def forget(self) -> None:
        """Reset variable tensors to their initial values."""
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

    def open(self, path: str) -> Model:
        """Load a model from its file, which is mapped, not read; raises what the runtime raises."""
        return Model(self._interpreter(model_path=path, num_threads=self._threads))


def _described(name: str, detail: Dict[str, Any]) -> inputs.Input:
    default = tuple(int(size) for size in detail["shape"])
    signature = [int(size) for size in detail.get("shape_signature", ())]
    dims = tuple(size if size >= 0 else None for size in signature) if len(signature) == len(default) else default
    return inputs.Input(name, np.dtype(detail["dtype"]), dims, default, _quantization(detail))


def _quantization(detail: Dict[str, Any]) -> Optional[Tuple[float, int]]:
    scale, zero = detail["quantization"]
    return (float(scale), int(zero)) if scale else None
