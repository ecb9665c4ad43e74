"""The reference pages: every key has its row, and their YAML is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgecheck.config import Profiles, lint, load_budgets, load_project
from edgecheck.config.budget_model import AcceleratorChoiceKeys, BudgetKeys, MeasureKeys, ModelKeys, VariantKeys
from edgecheck.config.limit_model import Levels
from edgecheck.config.profile_model import (
    AcceleratorKeys,
    CapacityKeys,
    ConstantKeys,
    CpuKeys,
    EmulationKeys,
    IdentityKeys,
    ProfileKeys,
    ProjectionKeys,
    RuntimesKeys,
    ScalingKeys,
)
from edgecheck.config.project_model import ProjectKeys
from edgecheck.config.schema import Section
from edgecheck.core import address
from edgecheck.core.budget import Effort
from edgecheck.core.looks import LEAST_TIME
from edgecheck.core.metrics import METRICS
from edgecheck.core.units import Unit, parse

BUDGET_SECTIONS = [BudgetKeys, ModelKeys, VariantKeys, MeasureKeys, AcceleratorChoiceKeys, Levels]
PROFILE_SECTIONS = [
    ProfileKeys, IdentityKeys, CpuKeys, CapacityKeys, AcceleratorKeys, RuntimesKeys, EmulationKeys, ProjectionKeys,
    ConstantKeys, ScalingKeys,
    ProjectKeys,
]  # fmt: skip


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    folder = Path(__file__).parents[2] / "docs" / "reference"
    return {name: (folder / f"{name}.md").read_text(encoding="utf-8") for name in ("budget", "profile")}


@pytest.mark.parametrize(
    ("page", "section"),
    [*(("budget", section) for section in BUDGET_SECTIONS), *(("profile", section) for section in PROFILE_SECTIONS)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_key_has_its_row(pages: dict[str, str], page: str, section: type[Section]) -> None:
    assert section.keys
    for name, key in section.keys.items():
        rows = re.findall(rf"^\| `{name}` \| ([^|]+) \| ([^|]+) \|", pages[page], re.MULTILINE)
        assert rows, name
        assert any((default == "required") is key.is_required for _takes, default in rows), name


def test_every_metric_is_listed_with_its_unit(pages: dict[str, str]) -> None:
    words = {"a size": Unit.BYTES, "a duration": Unit.SECONDS, "a count": Unit.COUNT, "a share": Unit.RATIO}
    rows = re.findall(r"^\| ((?:`\w+` ?)+) \| (a \w+)[^|]* \|$", pages["budget"], re.MULTILINE)
    listed = {name: words[takes] for names, takes in rows for name in re.findall(r"`(\w+)`", names)}
    assert listed == {metric.name: metric.unit for metric in METRICS.values()}


def test_the_defaults_of_measure_are_those_of_the_core(pages: dict[str, str]) -> None:
    durations = dict.fromkeys(("warmup_time", "max_time", "deadline"), Unit.SECONDS)
    for name, unit in {**durations, "warmup_count": Unit.COUNT, "min_count": Unit.COUNT}.items():
        row = re.search(rf"^\| `{name}` \| [^|]+ \| ([^|,]+)", pages["budget"], re.MULTILINE)
        assert row is not None
        assert parse(row[1].strip(), unit) == getattr(Effort(), name)
    assert f"| {LEAST_TIME:g} s, or `max_time` if less" in pages["budget"]


def test_every_example_is_valid(pages: dict[str, str], here: Path) -> None:
    for folder in ("budgets", "models", "samples", "device_profiles", "boards", "shared"):
        (here / folder).mkdir()
    for model in ("face_detector.keras", "doorbell.tflite"):
        (here / "models" / model).touch()
    (here / "samples" / "faces.npz").touch()
    blocks = [block for page in pages.values() for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) == 9
    for position, block in enumerate(blocks):
        named = re.match(r"# (\S+\.yaml)\n", block)
        (here / (named[1] if named else f"budgets/{position}.yaml")).write_text(block)
    assert len(load_budgets([here / "budgets"], profiles=Profiles())) == 5
    assert Profiles().get("raspberry-pi-4-8gb").ram.reserved == 180 * 2**20
    assert load_project(here).targets == {"raspberry-pi-4-2gb": address.parse("ssh://pi@raspberrypi.local")}
    assert lint([Path("budgets"), Path("device_profiles"), Path("edgecheck.yaml")]).problems == ()
