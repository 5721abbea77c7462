"""A second order to the text of a source file: the loss, the Hessian product, a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gradproof.code.checking import (
    BOUNDS_WORDS,
    DIRECTION,
    Bounds,
    data_lines,
    ending,
    lists,
    regrouped,
    table,
)
from gradproof.code.dialect import dialect_of
from gradproof.code.file import (
    WIDTH,
    Order,
    definition,
    entered,
    families,
    gradient_of,
    helpers,
    imports,
    indented,
    names_used,
    parameters,
    returned,
    shape_words,
    size_names,
    sizes_read,
    turn_name,
    wrapped,
    written,
)
from gradproof.code.fitting import fitted
from gradproof.code.second import SecondPlan, plan_second, second_bounds
from gradproof.code.text import Ink, code
from gradproof.code.turns import roll
from gradproof.core.errors import DataError
from gradproof.core.program import DIFFERENTIAL, Paper, Tensor
from gradproof.core.told import told, told_list
from gradproof.derivation import derive
from gradproof.trace.signature import Signature, members
from gradproof.write.convention import Convention

PRODUCT = "hessian_product"
"""What the exported function is called."""


def export_second(
    network: str,
    paper: Paper,
    signature: Signature,
    sizes: Mapping[str, int],
    convention: Convention,
    to: str,
    command: str,
    along: Sequence[str],
) -> str:
    """The text of a file with a network's loss and the Hessian of it times directions.

    Args:
        network: its name.
        paper: its program.
        signature: the tensors that it takes.
        sizes: numbers for its size symbols, for the file's check.
        convention: of the formulas above the lines.
        to: ``"numpy"``, ``"torch"``, ``"jax"`` or ``"tensorflow"``.
        command: how the file is written again.
        along: the inputs that move; all that have a gradient, if none are given.

    Raises:
        DataError: there is no such framework, or no such input.
        NotYet: an equation has no code yet, or nothing moves; the message names its line.
    """
    dialect = dialect_of(to)
    derivation = derive(paper.forward)
    constants = {name: np.asarray(array) for name, array in paper.constants.items()}
    chosen = _chosen(along, signature)
    plans = plan_second(derivation, chosen, convention, constants)
    held = second_bounds(derivation, chosen, sizes, constants, to)
    taken = {t.name for t in plans.loss.inputs}
    own = {n: e for n, e in signature.items() if taken & {t.name for t in members(e)}}
    moving = {
        DIFFERENTIAL + name: entry
        for name, entry in own.items()
        if {t.name for t in members(entry)} & set(plans.moving)
    }
    directions = {name: _directions(entry) for name, entry in moving.items()}
    first = Order(network, own, plans.loss, dialect, held, command)
    second = replace(first, signature={**own, **directions}, plan=plans.product)
    return _file(first, second, plans)


def _directions(entry: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    found = [replace(t, name=DIFFERENTIAL + t.name, role="data", law="") for t in members(entry)]
    return found if isinstance(entry, list) else found[0]


def _chosen(along: Sequence[str], signature: Signature) -> list[str]:
    """The inputs meant: of a list all members, by the list's name.

    Raises:
        DataError: one member of a list is named.
    """
    found = []
    for name in along:
        found += [t.name for t in members(signature[name])] if name in signature else [name]
        owners = [n for n in lists(signature) if name.startswith(f"{n}[")]
        if owners:
            raise DataError(
                told("The members of {name} move together in code.", name=owners[0]),
                advice=told("Try: --along {names}", names=told_list(owners)),
            )
    return found


def _file(first: Order, second: Order, plans: SecondPlan) -> str:
    dialect = second.dialect
    lines = [
        *_docstring(second, plans),
        "",
        *imports([*second.plan.forward, *second.plan.backward], dialect),
        "",
        "",
        *helpers([*first.plan.forward, *second.plan.forward], dialect),
        *_function(first, "forward", '"""The loss."""', _loss),
        "",
        "",
        *_function(second, PRODUCT, f'"""{_words(plans)}"""', _moved),
        "",
        "",
        *_check(first, second, plans),
    ]
    text = "\n".join(lines) + "\n"
    return text.replace(f'"{DIFFERENTIAL}', '"direction of ').replace(DIFFERENTIAL, "d")


def _words(plans: SecondPlan) -> str:
    directions = ", ".join(DIFFERENTIAL + name for name in plans.moving)
    return f"How the gradients move along {directions}, by input."


def _docstring(order: Order, plans: SecondPlan) -> list[str]:
    called = ", ".join(parameters(order))
    shapes = ", ".join(f"{t.name} {shape_words(t.shape)}" for t in order.plan.inputs)
    still = f"Gradients that do not move: {', '.join(plans.still)}." if plans.still else ""
    against = (
        "against certified numbers: complex steps through the gradients' own equations"
        if order.dialect.name == "numpy"
        else f"against {order.dialect.title}'s own, nested twice"
    )
    title = f"{order.network}: the Hessian of its loss times a direction"
    return [
        f'"""{title}, for {order.dialect.title}.',
        "",
        *wrapped(f"    moved = {PRODUCT}({called})", "        "),
        "",
        *wrapped(f"Shapes: {shapes}.", ""),
        *wrapped(still, ""),
        "",
        f"Written by  {order.command}",
        *wrapped(f"python FILE.py checks it {against}; the bounds are derived.", ""),
        '"""',
    ]


