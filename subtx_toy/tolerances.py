"""Every tolerance of the package and of its tests, each with its reason."""

from __future__ import annotations

FAMILY_WISE_LEVEL = 0.05
"""Level of a family of comparisons with published numbers, after Holm: over six arms the first one needs 2.6
combined standard errors. The usual level, fixed before any run."""

MIN_SEEDS = 5
"""Fewer seeds get no verdict against a published number: below, Student's t needs 2.8 and more standard errors for what
a large sample tells with 2, and nearly everything would agree."""

EQUIVALENCE_MARGIN = 0.03
"""Accuracies, or cosines, that differ by less are called equivalent: a fifteenth of what the shared initialisation
makes (.53 against .10), fixed before any equivalence was tested."""

SHARE_COVERAGE_MARGIN = 0.04
"""What a simulated coverage of 95 % intervals may lack: 300 simulations have a standard error of .013, and three of
them are allowed."""

FP64_STATISTIC = 1e-9
"""Relative, a statistic of float64 numbers against scipy's: two dozen roundings and a quantile found by root search."""

FP64_FORMULA = 1e-12
"""Two float64 evaluations of one formula, or of one gradient, in another order of summation: sums of up to about
a thousand terms of size 1 differ by 1e-13 at most, errors of a formula by far more."""

GRADIENT_ROUNDING = 4096.0
"""Units of rounding, of the largest entry, by which one gradient differs from itself in another order of summation: in
float64 that is 9e-13, near FP64_FORMULA, and for the same reason. Another direction differs by far more."""

SLOPE_OF_LAZINESS = 0.5
"""By how much a factor of ten between distances may be off: the model of output scale a lies within O(1/a) of the
linearised one, and the next order is 1/a^2, one per cent at a = 100."""

SMALL_EPS_COSINE = 1e-4
"""Two cosines of one student, at eps = 1e-6 and in the limit: they differ by O(eps), a hundred times less."""

FRACTION_OF_A_SMALL_TEACHER = 1e-3
"""Between a student's fraction after some steps and that of the linearised model at eps = 1e-5: the difference is
O(eps), with a constant of up to 20 where momentum is near its threshold."""

FP64_STEP = 1e-10
"""Float64 parameters after up to some tens of optimiser steps on two routes: Adam divides by the root of a second
moment, which magnifies the difference of 1e-15 a step where gradients are small."""

FINITE_DIFFERENCE_STEP = 1e-5
"""Step of central differences in float64: about the cube root of the rounding error, where the two errors meet."""

FINITE_DIFFERENCE = 1e-8
"""Central differences of functions with third derivatives of size 1 or less: truncation 2e-11, rounding 1e-11."""

Z_BOUND = 5.0
"""Standard errors within which a sample statistic at a fixed sample size must lie: two-sided p = 6e-7, so even a
thousand of them together fail by chance once in 1700 choices of the seed."""

FP32_ROUNDING = 5e-7
"""One or two roundings in float32 of numbers up to 2 (spacing 2.4e-7)."""

ALIGNMENT_FLOOR_UNITS = 64
"""Units of roundoff, times the sizes that theory.alignment adds up, by which rounding may move an alignment. Worst of
7,560 alignments at eps near 0, where the truth is eps V (widths 16, 2 to 5 layers, init scales .1 to 3): 3.8 units,
leaving out a user's own loss on softmaxes so saturated that its value is rounding."""

REMAINDER_FLOOR = 1e-12
"""A remainder of a student update below this part of the largest update of its ladder is rounding."""

MIN_RUNGS = 4
"""Rungs of a ladder of step sizes, fewer give no order."""

REMAINDER_ORDER = 1.85
"""Least fitted order of the remainder of a student update: 1.96 to 2.04 on a hundred tanh nets and 1.95 to 2.01 on
recurrent, attention, tied, residual and convolutional nets; a factor of 1.01 in the prediction drops it to between .97
and 1.58, the highest for attention."""

CONTROL_ORDER = 0.05
"""Largest fitted order in size of an update that does not depend on eps to leading order."""

