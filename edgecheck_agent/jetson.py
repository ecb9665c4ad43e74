"""What a Jetson is set to and draws: its power mode, clocks and rails, read from files, without root.

Where the files are was read in NVIDIA's Jetson Linux Developer Guide (Platform Power and Performance, r32 to r36), in
rbonghi/jetson_stats (jtop/core/power.py @2536e0f, gpu.py @02fe65c) and in public listings of boards.
"""

import glob
import os
import re
from typing import Any, Dict, List, Optional

from edgecheck_agent import procfs

# What nvpmodel writes when a mode is set (`pmode:0002 fmode:fan_mode_quiet`), and the modes that it knows.
STATUS = "/var/lib/nvpmodel/status"
CONFIGURATION = "/etc/nvpmodel.conf"

# Clocks of the GPU: 57000000.gpu on a Nano, 17000000.gv11b on a Xavier, .ga10b or .gpu on an Orin, by JetPack.
_GPU = re.compile(r"\.(gpu|gv11b|ga10b|gp10b|gm20b)$|^gpu-")
_DEVFREQ = "/sys/class/devfreq"
_CPUFREQ = "/sys/devices/system/cpu/cpufreq"
_DEVICE_TREE = "/proc/device-tree/compatible"

# INA3221, JetPack 5 and 6: hwmon, in millivolts and milliamperes (docs.kernel.org/hwmon/ina3221.html); JetPack 4: iio,
# in milliwatts.
_HWMON = "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*"
_IIO = "/sys/bus/i2c/drivers/ina3221x/*/iio:device*"
# A channel that is not connected, and the sum of the shunts' voltages.
_NO_RAIL = ("NC", "sum of shunt voltages")


def is_here() -> bool:
    """Whether this is a Jetson, by its device tree or its power modes."""
    return "nvidia,tegra" in procfs.text(procfs.place(_DEVICE_TREE)) or bool(
        procfs.text(procfs.place(CONFIGURATION)) and procfs.text(procfs.place(STATUS))
    )


def state(said: Optional[str]) -> Optional[Dict[str, Any]]:
    """The `jetson` of the `device` event; None where this is none. `said` is what `nvpmodel -q` prints, or None."""
    if not is_here():
        return None
    modes = _known_modes(procfs.text(procfs.place(CONFIGURATION)))
    return {
        "mode": _mode(said, procfs.text(procfs.place(STATUS)), modes),
        "modes": [[name, number] for number, name in sorted(modes.items())],
        "clocks": clocks(),
        "rails": rails(),
    }


def in_words(state: Optional[Dict[str, Any]]) -> Optional[str]:
    """The power mode as `nvpmodel -q` prints it; None where it is not known."""
    mode = (state or {}).get("mode")
    return "NV Power Mode: %s\n%d" % (mode["name"], mode["number"]) if mode else None


def _known_modes(configuration: str) -> Dict[int, str]:
    """The power modes by number, from lines such as `< POWER_MODEL ID=2 NAME=MAXN_SUPER >`."""
    found = re.findall(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>", configuration, re.MULTILINE)
    return {int(number): name for number, name in found}


def _mode(said: Optional[str], status: str, modes: Dict[int, str]) -> Optional[Dict[str, Any]]:
    """By the tool, else by what it wrote when the mode was set. JetPack 4's tool puts warnings in front."""
    told = re.search(r"NV Power Mode: *(\S+)\s*\n\s*(\d+)", said or "")
    if told:
        return {"name": told.group(1), "number": int(told.group(2))}
    kept = re.search(r"\bpmode:(\d+)", status)
    if kept and int(kept.group(1)) in modes:
        return {"name": modes[int(kept.group(1))], "number": int(kept.group(1))}
    return None


def clocks() -> List[Dict[str, Any]]:
    """Of each group of cores and of the GPU: lowest, highest and present clock in hertz.

    `jetson_clocks --show` prints the same, as root; it holds a clock by setting the lowest to the highest.
    """
    found = []
    for folder in sorted(glob.glob(procfs.place(_CPUFREQ) + "/policy*")):
        hertz = [_number(os.path.join(folder, "scaling_%s_freq" % which), 1000) for which in ("min", "max", "cur")]
        found.append(("cpu " + procfs.text(os.path.join(folder, "related_cpus")).replace(" ", ","), hertz))
    for folder in sorted(glob.glob(procfs.place(_DEVFREQ) + "/*")):
        if _GPU.search(os.path.basename(folder)):
            hertz = [_number(os.path.join(folder, which + "_freq"), 1) for which in ("min", "max", "cur")]
            found.append(("gpu", hertz))
    return [
        {"name": name, "least": least, "most": most, "now": now}
        for name, (least, most, now) in found
        if least is not None and most is not None
    ]


def rails() -> Dict[str, float]:
    """Watts by the name of the rail: `VDD_IN` or `POM_5V_IN` is what the module takes as a whole."""
    found = {}
    for folder in sorted(glob.glob(procfs.place(_HWMON))):
        for label in sorted(glob.glob(os.path.join(folder, "in*_label"))):
            channel = os.path.basename(label)[len("in") : -len("_label")]
            millivolts = _number(os.path.join(folder, "in%s_input" % channel), 1)
            milliamperes = _number(os.path.join(folder, "curr%s_input" % channel), 1)
            name = procfs.text(label)
            if name and name not in _NO_RAIL and millivolts is not None and milliamperes is not None:
                found[name] = round(millivolts * milliamperes / 1e6, 3)
    for folder in sorted(glob.glob(procfs.place(_IIO))):
        for label in sorted(glob.glob(os.path.join(folder, "rail_name_*"))):
            channel = os.path.basename(label)[len("rail_name_") :]
            milliwatts = _number(os.path.join(folder, "in_power%s_input" % channel), 1)
            name = procfs.text(label)
            if name and name not in _NO_RAIL and milliwatts is not None:
                found[name] = round(milliwatts / 1e3, 3)
    return found


def _number(path: str, unit: int) -> Optional[int]:
    """A whole number in a file, times `unit`; None without one."""
    text = procfs.text(path).split(" ")[0]
    return int(text) * unit if re.match(r"-?\d+$", text) else None
