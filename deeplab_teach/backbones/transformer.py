"""The Transformer's block (Vaswani et al. 2017, arXiv 1706.03762), which image and text backbones share.

Parameter names are timm's. The norms stand before attention and MLP ("pre-norm"), as in ViT.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Every token reads every other one, in several heads side by side (section 3.2).

    A subclass makes queries, keys and values out of the tokens, and takes what `read` gives.
    """

    def __init__(self, num_heads: int):
        super().__init__()
        self.num_heads = num_heads

    def read(self, query: Tensor, key: Tensor, value: Tensor, kept: Tensor | None = None) -> Tensor:
        """What each token reads, `(N, T, C)` as all three are. Whom `kept`, bool `(N, T)`, leaves out, nobody reads."""
        heads = (self.num_heads, query.shape[-1] // self.num_heads)
        query, key, value = (each.unflatten(-1, heads).transpose(1, 2) for each in (query, key, value))
        mask = None if kept is None else kept[:, None, None]  # (N, 1, 1, T)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)  # (N, heads, T, C/heads)
        return out.transpose(1, 2).flatten(2)  # (N, T, C)

    def attention_multiply_adds(self, output_shape: Sequence[int]) -> int:
        """Of the two products that no layer holds: queries with keys, and weights with values, T x T x C each."""
        n, tokens, dim = output_shape
        return 2 * n * tokens * tokens * dim


class SelfAttention(Attention):
    """Attention as ViT has it, with one layer for queries, keys and values.

    `forward(x: (N, T, C), kept: bool (N, T) or None) -> (N, T, C)`; tokens that are not kept are read by nobody.
    """

    def __init__(self, dim: int, num_heads: int):
        super().__init__(num_heads)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, dim=-1)  # each (N, T, C)
        return self.proj(self.read(query, key, value, kept))  # (N, T, C)


class TransformerBlock(nn.Module):
    """Attention mixes the tokens, an MLP works on each alone; both are added to what came in."""

    def __init__(self, dim: int, num_heads: int, *, mlp_ratio: int = 4, eps: float = 1e-6):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = SelfAttention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        hidden = mlp_ratio * dim
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(dim, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, dim)))

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), kept)  # (N, T, C)
        return x + self.mlp(self.norm2(x))  # (N, T, C)


def initialise(module: nn.Module) -> None:
    """Small random weights and zero biases in every linear layer, as ViT starts."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)


def require_heads(dim: int, num_heads: int) -> None:
    """Raise a `ValueError` unless the channels can be shared out among the heads."""
    if num_heads < 1 or dim % num_heads:
        raise ValueError(f"dim must be a multiple of num_heads, got dim={dim} and num_heads={num_heads}.")
