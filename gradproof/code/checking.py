"""What an exported file checks itself by: data, certified derivatives, and derived bounds.

A framework's file compares its gradients with the framework's own automatic differentiation. Both
are evaluations of the same function in float64, so both are as near to the true gradient as the
balls of `engines/ball.py` say when they carry the framework's contract through all stages, times
`OTHER_ALGORITHM` for the other formulas that each of them may use.

NumPy has no automatic differentiation. Its file compares ⟨gradient, direction⟩ for each input with
the derivative in that direction as the rigorous complex step has it (`judge/direction.py`): from
the forward equations alone, and certified. In networks that are too large for that it is the
certified value of the derived gradient.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flint
import numpy as np

from gradproof.code import drawing
from gradproof.code.dialect import Dialect
from gradproof.code.plan import UPSTREAM, Plan
from gradproof.core.errors import NotYet
from gradproof.core.program import Derivation, Tensor
from gradproof.core.told import told
from gradproof.engines.acb import Kinked
from gradproof.engines.arb import Arb
from gradproof.engines.contract import contract
from gradproof.engines.evaluate import number_of
from gradproof.judge.direction import Forward, directional, tap
from gradproof.judge.layers import OTHER_ALGORITHM, enclosed
from gradproof.trace.signature import Signature, members, positions_of

U = 2.0**-53


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file's check holds its gradients to, at given sizes.

    ``apart`` is how far two evaluations of each input's gradient may be from one another,
    ``slopes`` the derivative in the check's direction and how far a sum in float64 may be from it;
    ``independent`` says whether the slopes come from the forward equations alone.
    """

    sizes: Mapping[str, int]
    apart: Mapping[str, float]
    slopes: Mapping[str, tuple[float, float]]
    independent: bool = True


def bounds(
    derivation: Derivation,
    sizes: Mapping[str, int],
    constants: Mapping[str, np.ndarray],
    engine: str,
    *,
    slopes_too: bool = True,
) -> Bounds:
    """What the gradients by the inputs are held to at the check's data.

    Raises:
        NotYet: the network has no derivative there, or no bound on its rounding.
    """
    given = [tensor for tensor in derivation.forward.inputs if tensor.name not in constants]
    inputs = {**check_data(given, sizes), **constants}
    enclosure = enclosed(derivation, inputs, sizes, contract(engine, "float64"))
    apart: dict[str, float] = {}
    slopes: dict[str, tuple[float, float]] = {}
    independent = sum(np.size(a) for a in inputs.values()) <= FEW
    wanted = [t for t in derivation.forward.inputs if t.name in derivation.gradients]
    for number, tensor in enumerate(wanted, 1):
        name = derivation.gradients[tensor.name]
        middle, radius, error = (np.broadcast_to(a, _shape(tensor, sizes)) for a in enclosure[name])
        off = radius + OTHER_ALGORITHM * error
        if not np.all(np.isfinite(off)):
            raise NotYet(
                told(
                    "The gradient by {name} has no bound at the data of the file's check.",
                    name=tensor.name,
                ),
                advice=told("Export it with other sizes (--size n=4)."),
            )
        apart[tensor.name] = _up(2 * np.max(off))
        if engine == "numpy" and slopes_too:
            direction = drawing.draw(DIRECTION + number, _shape(tensor, sizes))
            slope = (
                _slope(derivation, tensor.name, direction, inputs, sizes)
                if independent
                else _sum(middle, radius, direction)
            )
            slopes[tensor.name] = with_rounding(slope, middle, off, direction)
    return Bounds(dict(sizes), apart, slopes, independent)


FEW = 2_000
"""Elements of all inputs together up to which complex steps take a second or two."""

DIRECTION = 10_000
"""Directions have numbers from here on, inputs those from 1 on."""

FOLLOWING = 9_999
"""The number of the gradient that backward is given."""


