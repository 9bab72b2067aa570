"""The devices that params.yaml names."""

import torch

from narrows.errors import UserError


def device_named(name: str) -> torch.device:
    """The device that is called auto, cpu, cuda or mps; auto takes an accelerator if there is one.

    Raises:
        UserError: the device is not there, or there is none of that name.
    """
    is_there = {
        "mps": torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available(),
        "cpu": True,
    }
    if name not in ("auto", *is_there):
        raise UserError(f"device: accepted are auto, cpu, cuda and mps, found {name!r}")
    if name == "auto":
        name = next(other for other, there in is_there.items() if there)
    if not is_there[name]:
        raise UserError(f"device is {name}, which torch does not find on this machine")
    return torch.device(name)
