"""Runs pip as if on the device: `python -c THIS MARKERS ARGUMENT...`, where MARKERS is a JSON object.

pip takes a device's tags from the command line but evaluates environment markers for the machine it runs on
(pypa/pip issue 11664), so that a host with Python 3.13 would leave out what a board with 3.9 needs.
"""

from __future__ import annotations

import json
import runpy
import sys


def main(environment: str, *arguments: str) -> None:
    """Become `pip ARGUMENTS`."""
    from pip._vendor.packaging import markers

    here = markers.default_environment
    there = json.loads(environment)
    markers.default_environment = lambda: {**here(), **there}
    sys.argv = ["pip", *arguments]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
