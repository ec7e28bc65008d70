"""Models of other packages with something to compute, as they are or accelerated."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tfngen import Features, Graph, load, trace
from tfngen import nn as layers
from tfngen.bench.models import ROWS
from tfngen.bench.peers import Prepared, first_rows
from tfngen.interop import accelerate
from tfngen.interop.products import EdgeProduct
from tfngen.interop.standin import Standin

Evaluation = Callable[[], tuple[Tensor, Tensor]]
"""Energy and forces."""

DIAMOND, SALT = 3.567, 5.64
"""Cubic lattice constants in Å."""
RATTLE = 0.1
"""Å, the standard deviation of displacements."""
CUTOFF = 5.0
DENSITY = 0.1
"""Points per Å³, as atoms have in solids."""


def prepare(maker: str, given: Sequence[str], accelerated: bool) -> Prepared:
    """What `maker`, one of this module's functions, makes of `given`."""
    warnings.simplefilter("ignore")  # theirs, about compilers and devices
    made: Prepared = globals()[maker](*given, accelerated)
    return made


def sevennet(checkpoint: str, system: str, accelerated: bool) -> Prepared:
    """A checkpoint that comes with sevenn."""
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.calculator import SevenNetCalculator
    from sevenn.train.dataload import unlabeled_atoms_to_graph

    model = SevenNetCalculator(checkpoint, device="cpu").model
    graph = unlabeled_atoms_to_graph(_atoms(system), float(model.cutoff), with_shift=False)

    def evaluate() -> tuple[Tensor, Tensor]:
        output = model(AtomGraphData.from_numpy_dict(dict(graph)))
        return output["inferred_total_energy"], output["inferred_force"]

    return _atomistic(model, evaluate, accelerated)


def traced_sevennet(checkpoint: str, system: str, accelerated: bool) -> Prepared:
    """A molecule's energy, and forces from the derivative by the vectors between its atoms."""
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.calculator import SevenNetCalculator
    from sevenn.train.dataload import unlabeled_atoms_to_graph

    model = SevenNetCalculator(checkpoint, device="cpu").model
    if accelerated:
        accelerate(model)
    graph = unlabeled_atoms_to_graph(_atoms(system), float(model.cutoff), with_shift=False)
    data = AtomGraphData.from_numpy_dict(dict(graph))
    evaluate = sevennet_evaluation(model)
    forces = trace(evaluate) if accelerated else evaluate
    species = torch.tensor([model.type_map[int(number)] for number in data["atomic_numbers"]])
    given = species, data["edge_index"], data["edge_vec"]
    return Prepared({"forces": lambda: list(forces(*given))}, first_rows, {})


def sevennet_evaluation(model: nn.Module) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Energy and forces by SevenNet, as a function of species (atoms,), edges (2, edges) and their vectors.

    Without the model's last part, which decides by the volume of the cell how to compute a stress: no program
    can.
    """
    from sevenn.atom_graph_data import AtomGraphData

    parts = [module for name, module in model._modules.items() if name != "force_output"]

    def evaluate(numbers: Tensor, edge_index: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        vectors = vectors.detach().requires_grad_()
        given = {"x": numbers, "atomic_numbers": numbers, "edge_index": edge_index, "edge_vec": vectors}
        found = AtomGraphData()
        for key, value in {**given, "num_atoms": torch.tensor(numbers.shape[0])}.items():
            found[key] = value
        for module in parts:
            found = module(found)
        energy = found["inferred_total_energy"]
        (pull,) = torch.autograd.grad(energy.sum(), vectors)
        forces = pull.new_zeros(numbers.shape[0], 3).index_add(0, edge_index[0], pull)
        return energy.detach(), forces.index_add(0, edge_index[1], -pull)

    return evaluate


def network(points: str, accelerated: bool) -> Prepared:
    """Three layers of tfngen's own; accelerated, as recorded programs."""
    torch.manual_seed(0)
    model = layers.TensorFieldNetwork(
        "4x0e", "32x0e+32x1o+32x2e", "1x0e", 3, kernels=load(2), basis=layers.BesselBasis(8, CUTOFF),
        envelope=layers.PolynomialCutoff(CUTOFF), mean_neighbors=8.0,
    )  # fmt: skip
    count = int(points)
    positions = torch.rand(count, 3) * (count / DENSITY) ** (1 / 3)
    features = Features({"0e": torch.randn(count, 4, 1)})
    parameters = list(model.parameters())

    def forces(positions: Tensor, features: Features, graph: Graph) -> tuple[Tensor, Tensor]:
        positions = positions.detach().requires_grad_()
        energy = model(graph, positions, features)["0e"].sum()
        return energy.detach(), -torch.autograd.grad(energy, positions)[0]

    def training(positions: Tensor, features: Features, graph: Graph) -> tuple[Tensor, ...]:
        positions = positions.detach().requires_grad_()
        energy = model(graph, positions, features)["0e"].sum()
        (slope,) = torch.autograd.grad(energy, positions, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), parameters, materialize_grads=True)

    given = positions, features, Graph.from_points(positions, CUTOFF)
    modes = {"forces": forces, "training": training}
    used = {name: trace(mode) if accelerated else mode for name, mode in modes.items()}
    run = {name: lambda mode=mode: list(mode(*given)) for name, mode in used.items()}
    return Prepared(run, first_rows, {})


