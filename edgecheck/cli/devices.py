"""`edgecheck devices`: the profiles that budgets can name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck.cli import options
from edgecheck.cli.commands import LazyGroup
from edgecheck.cli.files import ensure_folder, write_report
from edgecheck.config import Profiles, load_project
from edgecheck.core.address import LOCAL
from edgecheck.core.device import THIS_MACHINE
from edgecheck.core.units import Unit, show
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.core.device import Constant, Costs, DeviceProfile


_MODULES = {
    "calibrate": ("edgecheck.cli.calibrate", "Measure how many nanoseconds an instruction takes on a device."),
    "health": ("edgecheck.cli.health", "Run a small reference on every board, and say which is out of line."),
}


@click.group(
    "devices",
    cls=LazyGroup,
    modules=_MODULES,
    invoke_without_command=True,
    epilog="\b\nExamples:\n  edgecheck devices\n  edgecheck devices show raspberry-pi-4-2gb\n"
    "  edgecheck devices probe ssh://pi@raspberrypi.local\n"
    "  edgecheck devices calibrate ssh://pi@raspberrypi.local --profile my-pi\n"
    "  edgecheck devices health",
)
@options.PROFILES
@click.pass_context
def command(context: click.Context, profiles: tuple[Path, ...]) -> None:
    """List device profiles; or show one, or make one from a device.

    Profiles come from --profiles, then from ./device_profiles, then from
    those that come with edgecheck.
    """
    context.obj = Profiles(profiles, load_project(Path.cwd()).profiles)
    if context.invoked_subcommand is None:
        _list(context.obj)


@command.command("show")
@click.argument("device", metavar="ID", shell_complete=options.complete_devices)
@click.pass_obj
def show_command(profiles: Profiles, device: str) -> None:
    """Show one profile, including what it inherits from its family."""
    for key, value in describe(profiles.get(device)):
        click.echo(f"{key:<14} {value}" if key else f"{'':<14} {value}")


@command.command(
    "probe",
    epilog="\b\nExample:\n  edgecheck devices probe ssh://pi@raspberrypi.local --save my-pi",
)
@click.argument("address")
@click.option("--save", metavar="ID", help="Write it to device_profiles/ID.yaml instead of stdout.")
@click.pass_obj
def probe_command(profiles: Profiles, address: str, save: str | None) -> None:
    """Make a profile for a device at ADDRESS.

    ADDRESS may be the name of a device in edgecheck.yaml, or local for this
    machine. Nothing is installed on the device. What it does not report comes from the nearest known
    profile, and is marked.
    """
    from edgecheck.core.profile_draft import draft
    from edgecheck.targets.shell.cache import DISTRIBUTIONS, probe

    place = _place(save) if save is not None else None
    address = str(load_project(Path.cwd()).address(address))
    found = [profiles.find(name).profile for name in profiles.ids() if name != THIS_MACHINE]
    known = [profile for profile in found if profile is not None]  # not the file that stdout goes into, still empty
    if address == str(LOCAL):
        from edgecheck.targets.local import probe as probe_here

        event = probe_here(DISTRIBUTIONS)
    else:
        event = probe(address, lambda words: click.echo(words, err=True))
    text = draft(event, known, address)
    if place is None:
        click.echo(text, nl=False)
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{place.parent} cannot be written to: {error.strerror}.", _ELSEWHERE) from error
    write_report(place, text)
    use = f"edgecheck check MODEL --device {save} --target {address}"
    click.echo(f"Wrote {place}. Review its limits, then: {use}", err=True)


#: What to do where the folder of profiles cannot be written to.
_ELSEWHERE = "Leave out --save, and send the profile to another file: edgecheck devices probe ADDRESS > FILE.yaml"


def _place(name: str) -> Path:
    """The file of a new profile.

    Raises:
        UsageError: it exists, its folder cannot be written to, or the name cannot be a profile's.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or name == THIS_MACHINE:
        raise UsageError(
            f"--save {name} is not a valid name.", "Use letters, digits, dots, dashes and underscores: my-pi"
        )
    folder = next(iter(load_project(Path.cwd()).profiles), Path("device_profiles"))
    place = folder / f"{name}.yaml"
    if place.exists():
        raise UsageError(f"{place} already exists.", "Choose another name.")
    ensure_folder(folder, _ELSEWHERE)
    return place


