"""A device profile in YAML, drafted from what a probed device reports; what it does not report is marked as a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edgecheck.core.device import ACCELERATORS, DeviceProfile, holding

_MIB, _GIB = 2**20, 2**30

#: The features of a core that inference kernels make use of.
_FEATURES = (
    *("neon", "asimd", "crc32", "atomics", "fphp", "asimdhp", "asimdrdm", "asimddp", "bf16", "i8mm", "sve", "sve2"),
    *("avx", "fma", "f16c", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
)
#: Distributions that run an artifact format; the last is the one for a new device.
_RUNTIMES = {"tflite": ("tflite_runtime", "ai_edge_litert"), "onnx": ("onnxruntime",)}

#: Machines, as `uname` names them, that firmware names whatever they are built into.
_PC = ("x86_64", "i686", "i386")

#: The RAM over `ram_peak`: on a phone, the model is part of an app.
_OF_A_BOARD, _OF_A_PHONE = 4, 16

#: The compressed download of an app with everything in it, whose limit that is, and where it is written.
_DOWNLOAD, _STORE = "200 MB", "Google Play's limit on an app's base module"
_SOURCE = "Google Play Console Help, answer 9859372"

#: Hertz, for a device that does not report its clock.
_GUESSED_CLOCK = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAccelerator:
    """What a probe found of one accelerator, every text on one line."""

    provider: str
    devices: tuple[str, ...]
    """Nodes of drivers, and `USB 18d1:9302`."""
    libraries: tuple[str, ...]
    """Paths."""
    runtimes: tuple[str, ...]
    """ONNX Runtime's providers, and libraries of LiteRT's."""
    missing: str
    """What else it takes; empty where all is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedDevice:
    """The facts in the agent's `device` event, every text on one line; empty, None or 0 where one is missing."""

    model: str
    machine_id: str
    """16 hexadecimal digits; empty where the system has no number."""
    processor: str
    machine: str
    core: ArmCore | None
    count: int
    clock: float | None
    """Hertz."""
    features: tuple[str, ...]
    ram_total: int
    ram_free: int
    storage_total: int
    storage_free: int
    python: str
    installed: Mapping[str, str]
    """Versions by distribution name."""
    about: str
    """Kernel, libc, size of a page, caches."""
    accelerators: tuple[FoundAccelerator, ...] = ()
    power_mode: str = ""
    """A Jetson's; empty elsewhere."""
    is_phone: bool = False
    soc: str = ""
    """As Android names it; empty elsewhere."""
    heap: str = ""
    """What an app's managed heap may grow to, in Android's words: `256m`."""
    low_ram: bool = False


def draft(event: Mapping[str, Any], known: Iterable[DeviceProfile], address: str) -> str:
    """The text of a valid profile.

    Args:
        event: The agent's `device` event, with `installed`: versions by distribution name.
        known: Profiles; the nearest is named, and supplies what a device cannot report.
        address: The address of the device.
    """
    device = probed(event)
    near = nearest(device, known)
    return "\n".join((*_heading(device, near, _clean(address)), *_facts(device, near), *_software(device, near), ""))


def nearest(device: ProbedDevice, known: Iterable[DeviceProfile]) -> DeviceProfile | None:
    """The profile of the same board, else of the same core, with the closest RAM; None where there is none."""
    devices = [profile for profile in known if not profile.is_this_machine]
    same = [profile for profile in devices if _is_same(device, profile)]
    alike = [profile for profile in devices if device.core is not None and profile.cpu.core == device.core.name]
    return min(same or alike, key=lambda profile: abs(profile.ram.total - device.ram_total), default=None)


def _is_same(device: ProbedDevice, profile: DeviceProfile) -> bool:
    return bool(profile.identity.model) and device.model.startswith(profile.identity.model)


