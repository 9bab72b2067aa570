"""Student-t memberships around trained centres, and their sharpened copy as the target: what the
members of the DEC family share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from narrows.clustering.deep_clusterers._base import Loop, centres, recentre
from narrows.config.plugins import config

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from narrows.clustering.deep_clusterers._base import Parts

__all__ = ["Student", "kl", "parts", "recentre", "soft", "target"]


@config
class Student(Loop):
    alpha: PositiveFloat = 1.0
    """Degrees of freedom of the Student-t kernel around a centre."""


def parts(cfg: Student, codes: np.ndarray, clusters: np.ndarray) -> dict[str, Tensor]:
    """Centres (K, D), which are trained."""
    return {"centres": centres(codes, clusters)}


def soft(cfg: Student, parts: Parts, z: Tensor) -> Tensor:
    """Memberships (B, K) of codes (B, D)."""
    return student_t(z, parts["centres"], cfg.alpha)


def target(cfg: Student, q: Tensor) -> Tensor:
    """Sharpened memberships (F, K) of the whole set."""
    return sharpened(q)


def student_t(z: Tensor, centres: Tensor, alpha: float) -> Tensor:
    """Memberships (B, K) of codes (B, D) in clusters around centres (K, D).

        q_ij ~ (1 + |z_i - mu_j|^2 / alpha)^(-(alpha + 1) / 2),  sum_j q_ij = 1

    Equation 1 of Xie, Girshick & Farhadi 2016 (arXiv:1511.06335).

    Example:
        A code on one centre and 2 from the other: 1 and 1/5.

        >>> import torch
        >>> student_t(torch.tensor([[0.0]]), torch.tensor([[0.0], [2.0]]), alpha=1.0)
        tensor([[0.8333, 0.1667]])
    """
    squared = (z[:, None] - centres).square().sum(dim=2)
    weights = (1 + squared / alpha) ** (-(alpha + 1) / 2)
    return weights / weights.sum(dim=1, keepdim=True)


def sharpened(q: Tensor) -> Tensor:
    """Targets p (F, K) of memberships q (F, K) of the whole set, not of a batch.

        p_ij ~ q_ij^2 / f_j,  f_j = sum_i q_ij,  sum_j p_ij = 1

    Equation 3 of Xie et al. 2016.

    Example:
        f = (1, 1/2), so the first row is as .75^2 : .25^2 / .5 = 9 : 2:

        >>> import torch
        >>> sharpened(torch.tensor([[0.75, 0.25], [0.25, 0.25]]))[0] * 11
        tensor([9., 2.])
    """
    weights = q.square() / q.sum(dim=0)
    return weights / weights.sum(dim=1, keepdim=True)


def kl(p: Tensor, q: Tensor) -> Tensor:
    """Mean over the batch of KL(p || q) in nats, of memberships (B, K).

    >>> import torch
    >>> kl(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]]))
    tensor(0.6931)
    """
    import torch

    return (torch.xlogy(p, p) - p * q.log()).sum(dim=1).mean()
