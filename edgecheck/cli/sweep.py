"""`edgecheck sweep`: puts size and other figures of several models against what differs between them."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

import click
from platformdirs import user_cache_path

from edgecheck.checks.sweep import ANOTHER_FOLDER, Swept, of_conversions, of_factory, of_files
from edgecheck.cli import options
from edgecheck.cli.files import ensure_folder, write_report
from edgecheck.cli.outputs import ensure_places, print_report, terminal_style
from edgecheck.cli.progress import Progress
from edgecheck.converters.interface import READY, TRUST_ALL, VARIANTS, ConversionSettings, Request
from edgecheck.core.address import device_forms
from edgecheck.core.sweep import Point, Sweep, ordered
from edgecheck.errors import UsageError
from edgecheck.reports.sweep import FORMATS, render_sweep

_EXAMPLES = """
\b
Examples:
  edgecheck sweep forest_*.joblib --factor trees         size against trees
  edgecheck sweep net.onnx --prune 0,0.5,0.9             what pruning saves
  edgecheck sweep net.keras --variants float32,float16,int8
  edgecheck sweep --factory lessons:forest --values 10,100,500 --trust
  edgecheck sweep student.onnx --reference teacher.onnx --samples digits.npz
  edgecheck sweep net_*.tflite --target local --format html=sweep.html
"""
_PATH = click.Path(path_type=Path)


@click.command("sweep", epilog=_EXAMPLES)
@click.argument("models", nargs=-1, type=_PATH, metavar="[MODEL]...")
@click.option("--factor", default="", metavar="NAME", help="What differs between the models, to show.")
@click.option(
    "--prune",
    type=options.SharesParam(),
    default=(),
    metavar="SHARES",
    help="Prune MODEL to each of these shares: 0,0.5,0.9.",
)
@click.option("--variants", metavar="NAMES", help="Convert MODEL to each of these variants: float32,int8.")
@click.option("--factory", default="", metavar="MODULE:FUNCTION", help="A function that returns a model for a value.")
@click.option("--values", default="", metavar="VALUES", help="What the factory is called with: 10,100,500.")
@click.option("--reference", type=_PATH, metavar="MODEL", help="Show how well each model agrees with this one.")
@click.option(
    "--samples",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Real inputs (.npz) to compare on.",
)
@click.option("--target", default="", metavar="ADDRESS", help=f"Run each model there: local, {device_forms()}.")
@click.option("-o", "--output", type=_PATH, metavar="FOLDER", help="Keep the models that the factory returns here.")
@options.format_option(FORMATS)
@options.TRUST
def command(
    models: tuple[Path, ...],
    factor: str,
    prune: tuple[str, ...],
    variants: str | None,
    factory: str,
    values: str,
    reference: Path | None,
    samples: Path | None,
    target: str,
    output: Path | None,
    formats: tuple[tuple[str, str], ...],
    *,
    trust: bool,
) -> None:
    """Show what size, and other figures, depend on.

    Reads several models, or converts one several times, or calls a factory
    with several values, and shows bytes, weights, zeros and the size after
    gzip of each; with --reference the agreement, and with --target memory and
    latency.
    """
    ensure_places(formats)
    if output is not None:
        ensure_folder(output, ANOTHER_FOLDER)
    ways = [way for way in (prune, variants, factory) if way]
    if len(ways) > 1 or bool(factory) == bool(models) or bool(factory) != bool(values):
        raise UsageError(
            "Give models, or one model with --prune or --variants, or --factory with --values.",
            "Examples: edgecheck sweep --help",
        )
    settings = ConversionSettings(user_cache_path("edgecheck"))
    with Progress(1) as progress:
        swept = Swept(
            settings=settings,
            progress=progress.show,
            reference=reference,
            samples=samples,
            target=target,
            trust=trust,
        )
        if factory:
            found: Iterator[Point] = of_factory(factory, _split(values), output, swept)
        elif prune or variants:
            found = _converted(models, prune, variants, swept)
        else:
            found = of_files(_expanded(models), swept)
        points = ordered(tuple(found))
    compared = reference.name if reference else "its own source" if prune or variants else ""
    sweep = Sweep(
        factor=factor or ("prune" if prune else "variant" if variants else "value"),
        points=points,
        reference=compared,
        target=target,
        seeded=bool(compared) and samples is None,
    )
    for name, file in formats or (("terminal", ""),):
        text = render_sweep(name, sweep, terminal_style())
        if file:
            write_report(Path(file), text)
        else:
            print_report(name, text)


def _split(written: str) -> list[str]:
    return [each.strip() for each in written.split(",") if each.strip()]


def _expanded(models: tuple[Path, ...]) -> list[Path]:
    """Patterns that the shell left alone become the files that they match."""
    found: list[Path] = []
    for model in models:
        matched = [] if model.exists() else sorted(map(Path, glob.glob(str(model))))  # noqa: PTH207 - also absolute ones
        found += matched or [model]
    return found


def _converted(models: tuple[Path, ...], prune: tuple[str, ...], variants: str | None, swept: Swept) -> Iterator[Point]:
    from edgecheck.anatomy.formats import identify
    from edgecheck.converters.routes import formats_of

    if len(models) != 1:
        raise UsageError("--prune and --variants vary one model.", "Name one model.")
    values = list(prune) or _split(variants or "")
    if variants and (unknown := [each for each in values if each not in VARIANTS]):
        raise UsageError(f"Unknown variant {unknown[0]!r}.", f"Choose from {', '.join(VARIANTS)}.")
    source = identify(models[0]).value
    request = Request(
        model=models[0],
        source=source,
        format=next(iter(formats_of(source)), READY[1]),
        variant="float32",
        samples=swept.samples,
        trusted=TRUST_ALL if swept.trust else "",
    )
    return of_conversions(request, "prune" if prune else "variant", values, swept)
