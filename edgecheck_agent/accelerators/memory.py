"""How much memory a model takes on an accelerator, and who says so.

    memory.py PID PROVIDER      prints what each source says now, as JSON: {source: bytes}

Each reading is taken by a separate process, so that the libraries it loads are not part of the memory that is
measured, and so that no driver stays awake for it. What is read, in this order of trust:

- `nvml`: NVIDIA's library says what the process holds on each GPU. A Jetson's NVML does not know that before Thor.
- `nvmap`: the allocator of a Jetson up to Orin says what the process holds; its file is readable by root alone.
- `nvml-device`, `nvmap-total`, `tegrastats`: what is in use on the whole device. Other processes count, too.
- `available`: RAM that is not available any more; where the accelerator shares the RAM, that includes its buffers.
"""

import ctypes
import json
import os
import re
import select
import subprocess
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional

if not __package__:  # started as a file: import its package, as supervisor.py does
    _FOLDER = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != _FOLDER]
    sys.path.insert(0, os.path.dirname(os.path.dirname(_FOLDER)))

from edgecheck_agent import procfs

#: Providers whose memory NVIDIA's tools may know; that of the others shows only in the RAM that is left.
NVIDIA = ("cuda", "tensorrt", "gpu")

NVML = "libnvidia-ml.so.1"
#: Prints a line each time that many milliseconds have passed, without end; in /usr/bin on every Jetson.
TEGRASTATS = ("tegrastats", "--interval", "100")
#: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html, nvmlReturn_t and NVML_VALUE_NOT_AVAILABLE.
_SUCCESS, _FUNCTION_NOT_FOUND, _INSUFFICIENT_SIZE = 0, 13, 7
_NOT_AVAILABLE = 2**64 - 1

_UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_READING_S = 20.0
_LINE_S = 3.0


class Source(NamedTuple):
    """Who knows about the memory."""

    name: str
    words: str
    """What its figure is, in a report."""
    of_process: bool
    """Whether its figure is what the process holds; else it is what everybody does, of which the growth counts."""


SOURCES = (
    Source("nvml", "what the process holds by NVML", of_process=True),
    Source("nvmap", "what the process holds by nvmap", of_process=True),
    Source("nvml-device", "the growth of the GPU's memory in use by NVML, other processes included", of_process=False),
    Source("nvmap-total", "the growth of NvMapMemUsed, other processes included", of_process=False),
    Source("tegrastats", "the growth of RAM in use by tegrastats, other processes included", of_process=False),
    Source("available", "the fall of MemAvailable, other processes included", of_process=False),
)
#: Of these, the process's own memory is a part; it is named next to them.
_SHARED = ("tegrastats", "available")


class Meter:
    """What a process takes on an accelerator from the moment the meter is made: before the model is loaded."""

    def __init__(self, pid: int, provider: str) -> None:
        self._asked = [str(pid), provider]
        self._before = _asked(self._asked)

    def grown(self) -> Optional[Dict[str, Any]]:
        """The fields of the `accelerator-memory` event, by the best source; None where none has a figure."""
        after = _asked(self._asked)
        for source in SOURCES:
            if source.name in after and (source.of_process or source.name in self._before):
                used = after[source.name] - (0 if source.of_process else self._before[source.name])
                words = source.words
                if source.name in _SHARED and "own" in after and "own" in self._before:
                    own = max(0, after["own"] - self._before["own"])
                    words += "; %.1f MiB of it the process's own" % (min(own, max(0, used)) / 2**20)
                return {"bytes": max(0, used), "source": source.name, "words": words}
        return None


def _asked(arguments: List[str]) -> Dict[str, int]:
    """What a fresh process reads; empty where it cannot."""
    command = [sys.executable, os.path.abspath(__file__), *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_READING_S,
            check=False,
        )
        return {str(name): int(size) for name, size in json.loads(done.stdout.decode() or "{}").items()}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}


def readings(pid: int, provider: str) -> Dict[str, int]:
    """What each source says now, in bytes; sources without a figure are left out."""
    info = procfs.sizes(procfs.place("/proc/meminfo")) or procfs.sizes("/proc/meminfo")
    found = {}
    if "MemTotal" in info and "MemAvailable" in info:
        found["available"] = info["MemTotal"] - info["MemAvailable"]
    own = procfs.sizes("/proc/%d/status" % pid).get("RssAnon")
    if own is not None:
        found["own"] = own
    if provider in NVIDIA:
        found.update(of_nvml(pid, NVML))
        found.update(of_nvmap(pid, procfs.text(procfs.place("/sys/kernel/debug/nvmap/iovmm/clients"))))
        if "NvMapMemUsed" in info:
            found["nvmap-total"] = info["NvMapMemUsed"]
        found.update(of_tegrastats(_line_of(TEGRASTATS)))
    return found


