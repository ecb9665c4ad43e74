"""The files of Jetsons that the agent reads, laid out in a folder: names and formats are those of real boards.

The Orin Nano's clocks are those of a public log of `jetson_clocks --show` in 15W, its rails those of a public reading
of its INA3221, and its modes those of JetPack 6.2. The Nano's rails are from a line of tegrastats (rbonghi/jetson_stats
tests/tegrastats @085bbf4), its modes from NVIDIA's guide for L4T 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_ORIN_MODES = """\
# 1. PARAM definitions
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< PARAM TYPE=CLOCK NAME=GPU >
MAX_FREQ /sys/devices/platform/17000000.gpu/devfreq_dev/max_freq

< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
GPU MAX_FREQ 612000000

< POWER_MODEL ID=1 NAME=25W >
CPU_ONLINE CORE_0 1

< POWER_MODEL ID=2 NAME=MAXN_SUPER >
CPU_ONLINE CORE_0 1
GPU MAX_FREQ -1

# mandatory section to configure the default mode
< PM_CONFIG DEFAULT=1 >
"""

ORIN_NANO: Mapping[str, str] = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "etc/nvpmodel.conf": _ORIN_MODES,
    "var/lib/nvpmodel/status": "pmode:0000 fmode:fan_mode_quiet\n",
    "sys/devices/system/cpu/cpufreq/policy0/related_cpus": "0 1 2 3\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "729600\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1510400\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "960000\n",
    "sys/devices/system/cpu/cpufreq/policy4/related_cpus": "4 5\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_min_freq": "729600\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq": "1510400\n",
    "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "729600\n",
    "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "624750000\n",
    "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
    "sys/class/devfreq/15340000.vic/min_freq": "115200000\n",
    "sys/class/devfreq/15340000.vic/max_freq": "729600000\n",
    "sys/class/devfreq/15340000.vic/cur_freq": "115200000\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_label": "VDD_IN\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_input": "4968\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input": "1520\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_input": "4960\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr2_input": "1784\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in3_label": "VDD_SOC\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in3_input": "4960\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr3_input": "496\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in4_input": "76\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in7_label": "sum of shunt voltages\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in7_input": "190\n",
    "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2/in1_label": "NC\n",
    "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2/in1_input": "0\n",
    "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2/curr1_input": "0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "50468\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "48000\n",
    "dev/nvgpu/igpu0/ctrl": "",
    "usr/lib/aarch64-linux-gnu/libnvinfer.so.10": "",
    "usr/local/cuda-12.6/targets/aarch64-linux/lib/libcudart.so.12": "",
}

NANO: Mapping[str, str] = {
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3449-0000-b00+p3448-0000-b00\0nvidia,jetson-nano\0nvidia,tegra210\0",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=5W >\n"
    "CPU_ONLINE CORE_0 1\n< PM_CONFIG DEFAULT=0 >\n",
    "var/lib/nvpmodel/status": "pmode:0001\n",
    "sys/devices/system/cpu/cpufreq/policy0/related_cpus": "0 1 2 3\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "918000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "918000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "918000\n",
    "sys/class/devfreq/57000000.gpu/min_freq": "640000000\n",
    "sys/class/devfreq/57000000.gpu/max_freq": "640000000\n",
    "sys/class/devfreq/57000000.gpu/cur_freq": "640000000\n",
    "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0": "POM_5V_IN\n",
    "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input": "4520\n",
    "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_1": "POM_5V_GPU\n",
    "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power1_input": "0\n",
    "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_2": "POM_5V_CPU\n",
    "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power2_input": "1078\n",
    "sys/class/thermal/thermal_zone0/type": "CPU-therm\n",
    "sys/class/thermal/thermal_zone0/temp": "60500\n",
    "sys/class/thermal/thermal_zone1/type": "PMIC-Die\n",
    "sys/class/thermal/thermal_zone1/temp": "100000\n",
    "dev/nvhost-gpu": "",
}


def laid_out(root: Path, files: Mapping[str, str]) -> Path:
    """Write the files below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
