"""What a device is and what state it is in: board, kernel, processor, memory, clocks, temperature, throttling."""

import glob
import hashlib
import os
import re
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional

from edgecheck_agent import android, jetson, procfs, waiting

# Bits of `vcgencmd get_throttled`, as Raspberry Pi documents them.
THROTTLED = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage has occurred",
    17: "frequency capping has occurred",
    18: "throttling has occurred",
    19: "soft temperature limit has occurred",
}
# What the firmware of a PC calls it; readable by everybody, unlike serial numbers.
DMI = "/sys/class/dmi/id"
PLACEHOLDER = re.compile(
    "(to be filled|default string|system (manufacturer|product|name)|not (applicable|specified|available)|none|n/a|"
    "o\\.?e\\.?m|unknown|undefined|type[0-9]|base ?board|invalid|empty|x\\.x)",
    re.IGNORECASE,
)
# What systemd and D-Bus call an installed system; the manual asks programs to show nobody the number itself.
MACHINE_ID = "/etc/machine-id"
_TOOL_S = 2.0
_TOOL_FOLDERS = ("/usr/bin", "/usr/sbin", "/opt/vc/bin")  # over SSH, PATH may lack some of them
_CPUFREQ = "/sys/devices/system/cpu/cpu%d/cpufreq/"
_MODEL = "/proc/device-tree/model"
_THERMAL = "/sys/class/thermal/thermal_zone*"
# Of a Jetson's power controller JetPack 4 always reports 50 or 100 °C.
_NOT_MEASURED = "PMIC-Die"
_FIRMWARE = "/sys/devices/platform/soc/soc:firmware/get_throttled"  # where a Raspberry Pi runs another Linux


def state(when: str) -> Dict[str, Any]:
    """The fields of the `device` event; a figure that the device does not provide is None."""
    system = os.uname()
    phone = android.state()
    said = _tool("nvpmodel", "-q")
    board = jetson.state(said)
    return {
        "when": when,
        "model": (phone or {}).get("model") or procfs.text(procfs.place(_MODEL)) or firmware_name(DMI),
        "machine_id": machine_id(MACHINE_ID),
        "system": system.sysname,
        "kernel": system.release,
        "machine": system.machine,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "python_bits": 64 if sys.maxsize > 2**32 else 32,
        "libc": _libc(),
        "page_size": procfs.PAGE,
        "cpu": processor(),
        "memory": _memory(),
        "storage": _storage(),
        "temperatures": _temperatures(),
        "throttled": _throttled(),
        "power_mode": said or jetson.in_words(board),
        "load_average": _load(),
        "phone": phone,
        "jetson": board,
        "pressure": {"at_s": round(time.monotonic(), 3), "waited_s": waiting.pressure()},
    }


def _load() -> List[float]:
    try:
        return list(os.getloadavg())
    except OSError:  # a phone may not show it
        return []


def passing() -> Dict[str, Any]:
    """What changes while a device works: clocks in hertz, degrees by thermal zone, and the flags that are set now."""
    throttled = _throttled() or {"flags": []}
    return {
        "clocks": [_hertz(at, "scaling_cur_freq") for at in range(os.cpu_count() or 1)],
        "temperatures": _temperatures(),
        "throttled": [flag for flag in throttled["flags"] if "occurred" not in flag],
    }


def firmware_name(folder: str) -> Optional[str]:
    """What the firmware of a PC or an x86 board calls it, maker first; None where it says nothing.

    Makers of boards often leave the system's name as it came; then the board's own is used.
    """
    for maker, product in (("sys_vendor", "product_name"), ("board_vendor", "board_name")):
        names = [procfs.text(os.path.join(folder, file)).strip() for file in (maker, product)]
        if names[1] and not any(PLACEHOLDER.match(name) for name in names):
            brand = names[0].split(" ")[0]
            return names[1] if brand and names[1].startswith(brand) else " ".join(filter(None, names))
    return None


