"""Whether what a black box returns in its dtype would be right in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from gradproof.blackbox.case import Case
from gradproof.blackbox.free import is_bound_but_for_rounding
from gradproof.blackbox.heard import EXACTLY, Heard, finding, returned
from gradproof.blackbox.steady import is_rounding, is_steady
from gradproof.core.told import told
from gradproof.engines.arithmetic import Value
from gradproof.engines.black_box import Answer, BoxFailed, Returned
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import FINE, in_dtype
from gradproof.judge.box import Finding, alone, merged
from gradproof.judge.reference import Unbounded
from gradproof.report.checked import CheckRow

NEAR = 16
"""So many times its bound a result may be off and stay undecided, where the same function agrees
in float64: an algorithm for the same function that rounds more often than the reference's
equations is no mistake. Formulas that are wrong are wrong in float64 too."""

DIGITS = 5.5
"""Decimal digits in common with the true tensor, in the largest norm, that float32 leaves a right
function unless terms cancel. One that has fewer is asked in float64 though its bound permits it."""

WRONG = 3.0
"""Digits of which fewer are no constant that was rounded to float32, unless terms cancel."""

ROUNDING = told(
    "It is outside of the bound of the reference's equations by rounding alone: it is off by "
    "less than 2⁻¹⁶ of its largest element, and with all inputs moved a little by other "
    "amounts. Its algorithm loses digits here that the reference's keeps, as s(1 − s) does "
    "where a sigmoid saturates."
)


@dataclass(slots=True, eq=False)
class Exactly:
    """The same draws answered in float64, once, and judged at float64's or float32's precision."""

    case: Case
    heard: Sequence[Heard]
    answers: list[Answer] | None = None
    enclosed: dict[tuple[str, int], Heard] = field(default_factory=dict)

    def findings(self, name: str, precision: str) -> list[Finding]:
        """The verdicts on one tensor; none where the function does not compute in float64."""
        if self.answers is None:
            self.answers = self._answered()
        found = [self._found(name, precision, k) for k in range(len(self.answers))]
        return [one for one in found if one is not None]

    def fine(self) -> list[Heard]:
        """The answers, as far as they were asked for."""
        if not self.answers:
            return []
        pairs = zip(self.heard, self.answers, strict=True)
        return [replace(one, answer=answer, least={}) for one, answer in pairs]

    def repeats(self, name: str) -> bool:
        """Whether the float64 answers are those of the dtype: it computes in the dtype whatever it
        is given."""
        pairs = (
            (returned(self.case, one.answer)[name].array, returned(self.case, answer)[name].array)
            for one, answer in zip(self.heard, self.answers or (), strict=True)
        )
        return all(
            a is not None and b is not None and np.array_equal(a, in_dtype(b, self.case.dtype))
            for a, b in pairs
        )

    def is_steady(self, name: str) -> bool:
        """Whether the first float64 answer is wrong by as much at inputs nearby."""
        first = self.enclosed.get((EXACTLY, 0))
        if first is None or name not in first.enclosure:
            return False
        return is_steady(name, self.case, first, first.enclosure[name])

    def is_rounding(self, name: str) -> bool:
        """Whether every answer that is outside of its bound is so by rounding."""
        judged = ((one, finding(name, self.case, one, 0.0)) for one in self.heard)
        wrong = [one for one, found in judged if found is not None and found.kind == "refuted"]
        return bool(wrong) and all(is_rounding(name, self.case, one) for one in wrong)

    def _found(self, name: str, precision: str, k: int) -> Finding | None:
        """The verdict on one draw. True values cost a hundred times as much as the answer: they are
        worked out where the enclosure alone leaves a tensor undecided in float64."""
        contract = contract_of(self.case.machine.name, precision)
        case = replace(self.case, contract=contract)
        one = self.fine()[k]
        near = _finer(one.enclosure.get(name), self.case.contract, contract) if one.narrow else None
        if near is not None and precision == EXACTLY:
            found = finding(name, case, replace(one, enclosure={name: near}), 0.0)
            if found is not None and found.kind == "agrees":
                return found
        if (precision, k) not in self.enclosed:
            whole = self.case.reference.enclosure(one.data, contract)
            self.enclosed[precision, k] = replace(one, enclosure=whole)
        one = self.enclosed[precision, k]
        found = finding(name, case, one, 0.0)
        if found is None or found.kind != "undecided" or precision != EXACTLY or one.truth():
            return found
        truth = cache(lambda: self.case.reference.truth(one.data))
        self.enclosed[precision, k] = replace(one, truth=truth)
        return finding(name, case, self.enclosed[precision, k], 0.0)

    def _answered(self) -> list[Answer]:
        try:
            answers = [self.case.ask(one.data, dtype=EXACTLY) for one in self.heard]
        except BoxFailed:
            return []
        if any(map(self._is_rounded, self.heard, answers)):
            return []  # it computes in the dtype whatever it is given
        return answers

    def _is_rounded(self, heard: Heard, answer: Answer) -> bool:
        """Whether an answer in float64 has tensors of 16 bits that are not so exactly, as those
        are that only pick from the data."""
        dtype = self.case.dtype
        for name, one in returned(self.case, answer).items():
            if _is_coarse(one, dtype):
                exact = heard.enclosure.get(name)
                if exact is None or not _fits(np.asarray(exact[0]), dtype):
                    return True
        return False


def _finer(enclosure: Value | None, rough: Contract, fine: Contract) -> Value | None:
    """What a correct function may be off by in a finer dtype, at most; `None` if that is not known.

    All errors of balls grow at least as fast as the roundings that they come from: if these are a
    share of what they were, so is the error, or less.
    """
    if enclosure is None or rough.u_accumulate != rough.u_store or fine.low_sums != rough.low_sums:
        return None
    same = ("rounding", "softmax_of_logsumexp", "flush_to_zero")
    if any(getattr(rough, name) != getattr(fine, name) for name in same):
        return None
    names = {*rough.elementary, *fine.elementary}
    more = max(1.0, *(fine.units(name) / rough.units(name) for name in names))
    m, r, e = enclosure
    if not np.isfinite(e.max(initial=0.0)):
        return None  # the finer dtype may have a bound there
    return m, r, e * (more * float(fine.u_store / rough.u_store))


def _is_coarse(one: Returned, dtype: str) -> bool:
    """Whether float64 inputs gave numbers of 16 bits throughout, which are not all equal."""
    if one.array is None or dtype in FINE or len(np.unique(one.array)) < 3:
        return False
    return _fits(one.array, dtype)


def _fits(array: np.ndarray, dtype: str) -> bool:
    """Whether all numbers are numbers of a dtype."""
    with np.errstate(all="ignore"):
        return bool(np.array_equal(in_dtype(array, dtype), array))


def with_exact(row: CheckRow, case: Case, exactly: Exactly) -> CheckRow:
    """The row with what the same function gives in float64: where it does not agree, or has few
    digits in common, and always in 16 bits, whose rounding errors hide more than float64's."""
    f = row.finding
    few = case.dtype == "float32" and f.digits < DIGITS
    if isinstance(case.reference, Unbounded) or (
        f.kind == "agrees" and case.dtype in FINE and not few
    ):
        return row
    if f.kind == "refuted" and case.dtype in FINE and exactly.is_rounding(row.name):
        return replace(row, finding=replace(f, kind="agrees", because=""), why=(ROUNDING,))
    if case.dtype == EXACTLY:
        if f.kind == "refuted" and _all_agree(exactly.findings(row.name, "float32")):
            said = told("It agrees in float32's precision: something in it is computed in float32.")
            return replace(row, why=(said,))
        return row
    fine, whole = exactly.findings(row.name, EXACTLY), True
    if fine and not _all_agree(fine):  # what casts to float32 inside stays float32
        wrong = merged(fine)
        fine, whole = exactly.findings(row.name, "float32"), False
        open_ = f.kind != "refuted" and merged(fine).kind != "refuted" and case.dtype == "float32"
        far = wrong.kind == "refuted" and wrong.digits < DIGITS
        if open_ and far and not exactly.repeats(row.name):
            if wrong.digits < WRONG and exactly.is_steady(row.name):
                return replace(row, exact=wrong, finding=_comes_back(wrong))
            return _as_far(row, wrong)
    if not fine:
        return replace(row, finding=alone(f, case.dtype))
    exact = merged(fine)
    row = replace(row, exact=exact)
    if f.kind == "agrees" and exact.kind != "refuted":
        return row
    if exact.kind == "agrees":
        if f.kind == "refuted" and f.share <= NEAR:
            because = told(
                "{because}, {share:.1f} times it at most, while the same function agrees in "
                "float64: its algorithm may only round more than the reference's equations",
                because=f.because,
                share=f.share,
            )
            return replace(row, finding=replace(f, kind="undecided", because=because))
        if not whole:
            said = told(
                "With float64 inputs the same function agrees to float32's precision and not to "
                "float64's: it computes in float32 inside, or is wrong by less than float32 shows."
            )
            return replace(row, why=(said,))
        said = told(
            "In float64 the same function agrees: the formula is right, the rounding is not."
        )
        if f.kind == "undecided":
            said = told("In float64 the same function agrees: the formula is right.")
        return replace(row, why=(said,))
    if exact.kind == "refuted" and f.kind == "refuted":
        said = told("In float64 it is refuted too: the formula is wrong, not the rounding.")
        return replace(row, why=(said,))
    if exact.kind == "refuted":
        because = told(
            "with float64 inputs {because}; {dtype} hides it",
            because=exact.because,
            dtype=case.dtype,
        )
        bound = _bound(case, exactly)
        if bound:
            because = told(
                "{because}, and what lies along an axis of {names} sums to 0 or 1, or has the "
                "length 1, only but for rounding to {dtype}: a function that uses it is as far off",
                because=because,
                names=", ".join(bound),
                dtype=case.dtype,
            )
            return replace(row, finding=replace(f, kind="undecided", because=because))
        return replace(row, finding=replace(exact, because=because))
    return row