def mace(irreps: str, system: str, elements: str, accelerated: bool) -> Prepared:
    """A MACE of random weights, for so many elements: l ≤ 3 along edges, correlation 3, two layers."""
    model, batch = _mace(irreps, system, int(elements))
    model.requires_grad_(False)

    def evaluate() -> tuple[Tensor, Tensor]:
        output = model(dict(batch))
        return output["energy"], output["forces"]

    return _atomistic(model, evaluate, accelerated)


def traced_mace(irreps: str, system: str, accelerated: bool) -> Prepared:
    """The same, for a molecule's elements; accelerated, recorded as well."""
    model, batch = _mace(irreps, system)
    model.requires_grad_(False)
    if accelerated:
        accelerate(model)

    def evaluate(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        output = model(dict(batch))
        return output["energy"].detach(), output["forces"].detach()

    forces = trace(evaluate) if accelerated else evaluate
    return Prepared({"forces": lambda: list(forces(batch))}, first_rows, {})


def mace_training(irreps: str, system: str, accelerated: bool) -> Prepared:
    """The gradient of a loss on energy and forces by all parameters of a MACE."""
    model, batch = _mace(irreps, system)
    if accelerated:
        accelerate(model)
    parameters = [each for each in model.parameters() if each.requires_grad]

    def training() -> list[Tensor]:
        output = model(dict(batch), training=True)
        loss = output["energy"].square().sum() + output["forces"].square().sum()
        return [*torch.autograd.grad(loss, parameters, materialize_grads=True)]

    return Prepared({"training": training}, first_rows, {})


def _mace(irreps: str, system: str, elements: int = 0) -> tuple[nn.Module, dict[str, Tensor]]:
    """The model, for the system's own elements or the first so many, and what it is given."""
    import mace  # noqa: F401 (first: it tells torch how to read the constants of its old e3nn)
    from e3nn import o3
    from mace import data, modules
    from mace.tools import AtomicNumberTable, torch_geometric

    atoms = _atoms(system)
    own = sorted(set(atoms.get_atomic_numbers().tolist()))
    numbers = [*range(1, elements + 1)] or own
    torch.manual_seed(0)
    model = modules.ScaleShiftMACE(
        r_max=CUTOFF, num_bessel=8, num_polynomial_cutoff=5, max_ell=3, num_interactions=2,
        num_elements=len(numbers), hidden_irreps=o3.Irreps(irreps), MLP_irreps=o3.Irreps("16x0e"),
        interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=modules.interaction_classes["RealAgnosticInteractionBlock"],
        atomic_energies=np.zeros(len(numbers)), avg_num_neighbors=90.0, atomic_numbers=numbers, correlation=3,
        gate=torch.nn.functional.silu, radial_MLP=[64, 64, 64], radial_type="bessel",
        atomic_inter_scale=1.0, atomic_inter_shift=0.0,
    )  # fmt: skip
    configuration = data.config_from_atoms(atoms)
    graph = data.AtomicData.from_config(configuration, AtomicNumberTable(numbers), cutoff=CUTOFF)
    batch = next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1))).to_dict()
    return model, {name: each for name, each in batch.items() if isinstance(each, Tensor)}


def nequip(features: str, system: str, accelerated: bool) -> Prepared:
    """A NequIP of random weights: l ≤ 2, both parities, three layers."""
    from nequip.data import AtomicDataDict, compute_neighborlist_, from_ase
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    set_global_state()
    atoms = _atoms(system)
    names = sorted(set(atoms.get_chemical_symbols()))
    model = NequIPGNNModel(
        seed=1, model_dtype="float32", type_names=names, r_max=CUTOFF, num_bessels=8, polynomial_cutoff_p=6,
        num_layers=3, l_max=2, parity=True, num_features=int(features), radial_mlp_depth=2,
        radial_mlp_width=64, avg_num_neighbors=90.0, per_type_energy_scales=1.0, per_type_energy_shifts=0.0,
    )  # fmt: skip
    graph = compute_neighborlist_(from_ase(atoms), r_max=CUTOFF)
    graph[AtomicDataDict.ATOM_TYPE_KEY] = torch.tensor([names.index(s) for s in atoms.get_chemical_symbols()])

    def evaluate() -> tuple[Tensor, Tensor]:
        output = model(dict(graph))
        return output["total_energy"], output["forces"]

    return _atomistic(model, evaluate, accelerated)


