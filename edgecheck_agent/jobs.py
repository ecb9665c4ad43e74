"""The job: what the host wants done, checked key by key before anything starts."""

import json
import os
from typing import Any, Dict, NamedTuple, Tuple

from edgecheck_agent import accelerators, runtimes

PROTOCOL = 1


class BadJob(Exception):  # noqa: N818 - sent to the host as a problem
    """The job cannot be done; `code` is that of the `problem` event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Key(NamedTuple):
    """The types that a key takes, as JSON has them, and its value when it is left out."""

    types: Tuple[type, ...]
    default: Any


# What a worker needs in order to load its runtime; the rest of a job may come later.
RUNTIME_KEYS = ("format", "runtime", "threads", "python_path", "launcher", "accelerator")

# Which cores a device with several kinds runs a check on.
CLUSTERS = ("big", "middle", "little", "any")

_REQUIRED = object()
_NONE = type(None)
_NUMBER = (int, float)

KEYS = {
    "protocol": Key((int,), _REQUIRED),
    "model": Key((str,), _REQUIRED),
    "format": Key((str,), _REQUIRED),
    "runtime": Key((str, _NONE), None),
    "python_path": Key((list,), []),
    "launcher": Key((list,), []),
    "threads": Key((int,), 1),
    "accelerator": Key((dict, _NONE), None),
    "seed": Key((int,), 0),
    "inputs": Key((dict,), {}),
    "samples": Key((str, _NONE), None),
    "signature": Key((str, _NONE), None),
    "deadline_s": Key(_NUMBER, 600),
    "lock": Key((str, bool, _NONE), None),
    "lock_timeout_s": Key((*_NUMBER, _NONE), None),
    "holder": Key((str, _NONE), None),
    "watch_stdin": Key((bool,), default=False),
    "heartbeat_s": Key((*_NUMBER, _NONE), None),
    "latency": Key((dict, _NONE), None),
    "deterministic": Key((dict, _NONE), None),
    "load": Key((dict, _NONE), None),
    "memory": Key((dict, _NONE), None),
    "outputs": Key((bool,), default=False),
    "profile": Key((dict, _NONE), None),
    "pin": Key((bool,), default=False),
    "cluster": Key((str, _NONE), None),
    "cooling_s": Key(_NUMBER, 300),
}
PLANS = {
    "accelerator": {"provider": Key((str,), _REQUIRED), "precision": Key((str, _NONE), None)},
    "latency": {
        "warmup_count": Key((int,), 1),
        "warmup_s": Key(_NUMBER, 0.5),
        "min_count": Key((int,), 50),
        "min_s": Key(_NUMBER, 1.0),
        "max_s": Key(_NUMBER, 30.0),
        "max_count": Key((int,), 100000),
        "sustained_s": Key(_NUMBER, 0),
        "looks": Key((list,), []),
    },
    "deterministic": {
        "tolerance": Key(_NUMBER, 0.001),
        "batch_s": Key(_NUMBER, 0.01),
        "max_batches": Key((int,), 20),
        "first_tolerance": Key(_NUMBER, 0),
        "marks": Key((bool,), default=False),
    },
    "load": {"processes": Key((int,), 5), "cached": Key((int,), 0)},
    "memory": {
        "processes": Key((list,), [2, 5]),
        "spread": Key(_NUMBER, 0.05),
        "interval_s": Key(_NUMBER, 0.01),
        "inferences": Key((int,), 5),
    },
    "profile": {
        "processes": Key((int,), 1),
        "warmup_count": Key((int,), 2),
        "max_count": Key((int,), 200),
        "min_s": Key(_NUMBER, 1.0),
        "max_s": Key(_NUMBER, 10.0),
    },
}


def runtime(job: Dict[str, Any]) -> Dict[str, Any]:
    """The job's keys that describe the runtime."""
    return {name: job[name] for name in RUNTIME_KEYS}


def parse_runtime(text: str) -> Dict[str, Any]:
    """The JSON of `RUNTIME_KEYS` with the rest filled in; paths are absolute.

    Raises:
        BadJob: it is something else.
    """
    try:
        given = json.loads(text)
        return runtime(parse(json.dumps(dict(given, protocol=PROTOCOL, model="/")), "/"))
    except (ValueError, TypeError) as error:
        raise BadJob("bad-job", "the runtime is not described by JSON: %s" % error) from error