def _bound(case: Case, exactly: Exactly) -> list[str]:
    """The inputs of 16 bits of which a right function may use what their rounding has broken."""
    if case.dtype in FINE:
        return []
    data = exactly.heard[0].data.inputs
    floats = (t.name for t in case.inputs if data[t.name].dtype.kind == "f")
    return [name for name in floats if is_bound_but_for_rounding(data[name])]


def _as_far(row: CheckRow, fine: Finding) -> CheckRow:
    """The row of a tensor that float32's bound may permit, and that float64 makes no better."""
    rough = row.finding
    because = rough.because or told(
        "it is within the bound of float32, which permits more than its rounding explains"
    )
    said = told(
        "With float64 inputs {digits:.1f} decimal digits are right, and {digits2:.1f} in float32: "
        "the formula is wrong, unless the function computes in float32 inside.",
        digits=fine.digits,
        digits2=rough.digits,
    )
    return replace(
        row, exact=fine, finding=replace(rough, kind="undecided", because=because), why=(said,)
    )


def _comes_back(fine: Finding) -> Finding:
    """The verdict on an error that float32's bound hides, and that is no rounding."""
    because = told(
        "with float64 inputs {because}, and by as much with all inputs moved by up to 64 units in "
        "the last place of float32: that is no rounding of float32, whose bound hides it",
        because=fine.because,
    )
    return replace(fine, because=because)


def _all_agree(findings: Sequence[Finding]) -> bool:
    return bool(findings) and all(one.kind == "agrees" for one in findings)
