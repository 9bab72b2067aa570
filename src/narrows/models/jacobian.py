"""How strongly a code answers to its input: the squared norm of the encoder's Jacobian."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def frobenius_squared(
    encode: Callable[[Tensor], Tensor], x: Float[Tensor, "B ..."], directions: int | None
) -> Float[Tensor, " B"]:
    """Squared Frobenius norm of dz/dx at each sample, which can itself be differentiated.

    Exactly, it is the sum over the code's units of the squared gradients. From random directions
    v of the code, with independent signs as entries, it is the mean of ||v^T J||^2: since
    E[v v^T] = 1 this has no bias (Hutchinson's trace estimator of J J^T).

    `torch.func` and not `torch.autograd`, because no gradients are kept in validation; and never in
    inference mode, where torch 2.11 takes every derivative for zero.

    Args:
        encode: maps (B, ...) to (B, D), each sample on its own.
        x: where the Jacobian is taken.
        directions: number of random directions, from torch's global generator; None is exact.

    Example:
        z = (3 x_1, x_1 + 2 x_2) has the Jacobian [[3, 0], [1, 2]] everywhere; 9 + 1 + 4 = 14:

        >>> weight = torch.tensor([[3.0, 0.0], [1.0, 2.0]])
        >>> frobenius_squared(lambda x: x @ weight.T, torch.ones(2, 2), directions=None)
        tensor([14., 14.])
    """
    is_training = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.set_grad_enabled(is_training):
        z, pull_back, *_ = torch.func.vjp(encode, x)
        if directions is None:
            units = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)  # (D, D)
            return _squares(pull_back, units[:, None, :].expand(-1, len(z), -1)).sum(0)
        # (K, B, D), of -1 and 1
        signs = torch.randint(2, (directions, *z.shape), device=z.device).to(z.dtype) * 2 - 1
        return _squares(pull_back, signs).mean(0)


def _squares(
    pull_back: Callable[[Tensor], tuple[Tensor]], v: Float[Tensor, "K B D"]
) -> Float[Tensor, "K B"]:
    """||v^T J||^2 for every direction and sample."""
    (gradients,) = torch.func.vmap(pull_back)(v)  # (K, B, ...)
    return gradients.flatten(2).square().sum(2)
