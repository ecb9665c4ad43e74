"""A factory's code may import its package as it was hashed, and what is installed; nothing else from its folder."""

from __future__ import annotations

import os
import py_compile
import struct
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters import cache
from edgecheck.converters.agreement import reference_of
from edgecheck.converters.interface import TRUST_ALL
from edgecheck.converters.safety import factories
from edgecheck.errors import ConversionError
from examples.real_models import fetch
from tests.converters.bench import requires

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.converters.bench import Bench

NETWORK = """import colorsys
import torch
from .parts import layers
{more}
def build():
    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    {inside}
    return layers.dense()
"""
LAYERS = "import torch\ndef dense():\n    return torch.nn.Linear(1, 2, bias=False)\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A budget's folder with a package, whose sub-package has no `__init__.py`."""
    package = tmp_path / "budgets" / "nets"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "face.py").write_text(NETWORK.format(more="", inside="pass"), encoding="utf-8")
    (package / "parts" / "layers.py").write_text(LAYERS, encoding="utf-8")
    return package.parent


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    header = b'{"weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}'
    path = tmp_path / "net.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 3, 4))
    return path


def run(bench: Bench, weights: Path, home: Path, pin: str = "") -> None:
    """Build the network and run it; pinned to the code as it is, where no other pin is given."""
    pin = pin or f"sha256:{factories.sha256('nets.face:build', home)}"
    more = {"factory": "nets.face:build", "home": home, "trusted": pin, "inputs": {"input": (1, 1)}}
    seen = reference_of(bench.request(weights, "onnx", "float32", **more), bench.settings, progress=bench.said.append)
    assert seen.recording.values[0][0].shape == (1, 2)


def imports(home: Path, what: str) -> str:
    """Python that imports what a factory's process imports, and prints its `said`."""
    return (
        "from pathlib import Path; from edgecheck.converters.safety import factories;"
        f"factories.allow(factories.code('nets.face:build', Path({str(home)!r})));"
        f"import {what} as it; print(getattr(it, 'said', 'nothing'))"
    )


@pytest.mark.convert
@requires("torch", "safetensors")
class TestInItsProcess:
    """The entire conversion, with torch."""

    def test_a_file_next_to_the_package_is_not_run(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        """Named like a module of the standard library, like an installed package, or like nothing else."""
        pin = f"sha256:{factories.sha256('nets.face:build', home)}"
        for name in ("colorsys", "sympy", "sitecustomize", "fresh"):
            (home / f"{name}.py").write_text(f"open({str(home / 'ran')!r}, 'w')\n", encoding="utf-8")
        run(empty_bench, weights, home, pin)
        assert not (home / "ran").exists()

    @pytest.mark.parametrize("where", ["more", "inside"])
    def test_importing_a_module_next_to_the_package_is_refused(
        self, empty_bench: Bench, home: Path, weights: Path, where: str
    ) -> None:
        """It is not hashed: the cache would return an artifact of its old content for the new one."""
        words = {"more": "", "inside": "pass", where: "import actlib"}
        (home / "nets" / "face.py").write_text(NETWORK.format(**words), encoding="utf-8")
        (home / "actlib.py").write_text("", encoding="utf-8")
        with pytest.raises(ConversionError) as caught:
            run(empty_bench, weights, home)
        assert caught.value.message == (
            f"nets.face imports actlib, which is next to its package: from {home}, only the factory's package is "
            "imported."
        )
        assert caught.value.hint == "Move it into the package, or install it."
        assert cache.entries(empty_bench.settings.cache) == ()

    def test_a_missing_module_is_named(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        code = NETWORK.format(more="import absent_package.part", inside="pass")
        (home / "nets" / "face.py").write_text(code, encoding="utf-8")
        (home / "absent_package").mkdir()
        with pytest.raises(ConversionError) as caught:
            run(empty_bench, weights, home)
        assert caught.value.message == "nets.face imports absent_package, which is not installed here."

    def test_a_missing_optional_module_is_fine(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        code = NETWORK.format(more="try:\n    import actlib\nexcept ImportError:\n    pass\n", inside="pass")
        (home / "nets" / "face.py").write_text(code, encoding="utf-8")
        (home / "actlib.py").write_text("", encoding="utf-8")
        run(empty_bench, weights, home)

    def test_a_linked_folder_is_refused(self, empty_bench: Bench, home: Path, weights: Path, tmp_path: Path) -> None:
        """It would take precedence over the module of its name, and is not hashed."""
        pin = f"sha256:{factories.sha256('nets.face:build', home)}"
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "__init__.py").write_text(f"open({str(home / 'ran')!r}, 'w')\n", encoding="utf-8")
        (home / "nets" / "face").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(
            ConversionError, match=r"The factory's module nets\.face was not found among the files of nets"
        ):
            run(empty_bench, weights, home, pin)
        assert not (home / "ran").exists()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (
                {"inside": "raise RuntimeError('boom in factory')"},
                "RuntimeError: boom in factory (nets/face.py, line 7)",
            ),
            ({"more": "1 / 0"}, "ZeroDivisionError: division by zero (nets/face.py, line 4)"),
            ({"inside": "torch.nn.Linear(1)"}, "TypeError: "),
            ({"more": "("}, "SyntaxError: '(' was never closed (face.py, line 4)"),
        ],
    )
    def test_an_error_in_its_code_is_shown_with_its_line(
        self, empty_bench: Bench, home: Path, weights: Path, wrong: dict[str, str], said: str
    ) -> None:
        code = NETWORK.format(**{"more": "", "inside": "pass", **wrong})
        (home / "nets" / "face.py").write_text(code, encoding="utf-8")
        with pytest.raises(ConversionError) as caught:
            run(empty_bench, weights, home)
        assert caught.value.message.startswith(f"The factory nets.face:build failed: {said}")
        assert empty_bench.conversions == 1, "no other route is tried"

    def test_weights_that_hold_code_are_refused(self, empty_bench: Bench, home: Path) -> None:
        """Even if everything is trusted: with a factory, weights are only data."""
        weights = home / "module.pth"
        build = f"import torch; torch.save(torch.nn.Linear(1, 2), {str(weights)!r})"
        subprocess.run([sys.executable, "-c", build], check=True)
        with pytest.raises(ConversionError) as caught:
            run(empty_bench, weights, home, TRUST_ALL)
        assert caught.value.message == (
            "module.pth holds more than weights, which a factory cannot use: it would import and run "
            "torch.nn.modules.linear.Linear."
        )
        with pytest.raises(ConversionError) as caught:
            run(empty_bench, weights, home)
        assert caught.value.hint == "Save it as torch.save(model.state_dict(), path).", "a pin of it would not help"