def probed(event: Mapping[str, Any]) -> ProbedDevice:
    """The facts in the event."""
    cpu, memory, storage, phone = (event.get(key) or {} for key in ("cpu", "memory", "storage", "phone"))
    processor = _clean(next(iter(cpu.get("names") or ()), ""))
    clocks = [hertz for key in ("highest_clocks", "clocks") for hertz in cpu.get(key) or () if hertz]
    named = re.search(r"@ *([0-9.]+) *GHz", processor)
    return ProbedDevice(
        model=re.sub(r" Rev [0-9.]+$", "", _clean(event.get("model"))),
        machine_id=found[0] if (found := re.findall("^[0-9a-f]{16}$", _clean(event.get("machine_id")))) else "",
        processor=processor,
        machine=_clean(event.get("machine")),
        core=fastest(cpu.get("implementers") or (), cpu.get("parts") or ()),
        count=cpu.get("count") or 1,
        clock=max(clocks, default=float(named[1]) * 1e9 if named else None),
        features=tuple(name for name in _FEATURES if name in (cpu.get("features") or ())),
        ram_total=memory.get("total") or 0,
        ram_free=memory.get("available") or 0,
        storage_total=storage.get("total") or 0,
        storage_free=storage.get("free") or 0,
        python=".".join(_clean(event.get("python")).split(".")[:2]),
        installed={name: _clean(version) for name, version in (event.get("installed") or {}).items()},
        about=_about(event, cpu.get("caches") or ()),
        accelerators=tuple(map(_found, event.get("accelerators") or ())),
        power_mode=_clean(((event.get("jetson") or {}).get("mode") or {}).get("name")),
        is_phone=bool(phone),
        soc=_clean(phone.get("soc")),
        heap=_clean(phone.get("heap")),
        low_ram=bool(phone.get("low_ram")),
    )


def _found(seen: Mapping[str, Any]) -> FoundAccelerator:
    devices, libraries, runtimes = (
        tuple(_clean(text) for text in seen.get(key) or ()) for key in ("devices", "libraries", "runtimes")
    )
    return FoundAccelerator(
        provider=_clean(seen.get("provider")),
        devices=devices,
        libraries=libraries,
        runtimes=runtimes,
        missing=_clean(seen.get("missing")),
    )


def _about(event: Mapping[str, Any], caches: Iterable[Mapping[str, Any]]) -> str:
    facts = [f"kernel {_clean(event.get('kernel'))}", _clean(event.get("libc"))]
    facts.append(f"pages of {(event.get('page_size') or 0) // 1024} KiB")
    facts += [f"L{one['level']} {_clean(one['type'])} cache {one['size'] // 1024} KiB" for one in caches]
    return ", ".join(fact for fact in facts if fact)


def _heading(device: ProbedDevice, near: DeviceProfile | None, address: str) -> Iterator[str]:
    yield f"# Found by: edgecheck devices probe {address}"
    yield f"# Nearest known profile: {near.id if near else 'none'}"
    yield f"# {device.about}"


def _facts(device: ProbedDevice, near: DeviceProfile | None) -> Iterator[str]:
    name = device.model or device.processor or f"{device.machine} machine"
    same = near if near is not None and _is_same(device, near) else None
    identity = {"model": device.model, "cpu_part": device.core.part if device.core else ""}
    if not device.model:  # phones and boards share cores
        identity["machine_id"] = device.machine_id
    core = device.core.name if device.core else device.machine or "unknown"
    clock = device.clock or (same.cpu.clock if same else _GUESSED_CLOCK)
    yield f"name: {_quoted(f'{name} ({device.ram_total / _GIB:.1f} GiB)')}"
    yield f"class: {_kind(device)}"
    yield f"soc: {_quoted(same.soc if same else device.soc or device.processor or name)}"
    yield f"identity: {{{', '.join(f'{key}: {_quoted(value)}' for key, value in identity.items() if value)}}}"
    doubt = "" if device.clock or same else "  # the clock is a guess: correct it"
    facts = [f"core: {_quoted(core)}", f"count: {device.count}", f"clock: {clock / 1e9:.4g} GHz"]
    facts.append(f"features: [{', '.join(device.features)}]")
    yield f"cpu: {{{', '.join(facts)}}}{doubt}"
    yield f"ram: {{total: {_mib(device.ram_total)}, reserved: {_mib(max(0, device.ram_total - device.ram_free))}}}"
    used = device.storage_total - device.storage_free
    yield f"storage: {{total: {_gb(device.storage_total)}, reserved: {_gb(used)}}}"
    yield from _accelerators(device, near)
    yield from _app(device)
    yield from _limits(device)


