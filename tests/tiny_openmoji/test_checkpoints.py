"""Checkpoints in small: what is written comes back, in half precision and in its own rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gaputils._files import read_safetensors
from gaputils.tiny_openmoji import checkpoints


def state(rows: torch.Tensor) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        checkpoints.TOKEN_TABLE: torch.randn(len(rows), 6, generator=generator),
        "visual.weight": torch.randn(4, 3, generator=generator).mT,
        "logit_scale": torch.tensor(2.6390573),
    }


def test_what_is_written_comes_back_in_half_precision(tmp_path: Path) -> None:
    rows = torch.tensor([2, 5, 11])
    written = state(rows)
    path = checkpoints.checkpoint_path(tmp_path, 30)
    assert path.name == "step-00030.safetensors"
    checkpoints.write_checkpoint(path, written, rows, {"seed": 3, "steps": 30})
    tensors, metadata = read_safetensors(path)
    assert json.loads(metadata["training"]) == {"seed": 3, "steps": 30}
    full = checkpoints.expand(tensors, 20)
    assert set(full) == set(written)
    assert all(value.dtype == torch.float32 for value in full.values())
    assert torch.equal(full["logit_scale"], written["logit_scale"]), "single numbers are exact"
    assert torch.equal(full["visual.weight"], written["visual.weight"].half().float())
    table = full[checkpoints.TOKEN_TABLE]
    assert table.shape == (20, 6)
    assert torch.equal(table[rows], written[checkpoints.TOKEN_TABLE].half().float())
    others = torch.ones(20, dtype=torch.bool)
    others[rows] = False
    assert not table[others].any()


def test_the_same_training_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = torch.tensor([2, 5, 11])
    for name in "ab":
        training = {"learning_rate": 1e-3, "seed": 3, "loss": "clip"}
        checkpoints.write_checkpoint(tmp_path / name, state(rows), rows, training)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_kept_steps_are_in_order_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    for step in (400, 0, 25):
        checkpoints.checkpoint_path(tmp_path, step).touch()
    (tmp_path / "trajectory.csv").touch()
    (tmp_path / "step-00007.partial").touch()
    assert checkpoints.kept_steps(tmp_path) == [0, 25, 400]


def test_the_configuration_is_in_open_clips_own_format(tmp_path: Path) -> None:
    checkpoints.write_config(tmp_path)
    config = json.loads((tmp_path / checkpoints.CONFIG_FILE).read_text())
    assert config["model_cfg"] == json.loads(checkpoints.MODEL_FILE.read_text())
    assert config["preprocess_cfg"]["mean"] == pytest.approx([0.481, 0.458, 0.408], abs=1e-3)
    shipped = json.loads((checkpoints.SHIPPED / checkpoints.CONFIG_FILE).read_text())
    assert config == shipped


def test_a_shipped_checkpoint_has_the_full_table_of_which_few_rows_are_in_use() -> None:
    step = checkpoints.kept_steps(checkpoints.SHIPPED)[-1]
    full = checkpoints.read_checkpoint(checkpoints.SHIPPED, step)
    tensors, _ = read_safetensors(checkpoints.checkpoint_path(checkpoints.SHIPPED, step))
    table = full[checkpoints.TOKEN_TABLE]
    assert len(table) == checkpoints.MODEL_CONFIG["text_cfg"]["vocab_size"]
    used = table.any(dim=1).nonzero()[:, 0]
    assert torch.equal(used, tensors[checkpoints.TOKEN_ROWS].long().sort().values)
