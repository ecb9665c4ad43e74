"""What wheels hold that no inference opens, and that is therefore not sent to the device.

A file stays wherever an ordinary installation would load it, needed or not: leaving it out would make the RAM that
is measured smaller than the RAM that a deployment takes. The tests compare what both load.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: (what it is, patterns over the path inside the wheel); `*` crosses folders.
_EVERYWHERE = (
    ("tests", ("tests/*", "*/tests/*")),
    ("type stubs", ("*.pyi",)),
    ("headers and static libraries", ("*.h", "*.hpp", "*.a", "*.pxd", "*.pyx", "*/pkgconfig/*", "*/npy-pkg-config/*")),
    ("stale byte code", ("*.pyc", "*.pyo")),
    ("pip's records", ("*.dist-info/RECORD", "*.dist-info/RECORD.*", "*.dist-info/INSTALLER")),
)

#: The same for one distribution.
_OF = MappingProxyType(
    {
        "numpy": (
            ("tests", ("numpy/core/_simd.*.so", "numpy/_core/_simd.*.so", "numpy/conftest.py")),
            ("numpy.f2py and numpy.distutils", ("numpy/f2py/*", "numpy/distutils/*")),
            ("numpy.typing and packaging hooks", ("numpy/typing/*", "numpy/_pyinstaller/*", "numpy/doc/*")),
        ),
        "onnxruntime": (
            (
                "onnxruntime's C library, which its Python module does not load",
                ("onnxruntime/capi/libonnxruntime.so*",),
            ),
            (
                "onnxruntime's conversion tools",
                ("onnxruntime/transformers/*", "onnxruntime/quantization/*", "onnxruntime/tools/*"),
            ),
        ),
        "ai-edge-litert": (
            ("the WebGPU accelerator", ("ai_edge_litert/libLiteRtWebGpuAccelerator.so",)),
            ("compilers for NPUs", ("ai_edge_litert/vendors/*", "ai_edge_litert/aot/*", "ai_edge_litert/tools/*")),
        ),
    }
)

#: Dependencies that only a distribution's tools import: older releases of onnxruntime want these, 29 MB with their own.
UNUSED_DEPENDENCIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"onnxruntime": ("sympy", "coloredlogs")})

#: All of the above as text, so that bundles made under other rules are made anew.
RULES = repr((_EVERYWHERE, dict(_OF), dict(UNUSED_DEPENDENCIES)))


def ballast(distribution: str, path: str) -> str:
    """What the file at `path` of a wheel is, if it can be left out; empty if the device gets it."""
    for what, patterns in (*_EVERYWHERE, *_OF.get(distribution, ())):
        if any(fnmatchcase(path, pattern) for pattern in patterns):
            return what
    return ""
