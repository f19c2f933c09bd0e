"""Published embeddings: the right files, the authors' own figures, and what stands in for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.datasets import DataUnavailable, published_names, published_rows_names
from gaputils.datasets._published_files import place
from gaputils.datasets._published_sources import File, Source, sources
from gaputils.datasets.published import stored_files

GAP_NORMS = {
    "liang2022-clip-coco": 0.851,
    "liang2022-clip-coco-random": 1.136,
    "liang2022-videoclip-msrvtt": 1.067,
    "liang2022-videoclip-msrvtt-random": 0.954,
    "liang2022-clasp": 1.045,
    "liang2022-clasp-random": 1.289,
    "siglip2-naflex": 1.222,
}
MEASURED = [name for name in published_names() if name.startswith("amumo")]
CLOSED = [name for name in MEASURED if name.endswith("-closed")]
published_module = sys.modules["gaputils.datasets.published"]


def stored_reference(name: str) -> dict[str, object]:
    """What the authors measured of the set themselves; a skip where the file is not at hand."""
    reference = sources()[name].reference
    assert reference is not None
    if not place(reference).is_file():
        pytest.skip(f"{name}: there is no {place(reference)}")
    return json.loads(place(reference).read_text())


def gap_norm(queries: torch.Tensor, gallery: torch.Tensor) -> float:
    return float((queries.double().mean(0) - gallery.double().mean(0)).norm())


@pytest.mark.parametrize("name", GAP_NORMS)
def test_gap_norm_is_the_known_one(name: str, published) -> None:
    e = published(name)
    assert gap_norm(e.queries, e.gallery) == pytest.approx(GAP_NORMS[name], abs=5e-4)
    assert e.paired == (name != "siglip2-naflex")
    assert e.info["source"] == sources()[name].files[0].url
    norms = torch.cat([e.queries, e.gallery]).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in MEASURED if name not in CLOSED])
def test_gap_norm_is_the_authors_own(name: str, published) -> None:
    e = published(name)
    theirs = stored_reference(name)["gap_distance"]
    if isinstance(theirs, dict):
        first, second = e.info["modalities"]
        theirs = theirs.get(f"{first}_{second}", theirs.get(f"{second}_{first}"))
    assert gap_norm(e.queries, e.gallery) == pytest.approx(theirs, abs=3e-6)


@pytest.mark.parametrize("name", CLOSED)
def test_the_authors_closed_gap_is_half_the_difference_on_either_side(name: str, published) -> None:
    closed = published(name)
    e = published(closed.info["closed_from"])
    half = (e.queries.mean(0) - e.gallery.mean(0)) / 2
    sides = torch.cat([e.queries - half, e.gallery + half])
    rows = torch.nn.functional.normalize(sides, dim=1)
    theirs = torch.cat([closed.queries, closed.gallery])
    torch.testing.assert_close(rows @ rows.T, theirs @ theirs.T, rtol=0, atol=5e-14)


def test_a_gram_matrix_comes_back_as_rows_with_its_very_products(published) -> None:
    e = published("amumo-clip-coco")
    assert (e.info["exact_up_to"], e.dim) == ("rotation", 1024)
    rows = torch.cat([e.queries, e.gallery]).numpy()
    gram = np.loadtxt(stored_files("amumo-clip-coco")[0], delimiter=",")
    np.testing.assert_allclose(rows @ rows.T, gram, rtol=0, atol=5e-14)


def test_each_two_of_a_triplet_share_their_rows(published) -> None:
    image_text = published("amumo-imagebind-triplet-image-text")
    image_audio = published("amumo-imagebind-triplet-image-audio")
    text_audio = published("amumo-imagebind-triplet-text-audio")
    assert torch.equal(image_text.queries, image_audio.queries)
    assert torch.equal(image_text.gallery, text_audio.queries)
    assert torch.equal(image_audio.gallery, text_audio.gallery)


@pytest.mark.parametrize(
    ("texts", "mean", "known"),
    [("vlpart-lvis", "rn50", 0.91), ("clip-lt-imagenet", "b32", 0.87)],
)
def test_texts_of_classes_and_the_mean_image_have_the_known_gap(
    texts: str, mean: str, known: float, published_rows
) -> None:
    rows, _ = published_rows(texts, normalize=True)
    image, info = published_rows(f"splice-image-mean-{mean}")
    assert (len(image), info["mean"]) == (1, True)
    assert gap_norm(image, rows) == pytest.approx(known, abs=5e-3)


def test_the_two_prompts_of_imagenet_have_the_known_distance(published_rows) -> None:
    first, _ = published_rows("clip-lt-imagenet", normalize=True)
    second, _ = published_rows("clip-lt-imagenet-2", normalize=True)
    assert gap_norm(first, second) == pytest.approx(0.203, abs=5e-4)


def test_what_was_half_precision_is_normalised_when_asked(published_rows) -> None:
    raw, info = published_rows("detic-coco")
    rows, _ = published_rows("detic-coco", normalize=True)
    assert raw.dtype == torch.float32
    assert rows.dtype == torch.float64
    assert float(raw.norm(dim=1).min()) > 5
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(80, dtype=torch.float64))
    assert info["licence"] == "Apache-2.0"


def test_queries_are_the_first_array(published) -> None:
    e = published("liang2022-clip-coco")
    pair = np.load(stored_files("liang2022-clip-coco")[0], allow_pickle=False)
    np.testing.assert_array_equal(e.queries.numpy(), pair[0])
    np.testing.assert_array_equal(e.gallery.numpy(), pair[1])
    few = gu.datasets.published("liang2022-clip-coco", rows=7, normalize=True)
    assert few.queries.shape == few.gallery.shape == (7, 512)
    assert float((few.gallery.norm(dim=1) - 1).abs().max()) < 1e-12


def test_the_table_is_whole() -> None:
    files = [file for source in sources().values() for file in source.files]
    files += [source.reference for source in sources().values() if source.reference]
    assert all(
        len(file.sha256) == 64 and set(file.sha256) <= set("0123456789abcdef") for file in files
    )
    assert len({file.place for file in files}) == len({file.sha256 for file in files})
    for name, source in sources().items():
        facts = source.facts
        assert facts["name"] == name
        assert len(facts["commit"]) == 40
        assert all(facts[key] for key in ("licence", "citation", "dim_from", "model", "data"))
        assert facts["commit"] in facts["source"]
        json.dumps(facts)
    assert all("main" in sources()[name].facts["doubts"] for name in MEASURED)


def test_what_is_published_is_listed_with_its_licence() -> None:
    table = gu.datasets.published_sources()
    assert set(table.index) == {*published_names(), *published_rows_names()}
    assert table["licence"].ne("").all()
    row = table.loc["amumo-ablation-infoloob-hopfield-cc31"]
    assert (row["loss"], row["hopfield"], row["dim"]) == ("InfoLOOB", True, 1024)
    assert (table["sides"] == 1).sum() == len(published_rows_names())


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="name: expected one of liang2022-clip-coco"):
        gu.datasets.published("clip")
    with pytest.raises(ValueError, match="name: expected one of detic-coco"):
        gu.datasets.published_rows("clip")


def test_a_set_of_the_other_kind_says_which_function_has_it() -> None:
    with pytest.raises(ValueError, match="name: 'detic-coco' is a set for published_rows"):
        gu.datasets.published("detic-coco")
    with pytest.raises(ValueError, match="name: 'liang2022-clasp' is a set for published"):
        gu.datasets.published_rows("liang2022-clasp")
    with pytest.raises(ValueError, match="rows: expected an integer of at least 1"):
        gu.datasets.published("liang2022-clasp", rows=0)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache and no way out of this machine."""

    def refuse(*_args, **_kwargs) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    monkeypatch.setattr("requests.get", refuse)
    return tmp_path


