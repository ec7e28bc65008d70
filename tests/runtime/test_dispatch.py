"""Operators called straight and through the dispatcher: the same numbers, and whoever watches sees them."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

import tfngen
from tfngen.runtime import dispatch


class Watching(TorchDispatchMode):
    """Notes which of tfngen's operators are called."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.namespace == "tfngen":
            self.seen.append(function._opname)
        return function(*args, **kwargs or {})


@pytest.fixture
def straight(monkeypatch):
    """The names of the operators that are not called through the dispatcher."""
    names = []
    for name, operator in dispatch._OPERATORS.items():

        def noted(*arguments, name=name, run=operator.implementation):
            names.append(name)
            return run(*arguments)

        monkeypatch.setitem(dispatch._OPERATORS, name, operator._replace(implementation=noted))
    return names


@pytest.fixture
def vectors():
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def derivatives(harmonics, vectors):
    """Values, gradient and the gradient of a function of that."""
    vectors = vectors.clone().requires_grad_()
    values = harmonics(vectors)
    (slope,) = torch.autograd.grad((values**3).sum(), vectors, create_graph=True)
    return values, slope, torch.autograd.grad((slope**2).sum(), vectors)[0]


def test_both_ways_give_the_same_numbers_to_the_second_derivative(tfn_l2, vectors):
    plain = derivatives(tfn_l2.spherical_harmonics, vectors)
    with Watching() as watching:
        watched = derivatives(tfn_l2.spherical_harmonics, vectors)
    names = ["", "_vjp", "_vjp_vjp", "_vjp"]
    assert watching.seen == [f"spherical_harmonics{each}" for each in names]
    assert all(torch.equal(*pair) for pair in zip(plain, watched, strict=True))


def test_plain_tensors_go_straight(tfn_l2, vectors, straight):
    tfn_l2.spherical_harmonics(vectors)
    with torch.no_grad():
        tfn_l2.spherical_harmonics(torch.nn.Parameter(vectors))
    assert straight == ["spherical_harmonics"] * 2


def test_whoever_watches_sees_the_operator(tfn_l2, vectors, straight):
    class Labelled(torch.Tensor):
        pass

    with Watching():
        tfn_l2.spherical_harmonics(vectors)
    tfn_l2.spherical_harmonics(vectors.as_subclass(Labelled))
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert tfn_l2.spherical_harmonics(vectors).shape == (5, 9)
    traced = make_fx(lambda r: tfn_l2.spherical_harmonics(r))(vectors)
    assert torch.ops.tfngen.spherical_harmonics.default in {node.target for node in traced.graph.nodes}
    assert straight == []


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_transforms_come_by_torch(tfn_l2, vectors, straight):
    """It has no rule to batch these operators, and calls them one by one."""
    batched = torch.func.vmap(tfn_l2.spherical_harmonics)(vectors[:, None])
    assert straight == []
    assert torch.equal(batched[:, 0], tfn_l2.spherical_harmonics(vectors))


@pytest.mark.parametrize("listening", [False, True])
def test_a_tensor_that_outlived_its_transform_is_what_it_was(tfn_l2, vectors, listening):
    """It is still wrapped, and only torch's dispatcher finds the memory inside."""
    kept = []

    def function(x):
        kept.append(x * 2)
        return x.sum()

    torch.func.grad(function)(vectors)
    with torch.set_grad_enabled(listening):
        assert torch.equal(tfn_l2.spherical_harmonics(kept[0]), tfn_l2.spherical_harmonics(2 * vectors))


def test_few_leaves_are_asked_for_whether_they_are_wanted(tfn_l1, monkeypatch):
    """torch says so by raising, which takes longer than a convolution's kernels of a molecule."""
    engine, raised = torch._C._will_engine_execute_node, []

    def ask(node):
        try:
            return engine(node)
        except RuntimeError:
            raised.append(node)
            raise

    monkeypatch.setattr(torch._C, "_will_engine_execute_node", ask)
    convolution, graph = tfn_l1.Convolution("2x0e+2x1e", "0e+1e", "0e+1e"), tfngen.Graph.complete(3)
    shapes = (graph.num_edges, 4), (graph.num_edges, convolution.weight_numel), (3, 2, 1), (3, 2, 3)
    y, weights, *features = (torch.ones(shape, requires_grad=True) for shape in shapes)

    def energy():
        found = convolution(graph, y, dict(zip(("0e", "1e"), features, strict=True)), weights)
        return sum(each.square().sum() for each in found.values())

    everything = torch.autograd.grad(energy(), [y, weights, *features])
    assert len(raised) == 2
    some = torch.autograd.grad(energy(), [y, *features])
    assert len(raised) == 4  # the second of the features need not be asked for
    assert all(torch.equal(*pair) for pair in zip(some, [everything[0], *everything[2:]], strict=True))
    energy().backward(inputs=[weights])
    assert len(raised) == 4
    assert torch.equal(weights.grad, everything[1])
    assert y.grad is None
