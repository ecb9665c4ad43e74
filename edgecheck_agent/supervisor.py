"""Runs one job on a device: `supervisor.py JOB.json`, `supervisor.py -` (the job on stdin), `supervisor.py --probe`.

`supervisor.py --ready RUNTIME -` loads the runtime, which RUNTIME describes in JSON, before it reads the job.

Writes JSON lines on stdout and nothing else; docs/reference/agent-protocol.md describes them. Exit codes: 0 the job was
done, whatever the result; 2 the job could not be started (a `problem` event says why); 70 an internal error of the
agent; 130 interrupted; 143 stopped by a signal, or the host has hung up.
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

import contextlib
import json
import traceback
from typing import Any, Dict, List, Optional, Tuple

from edgecheck_agent import android, child, clusters, device_lock, device_state, events, jobs, passes, pinning, watching

#: Exit codes: the job could not be started; an internal error of the agent.
BAD_JOB = 2
FAULT = 70

#: Arguments where a runtime is to be loaded beforehand: `--ready RUNTIME -`, or a file in place of `-`.
READY_ARGUMENTS = 3


def main(arguments: List[str]) -> int:
    """Do what the arguments say. Returns the exit code."""
    watch = watching.Watch()
    out = events.Stdout(watch)
    try:
        if arguments == ["--probe"]:
            from edgecheck_agent.accelerators import present  # jobs do without it

            out.emit("device", accelerators=present.found(), **device_state.state("before"))
        else:
            runtime, arguments = _prepared(arguments)
            with child.Ready(runtime, watch) as waiting:
                _run(_job(arguments, watch), watch, out, waiting)
    except watching.Stopped as stopped:
        return stopped.code
    except jobs.BadJob as bad:
        with contextlib.suppress(watching.Stopped):  # the host that sent it may already be gone
            out.emit("problem", code=bad.code, message=bad.message)
        return BAD_JOB
    except Exception as error:  # noqa: BLE001 - the host must learn of it; the traceback is on stderr
        traceback.print_exc()
        with contextlib.suppress(watching.Stopped):
            out.emit("problem", code="agent-fault", message="%s: %s" % (type(error).__name__, error))
        return FAULT
    return 0


def _prepared(arguments: List[str]) -> Tuple[Optional[str], List[str]]:
    """The runtime to load beforehand, if any, and the arguments without it."""
    if len(arguments) == READY_ARGUMENTS and arguments[0] == "--ready":
        return arguments[1], arguments[2:]
    return None, arguments


def _run(job: Dict[str, Any], watch: watching.Watch, out: events.Stdout, waiting: child.Ready) -> None:
    if job["watch_stdin"]:
        watch.follow_stdin(job["heartbeat_s"])
    pin = job["threads"] if job["pin"] else 0
    with device_lock.taken(job, watch, out), clusters.held(job, out), pinning.pinned(pin, out):
        android.cooled(watch, out, job["cooling_s"])
        out.emit("device", **device_state.state("before"))
        todo = passes.Passes(job, watch, out, waiting)
        todo.run()
        out.emit("device", **device_state.state("after"))
    out.emit("done", processes=todo.count)


def _job(arguments: List[str], watch: watching.Watch) -> Dict[str, Any]:
    if len(arguments) != 1:
        raise jobs.BadJob("usage", "usage: supervisor.py [--ready RUNTIME] JOB.json, or - for stdin, or --probe")
    if arguments == ["-"]:
        return jobs.parse(_from_stdin(watch), os.getcwd())
    try:
        with open(arguments[0], encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        raise jobs.BadJob("bad-job", "the job cannot be read: %s" % error) from error
    return jobs.parse(text, os.path.dirname(os.path.abspath(arguments[0])))


def _from_stdin(watch: watching.Watch) -> str:
    """The job, up to the line that completes it: stdin may stay open, as the host's sign of life."""
    text = b""
    while True:
        watch.wait([0])
        piece = os.read(0, 65536)
        text += piece
        if not piece or (text.endswith(b"\n") and _is_complete(text)):
            return text.decode("utf-8", "replace")


def _is_complete(text: bytes) -> bool:
    try:
        json.loads(text.decode("utf-8", "replace"))
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
