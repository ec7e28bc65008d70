"""`tfngen bench`: commands and nothing else. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfngen import console
from tfngen.cli_run import Model

bench = typer.Typer(no_args_is_help=True, help="Measure, beside others and against this machine's ceilings.")

Package = Annotated[Path | None, typer.Option(help="A generated package; built on demand by default.")]
Rounds = Annotated[int, typer.Option(help="How often each contender has its turn.", min=1)]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write what was measured to this file.")]
Peers = Annotated[
    str | None, typer.Option(help="Whom to compare with, by commas; all by default, 'none' for nobody.")
]
Compiled = Annotated[bool, typer.Option(help="Also compare with peers under torch.compile.")]
Allocators = Annotated[
    str | None, typer.Option(help="Settings of glibc's allocator, by commas: default, kept. Both by default.")
]
Seconds = Annotated[
    float, typer.Option(help="After so long in a mode a contender sits out, 3 turns at least.", min=0)
]
Patience = Annotated[
    float, typer.Option(help="Give up a contender that takes longer to answer, compiling included.", min=1)
]
Picture = Annotated[Path | None, typer.Option("--plot", help="Draw it too: PNG, SVG or PDF.")]


def _names(text: str | None) -> list[str] | None:
    """Names by commas; None for all, an empty list for 'none'."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip() and name.strip() != "none"]


def _finish(runs: list[dict[str, Any]]) -> None:
    """Exit with 1 if two computed different things."""
    from tfngen.bench.tables import disagreements

    if any(disagreements(run) for run in runs):
        raise typer.Exit(1)


@bench.command("conv")
def bench_conv(
    workload: Annotated[
        list[str] | None,
        typer.Option(
            help="tfn-l3, mace-large, mace-large-small, sevennet-l3i5, nequip-lips, dhfr, or a series: "
            "degree, size, small, gpu; repeat for several. The first by default."
        ),
    ] = None,
    peers: Peers = None,
    compiled: Compiled = True,
    package: Package = None,
    allocator: Allocators = None,
    rounds: Rounds = 15,
    seconds: Seconds = 20.0,
    patience: Patience = 600.0,
    json_file: JsonFile = None,
    picture: Picture = None,
    device: Annotated[str, typer.Option(help="Where: cpu or cuda.")] = "cpu",
    data: Annotated[
        Path | None, typer.Option(help="The protein 5DFR, for dhfr: npz, or what ase reads, in Å.")
    ] = None,
) -> None:
    """Time convolutions over graphs, forward, gradient and force training, beside every peer installed.

    Example: `tfngen bench conv --workload tfn-l3 --peers e3nn --json conv.json --plot conv.png`.
    """
    from tfngen.bench import convolution
    from tfngen.bench.turns import Effort
    from tfngen.bench.workloads import find, left_out

    names = workload or ["tfn-l3"]
    for line in left_out(names, data):
        console.err.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    with console.progress(single=True) as advance:
        found = convolution.run(
            find(names, data), package, _names(peers), compiled, _names(allocator),
            Effort(rounds, seconds, patience), advance, device,
        )  # fmt: skip
        runs = console.print_runs(found, json_file, picture)
    _finish(runs)


@bench.command("small")
def bench_small(
    peers: Peers = None,
    compiled: Compiled = True,
    package: Package = None,
    allocator: Allocators = "default",
    rounds: Rounds = 200,
    seconds: Seconds = 20.0,
    patience: Patience = 600.0,
    json_file: JsonFile = None,
    picture: Picture = None,
) -> None:
    """Time one convolution, and its forces, on one molecule, where Python and dispatch are what costs.

    Example: `tfngen bench small --peers e3nn`.
    """
    bench_conv(["small"], peers, compiled, package, allocator, rounds, seconds, patience, json_file, picture)


@bench.command("layer")
def bench_layer(
    workload: Annotated[
        list[str] | None, typer.Option(help="Of `bench conv`; repeat for several. tfn-l3 by default.")
    ] = None,
    hidden: Annotated[int, typer.Option(help="Width of the radial network's hidden layer.", min=1)] = 64,
    peers: Peers = None,
    package: Package = None,
    allocator: Allocators = "default",
    rounds: Rounds = 7,
    seconds: Seconds = 20.0,
    patience: Patience = 600.0,
    json_file: JsonFile = None,
    picture: Picture = None,
) -> None:
    """Time a whole layer of a model: a radial network, and the convolution that takes its weights.

    Peers are e3nn, and torch: the same convolution with weights as torch alone makes them.

    Example: `tfngen bench layer --workload mace-large-small --peers torch`.
    """
    from tfngen.bench import layer
    from tfngen.bench.turns import Effort
    from tfngen.bench.workloads import find

    home = None if package is None else str(package)
    with console.progress(single=True) as advance:
        found = layer.run(
            find(workload or ["tfn-l3"]), hidden, home, _names(peers), _names(allocator),
            Effort(rounds, seconds, patience), advance,
        )  # fmt: skip
        runs = console.print_runs(found, json_file, picture)
    _finish(runs)