FINITE_DIFFERENCE_GGN = 1e-6
"""Relative, a product with G against one built from central differences of outputs: J is right to 1e-9."""

COMPLEX_STEP_GGN = 1e-10
"""Relative, a product with G against one built from complex steps, which have no truncation and no cancellation."""

EXACT_ALIGNMENT = 1e-9
"""Relative, the alignment by the exact identity against the inner product of the two updates, at eps = 1e-2 on
generic problems: both differ by roundings of the outputs, which eps magnifies by a hundred, or by ten thousand where
the gradient of the loss is a difference of probabilities."""

HESSIAN_TERMS_UNITS = 8
"""Units of roundoff by which an entry of the Hessian of a softmax may be off, however small it is: p_i - p_i p_j is a
difference of numbers up to 1, each of them right to a few units."""

FP32_SGD_RUN = 3e-5
"""Parameters after a whole small float32 run by SGD on two routes: norm of the difference over the distance travelled.
Measured 3e-6 to 5.5e-6 over 12 runs of 20 steps (relu and tanh, six seeds): rounding of parameters of size .1, and no
step magnifies it."""

BF16_STEP = 2.0**-6
"""Logits and gradients of one bfloat16 pass on two routes, relative in norm: each product and hidden layer is rounded
to 8 bits, and sums in another order round an entry to its other neighbour now and then, 2^-8 of it, in every layer
above."""

FP32_ADAM_SMOOTH_RUN = 5e-3
"""The same by Adam with a smooth activation: where a gradient is near Adam's eps = 1e-8, as small as its own rounding,
its sign is chance and one entry moves by lr either way. Measured at most 7.7e-4 over 36 runs of 20 steps."""

FP32_ADAM_KINKED_RUN = 0.1
"""The same with relu: besides, a pre-activation within rounding of the kink opens or closes a unit. Measured at most
2.9e-2 over 36 runs of 20 steps, 4e-4 in the median; tight bounds on the same code are those in float64."""

REMAINDER_GROWTH = 4.0
"""Factor by which remainder / eps^q may be larger on the lower half of a ladder than its largest value on the upper
half. A remainder c eps^q + d eps^(q+1) keeps it below 1.2 whatever c and d; one of order q - 1 multiplies it by 64."""

COSINE_LEAST_NORM = 1e-6
"""Of the largest output of a problem: below, an input's outputs give cosine distance derivatives that grow with powers
of a million, so that its second order begins below the ladder. Dead gelu units leave outputs of 1e-10."""

USER_BOUND_ROUNDING = 1e-9
"""Relative: sides of a user's bound that are this close are undecided in float64; small models give sums of fewer than
1e5 terms, whose rounding is 1e-11 at most."""

LIMIT_ROUNDING = 1e-9
"""Relative, two bounds on the same cosine by eigenvalues of a dense matrix of up to a thousand rows."""

TERMS_ROUNDING = 64
"""Units of roundoff, times the sizes added up, by which rounding may move a loss or a distance: as for alignments."""

CURVATURE_SEEN = 1e3
"""Roundings of the alignment that eps V has to exceed at the top of a ladder for claims on limits as eps -> 0 to apply:
below, cosine and window are quotients of rounding, and the odds of a sign are not those of V."""

VISIBLE = 4e4
"""Roundings s that a predicted effect has to exceed at the top of a ladder, or the claim on it is undecided: below, an
error of one part in a hundred would not show. A part f of the effect that is not there stands beside rounding of
1/s of the effect at the top on every rung. In that unit the upper rungs allow REMAINDER_GROWTH 256 (f / 16 + 1/s) over
eps^2, and the last rung but one, the first that can exceed it, has 256 f - 65536/s: it does from f s > 347 on."""

BATCHED_ROUTE = 1e-13
"""Relative, curvature and norms of stacked problems against those of one problem: sums of up to some hundred terms in
another order. An update is a difference of outputs of size 1, so its own rounding is 1 / eps times larger."""

VERIFY_ROUTES = 1e-3
"""Margins and ratios that `verify` prints, between its passes by autograd and those written out by hand: 1e-8 at most
over twenty problems, but for a margin of C7b, a remainder that is mostly rounding, which differed by 6e-5."""