def check_data(inputs: Sequence[Tensor], sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The data that a file's check draws, by the tensors' names; a network's constants are none."""
    found = {}
    for name, number, function, shape, rest in _draws(inputs, sizes):
        found[name] = getattr(drawing, function)(number, shape, *rest)
    return found


def _draws(
    inputs: Sequence[Tensor], sizes: Mapping[str, int]
) -> list[tuple[str, int, str, tuple[int, ...], tuple[int, ...]]]:
    """How each tensor is drawn: its name and number, by which function, and the arguments."""
    found = []
    number = 0
    for tensor in inputs:
        shape = _shape(tensor, sizes)
        if tensor.name == UPSTREAM:
            found.append((tensor.name, FOLLOWING, "draw", shape, ()))
            continue
        number += 1
        most = positions_of(tensor)
        if most is not None:
            found.append((tensor.name, number, "positions", shape, (number_of(most, sizes),)))
        else:
            function = {
                "positive": "positive",
                "nonnegative": "positive",
                "probabilities": "probabilities",
                "one-hot": "one_hot",
            }.get(tensor.law, "draw")
            chosen = _regular(number, shape) if function == "draw" else number
            found.append((tensor.name, chosen, function, shape, ()))
    return found


NEARLY_SINGULAR = 100.0
"""A square matrix whose condition is worse than this times its rows is drawn anew."""

MORE = range(0, 1000, 100)
"""What is added to a tensor's number for other draws."""

MOST_ROWS = 64
"""Larger matrices are drawn once: a network that inverts them has other sizes for its check."""


def _regular(number: int, shape: tuple[int, ...]) -> int:
    """The number of a tensor's draw; of a square matrix, which may be inverted, that of a draw far
    from singular: those of `drawing` have patterns."""
    match shape:
        case (rows, columns) if rows == columns <= MOST_ROWS:
            for other in (number + more for more in MORE):
                if np.linalg.cond(drawing.draw(other, shape)) < NEARLY_SINGULAR * rows:
                    return other
            return number
        case _:
            return number


def _shape(tensor: Tensor, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(number_of(size, sizes) for size in tensor.shape)


def _slope(
    derivation: Derivation,
    of: str,
    direction: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
) -> flint.arb:
    (exact,) = Arb().lift(direction)
    forward = Forward(derivation.forward, inputs, sizes)
    try:
        return directional(forward, tap(derivation.forward, of, exact)).ball
    except Kinked as problem:
        raise NotYet(
            told(
                "The loss has no derivative by {of} at the data of the file's check: {problem}.",
                of=of,
                problem=problem,
            ),
            advice=told("Export it with other sizes (--size n=4)."),
        ) from problem


def _sum(middle: np.ndarray, radius: np.ndarray, direction: np.ndarray) -> flint.arb:
    """The sum of an enclosed gradient · direction: every product is off by u at most, and `fsum`
    adds without error but for its last rounding."""
    said = math.fsum((middle * direction).ravel())
    off = float(np.sum(np.abs(direction) * (radius + U * np.abs(middle))))
    return flint.arb(said, 2 * off + U * abs(said))


def with_rounding(
    slope: flint.arb, middle: np.ndarray, off: np.ndarray, direction: np.ndarray
) -> tuple[float, float]:
    """A slope as a float, and how far a float64 sum over an evaluated gradient may be from it: the
    gradient's own error, the sum's (Higham's γ), and what is lost when it is written down."""
    terms = np.abs(direction) * (np.abs(middle) + off)
    gamma = (direction.size + 2) * U / (1 - (direction.size + 2) * U)
    said = float(slope.mid())
    error = np.sum(np.abs(direction) * off) + gamma * np.sum(terms)
    # A sum of positive numbers in float64 is itself off by γ at most: doubled, it covers that.
    return said, _up(2 * float(error) + float(slope.rad()) + 2 * U * abs(said))


def _up(number: float) -> float:
    """A number with two digits that is not smaller."""
    if number == 0:
        return 0.0
    exponent = math.floor(math.log10(number)) - 1
    digits = math.ceil(float(number) / 10.0**exponent) + 1
    return float(f"{digits}e{exponent}")


# --- the text ----------------------------------------------------------------------------------


def data_lines(inputs: Sequence[Tensor], sizes: Mapping[str, int]) -> list[str]:
    """The functions of a file that draw its check's data."""
    draws = [one for one in _draws(inputs, sizes) if one[0] != UPSTREAM]
    used = {one[2] for one in draws} | {"draw"}
    used |= {"positions"} if "one_hot" in used else set()
    found: list[str] = []
    for name in ("draw", "positive", "probabilities", "positions", "one_hot"):
        if name in used:
            found += [*inspect.getsource(getattr(drawing, name)).rstrip().splitlines(), "", ""]
    found += ["def data():", '    """The inputs of the check, by name."""', "    return {"]
    for name, number, function, shape, rest in draws:
        arguments = ", ".join([str(number), str(shape), *map(str, rest)])
        found.append(f'        "{name}": {function}({arguments}),')
    return [*found, "    }", "", ""]


def check_lines(
    signature: Signature, plan: Plan, dialect: Dialect, held: Bounds, function: str
) -> list[str]:
    """The end of a file: data, bounds, and the check that running it makes."""
    lines = data_lines(plan.inputs, held.sizes)
    several = lists(signature)
    arguments = ", ".join(regrouped(signature)) if several else "*tensors"
    upstream = tuple(number_of(s, held.sizes) for s in plan.shapes[plan.output])
    fill = {
        "title": dialect.title,
        "forward": f"forward({arguments})",
        "function": f"{function}({arguments})",
        "name": function,
        "arguments": arguments,
        "upstream": f"draw({FOLLOWING}, {upstream})",
        "given": f", draw({FOLLOWING}, {upstream})" if plan.given else "",
    }
    if dialect.name == "numpy":
        words = SLOPES_BY_STEP if held.independent else SLOPES_BY_VALUE
        lines += table("SLOPES", words, held.slopes)
    else:
        lines += table("BOUNDS", BOUNDS_WORDS, held.apart)
    text = CHECKS[dialect.name]
    for key, value in fill.items():
        text = text.replace(f"<{key}>", value)
    if dialect.name == "numpy":
        names = ", ".join(f'"{name}"' for name in several) + "," * (len(several) == 1)
        flat = FLAT.replace("<names>", names) if several else ""
        text = text.replace("    <flat>\n", flat)
    return [*lines, *ending(text)]


def commented(text: str) -> list[str]:
    return [f"# {line}" for line in text.splitlines()]


def table(name: str, words: str, rows: Mapping[str, object]) -> list[str]:
    """A dictionary of a file, below what is said of it."""
    each = (f'    "{key}": {value!r},' for key, value in rows.items())
    return [*commented(words), f"{name} = {{", *each, "}", "", ""]


def ending(text: str) -> list[str]:
    """The function that checks a file, and its call where the file is run."""
    return [*text.strip("\n").splitlines(), "", "", 'if __name__ == "__main__":', "    check()"]


def lists(signature: Signature) -> list[str]:
    """The parameters that are lists."""
    return [name for name, entry in signature.items() if isinstance(entry, list)]


def regrouped(signature: Signature) -> list[str]:
    """The arguments, of which some are lists, made of tensors one after the other."""
    said, start = [], 0
    for entry in signature.values():
        stop = start + len(members(entry))
        several = isinstance(entry, list)
        said.append(f"tensors[{start}:{stop}]" if several else f"tensors[{start}]")
        start = stop
    return said


BOUNDS_WORDS = """\
How far two evaluations of each gradient in float64, by whatever formulas and order of
sums, may be apart at the check's data: ball arithmetic through all stages, and no
tolerance that was chosen."""

SLOPES_BY_STEP = """\
For each input the derivative in the direction that the check draws: certified, by a
rigorous complex step through the forward equations alone. And how far a float64
evaluation of the gradient, in whatever order of sums, may take the sum from it: ball
arithmetic, and no tolerance that was chosen."""

SLOPES_BY_VALUE = """\
For each input the sum of gradient · direction in certified arithmetic, and how far a
float64 evaluation of the gradient, in whatever order of sums, may take it from that."""

FLAT = """\
    for name in (<names>):
        members = enumerate(gradients.pop(name), 1)
        gradients.update({f"{name}[{k}]": member for k, member in members})
"""

CHECKS = {
    "numpy": f'''
def check():
    """Compares each gradient's slope in one direction with the certified one."""
    tensors = list(data().values())
    saved = <forward>[1]
    gradients = backward(saved<given>)
    <flat>
    for number, (name, (slope, bound)) in enumerate(SLOPES.items(), {DIRECTION + 1}):
        found = np.sum(gradients[name] * draw(number, np.shape(gradients[name])))
        if not abs(found - slope) <= bound:
            raise SystemExit(f"{{name}}: slope {{found}}, certified {{slope}} ± {{bound}}")
    print(f"{{len(SLOPES)}} gradients agree with certified derivatives")
''',
    "torch": '''
def check():
    """Compares each gradient with PyTorch's own automatic differentiation."""
    arrays = data()
    tensors = [torch.tensor(array) for array in arrays.values()]
    leaves = [t for t, name in zip(tensors, arrays, strict=True) if name in BOUNDS]
    for leaf in leaves:
        leaf.requires_grad_()
    upstream = torch.tensor(<upstream>)
    derived = <function>
    found = torch.autograd.grad(derived, leaves, upstream)
    plain = <forward>[0]
    own = torch.autograd.grad(plain, leaves, upstream, materialize_grads=True)
    for (name, bound), a, b in zip(BOUNDS.items(), found, own, strict=True):
        apart = float(torch.max(torch.abs(a - b)))
        if not apart <= bound:
            raise SystemExit(f"{name}: {apart} from PyTorch's own, at most {bound}")
    print(f"{len(BOUNDS)} gradients agree with PyTorch's own")
''',
    "jax": '''
def check():
    """Compares each gradient with JAX's own automatic differentiation."""
    with jax.enable_x64(True):
        arrays = {name: jnp.asarray(array) for name, array in data().items()}
        leaves = {name: arrays[name] for name in BOUNDS}

        def of_leaves(function):
            def called(leaves):
                tensors = list({**arrays, **leaves}.values())
                return function(<arguments>)

            return called

        upstream = jnp.asarray(<upstream>)
        found = jax.vjp(of_leaves(<name>), leaves)[1](upstream)[0]
        own = jax.vjp(of_leaves(lambda *a: forward(*a)[0]), leaves)[1](upstream)[0]
        for name, bound in BOUNDS.items():
            apart = float(jnp.max(jnp.abs(found[name] - own[name])))
            if not apart <= bound:
                raise SystemExit(f"{name}: {apart} from JAX's own, at most {bound}")
    print(f"{len(BOUNDS)} gradients agree with JAX's own")
''',
    "tensorflow": '''
def check():
    """Compares each gradient with TensorFlow's own automatic differentiation."""
    arrays = data()
    tensors = [tf.constant(array) for array in arrays.values()]
    leaves = [t for t, name in zip(tensors, arrays, strict=True) if name in BOUNDS]
    upstream = tf.constant(<upstream>)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(leaves)
        with_derived = <function>
        with_own = <forward>[0]
    found = tape.gradient(with_derived, leaves, upstream)
    own = tape.gradient(with_own, leaves, upstream, tf.UnconnectedGradients.ZERO)
    for (name, bound), a, b in zip(BOUNDS.items(), found, own, strict=True):
        apart = float(tf.reduce_max(tf.abs(a - b)))
        if not apart <= bound:
            raise SystemExit(f"{name}: {apart} from TensorFlow's own, at most {bound}")
    print(f"{len(BOUNDS)} gradients agree with TensorFlow's own")
''',
}
"""The check of each framework's file; what stands in ``<…>`` is filled in."""
