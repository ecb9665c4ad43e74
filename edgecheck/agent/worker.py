"""The inference process: one fresh Python that loads a runtime, opens the model, runs it for one purpose, and ends.

    worker.py DESCRIPTOR < SPEC        started by supervisor.py; events go to the descriptor

The spec is two lines of JSON: which runtime to load, then, when that is done, what to do with it. Nothing but the
standard library is imported before the phase "start" is told.
"""

import importlib
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any, Dict

if TYPE_CHECKING:
    from edgecheck.agent import refusals, reporting, runtimes
else:
    import refusals
    import reporting
    import runtimes


def main() -> None:
    """Read the spec from stdin and report how it went."""
    first = json.loads(sys.stdin.readline())
    report = reporting.Report(int(sys.argv[1]), first["process"], first["started"], shares=first["shares"])
    sys.path[1:1] = first["python_path"]  # behind the agent: a bundle may hold a module of the same name
    try:
        report.phase("start")
        held = _work(first, report)
    except refusals.Refused as refused:
        report.send("finished", outcome="refused", reason=refused.reason, message=refused.message)
    except Exception as error:  # noqa: BLE001 - the supervisor tells it; the traceback is in the tail of stderr
        traceback.print_exc()
        message = "a fault of the agent's own: %s: %s" % (type(error).__name__, error)
        report.send("finished", outcome="crashed", reason="agent-fault", message=message)
    else:
        report.send("finished", outcome="completed", reason=None, message="")
        del held


def _work(first: Dict[str, Any], report: reporting.Report) -> Any:
    loaded = runtimes.load(first["format"], first["runtime"], first["threads"])
    inference = importlib.import_module("inference")  # it needs numpy, which is there by now
    numpy = sys.modules["numpy"].__version__
    python = "%d.%d.%d" % sys.version_info[:3]
    report.send("runtime", name=loaded.name, version=loaded.version, python=python, numpy=numpy)
    line = sys.stdin.readline()
    if not line:
        raise refusals.Refused("other", "the supervisor is gone")
    spec = json.loads(line)
    report.count_from(spec["started"])
    return inference.run(spec, loaded, report)


if __name__ == "__main__":
    main()
