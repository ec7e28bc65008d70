"""Trained weights on disk, as safetensors: no pickle, readable from every language."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from tfngen.files import write_bytes


def save(model: nn.Module, path: str | os.PathLike[str], /, **metadata: Any) -> None:
    """Write the model's parameters and persistent buffers; the file appears complete or not at all.

    Args:
        model: any module.
        path: the file, such as ``model.safetensors``; replaced if it exists.
        metadata: anything JSON can say, read back by `load`. The same model gives the same bytes.

    Raises:
        ValueError: metadata JSON cannot say.
        ModuleNotFoundError: safetensors is not installed.
    """
    safetensors = _safetensors()
    try:
        note = json.dumps(metadata, sort_keys=True)
    except TypeError as error:
        raise ValueError(f"metadata: {error}; it must be what JSON can say") from error
    # Cloned, because safetensors refuses parameters that share memory.
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    content = safetensors.save({name: t.contiguous() for name, t in tensors.items()}, {"tfngen": note})
    write_bytes(path, content)


def load(model: nn.Module, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read parameters into `model`, keeping its dtype and device, and return the metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, or another model's: the message names what differs.
        ModuleNotFoundError: safetensors is not installed.
    """
    tensors, note = _read(path)
    expected = model.state_dict()
    differences = [f"{name} is missing" for name in expected if name not in tensors]
    differences += [f"{name} is unknown to this model" for name in tensors if name not in expected]
    differences += [
        f"{name} has shape {tuple(tensors[name].shape)}, this model's {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if differences:
        more = f" and {len(differences) - 5} more" if len(differences) > 5 else ""
        raise ValueError(
            f"path: {os.fspath(path)} holds another model's weights: {'; '.join(differences[:5])}{more}"
        )
    model.load_state_dict(tensors)
    return note


def metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save` was told beside the model, so that a model can be made to fit the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file.
        ModuleNotFoundError: safetensors is not installed.
    """
    return _read(path)[1]


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    safetensors = _safetensors()
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"path: {os.fspath(path)} is not a file")
    try:
        tensors = safetensors.load_file(path)
        with safe_open(path, framework="pt") as file:
            note: dict[str, Any] = json.loads((file.metadata() or {}).get("tfngen", "{}"))
    except SafetensorError as error:
        raise ValueError(f"path: {os.fspath(path)} is not a safetensors file ({error})") from error
    return tensors, note


def _safetensors() -> ModuleType:
    try:
        import safetensors.torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "weights on disk need safetensors; install it with: pip install 'tfngen[experiments]'"
        ) from error
    return safetensors.torch
