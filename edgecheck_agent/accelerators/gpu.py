"""GPUs by LiteRT's compiled models: OpenCL, Vulkan, Metal or WebGPU, by the accelerator library that is next to it.

https://ai.google.dev/edge/litert/next/gpu. Three things make a GPU look used that is not, or quicker than it is: with
its library missing, LiteRT goes on with the CPU; `is_fully_accelerated` is true for a model that XNNPACK runs entirely;
and `run` returns while the GPU works. So what LiteRT itself logs is read here, the question asked is whether something
other than the CPU runs everything, and the outputs are read each time.
"""

import glob
import os
import re
from typing import Any, List, Optional, Tuple, Union

from edgecheck_agent import inputs, litert_library, refusals, runtimes, tflite_engine
from edgecheck_agent.accelerators import Asked, Node, Proof, said, shared, tflite_models

# What the accelerator's library is called; the first that is there is loaded.
_LIBRARIES = "libLiteRt*Accelerator.so"
# LiteRtDelegatePrecision, in the TOML that the accelerator reads; the default is fp16 where the GPU has it.
_PRECISIONS = {"fp32": b"precision = 2\n", "fp16": b"precision = 1\n"}
_OPTIONS = b"gpu_options"
_WHAT = "GPU accelerator: use ai-edge-litert==2.3.0, or newer"

# What the GPU's delegate logs of each graph of which it leaves something, and of each type that it does not know.
_SPLIT = re.compile(
    r"(\d+|No) operations will run on the GPU, and (?:the remaining|all) (\d+) operations will run on the CPU"
)
_LEFT = re.compile(r"^([A-Z][A-Z0-9_]+): (\S.*)$", re.MULTILINE)
_LEVELS = ("INFO", "WARNING", "ERROR", "VERBOSE")
_ADAPTER = re.compile(r"Selected adapter: (.+)")
_SOFTWARE = "adapterType=CPU"
# Why there is no GPU, in the words of the library that looked for one.
_NONE = re.compile(r"Failed to (?:initialize|get or create) .*?: (?:INTERNAL: )?([^\n]+)")
BY_LOG = "LiteRT's own account"


def available(_asked: Asked, loaded: runtimes.Loaded) -> str:
    """Why it cannot be used; empty if it can. That there is a GPU shows when a model is opened."""
    try:
        library = litert_library.library(loaded.engine.package, loaded.version, "no-accelerator", _WHAT)
    except refusals.Refused as refused:
        return refused.message
    if glob.glob(os.path.join(library.folder, _LIBRARIES)):
        return ""
    return "%s %s on the device has no GPU accelerator (%s): install a wheel that has one" % (
        loaded.name,
        loaded.version,
        _LIBRARIES,
    )


def options(asked: Asked, _package: str) -> litert_library.Setting:
    """How models are compiled: what the GPU does not take goes to the CPU.

    Raises:
        refusals.Refused: it has no such precision.
    """
    if asked.precision and asked.precision not in _PRECISIONS:
        raise refusals.Refused("no-accelerator", "LiteRT has no precision %r for a GPU" % asked.precision)
    chosen = ((_OPTIONS, _PRECISIONS[asked.precision]),) if asked.precision else ()
    return litert_library.Setting(asked.threads, litert_library.GPU | litert_library.CPU, chosen)


def engine(loaded: runtimes.Loaded, asked: Asked) -> "Engine":
    """What opens models on the GPU."""
    return Engine(loaded, options(asked, loaded.engine.package))


def profiled(_loaded: runtimes.Loaded, _asked: Asked) -> Any:
    """There is no profiler: with LiteRT's on, a model on a GPU does not run (2.3)."""
    raise refusals.Refused("no-profile", "LiteRT has no profiler for a GPU")


proof, memory = shared.proof, shared.memory


class Engine:
    """Compiles models for the GPU."""

    def __init__(self, loaded: runtimes.Loaded, setting: litert_library.Setting) -> None:
        self._engine = loaded.engine
        self._library = litert_library.library(loaded.engine.package, loaded.version, "no-accelerator", _WHAT)
        self._setting = setting

    def open(self, path: str, signature: Optional[str] = None) -> "Model":
        """Compile a model from its file; of several signatures, `signature` runs, else the first.

        Raises:
            refusals.Refused: no GPU could be started.
            RuntimeError: the library does not take the model.
        """
        interpreter = self._engine.interpreter(path)
        types = [str(one["op_name"]) for one in tflite_models.operators(interpreter)] if signature is None else []
        described = tflite_engine.wrapped(interpreter, signature)
        log = said.Log()
        try:
            with said.heard(log):
                compiled = litert_library.Compiled(self._library, path, self._setting, signature)
        except RuntimeError as error:
            missing = _NONE.findall(log.text)
            if not missing:
                raise
            raise refusals.Refused("no-accelerator", "LiteRT found no GPU that it can use: %s" % missing[0]) from error
        wholly = self._library.truth("LiteRtCompiledModelIsNonCpuFullyAccelerated", compiled.handle)
        return Model(compiled, described, placement(log.text, types, wholly=wholly))


class Model(litert_library.Model):
    """A compiled model with the methods of `tflite_engine.Model`."""

    def __init__(
        self,
        compiled: litert_library.Compiled,
        described: Union[tflite_engine.Model, tflite_engine.SignatureModel],
        placed: Proof,
    ) -> None:
        super().__init__(compiled, described.inputs)
        self.placed = placed
        self.keeps_state = described.keeps_state
        self._quantized = described.quantized()
        self._returned = compiled.names("Output")

    @property
    def doubts(self) -> List[Tuple[str, str]]:
        """Codes and messages of notes about the GPU."""
        if _SOFTWARE not in self.placed.accelerator:
            return []
        return [("software-gpu", "%s is a program that runs on the CPU" % self.placed.accelerator)]

    def invoke(self) -> List[Any]:
        """Run the model, and read its outputs, which waits for the GPU."""
        self._compiled.run()
        return self._compiled.read()

    def outputs(self) -> List[inputs.Output]:
        """Run the model. Returns the name, value and quantisation of every output."""
        return self.named(self.invoke())

    def named(self, outcome: List[Any]) -> List[inputs.Output]:
        """The same for an earlier `invoke`, which returned `outcome`."""
        return [inputs.Output(name, outcome[at], self._quantized.get(name)) for at, name in enumerate(self._returned)]

    def forget(self) -> None:
        """Do nothing: a compiled model with variables is opened again."""


def placement(log: str, types: List[str], *, wholly: bool) -> Proof:
    """Who runs the operators of the first graph, by what LiteRT logs while it compiles the model.

    `types` are those of the operators, and `wholly` is whether LiteRT says that something other than the CPU runs
    everything. The log has the number of operators that are left, and the types that the GPU does not know; others are
    left because they are among these.
    """
    adapter = _ADAPTER.search(log)
    name = "GPU (%s)" % adapter.group(1).strip() if adapter else "GPU"
    split = _SPLIT.search(log)
    total = len(types)
    if split is not None:
        taken = 0 if split.group(1) == "No" else int(split.group(1))
        total = taken + int(split.group(2))
    else:
        taken = max(total, 1) if wholly else 0
        total = max(total, taken)
    reasons = {kind: why.rstrip(".") for kind, why in _LEFT.findall(log) if kind not in _LEVELS}
    left = [Node(kind, "#%d" % at, "CPU", reasons[kind]) for at, kind in enumerate(types) if kind in reasons]
    left = left[: total - taken]
    left += [Node("(not named)", "", "CPU")] * (total - taken - len(left))
    return Proof(name, taken, total, left, BY_LOG)
