"""deeplab_teach: backbones, heads, and the one contract between them.

Start with `deeplab_teach.features`, which states the contract. `deeplab_teach.backbones` and `deeplab_teach.heads` obey
it, and `deeplab_teach.models` is the only place where the two meet. The lessons in `notebooks/` build each by hand.
"""

__version__ = "0.1.0"
