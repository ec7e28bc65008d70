"""A program for arguments that come again and again, as one run of machine code.

A program of some hundred operations on the few numbers of a molecule spends its time in Python and in torch's
dispatcher. For a graph and sizes that have come before, a `Tape` knows where every operand lies: what the
program did is written down as calls of machine code, of kernels and of torch's operations alike
(`tfngen.tracing.lowering`), and these are made from then on, one after the other. What there is no machine
code for is done by torch, in its turn.

Every instruction is tried when it is written down: it has to find again what the operation returned.
"""

from __future__ import annotations

import threading
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from tfngen.runtime.cpu.arena import Arena
from tfngen.runtime.cpu.instructions import MOST_ARGUMENTS, Instructions
from tfngen.runtime.cpu.memory import extent
from tfngen.runtime.cpu.team import is_forked
from tfngen.runtime.cpu.threads import Launch, recorded_launches
from tfngen.tracing.lowering import OPERAND_AT, copy, knows, lower
from tfngen.tracing.taken import IN_PLACE_BYTES, Given, Whole

MOST_BYTES = 2**26
"""Programs that need more memory are left as they are: arithmetic takes most of their time."""
NEAR = {torch.float32: 2e-5, torch.float64: 1e-12}
"""How far from torch's result, of the largest number in it, that of an instruction may be."""

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of one of torch's functions, written down.

    Attributes:
        name: of the function, without its overload.
        arguments: by position.
        named: by name.
        result: what it returned.
    """

    name: str
    arguments: Sequence[Any]
    named: dict[str, Any]
    result: Any

    @property
    def gives_room(self) -> bool:
        """Whether its result is memory with anything in it."""
        return self.name in _ROOM

    @property
    def computes(self) -> bool:
        """Whether it has found numbers that are not whole: it is no view of an operand, nor room for some."""
        if self.gives_room:
            return False
        before = {_memory(each) for each in _tensors((self.arguments, self.named))}
        return self.name.endswith("_") or any(
            (each.is_floating_point() or each.dtype == torch.bool) and _memory(each) not in before
            for each in _tensors(self.result)
        )

    def lower(self, code: Instructions) -> bool:
        """Add instructions for the same to `code`; whether there are any."""
        found = self.result
        return isinstance(found, Tensor) and lower(self.name, self.arguments, self.named, found, code)


class _Watch(TorchDispatchMode):
    """Adds every operation of torch's to a list, in which launches of kernels are as well."""

    def __init__(self, done: list[Any]) -> None:
        super().__init__()
        self._done = done

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self._done.append(Operation(function._opname, args, kwargs or {}, result))
        return result


class CannotRecord(Exception):
    """There is no tape of this program for these arguments."""