def _list(profiles: Profiles) -> None:
    rows = [("DEVICE", "CPU", "RAM", "LIMITS"), *(_row(profiles.get(name)) for name in profiles.ids())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(profile: DeviceProfile) -> tuple[str, ...]:
    return (
        profile.id,
        f"{profile.cpu.count}x {profile.cpu.core} {show(profile.cpu.clock, Unit.HERTZ)}",
        show(profile.ram.total, Unit.BYTES, binary=True),
        ", ".join(f"{limit.metric.name} {limit.metric.show(limit.error)}" for limit in profile.limits if limit.error),
    )


def describe(profile: DeviceProfile) -> list[tuple[str, str]]:
    """The profile as pairs of a key and a text; an empty key continues the key before."""
    ram, storage = profile.ram, profile.storage
    rows = [
        ("device", profile.id),
        ("name", profile.name),
        ("class", profile.kind),
        ("soc", profile.soc),
        ("recognised by", _identity(profile)),
        ("cpu", f"{profile.cpu.count}x {profile.cpu.core} at {show(profile.cpu.clock, Unit.HERTZ)}"),
        ("features", ", ".join(profile.cpu.features)),
        ("ram", f"{_size(ram.total)}, {_size(ram.reserved)} of it for the system"),
        (
            "storage",
            f"{show(storage.total, Unit.BYTES)}, {show(storage.reserved, Unit.BYTES)} of it for the system",
        ),
        ("an app may take", _app(profile)),
        *_pairs("accelerators", [str(one) for one in profile.accelerators]),
        ("power mode", profile.power_mode),
        *_pairs(
            "limits",
            [f"{limit.metric.name} {limit.metric.show(limit.error or 0)}" for limit in profile.limits],
        ),
        ("python", profile.python),
        *_pairs("runtimes", [f"{name}: {', '.join(pins)}" for name, pins in profile.runtimes.items()]),
        ("emulated as", profile.emulation_cpu),
        *_pairs(
            "projection",
            [
                f"{kind}: {_constant(constant)}"
                for kind, constant in (("float", profile.projection.float), ("int8", profile.projection.int8))
                if constant is not None
            ],
        ),
        ("derived from", profile.projection.derived_from),
        ("costs", _costs(profile.projection.costs) if profile.projection.costs is not None else ""),
        *_pairs("sources", list(profile.sources)),
        ("file", profile.path),
    ]
    return [(key, value) for key, value in rows if value]


def _app(profile: DeviceProfile) -> str:
    if profile.app is None:
        return ""
    facts = [f"{_size(profile.app.heap)} of managed heap"]
    if profile.app.download:
        facts.append(f"a download of {show(profile.app.download, Unit.BYTES)}")
    return ", ".join([*facts, *(["low-RAM class"] if profile.app.low_ram else [])])


def _pairs(key: str, values: list[str]) -> list[tuple[str, str]]:
    return [(key if at == 0 else "", value) for at, value in enumerate(values)]


def _size(value: int) -> str:
    return show(value, Unit.BYTES, binary=True)


def _identity(profile: DeviceProfile) -> str:
    identity = profile.identity
    parts = [
        f"model {identity.model!r}" if identity.model else "",
        f"CPU part {identity.cpu_part}" if identity.cpu_part else "",
        f"machine {identity.machine_id}" if identity.machine_id else "",
    ]
    return ", ".join(part for part in parts if part)


def _costs(costs: Costs) -> str:
    best = costs.modelled or costs.counted
    within = f", within {best.within:.2f} x" if best is not None else ""
    other = "" if not costs.spread else "; this device was not measured"
    return f"of {costs.networks} networks on {costs.runtime}{within}: {costs.source}{other}"


def _constant(constant: Constant) -> str:
    return (
        f"{constant.ns_per_instruction} ns per instruction, spread {constant.spread:.0%}, "
        f"calibrated with {constant.runtime}"
    )
