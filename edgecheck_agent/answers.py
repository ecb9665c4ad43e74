"""A model's outputs as JSON: tensors by their bytes, everything else by its values."""

import base64
from typing import Any, Dict

import numpy as np


def encoded(value: Any) -> Dict[str, Any]:
    """`dtype`, `shape` and `base64` (little-endian, C order) of a tensor; `values` of text, sequences and maps."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        return {
            "dtype": value.dtype.name,
            "shape": list(value.shape),
            "base64": base64.b64encode(plain.tobytes()).decode(),
        }
    if isinstance(value, np.ndarray):
        texts = [_plain(item) for item in value.reshape(-1).tolist()]
        return {"dtype": "string", "shape": list(value.shape), "values": texts}
    return {"dtype": "other", "shape": [], "values": _plain(value)}


def has_nan(value: Any) -> bool:
    """Whether a floating-point tensor holds a NaN."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc" and bool(np.isnan(value).any())


def _plain(value: Any) -> Any:
    """Lists, and maps as lists of pairs; numbers that JSON has not, as their names."""
    if isinstance(value, dict):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value
