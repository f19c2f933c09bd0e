"""One-step writes under the rules of other systems, and locks that end with their block."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils import _files
from gaputils._files import only_writer, write_text
from gaputils.embeddings import read_safetensors, write_safetensors
from gaputils.storage.files import write_npy, write_npz


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Flush only what is open for writing, replace only what nobody holds open, open no folder."""
    flushed, fsync, replace, opened = list[int](), os.fsync, Path.replace, os.open

    def strict_fsync(handle: int) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flushed.append(handle)
        fsync(handle)

    def strict_replace(self: Path, target: Any) -> Path:
        held = Path("/proc/self/fd").iterdir()
        if any(h.exists() and h.resolve() in (self, Path(target)) for h in held):
            raise PermissionError(errno.EACCES, "The file is open", str(self))
        return replace(self, target)

    def strict_open(path: Any, *arguments: Any, **options: Any) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "fsync", strict_fsync)
    monkeypatch.setattr(Path, "replace", strict_replace)
    monkeypatch.setattr(os, "open", strict_open)
    monkeypatch.setattr(_files, "fcntl", None)
    return flushed


X = torch.arange(12.0).reshape(4, 3) - 5
WRITERS: dict[str, Callable[[Path], Any]] = {
    "text": lambda path: write_text(path, "whole"),
    "embeddings": gu.Embeddings(X, X.flip(0)).save,
    "a closing": gu.MeanShift().fit(X, X + 1).save,
    "an archive": lambda path: write_npz(gu.Embeddings(X, X[:3]), path),
    "a shard": lambda path: write_safetensors(path, {"x": X}, {}),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_everything_is_saved_under_the_rules_of_windows(
    write: Callable[[Path], Any], windows: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    for _ in range(2):
        with only_writer(tmp_path):
            write(path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert len(windows) == 2, "what was written is on the disk"


class Killed(BaseException):
    """A process ends here."""


@pytest.mark.parametrize("step", range(4))
def test_a_kill_leaves_no_pair_of_two_writings(
    step: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "c.npy"
    write_npy(gu.Embeddings(X, X[:3]), out)
    steps = iter(range(9))

    def until(change: Callable[..., Any]) -> Callable[..., Any]:
        def killed(self: Path, *arguments: Any, **options: Any) -> Any:
            if (self.suffix == ".npy" or arguments) and next(steps) == step:
                raise Killed
            return change(self, *arguments, **options)

        return killed

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, until(getattr(Path, name)))
    with pytest.raises(Killed) if step < 3 else nullcontext():
        write_npy(gu.Embeddings(X + 9, X[:3] + 9), out)
    added = {float((np.load(tmp_path / name) - X[: 3 if name == "c.npy" else 4].numpy()).max())
             for name in ("c.npy", "c.queries.npy") if out.exists()}  # fmt: skip
    assert added in ({0.0}, {9.0}, set())
    assert not out.exists() or added == ({0.0} if step == 0 else {9.0})
    assert not list(tmp_path.glob(".*.part"))


def test_the_rules_are_imitated(windows: list[int], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with path.open("rb") as file, pytest.raises(OSError, match="Bad file descriptor"):
        os.fsync(file.fileno())
    with path.open("rb"), pytest.raises(PermissionError):
        path.replace(tmp_path / "other")
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)
    assert not windows


def test_a_lock_ends_with_its_block_though_a_child_lives(tmp_path: Path) -> None:
    with only_writer(tmp_path):
        child = os.fork()
        if not child:
            signal.pause()
            os._exit(0)
        with pytest.raises(BlockingIOError, match="another process"), only_writer(tmp_path):
            pass
    with only_writer(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_two_pairs_that_are_written_at_once_are_not_mixed(tmp_path: Path) -> None:
    out = tmp_path / "c.npy"
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            list(threads.map(lambda n: write_npy(gu.Embeddings(X + n, X[:3] + n), out), range(4)))
            gallery, queries = np.load(out), np.load(tmp_path / "c.queries.npy")
            assert gallery[0, 0] == queries[0, 0]


def test_ctrl_c_pressed_again_loses_no_pair(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out, replace = tmp_path / "c.npy", Path.replace
    stopped, placed = threading.Event(), threading.Event()

    class Impatient(ThreadPoolExecutor):
        def __exit__(self, *_: object) -> None:
            self.shutdown(wait=False)
            raise KeyboardInterrupt

    def late(self: Path, target: Path) -> Path:
        assert stopped.wait(60)
        found = replace(self, target)
        if target == out:
            placed.set()
        return found

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    write_npy(gu.Embeddings(X, X[:3]), out)
    monkeypatch.setattr(Path, "replace", late)
    monkeypatch.setattr(_files, "ThreadPoolExecutor", Impatient)
    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_npy(gu.Embeddings(X + 9, X[:3] + 9), out)
    stopped.set()
    assert placed.wait(60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.npy", "c.queries.npy"]
    for name, rows in (("c.npy", X[:3]), ("c.queries.npy", X)):
        np.testing.assert_array_equal(np.load(tmp_path / name), rows + 9)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EIO])
def test_where_the_system_has_no_locks_nothing_is_locked(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", flock)
    told = pytest.raises(OSError, match="no") if number == errno.EIO else nullcontext()
    with told, only_writer(tmp_path):
        pass


SHARED: dict[str, Callable[[], dict[str, torch.Tensor]]] = {
    "one for both": lambda: {"queries": X, "gallery": X},
    "the first rows": lambda: {"queries": X, "gallery": X[:2]},
    "rows that overlap": lambda: {"queries": X[:3], "gallery": X[1:]},
    "a diagonal and its matrix": lambda: {"queries": X, "gallery": X[:3].diagonal()},
    "halves of one": lambda: {"queries": X[:2], "gallery": X[2:]},
    "a transpose": lambda: {"queries": X.T, "gallery": X},
    "one number for all": lambda: {"queries": torch.ones(1, 1).expand(4, 3), "gallery": X},
    "one NumPy array twice": lambda: {
        "queries": torch.from_numpy(X.numpy()),
        "gallery": torch.from_numpy(X.numpy()[:2]),
    },
    "no rows": lambda: {"queries": X[:0], "gallery": X},
    "with gradient": lambda: {"queries": X.clone().requires_grad_(), "gallery": X},
}


@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_tensors_that_share_memory_are_saved(
    make: Callable[[], dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    tensors = make()
    write_safetensors(tmp_path / "file", tensors, {"a": "b"})
    back, metadata = read_safetensors(tmp_path / "file")
    assert metadata == {"a": "b"}
    for name, value in tensors.items():
        assert torch.equal(back[name], value)


@pytest.mark.parametrize(("path", "error"), [("", ValueError), (None, TypeError)])
def test_what_is_no_path_is_named(path: object, error: type[Exception]) -> None:
    closing = gu.MeanShift().fit(X, X + 1)
    for save in (gu.Embeddings(X, X).save, closing.save):
        with pytest.raises(error, match=r"^path: expected a"):
            save(path)  # type: ignore[arg-type]


def test_embeddings_and_closings_of_one_tensor_are_saved(tmp_path: Path) -> None:
    x = X.numpy()
    for gallery in (x, x[:2]):
        e = gu.Embeddings.load(gu.Embeddings(x, gallery).save(tmp_path / "e.safetensors"))
        assert torch.equal(e.gallery, torch.from_numpy(gallery))
    closing = gu.NaiveShift().fit(X, X)
    closing.mean_ = closing.gap_[:]
    saved = closing.save(tmp_path / "c.safetensors")
    assert torch.equal(gu.closing.load(saved).mean_, closing.gap_)


@pytest.mark.parametrize("kind", ["safetensors", "npz", "npy", "txt"])
def test_a_full_disk_names_the_file_and_leaves_none(kind: str, tmp_path: Path) -> None:
    large, path = gu.Embeddings(X.repeat(500, 1), X.repeat(500, 1)), tmp_path / f"e.{kind}"
    writers: dict[str, Callable[[], Any]] = {
        "safetensors": lambda: large.save(path),
        "npz": lambda: write_npz(large, path),
        "npy": lambda: write_npy(large, path),
        "txt": lambda: write_text(path, "a" * 9000),
    }
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match=rf"e\.{kind}") as told:
            writers[kind]()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert re.search("File too large|is the disk full", str(told.value))
    assert not list(tmp_path.iterdir())


def test_what_is_write_protected_stays(tmp_path: Path) -> None:
    """Root may write it all the same: that it is protected was said on purpose."""
    path = tmp_path / "e.npz"
    path.write_bytes(b"precious")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"It is write-protected: .*e\.npz"):
        write_npz(gu.Embeddings(X, X), path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"precious"]


@pytest.mark.parametrize("name", ["a" * 251 + ".npz", "é" * 125 + ".npz"])
def test_names_may_be_as_long_as_the_system_takes(name: str, tmp_path: Path) -> None:
    write_npz(gu.Embeddings(X, X), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_replaces_a_private_file_is_private(tmp_path: Path) -> None:
    private, usual, new = tmp_path / "private", tmp_path / "usual", tmp_path / "new"
    usual.touch()
    private.touch(0o600)
    for path in (private, usual, new):
        write_text(path, "whole")
    assert private.stat().st_mode & 0o777 == 0o600
    assert new.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_is_written_has_the_permissions_of_any_new_file(
    write: Callable[[Path], Any], tmp_path: Path
) -> None:
    (tmp_path / "usual").touch()
    write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "file").chmod(0o640)
    write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_not_there_is_told_with_the_file_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "pair.npz"
    with pytest.raises(FileNotFoundError) as caught:
        write_npz(gu.Embeddings(X, X.flip(0)), path)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("fails", [False, True])
def test_a_file_replaced_while_it_is_read_is_read_again(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened, calls = tmp_path / "pair.safetensors", _files.safe_open, list[str]()
    gu.Embeddings(X, X).save(path)

    def safe_open(name: Path, **how: Any) -> Any:
        calls.append("")
        if len(calls) > 1:
            return opened(name, **how)
        before = opened(name, **how)
        gu.Embeddings(X[:2], X[:2]).save(path)
        if fails:  # the head of one and the content of the other
            raise RuntimeError("size <648> is smaller than <752>")
        return before

    monkeypatch.setattr(_files, "safe_open", safe_open)
    assert len(gu.Embeddings.load(path).queries) == 2


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for thing in (gu.Embeddings(X, X), gu.Centering().fit(X, X.flip(0))):
        with pytest.raises(IsADirectoryError, match=r"^path: expected a file, got the folder"):
            thing.save(tmp_path)
