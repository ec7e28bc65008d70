"""Recording a function on tensors without numbers, and running what was recorded."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode, ShapeEnv

from tfngen.tracing.arguments import Hole, Parts, complain, flatten, kind, rebuild
from tfngen.tracing.passes import changes_constants, changes_something, constants_of, simplify

Shortcut = Callable[[list[Tensor], Sequence[Tensor]], "list[Tensor] | None"]
"""Of a program's constants and of other arguments."""


class Program:
    """One straight program, and which arguments it is right for.

    Args:
        form: of the arguments it was recorded with.
        recordings: what was recorded, and recorded again of that; the last one is run.
        result: what the function returned, with holes for tensors.

    Attributes:
        graph: the operations, in torch.fx's terms.
        code: the same as Python code.
    """

    def __init__(self, form: Hashable, recordings: Sequence[fx.GraphModule], result: Any) -> None:
        self._form, self._result = form, result
        self._is_tuple_of_tensors = type(result) is tuple and all(each is Hole for each in result)
        self._kinds = tuple(map(kind, _arguments_of(recordings[0])))
        self._guards = [found for each in recordings if (found := _guards(_arguments_of(each))) is not None]
        module = recordings[-1]
        self._constants = simplify(module)
        straight = fx.GraphModule({}, module.graph)
        self.graph, self.code, self._run = module.graph, straight.code, straight.forward

    def takes(self, form: Hashable, tensors: Sequence[Tensor]) -> bool:
        """Whether the program is right for such arguments."""
        if form != self._form or self._kinds != tuple(map(kind, tensors)):
            return False
        return all(sizes.evaluate_guards_expression(guards, tensors) for sizes, guards in self._guards)

    def __call__(self, tensors: Sequence[Tensor], shortcut: Shortcut = lambda *_: None) -> Any:
        """Run it on the tensors of arguments that it takes; by a `shortcut`, if that returns something."""
        remembering = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)  # no_grad(), without its object
        try:
            with _without_autocast() if _is_autocast_on() else _NOTHING:
                constants = self._constants.now()
                found = shortcut(constants, tensors)
                if found is None:
                    found = self._run(*constants, *tensors)
        finally:
            torch._C._set_grad_enabled(remembering)
        if self._is_tuple_of_tensors:
            return tuple(found)
        results = iter(found)
        return rebuild(self._result, lambda _: next(results))


def record(
    function: Callable[..., Any],
    form: Hashable,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    tensors: Sequence[Tensor],
) -> Program:
    """Run `function` on tensors without numbers and write down what it does.

    Args:
        function: what is recorded.
        form: what there is to the arguments besides their tensors.
        args: by position.
        kwargs: by name.
        tensors: all of theirs.

    Raises:
        ValueError: see `tfngen.tracing.Traced.program`.
    """
    result: list[Any] = []

    def flat(*given: Tensor) -> list[Tensor]:
        rest, returned = iter(given), Parts()
        taken, named = rebuild((tuple(args), dict(kwargs)), lambda _: next(rest))
        with torch.enable_grad():
            found = function(*taken, **named)
        try:
            flatten(found, returned)
        except TypeError:
            complain("result", found)
        result.append(rebuild(found, lambda _: Hole))
        return returned.tensors

    try:
        likes = [_like(tensor) for tensor in tensors]
        recordings = [make_fx(flat, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*likes)]
    except (DataDependentOutputException, GuardOnDataDependentSymNode) as error:
        raise ValueError(
            f"function: what it does depends on the values of a tensor, at {_place(error)}; decide outside, "
            "and pass in what was decided"
        ) from error
    _leave_no_trace(recordings[0])
    graph = recordings[0].graph
    if changes_something(graph) and not changes_constants(graph):
        recordings.append(_without_changes(recordings[0], likes))
    return Program(form, recordings, result[0])


def _without_changes(module: fx.GraphModule, likes: Sequence[Tensor]) -> fx.GraphModule:
    """The same by operations that write to nothing but what they make, and to arguments and parameters."""
    pure = torch.func.functionalize(lambda *given: module(*given), remove="mutations")
    with torch.no_grad():
        return make_fx(pure, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*likes)


def _place(error: BaseException) -> str:
    """The last line of Python before torch's own on the way to an error."""
    torch_home = str(Path(torch.__file__).parent)
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename[0] != "<"]
    last = [each for each in frames if not each.filename.startswith(torch_home)][-1]
    return f"{last.filename}:{last.lineno} ({last.line})"


def _like(tensor: Tensor) -> Tensor:
    """Another one, which begins where its memory does: programs do not depend on that."""
    like = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
    return like.requires_grad_(tensor.requires_grad)


def _arguments_of(module: fx.GraphModule) -> list[Tensor]:
    return [node.meta["val"] for node in module.graph.find_nodes(op="placeholder")]


def _guards(arguments: Sequence[Any]) -> tuple[ShapeEnv, str] | None:
    """What must hold of arguments' sizes, and who can tell."""
    if not arguments:
        return None
    sizes: ShapeEnv = arguments[0].fake_mode.shape_env
    found = sizes.produce_guards_expression(arguments, ignore_static=False) or ""
    guards = " and ".join(part for part in found.split(" and ") if "storage_offset" not in part)
    return (sizes, guards) if guards else None


def _leave_no_trace(module: fx.GraphModule) -> None:
    """Take away what `Tensor.backward` has added to the gradients of parameters, and say so."""
    touched = [tensor for tensor in constants_of(module) if isinstance(tensor.grad, FakeTensor)]
    for tensor in touched:
        tensor.grad = None
    if touched:
        raise ValueError(
            "function: adds to the gradients of parameters (Tensor.backward); take derivatives by "
            "torch.autograd.grad and return them"
        )


_NOTHING = nullcontext()


def _is_autocast_on() -> bool:
    return torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")


def _without_autocast() -> AbstractContextManager[Any]:
    """What autocast does has been recorded."""
    off = ExitStack()
    for where in ("cpu", "cuda"):
        if torch.is_autocast_enabled(where):
            off.enter_context(torch.autocast(where, enabled=False))
    return off
