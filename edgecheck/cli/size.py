"""`edgecheck size`: shows where a model's bytes are, and what grew since another model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecheck import __version__
from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.edgetpu import SUFFIX, is_compiled, placement
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.tables import By, table
from edgecheck.checks.explain.ways_out import savings
from edgecheck.cli import options
from edgecheck.cli.files import write_report
from edgecheck.cli.outputs import ensure_places, print_report, terminal_style
from edgecheck.errors import ModelError, UsageError
from edgecheck.reports.size import FORMATS, Growth, SizeReport, View, render_size

if TYPE_CHECKING:
    from edgecheck.anatomy.values import Anatomy

_EXAMPLES = """
\b
Examples:
  edgecheck size model.tflite
  edgecheck size model.onnx --by operator --top 10
  edgecheck size model.pth --by prefix --depth 2
  edgecheck size new.onnx --against old.onnx             what grew, to the byte
  edgecheck size model_edgetpu.tflite                    what the Edge TPU runs
  edgecheck size model.keras --format html=size.html     a treemap to explore
  edgecheck size new.onnx --against old.onnx --format markdown
"""
_PATH = click.Path(path_type=Path)


@click.command("size", epilog=_EXAMPLES)
@click.argument("model", type=_PATH)
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    help="What each row is. [default: layer, or prefix with --depth]",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 64),
    help="Group layers by this many names of their path: backbone/block_3 is 2.",
)
@options.TOP
@click.option(
    "--against", type=_PATH, metavar="OLD", help="Show what grew, shrank, appeared and disappeared since OLD."
)
@options.format_option(FORMATS)
@click.option(
    "--quick", is_flag=True, help="Do not read the weights; leaves out zeros and the effects of gzip and pruning."
)
def command(
    model: Path,
    by: str | None,
    depth: int | None,
    top: int,
    against: Path | None,
    formats: tuple[tuple[str, str], ...],
    *,
    quick: bool,
) -> int:
    """Show where the bytes of MODEL are, and what would make it smaller.

    Reads .tflite, .onnx, SavedModel folders, .keras, .h5, .pt, .pth, .pt2,
    TorchScript, .safetensors, scikit-learn's pickles and .mlpackage, without
    their frameworks and without running code that is in them. The rows add up
    to the size of the model, to the byte.
    """
    view = _view(by, depth, top)
    ensure_places(formats)
    report = _read_sizes(model, view, against, quick=quick)
    for name, file in formats or (("terminal", ""),):
        text = render_size(name, report, terminal_style())
        if file:
            write_report(Path(file), text)
        else:
            print_report(name, text)
    return 0


def _view(by: str | None, depth: int | None, top: int) -> View:
    """The grouping; `--depth` makes prefixes of layers, and of nothing else."""
    if depth is None:
        return View(By(by or By.LAYER), 1, top)
    if by not in (None, By.LAYER, By.PREFIX):
        raise UsageError(f"--depth has no meaning with --by {by}.", "Use --by prefix, or leave --depth out.")
    return View(By.PREFIX, depth, top)


def _read_sizes(model: Path, view: View, against: Path | None, *, quick: bool) -> SizeReport:
    anatomy = read(model)
    old = read(against) if against is not None else None
    measured = zeros = None
    if not quick:
        from edgecheck.anatomy.measuring import measure
        from edgecheck.checks.explain.ways_out import zeros_by_row

        measured = measure(anatomy)
        zeros = zeros_by_row(anatomy, measured, view.by, view.depth)
    from edgecheck.anatomy.drivers import drivers

    copies = repeated(anatomy)
    return SizeReport(
        anatomy=anatomy,
        view=view,
        rows=table(anatomy, view.by, view.depth),
        advice=savings(anatomy, copies, measured),
        drivers=drivers(anatomy),
        copies=copies,
        version=__version__,
        measured=measured,
        zeros=zeros,
        growth=_growth(anatomy, old, view) if old is not None else None,
        edge_tpu=placement(anatomy, old if old is not None and not is_compiled(old) else _before_compiling(anatomy)),
    )


def _before_compiling(anatomy: Anatomy) -> Anatomy | None:
    """The model next to one that the Edge TPU compiler has made, under its name before that; None without one."""
    path = Path(anatomy.path)
    before = path.with_name(path.stem.removesuffix(SUFFIX) + path.suffix)
    if not is_compiled(anatomy) or before == path or not before.is_file():
        return None
    try:
        return read(before)
    except ModelError:  # it may be anything
        return None


def _growth(anatomy: Anatomy, old: Anatomy, view: View) -> Growth:
    from edgecheck.anatomy.comparing import changes_by

    return Growth(old, changes_by(view.by, view.depth, anatomy, old))