def of_nvmap(pid: int, clients: str) -> Dict[str, int]:
    """From the table of nvmap's clients: `user  python3  7979  23525644K`, after a line of headings.

    NVIDIA's kernel for Jetson writes it, drivers/video/tegra/nvmap/nvmap_dev.c; a client that holds nothing is listed,
    too, and one that never allocated is not.
    """
    held = re.findall(r"^\w+\s+\S.*\s%d\s+(\d+)([KMG]?)$" % pid, clients, re.MULTILINE)
    return {"nvmap": sum(int(size) * _UNITS[unit.replace("K", "k")] for size, unit in held)} if held else {}


def of_tegrastats(line: str) -> Dict[str, int]:
    """From a line of `tegrastats`, of which every JetPack's has `RAM 2513/7620MB`: in use and in total.

    https://docs.nvidia.com/jetson/archives/r36.4.3/DeveloperGuide/AT/JetsonLinuxDevelopmentTools/TegrastatsUtility.html
    """
    ram = re.search(r"\bRAM (\d+)/\d+([kMG])B", line)
    return {"tegrastats": int(ram.group(1)) * _UNITS[ram.group(2)]} if ram else {}


def _line_of(command: Any) -> str:
    """The first line that a program prints that does not end by itself; empty where there is none."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
    except OSError:
        return ""
    assert process.stdout is not None  # noqa: S101 - a pipe was requested
    text, until = b"", time.monotonic() + _LINE_S
    while b"\n" not in text and time.monotonic() < until:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        piece = os.read(process.stdout.fileno(), 4096) if ready else b""
        if not piece:
            break
        text += piece
    process.kill()
    process.wait()
    process.stdout.close()
    return text.partition(b"\n")[0].decode("utf-8", "replace")


class _Process(ctypes.Structure):
    """nvmlProcessInfo_v2_t, which the functions that end in _v2 and _v3 write."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


class _OldProcess(ctypes.Structure):
    """nvmlProcessInfo_v1_t, of drivers before 450."""

    _fields_ = [("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong)]


class _Memory(ctypes.Structure):
    """nvmlMemory_t, in bytes."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


_LISTS = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")
_VERSIONS = (("_v3", _Process), ("_v2", _Process), ("", _OldProcess))


def of_nvml(pid: int, path: str) -> Dict[str, int]:
    """From NVML: what the process holds on all GPUs, if it is listed, and what is in use on them.

    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html. NVML names processes by the numbers that the
    host has for them: from within a container, a process is not found, and the device's memory is the next best.
    """
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return {}
    if _called(library, "nvmlInit_v2") != _SUCCESS:
        return {}
    try:
        return _of_devices(library, pid)
    finally:
        _called(library, "nvmlShutdown")


def _of_devices(library: Any, pid: int) -> Dict[str, int]:
    found = {}  # type: Dict[str, int]
    count = ctypes.c_uint(0)
    _called(library, "nvmlDeviceGetCount_v2", ctypes.byref(count))
    for at in range(count.value):
        device = ctypes.c_void_p()
        if _called(library, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(at), ctypes.byref(device)) != _SUCCESS:
            continue
        memory = _Memory()
        if _called(library, "nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory)) == _SUCCESS:
            found["nvml-device"] = found.get("nvml-device", 0) + memory.used
        # a process that computes and draws is in both lists, with the same figure
        held = [row.used for name in _LISTS for row in _listed(library, name, device) if row.pid == pid]
        held = [used for used in held if used != _NOT_AVAILABLE]
        if held:
            found["nvml"] = found.get("nvml", 0) + max(held)
    return found


def _listed(library: Any, name: str, device: Any) -> List[Any]:
    """The processes in one of NVML's lists, by the newest version of the function that the driver has."""
    for suffix, kind in _VERSIONS:
        count = ctypes.c_uint(0)
        status = _called(library, name + suffix, device, ctypes.byref(count), None)
        if status == _SUCCESS:
            return []
        if status == _INSUFFICIENT_SIZE:  # what it says when it is asked for the number
            room = ctypes.c_uint(count.value + 8)  # others may start meanwhile
            rows = (kind * room.value)()
            if _called(library, name + suffix, device, ctypes.byref(room), rows) == _SUCCESS:
                return list(rows[: room.value])
            return []
    return []


def _called(library: Any, name: str, *arguments: Any) -> int:
    """What one of NVML's functions returns; as NVML itself says it where the driver lacks the function."""
    function = getattr(library, name, None)
    return _FUNCTION_NOT_FOUND if function is None else int(function(*arguments))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(readings(int(sys.argv[1]), sys.argv[2])))
