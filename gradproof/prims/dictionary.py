"""The records by name."""

from __future__ import annotations

from gradproof.prims.along import ALONG
from gradproof.prims.elementwise import ELEMENTWISE
from gradproof.prims.fold import FOLDS
from gradproof.prims.record import Elementwise, Folding, Keeping

ELEMENTWISE_BY_NAME: dict[str, Elementwise] = {record.name: record for record in ELEMENTWISE}
FOLD_BY_NAME: dict[str, Folding] = {record.name: record for record in FOLDS}
ALONG_BY_NAME: dict[str, Keeping] = {record.name: record for record in ALONG}

BY_NAME: dict[str, Elementwise | Folding | Keeping] = {
    **ELEMENTWISE_BY_NAME,
    **FOLD_BY_NAME,
    **ALONG_BY_NAME,
}