def test_without_network_the_error_says_where_to_put_the_file(no_network: Path) -> None:
    with pytest.raises(DataUnavailable, match="no route to host") as caught:
        gu.datasets.published("liang2022-clasp")
    assert str(no_network / "liang2022" / "features_clasp.npy") in str(caught.value)


def test_a_changed_file_is_not_used(no_network: Path) -> None:
    folder = no_network / "liang2022"
    folder.mkdir()
    np.save(folder / "features_clasp.npy", np.eye(3))
    with pytest.raises(DataUnavailable, match="not the published file"):
        gu.datasets.published("liang2022-clasp")
    assert np.load(folder / "features_clasp.npy").shape == (3, 3)


def test_a_function_stands_in_where_nothing_can_be_had(no_network: Path) -> None:  # noqa: ARG001
    made = gu.Embeddings(torch.eye(3), torch.eye(3), info={"title": "an example"})
    e = gu.datasets.published("liang2022-clasp", otherwise=lambda: made, rows=2)
    assert len(e.queries) == len(e.gallery) == 2
    assert e.info["title"] == "an example (the published embeddings could not be fetched)"
    assert "no route to host" in e.info["missing"]
    assert "missing" not in made.info


def test_the_shipped_model_stands_in_on_a_data_set(no_network: Path) -> None:  # noqa: ARG001
    e = gu.datasets.published("liang2022-clasp", otherwise="emoji10", rows=20, normalize=True)
    assert e.info["title"].startswith("tiny-openmoji on emoji10 (the published")
    assert (len(e.queries), len(e.gallery)) == (20, 10)
    assert e.targets is not None


