"""BERT (Devlin et al. 2019, arXiv 1810.04805), with the parameter names of the published files.

Two things differ from `TextEncoder`. Its norms stand after what is added ("post-norm"), as in the first Transformer
(Vaswani et al. 2017, section 3.1), and each token is also told of which of two sentences it is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.backbones.transformer import Attention, require_heads
from deeplab_teach.features import SequenceBackbone, SequenceSpec, require_sizes
from deeplab_teach.layers import require_output_stride


class BERTAttention(Attention):
    """Attention as BERT has it: what a token reads is added to it, and the sum is normalised.

    `forward(x: (N, T, C), kept: bool (N, T) or None) -> (N, T, C)`; tokens that are not kept are read by nobody.
    """

    def __init__(self, dim: int, num_heads: int):
        super().__init__(num_heads)
        projections = {name: nn.Linear(dim, dim) for name in ("query", "key", "value")}
        self.add_module("self", nn.ModuleDict(projections))  # the published name, "attention.self.query.weight"
        self.output = _dense_and_norm(dim, dim)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        query, key, value = (layer(x) for layer in self.get_submodule("self").values())  # each (N, T, C)
        read = self.read(query, key, value, kept)  # (N, T, C)
        return self.output["LayerNorm"](x + self.output["dense"](read))


class BERTLayer(nn.Module):
    """Attention mixes the tokens, an MLP works on each alone; after each of the two the sum is normalised."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.attention = BERTAttention(dim, num_heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(dim, 4 * dim)})
        self.output = _dense_and_norm(4 * dim, dim)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        x = self.attention(x, kept)  # (N, T, C)
        hidden = F.gelu(self.intermediate["dense"](x))  # (N, T, 4C)
        return self.output["LayerNorm"](x + self.output["dense"](hidden))  # (N, T, C)


class BERT(SequenceBackbone):
    """Token ids in, one vector per token out.

    Args:
        name: `"minilm"`.
        dim: channels of a token.
        depth: number of layers.
        num_heads: heads of each attention.
        vocab_size: number of different tokens; those of `deeplab_teach.word_pieces`.
        max_length: longest text, in tokens.
        padding_id: the id that fills short texts up; nobody reads those places. `None` if there is no such id.
        output_stride: 1: each token keeps its place.

    Features: `tokens`, `(N, dim, T)` with stride 1, and where there is padding `mask`, bool `(N, T)`. All tokens are
    taken as of the first sentence. There is no dropout, and not the published pooler, which reads one token alone.

    Raises:
        ValueError: an impossible size, or ids that `check_ids` refuses.
    """

    def __init__(
        self,
        name: str,
        *,
        dim: int,
        depth: int,
        num_heads: int,
        vocab_size: int = 30_522,
        max_length: int = 512,
        padding_id: int | None = 0,
        output_stride: int = 1,
    ):
        super().__init__()
        require_output_stride(name, output_stride, 1, "each token keeps its place")
        require_sizes(vocab_size=vocab_size, dim=dim, depth=depth, max_length=max_length)
        require_heads(dim, num_heads)
        self.name = name
        self.feature_specs = {"tokens": SequenceSpec(dim, 1)}
        self.vocab_size, self.max_length, self.padding_id = vocab_size, max_length, padding_id
        tables = {"word_embeddings": vocab_size, "position_embeddings": max_length, "token_type_embeddings": 2}
        embeddings = {table: nn.Embedding(rows, dim) for table, rows in tables.items()}
        self.embeddings = nn.ModuleDict({**embeddings, "LayerNorm": nn.LayerNorm(dim, eps=1e-12)})
        layers = nn.ModuleList(BERTLayer(dim, num_heads) for _ in range(depth))
        self.encoder = nn.ModuleDict({"layer": layers})
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)  # as BERT starts
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        self.check_ids(ids)
        kept = self.kept(ids)  # (N, T), or None
        tables = self.embeddings
        places = torch.arange(ids.shape[1], device=ids.device)
        first_sentence = tables["token_type_embeddings"].weight[0]  # (C,)
        x = tables["word_embeddings"](ids) + tables["position_embeddings"](places) + first_sentence  # (N, T, C)
        x = tables["LayerNorm"](x)
        for layer in self.encoder["layer"]:
            x = layer(x, kept)
        features = {"tokens": x.transpose(1, 2)}  # (N, C, T)
        return features if kept is None else {**features, "mask": kept}


def _dense_and_norm(in_channels, out_channels):
    return nn.ModuleDict(
        {"dense": nn.Linear(in_channels, out_channels), "LayerNorm": nn.LayerNorm(out_channels, eps=1e-12)}
    )


def minilm(*, output_stride: int = 1, **options) -> BERT:
    """MiniLM of 6 layers and 384 channels: 22.6 million parameters, 11.7 of them in the table of word pieces.

    Its published weights, all-MiniLM-L6-v2, were trained to give sentences of like meaning like vectors: the mean over
    a sentence's tokens, scaled to length 1 (Reimers and Gurevych 2019, arXiv 1908.10084, section 3; the small BERT is
    that of Wang et al. 2020, arXiv 2002.10957).
    """
    return BERT("minilm", **{"dim": 384, "depth": 6, "num_heads": 12, **options}, output_stride=output_stride)
