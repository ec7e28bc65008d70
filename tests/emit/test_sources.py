"""The text of a generated package: valid, tidy, reproducible, and saying of itself what is true."""

import ast
import json
import os
import re
import socket
import subprocess
import sys
from functools import cache
from hashlib import sha256
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

import tfngen
from tests.conftest import REPOSITORY
from tfngen import naming
from tfngen.build import derive, make_plan, sources
from tfngen.emit.heads import definition
from tfngen.emit.printer import Printer
from tfngen.emit.sources import FORMULAS, Plan, fingerprint
from tfngen.ir.nodes import product
from tfngen.irreps import enumerate_paths
from tfngen.roles import Role
from tfngen.spec import NORMALIZATIONS, BuildSpec
from tfngen.symbolic.clebsch_gordan import clebsch_gordan
from tfngen.symbolic.surd import Surd

SPECS = [
    BuildSpec(lmax, normalization=normalization) for lmax in range(3) for normalization in NORMALIZATIONS
]
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.lmax}-{spec.normalization}")
KERNEL_MODULE = re.compile(
    r"cpu/(float32|float64)/(harmonics|mixing|(path|convolution|rows)_\d+_\d+_\d+)\.py"
)


@cache
def plan(spec: BuildSpec) -> Plan:
    return make_plan(spec, derive(spec))


@cache
def files(spec: BuildSpec) -> dict[str, str]:
    return sources(plan(spec))


def modules(spec: BuildSpec) -> dict[str, str]:
    return {name: text for name, text in files(spec).items() if name.endswith(".py")}


def kernel_modules(spec: BuildSpec) -> dict[str, str]:
    return {name: text for name, text in files(spec).items() if KERNEL_MODULE.fullmatch(name)}


@every_spec
def test_a_package_has_these_files(spec):
    expected = {"__init__.py", "coefficients.py", "manifest.json", "cpu/__init__.py"}
    for dtype in spec.dtypes:
        expected |= {f"cpu/{dtype}/__init__.py", f"cpu/{dtype}/harmonics.py"}
        expected |= {f"cpu/{dtype}/mixing.py"}
        expected |= {f"cpu/{dtype}/{naming.rows_module(path)}.py" for path in spec.paths}
        expected |= {f"cpu/{dtype}/{naming.path_module(path)}.py" for path in spec.paths}
        expected |= {f"cpu/{dtype}/{naming.convolution_module(path)}.py" for path in spec.paths}
    assert files(spec).keys() == expected


@every_spec
def test_every_file_is_tidy_python(spec):
    """It parses, ends in one newline, has no tabs and no trailing blanks, and keeps to its width.

    Statements keep to 110 columns (the printer's); a sentence in a docstring may take 120.
    """
    for name, text in files(spec).items():
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "\t" not in text
        assert "\n\n\n\n" not in text
        lines = text.split("\n")
        assert [line for line in lines if line != line.rstrip() or len(line) > 120] == []
        if name.endswith(".py"):
            tree = ast.parse(text)
            assert ast.get_docstring(tree)
        if KERNEL_MODULE.fullmatch(name):
            code = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)} - {1}
            assert [lines[number - 1] for number in code if len(lines[number - 1]) > 110] == []


@every_spec
def test_floats_appear_in_definitions_of_constants_only(spec):
    """A float in a float32 kernel would be computed with in double precision."""
    for name, text in modules(spec).items():
        tree = ast.parse(text)
        defining = [
            node.args[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "constant"
        ]
        floats = [
            n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float | complex)
        ]
        assert [node for node in floats if node not in defining] == []
        assert bool(defining) <= bool(KERNEL_MODULE.fullmatch(name))


COUNTS = re.compile(r"\w+_at|done|begun|first")
"""Names of integers: places in memory, and how many channels or rows there were before."""


def _target(assignment: ast.Assign | ast.AugAssign) -> str:
    """The first name that is assigned to."""
    target = assignment.target if isinstance(assignment, ast.AugAssign) else assignment.targets[0]
    return next(node.id for node in ast.walk(target) if isinstance(node, ast.Name))


@every_spec
def test_integers_in_kernels_only_address(spec):
    """No integer is multiplied with a value: they count components, points and strides."""
    for text in kernel_modules(spec).values():
        for kernel in (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)):
            assignments = [node for node in ast.walk(kernel) if isinstance(node, ast.Assign | ast.AugAssign)]
            for assignment in assignments:
                if not isinstance(assignment.value, ast.Call) and not COUNTS.fullmatch(_target(assignment)):
                    numbers = [n for n in ast.walk(assignment.value) if isinstance(n, ast.Constant)]
                    assert numbers == []