def test_unpaired_sides_stay_unpaired_on_disk(tmp_path: Path) -> None:
    e = gu.Embeddings(torch.eye(3), torch.eye(3), info={"paired": False})
    assert e.targets is None
    assert not e.paired
    assert gu.Embeddings.load(e.save(tmp_path / "e.safetensors")).targets is None


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`serve({name: …})` makes a source of files that a server on this machine hands out."""
    root, cache = tmp_path / "served", tmp_path / "cache"
    root.mkdir()
    monkeypatch.setenv("GAPUTILS_CACHE", str(cache))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def source(kind: str, write: list[Callable[[Path], None]], suffix: str, **options) -> Source:
        parts = []
        for number, one in enumerate(write):
            path = root / f"{kind}{number}{suffix}"
            one(path)
            digest = sha256(path.read_bytes()).hexdigest()
            url = f"http://127.0.0.1:{server.server_port}/{path.name}"
            parts.append(File(url, f"theirs/{path.name}", digest))
        like = sources()["amumo-clip-coco"]
        made = replace(like, name="theirs", sides={kind: tuple(parts)}, reference=None, **options)
        monkeypatch.setattr(published_module, "sources", lambda: {"theirs": made})
        return made

    yield source
    server.shutdown()
    server.server_close()


def unit(rows: int, dim: int, seed: int) -> np.ndarray:
    value = np.random.default_rng(seed).standard_normal((rows, dim))
    return value / np.linalg.norm(value, axis=1, keepdims=True)


def test_a_pair_is_fetched_once_and_kept(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = np.stack([unit(4, 6, 0), unit(4, 6, 1)]).astype(np.float32)
    made = serve("pair", [lambda path: np.save(path, pair)], ".npy", dim=6, blocks=())
    np.testing.assert_array_equal(gu.datasets.published("theirs").gallery.numpy(), pair[1])
    monkeypatch.setattr("requests.get", None)
    np.testing.assert_array_equal(gu.datasets.published("theirs").queries.numpy(), pair[0])
    assert place(made.files[0]).is_file()


def test_two_blocks_of_a_matrix_of_cosines(serve) -> None:
    rows = np.concatenate([unit(3, 5, 0), unit(3, 5, 1), unit(3, 5, 2)])
    write = [lambda path: np.savetxt(path, rows @ rows.T, delimiter=",", fmt="%.18e")]
    three = ("image", "text", "audio")
    serve("gram", write, ".csv", dim=8, blocks=three, modalities=("image", "audio"))
    e = gu.datasets.published("theirs")
    assert e.dim == 8
    np.testing.assert_allclose(e.queries @ e.gallery.T, rows[:3] @ rows[6:].T, atol=1e-14)


def test_rows_of_several_files_and_a_tensor(serve) -> None:
    parts = [unit(1, 4, seed)[0].astype(np.float16) for seed in range(3)]
    write = [lambda path, part=part: np.save(path, part) for part in parts]
    serve("rows", write, ".npy", dim=4, blocks=())
    rows, _ = gu.datasets.published_rows("theirs")
    np.testing.assert_array_equal(rows.numpy(), np.stack(parts).astype(np.float32))
    tensor = torch.from_numpy(unit(2, 4, 9))
    serve("rows", [lambda path: torch.save(tensor, path)], ".pt", dim=4, blocks=())
    assert torch.equal(gu.datasets.published_rows("theirs")[0], tensor)


def test_what_is_not_as_the_table_says_is_refused(serve) -> None:
    serve("rows", [lambda path: np.save(path, np.eye(3))], ".npy", dim=4, blocks=())
    with pytest.raises(ValueError, match="theirs: expected dimension 4, got 3"):
        gu.datasets.published_rows("theirs")
    serve("rows", [lambda path: torch.save([1], path)], ".pt", dim=4, blocks=())
    with pytest.raises(ValueError, match="expected one tensor, got list"):
        gu.datasets.published_rows("theirs")
    write = [lambda path: np.savetxt(path, 2 * np.eye(4), delimiter=",")]
    serve("gram", write, ".csv", dim=4, blocks=("image", "text"))
    with pytest.raises(ValueError, match=r"gram0.csv: gram: expected cosines"):
        gu.datasets.published("theirs")
