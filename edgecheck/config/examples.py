"""A minimal valid budget and profile, to show beside problems."""

from __future__ import annotations

BUDGET = """\
model: model.tflite
limits:
  size: 5 MB
  ram_peak: 80 MiB
devices:
  raspberry-pi-4-2gb: {latency_p50: 50 ms}
"""

PROFILE = """\
name: Raspberry Pi 4 Model B (2 GB)
class: single-board-computer
soc: Broadcom BCM2711
identity: {model: "Raspberry Pi 4 Model B", cpu_part: "0xd08"}
cpu: {core: cortex-a72, count: 4, clock: 1.8 GHz}
ram: {total: 2 GiB, reserved: 180 MiB}
storage: {total: 16 GB, reserved: 4 GB}
limits: {ram_peak: 512 MiB, footprint: 500 MB, latency_p50: 100 ms}
python: "3.11"
runtimes: {tflite: [ai-edge-litert==2.3.0]}
"""

PROJECT = """\
budgets: budgets
targets:
  raspberry-pi-4-2gb: ssh://pi@raspberrypi.local
"""


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


BUDGET_HINT = "A budget that is valid:\n\n" + _indented(BUDGET)
PROFILE_HINT = "A profile that is valid:\n\n" + _indented(PROFILE)
PROJECT_HINT = "An edgecheck.yaml that is valid:\n\n" + _indented(PROJECT)
