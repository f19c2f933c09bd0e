"""Images that cannot be read: one line with the name, or left out by name, whoever read them."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import gaputils as gu
from gaputils._reading import UnreadableFile
from gaputils.cli.commands import app
from gaputils.datasets.base import CaptionDataset, ChoiceDataset

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (90, 90, 90)]


@pytest.fixture(scope="module")
def model() -> gu.Model:
    return gu.load_model("tiny-openmoji", step=0, device="cpu")


def encoded(colour: tuple[int, int, int]) -> bytes:
    """A picture with something to decode."""
    image = Image.effect_noise((48, 40), 60).convert("RGB")
    image.paste(colour, (8, 8, 40, 32))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def bomb() -> bytes:
    """A small file that declares 200 megapixels."""
    buffer = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(buffer, "PNG")
    return buffer.getvalue()


BROKEN = {
    "cut": lambda: encoded(COLOURS[0])[:700],
    "bomb": bomb,
    "no image": lambda: b"<html>not found</html>",
    "empty": lambda: b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes; the second and fourth of five images are broken."""
    for number, colour in enumerate(COLOURS):
        place = tmp_path / "images" / ("a" if number < 3 else "b")
        place.mkdir(parents=True, exist_ok=True)
        content = BROKEN["cut"]() if number in (1, 3) else encoded(colour)
        (place / f"{number}.png").write_bytes(content)
    return tmp_path / "images"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", BROKEN)
