"""Models that people have, as they are and accelerated; and e3nn's products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfngen.bench.allocator import check_settings
from tfngen.bench.ceiling import Work
from tfngen.bench.peers import TFNGEN, Contender, not_installed
from tfngen.bench.timing import Progress, prefixed
from tfngen.bench.turns import Effort, Row, measure, summary

TOLERANCE = 1e-4
"""Of the largest entry: float32 through five layers and a derivative, in another order."""
ATOMISTIC = ("forces", "convolutions")
"""Energy and forces; and all convolutions alone, forward and gradient, on what the model gives them."""
TRACED = ("forces", "training")
"""Energy and forces; and the gradient by all parameters of a loss on forces. Accelerated is recorded."""
PRODUCT = ("forward", "gradient")
ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Model:
    """Something to accelerate.

    Attributes:
        package: what has to be importable.
        maker: the function of `tfngen.bench.model_problem` that makes it.
        given: what that function is called with.
        modes: what is timed.
        about: in words.
        original: what it is called as it is, its package by default.
    """

    name: str
    package: str
    maker: str
    given: tuple[str, ...]
    modes: tuple[str, ...]
    about: str
    original: str = ""


def _product(name: str, kind: str, *irreps: str) -> Model:
    return Model(name, "e3nn", "product", (kind, *irreps), PRODUCT, f"{kind}, {' ⊗ '.join(irreps[:2])}")


_FEATURES = "8x0o+7x1o+3x2e"
MODELS = {
    each.name: each
    for each in (
        Model("sevennet-0-diamond", "sevenn", "sevennet", ("7net-0", "diamond"), ATOMISTIC,
              "SevenNet-0, diamond, 216 atoms"),
        Model("sevennet-0-nacl", "sevenn", "sevennet", ("7net-0", "salt"), ATOMISTIC,
              "SevenNet-0, NaCl, 216 atoms"),
        Model("sevennet-l3i5-diamond", "sevenn", "sevennet", ("7net-l3i5", "diamond"), ATOMISTIC,
              "SevenNet-l3i5, diamond, 216 atoms"),
        Model("mace-diamond", "mace", "mace", ("128x0e+128x1o", "diamond", "0"), ATOMISTIC,
              "MACE 128x0e+128x1o, l ≤ 3, random weights, diamond, 216 atoms"),
        Model("mace-89-diamond", "mace", "mace", ("128x0e+128x1o", "diamond", "89"), ATOMISTIC[:1],
              "the same with weights for 89 elements, as foundation models have"),
        Model("mace-diamond-training", "mace", "mace_training", ("128x0e+128x1o", "diamond"), TRACED[1:],
              "MACE, diamond, 216 atoms: a step of force training"),
        Model("nequip-diamond", "nequip", "nequip", ("32", "diamond"), ATOMISTIC,
              "NequIP, 32 features, l ≤ 2, random weights, diamond, 216 atoms"),
        Model("sevennet-0-ethanol", "sevenn", "traced_sevennet", ("7net-0", "CH3CH2OH"), TRACED[:1],
              "SevenNet-0, ethanol, 9 atoms; accelerated and recorded by tfngen.trace"),
        Model("mace-ethanol", "mace", "traced_mace", ("128x0e+128x1o", "CH3CH2OH"), TRACED[:1],
              "MACE, ethanol, 9 atoms; accelerated and recorded by tfngen.trace"),
        Model("network-9", "tfngen", "network", ("9",), TRACED,
              "tfngen's own network of 3 layers, l ≤ 2, 9 points; recorded by tfngen.trace", "as it is"),
        Model("network-100", "tfngen", "network", ("100",), TRACED, "the same, 100 points", "as it is"),
        Model("network-1000", "tfngen", "network", ("1000",), TRACED, "the same, 1,000 points", "as it is"),
        _product("uvw", "uvw", "5x0e+10x1o+1x2e", "5x0e+10x1o+1x2e", "5x0e+10x1o+1x2e"),
        _product("uvw-harmonics", "uvw", "32x0e+32x1o+32x2e", "0e+1o+2e", "32x0e+32x1o+32x2e"),
        _product("uvu", "uvu", _FEATURES, "10x0e+10x1e+10x2e", _FEATURES),
        _product("uvu-rows", "uvu-rows", _FEATURES, "10x0e+10x1e+10x2e", _FEATURES),
        _product("uvu-harmonics", "uvu-rows", "32x0e+32x1o+32x2e", "0e+1o+2e", "0e+1o+2e"),
    )
}  # fmt: skip


def run(
    names: Sequence[str] = (),
    settings: Sequence[str] | None = None,
    effort: Effort = Effort(),  # noqa: B008, immutable
    progress: Progress = lambda *_: None,
) -> Iterator[dict[str, Any]]:
    """Measure each model under each allocator setting; yields what JSON and tables are made of, as found.

    Args:
        names: of `MODELS`; all by default.
        settings: names from `tfngen.bench.allocator.SETTINGS`, all by default.

    Raises:
        ValueError: an unknown model or setting.
        RuntimeError: a model cannot run accelerated.
    """
    for name in names:
        if name not in MODELS:
            raise ValueError(f"model: got {name!r}; it must be one of {', '.join(MODELS)}")
    for model in [MODELS[name] for name in names or MODELS]:
        contenders = [
            Contender(name, name, "tfngen.bench.model_problem", (model.package,))
            for name in (TFNGEN.name, model.original or model.package)
        ]
        work = dict.fromkeys(model.modes, Work(0.0, 0.0))
        for setting in check_settings(settings):
            about = {"benchmark": "models", "name": model.name, "about": model.about}
            if reason := not_installed(contenders[1]):
                rows = [
                    asdict(Row(setting, mode, each.name, reason=reason))
                    for mode in work
                    for each in contenders
                ]
                yield {**about, "allocator": setting, "threads": 0, "rows": rows}
                continue

            def job(contender: Contender, model: Model = model) -> dict[str, Any]:
                return {
                    "kind": "model",
                    "module": contender.module,
                    "maker": model.maker,
                    "given": list(model.given),
                    "accelerated": contender.name == TFNGEN.name,
                }

            stage = prefixed(progress, f"{model.name}, {setting}")
            found = measure(contenders, job, work, 1, TOLERANCE, setting, effort, stage)
            yield {**about, **summary(found, work, setting)}