def product(kind: str, irreps_in1: str, irreps_in2: str, irreps_out: str, accelerated: bool) -> Prepared:
    """An e3nn product of `ROWS` rows.

    Args:
        kind: ``uvw``, or ``uvu`` into the irreps of its first side, with weights of the module's own; or
            ``uvu-rows``, as in convolutions: a path into columns of its own, weights of a row's own.
    """
    from e3nn import o3

    from tfngen.interop.e3nn import TensorProduct

    torch.manual_seed(0)
    sides = o3.Irreps(irreps_in1), o3.Irreps(irreps_in2), o3.Irreps(irreps_out)
    multiply: nn.Module
    if kind == "uvw":
        multiply = o3.FullyConnectedTensorProduct(*sides)
    else:
        wanted = {irrep for _, irrep in sides[2]}
        slots = [
            (i, j, irrep)
            for i, (_, left) in enumerate(sides[0])
            for j, (_, right) in enumerate(sides[1])
            for irrep in left * right
            if irrep in wanted and (kind == "uvu-rows" or irrep == sides[2][i].ir)
        ]
        if kind == "uvu":
            instructions = [(i, j, i, "uvu", True) for i, j, _ in slots]
            multiply = o3.TensorProduct(*sides, instructions)
        else:
            out = o3.Irreps([(sides[0][i].mul, irrep) for i, _, irrep in slots])
            instructions = [(i, j, at, "uvu", True) for at, (i, j, _) in enumerate(slots)]
            multiply = o3.TensorProduct(*sides[:2], out, instructions, shared_weights=False)
    operands = [multiply.irreps_in1.randn(ROWS, -1), multiply.irreps_in2.randn(ROWS, -1)]
    if kind == "uvu-rows":
        operands.append(torch.randn(ROWS, multiply.weight_numel))
    cotangent = torch.randn(ROWS, multiply.irreps_out.dim)
    leaves = [each.clone().requires_grad_() for each in operands]
    by = [*leaves, *multiply.parameters()]
    used = TensorProduct(multiply) if accelerated else multiply

    def forward() -> list[Tensor]:
        with torch.no_grad():
            return [used(*operands)]

    def gradient() -> Sequence[Tensor]:
        return torch.autograd.grad(used(*leaves), by, cotangent)

    return Prepared({"forward": forward, "gradient": gradient}, first_rows, {})


def _atoms(system: str) -> Any:
    """216 atoms, displaced from their lattice; or a molecule."""
    from ase.build import bulk, molecule

    if system not in ("diamond", "salt"):
        return molecule(system)
    if system == "diamond":
        atoms = bulk("C", "diamond", a=DIAMOND, cubic=True)
    else:
        atoms = bulk("NaCl", "rocksalt", a=SALT, cubic=True)
    atoms = atoms * (3, 3, 3)
    atoms.positions += np.random.default_rng(0).normal(scale=RATTLE, size=atoms.positions.shape)
    return atoms


def _atomistic(model: nn.Module, evaluate: Evaluation, accelerated: bool) -> Prepared:
    report = accelerate(model)
    found = _convolutions(model, evaluate)
    if not found:
        raise RuntimeError(f"no convolution was found: {report}")
    if not accelerated:
        report.undo()

    def forces() -> list[Tensor]:
        return [part.detach() for part in evaluate()]

    def convolutions() -> list[Tensor]:
        gradients: list[Tensor] = []
        for product, multiply, operands, edges in found:
            x, y, weight = operands
            if accelerated:
                sums = product(x, y, weight, edges)
            else:
                sources, targets = edges.graph[:2]
                messages = multiply(x[sources], y, weight)
                sums = messages.new_zeros(x.shape[0], messages.shape[1]).index_add(0, targets, messages)
            gradients += torch.autograd.grad(sums.square().sum(), operands)
        return gradients

    return Prepared({"forces": forces, "convolutions": convolutions}, first_rows, {})


def _convolutions(
    model: nn.Module, evaluate: Evaluation
) -> list[tuple[EdgeProduct, nn.Module, list[Tensor], Any]]:
    """Each convolution, the product inside it, and the operands that the model gives it."""
    products: dict[int, nn.Module] = {}
    for module in model.modules():
        if isinstance(module, Standin) and module.absorbed:
            products[id(module.product)] = module._modules[module.absorbed[0]]
    found = []
    plain = EdgeProduct.__call__

    def listen(
        self: EdgeProduct, x: Tensor, y: Tensor, weight: Tensor, edges: Any, sharing: Any = None
    ) -> Tensor:
        if id(self) in products:
            each = weight if sharing is None else weight[sharing.index]  # what the original would be given
            operands = [tensor.detach().clone().requires_grad_() for tensor in (x, y, each)]
            found.append((self, products[id(self)], operands, edges))
        return plain(self, x, y, weight, edges, sharing)

    EdgeProduct.__call__ = listen  # type: ignore[method-assign]
    try:
        evaluate()
    finally:
        EdgeProduct.__call__ = plain  # type: ignore[method-assign]
    return found
