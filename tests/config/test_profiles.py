"""Device profiles (`profiles`, `profile_files`, `profile_model`): what a file means, inherits, and has wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecheck.config import Profiles
from edgecheck.config.problems import PROFILE, PROFILE_HINT
from edgecheck.config.profiles import packaged_profiles, profile_paths
from edgecheck.core.device import (
    Capacity,
    Constant,
    Cpu,
    DeviceAccelerator,
    DeviceProfile,
    Identity,
    Projection,
    Scaling,
)
from edgecheck.core.limits import Limit, Source
from edgecheck.core.metrics import METRICS
from edgecheck.errors import ConfigError, UsageError

Write = Callable[[str, str], Path]
BOARD = (Path(__file__).parent / "board.yaml").read_text(encoding="utf-8")
PACKAGED = sorted(profile_paths([packaged_profiles()]))
CUDA = "provider: cuda, library: libcudart.so.12, source: jetpack, precision: [fp16]"
SIZE = "expected a size with its unit, such as 80 MiB or 1.5 MB"


def problems(name: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Profiles().get(name)
    assert caught.value.hint == PROFILE_HINT
    return list(caught.value.problems)


def test_every_key_reaches_the_value_it_stands_for(write: Write) -> None:
    write(
        "device_profiles/board.yaml",
        """\
name: Board (2 GB)
class: single-board-computer
soc: Chip
identity: {model: "Board Model B", cpu_part: "0xd08"}
cpu: {core: cortex-a72, count: 4, clock: 1.8 GHz, features: [asimd, crc32]}
ram: {total: 2 GiB, reserved: 180 MiB}
storage: {total: 16 GB, reserved: 4 GB}
accelerators: [{provider: edgetpu, library: libedgetpu.so.1, source: apt, package: libedgetpu1-std, precision: [int8]}]
limits: {latency_p90: 100 ms, ram_peak: 512 MiB, footprint: off}
python: "3.11"
runtimes: {tflite: [tflite-runtime==2.14.0, "numpy<2"], onnx: ["onnxruntime[x] >=1.2, <2"]}
emulation: {cpu: "max,sve=off,pauth=off"}
projection:
  float: {ns_per_instruction: 0.80, spread: 0.14, runtime: ncnn}
  int8: {ns_per_instruction: 0.66, spread: 0.16, runtime: ncnn}
  thread_scaling: {"4": {factor: 2.4, spread: 0.24}}
  derived_from: another board
