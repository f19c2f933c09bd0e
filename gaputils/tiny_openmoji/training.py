"""How `tiny-openmoji` is trained: a CLIP of open_clip's own classes, from scratch, on a CPU.

The same settings and seed give the same checkpoints, byte for byte, on one machine with one
number of threads; over machines the trajectories agree within the tolerances stated in the
model card.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gaputils._checks import as_seed, integer, number
from gaputils._extras import require_extra
from gaputils._files import only_writer, read_safetensors, write_safetensors, write_text
from gaputils._reading import named_place
from gaputils.datasets.openmoji import Augmentation, augment, catalogue, drawings
from gaputils.datasets.templates import SEEN
from gaputils.tiny_openmoji import checkpoints
from gaputils.tiny_openmoji.probe import PAIRS, Probe, measure

TRAJECTORY_FILE = "trajectory.csv"
SETTINGS_FILE = "settings.json"
_STATE_FILE = "unfinished.safetensors"
_KEPT = (0, 50, 200, 400)


@dataclass(frozen=True)
class TrainingSettings:
    """The recipe. `logit_scale` is the factor on the cosines: kept at that value, or learned
    from there on (never above 100, as in CLIP) if `learn_logit_scale`. The learning rate rises
    over `warm_up` steps, stays to half of `schedule` and falls linearly, to be 0 at `schedule`,
    which is a third more than `steps` if left out: by default a run ends at half its learning
    rate, where it knows its emoji and still has its gap. `keep` lists the steps whose checkpoints
    are written, 0, 50, 200 and 400 as far as the run goes if left out; the last is always."""

    steps: int = 750
    schedule: int | None = None
    batch_size: int = 256
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    warm_up: int = 50
    logit_scale: float = 100.0
    learn_logit_scale: bool = False
    seed: int = 0
    keep: tuple[int, ...] | None = None
    save_every: int = 250

    def __post_init__(self) -> None:
        integer("steps", self.steps, low=1)
        integer("batch_size", self.batch_size, low=2, high=len(_known()))
        integer("warm_up", self.warm_up, low=1)
        as_seed(self.seed)
        integer("save_every", self.save_every, low=1)
        number("learning_rate", self.learning_rate, low=0, strict=True)
        number("logit_scale", self.logit_scale, low=0, high=100, strict=True)
        if self.schedule is not None:
            integer("schedule", self.schedule, low=self.steps)
        if self.keep is None:
            object.__setattr__(self, "keep", tuple(step for step in _KEPT if step <= self.steps))
        for step in self.keep or ():
            if integer("keep", step, low=0) > self.steps:
                raise ValueError(f"keep: expected steps up to {self.steps}, got {step}")

    def rate(self, step: int) -> float:
        """The learning rate of the update after which `step` + 1 updates were made."""
        rising = min(1.0, (step + 1) / self.warm_up)
        end = self.schedule or round(self.steps * 4 / 3)
        falling = min(1.0, (end - step) / (end - end // 2))
        return self.learning_rate * min(rising, falling)

    def is_recorded(self, step: int) -> bool:
        """Dense at the start, where the gap is made: the trajectory has a row at `step`."""
        every = 5 if step <= 60 else 20 if step <= 400 else 50
        return step % every == 0 or step == self.steps


def _known() -> list[int]:
    """Rows of the emoji that are trained on."""
    return [row for row, emoji in enumerate(catalogue()) if not emoji.held_out]


def train(settings: TrainingSettings, out: str | Path, *, progress: bool = False) -> pd.DataFrame:
    """Train and record: checkpoints, the trajectory and the settings go to the folder `out`.

    Returns the trajectory, one row a recorded step (see `probe.measure`). A run that was stopped
    goes on from its last saved state and ends with the same files. Raises `FileExistsError` if
    `out` holds another run, `BlockingIOError` while another process writes it.
    """
    folder = named_place("out", out)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        _claim(folder, settings)
        return _train(settings, folder, progress)


def _train(settings: TrainingSettings, folder: Path, progress: bool) -> pd.DataFrame:
    run = _Run.start(settings)
    rows = run.restore(folder)
    began = time.perf_counter()
    while True:
        if settings.is_recorded(run.step) and (not rows or rows[-1]["step"] < run.step):
            rows.append(run.record())
            if progress:
                _show(rows[-1], time.perf_counter() - began)
        if run.step in (settings.keep or ()) or run.step == settings.steps:
            run.keep(folder)
        if run.step == settings.steps:
            break
        run.advance()
        if run.step % settings.save_every == 0:
            run.save(folder, rows)
    trajectory = pd.DataFrame(rows)
    write_text(folder / TRAJECTORY_FILE, trajectory.to_csv(index=False, float_format="%.6g"))
    (folder / _STATE_FILE).unlink(missing_ok=True)
    return trajectory


class _Run:
    """A training in progress: the model with its reduced vocabulary, the optimiser, the data."""

    def __init__(self, settings: TrainingSettings, model: Any, captions: _Captions) -> None:
        self.settings = settings
        self.model = model
        self.captions = captions
        self.step = 0
        self.loss = math.nan
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.probe = Probe.build(model.visual.image_size[0])
        self.drawings = drawings(model.visual.image_size[0])
        self.known = torch.tensor(_known())
        self.order: Tensor = self.known[:0]
        self.optimiser = torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad],
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=0.0,
        )
        mean, std = (checkpoints.PREPROCESS_CONFIG[name] for name in ("mean", "std"))
        self.mean = torch.tensor(mean)[:, None, None]
        self.std = torch.tensor(std)[:, None, None]

    @classmethod
    def start(cls, settings: TrainingSettings) -> _Run:
        require_extra("models", "training", "open_clip")
        from open_clip import CLIP

        config = checkpoints.MODEL_CONFIG
        captions = _captions()
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            model = CLIP(**config)
        table = model.token_embedding.weight.detach()[captions.rows]
        model.token_embedding = nn.Embedding(len(table), table.shape[1], _weight=table.clone())
        model.visual.to(memory_format=torch.channels_last)
        with torch.no_grad():
            model.logit_scale.fill_(math.log(settings.logit_scale))
        model.logit_scale.requires_grad_(settings.learn_logit_scale)
        return cls(settings, model, captions)

    def advance(self) -> None:
        """One update of the weights on one batch of emoji, all different."""
        size = self.settings.batch_size
        if len(self.order) < size:
            permutation = torch.randperm(len(self.known), generator=self.generator)
            self.order = self.known[permutation]
        batch, self.order = self.order[:size], self.order[size:]
        pixels = augment(self.drawings[batch], self.generator, Augmentation())
        tokens = self.captions.draw(batch, self.generator)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate(self.step)
        self.model.train()
        logits = self.model.logit_scale.exp() * self._images(pixels) @ self._texts(tokens).T
        own = torch.arange(size)
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(100))
        self.loss = float(loss.detach())
        self.step += 1

    @torch.inference_mode()
    def record(self) -> dict[str, float]:
        self.model.eval()
        pixels = self.probe.pixels.float() / 255
        images = torch.cat([self._images(part) for part in torch.split(pixels, 256)])
        tokens = self.captions.encode(self.probe.captions)
        texts = torch.cat([self._texts(part) for part in torch.split(tokens, 512)])
        scale = float(self.model.logit_scale.exp())
        own = self.probe.targets[:PAIRS]
        logits = scale * images[:PAIRS] @ texts[own].T
        loss = (F.cross_entropy(logits, torch.arange(PAIRS)) * 0.5) + 0.5 * F.cross_entropy(
            logits.T, torch.arange(PAIRS)
        )
        row = {"step": self.step, "loss": float(loss), "loss_batch": self.loss}
        return row | measure(images, texts, self.probe.targets, scale)

    def keep(self, folder: Path) -> None:
        path = checkpoints.checkpoint_path(folder, self.step)
        training = {"step": self.step, "settings": asdict(self.settings)}
        checkpoints.write_checkpoint(path, self.model.state_dict(), self.captions.rows, training)

    def save(self, folder: Path, rows: list[dict[str, float]]) -> None:
        """All that is needed to go on, in one file."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
        tensors |= {"generator": self.generator.get_state(), "order": self.order}
        metadata = {"step": str(self.step), "loss": repr(self.loss), "rows": json.dumps(rows)}
        write_safetensors(folder / _STATE_FILE, tensors, metadata)

    def restore(self, folder: Path) -> list[dict[str, float]]:
        """Go back to what `save` wrote, if anything; returns the rows recorded until then."""
        path = folder / _STATE_FILE
        if not path.is_file():
            return []
        tensors, metadata = read_safetensors(path)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimiser": {}}
        for name, value in tensors.items():
            head, _, rest = name.partition(".")
            if rest:
                parts[head][rest] = value
        self.model.load_state_dict(parts["model"])
        state = self.optimiser.state_dict()
        for name, value in parts["optimiser"].items():
            index, _, kind = name.partition(".")
            state["state"].setdefault(int(index), {})[kind] = value
        self.optimiser.load_state_dict(state)
        self.generator.set_state(tensors["generator"])
        self.order = tensors["order"]
        self.step, self.loss = int(metadata["step"]), float(metadata["loss"])
        rows: list[dict[str, float]] = json.loads(metadata["rows"])
        return rows

    def _images(self, pixels: Tensor) -> Tensor:
        batch = ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        result: Tensor = self.model.encode_image(batch, normalize=True)
        return result

    def _texts(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.model.encode_text(tokens, normalize=True)
        return result


class _Captions:
    """Every emoji's names in every template, as tokens of the reduced vocabulary `rows`."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        names = [emoji.names for emoji in catalogue()]
        self.first = torch.tensor([0, *map(len, names)]).cumsum(0)
        flat = [name for some in names for name in some]
        tokens = tokenizer([t.replace("{}", name) for name in flat for t in SEEN])
        self.rows: Tensor = torch.unique(tokens)
        self.tokens = torch.searchsorted(self.rows, tokens).view(len(flat), len(SEEN), -1)

    def draw(self, emoji: Tensor, generator: torch.Generator) -> Tensor:
        """For each emoji the tokens of one of its names in one of the templates."""
        low, high = self.first[emoji], self.first[emoji + 1]
        name = low + (torch.rand(len(emoji), generator=generator) * (high - low)).long()
        template = torch.randint(len(SEEN), (len(emoji),), generator=generator)
        return self.tokens[name, template]

    def encode(self, captions: tuple[str, ...]) -> Tensor:
        return torch.searchsorted(self.rows, self.tokenizer(list(captions)))


@cache
def _captions() -> _Captions:
    from open_clip import SimpleTokenizer

    length = checkpoints.MODEL_CONFIG["text_cfg"]["context_length"]
    tokenizer = SimpleTokenizer(context_length=length)
    # No token crosses a space: a word is split once, however many captions it is in.
    pieces = cache(tokenizer.encode)
    tokenizer.encode = lambda text: [piece for word in text.split() for piece in pieces(word)]
    return _Captions(tokenizer)


def _claim(folder: Path, settings: TrainingSettings) -> None:
    path = folder / SETTINGS_FILE
    text = json.dumps(asdict(settings), indent=2) + "\n"
    if path.is_file() and path.read_text() != text:
        raise FileExistsError(f"out: {folder} holds a run with other settings")
    write_text(path, text)
    checkpoints.write_config(folder)


def _show(row: dict[str, float], seconds: float) -> None:
    names = ("loss", "gap_norm", "top1", "top1_held_out")
    values = "  ".join(f"{name} {row[name]:.3f}" for name in names)
    print(f"step {row['step']:5.0f}  {values}  {seconds:6.0f} s", flush=True)
