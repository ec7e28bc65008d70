"""The command line: commands and nothing else. Each imports what it needs when it runs."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

import tfngen
from tfngen import console
from tfngen.cli_bench import bench
from tfngen.cli_report import report
from tfngen.cli_run import Dtype, run

app = typer.Typer(
    name="tfngen",
    help="Exact mathematics in, fast readable kernels out, for Tensor Field Networks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
coefficients = typer.Typer(no_args_is_help=True, help="Print exact coefficients: `cg` or `sh`.")
plot = typer.Typer(no_args_is_help=True, help="Draw harmonics, filters, couplings or benchmarks.")
app.add_typer(coefficients, name="coefficients")
app.add_typer(run, name="run")
app.add_typer(plot, name="plot")
app.add_typer(bench, name="bench")
app.command()(report)


class Normalization(str, Enum):
    component = "component"
    norm = "norm"
    integral = "integral"


class Target(str, Enum):
    cpu = "cpu"
    cuda = "cuda"
    all = "all"


class Half(str, Enum):
    float16 = "float16"
    bfloat16 = "bfloat16"


class Strategy(str, Enum):
    auto = "auto"
    direct = "direct"
    outer = "outer"
    coupling = "coupling"


class Role(str, Enum):
    output = "output"
    d_input = "d_input"
    d_filter = "d_filter"
    d_weight = "d_weight"


Lmax = Annotated[int, typer.Option("--lmax", "-l", help="The highest degree, 0 to 12.")]
Norm = Annotated[Normalization, typer.Option(help="Normalisation of the spherical harmonics.")]
Way = Annotated[Strategy, typer.Option(help="How products are computed; auto counts and takes the cheapest.")]
Channels = Annotated[int, typer.Option(help="The number of channels at which auto counts.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print LaTeX.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tfngen {tfngen.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Exact mathematics in, fast readable kernels out, for Tensor Field Networks."""


