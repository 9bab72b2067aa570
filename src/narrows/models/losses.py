"""Reconstruction losses, each a mean over samples and features as the documents' code has it.

A mean over features keeps learning rates and penalty weights the same for any picture size; what
needs nats per sample (a variational bound) multiplies by the number of features.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def bce(logits: Float[Tensor, "B ..."], clean: Float[Tensor, "B ..."]) -> Float[Tensor, ""]:
    """Binary cross-entropy of the clean sample under per-feature Bernoullis, in nats per feature.

        L = mean over b, i of [ softplus(l_bi) - x_bi l_bi ]

    Written in logits so that it stays finite when the decoder saturates (Kingma & Welling 2014,
    arXiv:1312.6114, appendix C.1, for the likelihood).

    Args:
        logits: decoder output before the sigmoid.
        clean: the sample in [0, 1], before any corruption.

    Example:
        A decoder that answers 1/2 everywhere pays log 2 per feature:

        >>> import torch
        >>> round(bce(torch.zeros(4, 3), torch.tensor([[0.0, 1.0, 0.25]] * 4)).item(), 4)
        0.6931
    """
    return functional.binary_cross_entropy_with_logits(logits, clean)


def mse(x_hat: Float[Tensor, "B ..."], clean: Float[Tensor, "B ..."]) -> Float[Tensor, ""]:
    """Squared error per feature.

    >>> import torch
    >>> mse(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.5]])).item()  # (1 + 1/4) / 2
    0.625
    """
    return functional.mse_loss(x_hat, clean)