def _app(device: ProbedDevice) -> Iterator[str]:
    """What a phone lets one app take."""
    if heap := re.fullmatch(r"(\d+)([kmg])", device.heap.lower()):
        low_ram = ", low_ram: true" if device.low_ram else ""
        yield f"# heap{' and low_ram' if low_ram else ''}: as the phone says; download: {_STORE}"
        yield f"app: {{heap: {heap[1]} {heap[2].upper()}iB, download: {_DOWNLOAD}{low_ram}}}"


def _limits(device: ProbedDevice) -> Iterator[str]:
    share = _OF_A_PHONE if device.is_phone else _OF_A_BOARD
    start = f"ram_peak 1/{share} of the RAM, footprint 1/24 of the free"
    yield f"# A start, as in the profiles that come with edgecheck: {start}"
    yield "# storage and at most 500 MB, ten answers a second. Make them what your product needs."
    footprint = min(500, int(device.storage_free / 24 / 1e6))
    memory = f"ram_peak: {_mib(device.ram_total // share)}"
    sent = f"download: {_DOWNLOAD}, " if device.is_phone else ""
    yield f"limits: {{{memory}, {sent}footprint: {footprint} MB, latency_p50: 100 ms}}"


def _accelerators(device: ProbedDevice, near: DeviceProfile | None) -> Iterator[str]:
    """Those of which the device and the library are there; what the others lack, as comments."""
    known = {one.provider: one for one in near.accelerators} if near is not None else {}
    lines = []
    for one in device.accelerators:
        if one.provider not in ACCELERATORS:
            continue
        if not one.libraries or one.missing.startswith("no device"):
            there = ", ".join((*one.devices, *one.libraries, *one.runtimes))
            yield f"# accelerator {one.provider}: {there}{f'; {one.missing}' if one.missing else ''}"
            continue
        like = known.get(one.provider)
        precision = like.precision if like is not None else _PRECISIONS.get(one.provider, ("fp32", "fp16"))
        facts = [f"provider: {one.provider}", f"library: {_quoted(one.libraries[0].rpartition('/')[2])}"]
        facts += [f"source: {_source(one.libraries[0], device)}", f"precision: [{', '.join(precision)}]"]
        doubts = [one.missing, "" if like else "the precision is a guess"]
        doubt = "; ".join(text for text in doubts if text)
        lines.append(f"  - {{{', '.join(facts)}}}{f'  # {doubt}' if doubt else ''}")
    if lines:
        yield "accelerators:"
        yield from lines
    if device.power_mode and _kind(device) == "jetson":
        yield f"power_mode: {_quoted(device.power_mode)}"


#: What those compute with whose precision does not depend on the device.
_PRECISIONS = {"edgetpu": ("int8",), "hailo": ("int8",)}


def _source(library: str, device: ProbedDevice) -> str:
    """Where a library comes from, by its path."""
    if "-packages/" in library:
        return "wheel"
    if library.startswith(("/system/", "/vendor/", "/apex/")):
        return "android"
    return "jetpack" if _kind(device) == "jetson" else "apt"


def _software(device: ProbedDevice, near: DeviceProfile | None) -> Iterator[str]:
    yield f"python: {_quoted(device.python)}"
    yield f"runtimes: {{{', '.join(f'{form}: [{_pins(form, device, near)}]' for form in _RUNTIMES)}}}"
    if device.core is not None and device.machine == "aarch64":
        alike = near is not None and near.emulation_cpu and near.cpu.core == device.core.name
        yield f"emulation: {{cpu: {_quoted(near.emulation_cpu if near and alike else device.core.emulation)}}}"
        yield "# edgecheck devices calibrate adds the projection: nanoseconds per instruction, measured on this device"
    store = [f"{_SOURCE} ({_STORE})"] if device.is_phone else []
    yield f"sources: [{', '.join(map(_quoted, ['the device itself', *store]))}]"


