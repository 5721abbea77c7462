"""A reference with types as annotations to one without: only shapes say what a paper's inputs are.

``def reference(x: torch.Tensor)`` is a callable of PyTorch, and ``jax.nn.silu`` is one of JAX.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any


def untyped(reference: Callable[..., Any]) -> Callable[..., Any]:
    """The reference itself, or where all its annotations are types the same without them."""
    annotations = getattr(reference, "__annotations__", {})
    known = getattr(inspect.unwrap(reference), "__globals__", {})
    if not annotations or not all(_is_type(one, known) for one in annotations.values()):
        return reference
    try:
        signature = inspect.signature(reference)
    except (TypeError, ValueError):  # which is said when its parameters are asked for
        return reference

    def plain(*arguments: Any, **named: Any) -> Any:
        return reference(*arguments, **named)

    functools.update_wrapper(plain, reference)
    plain.__annotations__ = {}
    # What a library raises is the reference's, and no mistake of this house: JAX hides its frames.
    plain.__code__ = plain.__code__.replace(co_filename="<reference>")
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    plain.__dict__["__signature__"] = inspect.Signature(bare)
    return plain


def _is_type(annotation: Any, known: dict[str, Any]) -> bool:
    """Whether an annotation is a type and no shape; one of jaxtyping says a shape."""
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, dict(known))  # as `typing.get_type_hints` does
        except (NameError, SyntaxError, TypeError, AttributeError):
            return False
    kind = type(annotation)
    if kind.__module__.partition(".")[0] == "jaxtyping":
        return False
    plain = isinstance(annotation, type | types.UnionType | types.GenericAlias)
    return annotation is None or plain or kind.__module__ == "typing"
