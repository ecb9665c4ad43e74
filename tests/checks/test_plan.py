"""What a path names; `--target` and the project's addresses: where each device of the budgets is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from edgecheck.checks.plan import Selection, addresses, plan, select
from edgecheck.config import Project
from edgecheck.core.accelerator import Accelerator
from edgecheck.core.address import LOCAL, parse
from edgecheck.errors import ModelError, UsageError
from tests.builders import budget, limit, profile
from tests.converters import onnx_models

PI, JETSON, PHONE = (profile(name) for name in ("pi", "jetson", "phone"))
PROJECT = Project(root=Path(), budgets=(), targets={"pi": parse("ssh://pi@yaml"), "jetson": parse("ssh://jet@yaml")})


def where(*texts: str, of: tuple[str, ...] = ("pi", "jetson")) -> dict[str, str]:
    """The address of each device, for a metric that needs one."""
    profiles = {each.id: each for each in (PI, JETSON, PHONE)}
    found = addresses(texts, PROJECT, [budget(*((profiles[name], ()) for name in of))])
    return {name: str(found.by_device.get(name) or found.default) for name in of}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), {"pi": "ssh://pi@yaml", "jetson": "ssh://jet@yaml"}),
        (("pi=ssh://pi@desk",), {"pi": "ssh://pi@desk", "jetson": "ssh://jet@yaml"}),
        (("local",), {"pi": "local", "jetson": "local"}),
        (("pi=ssh://pi@desk", "qemu"), {"pi": "ssh://pi@desk", "jetson": "qemu"}),
        (("qemu", "pi=ssh://pi@desk"), {"pi": "ssh://pi@desk", "jetson": "qemu"}),
        (("ssh://jet@desk", "pi=qemu"), {"pi": "qemu", "jetson": "ssh://jet@desk"}),
        (("pi=ssh://a@b?python=x=y",), {"pi": "ssh://a@b?python=x=y", "jetson": "ssh://jet@yaml"}),
        (("qemu", "qemu"), {"pi": "qemu", "jetson": "qemu"}),
    ],
)
def test_what_is_named_on_the_command_line_wins_in_any_order(texts: tuple[str, ...], expected: dict[str, str]) -> None:
    assert where(*texts) == expected


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("ssh://pi@desk",), "--target ssh://pi@desk is one board, and the budgets have 2 devices."),
        (("ssh://pi@a", "ssh://pi@b"), "every device is at ssh://pi@a and at ssh://pi@b."),
        (("pi=ssh://pi@a", "pi=local"), "pi is at ssh://pi@a and at local."),
        (("pi=qemu", "pi=ssh://pi@b"), "pi is at qemu and at ssh://pi@b."),
        (("phone=qemu",), "--target phone=qemu: no budget here has the device 'phone'."),
        (("pi=usb",), "No target is called 'usb'."),
        (("pi=ssh://pi@desk:ssh",), "'ssh://pi@desk:ssh' is not the address of a device: 'ssh' is not a port."),
    ],
)
def test_contradictions_are_refused(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        where(*texts)
    assert caught.value.message == told


RACK = (parse("ssh://pi@one"), parse("adb://phone"))


def boards(*texts: str, project: Project = PROJECT) -> dict[str, list[str]]:
    """The boards of each device that has several."""
    found = addresses(texts, project, [budget((PI, ()), (JETSON, ()))])
    checks = plan([budget((PI, ()), (JETSON, ()))], found)
    for check in checks:
        assert str(check.target) == str(found.of(check.budget, check.profile, check.limits))
        assert not check.boards.addresses or check.boards.addresses[0] == check.target
    return {check.profile.id: list(map(str, check.boards.addresses)) for check in checks if check.boards.addresses}


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose Pi has two boards, and a model for its budget."""
    monkeypatch.chdir(tmp_path)
    onnx_models.dense(tmp_path / "net.onnx")
    targets = {"pi": RACK[0], "jetson": parse("ssh://jet@yaml")}
    return Project(root=tmp_path, budgets=(), targets=targets, racks={"pi": RACK})


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), {"pi": ["ssh://pi@one", "adb://phone"]}),
        (("pi",), {"pi": ["ssh://pi@one", "adb://phone"]}),
        (("pi=ssh://pi@desk",), {}),
        (("qemu",), {}),
        (("pi=ssh://pi@a", "jetson=ssh://pi@b", "pi=ssh://pi@c"), {"pi": ["ssh://pi@a", "ssh://pi@c"]}),
        (("pi=ssh://pi@a", "pi=pi@a", "pi=SSH://pi@A"), {}),
        (("pi=ssh://pi@a", "pi=ssh://pi@b", "pi=ssh://pi@a"), {"pi": ["ssh://pi@a", "ssh://pi@b"]}),
        (("jetson=pi",), {"pi": ["ssh://pi@one", "adb://phone"], "jetson": ["ssh://pi@one", "adb://phone"]}),
    ],
)
def test_a_device_may_have_several_boards(
    in_folder: Project, texts: tuple[str, ...], expected: dict[str, list[str]]
) -> None:
    assert boards(*texts, project=in_folder) == expected