@bench.command("sh")
def bench_sh(
    degree: Annotated[
        list[int] | None, typer.Option("--degree", "-d", help="Highest degrees; 3, 6 and 10 by default.")
    ] = None,
    points: Annotated[int, typer.Option(help="Points.", min=1)] = 10_000,
    peers: Peers = None,
    package: Package = None,
    allocator: Allocators = None,
    rounds: Rounds = 50,
    seconds: Seconds = 20.0,
    patience: Patience = 600.0,
    json_file: JsonFile = None,
    picture: Picture = None,
) -> None:
    """Time spherical harmonics: values, with the Jacobian, and through autograd.

    Example: `tfngen bench sh --degree 3 --peers sphericart`.
    """
    from tfngen.bench import harmonics
    from tfngen.bench.turns import Effort

    with console.progress(single=True) as advance:
        found = harmonics.run(
            degree or harmonics.DEGREES, points, package, _names(peers), _names(allocator),
            Effort(rounds, seconds, patience), advance,
        )  # fmt: skip
        runs = console.print_runs(found, json_file, picture)
    _finish(runs)


@bench.command("models")
def bench_models(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="sevennet-0-diamond, sevennet-0-nacl, sevennet-l3i5-diamond, mace-diamond, nequip-diamond, "
            "sevennet-0-ethanol, network-9, network-100, network-1000, uvw, uvw-harmonics, uvu, uvu-rows, "
            "uvu-harmonics; repeat for several. All installed by default.",
        ),
    ] = None,
    allocator: Allocators = None,
    rounds: Rounds = 7,
    seconds: Seconds = 20.0,
    patience: Patience = 600.0,
    json_file: JsonFile = None,
    picture: Picture = None,
) -> None:
    """Time models of other packages, and e3nn's products, as they are and accelerated.

    Example: `tfngen bench models --model sevennet-0-nacl`.
    """
    from tfngen.bench import models
    from tfngen.bench.turns import Effort

    with console.progress(single=True) as advance:
        found = models.run(model or (), _names(allocator), Effort(rounds, seconds, patience), advance)
        runs = console.print_runs(found, json_file, picture)
    _finish(runs)


@bench.command("product")
def bench_product(
    package: Package = None,
    edges: Annotated[int, typer.Option(help="Edges.", min=1)] = 2000,
    channels: Annotated[int, typer.Option(help="Channels.", min=1)] = 32,
    rounds: Rounds = 15,
    json_file: JsonFile = None,
) -> None:
    """Time the product of every path, forward and gradient, beside e3nn's.

    Example: `tfngen bench product --edges 2000 --channels 32`.
    """
    from tfngen.bench import product

    workload = product.Workload(console.package(package), edges, channels)
    with console.progress() as advance:
        rows, ceiling = product.measure(workload, rounds, advance)
    console.print_product(product.as_json(rows, ceiling, workload), json_file)


@bench.command("startup")
def bench_startup(package: Package = None, rounds: Rounds = 5, json_file: JsonFile = None) -> None:
    """Time import and first calls in fresh processes, before and after compilation.

    Example: `tfngen bench startup`.
    """
    from tfngen.bench import startup

    home = Path(str(console.package(package).__file__)).parent
    with console.progress() as advance:
        found = startup.measure(home, rounds, advance)
    console.print_seconds(
        "seconds beyond `import torch, numba`, medians of fresh processes", found, json_file
    )


@bench.command("compile")
def bench_compile(
    workload: Annotated[str, typer.Option(help="A workload of `bench conv`.")] = "tfn-l3",
    package: Package = None,
    json_file: JsonFile = None,
) -> None:
    """Time the first calls of a whole convolution in fresh processes: compiling, then from the cache.

    Example: `tfngen bench compile --workload mace-large`.
    """
    from tfngen.bench import compiling
    from tfngen.bench.workloads import find

    (chosen,) = find([workload])
    home = Path(str(console.package(package).__file__)).parent
    with console.progress() as advance:
        found = compiling.measure(home, chosen, advance)
    console.print_seconds(
        "seconds beyond `import torch, numba, tfngen`, from import to result", found, json_file
    )


@bench.command("training")
def bench_training(
    model: Annotated[Model, typer.Option(help="Of `run missing-atom`.")] = Model.best,
    threads: Annotated[int, typer.Option(help="Of torch; the experiment trains on one.", min=1)] = 1,
    rounds: Rounds = 30,
    json_file: JsonFile = None,
) -> None:
    """Time training steps of the missing-atom experiment beside the same network on e3nn.

    Example: `tfngen bench training --model paper`.
    """
    from tfngen.bench import training

    with console.progress() as advance:
        found = training.measure(model.value, rounds, advance, threads)
    console.print_training(found, json_file)
