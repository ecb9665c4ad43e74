"""Models that would run code are refused before anything opens them, with what they would run; no payload ever ran.

Covers `keras_files.py`.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecheck.converters.agreement import reference_of
from edgecheck.converters.convert import convert
from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.model_files import sha256
from edgecheck.converters.safety import factories
from edgecheck.converters.safety.gate import admit, ensure_unchanged
from edgecheck.errors import ConversionError, ModelError
from tests.converters.bench import requires
from tests.converters.hostile import HOSTILE, TRICKS, archive, nested, pickled_torch, plain

if TYPE_CHECKING:
    from tests.converters.bench import Bench

FACTORY = """import torch
open({marker!r}, "w").close()
def build():
    return torch.nn.Linear(3, 2)
"""


def refused(bench: Bench, model: Path, **more: object) -> ConversionError:
    """The error of a conversion and of a run, which must be equal."""
    request: Request = bench.request(model, "onnx", "float32", **more)
    with pytest.raises(ConversionError) as converting:
        convert(request, bench.settings, progress=bench.said.append)
    with pytest.raises(ConversionError) as running:
        reference_of(request, bench.settings, progress=bench.said.append)
    assert converting.value.message == running.value.message
    return converting.value


@pytest.mark.parametrize("name", HOSTILE)
def test_no_payload_runs(empty_bench: Bench, tmp_path: Path, name: str) -> None:
    marker, model = tmp_path / "ran", tmp_path / name
    model.write_bytes(HOSTILE[name](marker))
    error = refused(empty_bench, model)
    assert f"{name} is a pickle that would import and run " in error.message
    assert "io.open" in error.message or "_io.open" in error.message
    assert f"`trusted: sha256:{sha256(model)}`" in error.hint
    assert not marker.exists()
    assert empty_bench.conversions == 0, "no process was started to open it"


@pytest.mark.parametrize("name", ["plain.pkl", "text.pkl", "legacy.pth", "module.pt"])
def test_these_payloads_do_run_when_such_a_file_is_opened(tmp_path: Path, name: str) -> None:
    """Without this, the tests above would prove nothing. Only the files that a plain unpickling opens."""
    marker = tmp_path / "ran"
    content = HOSTILE[name](marker)
    if name == "module.pt":
        content = zipfile.ZipFile(io.BytesIO(content)).read("m/data.pkl")
    stream = io.BytesIO(content)
    while not marker.exists():
        opened = pickle.load(stream)
        if hasattr(opened, "close"):
            opened.close()
        elif isinstance(opened, dict) and "a" in opened:
            opened["a"].close()
    assert marker.exists()


@pytest.mark.parametrize("trusted", ["sha256:" + "0" * 64, "sha256:", "all of it", "sha256"])
def test_trust_in_something_else_is_not_trust(empty_bench: Bench, tmp_path: Path, trusted: str) -> None:
    marker, model = tmp_path / "ran", tmp_path / "plain.pkl"
    model.write_bytes(plain(marker))
    assert "would import and run" in refused(empty_bench, model, trusted=trusted).message
    assert not marker.exists()


@pytest.mark.parametrize("name", sorted(set(TRICKS) - {"after the stop"}))
def test_no_trick_passes(empty_bench: Bench, tmp_path: Path, name: str) -> None:
    model = tmp_path / "model.pkl"
    model.write_bytes(TRICKS[name])
    request = Request(model=model, source="pickle", format="onnx", variant="float32")
    with pytest.raises(
        (ConversionError, ModelError), match=r"would import and run|cannot be read to its end|is damaged"
    ):
        convert(request, empty_bench.settings, progress=empty_bench.said.append)
    assert empty_bench.conversions == 0


def test_a_doubtful_file_is_refused(empty_bench: Bench, tmp_path: Path) -> None:
    """An array of a type of unknown size hides what follows it."""
    head = nested(tmp_path / "ran").partition(b"\x80\x02c")[0].replace(b"X\x02\x00\x00\x00O8", b"X\x02\x00\x00\x00X8")
    model = tmp_path / "model.joblib"
    model.write_bytes(head + b"\x00" * 8 + plain(tmp_path / "ran"))
    error = refused(empty_bench, model)
    assert "cannot be read to its end without running it" in error.message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("how", ["written to", "replaced and put back"])
def test_a_model_that_changes_meanwhile_is_refused(tmp_path: Path, how: str) -> None:
    model = tmp_path / "model.pkl"
    model.write_bytes(pickle.dumps({"a": 1}))
    admitted = admit(Request(model=model, source="pickle", format="onnx", variant="float32"))
    ensure_unchanged(admitted.request, admitted.seen)
    if how == "written to":
        status = model.stat()
        model.write_bytes(pickle.dumps({"a": 2}))
        os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        model.rename(tmp_path / "aside")
        (tmp_path / "aside").rename(model)
    with pytest.raises(ConversionError, match=r"model\.pkl changed after it had been examined"):
        ensure_unchanged(admitted.request, admitted.seen)


class TestFactories:
    """Code that builds a network is the user's, and runs only when it is trusted."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / "building.py").write_text(FACTORY.format(marker=str(tmp_path / "ran")), encoding="utf-8")
        return tmp_path

    @pytest.fixture
    def weights(self, tmp_path: Path) -> Path:
        header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        path = tmp_path / "net.safetensors"
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
        return path

    def test_it_does_not_run_untrusted(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        error = refused(empty_bench, weights, factory="building:build", home=home)
        digest = factories.sha256("building:build", home)
        assert error.message == "The factory building:build is your own code and would be executed."
        assert error.hint == f"Read it, then write `trusted: sha256:{digest}` into the budget, or give --trust."
        assert not (home / "ran").exists()

    def test_a_pin_covers_only_this_code(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        pin = f"sha256:{factories.sha256('building:build', home)}"
        (home / "building.py").write_text("open('ran', 'w')\ndef build(): ...\n", encoding="utf-8")
        assert (
            "would be executed"
            in refused(empty_bench, weights, factory="building:build", home=home, trusted=pin).message
        )

    @pytest.mark.parametrize("change", ["rewritten", "added", "removed"])
    def test_code_that_changes_meanwhile_is_refused(self, tmp_path: Path, weights: Path, change: str) -> None:
        package = tmp_path / "nets"
        package.mkdir()
        (package / "__init__.py").write_text("", encoding="utf-8")
        (package / "wide.py").write_text("def build(): ...\n", encoding="utf-8")
        pin = f"sha256:{factories.sha256('nets.wide:build', tmp_path)}"
        request = Request(
            model=weights, source="safetensors", format="onnx", variant="float32", factory="nets.wide:build",
            home=tmp_path, trusted=pin,
        )  # fmt: skip
        admitted = admit(request)
        ensure_unchanged(request, admitted.seen)
        if change == "rewritten":
            (package / "wide.py").write_text("def build(): ...\n", encoding="utf-8")
        elif change == "added":
            (package / "more.py").write_text("", encoding="utf-8")
        else:
            (package / "__init__.py").unlink()
        with pytest.raises(ConversionError, match=r"net\.safetensors or nets\.wide:build changed after it had been"):
            ensure_unchanged(request, admitted.seen)

    def test_every_file_of_its_package_counts(self, tmp_path: Path) -> None:
        package = tmp_path / "nets"
        package.mkdir()
        for name in ("__init__.py", "wide.py"):
            (package / name).write_text("", encoding="utf-8")
        before = factories.sha256("nets.wide:build", tmp_path)
        (package / "part.py").write_text("x = 1\n", encoding="utf-8")
        assert factories.sha256("nets.wide:build", tmp_path) != before

    def test_finding_it_imports_nothing(self, tmp_path: Path) -> None:
        package = tmp_path / "nets"
        package.mkdir()
        (package / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
        assert len(factories.sha256("nets.wide:build", tmp_path)) == 64

    @pytest.mark.parametrize(
        ("factory", "said"),
        [
            ("building", "does not name a factory"),
            ("a b:c", "does not name a factory"),
            ("absent_module:build", "was not found"),
        ],
    )
    def test_a_wrong_factory_is_refused(self, tmp_path: Path, factory: str, said: str) -> None:
        with pytest.raises(ConversionError, match=said):
            factories.sha256(factory, tmp_path)

    @pytest.mark.convert
    @requires("torch", "onnxscript", "safetensors")
    def test_it_runs_when_it_is_pinned(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        (home / "building.py").write_text("raise SystemError('it runs')", encoding="utf-8")
        pin = f"sha256:{factories.sha256('building:build', home)}"
        with pytest.raises(ConversionError, match="The factory building:build failed: SystemError: it runs"):
            empty_bench.make(weights, "onnx", "float32", factory="building:build", home=home, trusted=pin)

    @pytest.mark.convert
    @requires("torch", "onnxscript", "safetensors")
    def test_it_stays_in_the_seal(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        pin = f"sha256:{factories.sha256('building:build', home)}"
        with pytest.raises(ConversionError, match="The factory building:build failed: PermissionError"):
            empty_bench.make(weights, "onnx", "float32", factory="building:build", home=home, trusted=pin)
        assert not (home / "ran").exists()

    @pytest.mark.convert
    @requires("torch", "onnxscript", "onnxruntime")
    @pytest.mark.parametrize("prune", [0.0, 0.5])
    def test_a_pin_of_its_code_covers_every_step(
        self, bench: Bench, home: Path, torch_models: Path, prune: float
    ) -> None:
        """Also for the conversion to float32 in between, which is admitted separately."""
        shutil.copy(Path(__file__).parents[1] / "networks.py", home / "building.py")
        pin = f"sha256:{factories.sha256('building:classifier', home)}"
        more = {"factory": "building:classifier", "home": home, "trusted": pin, "inputs": {"image": (1, 1, 28, 28)}}
        made = bench.make(torch_models / "classifier.pth", "onnx", "int8", prune=prune, **more)
        assert ", then " in made.route
        assert made.size < 80_000

    @pytest.mark.parametrize("variant", ["float32", "int8"])
    def test_a_pin_of_its_code_does_not_trust_a_pickle(self, empty_bench: Bench, home: Path, variant: str) -> None:
        weights = home / "module.pt"
        weights.write_bytes(pickled_torch(home / "unpickled"))
        pin = f"sha256:{factories.sha256('building:build', home)}"
        request = empty_bench.request(weights, "onnx", variant, factory="building:build", home=home, trusted=pin)
        with pytest.raises(ConversionError, match=r"module\.pt is a pickle that would import and run"):
            convert(request, empty_bench.settings, progress=empty_bench.said.append)
        assert empty_bench.conversions == 0

    @pytest.mark.parametrize("variant", ["float32", "int8"])
    def test_a_pin_of_the_weights_does_not_trust_the_factory(
        self, empty_bench: Bench, home: Path, weights: Path, variant: str
    ) -> None:
        pin = f"sha256:{sha256(weights)}"
        request = empty_bench.request(weights, "onnx", variant, factory="building:build", home=home, trusted=pin)
        with pytest.raises(ConversionError, match="is your own code and would be executed"):
            convert(request, empty_bench.settings, progress=empty_bench.said.append)
        assert empty_bench.conversions == 0


@pytest.mark.convert
@requires("tensorflow")
@pytest.mark.parametrize(("suffix", "all_trusted"), [("keras", False), ("h5", True)])
def test_keras_stays_in_its_safe_mode(
    empty_bench: Bench,
    keras_models: Path,
    suffix: str,
    all_trusted: bool,  # noqa: FBT001 - a table's column
) -> None:
    model, marker = keras_models / f"lambda.{suffix}", keras_models / f"ran.{suffix}"
    marker.unlink(missing_ok=True)  # of a run that failed
    with pytest.raises(ConversionError) as caught:
        empty_bench.make(model, "onnx", "float32")
    assert caught.value.message == (
        f"lambda.{suffix} holds a Lambda layer or other Python code, which opening it would run."
    )
    assert f"`trusted: sha256:{sha256(model)}`" in caught.value.hint
    assert not marker.exists()
    trusted = TRUST_ALL if all_trusted else f"sha256:{sha256(model)}"
    request = empty_bench.request(model, "onnx", "float32", trusted=trusted)
    with pytest.raises(ConversionError, match="PermissionError"):  # it runs, and stays in the seal
        reference_of(request, empty_bench.settings, progress=empty_bench.said.append)
    assert not marker.exists()


@pytest.mark.convert
@requires("sklearn", "skl2onnx")
def test_a_second_lock_holds_if_the_first_is_deceived(
    empty_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the gate missed something, the loader would still import only what is harmless."""
    marker, model = tmp_path / "ran", tmp_path / "nested.joblib"
    model.write_bytes(nested(marker))
    monkeypatch.setattr("edgecheck.converters.safety.gate._refuse", lambda *_: None)
    with pytest.raises(ConversionError, match=r"The model is a pickle that would import and run _?io\.open"):
        empty_bench.make(model, "onnx", "float32")
    assert not marker.exists()


@pytest.mark.convert
@requires("torch", "onnxscript")
def test_torch_is_forced_to_load_weights_only(
    empty_bench: Bench, tmp_path: Path, torch_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for a .pt2, inside which torch falls back to unsafe loading by default."""
    marker, model = tmp_path / "ran", tmp_path / "evil.pt2"
    inner = archive({"archive/data.pkl": plain(marker), "archive/version": b"3", "archive/byteorder": b"little"})
    with zipfile.ZipFile(torch_models / "two.pt2") as good:
        members = {each.filename: good.read(each) for each in good.infolist()}
    model.write_bytes(archive({**members, "two/data/sample_inputs/model.pt": inner}))
    monkeypatch.setattr("edgecheck.converters.safety.gate._refuse", lambda *_: None)
    with pytest.raises(ConversionError):
        empty_bench.make(model, "onnx", "float32")
    assert not marker.exists()
    with pytest.raises(ConversionError, match="PermissionError"):  # trusted, it runs: the file really is hostile
        empty_bench.make(model, "onnx", "float32", trusted=TRUST_ALL)
    assert not marker.exists(), "the seal holds"


def test_wrappers_around_layers_have_another_way_out(tmp_path: Path) -> None:
    module = "tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper"
    model = tmp_path / "pruned.keras"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", json.dumps({"module": module, "class_name": "PruneLowMagnitude", "config": {}}))
    with pytest.raises(ConversionError, match="holds the class tensorflow_model_optimization") as caught:
        admit(Request(model=model, source="keras", format="onnx", variant="float32"))
    assert caught.value.hint.startswith("Save it as .h5, from which the wrappers are taken off, or save what")
