"""Images of every depth, the right way up, from the user's files alone, in every kind of source."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gaputils import datasets
from gaputils._reading import UnreadableFile
from gaputils.datasets._parquet import ParquetImages
from gaputils.datasets._sources import ImageFiles, decode
from gaputils.datasets.webdataset import TarImages

RAMP = np.tile(np.linspace(0, 1, 256), (4, 1))


def _bytes(values: np.ndarray, form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, form)
    return file.getvalue()


def _tiff(values: np.ndarray, kind: int, photometric: int = 1) -> bytes:
    """A TIFF of one strip whose tags say what its samples are and what is white."""
    height, width = values.shape
    bits, size = 8 * values.itemsize, values.nbytes
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 134, 277: 1,
            278: height, 279: size, 339: kind}  # fmt: skip
    packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + packed + struct.pack("<I", 0)
    return head + values.tobytes()


def _opened(content: bytes, source: str, folder: Path) -> Image.Image:
    """The image with `content`, by the reader of `source`."""
    file = folder / "image"
    if source == "file":
        file.write_bytes(content)
        return ImageFiles([file])[0]
    if source == "tar":
        file.write_bytes(b"before" + content)
        return TarImages([(file, 6, len(content))])[0]
    pq.write_table(pa.table({"image": [{"bytes": content}]}), file)
    return ParquetImages([file], "image")[0]


def _scaled(top: float, dtype: str) -> np.ndarray:
    values = RAMP * top
    return (values if dtype[0] == "f" else values.round()).astype(dtype)


TWIN = (RAMP * 255).round()
DEEP = {
    "16-bit PNG": _bytes(_scaled(65535, "u2"), "PNG"),
    "16-bit TIFF": _bytes(_scaled(65535, "u2"), "TIFF"),
    "16-bit big-endian": b"P5 256 4 65535\n" + _scaled(65535, ">u2").tobytes(),
    "14 bits of 16": _bytes(_scaled(2**14 - 1, "u2"), "PNG"),
    "12 bits of 16": _bytes(_scaled(4095, "u2"), "PNG"),
    "8 bits of 16": _bytes(_scaled(255, "u2"), "PNG"),
    "32-bit integers": _bytes(_scaled(2**31 - 1, "i4"), "TIFF"),
    "16 bits of 32": _bytes(_scaled(65535, "i4"), "TIFF"),
    "signed integers": _bytes(_scaled(2000, "i4") - 1000, "TIFF"),
    "floats": _bytes(_scaled(1, "f4"), "TIFF"),
    "floats to 255": _bytes(_scaled(255, "f4"), "TIFF"),
    "32 bits without a sign": _tiff(_scaled(2**32 - 1, "u4"), 1),
    "8 bits with a sign": _tiff((_scaled(254, "i2") - 127).astype("i1"), 2),
    "16 bits, the least is white": _tiff(_scaled(65535, "u2")[:, ::-1].copy(), 1, 0),
    "floats, the least is white": _tiff(_scaled(1, "f4")[:, ::-1].copy(), 3, 0),
    "signed floats": _bytes(_scaled(2, "f4") - 1, "TIFF"),
}


@pytest.mark.parametrize("source", ["file", "tar", "parquet"])
@pytest.mark.parametrize("kind", DEEP)
def test_deep_images_look_like_their_twin_of_8_bits(tmp_path: Path, kind: str, source) -> None:
    image = _opened(DEEP[kind], source, tmp_path)
    assert image.mode == "RGB"
    found = np.asarray(image).astype(float)
    np.testing.assert_allclose(found, np.repeat(TWIN[:, :, None], 3, axis=2), atol=1)
    assert found.mean() == pytest.approx(127.5, abs=1)


def test_two_dark_scans_stay_apart() -> None:
    first, second = (
        np.asarray(decode(io.BytesIO(_bytes(_scaled(top, "u2"), "PNG")), "x")).astype(float)
        for top in (20_000, 60_000)
    )
    assert abs(first - second).mean() > 40


@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0, 7.0])
def test_an_image_without_a_range_is_refused_by_name(tmp_path: Path, value: float) -> None:
    (tmp_path / "flat.tif").write_bytes(_bytes(np.full((4, 4), value, "f4"), "TIFF"))
    with pytest.raises(ValueError, match=r"flat\.tif: its numbers go from .*save it with 8 bits"):
        ImageFiles([tmp_path / "flat.tif"])[0]


def test_black_and_white_stay_so() -> None:
    for values, wanted in ((np.zeros((3, 3), "u2"), 0), (np.full((3, 3), 65535, "u2"), 255)):
        assert (np.asarray(decode(io.BytesIO(_bytes(values, "PNG")), "x")) == wanted).all()
    ones = np.ones((3, 3), "f4")
    assert (np.asarray(decode(io.BytesIO(_bytes(ones, "TIFF")), "x")) == 255).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "RGB"])
def test_images_of_8_bits_are_converted_as_before(mode: str) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (6, 5, 3), np.uint8)).convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF" if mode == "CMYK" else "PNG")
    found = np.asarray(decode(io.BytesIO(file.getvalue()), "x"))
    np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")))


TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("source", ["file", "tar", "parquet"])
@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_photos_stand_upright(tmp_path: Path, source: str, orientation: int, form: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    file = io.BytesIO()
    options = {"lossless": True} if form == "WEBP" else {}
    Image.fromarray(values).save(file, form, exif=exif, **options)
    found = np.asarray(_opened(file.getvalue(), source, tmp_path))
    np.testing.assert_array_equal(found, TURNS[orientation](values))


def test_a_deep_scan_is_turned_too() -> None:
    values = _scaled(65535, "u2")
    exif = Image.Exif()
    exif[274] = 6
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", exif=exif)
    assert decode(io.BytesIO(file.getvalue()), "x").size == (4, 256)


@pytest.mark.parametrize("source", ["file", "tar"])
def test_a_png_with_a_changed_pixel_is_refused(tmp_path: Path, source: str) -> None:
    """Pillow itself draws it, with the wrong pixels."""
    file = io.BytesIO()
    Image.fromarray(_scaled(255, "u1")).save(file, "PNG", compress_level=0)
    spoilt = bytearray(file.getvalue())
    spoilt[len(spoilt) // 2] ^= 1
    with pytest.raises(ValueError, match="broken PNG file"):
        _opened(bytes(spoilt), source, tmp_path)


STRANGERS = [
    ".ipynb_checkpoints/cat-checkpoint.png",
    "cat/.ipynb_checkpoints/0-checkpoint.png",
    "__MACOSX/cat/0.png",
    "cat/._0.png",
    ".hidden.png",
    ".DS_Store",
    "Thumbs.db",
    "cat/desktop.ini",
    "@eaDir/0.png/thumb.jpg",
    ".git/objects/0.png",
]


def _folder(root: Path, strangers: list[str]) -> Path:
    for name in ("cat/0.png", "cat/1.png", "dog/0.png", *strangers):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), (len(name),) * 3).save(path, "PNG")
        if path.name.startswith("._"):
            path.write_bytes(b"\x00\x05\x16\x07")
    return root


@pytest.mark.parametrize("stranger", STRANGERS)
def test_what_a_system_keeps_in_a_folder_is_neither_image_nor_class(
    tmp_path: Path, stranger: str
) -> None:
    data = datasets.load("imagefolder", _folder(tmp_path / ".data", [stranger]))
    assert list(data.class_names) == ["cat", "dog"]
    assert data.targets.tolist() == [0, 0, 1]
    assert [data.images[i].size for i in range(len(data.images))] == [(2, 2)] * 3


def test_captions_and_metadata_of_hidden_copies_are_left_out(tmp_path: Path) -> None:
    _folder(tmp_path, ["cat/.ipynb_checkpoints/9.png", "__MACOSX/0.png"])
    for path in tmp_path.rglob("*.png"):
        path.with_suffix(".txt").write_text(f"a {path.parent.name}")
    assert list(datasets.load("imagefolder", tmp_path).captions) == ["a cat", "a cat", "a dog"]
    (tmp_path / "metadata.csv").write_text("file_name,text\ncat/0.png,one\n")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "metadata.csv").write_text("file_name,text\n9.png,two\n")
    assert list(datasets.load("imagefolder", tmp_path).captions) == ["one"]


def test_hidden_members_and_shards_are_left_out(tmp_path: Path) -> None:
    picture = _bytes(np.zeros((2, 2, 3), np.uint8), "PNG")
    (tmp_path / "._part.tar").write_bytes(b"\x00\x05\x16\x07")
    with tarfile.open(tmp_path / "part.tar", "w") as archive:
        for name, content in (
            ("./._a.png", b"\x00\x05"),
            ("./a.png", picture),
            ("./a.txt", b"a square"),
            ("__MACOSX/._a.txt", b"\x00"),
            ("./.ipynb_checkpoints/b.png", picture),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = datasets.load("webdataset", tmp_path)
    assert list(data.captions) == ["a square"]
    assert data.images[0].size == (2, 2)


@pytest.mark.parametrize("source", ["file", "tar", "parquet"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_an_image_beyond_all_measure_is_refused_by_name(
    tmp_path: Path, form: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(UnreadableFile, match=r"image.* is not .*exceeds limit") as told:
        _opened(_bytes(TWIN.astype("u1"), form), source, tmp_path)
    assert "skip_broken=True" in str(told.value)
