"""A cache to convert into, and a mark for tests that need packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from edgecheck.anatomy.formats import identify
from edgecheck.converters.agreement import agreement_of
from edgecheck.converters.convert import convert
from edgecheck.converters.interface import ConversionSettings, Request

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.converters.comparison import Agreement
    from edgecheck.core.artifact import Artifact


@dataclass
class Bench:
    """A cache to convert into, and the progress that was reported."""

    settings: ConversionSettings
    said: list[str] = field(default_factory=list)

    def make(self, model: Path, target: str, variant: str, **more: object) -> Artifact:
        return convert(self.request(model, target, variant, **more), self.settings, progress=self.said.append)

    @staticmethod
    def request(model: Path, target: str, variant: str, **more: object) -> Request:
        return Request(model=model, source=identify(model).value, format=target, variant=variant, **more)  # type: ignore[arg-type]

    def agreement(self, model: Path, target: str, variant: str, **more: object) -> Agreement:
        """The agreement of the artifact of `make` with its source."""
        made = self.make(model, target, variant, **more)
        return agreement_of(
            made, self.request(model, target, variant, **more), self.settings, progress=self.said.append
        )

    @property
    def conversions(self) -> int:
        """How many child processes were started."""
        return sum(" s" not in each and each.startswith(("converting", "running")) for each in self.said)


def requires(*packages: str) -> pytest.MarkDecorator:
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}, which is not installed here")