def test_the_name_in_one_line_whoever_read_it(
    folder: Path, model: gu.Model, kind: str, workers: int
) -> None:
    if workers and kind not in ("cut", "bomb"):
        pytest.skip("told apart without workers")
    (folder / "a" / "1.png").write_bytes(BROKEN[kind]())
    data = gu.datasets.load("imagefolder", folder)
    with pytest.raises(
        UnreadableFile, match=r"1\.png is not a whole image.*--skip-broken"
    ) as caught:
        gu.embed(model, data, batch_size=2, workers=workers)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_missing_image_keeps_its_kind_of_error(
    folder: Path, model: gu.Model, workers: int
) -> None:
    data = gu.datasets.load("imagefolder", folder)
    (folder / "a" / "0.png").unlink()
    with pytest.raises(gu.datasets.DataUnavailable, match=r"there is no file .*0\.png$"):
        gu.embed(model, data, batch_size=2, workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_left_out_of_classes_with_their_labels(folder: Path, model: gu.Model, workers: int) -> None:
    data = gu.datasets.load("imagefolder", folder)
    whole = torch.cat([model.encode_images([data.images[i]]) for i in (0, 2, 4)])
    e = gu.embed(model, data, batch_size=2, workers=workers, skip_broken=True)
    torch.testing.assert_close(e.queries, whole, atol=1e-5, rtol=0)
    assert e.targets.tolist() == [0, 0, 1]
    assert e.info["dataset_left_out"] == ["a/1.png", "b/3.png"]
    assert len(e.gallery) == 2


def test_left_out_where_templates_are_handed_over_once(folder: Path, model: gu.Model) -> None:
    data: Any = gu.datasets.load("imagefolder", folder)
    templates = ["a {}", "the {}"]
    once = gu.embed(model, data, templates=iter(templates), skip_broken=True)
    expected = gu.embed(model, data, templates=templates, skip_broken=True)
    assert torch.equal(once.gallery, expected.gallery)
    assert once.info["templates"] == templates


def test_left_out_of_captions_and_questions_with_all_that_is_theirs(
    folder: Path, model: gu.Model
) -> None:
    images = gu.datasets.load("imagefolder", folder).images
    owners = torch.tensor([0, 0, 1, 2, 3, 4, 4])
    data: Any = CaptionDataset("c", images, list("abcdefg"), owners)
    e = gu.embed(model, data, skip_broken=True)
    assert e.info["caption_image"] == [0, 0, 1, 2, 2]
    assert e.targets.tolist() == [0, 2, 3]
    expected = model.encode_texts(list("abdfg"))
    torch.testing.assert_close(e.gallery, expected, atol=1e-5, rtol=0)
    options = [[f"x{i}", f"y{i}"] for i in range(5)]
    data = ChoiceDataset("q", images, list("abcde"), options, torch.tensor([0, 1, 1, 0, 1]))
    e = gu.embed(model, data, skip_broken=True)
    assert e.targets.tolist() == [0, 3, 5]
    expected = model.encode_texts(["a x0", "a y0", "c x2", "c y2", "e x4", "e y4"])
    torch.testing.assert_close(e.gallery, expected, atol=1e-5, rtol=0)


def test_whole_data_sets_are_as_without(model: gu.Model, folder: Path) -> None:
    for name in ("a/1.png", "b/3.png"):
        (folder / name).write_bytes(encoded(COLOURS[1]))
    data = gu.datasets.load("imagefolder", folder)
    skipped, plain = gu.embed(model, data, skip_broken=True), gu.embed(model, data)
    assert torch.equal(skipped.queries, plain.queries)
    assert skipped.info == plain.info


def test_nothing_whole_is_an_error(model: gu.Model, folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    data = gu.datasets.load("imagefolder", folder)
    with pytest.raises(ValueError, match="dataset: none of the 5 images of 'imagefolder' is whole"):
        gu.embed(model, data, skip_broken=True)


def test_a_folder_of_shards_names_them_and_goes_on(
    model: gu.Model, folder: Path, tmp_path: Path
) -> None:
    data = gu.datasets.load("imagefolder", folder)
    out = tmp_path / "out"
    gu.embed_to_folder(model, data, out, shard_size=2, batch_size=2, skip_broken=True)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["dataset_info"]["left_out"] == ["a/1.png", "b/3.png"]
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "queries-00001.safetensors").unlink()
    gu.embed_to_folder(model, data, out, shard_size=2, batch_size=2, skip_broken=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    e, expected = gu.load_folder(out), gu.embed(model, data, batch_size=2, skip_broken=True)
    torch.testing.assert_close(e.queries, expected.queries, atol=1e-5, rtol=0)
    assert torch.equal(e.targets, expected.targets)
    assert e.info == expected.info
    with pytest.raises(UnreadableFile, match=r"1\.png is not a whole image"):
        gu.embed_to_folder(model, data, tmp_path / "other", workers=2)


def shard(path: Path, samples: dict[str, tuple[bytes | None, str | None]]) -> None:
    with tarfile.open(path, "w") as archive:
        for key, (image, caption) in samples.items():
            for ending, content in (("png", image), ("txt", caption)):
                if content is not None:
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    packed = content.encode() if isinstance(content, str) else content
                    member.size = len(packed)
                    archive.addfile(member, io.BytesIO(packed))


@pytest.mark.parametrize("caption", ["", " \n ", "\n\n"])
def test_an_empty_caption_in_a_shard_names_shard_and_key(tmp_path: Path, caption: str) -> None:
    one = encoded(COLOURS[0])
    shard(tmp_path / "part-000.tar", {"0": (one, "a"), "cat_17": (one, caption), "2": (one, "c")})
    with pytest.raises(ValueError, match=r"part-000\.tar: cat_17: .*no or empty captions"):
        gu.datasets.load("webdataset", tmp_path)
    data = gu.datasets.load("webdataset", tmp_path, skip_broken=True)
    assert data.captions == ["a", "c"]
    assert data.caption_image.tolist() == [0, 1]
    assert data.info["left_out"] == ["part-000.tar: cat_17"]
    shard(tmp_path / "part-000.tar", {"0": (one, caption), "1": (one, caption)})
    with pytest.raises(ValueError, match=r"part-000\.tar: 0: .*no or empty captions"):
        gu.datasets.load("webdataset", tmp_path, skip_broken=True)


def test_samples_without_image_or_text_are_left_out_too(tmp_path: Path, model: gu.Model) -> None:
    one = encoded(COLOURS[0])
    samples = {"0": (one, "a"), "1": (None, "b"), "2": (one, None), "3": (one[:600], "d")}
    shard(tmp_path / "part-000.tar", samples)
    with pytest.raises(ValueError, match="the sample '1' has no image"):
        gu.datasets.load("webdataset", tmp_path)
    data = gu.datasets.load("webdataset", tmp_path, skip_broken=True)
    e = gu.embed(model, data, skip_broken=True)
    assert e.info["dataset_left_out"] == [f"part-000.tar: {key}" for key in (1, 2, 3)]
    assert len(e.queries) == len(e.gallery) == 1


def test_a_key_twice_and_one_broken_is_the_same_run_again(model: gu.Model, tmp_path: Path) -> None:
    """As `tar -r` makes of a sample that is packed once more."""
    whole, cut = encoded(COLOURS[0]), encoded(COLOURS[1])[:700]
    place = tmp_path / "part-000.tar"
    shard(place, {"a": (whole, "a"), "b": (cut, "b"), "c": (whole, "c")})
    with tarfile.open(place, "a") as archive:
        for name, content in (("b.png", whole), ("b.txt", b"again")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    out = tmp_path / "out"
    for _ in range(2):
        data = gu.datasets.load("webdataset", place)
        gu.embed_to_folder(model, data, out, skip_broken=True)
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["dataset_info"]["left_out"] == ["part-000.tar: b (place 1)"]
        assert manifest["rows"] == {"queries": 3, "gallery": 3}


@pytest.mark.parametrize("out", ["e.safetensors", "shards"])
def test_on_the_command_line(folder: Path, tmp_path: Path, out: str) -> None:
    command = ["embed", "tiny-openmoji", "imagefolder", "--root", str(folder), "-o"]
    command += [str(tmp_path / out), "--workers", "2"]
    failed = CliRunner().invoke(app, command)
    assert failed.exit_code == 1
    assert failed.stderr.count("\n") == 1
    assert "1.png is not a whole image" in failed.stderr
    if out == "shards":
        other = CliRunner().invoke(app, [*command, "--skip-broken"])
        assert "holds the embeddings of another run" in other.stderr
        assert "dataset_info.left_out: None, now ['a/1.png', 'b/3.png']" in other.stderr
        shutil.rmtree(tmp_path / out)
    done = CliRunner().invoke(app, [*command, "--skip-broken"])
    assert done.exit_code == 0, done.stderr
    assert "3 queries" in done.stdout
    assert "left out 2 images: a/1.png, b/3.png" in done.stdout
