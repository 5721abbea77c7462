"""Functions with backward passes of their own to spies, which can make their gradients wrong.

What is spied on is found where the tests' own frameworks keep it: the subclasses of
`torch.autograd.Function`, the objects of `jax.custom_vjp`, and what `tf.custom_gradient` calls. No
framework is imported: one that no test has loaded has nothing to spy on.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradproof.audit.attributes import Kept, kept, numbers
from gradproof.audit.change import Change, Shape, differ, is_gradient, like, listed
from gradproof.core.errors import DataError
from gradproof.core.told import told
from gradproof.prims.caller import is_ours

_LIBRARIES = tuple(
    os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")
)


@dataclass(slots=True, eq=False)
class Spy:
    """A backward pass, seen and, if asked, made wrong.

    ``name`` and ``place`` are the function's, ``inputs`` its parameters as far as they are known.
    ``ran`` says that it was called since that was last asked, ``differed`` that a change made a
    difference. ``shapes`` are those of the gradients of the first call that had some, and ``kept``
    what the last of them are of, which the object kept in its attributes. ``wrong`` is what was put
    in a gradient's place last, ``tolerated`` that a comparison with a tolerance let it pass.
    """

    name: str
    place: str
    inputs: tuple[str, ...]
    change: Change | None = None
    of: int = 0
    ran: bool = False
    differed: bool = False
    shapes: tuple[Shape | None, ...] = ()
    kept: tuple[str, ...] = ()
    wrong: Any = None
    tolerated: bool = False

    def pass_on(self, result: Any, inside: Sequence[Kept] = ()) -> Any:
        """What a backward pass returned, with one gradient made wrong where that is asked for.

        Args:
            result: what it returned.
            inside: the gradients that it left in its object's attributes.
        """
        self.ran = True
        gradients = [*listed(result), *(one.value for one in inside)]
        found = [g if is_gradient(g) else None for g in gradients]
        shapes = tuple(None if g is None else tuple(map(int, g.shape)) for g in found)
        if not any(shape is not None for shape in self.shapes):
            self.shapes, self.kept = shapes, tuple(one.of for one in inside)
        if self.change is None or self.of >= len(found) or not self.change.fits(self.of, shapes):
            return result
        wrong = self.change.make(self.of, found)
        self.differed = self.differed or differ(gradients[self.of], wrong)
        self.wrong = wrong
        returned = len(gradients) - len(inside)
        if self.of >= returned:
            inside[self.of - returned].put(wrong)
            return result
        gradients[self.of] = wrong
        return like(result, gradients[:returned])

    def input(self, k: int) -> str:
        """How a gradient's input is called."""
        returned = len(self.shapes) - len(self.kept)
        if k >= returned:
            return self.kept[k - returned]
        return self.inputs[k] if k < len(self.inputs) else told("input {number}", number=k + 1)


@dataclass(slots=True, eq=False)
class Spies:
    """All spies of a session, and what puts everything back.

    A function is known by its code: one that a test defines is another object at each run, and has
    the same code.
    """

    known: dict[Any, Spy] = field(default_factory=dict)
    undo: list[Callable[[], None]] = field(default_factory=list)
    frameworks: set[str] = field(default_factory=set)

    def on(self, code: Any, inputs: Sequence[str], name: str) -> Spy:
        """The spy on a function, new if there is none yet."""
        if code not in self.known:
            self.known[code] = Spy(name, _place(code), tuple(inputs))
        return self.known[code]

    def all(self) -> list[Spy]:
        """Every spy, in the order in which they were set."""
        return list(dict.fromkeys(self.known.values()))

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Sets an attribute until everything is put back."""
        before = inspect.getattr_static(owner, name)
        setattr(owner, name, value)
        self.undo.append(lambda: setattr(owner, name, before))

    def put_back(self) -> None:
        """Everything as it was."""
        while self.undo:
            self.undo.pop()()


BACKWARDS = ("backward", "backward_pass", "backprop", "bprop")
"""How the method of a layer's class is called that gives gradients."""


def spy_on_all(spies: Spies) -> None:
    """Spies on every function with a backward pass of its own that a user's file defines; what is
    spied on already stays as it is, so that it can be called again when more was imported."""
    for framework, spy in (
        ("torch.autograd.function", _spy_on_torch),
        ("jax", _spy_on_jax),
        ("tensorflow", _spy_on_tensorflow),
    ):
        if framework not in spies.frameworks and framework in sys.modules:
            spies.frameworks.add(framework)
            spy(spies)
    _spy_on_layers(spies)


