"""Every name that appears in generated code or on disk, in one place."""

from __future__ import annotations

from tfngen.irreps import Path


def component(l: int, m: int) -> str:
    """The name of component `m` of degree `l`: ``x``, ``y``, ``z`` at degree 1, else ``n2``, …, ``p2``."""
    if l == 1:
        return "xyz"[m + 1]
    return "0" if m == 0 else f"{'p' if m > 0 else 'n'}{abs(m)}"


def components(l: int) -> tuple[str, ...]:
    """The names of all components of degree `l`, in storage order m = −l … l."""
    return tuple(component(l, m) for m in range(-l, l + 1))


def harmonic(l: int, m: int) -> str:
    """The name of a spherical harmonic's value: ``Y_0``, ``Y_1_x``, ``Y_3_n2``."""
    return "Y_0" if l == 0 else f"Y_{l}_{component(l, m)}"


def path_module(path: Path) -> str:
    """The module that holds the kernels of `path`: ``path_1_1_2``."""
    return "path_{}_{}_{}".format(*path)


def convolution_module(path: Path) -> str:
    """The module that holds the same kernels over a graph: ``convolution_1_1_2``."""
    return "convolution_{}_{}_{}".format(*path)


def group_module(l_input: int, number: int) -> str:
    """The module with a GPU's kernels over a graph for paths of one input degree: ``input_1``, ``input_4_2``.

    Args:
        l_input: the degree.
        number: 0, or more where a degree's paths are too many for one kernel.
    """
    return f"input_{l_input}_{number + 1}" if number else f"input_{l_input}"


def is_group_module(name: str) -> bool:
    """Whether a module, whose name may be dotted, is one of those."""
    return name.rpartition(".")[2].startswith("input_")


def rows_module(path: Path) -> str:
    """The module that holds its products of rows, a row in every lane: ``rows_1_1_2``."""
    return "rows_{}_{}_{}".format(*path)


HARMONICS_MODULE = "harmonics"
MIXING_MODULE = "mixing"
GROUPS_MODULE = "groups"


def package(lmax: int) -> str:
    """The name of a generated package when none is given: ``tfn_l3``."""
    return f"tfn_l{lmax}"


def specialised_package(lmax: int, digest: str) -> str:
    """The name of a package made for certain convolutions when none is given: ``tfn_l3_5e7a91c0``."""
    return f"{package(lmax)}_{digest[:8]}"


def build_command(irreps_in: str, irreps_filter: str, irreps_out: str) -> str:
    """The command that builds a package for one convolution."""
    return f"tfngen build --irreps-in {irreps_in} --irreps-filter {irreps_filter} --irreps-out {irreps_out}"


RUNTIME_INTERFACE = 12
"""The agreement between generated code and `tfngen.runtime`; raised when either changes how it calls."""