class Tape:
    """A program for arguments of certain sizes and one graph.

    Args:
        graph: the program.
        constants: its first arguments, parameters among them, which are read where they are.
        tensors: its other arguments. Whole numbers, of which graphs are made, are the same in every run.

    Raises:
        CannotRecord: there is something about it that a tape cannot have.
    """

    @torch.inference_mode(False)  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def __init__(self, graph: fx.Graph, constants: list[Tensor], tensors: Sequence[Tensor]) -> None:
        self._constants, self._threads = constants, torch.get_num_threads()
        self._forked = is_forked()
        self._lock = threading.Lock()
        self._code = Instructions()
        self._arena = Arena()
        self._bytes = 0
        self._copied: list[tuple[int, array[int]]] = []
        self._given: list[Given] = []
        self._fixed: list[tuple[int, Whole]] = []
        self._found: list[tuple[int, Whole]] = []
        self._pieces: list[tuple[int, int] | Step] = []
        self._begin = 0
        self._values: dict[fx.Node, Any] = {}
        self._results: list[Tensor] = []
        given = self._taken(constants, tensors)
        self._code.keep(*constants)
        last_uses = _last_uses(graph)
        theirs, arguments = {*map(_memory, given)}, iter(given)
        self._same = {_memory(each.numbers) for _, each in (*self._found, *self._fixed)}
        for node in graph.nodes:
            if node.op == "placeholder":
                self._values[node] = next(arguments)
            elif node.op == "call_function":
                self._record(node)
                for each in last_uses[node]:
                    del self._values[each]
            elif node.op == "output":
                self._results = [self._values[each] for each in node.args[0]]
            else:
                raise CannotRecord(node.op)
        self._values.clear()
        self._close()
        if any(_memory(each) in theirs for each in self._results):
            raise CannotRecord("a result is an argument")
        if self.steps > self._code.count:
            raise CannotRecord("most of it is left to torch")
        self._read_in_place(tensors, given[len(constants) :])

    def fits(self, constants: list[Tensor], tensors: Sequence[Tensor]) -> bool:
        """Whether it is right for such arguments, whose sizes are those it was made with."""
        return (
            constants is self._constants
            and torch.get_num_threads() == self._threads
            and is_forked() == self._forked
            and all(each.matches(tensors[at]) for at, each in self._fixed)
            and all(each.matches(constants[at]) for at, each in self._found)
        )

    def run(self, tensors: Sequence[Tensor]) -> list[Tensor] | None:
        """What the program returns, or None while another thread runs the tape."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            for at, table in self._copied:
                table[OPERAND_AT] = tensors[at].data_ptr()
            for given in self._given:
                given.is_at(tensors[given.at].data_ptr())
            for piece in self._pieces:
                if isinstance(piece, tuple):
                    self._code.run(*piece)
                else:
                    piece()
            return [each.clone() for each in self._results]
        finally:
            self._lock.release()

    @property
    def steps(self) -> int:
        """How many operations are left to torch."""
        return sum(not isinstance(each, tuple) for each in self._pieces)

    def _taken(self, constants: Sequence[Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
        """The arguments as the tape has them: constants where they are, others copied before each run, large
        ones first, and whole numbers as they are now."""
        for each, fixed in ((constants, self._found), (tensors, self._fixed)):
            fixed += [(at, Whole(tensor)) for at, tensor in enumerate(each) if _is_whole(tensor)]
        for each in (*constants, *tensors):
            if not each.is_cpu or _overlaps(each):
                raise CannotRecord(f"an argument on {each.device}, with strides {each.stride()}")
        taken, mine = [*constants], [*tensors]
        for at, whole in self._found:
            taken[at] = whole.numbers
        for at, whole in self._fixed:
            mine[at] = whole.numbers
        others = {*range(len(tensors))} - {at for at, _ in self._fixed}
        for at in sorted(others, key=lambda at: (tensors[at].nbytes < IN_PLACE_BYTES, at)):
            mine[at] = self._copy_of(at, tensors[at])
        return taken + mine

    def _copy_of(self, at: int, tensor: Tensor) -> Tensor:
        """Memory of the tape's own, to which an argument is copied."""
        mine = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype).copy_(tensor)
        self._keep([mine])
        first = self._code.count
        if not copy(self._code, mine, tensor):
            raise CannotRecord(f"{tensor.dtype} in {tensor.dim()} dimensions")
        if tensor.numel():
            assert self._code.count == first + 1
            self._copied.append((at, self._code.last_table))
        return mine

    def _read_in_place(self, tensors: Sequence[Tensor], mine: Sequence[Tensor]) -> None:
        """Leave out copies of large arguments: where those are is written down before each run.

        This is tried while the copies hold NaN. If anything reads them all the same, all are made as before.

        Args:
            tensors: the arguments.
            mine: the tape's copies of them.
        """
        large = [at for at, _ in self._copied if tensors[at].nbytes >= IN_PLACE_BYTES]
        if self.steps or not large:
            return
        wanted = [each.clone() for each in self._results]
        for at in large:
            begin, end = mine[at].data_ptr(), mine[at].data_ptr() + extent(mine[at])
            self._given.append(Given(at, self._code.places_of(begin, end), begin))
            mine[at].fill_(torch.nan)
        first, *rest = self._pieces
        self._pieces = [(len(large), first[1]), *rest]
        copied, self._copied = self._copied, self._copied[len(large) :]
        found = self.run(tensors) or []
        if not all(_is_near(*pair) for pair in zip(found, wanted, strict=True)):
            for given in self._given:
                given.is_at(mine[given.at].data_ptr())
            self._given, self._copied, self._pieces = [], copied, [first, *rest]

    def _record(self, node: fx.Node) -> None:
        arguments, named = fx.map_arg((node.args, node.kwargs), self._values.__getitem__)
        done: list[Launch | Operation] = []
        if knows(_name(node)):
            value = node.target(*arguments, **named)  # type: ignore[operator]
        else:
            with recorded_launches(done, self._arena.empty), _Watch(done):
                value = node.target(*arguments, **named)  # type: ignore[operator]
        self._values[node] = value
        before = {_memory(each) for each in _tensors((arguments, named))}
        made = [each for each in _tensors(value) if _memory(each) not in before]
        if not made:
            return
        if len(made) < sum(1 for _ in _tensors(value)):
            raise CannotRecord(f"{node}: some of its results are views")
        if (before <= self._same and not _is_random(node)) or _name(node) in _OF_SIZES:
            self._same |= {_memory(each) for each in made}
            self._code.keep(*made)
            return
        if knows(_name(node)) and isinstance(value, Tensor) and value.numel():
            self._values[node] = mine = self._arena.like(value).copy_(value)
            done, made = [Operation(_name(node), arguments, named, mine)], [mine]
        self._keep(made)
        first = self._code.count
        if not (self._wrote_down(done) and self._finds_again(made, first)):
            if any(map(_overlaps, made)):
                raise CannotRecord(f"{node}: its result is the same number in several places")
            self._code.take_back(first)
            self._close()
            self._pieces.append(_by_torch(node.target, arguments, named, made))

    def _wrote_down(self, done: Sequence[Launch | Operation]) -> bool:
        """Whether there are instructions for all that an operation consists of; they have been added."""
        for each in done:
            if isinstance(each, Launch):
                if len(each.arguments) + 4 > MOST_ARGUMENTS:
                    return False
                self._keep(each.alive)
                self._code.launch(each._replace(alive=()))
            elif each.gives_room or each.computes:
                self._keep(_tensors(each.result))
                if each.computes and not (self._are_known(each) and each.lower(self._code)):
                    return False
        return True

    def _are_known(self, operation: Operation) -> bool:
        """Whether rows that are looked up are listed by an argument: whole numbers that stay the same."""
        listed = filter(_is_whole, _tensors(operation.arguments))
        return all(each.dtype == torch.bool or _memory(each) in self._same for each in listed)

    def _finds_again(self, made: Sequence[Tensor], first: int) -> bool:
        """Whether the instructions from `first` on compute what is in `made`, and see to it that it is."""
        wanted = [each.clone() for each in made]
        for each in made:
            each.fill_(torch.nan if each.is_floating_point() else True)
        self._code.run(first)
        if all(_is_near(*pair) for pair in zip(made, wanted, strict=True)):
            return True
        for each, before in zip(made, wanted, strict=True):
            each.copy_(before)
        return False

    def _keep(self, objects: Iterable[object]) -> None:
        """Keep alive what instructions read and write, but for memory that others are given later."""
        for each in objects:
            if isinstance(each, Tensor):
                if self._arena.holds(each):
                    continue
                self._bytes += each.nbytes
            self._code.keep(each)
        if self._bytes + self._arena.size > MOST_BYTES:
            raise CannotRecord(f"more than {MOST_BYTES:,} bytes")

    def _close(self) -> None:
        """End a run of instructions."""
        if self._code.count > self._begin:
            self._pieces.append((self._begin, self._code.count))
        self._begin = self._code.count


