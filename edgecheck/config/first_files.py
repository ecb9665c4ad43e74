"""The files of a project's first day, apart from its budget: `edgecheck.yaml`, and the job of a CI system."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Where each CI system reads its job from, by the name that `edgecheck init --ci` takes.
CI_FILES: Mapping[str, str] = MappingProxyType(
    {"github": ".github/workflows/edgecheck.yml", "gitlab": ".gitlab-ci.yml"}
)

#: What a person must replace in a job's file: nothing is installed by name from a package index.
PLACEHOLDERS = "OWNER and the zeros"

_COMMIT = "0" * 40

_GITHUB = """\
# Checks every budget of the project on each push and pull request. Written by `edgecheck init`.
# Replace OWNER and the zeros by the repository that you have edgecheck from, and a commit in it.
# More, such as a baseline and a comment on the pull request: docs/how-to/github.md of edgecheck.
name: edgecheck
on:
  push: {{branches: [main]}}
  pull_request:
permissions: {{contents: read}}
jobs:
  budgets:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: {{persist-credentials: false}}
      - uses: OWNER/edgecheck@{commit}
        with:
          {target}
          comment: "false"   # "true" needs the permission pull-requests: write
          format: html=report.html
      - if: always()
        uses: actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1
        with: {{name: report, path: report.html}}
"""

_GITLAB = """\
# Checks every budget of the project in each merge request. Written by `edgecheck init`.
# Replace OWNER and the zeros by the project that you have edgecheck from, and a commit in it.
# More, such as a baseline and a comment on the merge request: docs/how-to/gitlab.md of edgecheck.
include:
  - project: OWNER/edgecheck
    ref: "{commit}"
    file: templates/edgecheck.gitlab-ci.yml

edgecheck:
  variables:
    EDGECHECK_PIP: edgecheck-ml[tflite,onnx] @ git+https://gitlab.com/OWNER/edgecheck@{commit}
    {target}
"""


def ci_file(system: str, *, emulated: bool) -> str:
    """The job's file.

    Args:
        system: A key of `CI_FILES`.
        emulated: Whether the devices are emulated there; else only limits that are read from files are decided.

    Raises:
        KeyError: the system is unknown.
    """
    if system == "github":
        target = "target: qemu        # emulates the devices" if emulated else 'emulator: "false"   # files only'
        return _GITHUB.format(commit=_COMMIT, target=target)
    target = "EDGECHECK_TARGET: qemu   # emulates the devices" if emulated else 'EDGECHECK_PACKAGES: ""   # files only'
    return {"gitlab": _GITLAB}[system].format(commit=_COMMIT, target=target)


def project_file(targets: Mapping[str, str]) -> str:
    """`edgecheck.yaml`, with the addresses of the devices that have one."""
    lines = [
        "# What holds for every edgecheck command in this folder and below.",
        "# edgecheck budget lint checks this file; edgecheck budget schema --project prints what it may contain.",
        "budgets: budgets             # files, folders or patterns",
        "# profiles: device_profiles  # your own devices: edgecheck devices probe ssh://… --save ID",
    ]
    if targets:
        lines += ["targets:", *(f"  {device}: {address}" for device, address in targets.items())]
    else:
        lines += [
            "# targets:                   # where each device is",
            "#   raspberry-pi-4-2gb: ssh://pi@raspberrypi.local",
        ]
    return "\n".join(lines) + "\n"
