"""An object to the gradients that its backward pass left in its attributes.

Layers that courses and older libraries write keep what belongs to a weight in the object:
``self.dW``, ``self.grad_weight``, ``self.W.grad``, ``self.grads["W"]``. An attribute counts as a
gradient if it is called as that of another one of the same shape, and if the backward pass set it
or changed its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.audit.change import differ, is_gradient

PREFIXES = ("dl_d", "dL_d", "grad_", "d_", "d", "g_")
SUFFIXES = ("_gradient", "_grad")
HOLDERS = ("grads", "gradients", "grad", "gradient", "dparams")
"""Lists and dictionaries that hold gradients, by the names of the weights or in their order."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A gradient in an attribute: of what it is, and what puts another in its place."""

    of: str
    value: Any
    put: Callable[[Any], None]


Numbers = Mapping[str, tuple[Any, Any]]
"""The gradients in an object's attributes by what they are of: each thing, and its numbers then."""


def numbers(owner: Any) -> Numbers:
    """What stands in an object's attributes before its backward pass."""
    return {one.of: (one.value, _copied(one.value)) for one in _places(owner)}


def kept(owner: Any, then: Numbers) -> list[Kept]:
    """The gradients that came into an object's attributes since then. What was changed where it
    lies is put where it lies, because others may look at the same memory."""
    found = []
    for one in _places(owner):
        was, before = then.get(one.of, (None, None))
        if was is not one.value:
            found.append(one)
        elif differ(before, one.value):
            inside = isinstance(was, np.ndarray) and was.flags.writeable
            found.append(Kept(one.of, one.value, _inside(was)) if inside else one)
    return found


def _copied(one: Any) -> Any:
    """The numbers that something has now, where they can be changed later."""
    if isinstance(one, np.ndarray):
        return one.copy()
    return one.clone() if hasattr(one, "clone") else one


def _places(owner: Any) -> Iterator[Kept]:
    attributes = _attributes(owner)
    weights = _weights(attributes)
    for name, one in attributes.items():
        if is_gradient(one):
            of = _match(name, one, weights)
            if of and of != name:
                yield Kept(of, one, _attribute(owner, name))
        elif not hasattr(one, "shape") and is_gradient(getattr(one, "grad", None)):
            yield Kept(name, one.grad, _attribute(one, "grad"))
        elif name in HOLDERS and isinstance(one, MutableMapping):
            for key, member in list(one.items()):
                of = _match(str(key), member, weights)
                if of:
                    yield Kept(of, member, _item(one, key))
        elif name in HOLDERS and isinstance(one, MutableSequence):
            for k, member in enumerate(list(one)):
                of = next((w for w, s in weights.items() if w.endswith(f"[{k}]")), "")
                if of and is_gradient(member) and weights[of] == tuple(member.shape):
                    yield Kept(of, member, _item(one, k))


def _attributes(owner: Any) -> dict[str, Any]:
    """What an object holds by name: in its dictionary, and in its slots."""
    slots: dict[str, Any] = {}
    for kind in type(owner).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name != "__dict__" and hasattr(owner, name):
                slots[name] = getattr(owner, name)
    return {**slots, **getattr(owner, "__dict__", {})}


def _weights(attributes: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tensors in an object's attributes, and in the dictionaries and lists among them."""
    found: dict[str, Any] = {}
    for name, one in attributes.items():
        if name in HOLDERS:
            continue
        if isinstance(one, Mapping):
            found |= {str(key): member for key, member in one.items()}
        elif isinstance(one, list | tuple):
            found |= {f"{name}[{k}]": member for k, member in enumerate(one)}
        else:
            found[name] = one
    return {name: tuple(one.shape) for name, one in found.items() if is_gradient(one)}


def _match(name: str, one: Any, weights: Mapping[str, tuple[int, ...]]) -> str:
    """The tensor of the same shape of whose gradient this is a name; empty where there is none."""
    if not is_gradient(one):
        return ""
    spoken = [name]
    for plain in dict.fromkeys((name, name.lstrip("_"))):
        spoken += [plain.removeprefix(p) for p in PREFIXES if plain.startswith(p)]
        spoken += [plain.removesuffix(s) for s in SUFFIXES if plain.endswith(s)]
    for of in reversed(spoken):
        if weights.get(of) == tuple(one.shape):
            return of
    return ""


def _attribute(owner: Any, name: str) -> Callable[[Any], None]:
    return lambda wrong: setattr(owner, name, wrong)


def _item(holder: Any, key: Any) -> Callable[[Any], None]:
    return lambda wrong: holder.__setitem__(key, wrong)


def _inside(array: np.ndarray) -> Callable[[Any], None]:
    return lambda wrong: array.__setitem__(Ellipsis, wrong)
