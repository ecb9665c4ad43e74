"""Whether a network turns values of its inputs into Python numbers, which a trace keeps as an example had them."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary


class _Follower(TorchDispatchMode):  # type: ignore[misc] # torch does not type it
    """Follows the tensors that are computed from inputs."""

    def __init__(self, inputs: list[torch.Tensor]) -> None:
        super().__init__()
        self.found = False
        self._followed = WeakTensorKeyDictionary()
        for each in inputs:
            self._followed[each] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operator; its results are followed if one of its operands is.

        `if tensor:`, int(), item() and torch.equal call operators that return a Python value. The size of an axis is
        one already, and calls none.
        """
        made = func(*args, **(kwargs or {}))
        if any(each in self._followed for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)):
            self.found = self.found or any(isinstance(each, (bool, int, float)) for each in tree_leaves(made))
            for each in tree_leaves(made):
                if isinstance(each, torch.Tensor):
                    self._followed[each] = True
        return made


def decides_by_values(module: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether a call of `module` makes a Python number of anything computed from `arguments`.

    A TorchScript module keeps its branches in an export, so it never does.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return False
    with torch.no_grad(), _Follower([each for each in tree_leaves(arguments) if torch.is_tensor(each)]) as follower:
        module(*arguments)
    return bool(follower.found)
