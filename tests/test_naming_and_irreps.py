"""Irreps as everyone writes them, paths as the triangle inequality allows them, and a name for each thing."""

import pytest

from tfngen import naming
from tfngen.irreps import MAX_DEGREE, Block, Irrep, Irreps, Path, enumerate_paths, irrep_paths

SCALAR, VECTOR, AXIAL = Irrep(0, 1), Irrep(1, -1), Irrep(1, 1)


# — irreps —————————————————————————————————————————————————————————————————————————————————————————————————


@pytest.mark.parametrize(
    ("written", "irrep"),
    [
        ("0e", SCALAR),
        ("1o", VECTOR),
        (" 1 e ", AXIAL),
        ("12o", Irrep(12, -1)),
        (2, Irrep(2, 1)),
        ((1, -1), VECTOR),
        (VECTOR, VECTOR),
    ],
)
def test_irreps_are_read(written, irrep):
    assert Irrep.parse(written) == irrep
    assert Irrep.parse(str(irrep)) == irrep


NO_IRREPS = ["", *["1", "o", "1x", "-1o", "1.0e", "1oo", "1o+0e", "1O", "1x1o"], None, True, 1.0, -1, [1, 1]]
NO_IRREPS += [(1,), (1, 0), (1, 1, 1), ("1", 1), (1, "o"), (True, 1), (1, True), (1, -1.0), (0.0, 1), (-1, 1)]


@pytest.mark.parametrize("written", NO_IRREPS, ids=repr)
def test_what_is_no_irrep_is_refused(written):
    with pytest.raises(ValueError, match=r"(?i)^irrep: "):
        Irrep.parse(written)


def test_the_product_of_two_irreps_has_every_degree_of_the_triangle_once():
    """1o × 1o = 0e + 1e + 2e;   2e × 1o = 1o + 2o + 3o; dimensions multiply."""
    assert tuple(map(str, VECTOR * VECTOR)) == ("0e", "1e", "2e")
    assert tuple(map(str, Irrep(2, 1) * VECTOR)) == ("1o", "2o", "3o")
    for one in (Irrep(l, p) for l in range(5) for p in (1, -1)):
        for other in (Irrep(l, p) for l in range(5) for p in (1, -1)):
            assert sum(each.dim for each in one * other) == one.dim * other.dim
            assert one * other == other * one


@pytest.mark.parametrize(
    ("written", "blocks"),
    [
        ("", ()),
        ("  ", ()),
        ("1o", ((1, VECTOR),)),
        ("128x0e+64x1o", ((128, SCALAR), (64, VECTOR))),
        (" 2 x 0e + 0x1o + 0e ", ((2, SCALAR), (0, VECTOR), (1, SCALAR))),
        ([(2, "0e"), (3, VECTOR), Block(1, AXIAL)], ((2, SCALAR), (3, VECTOR), (1, AXIAL))),
        (VECTOR, ((1, VECTOR),)),
        ([], ()),
    ],
    ids=str,
)
def test_direct_sums_are_read(written, blocks):
    irreps = Irreps.parse(written)
    assert irreps.blocks == blocks
    assert Irreps.parse(str(irreps)) == Irreps.parse(irreps) == irreps
    assert len(irreps) == len(blocks)
    assert tuple(irreps) == blocks


NO_DIRECT_SUMS = ["+", "1o+", "x1o", "2x", "2*1o", "2x1o,1e", "-1x0e", "1.5x0e", "2x1", "2xx1o"]
NO_DIRECT_SUMS += [3, None, [3], ["0e"], [(-1, "0e")], [("2", "0e")], [(1.0, "0e")], [(True, "0e")]]
NO_DIRECT_SUMS += [[(1, "0z")], [(1, None)], [(1, 2, 3)]]


@pytest.mark.parametrize("written", NO_DIRECT_SUMS, ids=repr)
def test_what_is_no_direct_sum_is_refused(written):
    with pytest.raises(ValueError, match=r"^irreps?: "):
        Irreps.parse(written)


