"""Builds the PyTorch files of the tests: `python torch_models.py FOLDER`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file, save_model

from tests.converters import networks

EXAMPLES = {
    "classifier": (torch.rand(2, 1, 28, 28),),
    "recurrent": (torch.rand(2, 5, 8),),
    "two": (torch.rand(2, 8), torch.rand(2, 4)),
    "one_at_a_time": (torch.rand(1, 8),),
}


def main(folder: Path) -> None:
    """Write them all."""
    torch.manual_seed(0)
    for name, example in EXAMPLES.items():
        model = getattr(networks, name)().eval()
        torch.save(model.state_dict(), folder / f"{name}.pth")
        free = None if name == "one_at_a_time" else tuple({0: torch.export.Dim("batch")} for _ in example)
        torch.export.save(torch.export.export(model, example, dynamic_shapes=free), folder / f"{name}.pt2")
        if name == "classifier":
            of_the_classifier(folder, model)
    with_something_about_them(folder)
    of_recurrent_parts(folder)


def with_something_about_them(folder: Path) -> None:
    """Weights of networks that need more than a call by place."""
    for name in ("Optional", "Deciding"):
        torch.save(getattr(networks, name)().state_dict(), folder / f"{name}.pth")
    torch.save(networks.halved().state_dict(), folder / "halved.pth")
    save_model(networks.Tied(), str(folder / "tied.safetensors"))
    counting = torch.export.export(networks.Counting().eval(), (torch.rand(1, 6),))
    torch.export.save(counting, folder / "counting.pt2")


def of_the_classifier(folder: Path, model: torch.nn.Module) -> None:
    """The same network in every other way of keeping it."""
    save_file(model.state_dict(), folder / "classifier.safetensors")
    torch.save(model.state_dict(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(model, folder / "module.pt")
    torch.jit.script(model).save(str(folder / "classifier.ts"))
    optimizer = torch.optim.Adam(model.parameters())
    model(EXAMPLES["classifier"][0]).sum().backward()
    optimizer.step()
    weights = {f"module.{name}": value for name, value in model.state_dict().items()}
    checkpoint = {"model_state_dict": weights, "optimizer_state_dict": optimizer.state_dict(), "epoch": 3}
    torch.save(checkpoint, folder / "checkpoint.pth")


class Guarded(torch.nn.Module):  # type: ignore[misc] # torch is skipped by mypy here, so that it need not be installed
    """Multiplies by the size of its batch, for which its program has a guard."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 2)
        self.recurrent = torch.nn.LSTM(4, 3, batch_first=True)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """A sum."""
        return self.linear(x) + self.recurrent(y)[0][:, -1, :2] * x.shape[0]


class Scripted(torch.nn.Module):  # type: ignore[misc] # see Guarded
    """Its script calls functions of torch's own library."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3)
        self.recurrent = torch.nn.GRU(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shares of one."""
        seen = self.convolution(x).flatten(2).permute(2, 0, 1)
        return torch.nn.functional.softmax(self.recurrent(seen)[0], 1)


def of_recurrent_parts(folder: Path) -> None:
    """A program with a size that is open and a guard, and a script: for those who look for code in them."""
    batch = torch.export.Dim("batch", min=2, max=64)
    example = (torch.zeros(3, 4), torch.zeros(3, 5, 4))
    exported = torch.export.export(Guarded().eval(), example, dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(exported, folder / "guarded.pt2")
    torch.jit.script(Scripted()).save(str(folder / "scripted.ts"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
