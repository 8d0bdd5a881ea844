"""Linear probes: what can be read from a feature map by one linear layer, place by place.

Alain and Bengio 2016, arXiv 1610.01644. A probe says what is there to be read, not what the network uses it for; and
what it reads may be something else that goes along with what was asked.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_teach.metrics import confusion_matrix


def linear_probe(
    features: Tensor, labels: Tensor, num_classes: int, *, steps: int = 300, seed: int = 0
) -> Callable[[Tensor], Tensor]:
    """Train one linear layer on features that stay as they are.

    Each class weighs alike, however rare it is. The features are scaled to mean 0 and standard deviation 1 first, so
    that maps of every depth learn at one rate.

    Args:
        features: `(n, C)`, one row for each place.
        labels: `(n,)` int64 in 0..num_classes-1.
        steps: of AdamW, on 2048 places each.
        seed: of the first weights and of the places drawn.

    Returns:
        `predict(features (m, C)) -> (m,)` int64.

    Raises:
        ValueError: a class that no place has.
    """
    if sorted(labels.unique().tolist()) != list(range(num_classes)):
        raise ValueError(f"the labels must be 0..{num_classes - 1}, each of them; got {labels.unique().tolist()[:9]}.")
    counts = torch.bincount(labels).float()
    generator = torch.Generator().manual_seed(seed)
    mean, spread = features.mean(dim=0), features.std(dim=0) + 1e-5
    scaled = (features - mean) / spread
    layer = torch.nn.utils.skip_init(torch.nn.Linear, features.shape[1], num_classes)  # not by the global seed
    torch.nn.init.normal_(layer.weight, std=0.01, generator=generator)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-2, weight_decay=1e-2)
    for _ in range(steps):
        drawn = torch.randint(len(scaled), (2048,), generator=generator)
        loss = F.cross_entropy(layer(scaled[drawn]), labels[drawn], weight=1 / counts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def predict(others: Tensor) -> Tensor:
        return layer((others - mean) / spread).argmax(dim=1)

    return predict


def mean_recall(predictions: Tensor, labels: Tensor, num_classes: int) -> float:
    """Of each class the share that is found, and the mean of these shares: guessing gives 1 / num_classes.

    Raises:
        ValueError: a class that is not among the labels.
    """
    confusion = confusion_matrix(predictions, labels, num_classes, ignore_index=None)
    there = confusion.sum(dim=1)
    if missing := torch.nonzero(there == 0).flatten().tolist():
        raise ValueError(f"no label is {', '.join(map(str, missing))}: there is nothing to be found of it.")
    return (confusion.diag() / there).mean().item()
