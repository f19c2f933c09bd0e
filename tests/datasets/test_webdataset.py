"""Tar shards written by hand: ranges, samples, keys, and the two tasks."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaputils.datasets import DataUnavailable, load


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (value,) * 3).save(out, "PNG")
    return out.getvalue()


def shard(path: Path, *members: tuple[str, bytes | str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            content = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_range_is_read_in_its_order_and_must_be_whole(tmp_path: Path) -> None:
    for number in (8, 9, 10):
        shard(tmp_path / f"s-{number:02d}.tar", ("a.png", png(number)), ("a.txt", f"{number}"))
    data = load("webdataset", tmp_path / "s-{08..10}.tar")
    assert data.captions == ["8", "9", "10"]
    assert [int(np.asarray(data.images[i])[0, 0, 0]) for i in (2, 0, 1)] == [10, 8, 9]
    assert data.info["shards"] == ["s-08.tar", "s-09.tar", "s-10.tar"]
    with pytest.raises(DataUnavailable, match=r"s-11\.tar"):
        load("webdataset", tmp_path / "s-{09..12}.tar")


def test_a_sample_is_what_shares_folder_and_name_up_to_the_first_dot(tmp_path: Path) -> None:
    file = shard(
        tmp_path / "s.tar",
        ("x/a.png", png(1)),
        ("x/a.seg.png", b"another picture, which is not read"),
        ("x/a.json", json.dumps({"caption": ["one", "two"], "url": "u"})),
        ("y/a.PNG", png(2)),
        ("y/a.txt", "three\r\n\n"),
    )
    data = load("webdataset", file)
    assert data.captions == ["one", "two", "three"]
    assert data.caption_image.tolist() == [0, 0, 1]
    assert data.images.name(1) == "s.tar: y/a"


def test_the_task_is_that_of_the_files_unless_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "classnames.txt").write_text("ant\nbee\n\n")
    file = shard(tmp_path / "s.tar", ("a.png", png(1)), ("a.cls", " 1\n"), ("a.txt", "a bee"))
    classes, captions = (load("webdataset", file, task=task) for task in ("auto", "captions"))
    assert classes.class_names == ["ant", "bee"]
    assert classes.targets.tolist() == [1]
    assert classes.templates == ("a photo of a {}.",)
    assert captions.captions == ["a bee"]
    with pytest.raises(ValueError, match="captions_per_image: these are classes"):
        load("webdataset", file, captions_per_image=1)
    with pytest.raises(ValueError, match="task"):
        load("webdataset", file, task="boxes")


def test_classes_of_some_samples_are_never_passed_over(tmp_path: Path) -> None:
    (tmp_path / "classnames.txt").write_text("ant\nbee")
    members = [("a.png", png(1)), ("a.txt", "a bee"), ("b.png", png(2)), ("b.cls", "1")]
    for given in (members, members[2:] + members[:2]):
        file = shard(tmp_path / "s.tar", *given)
        with pytest.raises(ValueError, match=r"s\.tar: the sample 'a' has no \.cls, .*task"):
            load("webdataset", file)
        data = load("webdataset", file, skip_broken=True)
        assert data.targets.tolist() == [1]
        assert data.info["left_out"] == ["s.tar: a"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n \n\n"])
@pytest.mark.parametrize(("text", "line"), [("ant\n\nbee", 2), ("\nant\nbee", 1), ("", 1)])
def test_a_line_without_a_class_name_is_named(
    tmp_path: Path, text: str, line: int, end: str
) -> None:
    file = shard(tmp_path / "s.tar", ("a.png", png(1)), ("a.cls", "1"))
    (tmp_path / "classnames.txt").write_text(text + end)
    with pytest.raises(ValueError, match=rf"classnames\.txt: line {line}: expected a class name"):
        load("webdataset", file)
    (tmp_path / "classnames.txt").write_text("ant\nbee" + end)
    assert load("webdataset", file).class_names == ["ant", "bee"]


def test_a_template_without_a_place_names_its_file(tmp_path: Path) -> None:
    file = shard(tmp_path / "s.tar", ("a.png", png(1)), ("a.cls", "0"))
    (tmp_path / "classnames.txt").write_text("ant")
    (tmp_path / "zeroshot_classification_templates.txt").write_text("a {c}\n\nthe class\n")
    with pytest.raises(ValueError, match=r"templates\.txt: expected exactly one .*'the class'"):
        load("webdataset", file)


@pytest.mark.parametrize("root", ["s-0.tar", "s-{0..0}.tar"])
def test_of_shards_that_are_named_a_split_is_but_what_they_are_called(
    tmp_path: Path, root: str
) -> None:
    shard(tmp_path / "s-0.tar", ("a.png", png(1)), ("a.txt", "one"))
    data = load("webdataset", tmp_path / root, "mine")
    assert (data.captions, data.split) == (["one"], "mine")


@pytest.mark.parametrize("text", ["2", "-1", "", "1.0", "bee", "9" * 400])
def test_a_class_that_is_none_names_shard_and_sample(tmp_path: Path, text: str) -> None:
    (tmp_path / "classnames.txt").write_text("ant\nbee\n")
    file = shard(tmp_path / "s.tar", ("a.png", png(1)), ("a.cls", text))
    with pytest.raises(ValueError, match=r"s\.tar: the sample 'a': expected a class in \[0, 2\)"):
        load("webdataset", file)


def test_samples_that_lack_something_are_left_out_by_name_if_asked(tmp_path: Path) -> None:
    members = [("a.png", png(1)), ("b.txt", "b"), ("c.png", png(3)), ("c.txt", "c")]
    file = shard(tmp_path / "s.tar", *members)
    with pytest.raises(ValueError, match="the sample 'a' has no caption"):
        load("webdataset", file)
    data = load("webdataset", file, skip_broken=True)
    assert data.captions == ["c"]
    assert data.info["left_out"] == ["s.tar: a", "s.tar: b"]
    alone = shard(tmp_path / "t.tar", *members[:2])
    with pytest.raises(ValueError, match="no sample has both an image and a text"):
        load("webdataset", alone, skip_broken=True)


SAMPLE = (("a.png", png(1)), ("a.txt", "one"), ("b.png", png(2)), ("b.txt", "two"))


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_a_sample_of_links_is_never_passed_over(tmp_path: Path, kind: bytes) -> None:
    shard(tmp_path / "s.tar", *SAMPLE)
    with tarfile.open(tmp_path / "s.tar", "a") as archive:
        for ending in ("png", "txt"):
            info = tarfile.TarInfo(f"c.{ending}")
            info.type, info.linkname = kind, f"a.{ending}"
            archive.addfile(info)
    with pytest.raises(ValueError, match=r"s\.tar .*member 'c\.png': it is a link"):
        load("webdataset", tmp_path)


def test_members_after_a_damaged_one_are_never_passed_over(tmp_path: Path) -> None:
    """`tarfile` itself takes a header that is damaged, or lacks, for the end."""
    whole = shard(tmp_path / "s.tar", *SAMPLE).read_bytes()
    starts = [at for at in range(0, len(whole), 512) if whole[at : at + 2] in (b"a.", b"b.")]
    spoilt = bytearray(whole)
    spoilt[starts[2]] ^= 1
    for content in (spoilt, whole[: starts[2]], whole + whole, whole[:-1] + b"x"):
        (tmp_path / "s.tar").write_bytes(content)
        with pytest.raises(ValueError, match=r"s\.tar .*byte \d+: its members end here"):
            load("webdataset", tmp_path)


@pytest.mark.parametrize("name", ["t.tar.gz", "t.TGZ", "t.tar.zst"])
def test_a_compressed_shard_beside_others_is_not_passed_over(tmp_path: Path, name: str) -> None:
    shard(tmp_path / "s.tar", *SAMPLE)
    (tmp_path / name).write_bytes(b"\x1f\x8b" + bytes(600))
    with pytest.raises(ValueError, match=f"{name} is not a whole, uncompressed tar file"):
        load("webdataset", tmp_path)
    (tmp_path / name).unlink()
    shard(tmp_path / "T.TAR", *SAMPLE)
    assert len(load("webdataset", tmp_path)) == 4
