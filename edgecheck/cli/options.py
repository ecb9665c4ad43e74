"""Options that several commands take, each written once."""

from __future__ import annotations

from pathlib import Path

import click

from edgecheck.cli import candidates

DEVICE = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID",
    shell_complete=candidates.devices,
    help="Only this device; may be repeated.",
)
TARGET = click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="[DEVICE=]ADDRESS",
    shell_complete=candidates.targets,
    help="Where to run: local, qemu or ssh://USER@HOST; for one device or for all.",
)
LIMIT = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="METRIC=VALUE",
    shell_complete=candidates.limits,
    help="A limit for a model given without a budget; METRIC=off drops its profile's.",
)
PROFILES = click.option(
    "--profiles",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Look for device profiles here first.",
)
TRUST = click.option("--trust", is_flag=True, help="Let model files and factories run code of their own.")
MACHINES = click.option(
    "-j", "machines", type=click.IntRange(1), default=1, help="Emulated machines at once. [default: 1]"
)
