"""What the paper's models cost at full size: python tests/rehearsal/measure.py TABLE.csv [NAME …]

Each model (all six, or those whose open_clip names are given) is made with random weights, served
by a hub on this machine, fetched and loaded by another process, and deleted again: 8 GB of disk and
9 GB of memory for the largest. Rows of TABLE.csv of the same models and machine are replaced.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

IMAGES = 4


def loaded(name: str, tag: str) -> dict[str, float]:
    """Seconds of the processor for fetching, loading and embedding, and the peak of the memory."""
    import torch
    from PIL import Image

    import gaputils as gu
    from gaputils.models import _hub
    from gaputils.models._open_clip import _fetched

    torch.set_num_threads(1)
    marks = [(time.perf_counter(), time.process_time())]

    def lap() -> tuple[float, float]:
        marks.append((time.perf_counter(), time.process_time()))
        (wall, cpu), (before, cpu_before) = marks[-1], marks[-2]
        return wall - before, cpu - cpu_before

    file = _fetched(name, tag)
    assert file is not None
    assert file.name in _hub.WEIGHTS
    fetch_wall, fetch = lap()
    model = gu.load_model(name, tag, device="cpu")
    load_wall, load = lap()
    rng = torch.Generator().manual_seed(0)
    height, width = model.image_size
    pixels = torch.randint(0, 256, (IMAGES, height, width, 3), generator=rng, dtype=torch.uint8)
    images = [Image.fromarray(one.numpy()) for one in pixels]
    model.encode_images(images[:1])
    lap()
    found = model.encode_images(images)
    _, image = lap()
    assert torch.isfinite(found).all()
    model.encode_texts(["a photo of a cat.", "two dogs on a boat."])
    _, text = lap()
    # Not ru_maxrss, which a process inherits from the one that it was forked from.
    status = Path("/proc/self/status").read_text()
    return {
        "file_gb": file.stat().st_size / 1e9,
        "fetch_wall_s": fetch_wall,
        "fetch_cpu_s": fetch,
        "load_wall_s": load_wall,
        "load_cpu_s": load,
        "image_cpu_s": image / IMAGES,
        "text_cpu_s": text / 2,
        "peak_gb": 1024 * int(status.partition("VmHWM:")[2].split()[0]) / 1e9,
    }


def measured(name: str, tag: str, scratch: Path) -> dict[str, Any]:
    """A row of the table: the model made, served, fetched and loaded, each in a process."""
    from gaputils.pages.speed.timing import machine
    from rehearsal import checkpoints
    from rehearsal.hub import Hub, serving

    hub, repository = Hub(), checkpoints.repository_of(name, tag)
    _run("make", name, tag, str(scratch / "made"), {})
    hub.add(repository, "open_clip_model.safetensors", scratch / "made" / checkpoints.WEIGHTS[0])
    if repository == checkpoints.SIGLIP:
        for path in checkpoints.write_tokenizer(scratch / "tokenizer"):
            hub.add(repository, path.name, path)
    with serving(hub):
        named = {"HF_ENDPOINT": hub.url, "HF_HOME": str(scratch / "hf"), "HF_HUB_OFFLINE": "0"}
        row = json.loads(_run("load", name, tag, "", named))
    place = {"load": os.getloadavg()[0], "machine": f"{machine()['cpu']}, {os.cpu_count()} cores"}
    return {"model": name, "weights": tag, **row, **place}


def _run(step: str, name: str, tag: str, folder: str, named: dict[str, str]) -> str:
    command = [sys.executable, __file__, f"--{step}", name, tag, folder]
    environment = {**os.environ, **named, "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def main(table: Path, names: list[str]) -> None:
    """Measure and write, a model at a time."""
    import pandas as pd

    from rehearsal import checkpoints

    for name, tag in checkpoints.PAIRS:
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            row = measured(name, tag, Path(scratch))
        known = pd.read_csv(table) if table.is_file() else pd.DataFrame(columns=list(row))
        same = (known["model"] == name) & (known["weights"] == tag)
        known = known[~(same & (known["machine"] == row["machine"]))].to_dict("records")
        frame = pd.DataFrame([*known, row])
        frame.to_csv(table, index=False, float_format="%.4g")
        print(frame.iloc[-1].to_dict(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        from rehearsal.checkpoints import write

        print(write(sys.argv[2], sys.argv[3], Path(sys.argv[4])))
    elif sys.argv[1] == "--load":
        print(json.dumps(loaded(sys.argv[2], sys.argv[3])))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