def _function(order: Order, name: str, docstring: str, result: object) -> list[str]:
    plan = order.plan
    ink = Ink(order.dialect, size_names(plan), turn_name(plan))
    lines = fitted(roll(plan.forward), ink, WIDTH - 4, names_used(plan) | set(ink.sizes.values()))
    body = [
        *(wrapped(docstring, "") if len(docstring) > WIDTH - 4 else [docstring]),
        *entered(order),
        *sizes_read(plan.forward, ink, [t.name for t in plan.inputs], plan),
        *families(plan, plan.forward),
        *written(lines, ink),
        *result(order, ink),  # type: ignore[operator]
    ]
    return [*definition(name, parameters(order)), *indented(body)]


def _loss(order: Order, ink: Ink) -> list[str]:
    return [f"return {code(order.plan.variables[order.plan.output], ink)}"]


def _moved(order: Order, ink: Ink) -> list[str]:
    pairs = [
        f'"{name}": {gradient_of(entry, order.plan, ink)}'
        for name, entry in order.signature.items()
        if any(tensor.name in order.plan.gradients for tensor in members(entry))
    ]
    return returned("return {", pairs, "}", around=False)


# --- the check -----------------------------------------------------------------------------------

SLOPES_WORDS = """\
For each input the sum of how its gradient moves times another direction: certified, by
complex steps through the gradients' equations, which use no second derivative. And how far
a float64 evaluation, in whatever order of sums, may take it from that."""


def _check(first: Order, second: Order, plans: SecondPlan) -> list[str]:
    held: Bounds = second.bounds
    lines = data_lines(second.plan.inputs, held.sizes)
    several = lists(first.signature)
    whole, own = "*tensors", f"*tensors[:{len(first.plan.inputs)}]"
    if several:
        lines += _grouped(second.signature)
        whole, own = "*grouped(tensors)", f"*grouped(tensors)[:{len(first.signature)}]"
    if second.dialect.name == "numpy":
        lines += table("SLOPES", SLOPES_WORDS, held.slopes)
    else:
        lines += [*returned("MOVING = ", [f'"{name}"' for name in plans.moving]), ""]
        lines += table("BOUNDS", BOUNDS_WORDS, {**held.apart, **dict.fromkeys(plans.still, 0.0)})
    names = ", ".join(f'"{name}"' for name in several) + "," * (len(several) == 1)
    text = CHECKS[second.dialect.name].replace("<product>", f"{PRODUCT}({whole})")
    text = text.replace("<own>", f"forward({own})")
    text = text.replace("    <flat>\n", FLAT.replace("<names>", names) if several else "")
    return [*lines, *ending(text)]


def _grouped(signature: Signature) -> list[str]:
    """The function of a file that makes lists of the tensors that belong to one."""
    return [
        "def grouped(tensors):",
        '    """The arguments, some of which are lists, of tensors one after the other."""',
        "    return (",
        *(f"        {one}," for one in regrouped(signature)),
        "    )",
        "",
        "",
    ]


