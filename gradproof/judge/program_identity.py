"""An engine's own backward program against the derived gradients: equality over the reals, proved
or not.

Both are evaluated over finite fields (`engines/modular.py`) at random points; points and primes are
drawn after the program is written down. A failure to prove is never a refutation.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from gradproof.core.errors import GradproofError, NotYet
from gradproof.core.index import Size
from gradproof.core.program import INDEX, Derivation, Equation, Paper, Program, Tensor, shapes
from gradproof.core.term import Compare, Power, SizeOf, walk
from gradproof.core.told import told
from gradproof.engines.arithmetic import Arithmetic, Value, structural
from gradproof.engines.backward_program import (
    BackwardProgram,
    Unattempted,
    constants,
    trimmed,
    work,
)
from gradproof.engines.degree import Degrees
from gradproof.engines.evaluate import Room, evaluate_equation
from gradproof.engines.field import UnluckyPoint
from gradproof.engines.interpretation import Interpreter
from gradproof.engines.modular import Modular
from gradproof.engines.program_evaluation import assumptions, evaluate_program, meaning_of
from gradproof.judge.logarithms import without_logarithms
from gradproof.judge.pieces import TIES
from gradproof.judge.points import MOST_ROUNDS, POINT, Doubt, doubt, with_points

LARGEST_ERROR = 1e-9
"""Above this probability of an error nothing counts as proved."""

MOST_TRIES = 8
MOST_WORK = 3_000_000
"""How many numbers a program may compute at all points; exact arithmetic takes ½ µs for each."""

SMALL = (3, 5, 4, 7, 6, 8, 9, 11, 10, 12, 13)
SQUARES = (4, 16, 25)
"""Sizes whose roots are whole numbers, and squares themselves modulo the prime."""


@dataclass(frozen=True, slots=True)
class ProgramVerdict:
    """Of one gradient: whether the engine's program was proved equal to the derived one."""

    kind: Literal["proved", "not proved", "not attempted"]
    because: str = ""


@dataclass(frozen=True, slots=True)
class ProgramProof:
    """What was proved of an engine's own backward program, by tensor.

    ``refusal`` says why nothing was attempted. ``assumes`` states what fused kernels were taken
    as, ``read_back`` which rationals the program's floats stood for. ``error`` bounds the
    probability that this is wrong, over the random choices of this run.
    """

    verdicts: Mapping[str, ProgramVerdict]
    refusal: str = ""
    assumes: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    read_back: tuple[str, ...] = ()
    sizes: tuple[Mapping[str, int], ...] = ()
    error: float = 1.0


Capture = Callable[[Mapping[str, int]], BackwardProgram | None]
"""The engine's program at the sizes given."""


def prove_program(
    paper: Paper, derivation: Derivation, capture: Capture, seed: bytes | None = None
) -> ProgramProof | None:
    """Whether an engine's own program computes the derived gradients; `None` where it shows none.

    Args:
        paper: the traced paper.
        derivation: its gradients.
        capture: writes down the engine's program.
        seed: for a repetition; without it randomness comes from the system, after the program.
    """
    wanted = tuple(step.of for step in derivation.steps)
    try:
        return _proved(paper, derivation, capture, wanted, seed)
    except (Unattempted, GradproofError) as why:
        because = why.said if isinstance(why, GradproofError) else why.args[0]
        verdict = ProgramVerdict("not attempted", because)
        return ProgramProof(dict.fromkeys(wanted, verdict), refusal=because)


