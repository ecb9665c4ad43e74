"""Models of LiteRT on a delegate, and what its interpreter says about who runs which operator."""

from typing import Any, Dict, List, Optional, Set, Tuple

from edgecheck_agent import accelerators, inputs, runtimes, tflite_engine
from edgecheck_agent.accelerators import Asked, Node, Proof

# Where the interpreter lists its operators, a partition that a delegate took over is an operator of this name.
_DELEGATE = "DELEGATE"
BY_LIST = "the interpreter's list of delegated operators"


def engine(loaded: runtimes.Loaded, asked: Asked, *, profiles: bool) -> Any:
    """What opens models on the accelerator.

    Raises:
        refusals.Refused: it is to profile, and this accelerator has no profiler.
    """
    module = accelerators.module(asked.provider)
    if profiles:
        return module.profiled(loaded, asked)
    return module.engine(loaded, asked)


class Engine:
    """Opens models with delegates; without any, with those that the runtime itself applies (XNNPACK)."""

    def __init__(self, engine: Any, asked: Asked, delegates: List[Any]) -> None:
        self._engine = engine
        self._asked = asked
        self._delegates = delegates

    def open(self, path: str, signature: Optional[str] = None) -> "Model":
        """Load a model, and hand what the delegates take of it over to them.

        Raises:
            refusals.Refused: it has no such signature.
            Exception: whatever the runtime or the delegate raises.
        """
        interpreter = self._engine.interpreter(path, self._delegates)
        return Model(interpreter, signature, self._asked.provider, is_default=not self._delegates)


class Model:
    """A model of which a delegate has taken operators; see `tflite_engine.Model`.

    `invoke` also copies the outputs: a delegate may return while its device still works, or leave them there, and a
    time without them would be that of handing over the work.
    """

    def __init__(self, interpreter: Any, signature: Optional[str], provider: str, *, is_default: bool) -> None:
        self._interpreter = interpreter
        self._model = tflite_engine.wrapped(interpreter, signature)
        self._provider = provider
        self._is_default = is_default
        self._is_first_graph = signature is None
        # Those of a delegate that was asked for. What the runtime itself applies comes when tensors are allocated.
        self._asked_for = operators(interpreter)
        self.inputs = self._model.inputs
        self.feed = self._model.feed
        self.named = self._model.named
        self.keeps_state = self._model.keeps_state
        self.forget = self._model.forget
        self._read = self._model.reader()

    def prepare(self, shapes: Dict[str, Tuple[int, ...]]) -> None:
        """See `tflite_engine.Model.prepare`."""
        self._model.prepare(shapes)
        self._read = self._model.reader()

    def invoke(self) -> None:
        """Run the model on what it was last fed, and read its outputs."""
        self._model.invoke()
        self._read()

    def outputs(self) -> List[inputs.Output]:
        """See `tflite_engine.Model.outputs`."""
        self._model.invoke()
        return self.named(None)

    @property
    def placed(self) -> Proof:
        """Who runs the operators of the first graph; no other is listed."""
        if not self._is_first_graph:
            return Proof(self._provider, 0, 0, [], BY_LIST)
        found = operators(self._interpreter) if self._is_default else self._asked_for
        return placement(found, self._provider)


def operators(interpreter: Any) -> List[Dict[str, Any]]:
    """What an interpreter says about its operators: `op_name`, `inputs` and `outputs`; empty where it lists none."""
    details = getattr(interpreter, "_get_ops_details", None)
    return list(details()) if details is not None else []


def placement(found: List[Dict[str, Any]], provider: str) -> Proof:
    """Which operators delegates have taken: those on the way from the outputs of a partition to its inputs."""
    nodes = [one for one in found if one["op_name"] != _DELEGATE]
    makers = {int(tensor): at for at, one in enumerate(nodes) for tensor in one["outputs"]}
    taken: Set[int] = set()
    for partition in (one for one in found if one["op_name"] == _DELEGATE):
        given = {int(tensor) for tensor in partition["inputs"]}
        wanted = [int(tensor) for tensor in partition["outputs"]]
        while wanted:
            tensor = wanted.pop()
            at = makers.get(tensor, -1)
            if tensor not in given and at >= 0 and at not in taken:
                taken.add(at)
                wanted += [int(each) for each in nodes[at]["inputs"]]
    left = [Node(str(one["op_name"]), "#%d" % at, "CPU") for at, one in enumerate(nodes) if at not in taken]
    return Proof(provider, len(taken), len(nodes), left, BY_LIST)
