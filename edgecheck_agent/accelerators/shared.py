"""What accelerators do alike: a module takes these for its own `proof`, `memory` and `profiled`, or has another."""

from typing import Any

from edgecheck_agent import refusals, runtimes
from edgecheck_agent.accelerators import Asked, Proof
from edgecheck_agent.accelerators.memory import Meter


def proof(model: Any) -> Proof:
    """Where the nodes run, as the model has found out."""
    placed: Proof = model.placed
    return placed


def memory(pid: int, provider: str) -> Meter:
    """What reads the memory that a process takes on it, from now on."""
    return Meter(pid, provider)


def no_profiler(_loaded: runtimes.Loaded, asked: Asked) -> Any:
    """The interpreter that takes a delegate has no profiler.

    Raises:
        refusals.Refused: always.
    """
    raise refusals.Refused("no-profile", "the runtime has no profiler for %s" % asked.provider)
