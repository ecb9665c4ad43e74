"""Texts in a .pt2 that torch would run when it opens the file are found without torch."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from edgecheck.converters.safety.torch_programs import is_arithmetic, what_runs

if TYPE_CHECKING:
    from pathlib import Path

_CALL = "__import__('os').mkdir('ran')"


@pytest.fixture
def program(torch_models: Path) -> dict[str, Any]:
    """The JSON of a real one, with a size that is open and a guard."""
    with zipfile.ZipFile(torch_models / "guarded.pt2") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("models/model.json"))
        found: dict[str, Any] = json.loads(archive.read(name))
    return found


def found_in(document: dict[str, Any]) -> list[str]:
    return list(what_runs(json.dumps(document)))


@pytest.mark.convert
def test_a_real_program_only_computes(program: dict[str, Any]) -> None:
    assert program["guards_code"]
    assert "expr_str" in json.dumps(program)
    assert found_in(program) == []


_TREE = json.dumps({"default_factory_module": "antigravity", "default_factory_name": "x"})
_IN_GRAPH = ("graph_module", "graph")
_CHANGES: dict[str, tuple[tuple[str | int, ...], object]] = {
    "the expression": ((*_IN_GRAPH, "tensor_values", "x", "sizes", 0, "as_expr", "expr_str"), f"{_CALL} or Integer(1)"),
    "the guard": (("guards_code", 0), f"{_CALL} or True"),
    "the operator": ((*_IN_GRAPH, "nodes", 0, "target"), "torch.hub.load"),
    'the name "y': ((*_IN_GRAPH, "inputs", -1, "as_tensor", "name"), f"y={_CALL}"),
    'the name "self': ((*_IN_GRAPH, "nodes", 0, "inputs", 0, "name"), f"self={_CALL}, other"),
    "the text": (
        ("graph_module", "signature", "input_specs", 0, "parameter", "parameter_name"),
        f'a"){_CALL}#',
    ),
    "the module": (
        ("graph_module", "module_call_graph", 0, "signature", "in_spec"),
        json.dumps([1, {"type": "collections.defaultdict", "context": _TREE, "children_spec": []}]),
    ),
    'the name "x': ((*_IN_GRAPH, "tensor_values", f"x={_CALL}"), {}),
}


@pytest.mark.convert
@pytest.mark.parametrize("said", _CHANGES)
def test_what_would_run_is_found(program: dict[str, Any], said: str) -> None:
    (*path, last), value = _CHANGES[said]
    changed = place = json.loads(json.dumps(program))
    for part in path:
        place = place[part]
    place[last] = value
    (found,) = found_in(changed)
    assert found.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "-s0 + 3*s1**2",
        "Max(1, s0//2)",
        "Symbol('s17', positive=True, integer=True)",
        "Eq(Mod(s0, 4), 0)",
        "Piecewise((s0, s0 > 1), (1, True))",
    ],
)
def test_arithmetic(text: str) -> None:
    assert is_arithmetic(text)


@pytest.mark.parametrize(
    "text",
    [
        _CALL,
        "open('x')",
        "().__class__",
        "Symbol.__init__(1)",
        "[each for each in s0]",
        "lambda: 1",
        "Max('open(1)', 2)",
        "9**9**9**9",
        "f'{s0}'",
        "s0 if",
        "(" * 100_000,
        "s0\nimport os",
        "__builtins__",
        "eval(s0)",
    ],
)
def test_no_arithmetic(text: str) -> None:
    assert not is_arithmetic(text)
