"""Runs .onnx files with onnxruntime: on the CPU, with a fixed number of threads, silently."""

import base64
import functools
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import onnxruntime

from edgecheck_agent import inputs, refusals

NAME = "onnxruntime"
VERSION = onnxruntime.__version__

# y = Abs(x) on one float, IR version 3, opset 7: what the oldest runtime in the field takes.
TINY = base64.b64decode("CAM6MgoLCgF4EgF5IgNBYnMSAWdaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAH")

_WARNING, _ERROR = 2, 3  # severities
_TYPES = {
    "float": "float32",
    "float16": "float16",
    "double": "float64",
    "bool": "bool",
    "string": "object",
    "complex64": "complex64",
    "complex128": "complex128",
}
_TYPES.update((kind, kind) for size in (8, 16, 32, 64) for kind in ("int%d" % size, "uint%d" % size))


class Model:
    """One open model; `invoke` runs it on what it was last fed."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._names = [one.name for one in session.get_outputs()]
        self._feeds: Dict[str, Any] = {}
        self.inputs = [_described(one) for one in session.get_inputs()]
        self.invoke = functools.partial(session.run, self._names, self._feeds)

    def prepare(self, shapes: Dict[str, Tuple[int, ...]]) -> None:
        """Do nothing: shapes come with the values."""

    def feed(self, values: Dict[str, Any]) -> None:
        """Set the values of every input for the next `invoke`."""
        self._feeds.update(values)

    def outputs(self) -> List[inputs.Output]:
        """Run the model. Returns the name, value and quantisation of every output."""
        return self.named(self.invoke())

    def named(self, outcome: List[Any]) -> List[inputs.Output]:
        """The same for an earlier `invoke`, which returned `outcome`."""
        return [inputs.Output(self._names[at], value, None) for at, value in enumerate(outcome)]

    def keeps_state(self) -> bool:
        """Never: an .onnx model's state goes in and out with its inputs and outputs."""
        return False

    def forget(self) -> None:
        """Do nothing: there is no state."""


class Engine:
    """The runtime, completely loaded: the last parts come into memory with a first session, of a tiny model."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        onnxruntime.set_default_logger_severity(_ERROR)
        tiny = self.session(TINY)
        tiny.run(None, {"x": np.zeros(1, dtype=np.float32)})

    def open(self, path: str, _signature: None = None) -> Model:
        """Load a model from its file; a job names no signature for an `.onnx`, which has none.

        Raises:
            refusals.Refused: an input has a type that cannot be fed.
            Exception: whatever the runtime raises.
        """
        return Model(self.session(path))

    def session(
        self,
        model: Any,
        profile: str = "",
        providers: Sequence[Tuple[str, Dict[str, str]]] = (),
        entries: Sequence[Tuple[str, str]] = (),
    ) -> Any:
        """A session of a model, given as its path or its bytes; with `profile`, it writes one to files named so.

        `providers` come before the CPU's, each with its options; `entries` are the session's configuration.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _WARNING if providers else _ERROR  # why a provider is not used is a warning
        if profile:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        for key, value in entries:
            options.add_session_config_entry(key, value)
        # With the fallback, a provider that fails is replaced by the CPU, and a line on stdout is all that says so.
        strict = {"enable_fallback": 0} if providers else {}
        return onnxruntime.InferenceSession(model, options, providers=[*providers, "CPUExecutionProvider"], **strict)


def _described(one: Any) -> inputs.Input:
    kind = one.type
    inner = kind[len("tensor(") : -1] if kind.startswith("tensor(") else ""
    if inner not in _TYPES:
        message = "input %s is a %s, which edgecheck cannot feed: numpy has no such type" % (one.name, kind)
        raise refusals.Refused("input-type", message)
    dims = tuple(size if isinstance(size, int) and size >= 0 else None for size in one.shape)
    default = tuple(1 if size is None else size for size in dims)
    return inputs.Input(one.name, np.dtype(_TYPES[inner]), dims, default, None)
