"""A module in place of another: the same parameters, buffers, children and hooks, another forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tfngen.interop.packages import Packages

_OWN = ("original", "training")


class Standin(nn.Module):
    """Computes what `original` computes, with what belongs to it.

    Parameters, buffers, children and hooks are not copied: both modules hold the same dictionaries, so
    optimisers, `state_dict`, `to` and `requires_grad_` see no difference, and `original` stays as usable as
    before. Attributes that are not found here are those of `original`.
    """

    by = ""
    """What it computes with."""
    packages: Packages | None = None
    """The packages it computes with."""
    absorbed: tuple[str, ...] | None = None
    """The children whose work it does itself; None for all of them."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        shared = {k: v for k, v in vars(original).items() if k.startswith("_") and isinstance(v, dict | set)}
        self.__dict__.update(shared)
        self.__dict__["original"] = original  # past torch, which would make it a child
        self.training = original.training

    def train(self, mode: bool = True) -> Standin:
        """As of every module; `original` follows."""
        super().train(mode)
        self.original.training = mode
        return self

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in _OWN:
                raise
            return getattr(self.original, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"original": self.original}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["original"])  # type: ignore[misc]

    def absorbed_below(self, name: str) -> list[str]:
        """How the names begin of all modules whose work it does, where its own is `name`."""
        return [f"{name}."] if self.absorbed is None else [f"{name}.{child}." for child in self.absorbed]

    def left_on(self, device: torch.device) -> str:
        """Why tensors of `device` would be left to `original`; empty where they would not."""
        return "" if self.packages is None else self.packages.missing_on(device)

    def placed_in(self, model: nn.Module) -> None:
        """Told once it is a part of `model`, whatever that is good for."""

    def extra_repr(self) -> str:
        """What it stands in for."""
        return f"for {type(self.original).__module__}.{type(self.original).__name__}"


def device_of(module: nn.Module) -> torch.device:
    """Where a module's tensors are; torch's default where it has none."""
    tensors = (*module.parameters(), *module.buffers())
    return next((each.device for each in tensors), torch.get_default_device())


Made = tuple[Standin, Callable[[nn.Module], Tensor]]
"""A stand-in, and a call of either module with the same small operands, which tells whether they agree."""