@pytest.mark.parametrize("name", ["mtcnn_rnet.onnx", "face_detection_short_range.tflite"])
def test_a_file_with_its_own_network_does_not_take_a_factory(empty_bench: Bench, home: Path, name: str) -> None:
    with pytest.raises(ConversionError) as caught:
        empty_bench.make(fetch(name), "onnx", "float32", factory="nets.face:build", home=home, trusted=TRUST_ALL)
    assert (
        caught.value.message == f"{name} contains its own network, so the factory nets.face:build has nothing to build."
    )


def test_cached_bytecode_is_not_run(home: Path, run_in: Callable[[str], str]) -> None:
    """It names the text that it belongs to by time and size, and can name any."""
    good, evil = "said = 'good'\n", "said = 'evil'\n"
    file = home / "nets" / "face.py"
    file.write_text(evil, encoding="utf-8")
    os.utime(file, (1e9, 1e9))
    py_compile.compile(str(file), cache_from_source(str(file)))
    file.write_text(good, encoding="utf-8")
    os.utime(file, (1e9, 1e9))
    plainly = f"import sys; sys.path.insert(0, {str(home)!r}); import nets.face; print(nets.face.said)"
    assert run_in(plainly) == "evil", "Python takes it for the text's bytecode"
    assert run_in(imports(home, "nets.face")) == "good"


@pytest.mark.parametrize(
    "name", [f"face{EXTENSION_SUFFIXES[0]}", "face.abi3.so", "part.pyc", "parts/layers/__init__.py"]
)
def test_whatever_python_could_import_is_hashed(home: Path, name: str) -> None:
    before = factories.sha256("nets.face:build", home)
    (home / "nets" / name).parent.mkdir(exist_ok=True)
    (home / "nets" / name).write_bytes(b"x")
    assert factories.sha256("nets.face:build", home) != before


def test_cached_bytecode_is_not_hashed(home: Path) -> None:
    before = factories.sha256("nets.face:build", home)
    file = home / "nets" / "face.py"
    py_compile.compile(str(file), cache_from_source(str(file)))
    assert factories.sha256("nets.face:build", home) == before


def test_a_package_without_an_init_is_one_folder(home: Path, tmp_path: Path, run_in: Callable[[str], str]) -> None:
    """Python would join it with every other folder of that name on its path."""
    for place in (home, tmp_path):
        (place / "nets").mkdir(exist_ok=True)
        (place / "nets" / "wide.py").write_text(f"said = {place.name!r}", encoding="utf-8")
    (home / "nets" / "__init__.py").unlink()
    (tmp_path / "nets" / "other.py").write_text("", encoding="utf-8")
    assert run_in(imports(home, "nets.wide")) == home.name
    assert run_in(
        f"try:\n    exec({imports(home, 'nets.other')!r})\nexcept ModuleNotFoundError as e:\n    print(e.name)"
    ) == ("nets.other")


def test_a_package_with_the_name_of_an_imported_one_is_refused(home: Path, run_in: Callable[[str], str]) -> None:
    (home / "json.py").write_text("", encoding="utf-8")
    code = (
        "import json; from pathlib import Path; from edgecheck.converters.safety import factories\n"
        f"try: factories.allow(factories.code('json:build', Path({str(home)!r})))\n"
        "except Exception as error: print(error.message, error.hint)"
    )
    assert run_in(code) == (
        "The factory's package json has the name of one that Python or edgecheck has already imported. "
        "Rename the package."
    )