def _pins(form: str, device: ProbedDevice, near: DeviceProfile | None) -> str:
    """The requirement that runs `form`: what is installed, else what the nearest profile pins, else the newest."""
    installed = [f"{name}=={device.installed[name]}" for name in _RUNTIMES[form] if device.installed.get(name)]
    known = holding(near.runtimes.get(form, ()), device.python) if near else ()
    pins = installed[:1] or known or _RUNTIMES[form][-1:]
    return ", ".join(_quoted(pin.replace("_", "-")) for pin in pins)


def _kind(device: ProbedDevice) -> str:
    if device.is_phone:
        return "phone"
    if re.search("jetson|nvidia", device.model, re.IGNORECASE):
        return "jetson"
    is_board = bool(device.model) and device.machine not in _PC
    return "single-board-computer" if is_board else "computer"


def _mib(size: int) -> str:
    return f"{size // _MIB} MiB"


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _clean(value: object) -> str:
    """A device's text without characters that end a line or control a terminal."""
    return "".join(each for each in str(value or "") if each.isprintable()).strip()


def _quoted(text: str) -> str:
    """As a double-quoted YAML string; every JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


_V8_0 = "cortex-a72"
_V8_2 = "cortex-a76"
_V9 = "max,sve=off,sme=off,pauth=off"


@dataclass(frozen=True, slots=True)
class ArmCore:
    """One kind of core."""

    part: str
    """`CPU part` of /proc/cpuinfo."""
    name: str
    emulation: str
    """The value of a profile's `emulation.cpu`."""


#: By (`CPU implementer`, `CPU part`), the slowest first.
ARM_CORES: Mapping[tuple[str, str], ArmCore] = MappingProxyType(
    {
        (implementer, part): ArmCore(part, name, emulation)
        for implementer, part, name, emulation in (
            ("0x41", "0xd04", "cortex-a35", "cortex-a35"),
            ("0x41", "0xd03", "cortex-a53", "cortex-a53"),
            ("0x41", "0xd05", "cortex-a55", _V8_2),
            ("0x41", "0xd46", "cortex-a510", _V9),
            ("0x41", "0xd80", "cortex-a520", _V9),
            ("0x41", "0xd07", "cortex-a57", "cortex-a57"),
            ("0x41", "0xd08", "cortex-a72", _V8_0),
            ("0x41", "0xd09", "cortex-a73", _V8_0),
            ("0x4e", "0x004", "nvidia-carmel", _V8_0),
            ("0x41", "0xd0a", "cortex-a75", _V8_2),
            ("0x41", "0xd0b", "cortex-a76", _V8_2),
            ("0x41", "0xd0d", "cortex-a77", _V8_2),
            ("0x41", "0xd41", "cortex-a78", _V8_2),
            ("0x41", "0xd42", "cortex-a78ae", _V8_2),
            ("0x41", "0xd47", "cortex-a710", _V9),
            ("0x41", "0xd4d", "cortex-a715", _V9),
            ("0x41", "0xd81", "cortex-a720", _V9),
            ("0x41", "0xd44", "cortex-x1", _V8_2),
            ("0x41", "0xd48", "cortex-x2", _V9),
            ("0x41", "0xd4e", "cortex-x3", _V9),
            ("0x41", "0xd82", "cortex-x4", _V9),
        )
    }
)


def fastest(implementers: Sequence[str], parts: Sequence[str]) -> ArmCore | None:
    """The fastest of the cores that a device lists; None where none is known."""
    found = [core for (maker, part), core in ARM_CORES.items() if maker in implementers and part in parts]
    return found[-1] if found else None
