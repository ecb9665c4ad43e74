"""Engines that open models on an accelerator, and the check that something of the model ran there."""

from typing import Any, Dict

from edgecheck_agent import accelerators, events, refusals, runtimes


def asked_for(spec: Dict[str, Any]) -> accelerators.Asked:
    """What the spec of a worker asks for."""
    wanted = spec["accelerator"]
    return accelerators.Asked(wanted["provider"], wanted["precision"], spec["threads"], spec.get("cache", ""))


def ensure_available(spec: Dict[str, Any], loaded: runtimes.Loaded) -> None:
    """Check that the runtime has the accelerator.

    Raises:
        refusals.Refused: it does not, or a library is missing; the message says what there is, and the next step.
    """
    asked = asked_for(spec)
    missing = accelerators.module(asked.provider).available(asked, loaded)
    if missing:
        raise refusals.Refused("no-accelerator", missing)


def engine(spec: Dict[str, Any], loaded: runtimes.Loaded) -> Any:
    """What opens models on the accelerator; with the runtime's profiler on if the worker is to profile."""
    asked = asked_for(spec)
    folder = spec["folder"] if spec["purpose"] == "profile" else ""
    if spec["format"] == "onnx":
        from edgecheck_agent.accelerators import onnx_sessions

        return onnx_sessions.Engine(loaded.engine, asked, folder)
    from edgecheck_agent.accelerators import tflite_models

    return tflite_models.engine(loaded, asked, profiles=bool(folder))


def prove(spec: Dict[str, Any], model: Any, report: events.Report) -> None:
    """Send where the nodes of a model ran, which has run once; nothing where the profile shows it.

    Raises:
        refusals.Refused: none ran on the accelerator.
    """
    if not hasattr(model, "placed"):
        return
    asked = asked_for(spec)
    proof = accelerators.module(asked.provider).proof(model)
    report.send("placement", **proof.event())
    for code, message in getattr(model, "doubts", ()):
        report.send("note", code=code, message=message)
    if proof.total and not proof.taken:
        reasons = sorted({node.reason for node in proof.left if node.reason})
        why = ": %s" % "; ".join(reasons[:3]) if reasons else ""
        message = "nothing of the model ran on %s (0 of %d nodes, by %s): the CPU ran it%s" % (
            asked.provider,
            proof.total,
            proof.source,
            why,
        )
        raise refusals.Refused("unused-accelerator", message)
