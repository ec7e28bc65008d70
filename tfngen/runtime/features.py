"""Features: the paper's V^(l)_{acm}, one tensor (points, channels, 2l + 1) per irrep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from tfngen.irreps import Block, Irrep, Irreps

IrrepLike = Irrep | str | int | tuple[int, int]


class UnknownIrrepError(ValueError, KeyError):
    """Features hold no tensor for the irrep asked for, or several for a bare degree."""

    __str__ = Exception.__str__  # KeyError would print the message's repr


def channels_last(tensor: Tensor) -> Tensor:
    """The same (points, channels, 2l+1) tensor, stored with the channel as the contiguous axis.

    Kernels put a channel in each vector lane, so this is the layout they read without copying: a
    transposed view of a contiguous (points, 2l+1, channels) tensor. Returns `tensor` itself when it is
    stored like that already.
    """
    if tensor.ndim != 3:
        raise ValueError(f"tensor: shape {tuple(tensor.shape)}; it must be (points, channels, 2l+1)")
    return tensor.transpose(1, 2).contiguous().transpose(1, 2)


def concatenate_channels(tensors: Sequence[Tensor]) -> Tensor:
    """(points, C_i, 2l+1) tensors → (points, Σ C_i, 2l+1), channels innermost in memory."""
    if len(tensors) == 1:
        return tensors[0]
    return torch.cat([tensor.transpose(1, 2) for tensor in tensors], dim=-1).transpose(1, 2)


class Features(Mapping[Irrep, Tensor]):
    """An immutable mapping from irrep to a tensor of shape (points, channels, 2l + 1).

    Keys are an `Irrep`, its name (``"1o"``), a pair (l, p) or, for reading, a bare degree when only one
    irrep has it. Every tensor has the same points, float dtype and device; channels differ freely. The
    order of the irreps is the order given, and `packed` keeps it.

    Args:
        tensors: one tensor per irrep, as a mapping or as pairs. A bare degree l stands for even parity
            here, as it does in `Irrep.parse`.

    Raises:
        ValueError: no tensor, a repeated irrep, or a tensor whose shape, dtype or device does not fit.
    """

    _irreps: tuple[Irrep, ...]
    _tensors: tuple[Tensor, ...]

    def __init__(self, tensors: Mapping[Any, Tensor] | Iterable[tuple[IrrepLike, Tensor]]) -> None:
        pairs = tensors.items() if isinstance(tensors, (dict, Mapping)) else tensors
        keys: list[Irrep] = []
        values: list[Tensor] = []
        for key, value in pairs:
            keys.append(Irrep.parse(key))
            values.append(value)
        if not keys:
            raise ValueError("tensors: there are none; features have at least one irrep")
        if len(set(keys)) < len(keys):
            twice = next(irrep for irrep in keys if keys.count(irrep) > 1)
            raise ValueError(f"tensors: {twice} is given twice; concatenate its channels")
        first = values[0]
        for irrep, tensor in zip(keys, values, strict=True):
            if not _fits(irrep, tensor, first):
                raise _misfit(irrep, tensor, keys[0], first)
        self._irreps, self._tensors = tuple(keys), tuple(values)

    @classmethod
    def _of(cls, irreps: Sequence[Irrep], tensors: Sequence[Tensor]) -> Features:
        """Without validation, for tensors this package computed itself."""
        features = cls.__new__(cls)
        features._irreps, features._tensors = tuple(irreps), tuple(tensors)
        return features

    @classmethod
    def from_packed(cls, tensor: Tensor, irreps: Irreps | str) -> Features:
        """Read e3nn's layout (``mul_ir``): (points, irreps.dim), block after block, m fastest.

        Blocks that repeat an irrep become more channels of it, in order.

        Raises:
            ValueError: `tensor` is not a float tensor of shape (points, irreps.dim).
        """
        irreps = Irreps.parse(irreps)
        if tensor.ndim != 2 or tensor.shape[1] != irreps.dim:
            raise ValueError(
                f"tensor: shape {tuple(tensor.shape)}; {irreps} packs into (points, {irreps.dim})"
            )
        columns = torch.split(tensor, [block.dim for block in irreps], dim=1)
        parts: dict[Irrep, list[Tensor]] = {}
        for block, column in zip(irreps, columns, strict=True):
            if block.multiplicity:
                shape = (tensor.shape[0], block.multiplicity, block.irrep.dim)
                parts.setdefault(block.irrep, []).append(column.reshape(shape))
        return cls({irrep: channels_last(concatenate_channels(part)) for irrep, part in parts.items()})

    def packed(self, irreps: Irreps | str | None = None) -> Tensor:
        """Write e3nn's layout (``mul_ir``): (points, irreps.dim), block after block, m fastest.

        Args:
            irreps: the blocks to write, `self.irreps` by default; another order, or blocks that split an
                irrep's channels, are filled in order.

        Raises:
            ValueError: `irreps` does not have the channels of these features.
        """
        wanted = self.irreps if irreps is None else Irreps.parse(irreps)
        if {block.irrep: block.multiplicity for block in wanted.regroup()} != {
            block.irrep: block.multiplicity for block in self.irreps
        }:
            raise ValueError(f"irreps: {wanted} does not have the channels of these features, {self.irreps}")
        used = dict.fromkeys(self._irreps, 0)
        columns = []
        for multiplicity, irrep in wanted:
            if multiplicity:
                channels = self[irrep].narrow(1, used[irrep], multiplicity)
                columns.append(channels.reshape(self.num_points, multiplicity * irrep.dim))
                used[irrep] += multiplicity
        return torch.cat(columns, dim=1)

    @classmethod
    def cat(cls, parts: Sequence[Features]) -> Features:
        """Concatenate along channels: the union of the irreps, in order of first appearance.

        Raises:
            ValueError: no parts, or parts with different points, dtype or device.
        """
        if not parts:
            raise ValueError("parts: there are none to concatenate")
        irreps = list(dict.fromkeys(irrep for part in parts for irrep in part._irreps))
        return cls(
            [
                (irrep, concatenate_channels([part[irrep] for part in parts if irrep in part]))
                for irrep in irreps
            ]
        )

    @classmethod
    def cat_points(cls, parts: Sequence[Features]) -> Features:
        """Concatenate along points, as `Graph.batch` concatenates graphs.

        Raises:
            ValueError: no parts, or parts whose irreps differ.
        """
        if not parts:
            raise ValueError("parts: there are none to concatenate")
        for position, part in enumerate(parts):
            if part.irreps != parts[0].irreps:
                raise ValueError(f"parts[{position}]: irreps {part.irreps}; parts[0] has {parts[0].irreps}")
        return cls([(irrep, torch.cat([part[irrep] for part in parts])) for irrep in parts[0]._irreps])

    @property
    def irreps(self) -> Irreps:
        """The irreps with their channels, such as ``128x0e+64x1o``."""
        pairs = zip(self._irreps, self._tensors, strict=True)
        return Irreps(tuple(Block(tensor.shape[1], irrep) for irrep, tensor in pairs))

    @property
    def _channels(self) -> dict[Irrep, int]:
        """The channels of each irrep."""
        return {irrep: tensor.shape[1] for irrep, tensor in zip(self._irreps, self._tensors, strict=True)}

    def _are_in_order(self, irreps: Irreps) -> bool:
        """Whether these are the blocks of `irreps`, one by one; quickly, and so perhaps not if they are."""
        if len(irreps.blocks) != len(self._irreps):
            return False
        for (count, irrep), own, tensor in zip(irreps.blocks, self._irreps, self._tensors, strict=True):
            if irrep is not own or count != tensor.shape[1]:
                return False
        return True

    @property
    def num_points(self) -> int:
        """The number of points, the first axis of every tensor."""
        return self._tensors[0].shape[0]

    @property
    def dtype(self) -> torch.dtype:
        return self._tensors[0].dtype

    @property
    def device(self) -> torch.device:
        return self._tensors[0].device

    def map(self, function: Callable[[Tensor], Tensor]) -> Features:
        """Apply `function` to every tensor; it must keep (points, channels, 2l + 1) with the same points."""
        return Features(
            [(irrep, function(tensor)) for irrep, tensor in zip(self._irreps, self._tensors, strict=True)]
        )

    def to(self, *args: Any, **kwargs: Any) -> Features:
        """`torch.Tensor.to` on every tensor: a dtype, a device or both."""
        return Features._of(self._irreps, [tensor.to(*args, **kwargs) for tensor in self._tensors])

    def detach(self) -> Features:
        """The same values, outside the autograd graph."""
        return Features._of(self._irreps, [tensor.detach() for tensor in self._tensors])

    def __getitem__(self, key: IrrepLike) -> Tensor:
        for irrep, tensor in zip(self._irreps, self._tensors, strict=True):
            if irrep is key:
                return tensor
        by_degree = isinstance(key, int) and not isinstance(key, bool)
        irrep = None if by_degree else Irrep.parse(key)
        found = [
            tensor
            for candidate, tensor in zip(self._irreps, self._tensors, strict=True)
            if (candidate.l == key if by_degree else candidate == irrep)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownIrrepError(f"irrep: degree {key} has both parities here; write '{key}e' or '{key}o'")
        raise UnknownIrrepError(f"irrep: {key} is not among these features' irreps, {self.irreps}")

    def __iter__(self) -> Iterator[Irrep]:
        return iter(self._irreps)

    def __len__(self) -> int:
        return len(self._irreps)

    __eq__ = object.__eq__  # a mapping's equality would ask whole tensors for a truth value
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Features({self.num_points} points, {self.irreps}, {self.dtype}, {self.device})"


def _fits(irrep: Irrep, tensor: object, first: Tensor) -> bool:
    """Whether `tensor` is (points, channels, 2l+1) and agrees with the first tensor."""
    if not isinstance(tensor, Tensor) or tensor.dim() != 3 or not tensor.is_floating_point():
        return False
    points, channels, components = tensor.shape
    if components != irrep.dim or not channels:
        return False
    if tensor is first:
        return True
    return points == first.shape[0] and tensor.dtype == first.dtype and tensor.device == first.device


def _misfit(irrep: Irrep, tensor: object, first_irrep: Irrep, first: Tensor) -> ValueError:
    """What is wrong with a tensor that does not fit."""
    if not isinstance(tensor, Tensor):
        return ValueError(f"tensors[{irrep}]: a {type(tensor).__name__}; it must be a torch.Tensor")
    if tensor.ndim != 3 or tensor.shape[2] != irrep.dim:
        return ValueError(
            f"tensors[{irrep}]: shape {tuple(tensor.shape)}; it must be (points, channels, {irrep.dim})"
        )
    if tensor.shape[1] == 0:
        return ValueError(f"tensors[{irrep}]: no channels; leave out an irrep that has none")
    if not tensor.is_floating_point():
        return ValueError(f"tensors[{irrep}]: dtype {tensor.dtype}; it must be a float dtype")
    name, value, wanted = next(
        (name, value, wanted)
        for name, value, wanted in (
            ("points", tensor.shape[0], first.shape[0]),
            ("dtype", tensor.dtype, first.dtype),
            ("device", tensor.device, first.device),
        )
        if value != wanted
    )
    return ValueError(f"tensors[{irrep}]: {name} {value}; tensors[{first_irrep}] has {wanted}")


# torch.export, torch.func and functional transforms see the tensors inside.
pytree.register_pytree_node(
    Features,
    lambda features: (list(features._tensors), features._irreps),
    lambda tensors, irreps: Features._of(irreps, list(tensors)),
    serialized_type_name="tfngen.Features",
    to_dumpable_context=lambda irreps: [str(irrep) for irrep in irreps],
    from_dumpable_context=lambda names: tuple(Irrep.parse(name) for name in names),
    flatten_with_keys_fn=lambda features: (
        [(pytree.MappingKey(str(irrep)), tensor) for irrep, tensor in features.items()],
        features._irreps,
    ),
)