def machine_id(file: str) -> Optional[str]:
    """What distinguishes this installation from all others, as 16 hexadecimal digits; None where it has no number.

    A hash with our name, as machine-id(5) recommends: the number itself cannot be recovered from it.
    """
    number = procfs.text(file).strip()
    if not re.match("[0-9a-f]{32}$", number):
        return None
    return hashlib.sha256(("edgecheck " + number).encode()).hexdigest()[:16]


def _libc() -> Optional[str]:
    """As in "glibc 2.36" or "musl 1.2.4"; None for any other."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        loaders = glob.glob("/lib/ld-musl-*.so.1")
    said = _tool(loaders[0], "--version") if loaders else None
    version = re.search(r"Version (\S+)", said or "")
    return "musl " + version.group(1) if version else None


def _memory() -> Dict[str, Optional[int]]:
    info = procfs.sizes("/proc/meminfo")
    swap = info["SwapTotal"] - info["SwapFree"] if "SwapTotal" in info else None
    return {"total": info.get("MemTotal"), "available": info.get("MemAvailable"), "swap_used": swap}


def _storage() -> Dict[str, int]:
    """Bytes of the file system that holds the agent."""
    disk = os.statvfs(os.path.dirname(os.path.abspath(__file__)))
    return {"total": disk.f_blocks * disk.f_frsize, "free": disk.f_bavail * disk.f_frsize}


def _temperatures() -> Dict[str, float]:
    """Degrees Celsius by thermal zone."""
    found = {}
    for zone in sorted(glob.glob(procfs.place(_THERMAL))):
        milli, name = procfs.text(zone + "/temp"), procfs.text(zone + "/type") or os.path.basename(zone)
        if re.match(r"-?\d+$", milli) and name != _NOT_MEASURED:
            found[name] = int(milli) / 1000
    return found


def _throttled() -> Optional[Dict[str, Any]]:
    if android.is_here():
        return {"raw": None, "flags": android.throttled()}
    said = _tool("vcgencmd", "get_throttled")
    match = re.match(r"(?:throttled=0x)?([0-9a-fA-F]+)$", said or procfs.text(_FIRMWARE))
    return decoded(int(match.group(1), 16)) if match else None


def decoded(raw: int) -> Dict[str, Any]:
    """The bits of `vcgencmd get_throttled` in words: now, and since the board was started."""
    flags: List[str] = [meaning for bit, meaning in sorted(THROTTLED.items()) if raw >> bit & 1]
    return {"raw": raw, "flags": flags}


def _tool(name: str, argument: str) -> Optional[str]:
    """What a vendor's tool prints; None where it is missing or does not answer."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_TOOL_FOLDERS]
    paths = [path for path in (os.path.join(folder, name) for folder in folders) if os.access(path, os.X_OK)]
    if not paths:
        return None
    try:
        done = subprocess.run(
            [paths[0], argument],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


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
    """What the kernel itself runs on: `x86`, `aarch64`, …; None if it is unknown.

    To a translated program (QEMU's user mode, Rosetta) `uname` names another machine, but /sys is the kernel's.
    """
    found = re.match(r"cpu:type:([^,:]+)", modalias)
    return found.group(1) if found else None


def described(cpuinfo: str) -> Dict[str, Any]:
    """The values in /proc/cpuinfo, each once: Arm boards have part numbers, PCs have names."""
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
    """A clock in hertz; None where the kernel does not control clocks."""
    kilohertz = procfs.text(_CPUFREQ % at + file)
    return int(kilohertz) * 1000 if kilohertz.isdigit() else None


def _caches() -> List[Dict[str, Any]]:
    """Caches of the first core."""
    found = []
    for folder in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        size = re.match(r"(\d+)K$", procfs.text(folder + "/size"))
        if size:
            level, kind = procfs.text(folder + "/level"), procfs.text(folder + "/type")
            found.append({"level": int(level), "type": kind, "size": int(size.group(1)) * 1024})
    return found
