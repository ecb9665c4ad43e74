from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from edgecheck.core.outputs import SeenOutputs
from edgecheck.core.protocol import MisfitError, read_event


def event(text: bytes = b"\0\0\x80?", **changes: Any) -> dict[str, Any]:
    fields = {
        "event": "output",
        "process": 1,
        "sample": 0,
        "name": "y",
        "quantization": None,
        "dtype": "float32",
        "shape": [1],
        "base64": b64encode(text).decode(),
        "piece": 0,
        "pieces": 1,
    }
    return read_event(fields | changes)


def test_an_output_in_pieces_is_put_together() -> None:
    outputs = SeenOutputs()
    outputs.add(event(b"\0\0\x80", pieces=2))
    outputs.add(event(b"?", piece=1, pieces=2))
    outputs.add(event(name="z", quantization=[0.5, 3]))
    outputs.add(event(sample=1))
    first, second = outputs.samples
    assert [(each.name, each.content) for each in first] == [("y", b"\0\0\x80?"), ("z", b"\0\0\x80?")]
    assert first[1].quantization == (0.5, 3)
    assert second[0].shape == (1,)


def test_a_missing_piece_is_not_an_output() -> None:
    outputs = SeenOutputs()
    with pytest.raises(MisfitError, match="a piece is missing"):
        outputs.add(event(piece=1, pieces=2))


def test_content_that_is_not_base64() -> None:
    with pytest.raises(MisfitError, match="base64 is damaged"):
        SeenOutputs().add(event(base64="*"))
