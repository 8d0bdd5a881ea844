"""`read_image`: every ordinary kind of picture comes out as RGB, and what cannot be read says why."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from deeplab_teach.datasets import images, read_image


def encode(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pixels(tensor):
    """(3, H, W) tensor to an (H, W, 3) integer array."""
    assert type(tensor) is tv_tensors.Image and tensor.dtype == torch.uint8 and tensor.is_contiguous()
    return tensor.permute(1, 2, 0).numpy().astype(int)


@pytest.fixture
def scene():
    """40 x 30 pixels: the left half red, the right half blue, the upper left corner white."""
    array = np.zeros((30, 40, 3), dtype=np.uint8)
    array[:, :20] = 200, 10, 20
    array[:, 20:] = 30, 40, 220
    array[:10, :10] = 255
    return array


def test_every_kind_of_source_gives_the_same_image(scene, tmp_path):
    data = encode(Image.fromarray(scene))
    path = tmp_path / "söme picture.png"
    path.write_bytes(data)
    with open(path, "rb") as file:
        for source in (path, str(path), data, bytearray(data), io.BytesIO(data), file, Image.fromarray(scene), scene):
            assert np.array_equal(pixels(read_image(source)), scene), type(source)


def test_the_result_is_a_copy(scene):
    read_image(scene)[:] = 0
    assert scene.any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(scene, orientation):
    """A camera stores the picture turned, with a note of how; what is read must stand upright."""
    undo = {  # how the camera turned it: the inverse of what the note tells the reader to do
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](scene)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(pixels(read_image(encode(stored, "PNG", exif=exif))), scene)
    jpeg = pixels(read_image(encode(stored, "JPEG", exif=exif, quality=95, subsampling=0)))
    assert jpeg.shape == scene.shape and np.abs(jpeg - scene).mean() < 4


def test_greyscale_becomes_three_equal_channels():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for source in (encode(Image.fromarray(grey)), grey, grey[:, :, None]):
        assert np.array_equal(pixels(read_image(source)), np.stack([grey] * 3, axis=2))


def test_16_bit_is_scaled_and_not_clipped():
    wide = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    for source in (encode(Image.fromarray(wide)), encode(Image.fromarray(wide), "TIFF"), wide):
        result = pixels(read_image(source))
        assert result.min() == 0 and result.max() == 255
        assert np.abs(result[:, :, 0] - wide / 257).max() <= 1
    dark = (wide // 300).astype(np.uint16)  # no value above 255: still 16 bit, so nearly black
    assert pixels(read_image(encode(Image.fromarray(dark)))).max() <= 1
    assert pixels(read_image(dark)).max() <= 1


def test_alpha_goes_on_white(scene):
    alpha = np.full((30, 40, 1), 255, dtype=np.uint8)
    alpha[20:] = 0
    alpha[10:20, 20:] = 128
    rgba = np.concatenate([scene, alpha], axis=2)
    for source in (encode(Image.fromarray(rgba)), rgba, Image.fromarray(rgba)):
        result = pixels(read_image(source))
        assert (result[20:] == 255).all() and np.array_equal(result[:10], scene[:10])
        assert np.abs(result[15, 30] - (scene[15, 30] + 255.0) / 2).max() <= 2


def test_grey_with_alpha_and_transparent_palette():
    grey_alpha = Image.merge("LA", [Image.new("L", (8, 8), 100), Image.new("L", (8, 8), 0)])
    assert (pixels(read_image(encode(grey_alpha))) == 255).all()
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 250, 5, 5])
    palette.paste(0, (0, 0, 4, 8))
    result = pixels(read_image(encode(palette, "PNG", transparency=0)))
    assert (result[:, :4] == 255).all() and (result[:, 4:] == (250, 5, 5)).all()


def test_palette_one_bit_and_cmyk(scene):
    palette = Image.fromarray(scene).quantize(16)
    assert np.abs(pixels(read_image(encode(palette, "GIF"))) - scene).max() <= 4
    one_bit = Image.fromarray(scene[:, :, 0] > 100)
    assert set(np.unique(pixels(read_image(encode(one_bit))))) == {0, 255}
    assert set(np.unique(pixels(read_image(scene[:, :, 0] > 100)))) == {0, 255}
    cmyk = Image.fromarray(scene).convert("CMYK")
    assert np.abs(pixels(read_image(encode(cmyk, "TIFF"))) - scene).max() <= 2
    assert np.abs(pixels(read_image(encode(cmyk, "JPEG", quality=95))) - scene).mean() < 8


def test_float_arrays(scene):
    assert np.array_equal(pixels(read_image(scene / 255.0)), scene)
    for bad in (scene.astype(float), scene / 255.0 - 0.5, np.full((4, 4), np.nan)):
        with pytest.raises(ValueError, match="between 0 and 1; got"):
            read_image(bad)


def test_max_side_shrinks_and_keeps_the_shape(scene):
    large = Image.fromarray(scene).resize((1600, 1200))
    for source in (encode(large, "JPEG"), encode(large), large, np.asarray(large)):
        result = pixels(read_image(source, max_side=200))
        assert result.shape == (150, 200, 3)
        assert np.abs(result[100, 50] - scene[20, 10]).max() < 8 and np.abs(result[100, 150] - scene[20, 30]).max() < 8
    assert large.size == (1600, 1200), "the caller's picture must not change"
    assert pixels(read_image(scene, max_side=500)).shape == scene.shape, "never enlarges"
    turned = Image.Exif()
    turned[0x0112] = 6
    assert read_image(encode(large, "JPEG", exif=turned), max_side=200).shape == (3, 200, 150)
    for bad in (0, -5, 2.5):
        with pytest.raises(ValueError, match="max_side must be.*got"):
            read_image(scene, max_side=bad)


def test_a_huge_jpeg_is_decoded_small_and_other_huge_pictures_are_refused(scene, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100_000)
    large = Image.fromarray(scene).resize((1600, 1200))
    with pytest.raises(ValueError, match="1600 x 1200 pixels.*max_side"):
        read_image(encode(large, "JPEG"))
    assert read_image(encode(large, "JPEG"), max_side=100).shape == (3, 75, 100)
    for source in (encode(large), large):
        with pytest.raises(ValueError, match="too large"):
            read_image(source, max_side=100)


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    """A file of a few bytes whose header promises 60000 x 60000 pixels."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match="too large"):
        read_image(bomb)


