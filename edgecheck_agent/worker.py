"""The inference process: a fresh Python that loads a runtime, opens the model, runs it for one purpose, and exits.

    worker.py DESCRIPTOR < SPEC        started by supervisor.py; events go to the descriptor

The spec is two lines of JSON: which runtime to load and then, when that is done, what to do with it. Nothing but the
standard library is imported before the phase "start" is reported.
"""

import importlib
import os
import sys

if not __package__:  # started as a file: import its package, and nothing else from here or from next to it
    _FOLDER = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != _FOLDER]
    sys.path.insert(0, os.path.dirname(_FOLDER))
    importlib.import_module("edgecheck_agent")
    del sys.path[0]

import json
import traceback
from typing import Any, Dict

from edgecheck_agent import events, refusals, runtimes


def main() -> None:
    """Read the spec from stdin, do it, and report the outcome."""
    first = json.loads(sys.stdin.readline())
    report = events.Report(int(sys.argv[1]), first["process"], first["started"], shares=first["shares"])
    sys.path[:0] = first["python_path"]
    try:
        report.phase("start")
        held = _work(first, report)
    except refusals.Refused as refused:
        report.send("finished", outcome="refused", reason=refused.reason, message=refused.message)
    except Exception as error:  # noqa: BLE001 - the supervisor reports it; the traceback is in the tail of stderr
        traceback.print_exc()
        message = "internal error of the agent: %s: %s" % (type(error).__name__, error)
        report.send("finished", outcome="crashed", reason="agent-fault", message=message)
    else:
        report.send("finished", outcome="completed", reason=None, message="")
        del held


def _work(first: Dict[str, Any], report: events.Report) -> Any:
    loaded = runtimes.load(first["format"], first["runtime"], first["threads"])
    from edgecheck_agent import inference  # it needs numpy, which is loaded by now

    numpy = sys.modules["numpy"].__version__
    python = "%d.%d.%d" % sys.version_info[:3]
    report.send("runtime", name=loaded.name, version=loaded.version, python=python, numpy=numpy)
    if first["accelerator"]:
        from edgecheck_agent.accelerators import engines

        engines.ensure_available(first, loaded)
    line = sys.stdin.readline()
    if not line:
        raise refusals.Refused("other", "the supervisor is gone")
    spec = json.loads(line)
    report.count_from(spec["started"])
    return inference.run(spec, loaded, report)


if __name__ == "__main__":
    main()
