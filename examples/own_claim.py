"""Claims of your own: two bounds on V = dT^T G dT, the slope of the alignment in eps. The second is false.

subtx-toy verify --claims examples/own_claim.py:true_bound --instances 50
subtx-toy verify --claims examples/own_claim.py:false_bound --instances 50
"""

from __future__ import annotations

import subtx_toy as st
from subtx_toy.claims.vocabulary.hypotheses import MOVING
from subtx_toy.testing import hunt


@st.claim(id="true-bound", hypotheses=[MOVING])
def true_bound(problem: st.Problem, evidence: st.Evidence) -> st.Inequality:
    """V is at most the product of the norms of dT and of G dT (Cauchy and Schwarz)."""
    return st.Inequality(evidence.V, float(evidence.G_dT.norm()) * evidence.dT_norm)


@st.claim(id="false-bound", hypotheses=[MOVING])
def false_bound(problem: st.Problem, evidence: st.Evidence) -> st.Inequality:
    """V is at most the squared norm of dT, as if no eigenvalue of G were above 1."""
    return st.Inequality(evidence.V, evidence.dT_norm**2)


if __name__ == "__main__":
    print(st.verify(claims=[true_bound, false_bound], instances=50))
    print(hunt(false_bound).counterexample)
