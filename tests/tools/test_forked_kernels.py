"""A forked kernel runs cells, draws, obeys its environment and ends with its manager."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from forked_kernels import fork_server, forked_kernels

DRAWN = """
import os, sys, torch
import matplotlib.pyplot as plt
print(os.getpid(), os.getcwd(), torch.get_num_threads(), os.environ["A_NAME"])
print("gaputils" in sys.modules)
plt.plot([1, 2])
plt.show()
"""


def run(code: str, folder: Path, **options: object) -> list[nbformat.NotebookNode]:
    """What `code` puts out in a kernel that works in `folder`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with forked_kernels():
        NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **options).execute()
    return notebook.cells[0].outputs


def test_a_forked_kernel_is_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("A_NAME", "a value")
    text, figure = run(DRAWN, tmp_path)
    number, folder, threads, rest = text["text"].split(maxsplit=3)
    assert Path(folder) == tmp_path.resolve()
    assert (threads, rest) == ("1", "a value\nFalse\n")
    assert "image/png" in figure["data"]
    assert int(number) != os.getpid()
    assert not psutil.pid_exists(int(number)) or psutil.Process(int(number)).status() == "zombie"


def test_what_another_server_imported_is_not_in_a_kernel(tmp_path: Path) -> None:
    told = "import sys; print('gaputils' in sys.modules)"
    process = fork_server(["gaputils"]).Process(target=exec, args=("import gaputils",))
    process.start()
    process.join()
    assert run(told, tmp_path)[0]["text"] == "False\n"


def test_what_fails_or_hangs_is_told(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="no such thing"):
        run("raise ValueError('no such thing')", tmp_path)
    with pytest.raises(CellTimeoutError):
        run("import time\ntime.sleep(100)", tmp_path, timeout=1)


def test_kernels_are_as_before_afterwards(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import sys; print(sys.argv[0])")]
    )
    with forked_kernels():
        pass
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "ipykernel_launcher" in notebook.cells[0].outputs[0]["text"]
