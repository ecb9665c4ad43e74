"""`edgecheck convert`: converts a model to what a device runs and compares the two, without a device."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_cache_path

from edgecheck.anatomy.formats import identify
from edgecheck.cli.files import ensure_folder
from edgecheck.cli.progress import Progress
from edgecheck.config import shapes_from_texts
from edgecheck.converters.convert import compressed, convert
from edgecheck.converters.interface import READY, TRUST_ALL, VARIANTS, ConversionSettings, Request
from edgecheck.core.units import Unit, show
from edgecheck.errors import UsageError

if TYPE_CHECKING:
    from edgecheck.converters.comparison import Agreement
    from edgecheck.core.artifact import Artifact

_EXISTING = click.Path(path_type=Path, exists=True)
_EXAMPLES = """
\b
Examples:
  edgecheck convert emotion.keras --variant int8 --samples faces.npz -o build/
  edgecheck convert net.onnx --variant int8-dynamic
  edgecheck convert weights.pth --factory nets.face:build --format onnx --trust
"""


@click.command("convert", epilog=_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--variant", type=click.Choice(VARIANTS), default="float32", help="How to convert the model. [default: float32]"
)
@click.option(
    "--format",
    "target",
    type=click.Choice(READY),
    help="The format to make; the default is the model's own, tflite for TensorFlow models, onnx for the others.",
)
@click.option(
    "--prune", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Share of the weights to set to zero."
)
@click.option("--samples", type=_EXISTING, metavar="FILE", help="Real inputs (.npz): an array per model input.")
@click.option(
    "--input",
    "shapes",
    multiple=True,
    metavar="NAME=SHAPE",
    help="The shape of an input that has an open dimension: image=1,224,224,3.",
)
@click.option(
    "--factory",
    default="",
    metavar="MODULE:FUNCTION",
    help="The function that builds the network whose weights are in MODEL.",
)
@click.option(
    "--signature", default="", metavar="NAME", help="The signature to convert, where a SavedModel has several."
)
@click.option("--trust", is_flag=True, help="Allow the model file and the factory to execute code.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where to write. [default: .]",
)
def command(
    model: Path,
    variant: str,
    target: str | None,
    prune: float,
    samples: Path | None,
    shapes: tuple[str, ...],
    factory: str,
    signature: str,
    output: Path,
    *,
    trust: bool,
) -> None:
    """Convert a model and report its size and accuracy loss.

    The artifact is compared with its source on the samples, or on seeded
    random ones. Exit codes: 0 converted, 1 the outputs are all zero or not
    numbers, 3 it could not be converted or compared.
    """
    if math.isnan(prune):  # which is neither below nor above what click's range allows
        raise UsageError("--prune takes a number from 0 up to 1, not 'nan'.", "Half of the weights: --prune 0.5")
    source = identify(model).value
    request = Request(
        model=model,
        source=source,
        format=target or (source if source in READY else READY[0] if source in _TO_TFLITE else READY[1]),
        variant=variant,
        prune=prune,
        samples=samples,
        inputs=shapes_from_texts(shapes),
        signature=signature,
        factory=factory,
        trusted=TRUST_ALL if trust else "",
    )
    from edgecheck.converters.agreement import agreement_of

    ensure_folder(output, _ANOTHER_FOLDER)
    settings = ConversionSettings(user_cache_path("edgecheck"))
    with Progress(1) as progress:
        artifact = compressed(convert(request, settings, progress=progress.show), settings)
        place = _placed(artifact, output, prune)
    _show(artifact, place)
    with Progress(1) as progress:
        agreement = agreement_of(artifact, request, settings, progress=progress.show)
    _show_agreement(agreement)
    if agreement.failure:
        raise click.exceptions.Exit(1)


#: What to do where artifacts cannot be written.
_ANOTHER_FOLDER = "Name another folder: -o FOLDER"

#: Sources whose own framework writes .tflite; the others go to .onnx.
_TO_TFLITE = ("keras", "hdf5", "savedmodel")


def _placed(artifact: Artifact, folder: Path, prune: float) -> Path:
    """Copy the artifact's files to `folder`, the first under the model's name; returns the path of the first."""
    pruned = f"-pruned{100 * prune:g}" if prune else ""
    stem = f"{Path(artifact.model).stem}.{artifact.variant}{pruned}"
    places = [folder / f"{stem}.{artifact.format}", *(folder / file.name for file in artifact.files[1:])]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, place in zip(artifact.files, places, strict=True):
            if Path(file).resolve() != place.resolve():
                shutil.copyfile(file, place)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}.", _ANOTHER_FOLDER) from error
    return places[0]


def _show(artifact: Artifact, place: Path) -> None:
    after = f", {show(artifact.download, Unit.BYTES)} after gzip" if artifact.download is not None else ""
    click.echo(f"{place}: {show(artifact.size, Unit.BYTES)}{after} (static)")
    click.echo(f"  {artifact.route}")
    for note in artifact.notes:
        click.echo(f"  {note}")


def _show_agreement(agreement: Agreement) -> None:
    which = "random samples, seeded" if agreement.seeded else "samples"
    top = f", same top class in {agreement.top1:.1%}" if agreement.top1 is not None else ""
    click.echo(
        f"  agreement {show(agreement.agreement, Unit.RATIO)} ({agreement.figures}), "
        f"relative error {agreement.relative_error:.2g}{top}; measured on {agreement.samples} {which}"
    )
    if agreement.note:
        click.echo(f"  {agreement.note}")
    if agreement.failure:
        click.echo(f"  It cannot be used: {agreement.failure}.")
