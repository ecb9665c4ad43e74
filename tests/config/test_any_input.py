"""Whatever a file holds, it is read or refused in this tool's words; nothing else ever comes out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecheck.config import Profiles, load_budgets
from edgecheck.config.budget_model import BudgetKeys
from edgecheck.config.problems import RefusedError
from edgecheck.config.profile_model import ProfileKeys
from edgecheck.config.yaml_reader import read_file
from edgecheck.core.metrics import METRICS
from edgecheck.errors import ConfigError

PROBLEM = re.compile(r"[\w./-]+(?::[1-9]\d*:[1-9]\d*)?: \S.*")
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

words = st.sampled_from(
    [
        "off",
        "no",
        "as-is",
        "int8",
        "auto",
        "1 MB",
        "50 ms",
        "99%",
        "net.tflite",
        "pixel-8",
        "this-machine",
        "\x1b[31m",
        "",
    ]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.text(max_size=8))
sections = {*BudgetKeys.keys, *ProfileKeys.keys}
inner = {"warn", "error", "on_unknown", "factory", "weights", "variant", "prune", "core", "total", "float", "cpu"}
keys = st.one_of(st.sampled_from(sorted({*sections, *inner, *METRICS, "pixel-8"})), st.text(max_size=5))
values = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(keys, below, max_size=4)),
    max_leaves=12,
)
punctuation = st.text(st.sampled_from("ab0:-?[]{},&*!|>'\"%@`#\n\t <.~"))
files = st.dictionaries(keys, values, max_size=8)


@cache
def packaged() -> Profiles:
    """Read once: every example would else read every file to find the nearest name."""
    return Profiles()


@given(st.one_of(st.binary(max_size=40), st.text(st.characters(codec="utf-8"), max_size=60), punctuation))
@QUICK
def test_any_bytes_are_a_tree_or_are_refused(content: bytes | str) -> None:
    path = Path("b.yaml")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        read_file(path)
    except RefusedError as error:
        assert PROBLEM.fullmatch(str(error))  # noqa: PT017 - most examples do not raise


@given(files)
@QUICK
def test_any_budget_is_read_or_its_problems_are_reported(content: dict[str, object]) -> None:
    path = Path("b.yaml")
    path.write_text(yaml.safe_dump({"model": "net.tflite", "devices": ["pixel-8"], **content}), encoding="utf-8")
    try:
        read = load_budgets([path], profiles=packaged())
    except ConfigError as error:
        check(error.problems)
    else:
        assert [budget.path for budget in read] == ["b.yaml"]


def test_the_budget_that_the_examples_change_is_read() -> None:
    Path("b.yaml").write_text("model: net.tflite\ndevices: [pixel-8]\n", encoding="utf-8")
    assert len(load_budgets([Path("b.yaml")], profiles=packaged())) == 1


@given(files, st.sampled_from(["", "raspberry-pi-4-2gb"]))
@QUICK
def test_any_profile_is_read_or_its_problems_are_reported(content: dict[str, object], parent: str) -> None:
    Path("device_profiles").mkdir(exist_ok=True)
    text = yaml.safe_dump({"extends": parent, **content} if parent else content)
    Path("device_profiles/board.yaml").write_text(text, encoding="utf-8")
    found = Profiles().find("board")
    if found.profile is None and content.get("family") is not True:
        check([str(problem) for problem in found.problems])


def check(problems: Sequence[str]) -> None:
    assert problems
    for problem in problems:
        assert PROBLEM.fullmatch(problem), problem
        assert len(problem) < 700