def _proved(
    paper: Paper,
    derivation: Derivation,
    capture: Capture,
    wanted: tuple[str, ...],
    seed: bytes | None,
) -> ProgramProof | None:
    if any(tensor.law.startswith(INDEX) for tensor in paper.forward.inputs):
        raise Unattempted(told("what is picked depends on integers that are data"))
    equal = frozenset(wanted)
    worst = 0.0
    hypotheses: frozenset[str] = frozenset()
    draws = choose_sizes(derivation)
    programs: list[BackwardProgram] = []
    for number, sizes in enumerate(draws):
        captured = capture(sizes)
        if captured is None:
            return None
        program = trimmed(captured, wanted)
        programs.append(program)
        for operation in program.operations:
            meaning_of(operation.name)  # before anything is evaluated
        question = Question(paper, derivation, program, sizes)
        answer = _answer(question, equal, _key(seed, number))
        equal, worst = equal & answer.equal, max(worst, answer.error)
        hypotheses |= answer.hypotheses
    if worst > LARGEST_ERROR:
        raise Unattempted(told("too many roots for a bound on the probability of an error"))
    return ProgramProof(
        {of: ProgramVerdict("proved" if of in equal else "not proved") for of in wanted},
        assumes=_together(assumptions(program) for program in programs),
        hypotheses=tuple(sorted(hypotheses)),
        read_back=_together(map(str, constants(program)) for program in programs),
        sizes=draws,
        error=worst,
    )


def _together(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for listed in lists for one in listed))


def _key(seed: bytes | None, draw: int) -> bytes:
    fresh = secrets.token_bytes(32) if seed is None else seed
    return fresh[:32] + draw.to_bytes(2, "little")


def choose_sizes(derivation: Derivation) -> tuple[dict[str, int], ...]:
    """Two ways to give every size symbol a number; one where there is no symbol.

    A size whose root is taken, as in attention, is a square: the engine's program has a float in
    its place, which stands for a rational only then.
    """
    program = derivation.forward
    taken: dict[Size, None] = {s: None for shape in shapes(program).values() for s in shape}
    symbols = [size for size in taken if isinstance(size, str)]
    if not symbols:
        return ({},)
    equations = (*program.equations, *derivation.backward.equations)
    rooted = {size for equation in equations for size in _under_roots(equation)}
    squares = [size for size in symbols if size in rooted]
    others = [size for size in symbols if size not in rooted]
    free = [size for size in SMALL if size not in taken]
    first, second = (
        {
            **{s: SQUARES[(k + draw) % len(SQUARES)] for k, s in enumerate(squares)},
            **{s: free[(k + draw) % len(free)] for k, s in enumerate(others)},
        }
        for draw in (0, 1)
    )
    return first, second


def _under_roots(equation: Equation) -> Iterator[Size]:
    for node in walk(equation.term):
        if isinstance(node, Power) and node.exponent.denominator > 1:
            yield from (part.size for part in walk(node.base) if isinstance(part, SizeOf))


# --- points -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """One program at one choice of sizes."""

    paper: Paper
    derivation: Derivation
    program: BackwardProgram
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """The gradients that are equal at all points, under which hypotheses, and the probability
    that a listed one differs all the same."""

    equal: frozenset[str]
    hypotheses: frozenset[str]
    error: float


def _answer(question: Question, wanted: frozenset[str], key: bytes) -> Answer:
    _check_work(question, 1)
    left = _doubt(question)
    _check_work(question, left.points)
    equal, hypotheses = wanted, frozenset[str]()
    for number in range(MOST_ROUNDS):
        machine, here, said = _round(question, equal, key + bytes([number]), left.points)
        equal &= here
        hypotheses |= said
        left = left.after(machine.roots)
        if not equal or left.is_small():
            break
    return Answer(equal, hypotheses, left.error)


def _round(
    question: Question, wanted: frozenset[str], key: bytes, points: int
) -> tuple[Modular, frozenset[str], frozenset[str]]:
    """What is equal at a few points modulo one prime."""
    for attempt in range(MOST_TRIES):
        machine = Modular(
            key + bytes([attempt]),
            rooted=points > 1,
            points=points,
            apart=True,
            unequal=not _compares_equal(question.paper.forward),
        )
        try:
            return machine, *_agreeing(question, wanted, machine, points)
        except UnluckyPoint:
            continue
        except NotYet as why:
            raise Unattempted(why.why) from why
    raise Unattempted(told("a division by zero, whatever is drawn"))


def _compares_equal(program: Program) -> bool:
    """Whether a network asks if two numbers are equal, as labels are. Where none does, an engine
    that asks means a tie, and a hypothesis says that there is none."""
    return any(
        isinstance(node, Compare) and node.relation == "=="
        for equation in program.equations
        for node in walk(equation.term)
    )


