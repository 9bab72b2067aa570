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


def precision_on(device: torch.device, precision: str) -> str:
    """fp32, bf16 or fp16: what a `precision` of auto comes to on a device, or another one."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16"
        has_tensor_cores = torch.cuda.get_device_capability(device) >= (7, 0)
        return "fp16" if has_tensor_cores else "fp32"
    features = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if features.get("avx512_bf16") or features.get("amx_bf16") else "fp32"


def autocast(device: torch.device, precision: str, cached: bool = True) -> torch.autocast:
    """A context in which products are of this precision.

    Args:
        precision: fp32, bf16 or fp16.
        cached: whether weights are rounded once for the whole context.
    """
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    is_half = dtype is not None
    return torch.autocast(device.type, dtype or torch.bfloat16, is_half, cache_enabled=cached)
