"""What becomes of a recorded program before it is run: the same numbers from fewer operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from tfngen.tracing.calls import call_directly, pack, window
from tfngen.tracing.sizes import number, numbers
from tfngen.tracing.slices import join_slices
from tfngen.tracing.twice import make_together
from tfngen.tracing.views import VIEWS, places, returned, root, viewed

_aten = torch.ops.aten


def simplify(module: fx.GraphModule) -> Constants:
    """Simplify the program of `module` in place.

    Returns:
        the tensors it has besides its arguments, which are its first arguments from now on.
    """
    graph = module.graph
    settle_sizes(graph)
    own = [_is_made(each) for each in returned(graph)]
    changes_nothing = not changes_something(graph)
    if changes_nothing:
        keep_one_of_each_view(graph)
        join_slices(graph)
        keep_one_of_each(graph)
        keep_one_of_each_view(graph)
        keep_one_of_each(graph)
    graph.eliminate_dead_code()
    constants = lift_constants(module)
    if changes_nothing:
        make_together(graph)
        pack_in_one_call(graph)
        graph.eliminate_dead_code()
        take_windows(graph)
        copy_what_is_returned(graph, own)
    call_directly(graph, changes_nothing)
    graph.eliminate_dead_code()
    graph.lint()
    return constants


def changes_something(graph: fx.Graph) -> bool:
    """Whether some operation writes to a tensor that was there before."""
    return any(_writes(node) for node in graph.nodes)


def changes_constants(graph: fx.Graph) -> bool:
    """Whether some operation writes to what the program found for itself."""
    return any(
        root(each).op == "get_attr" for node in graph.nodes if _writes(node) for each in node.all_input_nodes
    )


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


# ── once each ───────────────────────────────────────────────────────────────────────────────────────────


def keep_one_of_each(graph: fx.Graph) -> None:
    """What is computed twice of the same is computed once."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if node.op not in ("call_function", "get_attr") or _is_random(node):
            continue
        key = (node.op, node.target, _hashable(node.args), _hashable(node.kwargs))
        if (first := seen.setdefault(key, node)) is not node:
            node.replace_all_uses_with(first)
            graph.erase_node(node)


def _is_random(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def _hashable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_hashable(each) for each in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(each)) for key, each in value.items())
    if isinstance(value, slice):
        return slice, _hashable((value.start, value.stop, value.step))
    return type(value), value  # 1, 1.0 and True are not the same argument


def settle_sizes(graph: fx.Graph) -> None:
    """Sizes that are known are numbers, and those that are not are asked for once."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if node.op != "call_function" or not isinstance(node.meta.get("val"), (int, torch.SymInt)):
            continue
        size = number(node.meta["val"])
        found = size if isinstance(size, int) else seen.setdefault(size, node)
        for user in [*node.users] if found is not node else ():
            user.args, user.kwargs = fx.map_arg(
                (user.args, user.kwargs), lambda each, old=node, new=found: new if each is old else each
            )


# ── views ───────────────────────────────────────────────────────────────────────────────────────────────


def keep_one_of_each_view(graph: fx.Graph) -> None:
    """Views of one memory with equal sizes and strides are one: transposed twice, detached, sliced whole."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if not isinstance(node.meta.get("val"), Tensor):
            continue
        first = seen.setdefault((root(node), places(node)), node)
        if first is not node:
            node.replace_all_uses_with(first)
            graph.erase_node(node)


def take_windows(graph: fx.Graph) -> None:
    """A view of a view of rows, such as one irrep of many, is taken in one step (`calls.window`)."""
    for node in graph.nodes:
        base = viewed(node)
        if base is None or viewed(base) is None or all(viewed(user) is node for user in node.users):
            continue
        rows = root(node)
        value, whole = node.meta["val"], rows.meta["val"]
        sizes, strides = numbers(value.shape), numbers(value.stride())
        start = number(value.storage_offset() - whole.storage_offset())
        rows_are_rows = value.dim() and whole.dim() and sizes[0] == number(whole.shape[0])
        if rows_are_rows and all(isinstance(each, int) for each in (*sizes[1:], *strides, start)):
            with graph.inserting_before(node):
                direct = graph.call_function(window, (rows, tuple(sizes[1:]), tuple(strides), start))
            direct.meta = node.meta
            node.replace_all_uses_with(direct)


