"""Embeddings: targets, files, and the robustness known of published real ones."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import gaputils as gu


def sides(n: int = 4, m: int = 4, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)).astype(np.float32)


def test_sides_become_tensors_of_one_type() -> None:
    e = gu.Embeddings(*sides())
    assert e.queries.dtype == e.gallery.dtype == torch.float64
    assert (e.dim, e.paired) == (3, True)
    assert repr(e) == "Embeddings(queries=4, gallery=4, dim=3, info={})"
    assert torch.equal(e.targets, torch.arange(4))


def test_long_notes_are_told_in_short() -> None:
    info = {"model": "m", "caption_image": [0, 0, 1, 1, 2, 2, 3, 3, 3, 3] * 1000}
    e = gu.Embeddings(np.eye(4), np.eye(4)[info["caption_image"]], info=info)
    assert repr(e).endswith("info={'caption_image': [0, 0, 1, 1, ...], 'model': 'm'})")


def test_targets() -> None:
    assert gu.Embeddings(*sides(4, 3)).targets is None
    assert not gu.Embeddings(*sides(4, 3)).paired
    given = gu.Embeddings(*sides(3, 3), targets=np.array([2, 1, 0], dtype=np.int16))
    assert given.targets.dtype == torch.int64
    assert not given.paired
    with pytest.raises(ValueError, match=r"targets: expected indices in \[0, 3\), got 0 to 3"):
        gu.Embeddings(*sides(4, 3), targets=[0, 1, 2, 3])
    with pytest.raises(TypeError, match="info: expected a dict, got list"):
        gu.Embeddings(*sides(), info=[])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"rows": {3}}, r"info\['rows'\]: expected what JSON can hold, got set"),
        ({"a": {"b": [np.float32(1)]}}, r"info\['a'\]: .* Object of type float32"),
        ({1: "a"}, "info: expected names as keys, got 1"),
        ({"paired": "no"}, r"info\['paired'\]: expected True or False, got str 'no'"),
    ],
)
def test_info_is_what_a_file_can_hold(info: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        gu.Embeddings(*sides(4, 4), info=info)


def test_arrays_and_numbers_of_info_are_kept_as_lists_and_numbers(tmp_path: Path) -> None:
    info = {"caption_image": np.array([1, 0, 1]), "rows": np.int64(3), "of": torch.tensor([2.0])}
    e = gu.Embeddings(*sides(2, 3), info=info)
    assert e.answers.tolist() == [[1, -1], [0, 2]]
    again = gu.Embeddings.load(e.save(tmp_path / "e.safetensors"))
    assert again.info == e.info == {"caption_image": [1, 0, 1], "rows": 3, "of": [2.0]}


def test_whether_to_normalize_is_no_text() -> None:
    with pytest.raises(TypeError, match="normalize: expected True or False, got str 'no'"):
        gu.Embeddings(*sides(), normalize="no")  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 5),
    m=st.integers(1, 5),
    info=st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5))),
)
def test_saved_and_loaded(tmp_path_factory, n: int, m: int, info: dict) -> None:
    e = gu.Embeddings(*sides(n, m), info=info)
    path = e.save(tmp_path_factory.mktemp("e") / "e.safetensors")
    back = gu.Embeddings.load(path)
    assert torch.equal(back.queries, e.queries)
    assert torch.equal(back.gallery, e.gallery)
    assert (back.targets is None) == (e.targets is None)
    assert back.info == info
    assert [file.name for file in path.parent.iterdir()] == ["e.safetensors"]


def test_saving_replaces_in_one_step_and_moves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    gu.Embeddings(*sides(2, 2)).save(path)
    gu.Embeddings(torch.eye(6).T[:, ::2], torch.eye(6)[:, 1::2]).save(path)
    assert gu.Embeddings.load(path).queries.shape == (6, 3)
    with pytest.raises(FileNotFoundError, match=r"path: the folder .*nowhere does not exist"):
        gu.Embeddings(*sides()).save(tmp_path / "nowhere" / "e.safetensors")


def test_a_failed_save_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    gu.Embeddings(*sides(2, 2)).save(path)
    old = path.read_bytes()
    broken = gu.Embeddings(*sides())
    broken.info = {"model": object()}
    with pytest.raises(TypeError, match="not JSON serializable"):
        broken.save(path)
    assert path.read_bytes() == old
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_files_that_are_no_embeddings(tmp_path: Path) -> None:
    path = gu.Embeddings(*sides()).save(tmp_path / "good")
    whole = path.read_bytes()
    wrong = {"empty": b"", "cut": whole[:-1], "pickle": pickle.dumps(sides()), "zeros": bytes(99)}
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"path: .*{name} is not a whole safetensors file"):
            gu.Embeddings.load(tmp_path / name)
    np.save(tmp_path / "array.npy", sides()[0])
    with pytest.raises(ValueError, match=r"path: .*array.npy is not a whole safetensors file"):
        gu.Embeddings.load(tmp_path / "array.npy")
    gu.MeanShift().fit(*sides()).save(tmp_path / "closing")
    with pytest.raises(ValueError, match="path: expected tensors 'queries' and 'gallery'"):
        gu.Embeddings.load(tmp_path / "closing")
    later = {"format": "gaputils-embeddings/2"}
    save_file({"queries": torch.eye(2), "gallery": torch.eye(2)}, tmp_path / "later", later)
    with pytest.raises(ValueError, match=r"embeddings/1\) in .*later, got 'gaputils-embeddings/2'"):
        gu.Embeddings.load(tmp_path / "later")
    save_file({"queries": torch.eye(2), "gallery": torch.eye(2)}, tmp_path / "i", {"info": "{"})
    with pytest.raises(ValueError, match=r"path: .*i is not a whole file of embeddings, info: "):
        gu.Embeddings.load(tmp_path / "i")
    save_file({"queries": torch.eye(2), "gallery": torch.eye(3)}, tmp_path / "d")
    with pytest.raises(ValueError, match="gallery: expected dimension 2 as in queries, got 3"):
        gu.Embeddings.load(tmp_path / "d")
    content = {"queries": torch.eye(2), "gallery": torch.eye(2)}
    wrong_rows = {
        "p": (content, '{"paired": "no"}'),
        "t": ({**content, "targets": torch.tensor([0, 7])}, "{}"),
    }
    for name, (tensors, info) in wrong_rows.items():
        save_file(tensors, tmp_path / name, {"info": info})
        with pytest.raises(ValueError, match=rf"path: .*{name} is not a whole file of embeddings:"):
            gu.Embeddings.load(tmp_path / name)
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(FileNotFoundError, match="path: there is no file"):
            gu.Embeddings.load(missing)


def test_moved_to_a_device() -> None:
    e = gu.Embeddings(*sides(4, 3), targets=[0, 1, 2, 0], info={"a": 1}).to("cpu")
    assert e.info == {"a": 1}
    assert e.targets.tolist() == [0, 1, 2, 0]


@pytest.fixture(scope="module")
def clip(published) -> gu.Embeddings:
    e = published("liang2022-clip-coco")
    return gu.Embeddings(e.queries, F.normalize(e.gallery.double(), dim=1))


# (items, total variance): original, mean shift, hull projection, projection at radius 2
KNOWN = {
    (10, 0.04): (0.861, 0.898, 0.930, 0.988),
    (50, 0.04): (0.706, 0.760, 0.809, None),
    (100, 0.04): (0.693, 0.744, 0.785, 0.882),
    (250, 0.04): (0.688, 0.726, 0.747, None),
    (500, 0.04): (0.699, 0.707, 0.708, 0.757),
    (10, 0.005): (0.950, 0.963, 0.976, None),
    (100, 0.005): (0.874, 0.898, 0.917, None),
}


@pytest.mark.parametrize(("items", "variance"), KNOWN)
def test_robustness_of_real_clip(clip: gu.Embeddings, items: int, variance: float) -> None:
    queries, gallery = clip.queries, clip.gallery[:items]
    nearest = torch.cdist(queries, gallery).argmin(1)
    methods = (None, gu.MeanShift(), gu.HullProjection(), gu.HullProjection(radius=2.0))
    for method, known in zip(methods, KNOWN[items, variance], strict=True):
        moved = method.fit_transform(queries, gallery) if method else (queries, gallery)
        found = gu.robustness(*moved, gu.GaussianNoise(variance)).mean()
        assert torch.equal(torch.cdist(*moved).argmin(1), nearest)
        if known is not None:
            assert float(found) == pytest.approx(known, abs=0.003)


@pytest.mark.parametrize(("items", "known"), [(100, (0.745, 0.882)), (500, (0.749, 0.760))])
def test_cosine_robustness_of_real_clip(clip: gu.Embeddings, items: int, known: tuple) -> None:
    """Within 0.003 and four standard errors of the 60 draws."""
    gallery, noise = clip.gallery[:items], gu.GaussianNoise(0.04)
    centred = gu.HullProjection(center=True).fit_transform(clip.queries, gallery)
    for sides, value in zip(((clip.queries, gallery), centred), known, strict=True):
        found = gu.estimate(*sides, noise, scoring="cosine", draws=60)[0]
        assert abs(found.mean - value) < 0.003 + 4 * found.standard_error


def test_names_within_info_are_names_too() -> None:
    for info in ({"a": {1: "x"}}, {"a": [{"b": {2: 3}}]}):
        with pytest.raises(TypeError, match=r"^info\['a'\].*: expected names as keys"):
            gu.Embeddings(np.eye(2), np.eye(2), info=info)


def test_a_link_that_is_saved_to_stays_one(tmp_path: Path) -> None:
    e = gu.Embeddings(np.eye(2), np.eye(2))
    e.save(tmp_path / "there.safetensors")
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "there.safetensors")
    gu.Embeddings(2 * np.eye(2), np.eye(2)).save(tmp_path / "link.safetensors")
    assert (tmp_path / "link.safetensors").is_symlink()
    assert float(gu.Embeddings.load(tmp_path / "there.safetensors").queries.max()) == 2


def test_a_folder_is_no_file_to_save_to(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"^path: expected a file, got the folder"):
        gu.Embeddings(np.eye(2), np.eye(2)).save(tmp_path)


@pytest.mark.parametrize("name", ["e.npz", "e.npy", "e.pt", "e.parquet"])
def test_what_is_saved_bears_no_name_of_another_format(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^path: expected a name that ends in \.safetensors, got"):
        gu.Embeddings(np.eye(2), np.eye(2)).save(tmp_path / name)
    with pytest.raises(ValueError, match=r"^path: expected a name that ends in \.safetensors, got"):
        gu.Centering().fit(np.eye(2), np.eye(2)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_chosen_items_may_come_one_at_a_time_and_are_some() -> None:
    e = gu.Embeddings(np.eye(3), np.eye(3))
    assert len(gu.embeddings.choose_items(e, iter([0, 2])).gallery) == 2
    with pytest.raises(ValueError, match=r"^items: expected at least one row of the gallery"):
        gu.embeddings.choose_items(e, [])
