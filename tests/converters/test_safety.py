"""Models that would run code: refused before anything is opened, with what they would run; no payload ever ran."""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgecheck.converters.agreement import reference_of
from edgecheck.converters.convert import convert
from edgecheck.converters.interface import TRUST_ALL, Request
from edgecheck.converters.model_files import sha256
from edgecheck.converters.safety import contents, factories
from edgecheck.converters.safety.allowlist import is_harmless
from edgecheck.errors import ConversionError, ModelError
from examples.real_models import fetch
from tests.converters.bench import requires

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.converters.bench import Bench

FACTORY = """import torch
open({marker!r}, "w").close()
def build():
    return torch.nn.Linear(3, 2)
"""


class Payload:
    """Pickled, it creates a file when it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.marker), "w"))


def plain(marker: Path) -> bytes:
    return pickle.dumps(Payload(marker))


def text(marker: Path) -> bytes:
    return pickle.dumps({"a": Payload(marker)}, protocol=0)


def nested(marker: Path) -> bytes:
    """In the array of objects that joblib pickles between the opcodes of its own pickle."""
    head = (
        b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\x00)\x81q\x01}q\x02("
        b"X\x05\x00\x00\x00shapeq\x03K\x01\x85q\x04X\x05\x00\x00\x00orderq\x05X\x01\x00\x00\x00Cq\x06"
        b"X\x05\x00\x00\x00dtypeq\x07cnumpy\ndtype\nq\x08X\x02\x00\x00\x00O8q\tK\x00K\x01\x87q\nRq\x0b"
        b"(K\x03X\x01\x00\x00\x00|q\x0cNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\rb"
        b"X\n\x00\x00\x00allow_mmapq\x0e\x89ub"
    )
    return head + pickle.dumps(np.array([Payload(marker)], dtype=object), protocol=2) + b"."


def packed(marker: Path) -> bytes:
    """As `joblib.dump(..., compress=('gzip', 3))` packs it."""
    return gzip.compress(plain(marker) + b"joblib")


def legacy(marker: Path) -> bytes:
    """As torch saved before 1.6: magic number, protocol, machine, object, keys."""
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    rest: list[object] = [1001, {"little_endian": True}, Payload(marker), []]
    return magic + b"".join(pickle.dumps(each, protocol=2) for each in rest)


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, each in members.items():
            written.writestr(name, each)
    return content.getvalue()


def whole(marker: Path) -> bytes:
    return archive({"m/data.pkl": plain(marker), "m/version": b"3", "m/byteorder": b"little"})


def exported(marker: Path) -> bytes:
    """A .pt2 whose sample inputs are a pickle: torch.export.load falls back to unsafe loading there."""
    inner = archive({"archive/data.pkl": plain(marker), "archive/version": b"3", "archive/byteorder": b"little"})
    return archive({"m/archive_format": b"pt2", "m/models/model.json": b"{}", "m/data/sample_inputs/model.pt": inner})


def exported_weight(marker: Path) -> bytes:
    """A .pt2 one of whose weights is a pickle in an archive, as `use_pickle` allows."""
    inner = archive({"archive/data.pkl": plain(marker), "archive/version": b"3"})
    return archive({"m/archive_format": b"pt2", "m/models/model.json": b"{}", "m/data/weights/weight_0": inner})


def described(marker: Path) -> bytes:
    """A .skops that names a function."""
    schema = f'{{"__class__": "open", "__module__": "io", "__loader__": "FunctionNode", "content": "{marker}"}}'
    return archive({"schema.json": schema.encode()})


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "plain.pkl": plain,
    "text.pkl": text,
    "nested.joblib": nested,
    "packed.joblib": packed,
    "legacy.pth": legacy,
    "whole.pt": whole,
    "exported.pt2": exported,
    "exported_weight.pt2": exported_weight,
    "described.skops": described,
}


def refused(bench: Bench, model: Path, **more: object) -> ConversionError:
    """The error of a conversion and of a run, which must be the same."""
    request: Request = bench.request(model, "onnx", "float32", **more)
    with pytest.raises(ConversionError) as converting:
        convert(request, bench.settings, tell=bench.said.append)
    with pytest.raises(ConversionError) as running:
        reference_of(request, bench.settings, tell=bench.said.append)
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


@pytest.mark.parametrize("name", ["plain.pkl", "text.pkl", "legacy.pth", "whole.pt"])
def test_these_payloads_do_run_when_such_a_file_is_opened(tmp_path: Path, name: str) -> None:
    """The proof that the tests above prove something; where unpickling alone opens the file."""
    marker = tmp_path / "ran"
    content = HOSTILE[name](marker)
    if name == "whole.pt":
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
def test_trust_in_something_else_is_no_trust(empty_bench: Bench, tmp_path: Path, trusted: str) -> None:
    marker, model = tmp_path / "ran", tmp_path / "plain.pkl"
    model.write_bytes(plain(marker))
    assert "would import and run" in refused(empty_bench, model, trusted=trusted).message
    assert not marker.exists()


TRICKS = {
    "stack global": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x85R.",
    "names by memo": b"\x80\x04\x8c\x06system\x94\x8c\x05posix\x94h\x00\x93.",
    "instance": b"\x80\x02(S'true'\niposix\nsystem\n.",
    "object": b"\x80\x02(cposix\nsystem\nX\x04\x00\x00\x00trueo.",
    "dotted name": b"\x80\x04\x8c\x0bcollections\x94\x8c\x1aOrderedDict.fromkeys.__class\x93.",
    "python 2 name": b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
    "extension": b"\x80\x02\x82\x01.",
    "getattr": b"\x80\x02c__builtin__\ngetattr\n.",
    "numpy that runs text": b"\x80\x02cnumpy.testing._private.utils\nrunstring\n.",
    "sklearn that fetches": b"\x80\x02csklearn.datasets\nfetch_openml\n.",
    "joblib that loads": b"\x80\x02cjoblib.numpy_pickle\nload\n.",
    "partial": b"\x80\x02cfunctools\npartial\n.",
    "cut off": b"\x80\x02cposix\nsys",
    "unknown opcode": b"\x80\x02\xff.",
    "after the stop": b"\x80\x02N.cposix\nsystem\n.",
}


@pytest.mark.parametrize("name", sorted(set(TRICKS) - {"after the stop"}))
def test_no_trick_passes(empty_bench: Bench, tmp_path: Path, name: str) -> None:
    model = tmp_path / "model.pkl"
    model.write_bytes(TRICKS[name])
    request = Request(model=model, source="pickle", format="onnx", variant="float32")
    with pytest.raises(
        (ConversionError, ModelError), match=r"would import and run|cannot be read to its end|is damaged"
    ):
        convert(request, empty_bench.settings, tell=empty_bench.said.append)
    assert empty_bench.conversions == 0


def test_what_lies_behind_the_end_of_a_pickle_is_not_run_and_not_counted(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(TRICKS["after the stop"])
    assert contents.of_pickle(tmp_path / "m.pkl").names == set()


def test_a_doubtful_file_is_refused(empty_bench: Bench, tmp_path: Path) -> None:
    """An array of a type whose size is not known hides what follows it."""
    head = nested(tmp_path / "ran").partition(b"\x80\x02c")[0].replace(b"X\x02\x00\x00\x00O8", b"X\x02\x00\x00\x00M8")
    model = tmp_path / "model.joblib"
    model.write_bytes(head + b"\x00" * 8 + plain(tmp_path / "ran"))
    error = refused(empty_bench, model)
    assert "cannot be read to its end without running it" in error.message
    assert not (tmp_path / "ran").exists()


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
def test_no_list_holds_what_runs_code(module: str, name: str) -> None:
    assert not is_harmless(module, name, "sklearn")
    assert not is_harmless(module, name, "torch")


def test_the_lists_hold_classes_and_constructors_of_known_packages_only() -> None:
    home = Path(contents.__file__).parent
    roots = {"sklearn": {"sklearn", "numpy", "scipy", "joblib"}, "torch": {"torch"}}
    plain_python = {"builtins", "__builtin__", "collections", "copyreg", "copy_reg", "_codecs"}
    for kind, packages in roots.items():
        lines = (home / f"harmless_{kind}.txt").read_text(encoding="utf-8").splitlines()
        modules = {line.partition(":")[0] for line in lines if not line.startswith("#")}
        assert {module.partition(".")[0] for module in modules} <= packages | plain_python


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("profanity.joblib", contents.of_pickle),
        ("facenet_onet.pt", contents.of_torch_legacy),
        ("lpips_v0.1_alex.pth", contents.of_torch_legacy),
    ],
)
def test_files_that_others_wrote_are_harmless(name: str, look: Callable[[Path], contents.Contents]) -> None:
    found = look(fetch(name))
    kind = "sklearn" if name.endswith("joblib") else "torch"
    assert found.names
    assert found.doubt == ""
    assert all(is_harmless(module, each, kind) for module, each in found.names)


def test_the_version_that_wrote_a_model_is_read_without_opening_it() -> None:
    version = contents.of_pickle(fetch("profanity.joblib")).version
    assert version.count(".") >= 1
    assert version[0].isdigit()


class TestFactories:
    """Code that builds a network is the user's own, and runs only when it is trusted."""

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
        assert error.message == "The factory building:build is code of yours, and would run."
        assert error.hint == f"Read it, then write `trusted: sha256:{digest}` into the budget, or give --trust."
        assert not (home / "ran").exists()

    def test_a_pin_holds_for_this_code_only(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        pin = f"sha256:{factories.sha256('building:build', home)}"
        (home / "building.py").write_text("open('ran', 'w')\ndef build(): ...\n", encoding="utf-8")
        assert "would run" in refused(empty_bench, weights, factory="building:build", home=home, trusted=pin).message

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
        [("building", "is no factory"), ("a b:c", "is no factory"), ("absent_module:build", "is not found")],
    )
    def test_what_is_no_factory_is_told(self, tmp_path: Path, factory: str, said: str) -> None:
        with pytest.raises(ConversionError, match=said):
            factories.sha256(factory, tmp_path)

    @pytest.mark.convert
    @requires("torch", "onnxscript", "safetensors")
    def test_it_runs_when_it_is_pinned(self, empty_bench: Bench, home: Path, weights: Path) -> None:
        pin = f"sha256:{factories.sha256('building:build', home)}"
        with pytest.raises(ConversionError, match="are not those of building:build"):
            empty_bench.make(weights, "onnx", "float32", factory="building:build", home=home, trusted=pin)
        assert (home / "ran").exists()

    @pytest.mark.convert
    @requires("torch", "onnxscript", "onnxruntime")
    @pytest.mark.parametrize("prune", [0.0, 0.5])
    def test_a_pin_of_its_code_holds_for_every_step(
        self, empty_bench: Bench, home: Path, torch_models: Path, prune: float
    ) -> None:
        """Through float32, whose conversion is admitted for itself."""
        shutil.copy(Path(__file__).with_name("networks.py"), home / "building.py")
        pin = f"sha256:{factories.sha256('building:classifier', home)}"
        more = {"factory": "building:classifier", "home": home, "trusted": pin, "inputs": {"image": (1, 1, 28, 28)}}
        made = empty_bench.make(torch_models / "classifier.pth", "onnx", "int8", prune=prune, **more)
        assert ", then " in made.route
        assert made.size < 80_000

    @pytest.mark.parametrize("variant", ["float32", "int8"])
    def test_a_pin_of_its_code_trusts_no_pickle(self, empty_bench: Bench, home: Path, variant: str) -> None:
        weights = home / "whole.pt"
        weights.write_bytes(whole(home / "unpickled"))
        pin = f"sha256:{factories.sha256('building:build', home)}"
        request = empty_bench.request(weights, "onnx", variant, factory="building:build", home=home, trusted=pin)
        with pytest.raises(ConversionError, match=r"whole\.pt is a pickle that would import and run"):
            convert(request, empty_bench.settings, tell=empty_bench.said.append)
        assert empty_bench.conversions == 0

    @pytest.mark.parametrize("variant", ["float32", "int8"])
    def test_a_pin_of_the_weights_trusts_no_factory(
        self, empty_bench: Bench, home: Path, weights: Path, variant: str
    ) -> None:
        pin = f"sha256:{sha256(weights)}"
        request = empty_bench.request(weights, "onnx", variant, factory="building:build", home=home, trusted=pin)
        with pytest.raises(ConversionError, match="is code of yours, and would run"):
            convert(request, empty_bench.settings, tell=empty_bench.said.append)
        assert empty_bench.conversions == 0


