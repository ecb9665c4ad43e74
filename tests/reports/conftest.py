"""The browser of the size reports' tests, for the reports of checks too."""

from tests.size.conftest import browser

__all__ = ["browser"]
