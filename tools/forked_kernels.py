"""Kernels that are forked from a process which has imported what pages import.

Inside `forked_kernels()` every kernel that this process starts is such a fork: it has torch and its
like in memory at once, where a fresh interpreter reads them for seconds. The package itself is not
among what is imported before, so that a page still shows whether its own imports are complete.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import LocalProvisioner
from jupyter_client.provisioning.factory import KernelProvisionerFactory

NAME = "forked"
IMPORTED = [
    "ipykernel.kernelapp",
    "ipywidgets",
    "matplotlib.pyplot",
    "myst_nb",
    "open_clip",
    "pandas",
    "scipy.stats",
    "seaborn",
    "sklearn.covariance",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "torch",
    "torchmetrics",
]


def fork_server(preload: list[str]) -> ForkServerContext:
    """The fork server of this process, with the modules `preload` imported and no others.

    A process has but one: that of another caller, which imported something else, ends here.
    """
    server = forkserver._forkserver
    if server._preload_modules != preload:
        server._stop()
        server.set_forkserver_preload(preload)
    return multiprocessing.get_context("forkserver")


@contextmanager
def forked_kernels() -> Iterator[None]:
    """Kernels that this process starts here are forks."""
    place = EntryPoint(NAME, f"{__name__}:ForkedProvisioner", KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.provisioners[NAME] = place
    factory = KernelProvisionerFactory.instance()
    usual, factory.default_provisioner_name = factory.default_provisioner_name, NAME
    try:
        yield
    finally:
        factory.default_provisioner_name = usual


def _kernel(connection: str, env: dict[str, str], cwd: str) -> None:
    """Be a kernel, in a session of one's own, until it is told to end."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    import matplotlib as mpl
    import torch
    from ipykernel.kernelapp import launch_new_instance

    # What these read of the environment when they are imported, and were before it was this one.
    mpl.rcParams["backend"] = env.get("MPLBACKEND") or "module://matplotlib_inline.backend_inline"
    torch.set_num_threads(int(env.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    watched = f"--IPKernelApp.parent_handle={os.getppid()}"
    launch_new_instance(argv=["-f", connection, watched, "--log-level=ERROR"])


class _Child:
    """A forked process with as much of `subprocess.Popen` as a provisioner asks for."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid or 0, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class ForkedProvisioner(LocalProvisioner):
    """Starts kernels as forks; all else is as with kernels of one's own machine."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork one that answers at the connection file that `cmd` names."""
        self.cwd = kwargs.get("cwd") or Path.cwd()
        arguments = (cmd[cmd.index("-f") + 1], dict(kwargs["env"]), str(self.cwd))
        process = fork_server(IMPORTED).Process(target=_kernel, args=arguments)
        process.start()
        self.process = _Child(process)
        # It makes a session, hence a group, of its own.
        self.pid = self.pgid = process.pid
        return self.connection_info
