"""A commented file to begin a network of one's own with."""

from __future__ import annotations

from pathlib import Path

from gradproof.core.errors import DataError
from gradproof.core.told import told

TEMPLATE = Path(__file__).parent / "templates" / "my_network.py"


def new(file: str | Path) -> Path:
    """Writes a network that verifies as it is, with comments, to a file that does not exist yet.

    Raises:
        DataError: the name does not end in .py, the file exists, or it cannot be written.
    """
    path = Path(file)
    if path.suffix != ".py":
        raise DataError(
            told("{path} is not the name of a Python file.", path=path),
            advice=told("Try {path}.py", path=path),
        )
    text = TEMPLATE.read_text(encoding="utf-8").replace("my_network.py", path.name)
    try:
        with path.open("x", encoding="utf-8") as file_:
            file_.write(text)
    except FileExistsError as problem:
        raise DataError(
            told("{path} exists already and is left as it is.", path=path),
            advice=told("Choose another name."),
        ) from problem
    except OSError as problem:
        raise DataError(
            told("{path} cannot be written: {strerror}.", path=path, strerror=problem.strerror)
        ) from problem
    return path
