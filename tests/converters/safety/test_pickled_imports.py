"""What a file would import is found without opening it, and only known constructors count as harmless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.converters.safety import pickled_imports
from edgecheck.converters.safety.pickled_imports import PickledImports, is_harmless
from examples.real_models import fetch
from tests.converters.hostile import TRICKS


def test_bytes_after_the_end_of_a_pickle_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(TRICKS["after the stop"])
    assert pickled_imports.of_pickle(tmp_path / "m.pkl").names == set()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("collections", "OrderedDict.__init__"),
        ("numpy", "load"),
        ("numpy.testing._private.utils", "runstring"),
        ("sklearn.datasets._openml", "fetch_openml"),
        ("joblib.numpy_pickle", "load"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("", ""),
    ],
)
def test_no_list_contains_what_runs_code(module: str, name: str) -> None:
    assert not is_harmless(module, name, "sklearn")
    assert not is_harmless(module, name, "torch")


def test_the_lists_contain_only_names_of_known_packages() -> None:
    home = Path(pickled_imports.__file__).parent
    roots = {"sklearn": {"sklearn", "numpy", "scipy", "joblib", "xgboost", "lightgbm", "catboost"}, "torch": {"torch"}}
    plain_python = {"builtins", "__builtin__", "collections", "copyreg", "copy_reg", "_codecs"}
    for kind, packages in roots.items():
        lines = (home / f"harmless_{kind}.txt").read_text(encoding="utf-8").splitlines()
        modules = {line.partition(":")[0] for line in lines if not line.startswith("#")}
        assert {module.partition(".")[0] for module in modules} <= packages | plain_python


@pytest.mark.parametrize(
    ("name", "imports_of"),
    [
        ("profanity.joblib", pickled_imports.of_pickle),
        ("facenet_onet.pt", pickled_imports.of_torch_legacy),
        ("lpips_v0.1_alex.pth", pickled_imports.of_torch_legacy),
    ],
)
def test_real_models_are_harmless(name: str, imports_of: Callable[[Path], PickledImports]) -> None:
    found = imports_of(fetch(name))
    kind = "sklearn" if name.endswith("joblib") else "torch"
    assert found.names
    assert found.doubt == ""
    assert all(is_harmless(module, each, kind) for module, each in found.names)


def test_the_version_that_wrote_a_model_is_found_without_opening_it() -> None:
    version = pickled_imports.of_pickle(fetch("profanity.joblib")).version
    assert version.count(".") >= 1
    assert version[0].isdigit()
