"""What a file would import is found without opening it, and only known constructors count as harmless."""

from __future__ import annotations

import pickle
import posix
import re
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from edgecheck.anatomy.reading import read
from edgecheck.converters.safety import pickled_imports
from edgecheck.converters.safety.pickled_imports import PickledImports, is_harmless
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.converters.bench import requires
from tests.converters.hostile import TRICKS, wrapped


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


#: Opcodes that import what runs code, behind as many bytes of an array as a `NumpyArrayWrapper` of `wrapped` has.
#: Before them, and where a larger array would end, the pickle seems to end harmlessly.
_HIDDEN = b"0N.".ljust(8, b".") + b"0cposix\nsystem\n."
_FAR = _HIDDEN.ljust(200, b".") + b"0N."
_INNER = wrapped(b"cposix\nsystem\n.", code="S64", size=64, shape=(1,)).ljust(400, b".")


def _attribute(name: str, value: bytes) -> bytes:
    return b"X" + len(name).to_bytes(4, "little") + name.encode() + value


#: Pickles, each with the trick by which an array seems to have another size than joblib reads; the first is honest.
_WRAPPED = {
    "none": wrapped(_HIDDEN),
    "size in the state of a number": wrapped(_FAR, size=100),
    "size that differs from the type's": wrapped(_FAR, code="S4", size=100),
    "flags that make numbers references": wrapped(
        pickle.dumps(posix.system).ljust(400, b".") + b"0N.", flags=1, shape=(100,)
    ),
    "record of references": wrapped(
        pickle.dumps(posix.system, 2).ljust(64, b".") + b"0N.", code="V64", size=64, flags=1, shape=(1,)
    ),
    "references without their flag": wrapped(b"N.0N.".ljust(8, b".") + _HIDDEN, code="O8"),
    "array in a nested pickle": wrapped(b"\x80\x02" + _INNER + b".", code="O8", flags=63, shape=(1,)),
    "attribute with two values": wrapped(_FAR, shape=(25,), more=_attribute("shape", b"K\x02\x85")),
    "attribute whose name is made": wrapped(
        _FAR, shape=(25,), more=b"cbuiltins\nstr\nX\x05\x00\x00\x00shape\x85RK\x02\x85"
    ),
    "padding that may be none": wrapped(
        bytes(12) + _HIDDEN, more=_attribute("numpy_array_alignment_bytes", b"cbuiltins\nlist\n)R")
    ),
    "arguments": wrapped(_HIDDEN, arguments=b"K\x01\x85"),
    "made by copyreg": wrapped(
        _HIDDEN,
        maker=b"ccopyreg\n_reconstructor\n",
        arguments=b"cjoblib.numpy_pickle\nNumpyArrayWrapper\ncbuiltins\nobject\nN\x87",
        call=b"R",
    ),
    "class out of a scalar": wrapped(
        _HIDDEN,
        maker=b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x01\x00\x00\x00O\x85R"
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n\x86R",
    ),
    "too many dimensions": wrapped(_HIDDEN, shape=(1,) * 129),
    "too many numbers": wrapped(b"0N.", shape=(0, 1 << 62, 4)),
}


@pytest.mark.parametrize("trick", _WRAPPED)
def test_nothing_hides_behind_an_array(trick: str, tmp_path: Path) -> None:
    """What joblib would import is found, or the file counts as doubtful; nothing is half seen."""
    (tmp_path / "m.joblib").write_bytes(b"\x80\x02" + _WRAPPED[trick])
    found = pickled_imports.of_pickle(tmp_path / "m.joblib")
    assert bool(found.doubt) != (("posix", "system") in found.names)


@pytest.mark.parametrize("trick", sorted(set(_WRAPPED) - {"made by copyreg", "class out of a scalar"}))
def test_the_gate_refuses_what_the_reader_refuses(trick: str, tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(b"\x80\x02" + _WRAPPED[trick])
    doubt = pickled_imports.of_pickle(tmp_path / "m.joblib").doubt
    if not doubt:
        read(tmp_path / "m.joblib")
        return
    with pytest.raises(ModelError, match=re.escape(doubt)):
        read(tmp_path / "m.joblib")


_DUMP = "import joblib, pickle, sys; joblib.dump(pickle.load(sys.stdin.buffer), sys.argv[1])"


@pytest.mark.slow
@requires("joblib")
def test_arrays_of_every_type_that_joblib_writes_are_followed(tmp_path: Path) -> None:
    record = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    kinds = [
        np.arange(3, dtype=">i2"),
        np.ones((2, 3), order="F"),
        np.array(["a", "bcd"]),
        np.array([b"abc"]),
        np.array([True]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        record,
        np.array([{"a": np.ones(3)}, None], dtype=object),
        np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")]),
        np.array(1.5),
        np.zeros((0, 4), dtype=np.complex64),
    ]
    subprocess.run(
        [sys.executable, "-c", _DUMP, str(tmp_path / "m.joblib")],
        input=pickle.dumps([*kinds, Decimal(1)]),
        check=True,
    )
    found = pickled_imports.of_pickle(tmp_path / "m.joblib")
    assert found.doubt == ""
    assert ("decimal", "Decimal") in found.names, "it is behind all of the arrays"
    assert read(tmp_path / "m.joblib").totals.unclaimed == 0
