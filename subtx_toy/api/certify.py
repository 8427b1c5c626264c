"""Certificates: prove up to which step size of the teacher a claim holds, and prove it again from the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from subtx_toy.api.certificate import Certificate, Check
from subtx_toy.certify.certificate import to_bytes
from subtx_toy.certify.chain.description_file import SavedNetwork, is_network, read_network
from subtx_toy.certify.checker.check import OF_A_STEP
from subtx_toy.certify.checker.check import check as prove_again
from subtx_toy.certify.checker.document import read
from subtx_toy.certify.checker.limits import MAX_BYTES
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.checker.size import most_pieces
from subtx_toy.certify.description import Description, describe, unknown_quantity
from subtx_toy.certify.search import find_range, names, path_of
from subtx_toy.claims.instance import given
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.files.input_file import read_input
from subtx_toy.problem.named import NAMED
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.settings.certificate import MAX_BOXES, ProblemChoice, SearchSettings
from subtx_toy.settings.messages import nearest
from subtx_toy.settings.toml_file import read_toml
from subtx_toy.sweep.threads import one_thread

if TYPE_CHECKING:
    from subtx_toy.protocols.mnist_teacher import Segment

TEACHER = "mnist-teacher"
"""The problem that trains its teacher: the segment from the shared init to a network that was trained on MNIST."""

_SHARE = "per cent of the search"  # not of the cap: a proof can end far below it


def certify(
    problem: Problem | ProblemSpec | str | Path,
    quantity: str = "alignment",
    *,
    student_lr: float | None = None,
    eps_max: float | None = None,
    order: int | None = None,
    max_boxes: int = MAX_BOXES,
    seed: int | None = None,
    teacher: Params | None = None,
    report: Report = lambda _: None,
    progress: Progress = lambda *_: None,
) -> Certificate:
    """Prove a claim for every eps in (0, eps_certified], every rounding error included.

    Args:
        problem: a ``Problem`` of a perceptron or a Sequential, or a ``ProblemSpec``; or text: a packaged target
            (small-net, paper-net, paper-net-tanh, welch), a TOML file of a drawn problem or of a network in files, a
            factory as ``module:name`` or ``file.py:name``, or mnist-teacher.
        quantity: ``"alignment"``, the student's step has a positive inner product with the teacher's;
            ``"every-batch"``, so it has on every batch of the inputs; ``"trait-loss"``, the trait loss falls;
            ``"distance"``, the student comes closer to the teacher.
        student_lr: step size of the student, > 0, instead of the problem's own; for trait-loss and distance.
        eps_max: stop there, if that is before the cap 1000 / ||dT||.
        order: of Taylor's theorem, >= 2; networks with kinks have 1.
        max_boxes: attempts at most, >= 1.
        seed: of the teacher of mnist-teacher.
        teacher: parameters of a trained teacher, which stands at eps = 1, instead of the problem's update.
        report: receives messages about data and training.
        progress: receives task, done, total and unit.

    Raises:
        InputError: naming everything that is wrong with the settings, or that no certificate can speak of.

    >>> certify(ProblemSpec(input_dim=2, num_classes=2), eps_max=0.5).conclusion
    'Proved: the alignment is positive for every eps in (0, 0.5].'
    """
    chosen = {"student_lr": student_lr, "eps_max": eps_max, "order": order, "max_boxes": max_boxes, "seed": seed}
    settings = SearchSettings.parse(chosen)
    InputError.gather(unknown_quantity(quantity))
    problem = _meant(problem)
    with one_thread():
        described = _described(problem, quantity, settings, teacher=teacher, report=report, progress=progress)
        _refuse_large(described)
        progress("certifying", 0, 100, _SHARE)
        found = find_range(
            described,
            eps_max=settings.eps_max,
            order=order,
            max_boxes=max_boxes,
            progress=lambda share: progress("certifying", int(100 * share) or 1, 100, _SHARE),  # 0 announces it
        )
    return Certificate(problem=problem if isinstance(problem, str) else None, **vars(found))


def check(
    certificate: str | Path | Certificate,
    *,
    problem: Problem | ProblemSpec | str | Path | None = None,
    student_lr: float | None = None,
    seed: int | None = None,
    teacher: Params | None = None,
    report: Report = lambda _: None,
    progress: Progress = lambda *_: None,
) -> Check:
    """Prove a certificate again, by other code and other arithmetic than the search's.

    Only the file is trusted to say what the claim is; nothing in it is trusted to be true. It cannot tell whether the
    network in it is the one that you mean: say which one by ``problem``.

    Args:
        certificate: the path of its file, or one that ``certify`` returned.
        problem: that it has to be about, as for ``certify``.
        student_lr: of certificates of trait-loss and distance, instead of the problem's own.
        seed: as for ``certify``, and so are the other settings.
        teacher: parameters at eps = 1.
        report: receives messages.
        progress: receives task, done, total and unit.

    Raises:
        InputError: if there is no such file, or a setting is wrong. A certificate that proves nothing is no error: the
            verdict says why it is rejected.
    """
    choice = ProblemChoice.parse({"student_lr": student_lr, "seed": seed})
    if problem is None:
        stray = (name for name, value in choice if value is not None)
        InputError.gather(f"{name}: it belongs to a problem, and no problem is given" for name in stray)
    else:
        problem = _meant(problem)
        _check_seed(problem, seed)
        chosen = _built(problem)
    name = None if isinstance(certificate, Certificate) else str(certificate)
    try:
        if isinstance(certificate, Certificate):
            stored = read(to_bytes(certificate.content(), certificate.described.arrays))
        else:
            stored = read(_content(Path(certificate)))
        expected = None
        if problem is not None:
            written = stored.settings.get("student_lr")
            if stored.quantity not in OF_A_STEP and isinstance(written, float):
                choice = choice.model_copy(update={"student_lr": written})  # it has no part in the claim
            own = _described(chosen, stored.quantity, choice, teacher=teacher, report=report, progress=progress)
            if stored.quantity in OF_A_STEP and own.student_lr != written:
                raise Rejected(f"it is about student_lr = {written!r}, where the problem has {own.student_lr!r}")
            expected = own.digests() | {"settings": json.dumps(own.settings(), sort_keys=True)}
        found = prove_again(
            stored, expected=expected, progress=lambda done, total: progress("checking", done, total, "boxes")
        )
    except Rejected as verdict:
        return Check(name, None, str(verdict))
    return Check(name, found)


def _refuse_large(described: Description) -> None:
    # Nothing is certified that its check would reject for its size.
    try:
        most_pieces(described.settings(), described.arrays, described.quantity)
    except Rejected as limit:
        raise InputError(f"model: {limit}: `check` would reject a certificate of it") from None


def _content(path: Path) -> bytes:
    try:
        return read_input(path, limit=MAX_BYTES)
    except OSError as error:
        raise InputError(f"certificate: cannot read {str(path)!r}: {error.strerror}") from None


def _described(
    problem: Problem | SavedNetwork | str,
    quantity: str,
    choice: ProblemChoice,
    *,
    teacher: Params | None,
    report: Report,
    progress: Progress,
) -> Description:
    _check_seed(problem, choice.seed)
    built = _built(problem)
    if isinstance(built, str):
        segment = _trained(choice.seed or 0, report=report, progress=progress)
        built = SavedNetwork(segment.problem, segment.teacher)
    if isinstance(built, SavedNetwork):
        teacher = built.teacher if teacher is None else teacher
        built = built.problem
    return describe(built, quantity, student_lr=choice.student_lr, teacher=teacher)


def _meant(problem: object) -> Problem | str:
    if isinstance(problem, ProblemSpec):
        return problem.build()
    if isinstance(problem, Path):
        return str(problem)
    if not isinstance(problem, Problem | str):
        raise InputError(f"problem: expected a Problem, a TOML file or a factory of one, got {type(problem).__name__}")
    return problem


def _check_seed(problem: Problem | SavedNetwork | str, seed: int | None) -> None:
    if seed is not None and problem != TEACHER:
        got = repr(problem) if isinstance(problem, str) else "a Problem"
        raise InputError(f"seed: only the problem {TEACHER!r} takes one, got {seed} with {got}")


def _built(problem: Problem | SavedNetwork | str) -> Problem | SavedNetwork | str:
    """Return the problem that a name, a file or a factory stands for; mnist-teacher, to be trained, stays a name."""
    if not isinstance(problem, str) or problem == TEACHER:
        return problem
    if not problem.endswith(".toml") and ":" not in problem and problem not in (*names(), *NAMED):
        known = [*names(), *NAMED, TEACHER]
        expected = f"{', '.join(known)}, a TOML file or a factory as module:name or file.py:name"
        raise InputError(f"problem: expected {expected}, got {problem!r}{nearest(problem, known)}")
    if problem.endswith(".toml") and is_network(values := read_toml(Path(problem), what="problem")):
        return read_network(values, Path(problem).parent)
    return given(path_of(problem)).build()


def _trained(seed: int, *, report: Report, progress: Progress) -> Segment:
    from subtx_toy.data import load
    from subtx_toy.protocols.mnist_teacher import train_segment
    from subtx_toy.settings.distillation import RunConfig

    config = RunConfig()
    data = load(config.dataset, report=report, progress=progress)
    report("training a teacher")
    segment = train_segment(config, data, seed=seed)
    report(f"test accuracy of the teacher: {segment.result.accuracy['teacher']:.4f}")
    return segment
