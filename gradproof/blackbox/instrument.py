"""A function under test, with the wish to see what it names inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True, slots=True)
class Instrumented:
    """A function or a layer that `gradproof.check` also looks into."""

    function: Any

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the function returns."""
        return self.function(*arguments, **named)


def instrument(function: Any) -> Instrumented:
    """A function whose intermediate tensors `gradproof.check` compares with the paper's, node by
    node.

    Tensors are known by the names of local variables (and of attributes of ``self`` and ``ctx``) of
    the functions that run meanwhile, in forward and backward: ``z1`` is the paper's value, ``dz1``,
    ``dl_dz1`` or ``grad_z1`` its gradient. What has no variable gets a name by
    ``gradproof.named("dz1", tensor)``. The function itself stays as it is.

    Args:
        function: as `gradproof.check` takes it.
    """
    return Instrumented(function)
