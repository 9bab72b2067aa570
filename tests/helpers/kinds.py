"""A small row of every kind of step."""

from typing import Any

from helpers.plugins import plugin, row
from narrows.config import plugins
from narrows.config.plugins import Plugin

ADAM = plugins.load("optimizers", "adam")
FAST = Plugin("optimizers", "adam", ADAM.Config(lr=0.002))


def mlp(**options: Any) -> Plugin:
    return Plugin("networks", "mlp", plugins.load("networks", "mlp").Config(hidden=(7,), **options))


CONV = plugins.load("networks", "conv").Config(channels=(4, 6), batch_norm=True)
CONTRACTIVE = plugins.load("penalties", "contractive").Config(weight=0.1, directions=2)
ROWS = {
    "plain": row(),
    "noise": row("plain", corruption=plugin("corruptions", "gaussian")),
    "affine": row("plain", corruption=plugin("corruptions", "affine")),
    "occlusion": row("plain", corruption=plugin("corruptions", "occlusion")),
    "sparse": row("plain", penalty=plugin("penalties", "l1")),
    "kl": row("plain", code_activation="sigmoid", penalty=plugin("penalties", "kl_sparsity")),
    "contractive": row("plain", penalty=Plugin("penalties", "contractive", CONTRACTIVE)),
    "variational": row("variational"),
    "stacked": row("stacked"),
    "conv": row("plain", network=Plugin("networks", "conv", CONV)),
    "dropout": row("plain", network=mlp(batch_norm=True, dropout=0.3)),
}
