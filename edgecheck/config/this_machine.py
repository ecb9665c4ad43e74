"""The profile of the machine that edgecheck runs on, generated when it is needed."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import psutil

from edgecheck.core.device import THIS_MACHINE, Capacity, Cpu, DeviceProfile, Identity
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import RAM_PEAK, SIZE

_CGROUP = Path("/sys/fs/cgroup")
_CPUINFO = Path("/proc/cpuinfo")


def this_machine(*, cpuinfo: Path = _CPUINFO, cgroup: Path = _CGROUP) -> DeviceProfile:
    """A profile with the CPU, and with the RAM and disk space that are free now as limits.

    Args:
        cpuinfo: Where Linux describes its processors.
        cgroup: Where a container's memory limit is.
    """
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(".")
    ram = container_memory(cgroup, Capacity(memory.total, memory.total - memory.available))
    storage = Capacity(disk.total, disk.total - disk.free)
    facts = cpu_facts(cpuinfo)
    name = facts.get("model name") or facts.get("Model") or platform.processor() or platform.machine()
    frequency = psutil.cpu_freq()
    clock = (frequency.max or frequency.current) * 1e6 if frequency else 0.0
    source = Source("profile")
    return DeviceProfile(
        id=THIS_MACHINE,
        name=f"this machine ({name})",
        kind="computer",
        soc=name,
        identity=Identity(),
        cpu=Cpu(core=platform.machine(), count=os.cpu_count() or 1, clock=clock, features=_features(facts)),
        ram=ram,
        storage=storage,
        limits=(
            Limit(metric=SIZE, error=storage.available, source=source),
            Limit(metric=RAM_PEAK, error=ram.available, source=source),
        ),
        python=".".join(platform.python_version_tuple()[:2]),
        runtimes={},
    )


def cpu_facts(cpuinfo: Path) -> Mapping[str, str]:
    """What /proc/cpuinfo says about the first processor and the board; empty without such a file."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    facts: dict[str, str] = {}
    for key, value in re.findall(r"^([^:\n]+?)[ \t]*:[ \t]*(.*)$", text, re.MULTILINE):
        facts.setdefault(key, value.strip())
    return facts


def _features(facts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple((facts.get("Features") or facts.get("flags") or "").split())


def container_memory(cgroup: Path, host: Capacity) -> Capacity:
    """The RAM of the host, or less if a container (cgroup v2, then v1) is limited to less."""
    places = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    for limit_file, used_file in places:
        try:
            limit = int((cgroup / limit_file).read_text(encoding="ascii"))
            used = int((cgroup / used_file).read_text(encoding="ascii"))
        except (OSError, ValueError):  # absent, or `max`
            continue
        if limit < host.total:
            return Capacity(limit, limit - max(0, min(limit - used, host.available)))
    return host