def parse(text: str, folder: str) -> Dict[str, Any]:
    """The job with every default filled in and paths made absolute from `folder`.

    Raises:
        BadJob: it is not JSON, of another protocol, or a key is missing, unknown or of the wrong type.
    """
    try:
        given = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise BadJob("bad-job", "the job is not JSON: %s" % error) from error
    if not isinstance(given, dict):
        raise BadJob("bad-job", "the job is not a JSON object")
    if given.get("protocol") != PROTOCOL:
        found = given.get("protocol")
        raise BadJob("unknown-protocol", "this agent speaks protocol %d, the job %r" % (PROTOCOL, found))
    job = _filled(given, KEYS, "")
    for name, keys in PLANS.items():
        if job[name] is not None:
            job[name] = _filled(job[name], keys, name + ".")
    _sensible(job)
    for name in ("model", "samples", "lock"):
        if isinstance(job[name], str):
            job[name] = os.path.join(folder, job[name])
    job["python_path"] = [os.path.join(folder, path) for path in job["python_path"]]
    return job


def _no_number(name: str) -> None:
    raise ValueError("%s is not a number" % name)


def _filled(given: Dict[str, Any], keys: Dict[str, Key], where: str) -> Dict[str, Any]:
    unknown = sorted(set(given) - set(keys))
    if unknown:
        raise BadJob("bad-job", "the job has an unknown key: %s%s" % (where, unknown[0]))
    filled = {name: given.get(name, key.default) for name, key in keys.items()}
    for name, value in filled.items():
        if value is _REQUIRED:
            raise BadJob("bad-job", "the job has no %s%s" % (where, name))
        wrong_bool = isinstance(value, bool) and bool not in keys[name].types
        if wrong_bool or not isinstance(value, keys[name].types):
            raise BadJob("bad-job", "the job's %s%s is of the wrong type: %r" % (where, name, value))
        if isinstance(value, (int, float)) and value < 0 and name != "seed":
            raise BadJob("bad-job", "the job's %s%s is below 0: %r" % (where, name, value))
    return filled


def _sensible(job: Dict[str, Any]) -> None:
    rules = {
        "the format is not known: %s" % job["format"]: job["format"] in runtimes.RUNTIMES,
        "runtime %s does not run .%s" % (job["runtime"], job["format"]): job["runtime"] is None
        or job["runtime"] in runtimes.RUNTIMES.get(job["format"], ()),
        "there is no cluster %r" % job["cluster"]: job["cluster"] in (None, *CLUSTERS),
        "only .tflite models have signatures": job["signature"] is None or job["format"] == "tflite",
        "threads is less than 1": job["threads"] >= 1,
        "deadline_s is not above 0": job["deadline_s"] > 0,
        "heartbeat_s is not above 0": job["heartbeat_s"] != 0,
        "latency.max_count is less than 1": not job["latency"] or job["latency"]["max_count"] >= 1,
        "deterministic.max_batches is less than 1": not job["deterministic"]
        or job["deterministic"]["max_batches"] >= 1,
        "memory.interval_s is not above 0": not job["memory"] or job["memory"]["interval_s"] > 0,
        "profile.max_count is less than 1": not job["profile"] or job["profile"]["max_count"] >= 1,
        "profile.warmup_count is less than 1": not job["profile"] or job["profile"]["warmup_count"] >= 1,
        "python_path is not a list of folders": all(isinstance(path, str) for path in job["python_path"]),
        "launcher is not a list of arguments": all(isinstance(part, str) for part in job["launcher"]),
        "inputs is not a map of shapes": all(_is_shape(shape) for shape in job["inputs"].values()),
        "latency and deterministic exclude each other": not (job["latency"] and job["deterministic"]),
        "memory.processes is not [least, most]": not job["memory"] or _is_range(job["memory"]["processes"]),
    }
    broken = [message for message, holds in rules.items() if not holds]
    if job["accelerator"] is not None and not broken:
        broken = accelerators.doubts(job["accelerator"], job["format"])
    if broken:
        raise BadJob("bad-job", broken[0])


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)


def _is_range(pair: Any) -> bool:
    return [type(count) for count in pair] == [int, int] and 1 <= pair[0] <= pair[1]
