"""onnx's own test models, read by edgecheck without onnx and counted by onnx itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "onnx"
#: Types that onnx calls otherwise than numpy and edgecheck do.
NAMES = {"float": "float32", "double": "float64"}


def files(folder: Path | None, scratch: Path) -> dict[str, Path]:
    """By name: the models below `folder`, or those of the installed onnx: its data, and what its test cases make."""
    if folder is not None:
        return {str(each.relative_to(folder)): each for each in sorted(folder.rglob("*.onnx"))}
    import onnx

    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    found = {str(each.relative_to(data)): each for each in sorted(data.rglob("*.onnx"))}
    if not any(name.startswith("node") for name in found):  # releases after 1.22 leave out what can be made
        found |= dict(_made(scratch))
    return found


def _made(scratch: Path) -> Iterator[tuple[str, Path]]:
    import warnings

    import onnx
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases("")
    for case in cases:
        if case.model is not None:
            path = scratch / f"{case.name}.onnx"
            onnx.save(case.model, path)
            yield f"node/{case.name}", path


def read_as_onnx_does(path: Path) -> tuple[str, str]:
    """Read the model with both; the outcome, and why."""
    import onnx

    from edgecheck.anatomy.reading import read
    from edgecheck.errors import EdgecheckError

    try:
        anatomy = read(path)
    except EdgecheckError as error:
        return "refused", error.message
    totals = anatomy.totals
    if totals.size != path.stat().st_size:
        return "wrong", f"accounts for {totals.size} of {path.stat().st_size} bytes"
    if totals.unclaimed or any(file.overlaps for file in anatomy.files):
        return "wrong", f"{totals.unclaimed} bytes unclaimed, or some claimed twice"
    listed = Counter((each.dtype, each.shape) for each in anatomy.tensors)
    missing = Counter(_tensors(onnx.load(path))) - listed
    if missing:
        return "wrong", f"does not list {', '.join(f'{dtype} {list(shape)}' for dtype, shape in missing)}"
    return "converted", ""


def _tensors(model: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor in the model, as onnx reads it: of graphs, branches, functions and attributes."""
    import onnx

    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        found = [*getattr(graph, "initializer", ())]
        found += [each.values for each in getattr(graph, "sparse_initializer", ())]
        for node in graph.node:
            for attribute in node.attribute:
                graphs += [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
                if node.op_type != "ConstantOfShape":  # its value is part of what edgecheck lists as made on loading
                    found += [attribute.t] if attribute.HasField("t") else list(attribute.tensors)
        for each in found:
            name = onnx.TensorProto.DataType.Name(each.data_type).lower()
            yield NAMES.get(name, name), tuple(each.dims)
