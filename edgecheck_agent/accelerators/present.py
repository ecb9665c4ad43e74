"""Which accelerators a device has: nodes of drivers, libraries, and runtimes that were built with them.

Found is not the same as works: only a session that ran there shows that.
"""

import glob
import importlib.util
import json
import os
import re
import subprocess
import sys
from typing import Any, Dict, List, NamedTuple, Tuple

from edgecheck_agent import child, procfs


class Kind(NamedTuple):
    """What shows that a device has one; each entry is enough."""

    provider: str
    nodes: Tuple[str, ...]
    """Paths of its driver's nodes."""
    usb: Tuple[Tuple[str, str], ...]
    """Vendor and product on USB."""
    libraries: Tuple[str, ...]
    """File names in the system's folders of libraries."""
    runtime: str
    """What ONNX Runtime calls it, or the start of a library of LiteRT's."""
    package: str
    """What has the library, in words."""


# NVIDIA's driver on a PC; nvhost on a Jetson up to JetPack 5, nvgpu from 6 on.
_NVIDIA = ("/dev/nvidia[0-9]*", "/dev/nvhost-gpu", "/dev/nvhost-ctrl-gpu", "/dev/nvgpu/igpu0/ctrl")
# A Coral on USB calls itself Global Unichip until it has its firmware, then Google (coral.ai/docs/accelerator).
_CORAL = (("1a6e", "089a"), ("18d1", "9302"))
# Mesa and NVIDIA, Qualcomm's Adreno, Arm's Mali.
_GPU = ("/dev/dri/renderD*", "/dev/kgsl-3d0", "/dev/mali0")

KINDS = (
    Kind("tensorrt", _NVIDIA, (), ("libnvinfer.so*",), "TensorrtExecutionProvider", "TensorRT (JetPack: tensorrt)"),
    Kind("cuda", _NVIDIA, (), ("libcudart.so*",), "CUDAExecutionProvider", "the CUDA runtime (JetPack: cuda)"),
    Kind("openvino", (), (), (), "OpenVINOExecutionProvider", "onnxruntime-openvino"),
    Kind("gpu", _GPU, (), ("libOpenCL.so*", "libOpenCL-*.so", "libvulkan.so*"), "libLiteRt", "OpenCL or Vulkan"),
    Kind("nnapi", (), (), ("libneuralnetworks.so",), "NnapiExecutionProvider", "Android"),
    Kind("edgetpu", ("/dev/apex_[0-9]*",), _CORAL, ("libedgetpu.so.1",), "", "libedgetpu1-std (Coral's packages)"),
    Kind("hailo", ("/dev/hailo[0-9]*",), (), ("libhailort.so*",), "", "hailo-all (Raspberry Pi OS)"),
)

FOLDERS = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/*-linux-gnu*"),
    *("/usr/lib/*-linux-gnu*/nvidia", "/usr/lib/*-linux-gnu*/tegra", "/usr/lib/*-linux-gnu*/tegra-egl"),
    *("/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/*/lib", "/system/lib64", "/vendor/lib64"),
    "/apex/com.android.neuralnetworks/lib64",  # from Android 11 on
)
# Where wheels put NVIDIA's libraries, in a folder of Python packages.
_IN_WHEELS = ("nvidia/*/lib", "tensorrt_libs", "tensorrt_cu*_libs")
_USB = "/sys/bus/usb/devices"
_ASKING_S = 60.0


def found() -> List[Dict[str, Any]]:
    """The `accelerators` of a probe's `device` event: one for each kind of which something is there."""
    known = runtimes()
    each = [_found(kind, known) for kind in KINDS]
    return [one for one in each if one["devices"] or one["libraries"] or one["runtimes"]]


def _found(kind: Kind, known: List[str]) -> Dict[str, Any]:
    devices = [path for pattern in kind.nodes for path in sorted(glob.glob(procfs.place(pattern)))]
    devices = [procfs.named(path) for path in devices] + on_usb(kind.usb)
    libraries = [path for name in kind.libraries for path in _libraries(name)]
    of_runtimes = [name for name in known if kind.runtime and name.startswith(kind.runtime)]
    return {
        "provider": kind.provider,
        "devices": devices,
        "libraries": libraries,
        "runtimes": of_runtimes,
        "missing": _missing(kind, devices, libraries, of_runtimes),
    }


def _missing(kind: Kind, devices: List[str], libraries: List[str], of_runtimes: List[str]) -> str:
    """What else it takes, in words; empty where all is there."""
    if (kind.nodes or kind.usb) and not devices:
        return "no device (%s)" % ", ".join([*kind.nodes, *("USB %s:%s" % pair for pair in kind.usb)])
    if kind.libraries and not libraries:
        return "no %s: install %s" % (kind.libraries[0].rstrip("*"), kind.package)
    if kind.runtime and not of_runtimes:
        return "no runtime that was built with it"
    return ""


def on_usb(pairs: Tuple[Tuple[str, str], ...]) -> List[str]:
    """Devices on USB with one of these vendors and products, as `USB 18d1:9302`."""
    seen = []
    for folder in sorted(glob.glob(procfs.place(_USB) + "/*")):
        pair = procfs.text(os.path.join(folder, "idVendor")), procfs.text(os.path.join(folder, "idProduct"))
        if pair in pairs:
            seen.append("USB %s:%s" % pair)
    return seen


def _libraries(name: str) -> List[str]:
    """The paths of libraries of that name, one of each file: of the links to it, the one that programs load."""
    wheels = [os.path.join(folder, place) for folder in sys.path if "-packages" in folder for place in _IN_WHEELS]
    places = [*(procfs.place(folder) for folder in FOLDERS), *wheels]
    places += [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if os.path.isabs(folder)]
    by_file = {}  # type: Dict[str, str]
    for path in [path for place in places for path in sorted(glob.glob(os.path.join(place, name)))]:
        real = os.path.realpath(path)
        if real not in by_file or _rank(path) < _rank(by_file[real]):
            by_file[real] = path
    return sorted(procfs.named(path) for path in by_file.values())


def _rank(path: str) -> Tuple[bool, int]:
    """Lower for what programs load, `libcudart.so.12`, than for `libcudart.so` and `libcudart.so.12.6.68`."""
    name = os.path.basename(path)
    return re.search(r"\.so\.\d+$", name) is None, len(name)


def runtimes() -> List[str]:
    """What the runtimes of this Python were built with: ONNX Runtime's providers, and LiteRT's libraries."""
    names = []
    for folder in _folders_of("ai_edge_litert"):
        found = sorted(glob.glob(os.path.join(folder, "libLiteRt*Accelerator*.so")))
        names += [os.path.basename(path) for path in found]
    if _folders_of("onnxruntime"):
        code = "import json, onnxruntime; print(json.dumps(onnxruntime.get_available_providers()))"
        try:
            done = subprocess.run(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ, **child.QUIET),
                timeout=_ASKING_S,
                check=False,
            )
            names += [str(name) for name in json.loads(done.stdout.decode() or "[]")]
        except (OSError, ValueError, subprocess.TimeoutExpired):
            pass
    return names


def _folders_of(package: str) -> List[str]:
    """The folders of an installed package; empty where it is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    return list(spec.submodule_search_locations or ()) if spec is not None else []
