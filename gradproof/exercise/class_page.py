"""The marks of a class to one page of HTML that needs nothing beside it."""

from __future__ import annotations

from gradproof.exercise.grading import Grades
from gradproof.exercise.marking import WORDS, number
from gradproof.exercise.showing import SIGNS
from gradproof.report.page import environment
from gradproof.words import say
from gradproof.words.say import ENGLISH


def page(grades: Grades, lang: str = ENGLISH) -> str:
    """A table with a row for each file, and below it every file with its formulas and hints.

    Text from the files is escaped wherever it stands; the page has no script and asks for nothing.
    """
    kinds = [{mark.of: mark for mark in one.marks} for one in grades.files]
    right = {
        of: sum(1 for marks in kinds if of in marks and marks[of].kind == "right")
        for of in grades.asked
    }
    return (
        environment("gradproof.exercise")
        .get_template("class.html")
        .render(
            grades=grades,
            rows=list(zip(grades.files, kinds, strict=True)),
            right=right,
            signs=SIGNS,
            words={kind: say(word, lang) for kind, word in WORDS.items()},
            lang=lang,
            say=lambda template, **values: say(template, lang, **values),
            points=lambda one: number(one.points(grades.carried)),
        )
    )
