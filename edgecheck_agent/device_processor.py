"""The processor: which cores, what they can do, how fast they are set to run."""

import glob
import os
import re
from typing import Any, Dict, List, Optional

from edgecheck_agent import procfs

_CPUFREQ = "/sys/devices/system/cpu/cpu%d/cpufreq/"


def processor() -> Dict[str, Any]:
    """Kind, counts, part numbers, features, governors, clocks in hertz and caches in bytes."""
    count = os.cpu_count() or 1
    return {
        "count": count,
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "kind": kind(procfs.text("/sys/devices/system/cpu/modalias")),
        **described(procfs.text("/proc/cpuinfo")),
        "governors": _distinct(procfs.text(_CPUFREQ % at + "scaling_governor") for at in range(count)),
        "clocks": [_hertz(at, "scaling_cur_freq") for at in range(count)],
        "highest_clocks": [_hertz(at, "cpuinfo_max_freq") for at in range(count)],
        "caches": _caches(),
    }


def kind(modalias: str) -> Optional[str]:
    """What the kernel itself runs on: `x86`, `aarch64`, …; None where it does not say.

    A program that is translated (QEMU's user mode, Rosetta) is told another machine by `uname`, but sees the kernel's
    own /sys.
    """
    found = re.match(r"cpu:type:([^,:]+)", modalias)
    return found.group(1) if found else None


def described(cpuinfo: str) -> Dict[str, Any]:
    """What /proc/cpuinfo says, each value once: Arm boards name parts, PCs names."""
    seen: Dict[str, List[str]] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        seen.setdefault(name.strip(), []).append(value.strip())
    features = seen.get("Features") or seen.get("flags") or [""]
    return {
        "implementers": _distinct(seen.get("CPU implementer", [])),
        "parts": _distinct(seen.get("CPU part", [])),
        "names": _distinct(seen.get("model name", [])),
        "features": features[0].split(),
    }


def _distinct(values: Any) -> List[str]:
    return list(dict.fromkeys(value for value in values if value))


def _hertz(at: int, file: str) -> Optional[int]:
    """None where the kernel does not set clocks."""
    kilohertz = procfs.text(_CPUFREQ % at + file)
    return int(kilohertz) * 1000 if kilohertz.isdigit() else None


def _caches() -> List[Dict[str, Any]]:
    """Those of the first core."""
    found = []
    for folder in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        size = re.match(r"(\d+)K$", procfs.text(folder + "/size"))
        if size:
            level, kind = procfs.text(folder + "/level"), procfs.text(folder + "/type")
            found.append({"level": int(level), "type": kind, "size": int(size.group(1)) * 1024})
    return found
