"""Loads the runtime: the one that is named, or the first for the format that not only imports but works."""

from typing import Any, NamedTuple, Optional

from edgecheck_agent import refusals

# Packages by format, in the order in which they are tried: nothing heavier is ever loaded.
RUNTIMES = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-litert", "tflite-runtime")}


class Loaded(NamedTuple):
    """A runtime that has run a tiny model: its library is in memory."""

    name: str
    version: str
    engine: Any


def load(form: str, name: Optional[str], threads: int) -> Loaded:
    """The named runtime, or the first that works for the format.

    Raises:
        refusals.Refused: none works; tflite-runtime with numpy 2, for example, imports and then fails.
    """
    doubts = []
    for candidate in [name] if name else RUNTIMES[form]:
        try:
            return _loaded(candidate, threads)
        except Exception as error:  # noqa: BLE001 - whatever a broken installation raises, the next may work
            doubts.append("%s: %s" % (candidate, " ".join(str(error).split())[:300] or type(error).__name__))
    raise refusals.Refused("missing-runtime", "no runtime for .%s works here (%s)" % (form, "; ".join(doubts)))


def _loaded(name: str, threads: int) -> Loaded:
    if name == "onnxruntime":
        from edgecheck_agent import onnx_engine

        return Loaded(name, onnx_engine.VERSION, onnx_engine.Engine(threads))
    from edgecheck_agent import tflite_engine

    engine = tflite_engine.Engine(name, threads)
    return Loaded(name, engine.version, engine)
