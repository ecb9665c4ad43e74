"""`edgecheck devices` and `edgecheck devices show`; `probe` is tested on a board: `tests/board`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.config import Profiles
from tests.cli.command import edgecheck

FAMILY = "family: true\nclass: phone\nsoc: Chip\ncpu: {core: cortex-a76, count: 2, clock: 2 GHz}\n"
PHONE = """\
extends: some-phones
name: Phone
identity: {model: Phone, cpu_part: "0xd0b"}
ram: {total: 4 GiB, reserved: 1 GiB}
storage: {total: 64 GB, reserved: 20 GB}
accelerators:
  - {provider: gpu, library: libOpenCL.so, source: android, precision: [fp32, fp16]}
  - {provider: edgetpu, library: libedgetpu.so.1, source: apt, package: libedgetpu1-std, precision: [int8]}
limits: {size: 5 MB, ram_peak: {error: 80 MiB, warn: 70 MiB}}
python: "3.11"
runtimes: {tflite: [tflite-runtime==2.14.0, "numpy<2"]}
projection: {int8: {ns_per_instruction: 0.66, spread: 0.16, runtime: ncnn}}
"""


def test_every_device_has_a_line_and_a_family_has_none(tmp_path: Path) -> None:
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles" / "some-phones.yaml").write_text(FAMILY, encoding="utf-8")
    (tmp_path / "device_profiles" / "a-phone.yaml").write_text(PHONE, encoding="utf-8")
    done = edgecheck("devices", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    names = [line.split()[0] for line in done.out.splitlines()]
    assert names == ["DEVICE", "this-machine", *sorted({*Profiles().ids(), "a-phone"} - {"this-machine"})]
    (line,) = (line for line in done.out.splitlines() if line.startswith("a-phone"))
    assert re.split("  +", line) == ["a-phone", "2x cortex-a76 2.00 GHz", "4.00 GiB", "size 5.00 MB, ram_peak 80.0 MiB"]


def test_one_device_is_shown_with_what_it_inherits(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "some-phones.yaml").write_text(FAMILY, encoding="utf-8")
    (tmp_path / "boards" / "a-phone.yaml").write_text(PHONE, encoding="utf-8")
    done = edgecheck("devices", "--profiles", "boards", "show", "a-phone", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
device         a-phone
name           Phone
class          phone
soc            Chip
recognised by  model 'Phone', CPU part 0xd0b
cpu            2x cortex-a76 at 2.00 GHz
ram            4.00 GiB, 1.00 GiB of it for the system
storage        64.0 GB, 20.0 GB of it for the system
accelerators   gpu: libOpenCL.so (android), fp32 fp16
               edgetpu: libedgetpu.so.1 (apt: libedgetpu1-std), int8
limits         size 5.00 MB
               ram_peak 80.0 MiB
python         3.11
runtimes       tflite: tflite-runtime==2.14.0, numpy<2
projection     int8: 0.66 ns per instruction, spread 16%, calibrated with ncnn
file           boards/a-phone.yaml
"""
    )


def test_a_device_that_does_not_exist(tmp_path: Path) -> None:
    done = edgecheck("devices", "show", "raspberry-pi-4-2g", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("edgecheck: There is no device 'raspberry-pi-4-2g'; did you mean raspberry-pi-4-2gb")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my-pi", "edgecheck: device_profiles cannot be written to: Not a directory.\n"),
        ("my pi", "edgecheck: --save my pi is not a valid name.\n"),
    ],
)
def test_where_a_profile_cannot_be_saved_is_known_before_the_board_is_reached(
    name: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "device_profiles").touch()
    done = edgecheck("devices", "probe", "ssh://nobody@127.0.0.1:9", "--save", name, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said)
    assert done.err != said, "there is a next step"


def test_the_list_imports_nothing_that_checks_models(tmp_path: Path) -> None:
    code = "import sys; from edgecheck.cli.main import main; main(['devices']); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    packages = {".".join(name.split(".")[:2]) for name in done.stdout.split()}
    assert "edgecheck.config" in packages
    assert not packages & {"edgecheck.checks", "edgecheck.converters", "edgecheck.reports", "rich", "numpy"}