@every_spec
def test_every_constant_is_the_number_of_its_type_nearest_to_what_its_name_says(spec):
    """√(1/6) rounded to nine digits first is the wrong float32. Names and comments agree with values."""
    for name, text in kernel_modules(spec).items():
        for constant, value, comment in re.findall(
            r"^(\w+) = constant\((\S+)\)  # (.+)$", text, re.MULTILINE
        ):
            exact = _exact(constant)
            dtype = np.float32 if "float32" in name else np.float64
            assert dtype(float(value)) == dtype(exact)
            assert _evaluated(comment) == pytest.approx(exact, rel=1e-15)
        assert text.count("constant(") == len(re.findall(r"^\w+ = constant\(", text, re.MULTILINE))


def _exact(name: str) -> float:
    """A constant's name as a number."""
    if name == "INVERSE_SQRT_PI":
        return 0.56418958354775628694807945156
    kind, numerator, denominator = (*name.split("_"), "1")[:3]
    if kind != "SQRT":
        return int(numerator) / int(denominator)
    return float(Surd(1, int(numerator), int(denominator)))


def _evaluated(comment: str) -> float:
    """``√(3/10)``, ``√7``, ``1/2``, ``1/√π`` as a number."""
    text = re.sub(
        r"√(\d+)", r"sqrt(\1)", comment.replace("√(", "sqrt(").replace("√π", "sqrt(3.141592653589793)")
    )
    return eval(text, {"sqrt": sqrt})


def test_every_float32_constant_to_degree_six_is_rounded_once():
    """The definition of each coefficient up to l = 6, of which eight go wrong when rounded twice."""
    for value in {abs(entry.value) for path in enumerate_paths(6) for entry in clebsch_gordan(*path)}:
        printer = Printer()
        printer.sum(product(coefficient=value))
        (constant,) = printer.constants
        (number,) = re.findall(r"constant\((.+)\)  #", definition(constant))
        assert np.float32(float(number)) == np.float32(float(value))


