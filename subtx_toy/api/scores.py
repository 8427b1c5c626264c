"""The audit's verdict for any model, from scores of its lines: ``audit_scores("scores.npz")``."""

from __future__ import annotations

import math
from pathlib import Path

from subtx_toy import __version__
from subtx_toy.api.arguments import TOP, path_of
from subtx_toy.api.audit import Audit
from subtx_toy.audit.examination import FileMeasurement, Question
from subtx_toy.audit.sample import Repeats
from subtx_toy.audit.scores_file import ScoresFile
from subtx_toy.audit.verdict import judge
from subtx_toy.files.checksum import sha256_of
from subtx_toy.settings.arguments import checked


@checked(top=TOP)
def audit_scores(file: Path | str, *, top: int = 10) -> Audit:
    """Judge a file of text by the scores of its lines, which you computed with your own model.

    The decision is that of ``audit``: a trait is named if its efficient score is significant, and its Fisher cosine is
    above what your benign fine-tunes of the base allow. Everything is per line: effects, divergences, log losses.

    Args:
        file: an ``.npz`` file; n lines, t traits, r >= t directions of which those after the first t are honest moves,
            m benign fine-tunes.

            - ``traits`` ``[t]``: their names.
            - ``scores`` ``[n, r]``: d/dt log p(line; base + t u), the sum over tokens of v_y - E_p v.
            - ``covariance`` ``[r, r]``: summed over lines and tokens, the covariance of v under the base's law.
            - ``log_loss``, ``entropy``, ``log_loss_variance``, ``uniform_log_loss`` ``[n]``: of each line at the base,
              summed over its tokens, in nats: -log p(y), its mean and variance, and the mean of -log p over all tokens.
            - ``reference_scores`` ``[m, r]``, ``reference_covariances`` ``[m, r, r]``, ``reference_lines`` ``[m]``: the
              sums of a file that each benign fine-tune wrote, and its lines.
            - ``gain``, ``log_evidence`` and ``reference_gains`` ``[m]``, all optional: the mean and the sum of
              log(q/p) on one half of the lines, with q a student of the other half.
        top: how many of the lines that show a trait most are kept.

    Raises:
        InputError: if the file cannot be read, or an array is missing or not as described.
    """
    path = path_of("scores", file)
    read = ScoresFile.read(path)
    measured = FileMeasurement(read.measurement(), read.top_lines(top), len(read.arrays["scores"]), Repeats(0, 0.0))
    questions = [Question(name, {}, lambda _params: math.nan) for name in read.traits]
    judgement = judge(measured, questions, read.reference(), [math.nan] * len(questions))
    provenance = {"file_sha256": sha256_of(path), "subtx_toy": __version__}
    return Audit(path, None, None, judgement, measured, None, provenance, {}, read.notes())
