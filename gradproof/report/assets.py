"""What pages have inside: the font of their mathematics, and the texts that they are made of."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

ROOM = Path(__file__).parent


def template_text(name: str) -> str:
    """The text of a style sheet or a script."""
    return (ROOM / "templates" / name).read_text(encoding="utf-8")


@cache
def font_face() -> str:
    """The rule of a style sheet that brings the font along."""
    font = (ROOM / "fonts" / "stix-two-math.woff2").read_bytes()
    source = f'url("data:font/woff2;base64,{base64.b64encode(font).decode()}") format("woff2")'
    return f'@font-face{{font-family:"STIX Two Math subset";src:{source}}}'
