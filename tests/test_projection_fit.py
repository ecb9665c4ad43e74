"""The costs of the profiles, fitted anew, and what they are worth. Covers `tools/projection/`."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.config import Profiles
from edgecheck.core.device import THIS_MACHINE
from tools.projection import fit, plot
from tools.projection.tables import devices, networks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/explanation/projection.md"
WANTED = list(fit.wanted())


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.profile)
def test_a_fit_finds_the_very_costs_of_a_profile(wanted: fit.Wanted) -> None:
    text = (fit.PROFILES / f"{wanted.profile}.yaml").read_text(encoding="utf-8")
    assert fit.block(wanted) in text
    assert fit.with_costs(text, fit.block(wanted)) == text


@pytest.mark.parametrize(("count", "expected"), [(9, 9), (19, 18), (8, math.inf)])
def test_a_conformal_half_width_is_a_residual(count: int, expected: float) -> None:
    assert fit.conformal([(-1) ** value * value for value in range(1, count + 1)]) == expected


def test_no_other_profile_has_costs() -> None:
    known = Profiles((fit.PROFILES,))
    with_costs = {name for name in known.ids() if name != THIS_MACHINE and known.get(name).projection.costs is not None}
    written = {wanted.profile for wanted in WANTED}
    assert {name for name in with_costs if not any(name.startswith(each) for each in written)} == set()


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.profile)
def test_costs_belong_to_the_clock_of_their_device(wanted: fit.Wanted) -> None:
    same = [device for device in devices() if device.name == wanted.profile]
    if same:
        known = Profiles((fit.PROFILES,))
        (profile, *_) = (known.get(name) for name in known.ids() if name.startswith(wanted.profile))
        assert profile.cpu.clock == pytest.approx(same[0].ghz * 1e9)
        assert wanted.spread == "0"


def test_a_network_is_predicted_without_its_relatives() -> None:
    device = devices()[5]
    names = {network.family for network in networks(device)}
    assert len(names) == 14
    for family in names:
        left = fit.without(device, "modelled", family).count
        assert left == sum(network.family != family for network in networks(device))


def test_the_page_says_what_the_benchmark_prints() -> None:
    argv = (sys.executable, str(ROOT / "benchmarks/projection.py"))
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    page = PAGE.read_text(encoding="utf-8").splitlines()
    tables = [line for line in printed.splitlines() if line]
    assert len(tables) > 2 * len(devices())
    assert [line for line in tables if line not in page] == []


def test_the_intervals_cover_what_they_say() -> None:
    for kind in fit.SETS:
        inside = sum(fit.coverage(device, kind) * len(networks(device)) for device in devices())
        assert 0.9 <= inside / sum(len(networks(device)) for device in devices()) <= 0.95


def test_the_picture_is_the_committed_one() -> None:
    assert plot.drawn() == plot.PLACE.read_text(encoding="utf-8")
