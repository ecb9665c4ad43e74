"""Shell programs in the place of Android's own: they print what AOSP's print, and remember what was asked of them.

Formats: frameworks/base, services/core/java/com/android/server: power/ThermalManagerService.java (dumpInternal),
BatteryService.java (dumpInternal), trust/TrustManagerService.java (dump), power/PowerManagerService.java
(dumpInternal), power/PowerManagerShellCommand.java; system/memory/lmkd/lmkd.cpp (its log line).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping

#: `dumpsys thermalservice` of a phone at rest, shortened; `{hal}` is what a phone with a driver for its sensors adds.
THERMAL = """\
IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 1
\tkilled: false
\tbroadcasts count: -1
ThermalStatusListeners:
\tcallbacks: 2
\tkilled: false
\tbroadcasts count: -1
Thermal Status: {status}
Cached temperatures:
{hal}
"""

HAL = """\
\tTemperature{mValue=31.2, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
\tTemperature{mValue=38.0, mType=0, mName=BIG, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL AIDL 1 connected: yes
Current temperatures from HAL:
\tTemperature{mValue=31.4, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}"""

NO_HAL = "HAL Ready: false"

#: `dumpsys trust`: a work profile that is locked says nothing about the phone.
TRUST = """\
Trust manager state:
 User "Owner" (id=0, flags=0x4c13) (current): trustState=UNTRUSTED, trustManaged=0, deviceLocked={locked}, \
isActiveUnlockRunning=0, strongAuthRequired=0x0
   Enabled agents:
   Events:
 User "Work" (id=10, flags=0x1030): trustState=UNTRUSTED, trustManaged=0, deviceLocked=1, strongAuthRequired=0x1
"""

BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 85
  scale: 100
  voltage: 4211
  temperature: {tenths}
  technology: Li-ion
"""

POWER = """\
POWER MANAGER (dumpsys power)

Power Manager State:
  mDirty=0x0
  mWakefulness={wakefulness}
  mWakefulnessChanging=false
"""

LOG = (
    "08-30 10:11:12.131   512   512 I lowmemorykiller: Kill 'python3' ({pid}), uid 2000, oom_score_adj 1000 to free "
    "512000kB"
)

PROPERTIES = {
    "ro.product.model": "Pixel 8",
    "ro.soc.model": "Tensor G3",
    "ro.product.cpu.abilist": {"aarch64": "arm64-v8a"}.get(platform.machine(), platform.machine()),
    "ro.build.version.release": "14",
    "ro.config.low_ram": "",
    "dalvik.vm.heapgrowthlimit": "256m",
    "sys.boot_completed": "1",
    "ro.boot.qemu": "",
    "ro.kernel.qemu": "",
}

#: What Android answers where the phone has no power HAL that can do it.
NOT_FIXED = (
    'echo "Failed to set FIXED_PERFORMANCE mode" >&2; '
    'echo "This is likely because Power HAL AIDL is not implemented on this device" >&2; exit 255'
)


def programs(  # noqa: PLR0913 - each is one thing that a phone may be
    shared: str,
    *,
    properties: Mapping[str, str] = PROPERTIES,
    tenths: int = 285,
    saver: int = 0,
    wakefulness: str = "Awake",
    locked: int = 0,
    has_hal: bool = True,
    has_fixed: bool = True,
) -> dict[str, str]:
    """The text of each program, by its name.

    Args:
        shared: A folder that the programs can write to: `thermal` there has the thermal status (0 without it), or
            several, of which all but the last are said once; `fixed` gets a line for each change of the
            fixed-performance mode, and `log` is Android's log.
        properties: Those of `getprop`.
        tenths: Of a degree, of the battery.
        saver: 1: on battery saver.
        wakefulness: `Awake`, `Asleep`, `Dozing`.
        locked: 1: it asks for a code.
        has_hal: Whether Android has a driver for the phone's temperature sensors.
        has_fixed: Whether the phone has a fixed-performance mode.
    """
    known = "\n".join(f"{name}) echo '{value}';;" for name, value in properties.items())
    thermal = THERMAL.format(status="'\"$status\"'", hal=HAL if has_hal else NO_HAL)
    fixed = f'echo "$3" >>{shared}/fixed' if has_fixed else NOT_FIXED
    return {
        "getprop": f'case "$1" in\n{known}\n*) echo;;\nesac',
        "dumpsys": f"""case "$1" in
thermalservice)
set -- $(cat {shared}/thermal 2>/dev/null || echo 0)
status=$1
shift
[ $# = 0 ] || (echo "$*" >{shared}/rest && mv -f {shared}/rest {shared}/thermal)
echo '{thermal}';;
battery) echo '{BATTERY.format(tenths=tenths)}';;
power) echo '{POWER.format(wakefulness=wakefulness)}';;
trust) echo '{TRUST.format(locked=locked)}';;
esac""",
        "settings": f"[ \"$*\" = 'get global low_power' ] && echo {saver}",
        "cmd": f'case "$1 $2" in\n"power set-fixed-performance-mode-enabled") {fixed};;\nesac',
        "logcat": f"cat {shared}/log 2>/dev/null; true",
    }