def _spy_on_layers(spies: Spies) -> None:
    """The classes of users' modules that have a forward and a backward pass, in plain Python."""
    for module in list(sys.modules.values()):
        if not is_users_module(module):
            continue
        for kind in list(vars(module).values()):
            name = _backward_of(kind) if isinstance(kind, type) else ""
            if (
                name in getattr(kind, "__dict__", {})
                and kind.__module__ == module.__name__
                and hasattr(kind, "forward")
                and not any(base.__name__ == "FunctionMeta" for base in type(kind).__mro__)
                and inspect.isfunction(kind.__dict__[name])
                and _code(kind.__dict__[name]) not in spies.known
            ):
                _spy_on_method(kind, name, spies)


def _backward_of(kind: Any) -> str:
    return next((name for name in BACKWARDS if callable(getattr(kind, name, None))), "")


# --- PyTorch --------------------------------------------------------------------------------------


def _spy_on_torch(spies: Spies) -> None:
    function = sys.modules.get("torch.autograd.function")
    if function is None:
        return
    for kind in _subclasses(function.Function):
        _spy_on_class(kind, spies)
    born = function.FunctionMeta.__init__

    def init(kind: Any, *arguments: Any, **named: Any) -> None:
        born(kind, *arguments, **named)
        _spy_on_class(kind, spies)

    spies.put(function.FunctionMeta, "__init__", init)


def _subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def _spy_on_class(kind: Any, spies: Spies, *, asked: bool = False) -> None:
    own = kind.__dict__.get("backward")
    if own is None:
        return
    backward = kind.backward
    if not (asked or _is_users(_code(backward))):
        return
    names = [n for n in _parameters(kind.forward) if n != "ctx"]
    spy = spies.on(_code(backward), names, _name(kind))

    @functools.wraps(backward)
    def spied(*arguments: Any) -> Any:
        return spy.pass_on(backward(*arguments))

    spies.put(kind, "backward", staticmethod(spied))


# --- JAX ------------------------------------------------------------------------------------------


def _spy_on_jax(spies: Spies) -> None:
    jax = sys.modules.get("jax")
    if jax is None or not hasattr(jax, "custom_vjp"):
        return
    for one in gc.get_objects():
        if type(one) is jax.custom_vjp:
            _spy_on_rule(one, spies)
    define = jax.custom_vjp.defvjp

    def defvjp(self: Any, *arguments: Any, **named: Any) -> Any:
        found = define(self, *arguments, **named)
        _spy_on_rule(self, spies)
        return found

    spies.put(jax.custom_vjp, "defvjp", defvjp)


def _spy_on_rule(rule: Any, spies: Spies, *, asked: bool = False) -> None:
    backward = getattr(rule, "bwd", None)
    if backward is None or not (asked or _is_users(_code(backward))):
        return
    spy = spies.on(_code(backward), _parameters(rule.fun), _name(rule.fun))

    @functools.wraps(backward)
    def spied(*arguments: Any) -> Any:
        return spy.pass_on(backward(*arguments))

    spies.put(rule, "bwd", spied)


def forget_traces() -> None:
    """That frameworks trace again what they would have kept: a change would not be in it."""
    jax = sys.modules.get("jax")
    if jax is not None and hasattr(jax, "clear_caches"):
        jax.clear_caches()


# --- TensorFlow -----------------------------------------------------------------------------------


def _spy_on_tensorflow(spies: Spies) -> None:
    module = sys.modules.get("tensorflow.python.ops.custom_gradient")
    tensorflow = sys.modules.get("tensorflow")
    if module is None or tensorflow is None or not hasattr(tensorflow, "config"):
        return
    for name in ("_eager_mode_decorator", "_graph_mode_decorator"):
        _spy_on_calls(module, name, spies)
    before = tensorflow.config.functions_run_eagerly()
    tensorflow.config.run_functions_eagerly(True)
    spies.undo.append(lambda: tensorflow.config.run_functions_eagerly(before))


