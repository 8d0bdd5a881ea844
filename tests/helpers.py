"""What several test files use: batch norms that hide nothing, and comparisons that cannot pass by accident."""

import math

import torch
from torch import nn

# Even and odd, wide and tall, two that are k * 32 + 1 and one that no stride divides.
SIZES = [(160, 96), (65, 65), (97, 129), (71, 46)]


def randomise_batch_norm(model, seed=0, *, size=(64, 64)):
    """Give every batch norm statistics and an affine map of its own, in eval mode; returns the model.

    A fresh batch norm has mean 0, variance 1, weight 1 and bias 0: wrong wiring, a wrong epsilon or a forgotten layer
    then often changes nothing. Statistics out of thin air are no better: after some layers of a random MobileNetV2
    they leave the same number everywhere. So they are measured on noise, layer after layer, then shaken.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(like, low, high):
        return torch.rand(like.shape, generator=generator).to(like) * (high - low) + low

    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(uniform(norm.weight, 0.7, 1.3))
            norm.bias.copy_(uniform(norm.bias, -0.3, 0.3))
            norm.momentum = 1.0
        if norms:
            model.train()(torch.randn(4, 3, *size, generator=generator).to(norms[0].weight))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            spread = norm.running_var.clamp(min=0.05 * norm.running_var.mean().item())
            norm.running_mean.add_(uniform(spread, -0.3, 0.3) * spread.sqrt())
            norm.running_var.copy_(spread * uniform(spread, 0.7, 1.3))
    return model.eval()


def same_weights(build, state, *args, **kwargs):
    """Build a model with these weights and in eval mode, without the time that initialising it would take.

    Also a test: `build` must take every tensor of `state`, and no other.
    """
    with torch.device("meta"):
        model = build(*args, **kwargs)
    model.load_state_dict({key: value.clone() for key, value in state.items()}, strict=True, assign=True)
    return model.eval()


def no_dropout(model):
    """Switch dropout off, so that train mode can be compared; returns the model."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def relative_difference(ours, reference):
    """`||ours - reference|| / ||reference||`; refuses a reference that says nothing (zero, constant, not finite)."""
    assert ours.shape == reference.shape, f"{tuple(ours.shape)} is not {tuple(reference.shape)}"
    ours, reference = ours.detach().double(), reference.detach().double()
    assert reference.isfinite().all() and ours.isfinite().all()
    assert reference.std() > 1e-2 * reference.abs().mean() > 0, "the reference is constant: it tells nothing apart"
    return ((ours - reference).norm() / reference.norm()).item()


def expected_size(size, stride):
    """The contract's size of a map: ceil(side / stride) on both sides."""
    return tuple(math.ceil(side / stride) for side in size)


def random_features(specs, size=(65, 97), *, batch=2, device="cpu"):
    """Feature maps as the specs declare them, for an image of this size."""
    return {
        key: torch.rand(batch, spec.channels, *expected_size(size, spec.stride), device=device)
        for key, spec in specs.items()
    }


def on_meta(build, *args, **kwargs):
    """Build on the meta device, where a model of any size takes no time; in eval mode."""
    with torch.device("meta"):
        return build(*args, **kwargs).eval()
