"""Model and variant to artifact; each conversion in a child process, cached by content."""

from edgecheck.converters.convert import Workshop, convert
from edgecheck.converters.interface import AS_IS, READY, TRUST_ALL, VARIANTS, Request
from edgecheck.converters.routes import ROUTES, formats_of, possible

__all__ = [
    "AS_IS",
    "READY",
    "ROUTES",
    "TRUST_ALL",
    "VARIANTS",
    "Request",
    "Workshop",
    "convert",
    "formats_of",
    "possible",
]
