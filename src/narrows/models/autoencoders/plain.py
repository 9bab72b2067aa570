"""Encoder, code, decoder: the undercomplete, overcomplete, deep, denoising and sparse ones.

The row's network, corruption and penalty make the difference (Goodfellow, Bengio & Courville
2016, chapter 14).
"""

from __future__ import annotations

from narrows.config.plugins import config
from narrows.models.autoencoders._base import Row, build, decode, encode, loss

__all__ = ["Config", "build", "decode", "encode", "loss"]


@config
class Config(Row):
    pass
