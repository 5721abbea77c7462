"""A sentence that remembers its template and what stands in its slots, to be said again elsewhere.

It is its English text, and a plain string wherever it goes: compared, stored, printed. What prints
for a person may say it in another language (`gradproof.words.in_language`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from string import Formatter


class Said(str):
    """An English sentence with its template, and with the text that stands in each slot.

    A text may be a sentence of this kind itself.
    """

    __slots__ = ("template", "texts")

    template: str
    texts: Mapping[str, str]

    def __new__(cls, template: str, texts: Mapping[str, str], english: str | None = None) -> Said:
        """The sentence made of a template; ``english`` where its English text is another."""
        made = super().__new__(cls, filled(template, texts) if english is None else english)
        made.template = template
        made.texts = dict(texts)
        return made

    def __reduce__(self) -> tuple[type[Said], tuple[str, Mapping[str, str], str]]:
        return Said, (self.template, self.texts, str(self))


def told(template: str, **values: object) -> Said:
    """The English sentence with its slots filled in, which can be said in another language later.

    Numbers are formatted once, as the English template has it.

    Args:
        template: a whole English sentence, with slots such as ``{share:.2f}``.
        values: what stands in the slots.

    >>> told("{claim} is off by {factor:.2f}.", claim="dl_dW2", factor=2)
    'dl_dW2 is off by 2.00.'
    """
    texts: dict[str, str] = {}
    for _, name, form, conversion in Formatter().parse(template):
        if name is not None:
            shown = _text(repr(values[name]) if conversion == "r" else values[name], form)
            if texts.setdefault(name, shown) != shown:
                raise ValueError(f"The slot {name} has two formats in {template!r}.")
    return Said(template, texts)


def _text(value: object, form: str | None) -> str:
    return value if isinstance(value, Said) and not form else format(value, form or "")


def told_as_is(text: str) -> Said:
    """A text without slots, such as the title of some data, which another language may have."""
    return Said(text.replace("{", "{{").replace("}", "}}"), {})


def told_list(parts: Sequence[str]) -> str:
    """Names one after another, ``a, b and c``.

    >>> told_list(["z1", "z2", "z3"])
    'z1, z2 and z3'
    """
    if len(parts) < 2:
        return parts[0] if parts else ""
    *others, last = parts
    return told("{before} and {last}", before=told_row(others), last=last)


def told_sum(parts: Sequence[str]) -> str:
    """What holds together, ``a and b and c``.

    >>> told_sum(["x > 0", "each row of y sums to 1"])
    'x > 0 and each row of y sums to 1'
    """
    return _folded(parts, lambda one, last: told("{before} and {last}", before=one, last=last))


def told_row(parts: Sequence[str]) -> str:
    """Names one after another, ``a, b, c``.

    >>> told_row(["z1", "z2", "z3"])
    'z1, z2, z3'
    """
    return _folded(parts, lambda one, last: told("{before}, {next}", before=one, next=last))


def told_sentence(clause: str) -> Said:
    """A clause as a sentence of its own.

    >>> told_sentence("no proof was found")
    'No proof was found.'
    """
    said = told("{clause}.", clause=clause)
    return Said(said.template, said.texts, f"{clause[:1].upper()}{clause[1:].rstrip('?')}.")


def told_all(sentences: Sequence[str]) -> str:
    """Sentences one after another."""
    return _folded(sentences, lambda one, last: told("{before} {next}", before=one, next=last))


def told_lines(parts: Sequence[str]) -> str:
    """Sentences one below the other."""
    return _folded(parts, lambda one, last: Said("{a}\n{b}", {"a": one, "b": last}))


def told_clauses(parts: Sequence[str]) -> str:
    """Clauses one after another, ``a; b; c``."""
    return _folded(parts, lambda one, last: told("{before}; {next}", before=one, next=last))


def _folded(parts: Sequence[str], both: Callable[[str, str], str]) -> str:
    return reduce(both, parts[1:], parts[0]) if parts else ""


def filled(template: str, texts: Mapping[str, str]) -> str:
    """A template with texts in its slots; how the slots are formatted is left aside."""
    parts = []
    for literal, name, _, _ in Formatter().parse(template):
        parts += [literal, texts[name] if name is not None else ""]
    return "".join(parts)
