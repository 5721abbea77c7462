"""A file to those of its parts that some names need, near and far."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping


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
        waiting |= {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
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
