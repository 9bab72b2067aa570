"""A training step that CUDA records once, as a graph, and replays for every batch of that size.

A step of a small network is some fifty kernels of a few microseconds each; Python takes longer to
hand them over one by one than the GPU to run them. A replay is one launch. What it runs are the
recorded kernels on the recorded addresses: so a step has to change its tensors in place, and what
moves from step to step (a learning rate, the state of a generator) has to be on the device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before one is recorded: the first ones make the optimiser's state and choose kernels."""

Batch = tuple[Tensor, ...]
Step = Callable[..., None]
Record = Callable[[Callable[[], None]], Callable[[], None]]


class Captured:
    """Does what `step` does; batches of the first one's size are replayed from a record of it.

    Where a step cannot be recorded, all are taken one by one, and a warning says why.

    Args:
        step: changes tensors in place, from a batch of them.
        record: runs what it is handed once while CUDA records it, and returns the replay.
    """

    def __init__(self, step: Step, record: Record):
        self.step, self.record = step, record
        self.n_taken = 0
        self.inputs: Batch = ()
        self.replay: Callable[[], None] | None = None

    def __call__(self, *batch: Tensor) -> None:
        """A step on a batch, whose tensors have the samples in front: (B, ...), or (M, B, ...)."""
        # a replay reads the addresses that were recorded: every batch is copied to those
        self.inputs = self.inputs or tuple(part.clone() for part in batch)
        if [part.shape for part in batch] != [part.shape for part in self.inputs]:
            self.step(*batch)  # the last step of an epoch has fewer samples: no record fits it
            return
        for part, own in zip(batch, self.inputs, strict=True):
            own.copy_(part)
        # after the warm-up this step is recorded; that runs nothing, the replay below takes it
        if self.n_taken == WARM_UP:
            self.replay = self._record()
        self.n_taken += 1
        if self.replay is None:
            self.step(*self.inputs)
        else:
            self.replay()

    def _record(self) -> Callable[[], None] | None:
        """The replay of a step on `inputs`; None where CUDA cannot record it."""
        try:
            return self.record(lambda: self.step(*self.inputs))
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            log.warning("steps are taken one by one, because CUDA could not record one: %s", reason)
            return None


def steps_on_cuda(
    step: Step, generators: Iterable[torch.Generator]
) -> Callable[[Iterable[Batch]], None]:
    """A function that takes a step for each of some batches, from a CUDA graph as soon as there is
    one.

    Args:
        step: what is done to a batch; noise comes from the generators or from torch's own one.
        generators: on the GPU; seeded anew, they draw in a replay what they would draw outside.
    """
    stream = torch.cuda.Stream()

    def record(step_once: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=stream):
            step_once()
        return graph.replay

    captured = Captured(step, record)

    def take(batches: Iterable[Batch]) -> None:
        stream.wait_stream(torch.cuda.current_stream())  # graphs need a stream of their own
        with torch.cuda.stream(stream):
            for batch in batches:
                captured(*batch)
        torch.cuda.current_stream().wait_stream(stream)

    return take


def settle(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Puts what an optimiser counts, and the rate that a schedule moves, where steps read them: on
    the GPU, where steps are recorded; on a CPU a rate is a number.

    It is called after a checkpoint was read, which may come from the other kind of device.
    """
    recorded = device.type == "cuda"
    for group in optimizer.param_groups:
        rate = float(group["lr"])
        group["lr"] = torch.tensor(rate, device=device) if recorded else rate
        if "capturable" in group:
            group["capturable"] = recorded
        if recorded and "fused" in group:
            group["fused"] = True
    for state in optimizer.state.values():
        if "step" in state:  # Lightning has moved all else
            state["step"] = state["step"].to(device)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """A new learning rate for the next step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
