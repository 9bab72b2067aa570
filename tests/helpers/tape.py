"""A tape that stands for a CUDA graph: it replays the same kernels on the same addresses,
so it shows alike what a step must not do."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from narrows.training.cuda_graph import Captured
from narrows.training.steps import Stepping


class Tape(TorchDispatchMode):
    """Records what a step calls, with which tensors, and calls it again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def play(self) -> None:
        for func, args, kwargs, out in self.calls:
            for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def taped(once: Callable[[], None]) -> Callable[[], None]:
    """Like a graph, which does nothing while it is recorded: the first replay is the recording."""
    tape = Tape()
    with tape:
        once()
    plays = iter([lambda: None])
    return lambda: next(plays, tape.play)()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Captured]]:
    """Trainings on the CPU record their steps; yields the recorders."""
    started, recorders = Stepping.on_train_start, list[Captured]()

    def start(module: Stepping) -> None:
        started(module)
        for group in module.optimizer().param_groups:
            group["lr"] = torch.tensor(group["lr"])
        captured = Captured(module.step, taped)
        recorders.append(captured)
        module.recorded = lambda batches: [captured(*batch) for batch in batches]

    monkeypatch.setattr(Stepping, "on_train_start", start)
    yield recorders
    assert recorders
    assert all(captured.replay for captured in recorders)
