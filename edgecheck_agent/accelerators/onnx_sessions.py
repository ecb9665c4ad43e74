"""Sessions of onnxruntime on an execution provider, and what onnxruntime says about who runs which node."""

import os
import re
from typing import Any, Dict, List, Optional, Tuple

import onnxruntime

from edgecheck_agent import accelerators, onnx_engine, onnx_profile, refusals, sayings
from edgecheck_agent.accelerators import Asked, Node, Proof, said

# By execution provider: what to do where a build lacks it.
_BRING = "install %s there, or have edgecheck bring it: --runtime %s"
_NEXT = {
    "CUDAExecutionProvider": _BRING % ("onnxruntime-gpu (on a Jetson, the build for its JetPack)", "onnxruntime-gpu"),
    "TensorrtExecutionProvider": _BRING
    % ("onnxruntime-gpu and TensorRT (on a Jetson, both of its JetPack)", "onnxruntime-gpu"),
    "OpenVINOExecutionProvider": _BRING % ("onnxruntime-openvino", "onnxruntime-openvino"),
    "NnapiExecutionProvider": "no Python package has it: install your own build of onnxruntime for Android there",
}

# What onnxruntime raises where a library or a driver is missing, rather than leaving the provider out.
_MISSING = re.compile(r"[Ii]nstall .*(?:librar|dependenc)|CUDA (?:failure|driver|error)|no CUDA-capable")

# Since 1.24: https://onnxruntime.ai/docs/api/c/ (Session_GetEpGraphAssignmentInfo).
_RECORD = ("session.record_ep_graph_assignment_info", "1")
# A line of its log, an error or a warning: what comes after where it was written.
_COMPLAINT = re.compile(r"\[[EW]:onnxruntime:[^\]]*\] (.+)")
_CODE = re.compile(r"^: -?\d+ : \w+ : ")
_MOST_WORDS = 500
BY_ASSIGNMENT = "onnxruntime's graph assignment"
BY_SESSION = "onnxruntime's list of the session's providers"


def missing(asked: Asked, execution_provider: str) -> str:
    """Why onnxruntime cannot use an execution provider; empty if its build has it.

    That it is in the build says nothing about the libraries that it needs: a session shows that (`opened`).
    """
    there = onnxruntime.get_available_providers()
    if execution_provider in there:
        return ""
    return "%s is not in this build: onnxruntime %s on the device has %s; %s" % (
        asked.provider,
        onnxruntime.__version__,
        ", ".join(there),
        _NEXT[execution_provider],
    )


class Model(onnx_engine.Model):
    """A model with a session on an execution provider."""

    def __init__(self, session: Any, execution_provider: str) -> None:
        super().__init__(session)
        self.placed = placement(session, execution_provider)


class ProfiledModel(onnx_profile.Model):
    """The same with the profiler on."""

    def __init__(self, session: Any, execution_provider: str) -> None:
        super().__init__(session)
        self.placed = placement(session, execution_provider)


class Engine:
    """Opens models on an execution provider; with `folder`, their sessions write a profile into it."""

    def __init__(self, engine: Any, asked: Asked, folder: str) -> None:
        self._engine = engine
        self._asked = asked
        self._profile = os.path.join(folder, "onnxruntime") if folder else ""
        self._module = accelerators.module(asked.provider)

    def open(self, path: str, _signature: Optional[str] = None) -> Any:
        """Load a model from its file.

        Raises:
            refusals.Refused: the provider could not be made, as where a library is missing.
            Exception: whatever the runtime raises.
        """
        wanted: List[Tuple[str, Dict[str, str]]] = self._module.options(self._asked)
        first = wanted[0][0]
        entries = [_RECORD] if records_assignment() else []
        log = said.Log()
        try:
            with said.heard(log):
                session = self._engine.session(path, profile=self._profile, providers=wanted, entries=entries)
        except Exception as error:
            if not _MISSING.search(str(error)):
                raise
            message = "onnxruntime could not start %s: %s" % (first, sayings.understood(str(error))[1])
            raise refusals.Refused("no-accelerator", message) from error
        there = session.get_providers()
        if first not in there:
            why = reasons(log.text) or self._module.NEEDS
            message = "onnxruntime could not start %s, and went on with %s: %s" % (first, ", ".join(there), why)
            raise refusals.Refused("no-accelerator", message)
        return (ProfiledModel if self._profile else Model)(session, first)


def reasons(log: str) -> str:
    """Why a provider was not made, in onnxruntime's words; empty if it printed nothing about that."""
    found = [" ".join(_CODE.sub("", text.rpartition("] ")[2]).split()).rstrip(".") for text in _COMPLAINT.findall(log)]
    return "; ".join(dict.fromkeys(text for text in found if text))[:_MOST_WORDS]


def records_assignment() -> bool:
    """Whether this onnxruntime says which provider was given which node."""
    return hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info")


def placement(session: Any, execution_provider: str) -> Proof:
    """Who runs the nodes of a session's model: as the runtime divided the graph, before it fused nodes.

    An onnxruntime older than 1.24 does not say. There the session's providers say that something may run on the
    accelerator, and the profile what did.
    """
    if not records_assignment():
        return Proof(execution_provider, 0, 0, [], BY_SESSION)
    taken, left = 0, []
    for part in session.get_provider_graph_assignment_info():
        nodes = part.get_nodes()
        if part.ep_name == execution_provider:
            taken += len(nodes)
        else:
            left += [Node(node.op_type, node.name, part.ep_name) for node in nodes]
    return Proof(execution_provider, taken, taken + len(left), left, BY_ASSIGNMENT)
