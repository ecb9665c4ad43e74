from __future__ import annotations

import pytest

from edgecheck.bundles import DevicePlatform, Wheel
from edgecheck.bundles.requirements import broken_by_numpy_2, extras_of, name_of, requirements_for
from edgecheck.errors import BundleError

PI = DevicePlatform("3.11", "aarch64")
ADDED = "numpy<2 was added: tflite-runtime was compiled for numpy 1 and fails under numpy 2."


def test_psutil_always_comes_along_and_may_be_missing() -> None:
    found = requirements_for(["onnxruntime==1.32.0"], PI)
    assert found.lines == ("onnxruntime==1.32.0", "psutil")
    assert found.optional == {"psutil"}
    assert found.notes == ()


def test_a_psutil_that_the_profile_pins_is_kept_as_it_is() -> None:
    found = requirements_for(["psutil==5.9.8"], PI)
    assert found.lines == ("psutil==5.9.8",)
    assert found.optional == frozenset()


def test_numpy_1_for_tflite_runtime() -> None:
    found = requirements_for(["tflite-runtime==2.14.0"], PI)
    assert found.lines == ("tflite-runtime==2.14.0", "psutil", "numpy<2")
    assert found.notes == (ADDED,)


def test_no_note_where_the_profile_has_the_cap() -> None:
    found = requirements_for(["numpy<2", "tflite-runtime==2.14.0"], PI)
    assert found.lines == ("numpy<2", "tflite-runtime==2.14.0", "psutil")
    assert found.notes == ()


def test_spelling_and_order_do_not_matter() -> None:
    one = requirements_for(["TFLite_Runtime == 2.14.0", "numpy <2", "numpy<2"], PI)
    assert one == requirements_for(["numpy<2", "tflite-runtime==2.14.0"], PI)


def test_markers_are_the_devices() -> None:
    lines = ["tflite-runtime==2.14.0; python_version < '3.12'", "ai-edge-litert==2.3.0; python_version >= '3.12'"]
    assert requirements_for(lines, PI).lines == ("tflite-runtime==2.14.0", "psutil", "numpy<2")
    assert requirements_for(lines, DevicePlatform("3.13", "aarch64")).lines == ("ai-edge-litert==2.3.0", "psutil")
    assert requirements_for(["x; platform_machine == 'armv7l'"], DevicePlatform("3.9", "armv7l")).lines == (
        "x",
        "psutil",
    )


@pytest.mark.parametrize("text", ["", "tflite-runtime 2.14", "==2", "-r evil.txt", "--index-url=x", "a b"])
def test_what_is_not_a_requirement(text: str) -> None:
    with pytest.raises(BundleError) as caught:
        requirements_for([text], PI)
    assert caught.value.message == f"{text!r} is not a requirement that pip understands."
    assert caught.value.hint == "Write it like `tflite-runtime==2.14.0`."


def wheels(**versions: str) -> list[Wheel]:
    return [
        Wheel(name=name.replace("_", "-"), version=version, file="", sha256="") for name, version in versions.items()
    ]


@pytest.mark.parametrize(
    ("runtime", "version", "broken"),
    [
        ("tflite_runtime", "2.14.0", True),
        ("onnxruntime", "1.18.0", True),
        ("onnxruntime", "1.19.0", False),
        ("ai_edge_litert", "1.1.0", True),
        ("ai_edge_litert", "1.1.1", False),
        ("psutil", "1.0", False),
    ],
)
def test_which_releases_fail_under_numpy_2(runtime: str, version: str, *, broken: bool) -> None:
    name = runtime.replace("_", "-")
    assert broken_by_numpy_2(wheels(**{runtime: version}, numpy="2.4.6")) == ([f"{name}=={version}"] if broken else [])
    assert broken_by_numpy_2(wheels(**{runtime: version}, numpy="1.26.4")) == []
    assert broken_by_numpy_2(wheels(**{runtime: version})) == []


def test_names_and_extras() -> None:
    assert name_of("Foo.Bar[b,a]>1") == "foo-bar"
    assert extras_of("Foo.Bar[b,a]>1") == {"a", "b"}
