"""The Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929), with timm's parameter names."""

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab_teach.backbones.transformer import TransformerBlock, initialise, require_heads
from deeplab_teach.features import Backbone, FeatureSpec
from deeplab_teach.grids import Grid, of_patches
from deeplab_teach.layers import require_output_stride


class ViT(Backbone):
    """Cut the image into patches, make each a token, and let all tokens read each other, block after block.

    Args:
        name: `"vit_small"`.
        dim: channels of a token.
        depth: number of blocks.
        num_heads: heads of each attention; they share the channels.
        image_size: side of the square images that the position embeddings were learnt for.
        output_stride: 16, the side of a patch.

    Features: `c4` alone, the normalised patch tokens laid out as a map, `dim` channels at stride 16. There is no
    pyramid; `deeplab_teach.necks.SimpleFeaturePyramid` makes one. Images of other sizes are padded at the right and
    bottom to whole patches, and the position embeddings are interpolated. Images are scaled to -1..1 (`normalize`).

    Raises:
        ValueError: another `output_stride`, a `dim` that the heads cannot share, an `image_size` of no whole patches,
            or an input that is not `(N, 3, H, W)` float.
    """

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)
    patch_size = 16

    def __init__(
        self, name: str, *, dim: int, depth: int, num_heads: int, image_size: int = 224, output_stride: int = 16
    ):
        super().__init__()
        require_output_stride(name, output_stride, self.patch_size, "its stride is the side of a patch")
        require_heads(dim, num_heads)
        if image_size < self.patch_size or image_size % self.patch_size:
            raise ValueError(f"image_size must be a multiple of the patches' {self.patch_size}, got {image_size}.")
        self.name = name
        self.feature_specs = {"c4": FeatureSpec(dim, self.patch_size)}
        self.grid = image_size // self.patch_size  # patches along a side of the images it was trained on
        patches = nn.Conv2d(3, dim, self.patch_size, stride=self.patch_size)
        self.patch_embed = nn.Sequential(OrderedDict(proj=patches))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))  # one more token, which stands for the whole image
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, dim))
        self.blocks = nn.Sequential(*(TransformerBlock(dim, num_heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        initialise(self)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.check_image(x)
        rows, columns = (math.ceil(side / self.patch_size) for side in x.shape[-2:])
        bottom, right = rows * self.patch_size - x.shape[-2], columns * self.patch_size - x.shape[-1]
        x = self.patch_embed(F.pad(x, (0, right, 0, bottom)))  # (N, C, H/16, W/16)
        x = x.flatten(2).transpose(1, 2)  # (N, T, C): one token per patch
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)  # (N, 1+T, C)
        x = self.norm(self.blocks(x + self._positions(rows, columns)))[:, 1:]  # (N, T, C)
        return {"c4": x.transpose(1, 2).unflatten(2, (rows, columns))}  # (N, C, H/16, W/16)

    def grids(self, size: tuple[int, int]) -> dict[str, Grid]:
        return {"c4": of_patches(self.patch_size)}

    def _positions(self, rows, columns):
        """The position embeddings, stretched to a grid of another size: (1, 1 + rows * columns, C)."""
        if (rows, columns) == (self.grid, self.grid):
            return self.pos_embed
        of_image, of_patches = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        of_patches = of_patches.transpose(1, 2).unflatten(2, (self.grid, self.grid))  # (1, C, grid, grid)
        # In float32: the antialiased resize exists in no other precision on the CPU.
        of_patches = F.interpolate(of_patches.float(), size=(rows, columns), mode="bicubic", antialias=True)
        return torch.cat([of_image, of_patches.to(of_image).flatten(2).transpose(1, 2)], dim=1)


def vit_small(*, image_size: int = 224, output_stride: int = 16) -> ViT:
    """ViT-S/16: 21.7 million backbone parameters."""
    return ViT("vit_small", dim=384, depth=12, num_heads=6, image_size=image_size, output_stride=output_stride)