sources: [a data sheet]
""",
    )
    source = Source("profile", "device_profiles/board.yaml", 9)
    assert Profiles().get("board") == DeviceProfile(
        id="board",
        name="Board (2 GB)",
        kind="single-board-computer",
        soc="Chip",
        identity=Identity("Board Model B", "0xd08"),
        cpu=Cpu(core="cortex-a72", count=4, clock=1.8e9, features=("asimd", "crc32")),
        ram=Capacity(2 * 2**30, 180 * 2**20),
        storage=Capacity(16 * 10**9, 4 * 10**9),
        accelerators=(
            DeviceAccelerator(
                provider="edgetpu",
                library="libedgetpu.so.1",
                source="apt",
                package="libedgetpu1-std",
                precision=("int8",),
            ),
        ),
        limits=(
            Limit(metric=METRICS["ram_peak"], error=512 * 2**20, source=source),
            Limit(metric=METRICS["latency_p90"], error=0.1, source=source),
        ),
        python="3.11",
        runtimes={"tflite": ("tflite-runtime==2.14.0", "numpy<2"), "onnx": ("onnxruntime[x] >=1.2, <2",)},
        emulation_cpu="max,sve=off,pauth=off",
        projection=Projection(
            float=Constant(0.80, 0.14, "ncnn"),
            int8=Constant(0.66, 0.16, "ncnn"),
            thread_scaling={4: Scaling(2.4, 0.24)},
            derived_from="another board",
        ),
        sources=("a data sheet",),
        path="device_profiles/board.yaml",
    )


def test_what_is_left_out_or_left_empty_is_not_there(write: Write) -> None:
    write("device_profiles/board.yaml", BOARD + "identity:\nemulation:\nprojection:\nsources:\n")
    board = Profiles().get("board")
    assert board.identity == Identity()
    assert board.emulation_cpu == ""
    assert board.projection == Projection()
    assert board.sources == ()
    assert board.cpu.features == ()
    assert set(board.runtimes) == {"tflite"}


def test_a_profile_lays_its_keys_over_those_it_extends(write: Write) -> None:
    write(
        "device_profiles/family.yaml", "family: true\nemulation: {cpu: cortex-a72}\nidentity: {model: Board}\n" + BOARD
    )
    write("device_profiles/middle.yaml", "extends: family\nfamily: true\nlimits: {ram_peak: 3 MiB, size: off}\n")
    write(
        "device_profiles/board.yaml",
        "extends: middle\nname: Board 2\nram: {total: 4 GiB}\nemulation:\nruntimes: {tflite: [other]}\n",
    )
    profiles = Profiles()
    board = profiles.get("board")
    assert (board.name, board.soc, board.identity.model, board.emulation_cpu) == ("Board 2", "Chip", "Board", "")
    assert board.ram == Capacity(4 * 2**30, 180 * 2**20)
    assert board.runtimes == {"tflite": ("other",)}
    assert [(limit.metric.name, str(limit.source)) for limit in board.limits] == [
        ("footprint", "device_profiles/family.yaml:11"),
        ("ram_peak", "device_profiles/middle.yaml:3"),
        ("latency_p50", "device_profiles/family.yaml:11"),
    ]
    assert profiles.find("family").problems == ()
    assert "board" in profiles.ids()
    assert not {"family", "middle"} & set(profiles.ids())


def test_of_profiles_with_one_name_the_first_folder_has_the_say(write: Write) -> None:
    for folder in ("given", "second", "device_profiles"):
        write(f"{folder}/pixel-8.yaml", BOARD.replace("name: Board", f"name: {folder}"))
    assert Profiles([Path("given"), Path("second")]).get("pixel-8").name == "given"
    assert Profiles([Path("second")]).get("pixel-8").name == "second"
    assert Profiles().get("pixel-8").name == "device_profiles"


def test_packaged_profiles_are_found_from_anywhere() -> None:
    profile = Profiles().get("pixel-8")
    assert profile.name == "Google Pixel 8"
    assert Path(profile.path) == packaged_profiles() / "pixel-8.yaml"


def test_profiles_in_the_wheel_come_before_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecheck.config.profiles._PACKAGE", tmp_path / "site" / "edgecheck")
    assert packaged_profiles() == tmp_path / "site" / "device_profiles"
    in_wheel = tmp_path / "site" / "edgecheck" / "_packaged" / "device_profiles"
    in_wheel.mkdir(parents=True)
    assert packaged_profiles() == in_wheel


def test_hidden_files_and_other_files_are_no_profiles(write: Write) -> None:
    write("device_profiles/.hidden.yaml", BOARD)
    write("device_profiles/README.md", "")
    write("device_profiles/board.yml", BOARD)
    assert {"board"} == set(Profiles().ids()) - set(PACKAGED) - {"this-machine"}


def test_a_folder_that_is_not_there_is_reported_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Profiles([Path("none")])
    assert caught.value.message == "There is no folder none."
    assert caught.value.hint == "--profiles takes a folder of device profiles."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pixel8", "There is no device 'pixel8'; did you mean pixel-8 or pixel-9?"),
        ("toaster", "There is no device 'toaster'."),
        ("a\x1bb", "There is no device 'a\\x1bb'."),
        ("iphone", "The profile 'iphone' is shared by several devices; use one of iphone-13, iphone-15."),
        ("lonely", "The profile 'lonely' is shared by several devices; use one of its devices."),
    ],
)
def test_a_name_that_is_not_a_device_is_reported_with_the_nearest(write: Write, name: str, message: str) -> None:
    write("device_profiles/lonely.yaml", "family: true\n")
    write("device_profiles/broken.yaml", "\t")
    with pytest.raises(UsageError) as caught:
        Profiles().get(name)
    assert caught.value.message == message
    assert caught.value.hint == "`edgecheck devices` lists them."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('python: "3.11"', "python: 3.10",
         ('9:9: python: found 3.10, which YAML reads as a number (it is text in quotes: "3.10"); '
         'expected a version of Python in quotes, such as "3.11"')),
        ('python: "3.11"', "python: ", '9:8: python: is empty; expected a version of Python in quotes, such as "3.11"'),
        ('python: "3.11"', "python: '2.7'",
         '9:9: python: found 2.7; expected a version of Python in quotes, such as "3.11"'),
        ("class: computer", "class: laptop",
         "3:8: class: found 'laptop'; expected one of single-board-computer, jetson, phone, computer"),
        ("class: computer", "class: computer\nkind: computer",
         ("4:1: kind: unknown key; expected extends, family, name, class, soc, identity, cpu, ram, storage, app, "
         "accelerators, power_mode, limits, python, runtimes, emulation, projection, sources")),
        ("soc: Chip", "soc: 888", ('4:6: soc: found 888, which YAML reads as a number (it is text in quotes: "888"); '
         "expected text on one line")),
        ("soc: Chip", "soc: Chip\nidentity: {cpu_part: '3336'}",
         '5:22: identity.cpu_part: found 3336; expected a CPU part in quotes, such as "0xd08"'),
        ("soc: Chip", "soc: Chip\nfamily: yes", "5:9: family: found yes; expected true or false"),
        ("soc: Chip", "soc: Chip\nextends: 3",
         '5:10: extends: found 3, which YAML reads as a number (it is text in quotes: "3"); expected text on one line'),
        ("soc: Chip", "soc: Chip\nextends: other",
         "5:10: extends: there is no profile 'other'"),
        ("soc: Chip", "soc: Chip\nextends: pixel8",
         "5:10: extends: there is no profile 'pixel8'; did you mean pixel-8 or pixel-9?"),
        ("clock: 1.8 GHz", "clock: 1800", ("5:42: cpu.clock: 1800 has no unit; expected a frequency with its unit, "
         "such as 1.8 GHz")),
        ("clock: 1.8 GHz", "clock: 1.8 ghz", "5:42: cpu.clock: unit 'ghz' is not known; did you mean GHz?"),
        ("count: 4", "count: four", "5:32: cpu.count: found four; expected a whole number from 1 to 1,024"),
        ("reserved: 180 MiB", "reserved: 3 GiB",
         "6:31: ram.reserved: is more than the total of 2.00 GiB"),
        ("reserved: 4 GB", "reserved: 17 GB", "7:35: storage.reserved: is more than the total of 16.0 GB"),
        ("total: 2 GiB", "total: 2", f"6:14: ram.total: 2 has no unit; {SIZE}"),
        ("ram_peak: 1 MiB", "ram_peak: 1", f"8:51: limits.ram_peak: 1 has no unit; {SIZE}"),
        ("[ai-edge-litert==2.3.0]", "[--index-url=http://x]",
         ('10:21: runtimes.tflite[0]: found --index-url=http://x; expected a requirement as pip takes it, '
          'such as "numpy<2"')),
        ("[ai-edge-litert==2.3.0]", "['x @ http://y']",
         '10:21: runtimes.tflite[0]: found x @ http://y; expected a requirement as pip takes it, such as "numpy<2"'),
        ("[ai-edge-litert==2.3.0]", "ai-edge-litert==2.3.0",
         ("10:20: runtimes.tflite: found ai-edge-litert==2.3.0; "
          "expected a list such as [tflite-runtime==2.14.0, numpy<2]")),
        ("{tflite: [ai-edge-litert==2.3.0]}", "{}\nemulation: {cpu: '-cpu host'}",
         "11:18: emulation.cpu: found -cpu host; expected a core as QEMU takes it, such as cortex-a72"),
        ("soc: Chip", "soc: Chip\naccelerators: cuda",
         ("5:15: accelerators: found cuda; expected a list such as [{provider: cuda, library: libcudart.so.12, "
          "source: jetpack, precision: [fp32, fp16]}]")),
        ("soc: Chip", "soc: Chip\naccelerators: [cuda]",
         ("5:16: accelerators[0]: found cuda; expected a mapping with the keys provider, library, source and so on")),
        ("soc: Chip", f"soc: Chip\naccelerators: [{{{CUDA.replace('cuda', 'coral')}}}]",
         ("5:27: accelerators[0].provider: found 'coral'; expected one of cuda, tensorrt, openvino, nnapi, "
          "xnnpack, gpu, edgetpu, hailo")),
        ("soc: Chip", f"soc: Chip\naccelerators: [{{{CUDA.replace('fp16', 'half')}}}]",
         "5:88: accelerators[0].precision[0]: found 'half'; expected one of fp32, fp16, bf16, int8"),
        ("soc: Chip", f"soc: Chip\naccelerators: [{{{CUDA.replace('[fp16]', '[]')}}}]",
         "5:16: accelerators[0]: `precision` is empty; list at least one, such as [fp16]"),
        ("soc: Chip", f"soc: Chip\naccelerators: [{{{CUDA.replace('libcudart.so.12', '/usr/lib')}}}]",
         ("5:42: accelerators[0].library: found /usr/lib; expected the file name of a library, such as "
          "libnvinfer.so.10")),
        ("soc: Chip", f"soc: Chip\naccelerators: [{{{CUDA}}}, {{{CUDA}}}]",
         "5:107: accelerators[1].provider: cuda is listed already, as number 1"),
        ("soc: Chip", "soc: Chip\npower_mode: MAXN",
         "5:13: power_mode: only a device of the class jetson has power modes, and this one is a computer"),
        ("class: computer", "class: jetson\npower_mode: 15",
         ('4:13: power_mode: found 15, which YAML reads as a number (it is text in quotes: "15"); expected the name '
          'of a power mode in quotes, such as MAXN or "15W"')),
    ],
)  # fmt: skip
def test_a_wrong_value_gives_one_problem_at_its_place(write: Write, old: str, new: str, message: str) -> None:
    assert old in BOARD
    write("device_profiles/board.yaml", BOARD.replace(old, new))
    assert problems("board") == [f"device_profiles/board.yaml:{message}"]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", [": is empty"]),
        ("[name]\n", [":1:1: found a list; expected a mapping with the keys extends, family, name and so on"]),
        ("name: x\n---\nname: y\n", [":2:1: a second document starts here; expected one document per file"]),
        (BOARD + "projection: {float: {ns_per_instruction: fast, spread: 1}, int9: {}}\n",
         [":11:21: projection.float.runtime: is missing: the runtime that it was measured with, such as ncnn",
          ":11:42: projection.float.ns_per_instruction: found 'fast'; expected a number, such as 200_000_000 or 200e6",
          ":11:60: projection.int9: unknown key; did you mean int8?"]),
        (BOARD + "identity: board\nemulation: [x]\n",
         [":11:11: identity: found board; expected a mapping such as {cpu_part: 0xd08}",
          ":12:12: emulation: found a list; expected a mapping such as {cpu: cortex-a72}"]),
    ],
)  # fmt: skip
def test_a_wrong_file_gives_its_problems_in_the_order_of_the_file(write: Write, text: str, messages: list[str]) -> None:
    write("device_profiles/board.yaml", text)
    assert problems("board") == [f"device_profiles/board.yaml{message}" for message in messages]


def test_a_cpu_part_may_lack_its_quotes(write: Write) -> None:
    write("device_profiles/board.yaml", BOARD + "identity: {cpu_part: 0xd08}\n")
    assert Profiles().get("board").identity == Identity("", "0xd08")


def test_a_problem_of_a_family_is_reported_at_its_place_in_the_family(write: Write) -> None:
    write("device_profiles/family.yaml", BOARD.replace("1 MB", "1 mb") + "family: true\n")
    write("device_profiles/board.yaml", "extends: family\nclok: 1 GHz\n")
    assert problems("board") == [
        (
            "device_profiles/board.yaml:2:1: clok: unknown key; expected extends, family, name, class, soc, "
            "identity, cpu, ram, storage, app, accelerators, power_mode, limits, python, runtimes, emulation, "
            "projection, sources"
        ),
        "device_profiles/family.yaml:8:16: limits.size: unit 'mb' is not known; did you mean MB?",
    ]


def test_a_family_that_is_not_a_mapping_is_reported(write: Write) -> None:
    write("device_profiles/family.yaml", "- x\n")
    write("device_profiles/board.yaml", BOARD + "extends: family\n")
    assert problems("board") == ["device_profiles/family.yaml:1:1: found a list; expected a mapping"]


def test_circles_are_reported_with_their_way(write: Write) -> None:
    write("device_profiles/a.yaml", "extends: b\n")
    write("device_profiles/b.yaml", "extends: c\n")
    write("device_profiles/c.yaml", "extends: b\n")
    assert problems("a") == ["device_profiles/c.yaml:1:10: extends: extends itself: a extends b extends c extends b"]


def test_a_file_is_read_once(write: Write, here: Path) -> None:
    path = write("device_profiles/board.yaml", BOARD)
    profiles = Profiles()
    first = profiles.get("board")
    (here / path).unlink()
    assert profiles.get("board") is first


def test_the_example_next_to_the_problems_is_valid(write: Write) -> None:
    write("device_profiles/example.yaml", PROFILE)
    assert Profiles().get("example").name == "Raspberry Pi 4 Model B (2 GB)"


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_profile_is_valid(name: str) -> None:
    profiles = Profiles()
    if name not in profiles.ids():
        assert profiles.find(name).problems == ()
        return
    profile = profiles.get(name)
    assert profile.id == name
    assert 0 < profile.ram.available < profile.ram.total
    assert 0 < profile.storage.available < profile.storage.total
