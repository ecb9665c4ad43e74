"""`edgecheck cache`: shows and clears what need not be made or sent again."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path

import click
from platformdirs import user_cache_path

from edgecheck.config import load_project
from edgecheck.converters.cache import PLACE, entries
from edgecheck.core.address import device_forms
from edgecheck.core.units import Unit, show
from edgecheck.reports.wording import clean

#: The most artifacts to list, the largest first.
_LISTED = 20

#: Folder of the cache -> what it holds.
_PARTS = {
    PLACE: "converted models, and outputs of models for their samples",
    "downloads": "sizes of artifacts after gzip",
    "bundles": "runtimes for devices",
    "phones": "Python for phones",
    "emulator": "the emulated machine: system, disks, saved states, results",
}


@click.command(
    "cache",
    epilog="\b\nExamples:\n  edgecheck cache\n  edgecheck cache --clear\n"
    "  edgecheck cache --target ssh://pi@raspberrypi.local",
)
@click.option("--target", metavar="ADDRESS", help=f"Use the cache of the device at {device_forms()}.")
@click.option("--clear", is_flag=True, help="Remove everything; it is recreated when needed.")
def command(target: str | None, *, clear: bool) -> None:
    """Show or clear the cache, here or on a device."""
    if target is not None:
        _on_device(str(load_project(Path.cwd()).address(target)), clear=clear)
        return
    folder = user_cache_path("edgecheck")
    click.echo(str(folder))
    for name, what in _PARTS.items():
        size = _size(folder / name)
        click.echo(f"  {name:<10} {show(size, Unit.BYTES):>8}  {what}")
        if name == PLACE and not clear:
            _list_artifacts(folder)
        if clear:
            shutil.rmtree(folder / name, ignore_errors=True)
    if clear:
        click.echo("Cleared.")


def _list_artifacts(folder: Path) -> None:
    kept = entries(folder)
    for each in kept[:_LISTED]:
        made = datetime.fromtimestamp(each.made_at, timezone.utc).strftime("%Y-%m-%d")
        click.echo(clean(f"    {show(each.size, Unit.BYTES):>8}  {made}  {each.model}: {each.what}, {each.route}"))
    if len(kept) > _LISTED:
        rest = sum(each.size for each in kept[_LISTED:])
        click.echo(f"    {show(rest, Unit.BYTES):>8}  in {len(kept) - _LISTED:,} more")


def _on_device(address: str, *, clear: bool) -> None:
    from edgecheck.targets.shell.cache import clear_device_cache, device_cache

    if clear:
        click.echo(f"Cleared: {show(clear_device_cache(address), Unit.BYTES)}.")
        return
    cache = device_cache(address)
    sizes = f"{show(cache.size, Unit.BYTES)} of {show(cache.limit, Unit.BYTES)}, {show(cache.free, Unit.BYTES)} free"
    click.echo(f"{cache.folder}: {sizes}")
    for one in cache.kept:
        used = datetime.fromtimestamp(one.used, timezone.utc).strftime("%Y-%m-%d")
        click.echo(f"  {show(one.size, Unit.BYTES):>8}  {used}  {one.label}")


def _size(folder: Path) -> int:
    """Bytes on the disk, so that the holes of sparse files do not count."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
