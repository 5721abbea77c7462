"""The source of a paper to an exercise: formulas cut out of its backward, blanks in their place."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradproof.core.errors import NotYet, Place
from gradproof.core.told import told
from gradproof.trace.parts import functions, names_in

WIDTH = 100
"""Columns of the file that is written."""

_COMPOUND = (ast.For, ast.While, ast.If, ast.With)


@dataclass(frozen=True, slots=True)
class Blank:
    """A formula to cut out: its variable, the value whose gradient it is, and a comment."""

    name: str
    of: str
    comment: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a file: a backward function's lines, and the names that it reads."""

    lines: tuple[str, ...]
    reads: frozenset[str]


def cut(
    text: str,
    file: str,
    backward: ast.FunctionDef,
    blanks: Sequence[Blank],
    formulas: Sequence[str],
    parameters: Sequence[str],
    package: str,
) -> Cut:
    """The lines of `backward` with blanks in the place of some formulas.

    What served only the formulas that are gone goes too, with the comments above it.

    Args:
        text: the file.
        file: its name, for messages.
        backward: the function in it.
        blanks: the formulas that are cut out.
        formulas: the variables of all formulas, these and those that stay.
        parameters: what the new function takes.
        package: the name under which the file imports gradproof.

    Raises:
        NotYet: a formula is woven together with others, so that it cannot be cut out.
    """
    lines = text.splitlines()
    gone = {id(part) for blank in blanks for part in _own(backward, blank, file, lines)}
    _with_dead_code(backward, gone, set(formulas))
    after: dict[int, list[Blank]] = {}
    first = []
    for blank in blanks:
        places = [n for n, top in enumerate(backward.body) if _holds(top, gone, blank.name)]
        if places:
            after.setdefault(places[-1], []).append(blank)
        else:
            first.append(blank)
    body = [_line(blank, package) for blank in first]
    for number, top in enumerate(backward.body):
        if not (number == 0 and _is_docstring(top)):
            body += _kept(top, gone, lines)
        body += [_line(blank, package) for blank in after.get(number, [])]
    left = [part for part in ast.walk(backward) if isinstance(part, ast.stmt)]
    reads = frozenset(
        name for part in left if not _inside(part, gone) for name in _loads(part, gone)
    )
    return Cut((*_head(parameters), *_trimmed(body)), reads | {package})


def _line(blank: Blank, package: str) -> str:
    line = f"    {blank.name} = {package}.blank({blank.of})"
    return f"{line}  # {blank.comment}" if blank.comment else line


def _head(parameters: Sequence[str]) -> tuple[str, ...]:
    line = f"def backward({', '.join(parameters)}):"
    if len(line) <= WIDTH:
        return (line,)
    inside = textwrap.wrap(
        ", ".join(parameters) + ",", WIDTH, initial_indent="    ", subsequent_indent="    "
    )
    return ("def backward(", *inside, "):")


def _is_docstring(part: ast.stmt) -> bool:
    return (
        isinstance(part, ast.Expr)
        and isinstance(part.value, ast.Constant)
        and isinstance(part.value.value, str)
    )


def one_by_one(text: str, names: Sequence[str]) -> str:
    """The file with ``dW, db = 0.0, 0.0`` or ``dW = db = 0.0`` in backward as two lines, where one
    of these names is bound so: what stands alone can be cut out alone."""
    backward = functions(ast.parse(text)).get("backward")
    lines = text.splitlines()
    parts = [] if backward is None else list(_simple(backward))
    for part in sorted(parts, key=lambda one: one.lineno, reverse=True):
        pairs = _separate(part) if _changed(part) & set(names) else []
        if pairs:
            lines[part.lineno - 1 : part.end_lineno] = [
                f"{' ' * part.col_offset}{ast.unparse(target)} = {ast.unparse(value)}"
                for target, value in pairs
            ]
    return "\n".join(lines) + "\n"


def _separate(part: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """The assignments that a statement makes, where their order does not matter."""
    match part:
        case ast.Assign(targets=targets, value=ast.Constant() as value) if len(targets) > 1:
            return [(target, value) for target in targets]
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
            targets
        ) == len(values):
            pairs = list(zip(targets, values, strict=True))
            crossed = any(
                set(_bound(target)) & names_in(value)
                for target, _ in pairs
                for other, value in pairs
                if other is not target
            )
            return [] if crossed else pairs
        case _:
            return []


# --- which statements make a formula ----------------------------------------------------------


