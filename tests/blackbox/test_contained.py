"""What a callable reference may contain is decided, and a page of the documents says what that is.

`python -m tests.blackbox.test_contained` writes the page's table.
"""

import inspect
from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from tests.blackbox.contained import jax_references, tensorflow_references, torch_references
from tests.blackbox.contained.scaled import SCALED

PAGE = Path(__file__).parents[2] / "docs" / "references.md"
KINDS = {"torch": torch_references, "jax": jax_references, "tensorflow": tensorflow_references}
TITLES = {"torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow"}


def report_on(engine, of, shapes, judged=None):
    draw = np.random.default_rng(0).standard_normal
    given = [draw(shape).astype(np.float64) for shape in shapes]
    return gp.check(
        judged or of,
        dict(zip(_names(of, len(given)), given, strict=True)),
        reference=of,
        engine=engine,
        battery=False,
        diagnose=False,
        draws=1,
    )


def _names(of, count):
    return list(inspect.signature(of).parameters)[:count]


@pytest.mark.parametrize(
    ("engine", "name"),
    [(engine, name) for engine, kinds in KINDS.items() for name in kinds.DECIDED],
)
def test_what_a_reference_may_contain_is_decided(engine, name):
    report = report_on(engine, *KINDS[engine].DECIDED[name])
    assert "no bound" not in report.reference, report.reference
    assert set(report.kinds) == {"agrees"} and not report.faults, str(report)


ORDERED = "sort, topk, median"
REFUTED = [
    *((engine, "slogdet") for engine in ("torch", "tensorflow")),
    ("jax", "matrix inverse"),
    *((engine, "atan2") for engine in KINDS),
    *((engine, name) for engine in ("jax", "tensorflow") for name in ("argmax", ORDERED)),
    *((engine, "conversion to float32") for engine in KINDS),
    *((engine, "atan, asin, acos") for engine in KINDS),
    *((engine, "asinh, acosh, atanh") for engine in KINDS),
    *((engine, "floor, ceil, round, trunc") for engine in KINDS),
    *((engine, "remainder, fmod") for engine in KINDS),
    *(("jax", name) for name in ("abs, sign, maximum, minimum", "unfold, fold")),
    *(("tensorflow", name) for name in ("logaddexp, xlogy", "division where nothing is zero")),
    *(("tensorflow", name) for name in ("prod", "cumprod", "cumsum", "norms")),
    *(("tensorflow", name) for name in ("indices by tensors", "tril, triu, diagonal")),
]


@pytest.mark.parametrize(("engine", "name"), REFUTED)
@pytest.mark.parametrize("factor", [1.01, -1.0])
def test_a_gradient_that_is_off_by_a_factor_is_refuted(engine, name, factor):
    of, shapes = KINDS[engine].DECIDED[name]
    report = report_on(engine, of, shapes, SCALED[engine](of, factor))
    assert set(report.kinds[1:]) == {"refuted"}, str(report)


@pytest.mark.parametrize(
    ("engine", "name"),
    [(engine, name) for engine, kinds in KINDS.items() for name in kinds.UNDECIDED],
)
def test_what_it_may_not_contain_is_named(engine, name):
    of, shapes, because = KINDS[engine].UNDECIDED[name]
    report = report_on(engine, of, shapes)
    assert set(report.kinds) == {"undecided"}, str(report)
    assert because in report.reference, report.reference


def table():
    """The rows of the page: what is decided in each framework, what is not, and what was not tried
    there."""
    names = dict.fromkeys(name for kinds in KINDS.values() for name in kinds.DECIDED)
    names |= dict.fromkeys(name for kinds in KINDS.values() for name in kinds.UNDECIDED)
    yield f"| | {' | '.join(TITLES.values())} |"
    yield "|---|" + "---|" * len(KINDS)
    for name in names:
        marks = [
            "yes" if name in kinds.DECIDED else "no" if name in kinds.UNDECIDED else ""
            for kinds in KINDS.values()
        ]
        yield f"| {name} | {' | '.join(marks)} |"


def test_the_page_says_what_a_reference_may_contain():
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    print("\n".join(table()))