def test_dimensions_and_multiplicities():
    irreps = Irreps.parse("8x0e+4x1o+0x2e+2x0e")
    assert (irreps.dim, irreps.num_irreps, irreps.lmax) == (8 + 12 + 2, 14, 2)
    assert (irreps.multiplicity(SCALAR), irreps.multiplicity(VECTOR), irreps.multiplicity(AXIAL)) == (
        10,
        4,
        0,
    )
    assert SCALAR in irreps
    assert AXIAL not in irreps
    assert Irrep(2, 1) not in irreps  # there are none of it
    assert str(irreps.regroup()) == "10x0e+4x1o"
    assert irreps + Irreps.parse("1e") == Irreps.parse("8x0e+4x1o+0x2e+2x0e+1x1e")
    assert Irreps().lmax == -1
    assert Irreps().dim == 0


# — paths ——————————————————————————————————————————————————————————————————————————————————————————————————


@pytest.mark.parametrize(("lmax", "count"), [(0, 1), (1, 5), (2, 15), (3, 34), (4, 65)])
def test_the_number_of_paths(lmax, count):
    assert len(enumerate_paths(lmax)) == count


def test_paths_are_the_allowed_triples_in_lexicographic_order():
    """|l_F − l_I| ≤ l_O ≤ l_F + l_I is symmetric in all three, and is what products of irreps contain."""
    paths = enumerate_paths(4)
    assert list(paths) == sorted(set(paths))
    assert set(paths) == {(o, f, i) for f, i, o in paths} == {(i, f, o) for f, i, o in paths}
    triples = [Path(f, i, o) for f in range(5) for i in range(5) for o in range(5)]
    assert [path for path in triples if path.allowed] == list(paths)
    for path in triples:
        degrees = [irrep.l for irrep in Irrep(path.l_filter) * Irrep(path.l_input)]
        assert path.allowed == (path.l_output in degrees)


def test_a_path_is_a_tuple_with_names():
    path = Path(2, 1, 3)
    assert path == (2, 1, 3)
    assert (path.l_filter, path.l_input, path.l_output) == path
    assert str(path) == "(2, 1, 3)"
    assert path.even
    assert not Path(1, 1, 1).even


def test_the_paths_of_a_convolution_run_output_by_output():
    """Within an output input by input, within an input filter by filter; degrees and parities decide."""
    paths = irrep_paths(*map(Irreps.parse, ("3x0e+2x1o", "0e+1o+2e", "1o+0e")))
    assert [
        f"{p.irrep_filter} {p.channels}x{p.irrep_input} {p.irrep_output} {p.input_block} {p.output_block}"
        for p in paths
    ] == ["1o 3x0e 1o 0 0", "0e 2x1o 1o 1 0", "2e 2x1o 1o 1 0", "0e 3x0e 0e 0 1", "1o 2x1o 0e 1 1"]
    assert [each.path for each in paths] == [(1, 0, 1), (0, 1, 1), (2, 1, 1), (0, 0, 0), (1, 1, 0)]
    kept = irrep_paths(*map(Irreps.parse, ("3x0e+2x1o", "0e+1o", "0e")), keep=lambda path: path.l_filter)
    assert [each.path for each in kept] == [(1, 1, 0)]


def test_an_output_that_no_path_reaches_is_refused():
    with pytest.raises(
        ValueError, match=r"^irreps_out: no path leads from 1x0e by 1x1o to 0e; reachable: 1x1o"
    ):
        irrep_paths(*map(Irreps.parse, ("1x0e", "1o", "1o+0e")))


# — names ——————————————————————————————————————————————————————————————————————————————————————————————————


def test_components_are_named_for_their_axis_or_their_order():
    assert naming.components(0) == ("0",)
    assert naming.components(1) == ("x", "y", "z")
    assert naming.components(2) == ("n2", "n1", "0", "p1", "p2")


def test_every_component_harmonic_and_path_has_its_own_name():
    """All of which are parts of, or are themselves, Python identifiers."""
    degrees = range(MAX_DEGREE + 1)
    for l in degrees:
        assert len(set(naming.components(l))) == 2 * l + 1
    harmonics = [naming.harmonic(l, m) for l in degrees for m in range(-l, l + 1)]
    modules = [naming.path_module(path) for path in enumerate_paths(MAX_DEGREE)]
    packages = [naming.package(lmax) for lmax in degrees]
    names = [*harmonics, *modules, *packages, naming.HARMONICS_MODULE]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_names_of_files_and_packages():
    assert naming.path_module(Path(1, 12, 11)) == "path_1_12_11"
    assert naming.package(3) == "tfn_l3"
    assert [naming.harmonic(0, 0), naming.harmonic(1, 0), naming.harmonic(3, -2)] == [
        "Y_0",
        "Y_1_y",
        "Y_3_n2",
    ]
