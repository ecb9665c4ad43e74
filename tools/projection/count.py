"""Counts networks in the emulated machine with a version of ncnn: rows of counts.csv.

    python -m tools.projection.count --device raspberry-pi-4-2gb --ncnn 1.0.20230517 --name ncnn-20230517-a72 FOLDER

FOLDER contains the `.param` files of ncnn's benchmark (`benchmark/` in its sources, at the date of the table that is to
be explained). Their weights are zeros, as there. Each network runs once, then once counted. A profile names the core
and the Python that the wheel is for. Networks that this version does not run are named on stderr.

ncnn chooses the tiles of its matrix products by the number of cores that it sees, which is one here and four on most
boards. Measured on squeezenet, that is 2 % more instructions and no other misses of 1 MiB or more, but a third fewer of
512 KiB and less.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from edgecheck.config import Profiles
from edgecheck.core.address import EMULATED
from edgecheck.emulator import machine, saved
from edgecheck.emulator.cache import default_cache
from edgecheck.emulator.counters import counting, cycles, record
from edgecheck.emulator.counters.plugin import SECOND_LEVELS
from edgecheck.scratch import scratch
from edgecheck.targets.qemu import open_target

#: LLVM's cores, in the order of the table's columns.
MODELS = ("cortex-a55", "cortex-a57", "neoverse-n1", "neoverse-n2", "neoverse-v2")

_MEMORY = 1 << 30
_SECONDS = 3600.0

#: Runs in the machine.
_PROGRAM = """
import sys
sys.path[:0] = ["/bundle", "/agent"]
import numpy, ncnn
from edgecheck_agent import marks
mark = marks.Marks(wanted=True).set
net = ncnn.Net()
net.opt.use_vulkan_compute = False
net.opt.num_threads = 1
net.opt.use_int8_inference = True
net.load_param("/job/network.param")
net.load_model(ncnn.DataReaderFromEmpty())
mats = {name: ncnn.Mat(numpy.full(shape, 0.01, numpy.float32)) for name, shape in INPUTS.items()}
def run():
    extractor = net.create_extractor()
    for name, mat in mats.items():
        extractor.input(name, mat)
    extractor.extract(OUTPUT)
run()
mark(marks.SIMULATE)
mark(marks.ZERO)
run()
mark(marks.STOP)
"""


def counted(param: Path, device: str, requirement: str, out: Path) -> record.Record | None:
    """What one inference of a network counts; None where it does not run."""
    profile = Profiles().get(device)
    target = open_target(EMULATED, profile)
    spec = target.spec([requirement, "numpy<2"], _MEMORY // 4, _tell, ("busybox", "sh"))
    state = saved.ensure(spec, default_cache(), _tell)
    plugin = counting.ensure(profile.emulation_cpu, default_cache(), _tell)
    with scratch() as folder:
        shutil.copy(param, folder / "network.param")
        (folder / "count.py").write_text(_program(param.read_text(encoding="utf-8")), encoding="utf-8")
        job = machine.Job(folder, b"python3 /job/count.py\nexit\n", _SECONDS, plugin.arguments(out))
        with machine.run(spec, state, job) as running:
            for line in running.lines():
                _tell(line)
            if errors := running.ending().errors.strip():
                _tell(errors)
    return record.read(out)


def _program(param: str) -> str:
    """The program with the network's inputs, as numpy has their shapes, and its last output."""
    inputs = {}
    for name, sizes in re.findall(r"^Input +\S+ +0 1 (\S+)(.*)$", param, re.MULTILINE):
        given = dict(re.findall(r"(\d)=(\d+)", sizes))
        inputs[name] = tuple(int(given[axis]) for axis in "210" if axis in given)
    *_, last = (line.split() for line in param.splitlines() if line.strip())
    head = f"INPUTS, OUTPUT = {inputs!r}, {last[4 + int(last[2])]!r}\n"
    return head + _PROGRAM


def row(name: str, network: str, found: record.Record, core: str) -> str:
    """A row of counts.csv; counts in millions."""
    tools = cycles.tools()
    kept = default_cache().root / "cycles.sqlite"
    models = cycles.models_for(core) if tools else ()
    spent = {model: cycles.cycles(found.blocks, model, tools, kept) for model in models} if tools else {}
    values = [
        found.instructions,
        found.multiplying,
        found.l1_loads + found.l1_stores,
        found.l1_stores,
        *(found.l2[size] for size in SECOND_LEVELS),
        *(spent.get(model) for model in MODELS),
    ]
    return ",".join([name, network, *("" if value is None else f"{value / 1e6:.6g}" for value in values)])


def _tell(words: str) -> None:
    print(words, file=sys.stderr)


def main() -> None:
    """Count every network of the folder and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", required=True, help="a profile with the core")
    parser.add_argument("--ncnn", required=True, help="the version of the wheel")
    parser.add_argument("--name", required=True, help="of the counts, as devices.csv refers to it")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    core = Profiles().get(arguments.device).emulation_cpu
    for param in sorted(arguments.folder.glob("*.param")):
        with scratch() as folder:
            found = counted(param, arguments.device, f"ncnn=={arguments.ncnn}", folder / "counted")
        if found is None:
            _tell(f"{param.stem} was not counted")
        else:
            print(row(arguments.name, param.stem.replace("-", "_").lower(), found, core), flush=True)


if __name__ == "__main__":
    main()