def _check_work(question: Question, points: int) -> None:
    shapes = {tensor.name: _numbers(tensor, question.sizes) for tensor in _variables(question)}
    count = points * work(question.program, shapes)
    if count > MOST_WORK:
        raise Unattempted(
            told("it computes {count:,} numbers, too many for exact arithmetic", count=count)
        )


def _agreeing(
    question: Question, wanted: frozenset[str], machine: Modular, points: int
) -> tuple[frozenset[str], frozenset[str]]:
    inputs = {
        tensor.name: machine.draw((points, *_numbers(tensor, question.sizes)), tensor.name)
        for tensor in _variables(question)
    }
    found: frozenset[str] = frozenset()
    hypotheses: set[str] = set()
    for right, engines, said in _readings(question, inputs, machine):
        new = {of for of in wanted - found if of in engines and _same(engines[of], right[of])}
        if new:
            found |= new
            hypotheses |= said
        if found == wanted:
            break
    return found, frozenset(hypotheses)


def _readings(
    question: Question, inputs: Mapping[str, Value], arithmetic: Arithmetic
) -> Iterator[tuple[dict[str, Value], dict[str, Value], set[str]]]:
    """The derived and the engine's gradients, with what the reading takes for granted.

    There are several, because both may have an exponential of a difference, or of a logarithm, as
    one or as a quotient; and at last data that is asked whether it is 0 is taken to be 0 or 1.
    """
    derivation = question.derivation
    equations = (*derivation.forward.equations, *derivation.backward.equations)
    plain = Program(derivation.forward.inputs, equations, ())
    rewritten = without_logarithms(plain)
    programs = (plain,) if rewritten.equations == equations else (plain, rewritten)
    data = frozenset(t.name for t in question.paper.forward.inputs if t.role == "data")
    rights = [_derived(question, program, inputs, arithmetic) for program in programs]
    for masks in (frozenset[str](), data):
        for right, splits in product(rights, (True, False)):
            interpreter = Interpreter(arithmetic, splits=splits)
            engines = evaluate_program(question.program, inputs, interpreter, masks)
            if masks and not interpreter.masks:
                return
            said = {TIES} if interpreter.compares else set()
            yield (
                right,
                engines,
                said | {told("{name} is 0 or 1", name=name) for name in interpreter.masks},
            )


def _derived(
    question: Question, program: Program, inputs: Mapping[str, Value], arithmetic: Arithmetic
) -> dict[str, Value]:
    """The derived gradients at the points."""
    points = max(value[0].shape[0] for value in inputs.values())
    sizes = {**question.sizes, str(POINT.size): points}
    tensors = dict(inputs)
    for name, array in question.paper.constants.items():
        exact = np.asarray(array)
        lifted = arithmetic.lift(exact)
        tensors[name] = structural(
            lifted, lambda p, s=exact.shape: np.broadcast_to(p, (points, *s))
        )
    for equation in program.equations:
        moved = with_points(equation)
        tensors[equation.target] = evaluate_equation(moved, Room(tensors, sizes, arithmetic))
    return {
        of: tensors[name] for of, name in question.derivation.gradients.items() if name in tensors
    }


def _same(left: Value, right: Value) -> bool:
    return all(
        a.shape[1:] == b.shape[1:] and bool(np.all(a == b))
        for a, b in zip(left, right, strict=True)
    )


def _variables(question: Question) -> list[Tensor]:
    forward: Program = question.paper.forward
    return [t for t in forward.inputs if t.name not in question.paper.constants]


def _numbers(tensor: Tensor, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else sizes[size] for size in tensor.shape)


def _doubt(question: Question) -> Doubt:
    degrees = Degrees()
    inputs = {
        tensor.name: degrees.variable((1, *_numbers(tensor, question.sizes)))
        for tensor in _variables(question)
    }
    with np.errstate(over="ignore", invalid="ignore"):
        pairs = [
            (right[of], engines[of])
            for right, engines, _ in _readings(question, inputs, degrees)
            for of in engines
            if of in right
        ]
        return doubt(degrees, pairs)
