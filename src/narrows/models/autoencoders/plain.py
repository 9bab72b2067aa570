"""Encoder, code, decoder: the undercomplete, overcomplete, deep, denoising and sparse ones.

The row's network, corruption and penalty make the difference (Goodfellow, Bengio & Courville
2016, chapter 14).
"""

from __future__ import annotations

from narrows.config.plugins import config
from narrows.models.autoencoders._base import (
    HAS_POSTERIOR,
    AutoencoderRow,
    build,
    decode,
    encode,
    layers,
    loss,
    start,
)

__all__ = ["HAS_POSTERIOR", "Config", "build", "decode", "encode", "layers", "loss", "start"]


@config
class Config(AutoencoderRow):
    pass