@every_spec
def test_kernels_use_what_they_import_and_import_what_they_use(spec):
    for text in kernel_modules(spec).values():
        tree = ast.parse(text)
        imported = {
            alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert imported <= used
        defined = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert used - imported - defined - arguments - functions <= {"range"}
        constants = {
            target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
        }
        loaded = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        assert constants <= loaded


@every_spec
def test_docstrings_say_the_formula_the_nonzeros_and_the_operations(spec):
    """Each count is the one `cost` made: of the plan, not of the text."""
    for dtype in spec.dtypes:
        for each in plan(spec).paths:
            tree = ast.parse(files(spec)[f"cpu/{dtype}/{naming.path_module(each.path)}.py"])
            docstring = ast.get_docstring(tree)
            assert f"The path {each.path}: " in docstring
            assert re.search(rf"C has {len(each.couplings)} nonzero (entry|entries)\b", docstring)
            kernels = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert list(kernels) == [str(role) for role in Role]
            for planned in each.kernels:
                name = planned.kernel.name
                assert ast.get_docstring(kernels[name]) == FORMULAS[name]
                (row,) = re.findall(rf"^ *{name} .*$", docstring, re.MULTILINE)
                counts = [planned.cost.edge, planned.cost.channel, planned.plain.channel]
                numbers = [number for each in counts for number in (each.multiplies, each.adds)]
                assert row.split() == [
                    name,
                    planned.strategy,
                    *(
                        word
                        for at, number in enumerate(numbers)
                        for word in (str(number), ("mul", "add")[at % 2])
                    ),
                ]


@every_spec
def test_the_harmonics_docstring_counts_operations_per_point(spec):
    for dtype in spec.dtypes:
        docstring = ast.get_docstring(ast.parse(files(spec)[f"cpu/{dtype}/harmonics.py"]))
        assert f"{spec.normalization} normalisation, in {dtype}" in docstring
        for planned in plan(spec).harmonics.kernels:
            after, before = planned.cost.channel, planned.plain.channel
            row = f"{after.multiplies} mul {after.adds} add {before.multiplies} mul {before.adds} add"
            (found,) = re.findall(rf"^ *{planned.kernel.name} .*$", docstring, re.MULTILINE)
            assert found.split() == [planned.kernel.name, *row.split()]


@every_spec
def test_the_package_docstring_lists_every_path_with_its_cost(spec):
    docstring = ast.get_docstring(ast.parse(files(spec)["__init__.py"]))
    for each in plan(spec).paths:
        (row,) = re.findall(rf"^ *{re.escape(str(each.path))} .*$", docstring, re.MULTILINE)
        cells = row.replace(str(each.path), "").split()
        flops = [str(planned.cost.flops(spec.channels)) for planned in each.kernels]
        assert cells[0] == str(len(each.couplings))
        assert cells[1::2] == flops
        assert cells[2::2] == [planned.strategy for planned in each.kernels]


def test_few_nonzeros_are_written_out_and_many_are_not():
    text = files(BuildSpec(2))
    for each in plan(BuildSpec(2)).paths:
        docstring = ast.get_docstring(ast.parse(text[f"cpu/float32/{naming.path_module(each.path)}.py"]))
        entries = re.findall(r"^ *C\[(\w+), (\w+), (\w+)\] = (.+)$", docstring, re.MULTILINE)
        listed = [
            (naming.component(f, a), naming.component(i, b), naming.component(o, c), str(value))
            for (f, i, o), (a, b, c, value) in ((each.path, coupling) for coupling in each.couplings)
        ]
        assert entries == (listed if len(listed) <= 16 else [])


@every_spec
def test_coefficients_are_the_exact_tables(spec):
    """Executed, the module holds the derived integers and nothing else."""
    namespace: dict = {}
    exec(files(spec)["coefficients.py"], namespace)
    tables = derive(spec)
    assert namespace["CLEBSCH_GORDAN"] == {
        tuple(path): tuple((f, i, o, v.sign, v.numerator, v.denominator) for f, i, o, v in entries)
        for path, entries in tables.couplings.items()
    }
    assert namespace["HARMONICS"] == {
        key: tuple((exponents, (v.sign, v.numerator, v.denominator)) for exponents, v in terms)
        for key, terms in tables.monomials.items()
    }
    mentions_pi = "over √π" in ast.get_docstring(ast.parse(files(spec)["coefficients.py"]))
    assert mentions_pi == (spec.normalization == "integral")


@every_spec
def test_the_manifest_describes_the_package(spec):
    manifest = json.loads(files(spec)["manifest.json"])
    assert manifest["generator"] == "tfngen"
    assert manifest["tfngen"] == tfngen.__version__
    assert BuildSpec.from_json(manifest["spec"]) == spec
    rest = {name: text for name, text in files(spec).items() if name != "manifest.json"}
    assert manifest["files"] == {name: sha256(text.encode()).hexdigest() for name, text in rest.items()}


@every_spec
def test_nothing_in_a_package_tells_where_or_when_it_was_built(spec):
    forbidden = [str(REPOSITORY), str(Path.home()), socket.gethostname(), os.getcwd(), sys.prefix]
    for text in files(spec).values():
        assert [each for each in forbidden if len(each) > 3 and each in text] == []
        assert re.findall(r"\b20\d\d-\d\d|\b\d\d:\d\d\b|(?<![\w.])/(?:home|tmp|usr|root|work)/", text) == []


def test_a_build_is_the_same_bytes_in_any_process():
    """Whatever the hash seed, the locale, the working directory and the time zone."""
    script = """if True:
        from hashlib import sha256
        from tfngen.build import derive, make_plan, sources
        from tfngen.spec import BuildSpec
        files = sources(make_plan(spec := BuildSpec(2), derive(spec)))
        print(sha256(repr(list(files.items())).encode()).hexdigest())
    """
    here = sha256(repr(list(files(BuildSpec(2)).items())).encode()).hexdigest()
    elsewhere = [
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "LANG": "C", "TZ": "Asia/Tokyo", "PYTHONUTF8": "0"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONOPTIMIZE": "2"},
    ]
    for environment in elsewhere:
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == here


def test_the_fingerprint_tells_packages_apart():
    """Everything a specification says is in it, and nothing else is."""
    specs = [
        *SPECS,
        BuildSpec(1, dtypes=("float32",)),
        BuildSpec(1, channels=64),
        BuildSpec(1, strategy="direct"),
    ]
    specs.append(BuildSpec(1, name="other"))
    assert len({fingerprint(spec) for spec in specs}) == len(specs)
    assert fingerprint(BuildSpec(1)) == fingerprint(BuildSpec(1, dtypes=("float64", "float32")))


def test_one_dtype_is_a_subset_of_both():
    """The kernels of a precision do not depend on which others are asked for."""
    both = kernel_modules(BuildSpec(1))
    one = kernel_modules(BuildSpec(1, dtypes=("float64",)))
    assert one == {name: text for name, text in both.items() if "float64" in name}
    assert 0 < len(one) == len(both) / 2


def test_the_dtypes_differ_only_in_their_names():
    """Constants are written with all their digits in both, and get their type where they are defined."""
    text = files(BuildSpec(2))
    for name in kernel_modules(BuildSpec(2)):
        if "float32" in name:
            assert text[name].replace("float32", "float64") == text[name.replace("float32", "float64")]
