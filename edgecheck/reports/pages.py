"""The templates of the HTML reports: complete pages that fetch nothing, with every name escaped."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str) -> Template:
    """The template of a page, which may import others; a name that it lacks is an error."""
    environment = Environment(
        loader=PackageLoader("edgecheck.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def text(name: str) -> str:
    """A style sheet or a script, which stands in the page."""
    return resources.files("edgecheck.reports").joinpath("templates").joinpath(name).read_text(encoding="utf-8")