def test_damaged_files_say_so(scene, tmp_path):
    large = Image.fromarray(scene).resize((400, 300))
    for kind in ("JPEG", "PNG"):
        data = encode(large, kind)
        path = tmp_path / f"cut.{kind.lower()}"
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(ValueError, match=r"cut\..*(damaged|cut short)"):
            read_image(path)
    with pytest.raises(ValueError, match="not an image.*JPEG, PNG.*error page"):
        read_image(b"<html>404</html>")
    with pytest.raises(ValueError, match="not an image"):
        read_image(b"")
    with pytest.raises(ValueError, match="(?i)binary"):
        read_image(io.StringIO("text"))


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.jpg.*nothing"):
        read_image(tmp_path / "nowhere.jpg")
    with pytest.raises(FileNotFoundError, match="a folder"):
        read_image(tmp_path)


def test_arrays_and_things_that_are_not_pictures(scene):
    with pytest.raises(ValueError, match=r"\(H, W, 3\).*got shape \(3, 30, 40\).*transpose"):
        read_image(np.ascontiguousarray(scene.transpose(2, 0, 1)))
    with pytest.raises(ValueError, match="got shape"):
        read_image(np.zeros((2, 3, 4, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="got shape"):
        read_image(np.zeros((0, 4, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="got int64"):
        read_image(scene.astype(np.int64))
    for thing in (None, 3, torch.zeros(3, 4, 4)):
        with pytest.raises(ValueError, match="source must be a path.*got"):
            read_image(thing)