def _spy_on_calls(module: Any, name: str, spies: Spies) -> None:
    call = getattr(module, name)

    def spied(f: Any, *arguments: Any, **named: Any) -> Any:
        if not _is_users(_code(f)):
            return call(f, *arguments, **named)
        spy = spies.on(_code(f), _parameters(f), _name(f))

        @functools.wraps(f)
        def with_spy(*given: Any, **options: Any) -> Any:
            result, backward = f(*given, **options)

            @functools.wraps(backward)
            def passed_on(*g: Any, **variables: Any) -> Any:
                return spy.pass_on(backward(*g, **variables))

            return result, passed_on

        return call(with_spy, *arguments, **named)

    spies.put(module, name, spied)


# --- what is named --------------------------------------------------------------------------------


def spy_on(target: str, spies: Spies) -> None:
    """Spies on what a user names.

    Args:
        target: ``module:name``, a `torch.autograd.Function`, a `jax.custom_vjp`, a class with a
            method ``backward``, a function that returns gradients, or one that returns its value
            and a pullback.
        spies: those of the session.

    Raises:
        DataError: there is nothing of this name, or nothing that has gradients.
    """
    module_name, colon, path = target.partition(":")
    if not colon or not path:
        raise DataError(
            told("{target} is no name of a function.", target=repr(target)),
            advice=told("Write module:name, as in  mypackage.layers:RMSNorm"),
        )
    try:
        owner: Any = importlib.import_module(module_name)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        thing = getattr(owner, name)
    except (ImportError, AttributeError) as problem:
        raise DataError(
            told("{target} is not there: {why}.", target=target, why=problem)
        ) from problem
    kinds = {base.__name__ for base in getattr(thing, "__mro__", ())}
    if "FunctionMeta" in {one.__name__ for one in type(thing).__mro__}:
        _spy_on_class(thing, spies, asked=True)
    elif type(thing).__name__ == "custom_vjp":
        _spy_on_rule(thing, spies, asked=True)
    elif kinds and _backward_of(thing):
        _spy_on_method(thing, _backward_of(thing), spies)
    elif isinstance(owner, type) and inspect.isfunction(inspect.getattr_static(owner, name)):
        _spy_on_method(owner, name, spies)
    elif callable(thing):
        _spy_on_function(owner, name, thing, spies)
    else:
        raise DataError(told("{target} is no function and has no backward.", target=target))


def _spy_on_method(kind: Any, name: str, spies: Spies) -> None:
    backward = inspect.getattr_static(kind, name)
    forward = getattr(kind, "forward", None)
    names = [n for n in _parameters(forward) if n != "self"] if forward else []
    spy = spies.on(_code(backward), names, _name(kind))

    @functools.wraps(backward)
    def spied(owner: Any, *arguments: Any, **named: Any) -> Any:
        before = numbers(owner)
        result = backward(owner, *arguments, **named)
        return spy.pass_on(result, kept(owner, before))

    spies.put(kind, name, spied)


def _spy_on_function(owner: Any, name: str, function: Any, spies: Spies) -> None:
    spy = spies.on(_code(function), _parameters(function), _name(function))

    @functools.wraps(function)
    def spied(*arguments: Any, **named: Any) -> Any:
        match function(*arguments, **named):
            case (value, pullback) if callable(pullback):
                return value, lambda *g, **more: spy.pass_on(pullback(*g, **more))
            case result:
                return spy.pass_on(result)

    spies.put(owner, name, spied)
    for module in list(sys.modules.values()):
        for other, value in list(vars(module).items()) if inspect.ismodule(module) else ():
            if value is function:
                spies.put(module, other, spied)


# --- whose it is ----------------------------------------------------------------------------------


def _code(function: Any) -> Any:
    plain = inspect.unwrap(function) if callable(function) else function
    return getattr(getattr(plain, "__func__", plain), "__code__", None)


def _is_users(code: Any) -> bool:
    if code is None:
        return False
    return _is_users_file(code.co_filename)


def is_users_module(module: Any) -> bool:
    """Whether a module is from a file of the user's."""
    file = getattr(module, "__file__", None) if inspect.ismodule(module) else None
    return file is not None and _is_users_file(file)


def _is_users_file(file: str) -> bool:
    return not is_ours(file) and not os.path.realpath(file).startswith(_LIBRARIES)


def _place(code: Any) -> str:
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else ""


def _name(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or type(thing).__name__
    return str(name).rpartition("<locals>.")[2]


def _parameters(function: Any) -> list[str]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in found if p.kind in plain]
