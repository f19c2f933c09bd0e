"""Embedding into shards: what a kill, several processes, a full disk and bad files do to it."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from PIL import Image
from safetensors.torch import load_file, save_file

import gaputils as gu
from gaputils._files import read_safetensors, write_safetensors
from gaputils.datasets import CaptionDataset, ChoiceDataset

SIZES = {"shard_size": 8, "batch_size": 4}
FORK = multiprocessing.get_context("fork")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model():
    return gu.load_model("tiny-openmoji", step=0, device="cpu")


@pytest.fixture(scope="module")
def data():
    return gu.datasets.load("emoji10", copies=4)


@pytest.fixture(scope="module")
def finished(model, data, tmp_path_factory):
    """A folder that nothing interrupted; tests copy it before they harm it."""
    return gu.embed_to_folder(model, data, tmp_path_factory.mktemp("whole") / "e", **SIZES)


@pytest.fixture
def folder(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "e"))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_holds_what_embed_returns(finished, model, data):
    e, expected = gu.load_folder(finished), gu.embed(model, data, batch_size=4)
    assert torch.equal(e.queries, expected.queries)
    torch.testing.assert_close(e.gallery, expected.gallery, rtol=1e-4, atol=1e-5)
    assert torch.equal(e.targets, expected.targets)
    assert e.info == expected.info


def test_the_manifest_says_what_was_embedded(finished, data):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["model"] == "tiny-openmoji"
    assert manifest["tag"] is None
    assert manifest["dataset"] == "emoji10"
    assert manifest["split"] == "test"
    assert manifest["templates"] == list(data.templates)
    assert manifest["precision"] == "float32"
    assert manifest["versions"]["torch"] == torch.__version__.split("+")[0]
    assert manifest["complete"] is True
    assert [s["stop"] - s["start"] for s in manifest["shards"]] == [8, 2, 8, 8, 8, 8, 8]
    assert {s["file"] for s in manifest["shards"]} == set(content(finished)) - {"manifest.json"}


def test_again_changes_nothing_and_embeds_nothing(folder, model, data, monkeypatch):
    before = content(folder)
    stamps = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(type(model), "encode_images", None)
    gu.embed_to_folder(model, data, folder, **SIZES)
    assert content(folder) == before
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps


def test_a_shard_that_was_deleted_is_made_again_with_the_same_bytes(folder, model, data):
    before = content(folder)
    (folder / "queries-00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="queries-00002"):
        gu.load_folder(folder)
    gu.embed_to_folder(model, data, folder, **SIZES)
    assert content(folder) == before


def embed_slowly(model, data, target):
    encode = type(model).encode_images

    def slow(self, images):
        time.sleep(0.1)
        return encode(self, images)

    type(model).encode_images = slow
    gu.embed_to_folder(model, data, target, **SIZES)


def test_killed_and_started_again_ends_with_the_same_bytes(finished, model, data, tmp_path):
    target = tmp_path / "e"
    process = FORK.Process(target=embed_slowly, args=(model, data, target))
    process.start()
    deadline = time.monotonic() + 120
    while not (target / "queries-00001.safetensors").exists():
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    whole = sorted(path.name for path in target.glob("[!.]*.safetensors"))
    assert 4 <= len(whole) < 7
    assert json.loads((target / "manifest.json").read_text())["complete"] is False
    with pytest.raises(ValueError, match=rf"not finished, {len(whole)} of 7 shards"):
        gu.load_folder(target)
    stamps = {name: (target / name).stat().st_mtime_ns for name in whole}
    gu.embed_to_folder(model, data, target, **SIZES)
    assert {name: (target / name).stat().st_mtime_ns for name in whole} == stamps
    assert content(target) == content(finished)


@pytest.mark.parametrize("workers", [0, 2])
def test_images_read_one_by_one_are_the_same_embeddings(finished, model, data, tmp_path, workers):
    class OneByOne:
        def __len__(self):
            return 40

        def __getitem__(self, index):
            return data.images[index]

    apart = replace(data, images=OneByOne())
    target = gu.embed_to_folder(model, apart, tmp_path / "e", workers=workers, **SIZES)
    (target / "queries-00001.safetensors").unlink()
    (target / "queries-00004.safetensors").unlink()
    gu.embed_to_folder(model, apart, target, workers=workers, **SIZES)
    expected = gu.load_folder(finished).queries
    torch.testing.assert_close(gu.load_folder(target).queries, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("left", ["manifest.json", "queries-00000.safetensors"])
def test_what_a_kill_left_half_written_is_cleared_away(folder, model, data, left):
    before = content(folder)
    (folder / left).replace(folder / f".{left}.abc123.part")
    if left == "manifest.json":
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / f".{left}.abc123.part").write_bytes(before[left][:100])
    gu.embed_to_folder(model, data, folder, **SIZES)
    assert content(folder) == before


def work_as_one_of_two(model, data, target, rank, port):
    """A process with what torchrun tells each of its own; it embeds two folders, one by one."""
    given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    given |= {"MASTER_ADDR": "localhost", "TORCHELASTIC_USE_AGENT_STORE": True}
    os.environ |= {key: str(value) for key, value in given.items()}
    encode, counted = type(model).encode_images, []

    def counting(self, images):
        counted.append(len(images))
        return encode(self, images)

    type(model).encode_images = counting
    for name in (target, f"{target}-again"):
        gu.embed_to_folder(model, data, name, **SIZES)
    assert gu.load_folder(target).queries.shape == (40, 256)
    dist.init_process_group("gloo")
    gap = float(gu.folder_statistics(target).compute()["gap_norm"])
    dist.destroy_process_group()
    Path(f"{target}.{rank}").write_text(f"{sum(counted)} {gap!r}")


def test_two_processes_write_the_same_files(finished, model, data, tmp_path):
    target = tmp_path / "e"
    store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    two = [
        FORK.Process(target=work_as_one_of_two, args=(model, data, target, rank, store.port))
        for rank in (0, 1)
    ]
    for process in two:
        process.start()
    try:
        for process in two:
            process.join(120)
        assert [process.exitcode for process in two] == [0, 0]
    finally:
        for process in two:
            process.kill()
    assert content(target) == content(finished) == content(tmp_path / "e-again")
    reports = [Path(f"{target}.{rank}").read_text().split() for rank in (0, 1)]
    assert sorted(int(images) for images, _ in reports) == [2 * 16, 2 * 24], "each embeds its share"
    alone = float(gu.folder_statistics(finished).compute()["gap_norm"])
    assert all(abs(float(gap) - alone) < 1e-12 for _, gap in reports)


def test_statistics_of_a_folder_are_those_in_memory(finished):
    e = gu.load_folder(finished)
    streamed, measured = gu.folder_statistics(finished).compute(), gu.measure_gap(e)
    for name in ("gap_norm", "effective_rank_queries", "variance_share_gap_gallery"):
        assert float(streamed[name]) == pytest.approx(measured[name], rel=1e-6)


def test_shards_one_by_one(finished):
    e = gu.load_folder(finished)
    shards = list(gu.iter_shards(finished, "queries"))
    assert [(s.start, s.stop) for s in shards] == [(8 * i, 8 * i + 8) for i in range(5)]
    assert torch.equal(torch.cat([s.rows for s in shards]), e.queries)
    assert torch.equal(torch.cat([s.extra for s in shards]), e.targets)
    halves = [s.rows for i in (0, 1) for s in gu.iter_shards(finished, share=(i, 2))]
    assert sum(map(len, halves)) == len(e.queries) + len(e.gallery)
    with pytest.raises(ValueError, match="side"):
        next(gu.iter_shards(finished, "images"))


def test_captions_keep_their_images(model, data, tmp_path):
    owner = torch.arange(40).repeat_interleave(2)
    captions = CaptionDataset("pairs", data.images, [f"caption {i}" for i in range(80)], owner)
    e = gu.load_folder(gu.embed_to_folder(model, captions, tmp_path / "e", shard_size=16))
    expected = gu.embed(model, captions)
    assert e.info == expected.info
    assert torch.equal(e.targets, expected.targets)
    torch.testing.assert_close(e.gallery, expected.gallery, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_choices_lie_question_after_question(model, data, tmp_path, known):
    options = [[f"{i} {letter}" for letter in "abcd"] for i in range(40)]
    answers = torch.arange(40) % 4 if known else None
    questions = ChoiceDataset("quiz", data.images, ["what?"] * 40, options, answers)
    e = gu.load_folder(gu.embed_to_folder(model, questions, tmp_path / "e", shard_size=30))
    assert e.info["options"] == 4
    expected = model.encode_texts([f"what? 7 {letter}" for letter in "abcd"])
    torch.testing.assert_close(e.gallery.view(40, 4, -1)[7], expected, rtol=1e-4, atol=1e-5)
    if known:
        assert e.targets[:6].tolist() == [0, 5, 10, 15, 16, 21]
    else:
        assert e.targets is None


# Another run in the same folder.


def test_mixed_models_are_refused_and_nothing_is_touched(folder, data):
    before = content(folder)
    other = gu.load_model("tiny-openmoji", step=400, device="cpu")
    with pytest.raises(ValueError, match=r"another run.*model_info.step: 0, now 400.*weights"):
        gu.embed_to_folder(other, data, folder, **SIZES)
    assert content(folder) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"templates": "my {}."}, "templates"),
        ({"shard_size": 16}, "shard_size"),
        ({"batch_size": 8}, "batch_size"),
    ],
)
def test_other_settings_are_refused(folder, model, data, change, named):
    with pytest.raises(ValueError, match=f"another run.*{named}"):
        gu.embed_to_folder(model, data, folder, **{**SIZES, **change})


def test_other_weights_under_the_same_name_are_refused(folder, data):
    changed = gu.load_model("tiny-openmoji", step=0, device="cpu")
    next(iter(changed.module.parameters())).add_(1e-3)
    with pytest.raises(ValueError, match="weights_sha256"):
        gu.embed_to_folder(changed, data, folder, **SIZES)


def test_a_folder_with_foreign_shards_is_refused(model, data, tmp_path, folder):
    save_file({"x": torch.zeros(1)}, tmp_path / "mine.safetensors")
    with pytest.raises(ValueError, match=r"has no manifest.json, but mine.safetensors"):
        gu.embed_to_folder(model, data, tmp_path, **SIZES)
    shutil.copy(tmp_path / "mine.safetensors", folder)
    for use in (gu.load_folder, lambda f: gu.embed_to_folder(model, data, f, **SIZES)):
        with pytest.raises(ValueError, match=r"mine.safetensors is no shard"):
            use(folder)


# Bad shards. Every one is refused by name, in loading and in resuming, and nothing is deleted.

VICTIM = "queries-00001.safetensors"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))


def take_a_neighbour(path: Path) -> None:
    shutil.copy(path.with_name("queries-00002.safetensors"), path)


def take_the_other_side(path: Path) -> None:
    shutil.copy(path.with_name("gallery-00000.safetensors"), path)


def write_a_pickle(path: Path) -> None:
    torch.save({"queries": torch.zeros(8, 256)}, path)


def rewrite(path: Path, **changes: torch.Tensor) -> None:
    tensors, metadata = read_safetensors(path)
    write_safetensors(path, {**tensors, **changes}, metadata)


def narrow(path: Path) -> None:
    rewrite(path, queries=torch.zeros(8, 255))


def drop_rows(path: Path) -> None:
    rewrite(path, queries=torch.zeros(7, 256))


def halve(path: Path) -> None:
    rewrite(path, queries=torch.zeros(8, 256, dtype=torch.float16))


def forge(path: Path) -> None:
    rewrite(path, queries=torch.ones(8, 256))


BAD = {
    truncate: "truncated",
    empty: "truncated",
    flip_a_bit: "checksum",
    take_a_neighbour: "mislabelled: start is '16', expected '8'",
    take_the_other_side: "mislabelled: side is 'gallery'",
    write_a_pickle: "no safetensors file",
    narrow: r"expected 'queries' of shape \(8, 256\)",
    drop_rows: r"expected 'queries' of shape \(8, 256\)",
    halve: "float32",
    forge: "checksum",
}


@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize("damage", BAD, ids=lambda f: f.__name__)
def test_a_bad_shard_is_named_and_nothing_is_lost(folder, model, data, damage, unfinished):
    whole = content(folder)
    if unfinished:
        manifest = json.loads(whole["manifest.json"])
        manifest["complete"] = False
        for shard in manifest["shards"]:
            shard["sha256"] = None
        (folder / "manifest.json").write_text(json.dumps(manifest))
    damage(folder / VICTIM)
    before = content(folder)
    if not unfinished:
        with pytest.raises(ValueError, match=f"{VICTIM}.*{BAD[damage]}"):
            gu.load_folder(folder)
    with pytest.raises(ValueError, match=f"{VICTIM}.*{BAD[damage]}.*delete this one file"):
        gu.embed_to_folder(model, data, folder, **SIZES)
    assert content(folder) == before
    (folder / VICTIM).unlink()
    gu.embed_to_folder(model, data, folder, **SIZES)
    assert content(folder) == whole


def test_a_shard_of_another_model_is_recognised(folder, data, tmp_path):
    other = gu.load_model("tiny-openmoji", step=400, device="cpu")
    theirs = gu.embed_to_folder(other, data, tmp_path / "theirs", **SIZES)
    shutil.copy(theirs / VICTIM, folder / VICTIM)
    with pytest.raises(ValueError, match=f"{VICTIM}: it is from another run"):
        gu.load_folder(folder)


# Bad manifests.


def edit(folder: Path, change) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(model="ViT-H-14"), "fingerprint"),
        (lambda m: m.update(templates=["a {}"]), "fingerprint"),
        (lambda m: m.update(dim=128), "fingerprint"),
        (lambda m: m.pop("weights_sha256"), "weights_sha256"),
        (lambda m: m.update(format="other/9"), "format"),
        (lambda m: m.update(dim="wide"), "'dim' is missing or of another type"),
        (lambda m: m.update(shards=[]), "shards"),
        (lambda m: m["shards"].pop(), "not those of its rows"),
        (lambda m: m["shards"].reverse(), "not those of its rows"),
        (lambda m: m["shards"][0].update(stop=9), "not those of its rows"),
        (lambda m: m["shards"][0].update(file="../secret.safetensors"), "not the name of a shard"),
        (lambda m: m["shards"][0].update(file="/etc/passwd"), "not the name of a shard"),
        (lambda m: m["shards"][0].update(file="gallery-00001.safetensors"), "not those of its"),
        (lambda m: m["shards"][0].update(sha256="0" * 64), "gallery-00000.*checksum"),
        (lambda m: m["shards"][0].update(sha256="short"), "SHA-256"),
        (lambda m: m["shards"][0].update(sha256=None), "complete"),
        (lambda m: m.update(complete=False), "complete"),
        (lambda m: m["shards"][0].update(note=1), "other fields"),
    ],
)
def test_a_manifest_that_lies_is_refused(folder, change, message):
    edit(folder, change)
    with pytest.raises(ValueError, match=message):
        gu.load_folder(folder)


def test_a_manifest_that_lies_consistently_is_given_away_by_the_shards(folder):
    from gaputils.storage._manifest import Manifest

    def change(manifest):
        manifest["model"] = "ViT-H-14"
        own = ("complete", "fingerprint", "shards")
        description = {key: value for key, value in manifest.items() if key not in own}
        manifest["fingerprint"] = Manifest(description, ()).fingerprint

    edit(folder, change)
    with pytest.raises(ValueError, match="from another run"):
        gu.load_folder(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "gaputils-shards/1"}'])
def test_a_manifest_that_is_none_is_refused(folder, model, data, text):
    (folder / "manifest.json").write_text(text)
    shards = {name: value for name, value in content(folder).items() if name != "manifest.json"}
    for use in (gu.load_folder, lambda f: gu.embed_to_folder(model, data, f, **SIZES)):
        with pytest.raises(ValueError, match=r"manifest.json"):
            use(folder)
    assert shards.items() <= content(folder).items()


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no manifest.json"):
        gu.load_folder(tmp_path)


# Targets that cannot be written.


def test_a_full_disk_keeps_what_is_whole(model, data, finished, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    smallest, largest = sorted({len(v) for k, v in content(finished).items() if k[0] in "gq"})[::2]
    assert smallest < largest
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, limit[1]))
    try:
        with pytest.raises(OSError, match=r"could not be written .*before are whole") as caught:
            gu.embed_to_folder(model, data, tmp_path / "e", **SIZES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "safetensors" in str(caught.value)
    assert not list((tmp_path / "e").glob(".*")), "nothing half-written stays"
    gu.embed_to_folder(model, data, tmp_path / "e", **SIZES)
    assert content(tmp_path / "e") == content(finished)


def test_a_target_that_cannot_be_made(model, data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be made"):
        gu.embed_to_folder(model, data, tmp_path / "file" / "e", **SIZES)
    with pytest.raises(OSError, match="file"):
        gu.embed_to_folder(model, data, tmp_path / "file", **SIZES)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_that_may_not_be_written(model, data, tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OSError, match="cannot be"):
            gu.embed_to_folder(model, data, tmp_path / "e", **SIZES)
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"shard_size": 0}, "shard_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"workers": -1}, "wor"),
    ],
)
def test_arguments_are_checked(model, data, tmp_path, arguments, named):
    with pytest.raises(ValueError, match=named):
        gu.embed_to_folder(model, data, tmp_path / "e", **arguments)
    assert not (tmp_path / "e").exists()


def test_the_wrong_kinds_of_things_are_refused(model, data, tmp_path):
    with pytest.raises(TypeError, match="model"):
        gu.embed_to_folder(None, data, tmp_path / "e")
    with pytest.raises(TypeError, match="dataset"):
        gu.embed_to_folder(model, "emoji10", tmp_path / "e")


def test_a_shard_is_a_plain_safetensors_file(finished):
    tensors = load_file(finished / VICTIM)
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "queries": (8, 256),
        "targets": (8,),
    }


def folders_of_pictures(root: Path, *names: str) -> list[gu.datasets.ClassificationDataset]:
    rng, sets = np.random.default_rng(0), []
    for width, name in enumerate(names, start=20):
        for kind in ("cat", "dog"):
            (root / name / kind).mkdir(parents=True)
            for number in range(3):
                pixels = rng.integers(0, 255, (20, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / name / kind / f"{number}.bmp")
        sets.append(gu.datasets.load("imagefolder", root / name))
    return sets


def test_other_pictures_of_the_same_names_are_another_run(model, tmp_path):
    one, other = folders_of_pictures(tmp_path, "one", "other")
    gu.embed_to_folder(model, one, tmp_path / "e", shard_size=4)
    before = content(tmp_path / "e")
    gu.embed_to_folder(model, one, tmp_path / "e", shard_size=4)
    with pytest.raises(ValueError, match=r"^folder: .* another run .* other names, sizes or pixel"):
        gu.embed_to_folder(model, other, tmp_path / "e", shard_size=4)
    assert content(tmp_path / "e") == before


def test_a_run_whose_pictures_were_renamed_does_not_go_on(model, tmp_path):
    (data,) = folders_of_pictures(tmp_path, "one")
    gu.embed_to_folder(model, data, tmp_path / "e", shard_size=2)
    (tmp_path / "one" / "cat" / "0.bmp").rename(tmp_path / "one" / "cat" / "9.bmp")
    moved = gu.datasets.load("imagefolder", tmp_path / "one")
    with pytest.raises(ValueError, match=r"images of queries-00000\.safetensors had other names"):
        gu.embed_to_folder(model, moved, tmp_path / "e", shard_size=2)


def test_templates_may_come_one_at_a_time(model, data, tmp_path):
    prompts = ["a {}.", "the {}."]
    gu.embed_to_folder(model, data, tmp_path / "e", templates=iter(prompts))
    assert gu.load_folder(tmp_path / "e").info["templates"] == prompts


def test_no_folder_is_not_the_working_one(model, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^folder: expected a file or a folder, got ''"):
        gu.embed_to_folder(model, data, "")
    assert not list(tmp_path.iterdir())
