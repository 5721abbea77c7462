"""A file to those of its parts that some names need, near and far."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gradproof.core.errors import NetworkError
from gradproof.core.told import told
from gradproof.trace.source import Source


def file_of(source: Source, nowhere: str) -> Path:
    """The file in which a network's forward stands.

    Args:
        source: the network.
        nowhere: what is said where it stands in none.

    Raises:
        NetworkError: it stands in none.
    """
    path = inspect.getsourcefile(source.forward)
    if path is None or not Path(path).is_file():
        raise NetworkError(nowhere, advice=told("Write forward into a file my_network.py."))
    return Path(path)


class Surroundings(NamedTuple):
    """The parts of a file that its functions need: imports, and what else it defines."""

    imports: tuple[str, ...]
    others: tuple[str, ...]


def surroundings(tree: ast.Module, text: str, names: frozenset[str]) -> Surroundings:
    """What some names of a file need besides its forward and backward; gradproof is imported in
    any case."""
    package = package_of(tree)
    parts = needed(tree, text, names - {"forward", "backward"} | {package})
    if package not in imported(tree):
        parts.append(f"import gradproof as {package}")
    first = [part for part in parts if part.startswith(("import ", "from "))]
    return Surroundings(tuple(first), tuple(part for part in parts if part not in first))


def package_of(tree: ast.Module) -> str:
    """The name under which a file imports gradproof, or would."""
    return next((name for name, module in imported(tree).items() if module == "gradproof"), "gp")


def names_in(part: ast.AST) -> frozenset[str]:
    """Every name in a part of a file."""
    return frozenset(node.id for node in ast.walk(part) if isinstance(node, ast.Name))


def needed(tree: ast.Module, text: str, wanted: frozenset[str]) -> list[str]:
    """The parts of a file that define the names wanted, near and far, each in its own lines."""
    defined = _definitions(tree)
    waiting, used = set(wanted), set()
    while waiting:
        name = waiting.pop()
        part = defined.get(name)
        if part is None or name in used:
            continue
        used.add(name)
        waiting |= names_in(part)
    parts = {id(defined[name]): defined[name] for name in used}
    found = []
    for part in sorted(parts.values(), key=lambda one: one.lineno):
        if isinstance(part, ast.Import | ast.ImportFrom):
            found.append(_import(part, used))
        else:
            found.append(text_of(part, text))
    return found


def _import(part: ast.Import | ast.ImportFrom, used: set[str]) -> str:
    names = [n for n in part.names if (n.asname or n.name.partition(".")[0]) in used]
    kept = (
        ast.Import(names)
        if isinstance(part, ast.Import)
        else ast.ImportFrom(part.module, names, part.level)
    )
    return ast.unparse(kept)


def _definitions(tree: ast.Module) -> Mapping[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for part in tree.body:
        match part:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found.update((n.asname or n.name.partition(".")[0], part) for n in names)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = part
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                found.update((name, part) for name in _assigned(part))
            case _:
                pass
    return {name: part for name, part in found.items() if name not in dir(builtins)}


def _assigned(part: ast.Assign | ast.AnnAssign | ast.AugAssign) -> set[str]:
    """The names that an assignment binds, or whose value it changes."""
    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
    bound = (ast.Name, ast.Tuple, ast.List, ast.Starred)
    return {
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and (isinstance(target, bound) or node is _root(target))
    }


def _root(target: ast.expr) -> ast.expr:
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target


def imported(tree: ast.Module) -> dict[str, str]:
    """The modules that a file imports, by the names that they have in it."""
    return {
        (name.asname or name.name): name.name
        for part in tree.body
        if isinstance(part, ast.Import)
        for name in part.names
    }


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions of a file by name; of two with one name the later."""
    return {part.name: part for part in tree.body if isinstance(part, ast.FunctionDef)}


def text_of(part: ast.stmt, text: str) -> str:
    """The lines of a part of a file, decorators among them."""
    lines = text.splitlines()
    decorators = getattr(part, "decorator_list", [])
    first = min([part.lineno, *(d.lineno for d in decorators)])
    return "\n".join(line.rstrip() for line in lines[first - 1 : part.end_lineno])
