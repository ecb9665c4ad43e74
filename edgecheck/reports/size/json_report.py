"""The anatomy of a model for programs: every file, row and tensor, in bytes, as a published schema describes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from edgecheck.anatomy.edgetpu import Placement
from edgecheck.anatomy.tables import Row
from edgecheck.anatomy.values import Anatomy, Tensor
from edgecheck.reports.size import Growth, SizeReport

#: Raised when a reader of the previous version could be misled; `reports/size-VERSION.schema.json` is the schema.
SCHEMA_VERSION = 1


def render(report: SizeReport) -> str:
    """The report as a JSON object, in ASCII: no name can steer a terminal, and every name can be written."""
    return json.dumps(document(report), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def document(report: SizeReport) -> dict[str, Any]:
    """The report as plain values."""
    anatomy, view = report.anatomy, report.view
    found: dict[str, Any] = {
        "schema": "edgecheck-size",
        "version": SCHEMA_VERSION,
        "edgecheck": report.version,
        **_model(anatomy),
        "operators": dict(anatomy.operators),
        "by": view.by.value,
        "depth": view.depth,
        "rows": [_row(row, report) for row in report.rows],
        "tensors": [_tensor(index, tensor, report) for index, tensor in enumerate(anatomy.tensors)],
        "advice": [{**asdict(each), "means": each.means.value, "of": each.of.value} for each in report.advice],
        "drivers": list(report.drivers),
        "repeated": [asdict(each) for each in report.copies],
        "notes": list(anatomy.notes),
        "edge_tpu": None if report.edge_tpu is None else _edge_tpu(report.edge_tpu),
        "against": None if report.growth is None else _growth(report.growth),
    }
    return {key: _clean(value) for key, value in found.items()}


def _model(anatomy: Anatomy) -> dict[str, Any]:
    return {
        "model": anatomy.path,
        "format": anatomy.format.value,
        "size": anatomy.size,
        "totals": asdict(anatomy.totals),
        "files": [
            {
                "name": file.name,
                "size": file.size,
                "parts": [{**part._asdict(), "kind": part.kind.value} for part in file.parts],
                "gaps": [gap._asdict() for gap in file.gaps],
                "overlaps": [overlap._asdict() for overlap in file.overlaps],
            }
            for file in anatomy.files
        ],
    }


def _row(row: Row, report: SizeReport) -> dict[str, Any]:
    zeros = (report.zeros or {}).get(row.name) if row.tensors else None
    return {**asdict(row), "kind": row.kind.value, "zeros": zeros}


def _tensor(index: int, tensor: Tensor, report: SizeReport) -> dict[str, Any]:
    measured = (report.measured or {}).get(index)
    return {
        "name": tensor.name,
        "layer": tensor.layer,
        "operator": tensor.operator,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "role": tensor.role.value,
        "stored": tensor.stored,
        "memory": tensor.memory,
        "params": tensor.params,
        "shares": tensor.shares,
        "repeats": tensor.repeats,
        "encoding": tensor.encoding,
        "contents": None if measured is None else asdict(measured),
    }


def _edge_tpu(placement: Placement) -> dict[str, Any]:
    on_tpu = None if placement.on_tpu is None else dict(placement.on_tpu)
    return {**asdict(placement), "on_cpu": dict(placement.on_cpu), "on_tpu": on_tpu, "share": placement.share}


def _growth(growth: Growth) -> dict[str, Any]:
    comparison = growth.comparison
    return {
        **_model(growth.old),
        "delta": comparison.delta,
        "changes": [
            {
                "name": change.name,
                "was": change.was,
                "status": change.status.value,
                "kind": change.kind.value,
                "old": change.old,
                "new": change.new,
                "delta": change.delta,
                "detail": change.detail,
            }
            for change in comparison.changes
        ],
    }


def _text(raw: str) -> str:
    """`raw` without halves of surrogate pairs, which strict readers of JSON refuse."""
    return raw.encode("utf-8", "replace").decode() if not raw.isascii() else raw


def _clean(value: Any) -> Any:
    """The value, with every string in it writable."""
    match value:
        case str():
            return _text(value)
        case list() | tuple():
            return [_clean(item) for item in value]
        case dict():
            return {_text(key): _clean(item) for key, item in value.items()}
        case _:
            return value