_OF_SIZES = {"ones_like", "zeros_like", "full_like", "new_zeros", "new_ones", "new_full"}
"""Functions of nothing but an operand's sizes."""


_ROOM = {"empty", "new_empty", "empty_strided", "new_empty_strided", "empty_like"}
"""Functions that give memory and write nothing to it."""


def _name(node: fx.Node) -> str:
    """What torch calls a function, whatever its overload."""
    target = node.target
    return target._opname if isinstance(target, OpOverload) else getattr(target, "__name__", "")


def _is_random(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def _last_uses(graph: fx.Graph) -> defaultdict[fx.Node, list[fx.Node]]:
    """By node, those that it is the last one to use."""
    found: defaultdict[fx.Node, list[fx.Node]] = defaultdict(list)
    seen: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        found[node] += [each for each in (node, *node.all_input_nodes) if each not in seen]
        seen.update((node, *node.all_input_nodes))
    return found


def _overlaps(tensor: Tensor) -> bool:
    """Whether it has one number in several places, so that nothing can be written to it."""
    return any(size > 1 and not step for size, step in zip(tensor.shape, tensor.stride(), strict=True))


def _is_whole(tensor: Tensor) -> bool:
    """Whether its numbers are none that are computed with, but say where others are."""
    return not tensor.is_floating_point()


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in it."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors([*value.values()])
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)


def _memory(tensor: Tensor) -> int:
    """Where the memory begins that it is a view of; empty tensors are all of their own."""
    return tensor.untyped_storage().data_ptr() or id(tensor)


def _is_near(found: Tensor, wanted: Tensor) -> bool:
    if not found.is_floating_point():
        return torch.equal(found, wanted)
    finite = wanted[wanted.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 1.0
    return torch.allclose(found, wanted, rtol=0.0, atol=NEAR[found.dtype] * scale, equal_nan=True)


def _by_torch(function: Any, arguments: Any, named: Any, made: Sequence[Tensor]) -> Step:
    def step() -> None:
        for mine, each in zip(made, _tensors(function(*arguments, **named)), strict=True):
            mine.copy_(each)

    return step