@app.command()
def build(
    lmax: Annotated[
        int | None, typer.Option("--lmax", "-l", help="Every path up to this degree, 0 to 12; 3 by default.")
    ] = None,
    irreps_in: Annotated[str | None, typer.Option(help="Or only the paths from these irreps,")] = None,
    irreps_filter: Annotated[str | None, typer.Option(help="by these filters,")] = None,
    irreps_out: Annotated[str | None, typer.Option(help="to these.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file with these options, and with [convolutions.NAME] tables.")
    ] = None,
    target: Annotated[Target | None, typer.Option(help="What the kernels run on; cpu by default.")] = None,
    dtype: Annotated[
        list[Dtype] | None, typer.Option(help="Precision; repeat for several. Both by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to put the package in.")] = Path("generated"),
    name: Annotated[
        str | None, typer.Option(help="The package's name; tfn_l3 for lmax 3 by default.")
    ] = None,
    normalization: Annotated[
        Normalization | None, typer.Option(help="Of the spherical harmonics; component by default.")
    ] = None,
    strategy: Annotated[
        Strategy | None,
        typer.Option(help="How products are computed; auto, the default, counts and takes the cheapest."),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(
            help="The number of channels at which auto counts, 32 by default; irreps have their own."
        ),
    ] = None,
    precompile: Annotated[bool, typer.Option("--precompile", help="Compile every kernel now.")] = False,
    capability: Annotated[
        list[str] | None,
        typer.Option(help="GPUs to compile for, like 9.0; no GPU is needed. 8.0 and 9.0 by default."),
    ] = None,
    stored: Annotated[
        list[Half] | None,
        typer.Option(help="Compile for tensors of half precision on those GPUs too; computed in float32."),
    ] = None,
) -> None:
    """Write the package for all degrees up to LMAX, or for a model's own irreps.

    Example: `tfngen build --lmax 3 --target cpu`, then `from generated import tfn_l3`.

    Example: `tfngen build --irreps-in 128x0e+64x1o --irreps-filter 0e+1o+2e --irreps-out 0e+1o --name model`.

    Example: `tfngen build --config model.toml`.
    """
    from tfngen import build as pipeline
    from tfngen.config import specification
    from tfngen.gpu import CAPABILITIES, parse_capability
    from tfngen.spec import TARGETS

    capabilities = [parse_capability(each) for each in capability] if capability else CAPABILITIES
    options = {
        "lmax": lmax,
        "irreps_in": irreps_in,
        "irreps_filter": irreps_filter,
        "irreps_out": irreps_out,
        "targets": None if target is None else TARGETS if target is Target.all else (target.value,),
        "dtypes": tuple(each.value for each in dtype) if dtype else None,
        "name": name,
        "normalization": normalization and normalization.value,
        "strategy": strategy and strategy.value,
        "channels": channels,
    }
    spec = specification(config, {key: value for key, value in options.items() if value is not None})
    for option, given in (("capability", capability), ("stored", stored)):
        if given and not (precompile and "cuda" in spec.targets):
            raise ValueError(
                f"{option}: it says what kernels for GPUs are compiled for now; that takes --precompile, and "
                "--target cuda or all"
            )
    with console.progress() as advance:
        report = pipeline.build(spec, out, advance, workers=os.cpu_count() or 1)
    console.print_build(report)
    if precompile:
        from tfngen.precompile import precompile as compile_all

        with console.progress() as advance:
            count = compile_all(
                report.written.folder,
                lambda done, total: advance("compile", done, total),
                capabilities=capabilities if "cuda" in spec.targets else (),
                stored=[each.value for each in stored or ()],
            )
        console.out.print(f"{count} kernels are compiled and cached.")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The folder of a generated package.", metavar="PATH")],
) -> None:
    """Derive a package again and compare: coefficients exactly, files by hash.

    Exits with 1 at any difference. Example: `tfngen check generated/tfn_l3`.
    """
    from tfngen.check import check as differences

    with console.progress() as advance:
        found = list(differences(path, advance))
    for difference in found[:20]:
        console.err.print(difference, style="red", markup=False, highlight=False)
    if len(found) > 20:
        console.err.print(f"… and {len(found) - 20} more")
    if found:
        raise typer.Exit(1)
    console.out.print(f"{path}: every coefficient and every file is what it should be.")


@app.command()
def paths(lmax: Lmax = 3, strategy: Way = Strategy.auto, channels: Channels = 32, json: Json = False) -> None:
    """List the paths with parity, nonzeros, strategy and operations per kernel.

    Example: `tfngen paths --lmax 2`.
    """
    from tfngen.build import derive, make_plan
    from tfngen.spec import BuildSpec

    spec = BuildSpec(lmax, strategy=strategy.value, channels=channels)
    with console.progress() as advance:
        plan = make_plan(spec, derive(spec), advance)
    console.print_paths(plan, as_json=json)


@coefficients.command("cg")
def clebsch_gordan(
    degrees: Annotated[list[str], typer.Argument(help="l_F l_I l_O, or j1 j2 j with --complex.")],
    complex_: Annotated[bool, typer.Option("--complex", help="Condon–Shortley coefficients.")] = False,
    latex: Latex = False,
    json: Json = False,
) -> None:
    """Print Clebsch–Gordan coefficients, exactly.

    Examples: `tfngen coefficients cg 1 1 2` and `tfngen coefficients cg --complex 3/2 1/2 1`.
    """
    from tfngen.symbolic import describe

    if len(degrees) != 3:
        raise typer.BadParameter(f"got {len(degrees)} degrees; give three, such as 1 1 2")
    if complex_:
        table = describe.describe_complex_clebsch_gordan(*degrees)
    else:
        table = describe.describe_clebsch_gordan(*(console.integer("degrees", each) for each in degrees))
    console.print_description(table, latex=latex, as_json=json)


@coefficients.command("sh")
def spherical_harmonics(
    l: Annotated[int, typer.Argument(help="The degree.", metavar="L")],
    normalization: Norm = Normalization.component,
    latex: Latex = False,
    json: Json = False,
) -> None:
    """Print the real spherical harmonics of degree L as polynomials, exactly.

    Example: `tfngen coefficients sh 2 --latex`.
    """
    from tfngen.symbolic import describe

    table = describe.describe_harmonics(l, normalization.value)
    console.print_description(table, latex=latex, as_json=json)