def pack_in_one_call(graph: fx.Graph) -> None:
    """Irreps transposed one by one and joined are what one kernel does (`tfngen.runtime.layout.pack`)."""
    for node in graph.nodes:
        if node.target is not _aten.cat.default or node.args[1:] != (1,):
            continue
        features = [_turned(piece) for piece in node.args[0]]
        rows = [node] if node.meta["val"].dim() == 2 else list(node.users)
        if not rows or None in features or not all(_are_rows(each, features[0]) for each in rows):
            continue
        with graph.inserting_before(node):
            packed = graph.call_function(pack, tuple(features))
        packed.meta = rows[0].meta
        for each in rows:
            each.replace_all_uses_with(packed)


def _are_rows(node: fx.Node, features: fx.Node) -> bool:
    """Whether `node` has a row for each point of `features`."""
    if node.target not in (_aten.view.default, _aten.cat.default) or node.meta["val"].dim() != 2:
        return False
    return bool(number(node.meta["val"].shape[0]) == number(features.meta["val"].shape[0]))


def _turned(piece: fx.Node) -> fx.Node | None:
    """The features (nodes, channels, 2l + 1) that `piece` is the transpose of, perhaps one row for a node."""
    turned = piece.args[0] if piece.target is _aten.view.default else piece
    if turned.target is not _aten.transpose.int or turned.meta["val"].dim() != 3:
        return None
    features: fx.Node = turned.args[0]
    is_row = piece is turned or _are_rows(piece, features)
    return features if is_row and {axis % 3 for axis in turned.args[1:]} == {1, 2} else None


def _is_made(node: fx.Node) -> bool:
    """Whether a result is none of the arguments and parameters, nor a view of one."""
    return root(node).op not in ("placeholder", "get_attr")


def copy_what_is_returned(graph: fx.Graph, own: Sequence[bool]) -> None:
    """Results that had memory of their own have it still, where passes found it in an argument."""
    for node in {each for each, was in zip(returned(graph), own, strict=True) if was and not _is_made(each)}:
        with graph.inserting_after(node):
            copied = graph.call_function(_aten.clone.default, (node,))
        copied.meta = node.meta
        node.replace_all_uses_with(copied, lambda user: user.op == "output")


# ── constants ───────────────────────────────────────────────────────────────────────────────────────────


class Constants:
    """What a program found for itself, such as parameters, and its views of them.

    Memory is shared: what is written to a parameter in place is seen. A parameter that is given other memory
    (`Module.to`) gets other views.
    """

    def __init__(self, found: Sequence[Tensor], views: fx.GraphModule) -> None:
        self._found, self._views = tuple(found), views
        self._addresses: list[int] = []
        self._tensors: list[Tensor] = []

    def now(self) -> list[Tensor]:
        """The first arguments of the program."""
        addresses = [tensor.data_ptr() for tensor in self._found]
        if addresses != self._addresses:
            self._addresses, self._tensors = addresses, self._views(*self._found)
        return self._tensors


def constants_of(module: fx.GraphModule) -> list[Tensor]:
    """What the program found for itself, such as parameters."""
    return [getattr(module, node.target) for node in module.graph.find_nodes(op="get_attr")]


def lift_constants(module: fx.GraphModule) -> Constants:
    """Make arguments of what the program found for itself, and of views of it: always the same."""
    graph = module.graph
    first: dict[Any, fx.Node] = {}
    for node in graph.find_nodes(op="get_attr"):
        if (same := first.setdefault(node.target, node)) is not node:
            node.replace_all_uses_with(same)
            graph.erase_node(node)
    found, views = constants_of(module), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node.op == "get_attr":
            copies[node] = views.placeholder(node.target.lstrip("_"))
        elif node.target in VIEWS and node.all_input_nodes and copies.keys() >= {*node.all_input_nodes}:
            copies[node] = views.node_copy(node, copies.__getitem__)
    used = [node for node in copies if not copies.keys() >= {*node.users}]
    views.output([copies[node] for node in used])
    beginning = next(iter(graph.nodes))
    for node in used:
        with graph.inserting_before(beginning):
            argument = graph.placeholder(copies[node].name)
        argument.meta = node.meta
        node.replace_all_uses_with(argument, lambda user: user not in copies)
    for node in reversed(copies):
        graph.erase_node(node)
    return Constants(found, fx.GraphModule({}, views))