NUM_ROUNDINGS = 8
"""Evaluations in Monte Carlo arithmetic whose largest change is the size of a rounding: three decimal digits of it do
not matter, and the chance that all eight miss half of a normal spread is below 5e-4."""

ROUNDING_SAFETY = 4.0
"""Factor on that change: Monte Carlo arithmetic takes roundings as independent, and those of one run are not. Both
sides of the exact identity over LayerNorm of inputs around 1e4 to 1e12 differed by less than a hundredth of it."""

CLEARLY = 16.0
"""Times that floor, from two evaluations only: a check violated by more is violated without the other six."""

DERIVATIVE_AGREES = 1e-6
"""Relative, autograd's derivative of a model against finite differences of its outputs, their own error left out."""

DERIVATIVE_DIFFERS = 1e-3
"""Relative: above, beyond a hundred times the error of the differences, autograd's derivative is another function's. A
detached or straight-through branch is a whole term of it. Forward and reverse mode through a LayerNorm of inputs around
1e12 differ by 1e-6."""

KINK_PERSISTS = 0.5
"""Of a jump between two one-sided derivatives, what is left of it at a quarter of the step: all of it at a kink, a
sixteenth where the derivative is continuous."""

ROWS_AGREE = 1e-8
"""Relative: values of a loss on some rows alone, symmetry and least eigenvalue of its Hessian. Losses are sums of a few
dozen terms; those that divide by the number of inputs, or that have an indefinite Hessian, are off by far more."""

LOSS_REMAINDER = 0.11
"""Of what is left of a loss's gradient after its Hessian, the part at a quarter of the step: 1/16 if it is of second
order, 1/8 for |z - y|^2.5, 1/4 for a kink of the gradient."""

PREDICTED_ROUNDING = 4e-12
"""Relative: by how much a displacement through the eigenvectors of the kernel is off. At most 3e-12 over a hundred
drawn problems and 300 steps. A remainder below it is rounding of the prediction: a teacher that moved its last layer
leaves no remainder after one step."""

ROUTES_AGREE = 1e-8
"""Relative to the teacher's update: displacements of many steps by eigenvectors of the kernel, by Lanczos and by
products with G. At most 4e-12 over a hundred drawn problems and 300 steps, where Lanczos stops at 1e-11."""

FP32_SYMMETRY = 1e-4
"""Relative to the largest entry, how far a covariance that was summed in single precision may be from symmetric, and
how far below 0 its eigenvalues: a million products of size 1, each rounded by 6e-8."""

FP32_EVIDENCE = 2e-4
"""Relative, logarithms of wealth after hundreds of lines along a direction whose honest part is taken out by a
covariance that was summed in single precision; one line more or less is 2e-3 of them."""

FP32_LOG_RATIO = 2e-5
"""Logarithms of a ratio of two probabilities, by nets whose first layers were computed apart and joined: logits of size
10 or less, rounded some hundred times by 6e-8 of that."""

DIRECTIONAL_SLOPE = 1e-2
"""Relative, a central difference of a mean log-probability at 1e-2 along a unit direction against its float32
gradient: third derivatives leave some 1e-4 of the slope, and layers of a trained net a few times that."""

PACKAGED_MOVE = 2e-3
"""Share of a benign fine-tune's move, the packaged one against one trained again: kept in 16 bits, which is 3e-4 of
a value on average; and what the rounding of float32 training leaves."""

PACKAGED_COSINE = 1e-3
"""Of a file's Fisher cosine, whose directions are freed of the packaged fine-tunes' axes or of those trained again."""

PACKAGED_BOUND = 1e-2
"""Of a cosine's bound, by the packaged fine-tunes against those trained again, which write 3,000 numbers each: rounding
shifts their laws, a few numbers are others, and each of these moves a cosine."""

PLACE_OF_FIVE = 20.0
"""Percentage points, a file's place among five reference runs on a processor that rounds otherwise: neighbours may be
exchanged, and a place is a fifth of 100."""
