"""What an engine is: the user's function, run on a framework's tensors under its autodiff."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from gradproof.core.errors import EngineError
from gradproof.core.told import told
from gradproof.engines.backward_program import BackwardProgram

if TYPE_CHECKING:
    from gradproof.engines.black_box import Answer, Question, Returned

Argument = np.ndarray | list[np.ndarray]
"""An array, or one for each layer where the parameter is a list of weights."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one engine computed, as NumPy arrays in the engine's dtype.

    ``values`` holds the inputs, every requested value and the loss; ``gradients`` holds ``∂l/∂v``
    for each of them that is floating but the loss, zeros where the loss does not depend on it.
    """

    engine: str
    version: str
    dtype: str
    values: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class NativeRun:
    """What a framework's own layers computed: the values that they gave a name, and the gradients
    of the loss, if they gave that, with respect to every floating input."""

    values: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Listing:
    """How people call an engine, which module it needs, and which extra of ours installs it."""

    title: str
    module: str
    extra: str


ENGINES: dict[str, Listing] = {
    "numpy": Listing("NumPy", "autograd", ""),
    "tensorflow": Listing("TensorFlow", "tensorflow", "tensorflow"),
    "torch": Listing("PyTorch", "torch", "torch"),
    "jax": Listing("JAX", "jax", "jax"),
}


class Engine(ABC):
    """A framework with its own automatic differentiation.

    Where it ``writes_programs``, `backward_program` has some to give.
    """

    name: str
    writes_programs: bool = False

    @final
    @property
    def title(self) -> str:
        """The framework's name as people write it."""
        return ENGINES[self.name].title

    @final
    @property
    def extra(self) -> str:
        """The extra of gradproof that installs the framework; empty where none is needed."""
        return ENGINES[self.name].extra

    @abstractmethod
    def version(self) -> str:
        """The version of what computes."""

    @abstractmethod
    def run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        """The values and the gradients of `forward`, which returns the scalar loss.

        Floating-point arguments are cast to the dtype (``"float32"`` or ``"float64"``) and
        differentiated; integers stay data. The elements of a list ``Ws`` are called ``Ws[1]``,
        ``Ws[2]``, … `operations` maps the names of intermediate values to the numbers of the
        operations that make them, counted from 0 in the order in which `forward` asks for them.

        Raises:
            EngineError: a number that no operation has, or a loss that is not a tensor.
            ShapeError: a loss with axes.
        """

    def native(
        self,
        layers: Callable[..., Mapping[str, Any]],
        arguments: Mapping[str, Argument],
        loss: str,
        dtype: str,
    ) -> NativeRun:
        """What the framework's own layers give: the tensors that ``layers(framework, **arguments)``
        returns, and by autodiff the gradients of the one called `loss`, if it is among them.

        The arguments are the framework's tensors, or lists of them, in the dtype. An engine without
        layers has none to give.

        Raises:
            EngineError: this engine has no layers of its own.
        """
        raise EngineError(told("{title} has no layers of its own here.", title=self.title))

    def backward_program(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
    ) -> BackwardProgram | None:
        """The program that the framework's autodiff writes for the gradients of `forward`, with
        float64 arguments of these shapes; `None` where a framework shows no program.

        Arguments and errors are those of `run`; the numbers in the arrays do not matter.

        Raises:
            Unattempted: the framework cannot write it down, or something in it cannot be read.
        """
        return None

    @abstractmethod
    def returned(self, one: Any) -> Returned:
        """One of the framework's tensors as an array, with its dtype."""

    @abstractmethod
    def outputs(self, function: Callable[..., Any], question: Question) -> tuple[Returned, ...]:
        """The values of a function alone.

        Raises:
            BoxFailed: it raises.
        """

    @abstractmethod
    def pull(self, box: Callable[..., Any], question: Question) -> Answer:
        """The values of a black box, and the gradients that its own backward pass returns.

        Raises:
            BoxFailed: it raises, or its values are not those that were asked about.
        """

    def backward(self, box: Callable[..., Any], question: Question) -> Callable[..., Any]:
        """The backward pass of a black box as a black box of its own: it takes the arguments and
        then the upstream gradients, and returns the wanted gradients, as zeros where the box gives
        none. Its own backward pass is what the framework makes of the box's.

        Args:
            box: takes the arguments and returns the values.
            question: which arguments there are, and which gradients are wanted.

        Raises:
            EngineError: this engine's backward passes cannot be differentiated.
        """
        raise EngineError(
            told(
                "{title}'s backward passes return plain arrays, which nothing can differentiate "
                "again: order=2 is for PyTorch, JAX and TensorFlow.",
                title=self.title,
            ),
            advice=told(
                "Check the second derivative as a function of its own: its value is the first "
                "gradient, and the reference is a paper that returns that."
            ),
        )

    def forward_alone(
        self, function: Callable[..., Any], question: Question
    ) -> Callable[..., Any] | None:
        """What a function computes, operation by operation, without the derivative rules that it
        brings along: the framework's own autodiff then differentiates every operation. It holds
        for arguments of these shapes; `None` where a framework shows no program.

        Raises:
            BoxFailed: the function raises, also where it cannot be followed.
            Unattempted: a rule of its own cannot be taken out.
        """
        return None

    def pullback_program(
        self, function: Callable[..., Any], question: Question
    ) -> BackwardProgram | None:
        """The program that the framework's autodiff writes for the values and the gradients of a
        function of any shape, in float64.

        Its inputs are ``x[k]`` for the tensors and ``g[k]`` for the upstream gradients, its results
        ``y[k]`` for the values and ``x[k]`` for the gradients. `None` where a framework shows no
        program.

        Raises:
            Unattempted: something in it cannot be read.
        """
        return None


def installed() -> dict[str, bool]:
    """Which engines can be loaded; imports none of them."""
    return {
        name: importlib.util.find_spec(listing.module) is not None
        for name, listing in ENGINES.items()
    }


def load(name: str) -> Engine:
    """The engine with this name; its framework is imported now.

    Raises:
        EngineError: no engine has this name, or its framework is missing or does not import.
    """
    if name not in ENGINES:
        raise EngineError(
            told("There is no engine called {name!r}.", name=name),
            advice=told("The engines are {engines}.", engines=", ".join(ENGINES)),
        )
    listing = ENGINES[name]
    try:
        engine: Engine = importlib.import_module(f"gradproof.engines.{name}").ENGINE
    except ImportError as problem:
        if importlib.util.find_spec(listing.module) is None:
            raise EngineError(
                told("{title} is not installed.", title=listing.title), advice=_how_to_install(name)
            ) from problem
        raise EngineError(
            told(
                "{title} is installed but does not import: {problem}.",
                title=listing.title,
                problem=problem,
            ),
            advice=_how_to_install(name),
        ) from problem
    return engine


def _how_to_install(name: str) -> str:
    if name == "tensorflow" and sys.version_info >= (3, 14):
        return "TensorFlow has no release for Python 3.14 yet: use Python 3.13 or another engine."
    extra = ENGINES[name].extra
    return f'Try: pip install "gradproof[{extra}]"' if extra else "Try: pip install gradproof"
