"""What Android says about a phone: which one it is, how hot, on which power; asked through its programs, without root.

The formats are those of AOSP (frameworks/base, services/core: ThermalManagerService, BatteryService,
PowerManagerService, PowerManagerShellCommand and TrustManagerService; system/memory/lmkd/lmkd.cpp for the low-memory
killer).
"""

import os
import re
import subprocess
import time
from typing import Any, Dict, List, Optional, Sequence

from edgecheck_agent import events, watching

FOLDERS = ("/system/bin", "/system/xbin", "/vendor/bin")

# android.os.PowerManager.THERMAL_STATUS_*; from the second on the clocks are lowered.
THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")

# Degrees of the battery from which a phone without a thermal status counts as hot.
HOT_C = 40.0

# A phone that is waited for is asked every POLL_S seconds, and at least POLLS times.
POLL_S = 5.0
POLLS = 10

FIXED = ["cmd", "power", "set-fixed-performance-mode-enabled"]

_TOOL_S = 10.0
_TENTHS = 10


def is_here() -> bool:
    """Whether this is Android."""
    return found("getprop") is not None


def state() -> Optional[Dict[str, Any]]:
    """The `phone` of the `device` event; None where this is not Android, None for what it does not say."""
    if not is_here():
        return None
    battery, power = said("dumpsys", "battery"), said("dumpsys", "power")
    saver = said("settings", "get", "global", "low_power")
    awake = re.search(r"mWakefulness=(\w+)", power)
    locked = re.search(r"\(current\):.*\bdeviceLocked=(\w+)", said("dumpsys", "trust"))
    tenths, level = (_number(battery, name) for name in ("temperature", "level"))
    return {
        "android": _property("ro.build.version.release"),
        "model": _property("ro.product.model"),
        "soc": _property("ro.soc.model") or _property("ro.board.platform") or None,
        "low_ram": _property("ro.config.low_ram") == "true",
        "heap": _property("dalvik.vm.heapgrowthlimit"),
        "thermal_status": thermal_status(),
        "battery_c": None if tenths is None else tenths / _TENTHS,
        "battery_level": level,
        "battery_saver": saver.strip() == "1" if saver.strip() in ("0", "1") else None,
        "awake": awake.group(1) == "Awake" if awake else None,
        "locked": locked.group(1) in ("1", "true") if locked else None,
        "emulator": "1" in (_property("ro.boot.qemu"), _property("ro.kernel.qemu")),
    }


def thermal_status() -> Optional[int]:
    """The index into `THERMAL`; None where the phone does not say (before Android 10).

    Without a driver for its sensors the service says 0 however hot the phone is.
    """
    text = said("dumpsys", "thermalservice")
    number = re.search(r"Thermal Status: (\d)", text)
    if number is None or "HAL Ready: false" in text:
        return None
    return min(int(number.group(1)), len(THERMAL) - 1)


def throttled() -> List[str]:
    """The flags of throttling that are set now."""
    status = thermal_status()
    return ["thermal status %d (%s)" % (status, THERMAL[status])] if status else []


def cooled(watch: watching.Watch, out: events.Stdout, limit_s: float) -> None:
    """Wait while the phone is hot, up to a limit, and say what for.

    Raises:
        watching.Stopped: the supervisor is to stop.
    """
    if not is_here():
        return
    limit = time.monotonic() + limit_s
    reported = ""
    while True:
        hot = heat()
        if hot and time.monotonic() >= limit:
            out.emit("note", code="hot", message="the phone was still hot after %g s (%s)" % (limit_s, hot))
        if not hot or time.monotonic() >= limit:
            return
        if hot != reported:
            reported = hot
            out.emit("waiting", holder="the phone to cool down (%s)" % hot)
        watch.wait([], (), min(limit, time.monotonic() + min(POLL_S, limit_s / POLLS)))


def heat() -> str:
    """In which way the phone is hot; empty where it is not."""
    status = thermal_status()
    if status is not None:
        return ", ".join(["thermal status %d, %s" % (status, THERMAL[status])] if status else [])
    tenths = _number(said("dumpsys", "battery"), "temperature")
    degrees = (tenths or 0) / _TENTHS
    return "battery at %.1f °C" % degrees if degrees >= HOT_C else ""


def plan() -> List[Dict[str, Any]]:
    """What `pinning` changes on a phone: Android's mode for benchmarks (Android 11), in which clocks do not vary.

    Android does not say whether it was on before; afterwards it is off.
    """
    if not is_here() or found(FIXED[0]) is None:
        return []
    name = "Android's fixed-performance mode"
    return [{"command": [*FIXED, "true"], "undo": {"command": [*FIXED, "false"]}, "name": name, "code": "not-fixed"}]


def killed(pid: int) -> Optional[str]:
    """The line of Android's log in which the low-memory killer says that it ended a process; None without one."""
    lines = said("logcat", "-d", "-s", "lowmemorykiller").splitlines()
    ours = [line for line in lines if re.search(r"\bKill(ing)? .*\(%d\)" % pid, line)]
    return "lowmemorykiller: " + ours[-1].rpartition("lowmemorykiller")[2].lstrip(" :(0123456789)") if ours else None


def said(*command: str) -> str:
    """What one of Android's programs prints; empty where it is missing, fails or does not answer."""
    done = asked(command)
    return done.stdout.decode("utf-8", "replace") if done is not None and not done.returncode else ""


def asked(command: Sequence[str], folders: Sequence[str] = FOLDERS) -> "Optional[subprocess.CompletedProcess[bytes]]":
    """A program that has ended, with what it printed; None where it is missing or does not answer."""
    path = found(command[0], folders)
    if path is None:
        return None
    try:
        return subprocess.run(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def found(name: str, folders: Sequence[str] = FOLDERS) -> Optional[str]:
    """The path of a program, in one of `folders` if not in $PATH; None where there is none."""
    places = [*os.environ.get("PATH", "").split(os.pathsep), *folders]
    paths = (os.path.join(folder, name) for folder in places if os.path.isabs(folder))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def _property(name: str) -> str:
    return said("getprop", name).strip()


def _number(text: str, name: str) -> Optional[int]:
    """A whole number in `dumpsys battery`, by its name."""
    line = re.search(r"^ *%s: *(-?\d+) *$" % name, text, re.MULTILINE)
    return int(line.group(1)) if line else None