@app.command()
def show(
    l_filter: Annotated[int, typer.Argument(metavar="L_F")],
    l_input: Annotated[int, typer.Argument(metavar="L_I")],
    l_output: Annotated[int, typer.Argument(metavar="L_O")],
    role: Annotated[Role | None, typer.Option(help="One kernel alone; all four by default.")] = None,
    dtype: Annotated[Dtype, typer.Option(help="Precision.")] = Dtype.float32,
    strategy: Way = Strategy.auto,
    channels: Channels = 32,
) -> None:
    """Print the generated kernels of a path, highlighted.

    Example: `tfngen show 1 1 1 --role output`.
    """
    from tfngen.build import path_text

    text = path_text((l_filter, l_input, l_output), dtype.value, strategy.value, channels)
    console.print_source(text, None if role is None else role.value)


@plot.command("harmonics")
def plot_harmonics(
    lmax: Lmax = 3, out: Annotated[Path, typer.Option(help="PNG, SVG or PDF.")] = Path("harmonics.png")
) -> None:
    """Draw the real spherical harmonics as surfaces, in a pyramid.

    Example: `tfngen plot harmonics --lmax 3 --out harmonics.png`.
    """
    from tfngen.plot.harmonics import plot_harmonics as draw

    console.save_figure(draw(lmax), out)


@plot.command("filters")
def plot_filters(
    degree: Annotated[list[int] | None, typer.Option("--degree", "-d", help="Repeat for several.")] = None,
    out: Annotated[Path, typer.Option(help="PNG, SVG or PDF.")] = Path("filters.png"),
) -> None:
    """Draw filters R(r) Y(r̂) as slices, of the degrees 0 to 3 or those given.

    Example: `tfngen plot filters --degree 2`.
    """
    from tfngen.plot.filters import plot_filters as draw

    console.save_figure(draw(tuple(degree)) if degree else draw(), out)


@plot.command("couplings")
def plot_couplings(
    path: Annotated[list[int] | None, typer.Argument(help="l_F l_I l_O; all up to LMAX without.")] = None,
    lmax: Lmax = 2,
    out: Annotated[Path, typer.Option(help="PNG, SVG or PDF.")] = Path("couplings.png"),
) -> None:
    """Draw coupling tensors as heat maps.

    Examples: `tfngen plot couplings 1 1 1` and `tfngen plot couplings --lmax 2`.
    """
    from tfngen.plot.couplings import plot_couplings as draw

    if path and len(path) != 3:
        raise typer.BadParameter(f"got {len(path)} degrees; give three, such as 1 1 2")
    console.save_figure(draw(path=tuple(path)) if path else draw(lmax=lmax), out)


@plot.command("bench")
def plot_bench(
    file: Annotated[Path, typer.Argument(help="What `tfngen bench … --json` wrote.", metavar="FILE")],
    out: Annotated[Path, typer.Option(help="PNG, SVG or PDF.")] = Path("bench.png"),
) -> None:
    """Draw a benchmark that was measured before.

    Example: `tfngen plot bench conv.json --out conv.png`.
    """
    from tfngen.plot.bench import plot_bench as draw
    from tfngen.plot.bench import read_runs

    console.save_figure(draw(read_runs(file)), out)


def main() -> None:
    """Run a command: no mistake of a user's ends in a traceback.

    Exit codes: 0 done, 1 failed, 2 asked for something that cannot be, 130 interrupted.
    """
    try:
        app()
    except KeyboardInterrupt:
        console.fail("interrupted; nothing is half-written", code=130)
    except ValueError as error:
        console.fail(str(error), code=2)
    except (OSError, ImportError, ArithmeticError, RuntimeError) as error:
        console.fail(str(error), code=1)


if __name__ == "__main__":
    main()
