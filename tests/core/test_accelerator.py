from __future__ import annotations

import pytest

from edgecheck.core.accelerator import PROVIDERS, Accelerator, accelerator, from_text
from edgecheck_agent import accelerators


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("cpu", None),
        ("openvino", Accelerator("openvino")),
        ("tensorrt:fp16", Accelerator("tensorrt", "fp16")),
        ("/usr/lib/libvx_delegate.so", Accelerator("/usr/lib/libvx_delegate.so")),
        ("libedgetpu.so.1", Accelerator("libedgetpu.so.1")),
    ],
)
def test_what_the_option_takes(text: str, expected: Accelerator | None) -> None:
    found = from_text(text)
    assert found == expected
    if found is not None:
        assert found.typed == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpu", "there is no accelerator 'tpu'; expected cpu, cuda, tensorrt"),
        ("./libnpu.so", "absolute path of a delegate's library"),
        ("openvino:int8", "openvino has no precision 'int8'; choose from fp32, fp16, accuracy"),
        ("edgetpu:int8", "edgetpu takes no precision"),
        ("cpu:fp16", "cpu takes no precision"),
        ("/usr/lib/libnpu.so:fp16", "takes no precision"),
    ],
)
def test_what_it_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_text(text)


def test_in_words() -> None:
    assert str(Accelerator("tensorrt", "fp16")) == "tensorrt fp16"
    assert str(accelerator("gpu")) == "gpu"


def test_the_agent_has_the_same_accelerators() -> None:
    assert {name: formats for name, (_, formats) in accelerators.MODULES.items()} == {
        name: provider.formats for name, provider in PROVIDERS.items()
    }
    assert set(accelerators.CACHING) == {name for name, provider in PROVIDERS.items() if provider.caches}
    assert accelerators.doubts({"provider": "/usr/lib/libnpu.so"}, "tflite") == []
    assert accelerators.doubts({"provider": "/usr/lib/libnpu.so"}, "onnx") == ["/usr/lib/libnpu.so does not run .onnx"]
    assert accelerators.doubts({"provider": "tpu"}, "onnx") == ["there is no accelerator 'tpu'"]
