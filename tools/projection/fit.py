"""Fits what each counted event costs on each device, and what that is worth for networks that the fit has not seen.

    python -m tools.projection.fit            # the costs as profiles have them, and a table of errors
    python -m tools.projection.fit --write    # into device_profiles/

The error of a network is that of costs fitted without it and without all of its relatives, on this device and on those
with the same core.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgecheck.core.cost_fit import Normal, Vector, fitted, shared, total
from tools.projection.tables import FOLDER, Device, Network, devices, networks

PROFILES = Path(__file__).parents[2] / "device_profiles"

#: The quantile of pooled residuals that makes a 90 % interval. Relatives err alike, so that the 0.9-th of them covers
#: just 87 % of a family that had no part in it; this one covers 90 to 91 %, as the table says.
POOLED_SHARE = 0.93

#: What a set of costs takes as the work: by its name in profiles.
SETS = ("modelled", "counted")

#: The costs' names in profiles.
NAMES = ("work", "instruction", "l1", "store", "l2")


@cache
def row(device: Device, network: Network, kind: str) -> Vector:
    """What the network counted, in units of the costs, over its time."""
    work = network.cycles if kind == "modelled" else network.multiplying
    other = network.instructions - network.multiplying
    seconds = (work / device.ghz, other / device.ghz, network.l1 / device.ghz, network.l1_stores, network.l2)
    return tuple(value * 1e-3 / network.seconds for value in seconds)


@cache
def families(device: Device, kind: str) -> dict[str, Normal]:
    """The normal equations of each family of networks."""
    rows: dict[str, list[Vector]] = {}
    for network in networks(device):
        rows.setdefault(network.family, []).append(row(device, network, kind))
    return {family: Normal.of(each) for family, each in rows.items()}


def without(device: Device, kind: str, family: str) -> Normal:
    """The normal equations of all other families."""
    return total(each for name, each in families(device, kind).items() if name != family)


def peers(device: Device) -> tuple[Device, ...]:
    """The devices with its core, itself included."""
    return tuple(each for each in devices() if each.core == device.core)


def costs(device: Device, kind: str, family: str = "") -> Vector:
    """Its costs, fitted without a family of networks."""
    return fitted(without(device, kind, family), of_core(device.core, kind, family))


@cache
def of_core(core: str, kind: str, family: str = "") -> Vector | None:
    """The costs that its devices share; None where there is just one."""
    each = [without(device, kind, family) for device in devices() if device.core == core]
    return shared(each) if len(each) > 1 else None


def of_a_device(core: str, kind: str) -> Vector:
    """The costs of a device with the core that was never measured: with the mean factor of those that were."""
    each = [device for device in devices() if device.core == core]
    prior = of_core(core, kind) or costs(each[0], kind)
    factors = [without(device, kind, "").factor(prior) for device in each]
    mean = math.exp(math.fsum(map(math.log, factors)) / len(factors))
    return tuple(value * mean for value in prior)


@cache
def residuals(device: Device, kind: str) -> dict[str, float]:
    """By network: the logarithm of the projected over the published time, with the family left out."""
    found = {}
    for network in networks(device):
        fit = costs(device, kind, network.family)
        found[network.name] = math.log(math.fsum(map(math.prod, zip(row(device, network, kind), fit, strict=True))))
    return found


def conformal(residuals: Sequence[float], share: float = 0.9) -> float:
    """The half width that `share` of new residuals are within: the ceil((n + 1) share)-th of their absolute values.

    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005). Too few residuals have none: infinity.
    """
    ordered = sorted(map(abs, residuals))
    place = math.ceil((len(ordered) + 1) * share)
    return ordered[place - 1] if place <= len(ordered) else math.inf


def eightieth(values: Sequence[float]) -> float:
    """The absolute value that four of five are within: the scale of a device's residuals."""
    return conformal(values, 0.8)


def half_width(device: Device, kind: str, leave_out: str = "") -> float:
    """Half the width of a 90 % interval, as a logarithm.

    Residuals of all devices, each divided by its device's scale, are pooled: thirty residuals of one device alone say
    little about the tenth that is farthest off. `leave_out` is a family that has no part in it.
    """
    pooled = []
    for each in devices():
        found = _of_others(each, kind, leave_out)
        pooled += [value / eightieth(found) for value in found]
    return eightieth(_of_others(device, kind, leave_out)) * conformal(pooled, POOLED_SHARE)


@cache
def _of_others(device: Device, kind: str, leave_out: str) -> tuple[float, ...]:
    found = residuals(device, kind)
    return tuple(found[network.name] for network in networks(device) if network.family != leave_out)