def _own(
    backward: ast.FunctionDef, blank: Blank, file: str, lines: Sequence[str]
) -> list[ast.stmt]:
    """The statements that bind or change a variable, and nothing else."""
    found = [part for part in _simple(backward) if blank.name in _changed(part)]
    for part in found:
        if _changed(part) != {blank.name}:
            raise NotYet(
                told(
                    "The formula of {blank} is woven together with others: it cannot be cut out.",
                    blank=blank.name,
                ),
                advice=told("Leave it out of --blank."),
                place=Place(file, part.lineno, lines[part.lineno - 1].strip()),
            )
    return found


def _simple(part: ast.AST) -> Iterator[ast.stmt]:
    """The statements that hold no others, in order."""
    for child in ast.iter_child_nodes(part):
        if isinstance(child, ast.stmt) and not isinstance(child, _COMPOUND):
            yield child
        else:
            yield from _simple(child)


def _changed(part: ast.stmt) -> set[str]:
    """The variables that a statement binds, or whose array it writes into."""
    match part:
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _bound(target)}
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return set(_bound(target))
        case ast.Expr(value=ast.Call(func=ast.Attribute() as function, args=arguments)):
            # np.add.at(dE, idx, g) writes into dE, and gradients.append(g) into gradients
            written = arguments[0] if function.attr == "at" and arguments else function.value
            return {written.id} if isinstance(written, ast.Name) else set()
        case ast.FunctionDef(name=name):
            return {name}
        case _:
            return set()


def _bound(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _bound(part)
        case ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.Attribute(value=inner):
            yield from _bound(inner)
        case _:
            pass


def _with_dead_code(backward: ast.FunctionDef, gone: set[int], formulas: set[str]) -> None:
    """Adds what served only the statements that are gone: it would give their formulas away."""
    simple = list(_simple(backward))
    before = _all_loads(backward, set())
    while True:
        loads = _all_loads(backward, gone)
        served = before - loads - formulas
        dead = {id(p) for p in simple if _changed(p) and _changed(p) <= served} - gone
        if not dead:
            return
        gone |= dead


def _all_loads(backward: ast.FunctionDef, gone: set[int]) -> set[str]:
    """The names that are read, but for a variable's in the statements that change it alone."""
    found: set[str] = set()
    for part in ast.walk(backward):
        if isinstance(part, ast.stmt) and part is not backward and not _inside(part, gone):
            changed = _changed(part)
            found |= {n for n in _loads(part, gone) if changed != {n}}
    return found


def _loads(part: ast.stmt, gone: set[int]) -> set[str]:
    """The names that a statement reads itself, without the statements in it."""
    if id(part) in gone:
        return set()
    found: set[str] = set()
    waiting: list[ast.AST] = [part]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        waiting += [c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.stmt)]
    return found


def _inside(part: ast.stmt, gone: set[int]) -> bool:
    """Whether nothing of a statement is left."""
    if id(part) in gone:
        return True
    if not isinstance(part, _COMPOUND):
        return False
    return all(_inside(child, gone) for child in _children(part))


def _children(part: ast.stmt) -> list[ast.stmt]:
    return [child for child in ast.iter_child_nodes(part) if isinstance(child, ast.stmt)]


def _holds(top: ast.stmt, gone: set[int], name: str) -> bool:
    """Whether a statement, or one in it, is gone and changed this variable."""
    inner = [top] if not isinstance(top, _COMPOUND) else list(_simple(top))
    return any(id(part) in gone and name in _changed(part) for part in inner)


# --- the lines that are left ------------------------------------------------------------------


def _kept(part: ast.stmt, gone: set[int], lines: Sequence[str]) -> list[str]:
    """The lines of a statement with the comments above it, without what is gone."""
    if _inside(part, gone):
        return []
    if not isinstance(part, _COMPOUND):
        return [*_above(part, lines), *lines[part.lineno - 1 : part.end_lineno]]
    children = _children(part)
    found = [*_above(part, lines), *lines[part.lineno - 1 : _start(children[0], lines)]]
    for before, child in zip([None, *children], children, strict=False):
        if before is not None and before.end_lineno is not None:
            # What stands between two statements and is no comment, such as  else:
            between = lines[before.end_lineno : _start(child, lines)]
            found += [line for line in between if line.strip()]
        inner = _kept(child, gone, lines)
        if not inner and len(children) == 1:
            inner = [f"{' ' * child.col_offset}pass"]
        found += inner
    return found


def _start(part: ast.stmt, lines: Sequence[str]) -> int:
    """The line of a statement, counted from 0, or that of the first comment above it."""
    first = part.lineno - 1
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first


def _above(part: ast.stmt, lines: Sequence[str]) -> list[str]:
    return list(lines[_start(part, lines) : part.lineno - 1])


def _trimmed(lines: Sequence[str]) -> list[str]:
    return [line.rstrip() for line in lines]
