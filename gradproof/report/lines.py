"""Written equations to the lines of a terminal: broken where they are too wide."""

from __future__ import annotations

from rich.cells import cell_len

WIDTH = 100


def padded(line: str, width: int) -> str:
    """A line filled up with spaces to so many columns; a macron over a letter takes none."""
    return line + " " * (width - cell_len(line))


def beside_shapes(written: list[str], shapes: list[str]) -> list[str]:
    """Equations with their shapes in a column; one that is too wide is broken before a term."""
    free = WIDTH - 5 - max((len(shape) for shape in shapes), default=0)
    cut = [broken(line, free) for line in written]
    width = min(free, max((cell_len(part) for parts in cut for part in parts), default=0))
    lines = []
    for parts, shape in zip(cut, shapes, strict=True):
        *above, last = (f"  {part}" for part in parts)
        lines += [*above, f"{padded(last, width + 2)}   {shape}".rstrip()]
    return lines


def broken(line: str, width: int) -> list[str]:
    """A line as several, each from one ``+`` or ``−`` outside of parentheses to another, or where
    that is not enough from one condition to another."""
    if cell_len(line) <= width:
        return [line]
    indent = " " * (line.index(" = ") + 1)
    parts = []
    for part in _split(line, (" + ", " − ")):
        parts += [part] if cell_len(indent + part) <= width else _split(part, (" [",))
    lines = [parts[0]]
    for part in parts[1:]:
        if cell_len(lines[-1]) + cell_len(part) <= width:
            lines[-1] += part
        else:
            lines.append(indent + part)
    return lines


def _split(line: str, before: tuple[str, ...]) -> list[str]:
    """A line cut where one of these stands outside of parentheses."""
    depth = 0
    parts = [""]
    for spot, character in enumerate(line):
        if depth == 0 and line.startswith(before, spot) and parts[-1]:
            parts.append("")
        depth += (character in "([⟨") - (character in ")]⟩")
        parts[-1] += character
    return parts
