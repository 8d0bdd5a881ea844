"""A small Transformer that reads text: a backbone whose input is no image (after BERT, Devlin et al. 2019)."""

import torch
from torch import Tensor, nn

from deeplab_teach.backbones.transformer import TransformerBlock, initialise, require_heads
from deeplab_teach.features import SequenceBackbone, SequenceSpec, require_sizes
from deeplab_teach.layers import require_output_stride


class TextEncoder(SequenceBackbone):
    """Token ids in, one vector per token out.

    Args:
        vocab_size: number of different tokens.
        dim: channels of a token.
        depth: number of blocks.
        num_heads: heads of each attention.
        max_length: longest text, in tokens.
        padding_id: the id that fills short texts up; nobody reads those places. `None` if there is no such id.
        output_stride: 1: each token keeps its place.

    Features: `tokens`, `(N, dim, T)` with stride 1. Where there is padding, `forward` gives a second entry, `mask`:
    bool `(N, T)`, `True` for tokens that count, which a head averages over.

    Raises:
        ValueError: an impossible size, or ids that are not `(N, T)` integers in range, or a text of padding alone.
    """

    def __init__(
        self,
        *,
        vocab_size: int = 10_000,
        dim: int = 256,
        depth: int = 4,
        num_heads: int = 4,
        max_length: int = 256,
        padding_id: int | None = 0,
        output_stride: int = 1,
    ):
        super().__init__()
        require_output_stride("text_encoder", output_stride, 1, "each token keeps its place")
        require_sizes(vocab_size=vocab_size, dim=dim, depth=depth, max_length=max_length)
        require_heads(dim, num_heads)
        self.name = "text_encoder"
        self.feature_specs = {"tokens": SequenceSpec(dim, 1)}
        self.vocab_size, self.max_length, self.padding_id = vocab_size, max_length, padding_id
        self.token_embed = nn.Embedding(vocab_size, dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, max_length, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        initialise(self)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.token_embed.weight, std=0.02)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        self.check_ids(ids)
        kept = self.kept(ids)  # (N, T), or None
        x = self.token_embed(ids) + self.pos_embed[:, : ids.shape[1]]  # (N, T, C)
        for block in self.blocks:
            x = block(x, kept)
        features = {"tokens": self.norm(x).transpose(1, 2)}  # (N, C, T)
        return features if kept is None else {**features, "mask": kept}


def text_encoder(*, output_stride: int = 1, **options) -> TextEncoder:
    """A text Transformer of 4 blocks and 256 channels: 5.8 million parameters, 2.6 of them in the table of tokens."""
    return TextEncoder(output_stride=output_stride, **options)
