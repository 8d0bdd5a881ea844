"""What a folded convolution holds after each mistake that people make."""

import torch


def mistaken_weights(conv, norm):
    """`(sentence, the weight after the mistake)`."""
    weight, var, eps, g, b = conv.weight, norm.running_var, norm.eps, norm.weight, norm.bias
    first = (-1, 1, 1, 1)
    yield "You leave the weights as they are: batch norm multiplies each channel, so they change too.", weight
    for sentence, root in (
        ("", torch.rsqrt(var + eps)),
        ("`eps` is left out: batch norm adds it to the variance, and where that is small it counts.", torch.rsqrt(var)),
        ("You add `eps` to the root; batch norm adds it to the variance, under the root.", 1 / (var.sqrt() + eps)),
        ("Your `eps` is not this norm's: ask `norm.eps`.", torch.rsqrt(var + 1e-5)),
        ("You divide by the variance; batch norm divides by its root.", 1 / (var + eps)),
        ("You divide by the variance; batch norm divides by its root.", 1 / var),
        ("You multiply by the root of the variance; batch norm divides by it.", (var + eps).sqrt()),
        ("You multiply by the root of the variance; batch norm divides by it.", var.sqrt()),
        ("The weights are not divided by the root of the variance.", torch.ones_like(var)),
    ):
        for also, factor in (
            ("", g),
            ("`norm.weight` is left out: it multiplies each channel.", torch.ones_like(g)),
            ("You divide by `norm.weight`; it multiplies.", 1 / g),
            ("You multiply by `norm.bias` in place of `norm.weight`.", b),
        ):
            yield f"{sentence} {also}".strip(), weight * (root * factor).view(first)
    scale = g * torch.rsqrt(var + eps)
    axes = "A weight is (out, in, rows, columns) and `scale` (out,): give it axes of size 1 behind, so that they meet."
    for axis, words in ((1, "its input channels"), (2, "its rows"), (3, "its columns")):
        if weight.shape[axis] == len(scale):
            shape = [len(scale) if i == axis else 1 for i in range(4)]
            yield f"You scale the kernel along {words}. {axes}", weight * scale.view(shape)
    normalised = "You normalise the weights as if they were the map; shifts belong into the bias alone."
    for shift in (norm.running_mean, norm.running_mean - b / scale, -b / scale):
        yield normalised, (weight - shift.view(first)) * scale.view(first)
    if weight.shape[1] == len(scale):
        yield normalised, norm(weight)


def mistaken_biases(conv, norm):
    """`(sentence, the bias after the mistake)`, where the weight is right."""
    mean, var, eps, g, b = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    own, root = torch.zeros_like(mean) if conv.bias is None else conv.bias, torch.rsqrt(var + eps)
    scale = g * root
    yield "`conv.bias` is left out: batch norm gets what the convolution adds, too.", b - mean * scale
    yield "`conv.bias` is not scaled: batch norm gets it with the rest, and scales all.", own - mean * scale + b
    yield "`norm.running_mean` is not subtracted.", own * scale + b
    unscaled = "`norm.running_mean` is not scaled: batch norm subtracts it first and scales what is left."
    yield unscaled, own * scale - mean + b
    yield f"{unscaled} Nor is `conv.bias`.", own - mean + b
    yield "`norm.running_mean` is added; batch norm subtracts it.", (own + mean) * scale + b
    yield "You subtract `conv.bias` from `norm.running_mean`; it is the other way round.", (mean - own) * scale + b
    yield "`norm.bias` is left out.", (own - mean) * scale
    yield "`norm.bias` is scaled; batch norm adds it last.", (own - mean + b) * scale
    yield "`norm.bias` is subtracted; batch norm adds it.", (own - mean) * scale - b
    yield "The bias is still that of `conv`, or 0 where it has none; what batch norm makes of it is missing.", own
    yield "Your bias is `norm.bias` alone.", b
    yield "Your bias is `conv.bias` plus `norm.bias`, unscaled and without the running mean.", own + b
    yield "In the bias `norm.weight` is left out; the weights have it.", (own - mean) * root + b
    yield "In the bias nothing is divided by the root of the variance; the weights are.", (own - mean) * g + b
    yield "In the bias you divide by the variance, not by its root.", (own - mean) * g / (var + eps) + b
    yield "In the bias `eps` is left out; the weights have it.", (own - mean) * g * torch.rsqrt(var) + b
