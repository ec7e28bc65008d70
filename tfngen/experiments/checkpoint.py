"""Training runs on disk: all that the next step depends on, in one safetensors file, written whole."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from tfngen.files import write_bytes

SECONDS = 30.0
"""How often a checkpoint is written."""


class Curves:
    """Numbers recorded step by step, kept as means over `window` steps."""

    def __init__(self, window: int = 1) -> None:
        self.window = window
        self.values: dict[str, list[float]] = {}
        self._sums: dict[str, float] = {}
        self._steps = 0

    def add(self, record: Mapping[str, float]) -> None:
        """What one step recorded."""
        for name, value in record.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        if self._steps == self.window:
            for name, value in self._sums.items():
                self.values.setdefault(name, []).append(value / self.window)
            self._sums, self._steps = {}, 0

    def state(self) -> dict[str, Any]:
        """All of it, as JSON says it; floats come back as they were."""
        return {"values": self.values, "sums": self._sums, "steps": self._steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from another's `state`."""
        self.values, self._sums, self._steps = dict(state["values"]), dict(state["sums"]), state["steps"]


class Checkpoint:
    """Where a training run stands: parameters, an average of them, Adam's moments, curves.

    Args:
        path: the file; it appears complete or not at all.
        settings: what makes the run the one it is, as JSON says it. A checkpoint of other settings is
            refused.
        seconds: how long to wait before writing again; 0 for every step.
        write: whether this process writes; of several that train together, one does.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Mapping[str, Any],
        seconds: float = SECONDS,
        write: bool = True,
    ) -> None:
        self.path, self.settings = Path(path), json.loads(json.dumps(settings))
        self.seconds, self.write = seconds, write
        self._written = time.monotonic()

    def restore(self, modules: Mapping[str, nn.Module], optimizer: Optimizer, curves: Curves) -> int:
        """Put everything back as the file has it; the number of steps done, 0 where there is no file.

        Raises:
            ValueError: the file is damaged, or of a run with other settings or another model.
        """
        if not self.path.exists():
            return 0
        tensors, note = self._read()
        if differences := self._differences(note.get("settings", {})):
            raise ValueError(
                f"checkpoint: {self.path} is of another run: {'; '.join(differences)}. Continue it as it was "
                "begun, or name another folder"
            )
        for name, module in modules.items():
            state = {
                key: tensors[f"{name}.{key}"] for key in module.state_dict() if f"{name}.{key}" in tensors
            }
            try:
                module.load_state_dict(state)
            except RuntimeError as error:
                raise ValueError(f"checkpoint: {self.path} holds another model ({error})") from error
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        curves.restore(note["curves"])
        steps: int = note["steps"]
        return steps

    def save_if_due(
        self,
        modules: Mapping[str, nn.Module],
        optimizer: Optimizer,
        curves: Curves,
        steps: int,
        last: bool = False,
    ) -> None:
        """Write the file if the last time is long ago, or these are the last steps."""
        if self.write and (last or time.monotonic() - self._written >= self.seconds):
            self._save(modules, optimizer, curves, steps)
            self._written = time.monotonic()

    def remove(self) -> None:
        """The run is over and its results are written."""
        if self.write:
            self.path.unlink(missing_ok=True)

    def _save(
        self, modules: Mapping[str, nn.Module], optimizer: Optimizer, curves: Curves, steps: int
    ) -> None:
        import safetensors.torch

        tensors = {
            f"{name}.{key}": tensor
            for name, each in modules.items()
            for key, tensor in each.state_dict().items()
        }
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
        note = {"settings": self.settings, "steps": steps, "curves": curves.state()}
        content = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        write_bytes(self.path, safetensors.torch.save(content, {"tfngen": json.dumps(note)}))

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="pt") as file:
                note = json.loads((file.metadata() or {})["tfngen"])
                return {key: file.get_tensor(key) for key in file.keys()}, note  # noqa: SIM118
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"checkpoint: {self.path} cannot be read ({type(error).__name__}: {error}); "
                "remove it to start over"
            ) from error

    def _differences(self, settings: Mapping[str, Any]) -> list[str]:
        names = sorted(self.settings.keys() | settings.keys())
        return [
            f"{name} is {settings.get(name)!r} there, {self.settings.get(name)!r} here"
            for name in names
            if settings.get(name) != self.settings.get(name)
        ]


def refuse_unfinished(path: str | os.PathLike[str]) -> None:
    """Raise if an earlier run left a checkpoint that a new one would write over.

    Raises:
        ValueError: it did.
    """
    if Path(path).exists():
        raise ValueError(
            f"out: {Path(path).parent} holds an unfinished run; continue it with --resume, or remove {path}"
        )