FLAT = """\
    for name in (<names>):
        members = enumerate(moved.pop(name, []), 1)
        moved.update({f"{name}[{k}]": one for k, one in members if one is not None})
"""

CHECKS = {
    "numpy": f'''
def check():
    """Compares a sum over each moving gradient with the certified one."""
    tensors = list(data().values())
    moved = <product>
    <flat>
    for number, (name, (slope, bound)) in enumerate(SLOPES.items(), {DIRECTION + 1}):
        found = np.sum(moved[name] * draw(number, np.shape(moved[name])))
        if not abs(found - slope) <= bound:
            raise SystemExit(f"{{name}}: {{found}}, certified {{slope}} ± {{bound}}")
    print(f"{{len(SLOPES)}} Hessian products agree with certified numbers")
''',
    "torch": '''
def check():
    """Compares each product with PyTorch's own automatic differentiation, nested twice."""
    arrays = {name: torch.tensor(array) for name, array in data().items()}
    tensors = list(arrays.values())
    moved = <product>
    <flat>
    leaves = [arrays[name].requires_grad_() for name in BOUNDS]
    loss = <own>
    first = torch.autograd.grad(loss, leaves, create_graph=True, materialize_grads=True)
    moving = [(g, n) for g, n in zip(first, BOUNDS, strict=True) if n in MOVING]
    slope = sum(torch.sum(g * arrays[f"direction of {n}"]) for g, n in moving)
    own = torch.autograd.grad(slope, leaves, materialize_grads=True)
    for (name, bound), b in zip(BOUNDS.items(), own, strict=True):
        apart = float(torch.max(torch.abs(moved.get(name, 0) - b)))
        if not apart <= bound:
            raise SystemExit(f"{name}: {apart} from PyTorch's own, at most {bound}")
    print(f"{len(BOUNDS)} Hessian products agree with PyTorch's own")
''',
    "jax": '''
def check():
    """Compares each product with JAX's own automatic differentiation, nested twice."""
    with jax.enable_x64(True):
        arrays = {name: jnp.asarray(array) for name, array in data().items()}
        leaves = {name: arrays[name] for name in BOUNDS}

        def loss(leaves):
            tensors = list({**arrays, **leaves}.values())
            return <own>

        directions = {
            name: arrays.get(f"direction of {name}", jnp.zeros_like(leaf))
            for name, leaf in leaves.items()
        }
        own = jax.jvp(jax.grad(loss), (leaves,), (directions,))[1]
        tensors = list(arrays.values())
        moved = <product>
    <flat>
    for name, bound in BOUNDS.items():
        a, b = np.asarray(moved.get(name, 0)), np.asarray(own[name])
        apart = float(np.max(np.abs(a - b)))
        if not apart <= bound:
            raise SystemExit(f"{name}: {apart} from JAX's own, at most {bound}")
    print(f"{len(BOUNDS)} Hessian products agree with JAX's own")
''',
    "tensorflow": '''
def check():
    """Compares each product with TensorFlow's own automatic differentiation, nested twice."""
    arrays = {name: tf.constant(array) for name, array in data().items()}
    tensors = list(arrays.values())
    moved = <product>
    <flat>
    leaves = [arrays[name] for name in BOUNDS]
    zero = tf.UnconnectedGradients.ZERO
    with tf.GradientTape() as outer:
        outer.watch(leaves)
        with tf.GradientTape() as inner:
            inner.watch(leaves)
            loss = <own>
        first = inner.gradient(loss, leaves, unconnected_gradients=zero)
        moving = [(g, n) for g, n in zip(first, BOUNDS, strict=True) if n in MOVING]
        slope = sum(tf.reduce_sum(g * arrays[f"direction of {n}"]) for g, n in moving)
    own = outer.gradient(slope, leaves, unconnected_gradients=zero)
    for (name, bound), b in zip(BOUNDS.items(), own, strict=True):
        apart = float(tf.reduce_max(tf.abs(moved.get(name, tf.zeros_like(b)) - b)))
        if not apart <= bound:
            raise SystemExit(f"{name}: {apart} from TensorFlow's own, at most {bound}")
    print(f"{len(BOUNDS)} Hessian products agree with TensorFlow's own")
''',
}
"""The check of each framework's file; what stands in ``<…>`` is filled in."""