def test_a_name_with_several_boards_is_no_address(in_folder: Project) -> None:
    with pytest.raises(UsageError, match=r"pi has 2 boards in edgecheck\.yaml: ssh://pi@one, adb://phone") as caught:
        in_folder.address("pi")
    assert caught.value.hint == "Name one of them."


def test_one_board_will_do_for_one_device() -> None:
    assert where("ssh://pi@desk", of=("pi",)) == {"pi": "ssh://pi@desk"}


def chosen(path: Path) -> tuple[str, ...]:
    """The models of the budgets that a path selects."""
    found = select(Selection(paths=(path,)), Project(root=path.parent, budgets=(), targets={}))
    return tuple(each.model.path.name for each in found)


def test_budgets_at_any_depth_of_a_folder_are_selected(tmp_path: Path) -> None:
    budgets = tmp_path / "budgets"
    (budgets / "vision").mkdir(parents=True)
    onnx_models.dense(budgets / "vision" / "m.onnx")
    (budgets / "vision" / "a.yaml").write_text("model: m.onnx\nlimits: {size: 1 MB}\ndevices: [raspberry-pi-4-2gb]\n")
    assert chosen(budgets) == ("m.onnx",)


def test_a_model_s_folder_may_hold_yaml(tmp_path: Path) -> None:
    model = tmp_path / "yolo_saved_model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"")
    (model / "training.yaml").write_text("stride: 32\n")
    assert chosen(model) == (model.name,)


def test_an_export_with_its_metadata_is_no_folder_of_budgets(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("stride: 32\n")
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        chosen(tmp_path)
    assert caught.value.hint == f"Name the model inside, for example {tmp_path / 'model.onnx'}."


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty: it contains neither a budget"):
        chosen(tmp_path)


def test_a_model_without_the_file_of_its_weights_is_told_before_anything_runs(tmp_path: Path) -> None:
    path = onnx_models.dense(tmp_path / "net.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=16)
    (tmp_path / "net.data").unlink()
    budgets = select(Selection(paths=(path,)), Project(root=tmp_path, budgets=(), targets={}))
    with pytest.raises(ModelError, match=r"net\.onnx is incomplete: it keeps weights in net\.data") as caught:
        plan(budgets, addresses((), PROJECT, budgets))
    assert caught.value.hint == "Copy net.data next to it."


def test_a_check_on_an_accelerator_runs_whatever_is_limited() -> None:
    here = profile("board", emulation_cpu="")
    of_files = (limit("size", 1e6),)
    asked = budget((here, of_files))
    found = addresses((), PROJECT, [asked])
    assert found.of(asked, here, of_files) is None
    on_gpu = replace(asked, accelerator=Accelerator("gpu"))
    assert found.of(on_gpu, here, of_files) == LOCAL
