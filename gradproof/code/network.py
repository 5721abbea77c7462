"""A traced network to the source file of its gradients in a framework."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradproof.code.checking import bounds
from gradproof.code.dialect import dialect_of
from gradproof.code.file import Order, source_file
from gradproof.code.plan import SYMBOL, before_the_loss, plan, seeded
from gradproof.core.program import Paper
from gradproof.derivation import derive
from gradproof.trace.signature import Signature, members
from gradproof.write.convention import Convention


def export(
    network: str,
    paper: Paper,
    signature: Signature,
    sizes: Mapping[str, int],
    convention: Convention,
    to: str,
    command: str,
    *,
    vjp: bool,
) -> str:
    """The text of a file with the network's forward and derived backward function.

    Args:
        network: its name.
        paper: its program.
        signature: the tensors that it takes.
        sizes: numbers for its size symbols, for the file's check.
        convention: of the formulas above the lines.
        to: ``"numpy"``, ``"torch"``, ``"jax"`` or ``"tensorflow"``.
        command: how the file is written again.
        vjp: whether what stands before the loss is exported, with its gradient given.

    Raises:
        DataError: there is no such framework.
        NotYet: an equation has no code yet; the message names its line.
    """
    dialect = dialect_of(to)
    (loss,) = paper.forward.outputs
    output = before_the_loss(paper.forward) if vjp else loss
    given = None if to == "numpy" and not vjp else SYMBOL + output
    derivation = derive(seeded(paper.forward, output) if given else paper.forward)
    constants = {name: np.asarray(array) for name, array in paper.constants.items()}
    made = plan(derivation, convention, output, given, constants)
    taken = {tensor.name for tensor in made.inputs}
    kept = {n: e for n, e in signature.items() if taken & {t.name for t in members(e)}}
    held = bounds(derivation, sizes, constants, to)
    return source_file(Order(network, kept, made, dialect, held, command))