@pytest.mark.convert
@requires("tensorflow")
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_keras_stays_in_its_safe_mode(empty_bench: Bench, keras_models: Path, suffix: str) -> None:
    model, marker = keras_models / f"lambda.{suffix}", keras_models / f"ran.{suffix}"
    with pytest.raises(ConversionError) as caught:
        empty_bench.make(model, "onnx", "float32")
    assert caught.value.message == (
        f"lambda.{suffix} holds a Lambda layer or other Python code, which opening it would run."
    )
    assert f"`trusted: sha256:{sha256(model)}`" in caught.value.hint
    assert not marker.exists()
    for trusted in (f"sha256:{sha256(model)}", TRUST_ALL):
        request = empty_bench.request(model, "onnx", "float32", trusted=trusted)
        reference_of(request, empty_bench.settings, tell=empty_bench.said.append)
        assert marker.exists()
        marker.unlink()
        shutil.rmtree(empty_bench.settings.cache)


@pytest.mark.convert
@requires("sklearn", "skl2onnx")
def test_a_second_lock_holds_where_the_first_is_deceived(
    empty_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the gate to miss it, the loader itself imports what is harmless and nothing else."""
    marker, model = tmp_path / "ran", tmp_path / "nested.joblib"
    model.write_bytes(nested(marker))
    monkeypatch.setattr("edgecheck.converters.safety.gate._refuse", lambda *_: None)
    with pytest.raises(ConversionError, match=r"It would import and run _?io\.open"):
        empty_bench.make(model, "onnx", "float32")
    assert not marker.exists()


@pytest.mark.convert
@requires("torch", "onnxscript")
def test_torch_is_forced_to_load_weights_only(
    empty_bench: Bench, tmp_path: Path, torch_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for a .pt2, inside which torch falls back to unsafe loading when it is not told otherwise."""
    marker, model = tmp_path / "ran", tmp_path / "evil.pt2"
    inner = archive({"archive/data.pkl": plain(marker), "archive/version": b"3", "archive/byteorder": b"little"})
    with zipfile.ZipFile(torch_models / "two.pt2") as good:
        members = {each.filename: good.read(each) for each in good.infolist()}
    model.write_bytes(archive({**members, "two/data/sample_inputs/model.pt": inner}))
    monkeypatch.setattr("edgecheck.converters.safety.gate._refuse", lambda *_: None)
    with pytest.raises(ConversionError):
        empty_bench.make(model, "onnx", "float32")
    assert not marker.exists()
    with pytest.raises(ConversionError):
        empty_bench.make(model, "onnx", "float32", trusted=TRUST_ALL)
    assert marker.exists(), "trusted, the payload runs: the file is as evil as it should be"