def coverage(device: Device, kind: str) -> float:
    """The share of its networks within their intervals; fit and width are without the network's family."""
    inside = [
        abs(residuals(device, kind)[network.name]) <= half_width(device, kind, network.family)
        for network in networks(device)
    ]
    return sum(inside) / len(inside)


# Profiles.


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A profile that has costs."""

    profile: str
    device: str
    """The device that they were fitted on, or a core."""
    l2: str
    spread: str
    """As in `Costs.spread`."""


def wanted() -> Iterator[Wanted]:
    """Every profile that has costs, from `profiles.csv`."""
    for line in (FOLDER / "profiles.csv").read_text(encoding="utf-8").splitlines()[1:]:
        profile, device, l2, spread = line.split(",")
        yield Wanted(profile=profile, device=device, l2=l2, spread=spread)


def block(each: Wanted) -> str:
    """The `costs` of a profile as YAML, two spaces deep."""
    known = {device.name: device for device in devices()}
    if each.device in known:
        device = known[each.device]
        find: Callable[[str], Vector] = lambda kind: costs(device, kind)  # noqa: E731 - one of two
        widths = {kind: half_width(device, kind) for kind in SETS}
        source = f"{device.name} in ncnn's benchmark table of {device.published}, counted with ncnn {device.ncnn}"
    else:
        same = [device for device in devices() if device.core == each.device]
        device, find = same[0], lambda kind: of_a_device(each.device, kind)
        widths = {kind: max(half_width(device, kind) for device in same) for kind in SETS}
        source = f"the mean of {len(same)} devices with the core, from ncnn's benchmark tables"
    lines = [
        "  costs:  # fitted by tools/projection/fit.py",
        f"    l2_size: {each.l2}",
        "    runtime: ncnn",
        f"    networks: {len(networks(device))}",
        f'    source: "{source}"',
        f"    model: {device.model}",
        *(f"    {kind}: {{{_flow(find(kind), widths[kind])}}}" for kind in SETS),
    ]
    return "\n".join([*lines, f"    spread: {each.spread}"] if each.spread != "0" else lines) + "\n"


def _flow(values: Vector, width: float) -> str:
    each = [f"{name}: {value:.3g}" for name, value in zip(NAMES, values, strict=True)]
    return ", ".join([*each, f"within: {math.exp(width):.3f}"])


_BLOCK = re.compile(r"^  costs:.*\n(?:    .*\n)*", re.MULTILINE)


def with_costs(text: str, costs_block: str) -> str:
    """A profile's text with these costs: in the place of those it has, or at the end of `projection`."""
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: costs_block, text, count=1)
    return re.sub(
        r"^projection:.*\n(?:  .*\n)*", lambda found: found[0] + costs_block, text, count=1, flags=re.MULTILINE
    )


# The table.


def table(kind: str) -> Iterator[str]:
    """Errors by device, and of all: family out."""
    yield f"| {kind} | networks | median error | within 10 % | within 20 % | interval covers | its width |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for device in devices():
        found = list(residuals(device, kind).values())
        width = math.exp(2 * half_width(device, kind))
        yield f"| {device.name} | {len(found)} | {_errors(found)} | {coverage(device, kind):.0%} | {width:.2f} |"
    for words, chosen in (
        ("boards and A76 phones", [device for device in devices() if device.core not in {"cortex-x3", "cortex-x4"}]),
        ("all", list(devices())),
    ):
        pooled = [value for device in chosen for value in residuals(device, kind).values()]
        covered = [coverage(device, kind) * len(networks(device)) for device in chosen]
        widths = [2 * half_width(device, kind) for device in chosen for _ in networks(device)]
        width = math.exp(sum(widths) / len(widths))
        yield f"| {words} | {len(pooled)} | {_errors(pooled)} | {sum(covered) / len(pooled):.1%} | {width:.2f} |"


def _errors(found: Sequence[float]) -> str:
    errors = sorted(abs(math.exp(value) - 1) for value in found)
    middle = (errors[(len(errors) - 1) // 2] + errors[len(errors) // 2]) / 2
    shares = [sum(error <= bound for error in errors) / len(errors) for bound in (0.1, 0.2)]
    return f"{middle:.1%} | {shares[0]:.0%} | {shares[1]:.0%}"


def main() -> None:
    """Print, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the costs into device_profiles/")
    arguments = parser.parse_args()
    for each in wanted():
        path = PROFILES / f"{each.profile}.yaml"
        text = path.read_text(encoding="utf-8")
        after = with_costs(text, block(each))
        if arguments.write and after != text:
            path.write_text(after, encoding="utf-8")
    for kind in SETS:
        print("\n".join(table(kind)), end="\n\n")


if __name__ == "__main__":
    main()
