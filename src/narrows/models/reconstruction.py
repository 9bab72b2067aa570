"""How far a reconstruction is from the data: values in [0, 1], means over a whole split."""

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

BATCH_VALUES = 2**20  # SSIM keeps five padded copies of a batch, and those in blocks of 16 channels
BCE_MARGIN = 1e-7  # Keras's, in whose figures the documents speak
SSIM_PAD = 5  # half of the 11 x 11 Gaussian window, reflected at the border


def mse(x: Float[Tensor, " *shape"], x_hat: Float[Tensor, " *shape"]) -> float:
    """Mean squared error per value, averaged over all samples, pixels and channels, in [0, 1].

    >>> import torch
    >>> mse(torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 0.5))
    0.25
    """
    return F.mse_loss(x_hat, x).item()


def bce(x: Float[Tensor, " *shape"], x_hat: Float[Tensor, " *shape"]) -> float:
    """Binary cross-entropy in nats per value, x_hat clipped to [1e-7, 1 - 1e-7].

    Of grey values it is no likelihood, and a copy has their entropy.

    >>> import torch
    >>> round(bce(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.75])), 4)  # (log 2 + log 4) / 2
    1.0397
    """
    return F.binary_cross_entropy(x_hat.clamp(BCE_MARGIN, 1 - BCE_MARGIN), x).item()


def psnr(mse: float) -> float | None:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE); the peak is 1.

    Taken from the mean MSE of a split, so that one number follows from the other: the mean of
    the pictures' own PSNR would be larger. None for an exact copy, where it is infinite.

    >>> psnr(0.01)
    20.0
    """
    return 10 * math.log10(1 / mse) if mse > 0 else None


def ssim(x: Float[Tensor, " *shape"], x_hat: Float[Tensor, " *shape"]) -> float | None:
    """Structural similarity, mean over pictures, channels and windows, in [-1, 1]; 1 is a copy.

    Wang et al. 2004 (IEEE TIP 13:4): 11 x 11 Gaussian window of deviation 1.5, k1 = .01,
    k2 = .03, peak 1, by torchmetrics. None for data that is no picture (N, C, H, W) or whose side
    is below 6 pixels, too small for the window to be reflected at the border.

    Example:
        Two flat pictures differ in luminance only, (2 * 0.5 + .0001) / (0.25 + 1 + .0001):

        >>> import torch
        >>> x = torch.ones(2, 1, 8, 8)
        >>> round(ssim(x, x / 2), 4)
        0.8
    """
    if x.ndim != 4 or min(x.shape[2:]) <= SSIM_PAD:
        return None
    from torchmetrics.functional.image import structural_similarity_index_measure

    size = max(1, BATCH_VALUES // x[0].numel())
    total = 0.0
    for batch, batch_hat in zip(x.split(size), x_hat.split(size), strict=True):
        scores = structural_similarity_index_measure(
            batch_hat, batch, data_range=1.0, reduction="sum"
        )
        total += float(scores)  # type: ignore[arg-type]  # a tuple with full images only
    return total / len(x)
