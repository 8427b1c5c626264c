from __future__ import annotations

import copy
import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subtx_toy.certify.certificate import ProvedRange, to_bytes
from subtx_toy.certify.checker.check import check
from subtx_toy.certify.checker.document import read
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.description import QUANTITIES, describe
from subtx_toy.certify.search import find_range
from subtx_toy.errors import InputError
from subtx_toy.files.content_key import seal
from subtx_toy.problem.spec import ProblemSpec

TINY = ProblemSpec(
    hidden=(4,), input_dim=3, num_classes=2, num_aux=2, num_inputs=4, num_trait_inputs=3, init="pytorch",
    trait="cross_entropy", loss="kl", distilled_logits="aux", student_lr=0.5, seed=6,
)  # fmt: skip

Tamper = Callable[[dict[str, Any], dict[str, np.ndarray]], None]


def proved(quantity: str, **changes: Any) -> ProvedRange:
    spec = ProblemSpec(**{**vars(TINY), **changes})
    return find_range(describe(spec.build(), quantity), max_boxes=80)


@pytest.fixture(scope="module")
def certificate() -> ProvedRange:
    """Every input's alignment of the tiny net, whose sign changes below the cap."""
    found = proved("every-batch")
    assert len(found.boxes) > 3
    assert found.negative is not None
    return found


def rehashed(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Bring every hash, the fingerprint and the seal into line, as a careful forger would."""
    problem = document["problem"]
    problem["arrays"] = {
        name: hashlib.sha256(
            repr(tuple(value.shape)).encode() + np.ascontiguousarray(value, "<f8").tobytes()
        ).hexdigest()
        for name, value in arrays.items()
    }
    text = json.dumps({"settings": problem["settings"], "arrays": problem["arrays"]}, sort_keys=True)
    problem["fingerprint"] = document["results"]["fingerprint"] = hashlib.sha256(text.encode()).hexdigest()


def resealed(document: dict[str, Any]) -> dict[str, Any]:
    content = {name: value for name, value in document.items() if name != "seal"}
    return content | {"seal": seal(content)}


def tampered(certificate: ProvedRange, path: Path, tamper: Tamper) -> Path:
    document = copy.deepcopy(json.loads(json.dumps(certificate.content())))
    arrays = {name: value.copy() for name, value in certificate.described.arrays.items()}
    tamper(document, arrays)
    path.write_bytes(to_bytes(resealed(document), arrays))
    return path


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_certificate_is_re_proved_from_its_file(quantity: str, activation: str, tmp_path: Path) -> None:
    found = proved(quantity, activation=activation, student_lr=0.05)
    if not found.boxes:
        assert found.reason
        return
    found.save(tmp_path / "it.cert")
    checked = check(read(tmp_path / "it.cert"))
    assert checked.eps == found.eps_certified
    assert checked.quantity == quantity
    assert checked.bracketed == found.bracketed
    assert checked.fingerprint == found.described.fingerprint()
    assert checked.pieces >= checked.boxes == len(found.boxes)


@pytest.mark.parametrize("changes", [
    {"activation": "gelu"}, {"activation": "softplus", "temperature": 2.5},
    {"activation": "sigmoid", "hidden": (3, 3, 3)},
    {"loss": "squared_error", "hidden": (), "distilled_logits": "all"},
    {"distilled_logits": "all", "trait": "squared_error"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("quantity", ["alignment", pytest.param("trait-loss", marks=pytest.mark.slow)])
def test_every_activation_and_loss_is_re_proved(quantity: str, changes: dict[str, Any], tmp_path: Path) -> None:
    found = proved(quantity, **{"student_lr": 0.05, **changes})
    assert found.boxes, found.reason
    found.save(tmp_path / "it.cert")
    assert check(read(tmp_path / "it.cert")).eps == found.eps_certified


def _middle(document: dict[str, Any]) -> list[float]:
    boxes: list[list[float]] = document["boxes"]
    return boxes[len(boxes) // 2]


def _claim(document: dict[str, Any], **values: Any) -> None:
    document["claim"].update(values)
    document["results"].update({name: value for name, value in values.items() if name in document["results"]})


def _gap(document: dict[str, Any], _: Any) -> None:
    _middle(document)[0] *= 1 + 1e-9


def _overlap(document: dict[str, Any], _: Any) -> None:
    _middle(document)[0] *= 1 - 1e-9


def _missing_box(document: dict[str, Any], _: Any) -> None:
    del document["boxes"][len(document["boxes"]) // 2]
    document["results"]["boxes"] -= 1


def _late_start(document: dict[str, Any], _: Any) -> None:
    document["boxes"][0][0] = 1e-300


def _no_boxes(document: dict[str, Any], _: Any) -> None:
    document["boxes"] = []


def _reversed(document: dict[str, Any], _: Any) -> None:
    box = _middle(document)
    box[0], box[1] = box[1], box[0]


def _inflated_eps(document: dict[str, Any], _: Any) -> None:
    _claim(document, eps_certified=document["claim"]["eps_certified"] * 2)


def _widened_last_box(document: dict[str, Any], _: Any) -> None:
    document["boxes"][-1][1] *= 1.5
    document["negative"], document["results"]["bracketed"] = None, False
    document["results"]["eps_observed"] = None
    _claim(document, eps_certified=document["boxes"][-1][1])


def _hair_beyond_the_zero(document: dict[str, Any], _: Any) -> None:
    at = document["negative"][0]
    document["negative"], document["results"]["bracketed"] = None, False
    document["boxes"][-1][1] = at
    document["results"]["eps_observed"] = None
    _claim(document, eps_certified=at)


def _inflated_bound(document: dict[str, Any], _: Any) -> None:
    _middle(document)[2] *= 10


def _negative_bound(document: dict[str, Any], _: Any) -> None:
    _middle(document)[2] *= -1


def _nan_bound(document: dict[str, Any], _: Any) -> None:
    _middle(document)[2] = float("nan")


def _text_for_a_number(document: dict[str, Any], _: Any) -> None:
    _middle(document)[1] = str(_middle(document)[1])  # type: ignore[call-overload]


def _beyond_the_cap(document: dict[str, Any], _: Any) -> None:
    _claim(document, cap=document["claim"]["eps_certified"] / 2)


def _inflated_cap(document: dict[str, Any], _: Any) -> None:
    _claim(document, cap=document["claim"]["cap"] * 3)


def _negative_inside(document: dict[str, Any], _: Any) -> None:
    document["negative"][0] = document["claim"]["eps_certified"] / 2


def _negative_where_positive(document: dict[str, Any], _: Any) -> None:
    document["boxes"], document["results"]["boxes"] = document["boxes"][:1], 1
    document["negative"][0] = document["boxes"][0][1] * 1.0001
    _claim(document, eps_certified=document["boxes"][0][1])
    document["results"]["eps_one_box"] = document["results"]["eps_closed"] = None


def _negative_too_low(document: dict[str, Any], _: Any) -> None:
    document["negative"][1] *= 1e6


def _negative_without_sign(document: dict[str, Any], _: Any) -> None:
    document["negative"][1] = 0.0


def _boasting_summary(document: dict[str, Any], _: Any) -> None:
    document["results"]["eps_certified"] *= 2


def _wrong_count(document: dict[str, Any], _: Any) -> None:
    document["results"]["boxes"] += 1


def _boasting_closed_form(document: dict[str, Any], _: Any) -> None:
    document["results"]["eps_closed"] = document["claim"]["eps_certified"] * 2


def _observed_inside(document: dict[str, Any], _: Any) -> None:
    document["results"]["eps_observed"] = document["claim"]["eps_certified"] / 2


def _changed_weight(_: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["layers.0.weight"][0, 0] += 1e-12


def _nan_weight(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["layers.0.weight"][0, 0] = np.nan
    rehashed(document, arrays)


def _missing_array(_: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    del arrays["direction.layers.1.bias"]


def _unnamed_array(_: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["more"] = np.zeros(1)


def _foreign_array(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["direction.layers.7.weight"] = np.zeros((2, 2))
    rehashed(document, arrays)


def _misshapen(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["direction.layers.0.bias"] = np.zeros(9)
    rehashed(document, arrays)


def _narrow_inputs(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    arrays["inputs"] = arrays["inputs"][:, :2]
    rehashed(document, arrays)


def _settings(name: str, value: Any) -> Tamper:
    def change(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        document["problem"]["settings"][name] = value
        rehashed(document, arrays)

    return change


def _old_fingerprint(document: dict[str, Any], _: Any) -> None:
    document["problem"]["settings"]["temperature"] = 2.0


def _other_quantity(document: dict[str, Any], _: Any) -> None:
    document["claim"]["quantity"] = document["results"]["quantity"] = "everything"


def _other_version(document: dict[str, Any], _: Any) -> None:
    document["version"] = 3


def _other_format(document: dict[str, Any], _: Any) -> None:
    document["format"] = "a letter"


def _no_claim(document: dict[str, Any], _: Any) -> None:
    del document["claim"]


def _huge_cap(document: dict[str, Any], _: Any) -> None:
    document["claim"]["cap"] = 10**400  # no float is as large


def _length_in_the_second_part(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    for name in [one for one in arrays if one.startswith("direction.")]:
        arrays[name.replace("direction.", "direction_low.")] = arrays[name].copy()
        arrays[name] *= 1e-9
    _claim(document, cap=document["claim"]["cap"] * 1e3)
    rehashed(document, arrays)


def _no_direction(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    for name in [one for one in arrays if one.startswith("direction.")]:
        arrays[name] *= 0
    rehashed(document, arrays)


def _negative_far_away(document: dict[str, Any], _: Any) -> None:
    document["negative"][0] *= 1.01


def _last_box_of_one_ulp(document: dict[str, Any], _: Any) -> None:
    at = document["negative"][0]
    before = float(np.nextafter(at, 0))
    document["negative"], document["results"]["bracketed"] = None, False
    document["boxes"][-1][1] = before
    document["boxes"].append([before, at, 5e-324])
    document["results"]["boxes"] += 1
    document["results"]["eps_observed"] = None
    _claim(document, eps_certified=at)


def _unknown_part(document: dict[str, Any], _: Any) -> None:
    document["claim"]["eps_wanted"] = 1.0


CORPUS: dict[str, tuple[Tamper, str]] = {
    "gap": (_gap, "there is a gap between"),
    "overlap": (_overlap, "begins at .* before box"),
    "missing box": (_missing_box, "there is a gap between"),
    "late start": (_late_start, "the first box begins at 1e-300, not at 0"),
    "no boxes": (_no_boxes, "there are no boxes"),
    "reversed box": (_reversed, "not after its beginning"),
    "inflated eps": (_inflated_eps, "but the boxes end at"),
    "widened last box": (
        _widened_last_box,
        "claims a positive rate, but at eps = .* it is negative|claims a rate of at",
    ),
    "a hair beyond the zero": (_hair_beyond_the_zero, "claims a rate of at least|could not be proved|it is negative"),
    "inflated bound": (_inflated_bound, "claims a rate of at least .* but at eps = .* it is smaller"),
    "negative bound": (_negative_bound, "which proves no sign"),
    "nan bound": (_nan_bound, "holds NaN, which is no number"),
    "text for a number": (_text_for_a_number, "not a finite number"),
    "beyond the cap": (_beyond_the_cap, "beyond the cap"),
    "inflated cap": (_inflated_cap, r"is beyond 1000 / \|\|dT\|\|"),
    "negative inside": (_negative_inside, "where the boxes claim a positive one"),
    "negative where positive": (_negative_where_positive, "is not proved negative"),
    "negative too low": (_negative_too_low, "is claimed to be at most"),
    "negative without sign": (_negative_without_sign, "is bounded by 0.0, which proves no sign"),
    "boasting summary": (_boasting_summary, "results.eps_certified is"),
    "wrong count": (_wrong_count, "results.boxes is"),
    "boasting closed form": (_boasting_closed_form, "results.eps_closed is .* beyond eps_certified"),
    "observed inside": (_observed_inside, "results.eps_observed is .* inside what is claimed"),
    "changed weight": (_changed_weight, "the hash of the array 'layers.0.weight' does not fit"),
    "nan weight": (_nan_weight, "holds a number that is not finite"),
    "missing array": (_missing_array, "the array 'direction.layers.1.bias' is missing"),
    "unnamed array": (_unnamed_array, "holds 'more.npy', which the certificate does not name"),
    "foreign array": (_foreign_array, "'direction.layers.7.weight' belongs to no part of the problem"),
    "misshapen": (_misshapen, r"direction.layers.0.bias is not of shape \(4,\)"),
    "narrow inputs": (_narrow_inputs, r"inputs are not of shape \[n, 3\]"),
    "unknown activation": (_settings("activation", "sine"), "the activation 'sine' is not known"),
    "unknown loss": (_settings("loss", "hinge"), "the loss 'hinge' is not known"),
    "no temperature": (_settings("temperature", 0.0), "temperature is 0.0, not a finite number above 0"),
    "huge cap": (_huge_cap, "holds a number of 401 characters"),
    "text for the step": (_settings("student_lr", "1"), "student_lr is '1', not a finite number above 0"),
    "no step": (_settings("student_lr", -1.0), "student_lr is -1.0, not a finite number above 0"),
    "unknown columns": (_settings("columns", [2, 9]), "columns are not numbers of outputs"),
    "column twice": (_settings("columns", [2, 2]), "columns name an output twice"),
    "no columns": (_settings("columns", []), "no output is distilled"),
    "old fingerprint": (_old_fingerprint, "the fingerprint is that of another problem"),
    "other quantity": (_other_quantity, "the quantity 'everything' is not known"),
    "other version": (_other_version, "version 3 of the format is not known, only 1 and 2"),
    "other format": (_other_format, "is not that of a certificate"),
    "length in the second part": (_length_in_the_second_part, r"is beyond 1000 / \|\|dT\|\|, where"),
    "no direction": (_no_direction, "the direction is zero"),
    "negative far away": (_negative_far_away, "which is not just beyond"),
    "last box of one ulp": (_last_box_of_one_ulp, "but at eps = .* it is (negative|smaller)|could not be proved"),
    "unknown part": (_unknown_part, "claim holds 'eps_wanted', which no certificate has"),
    "unknown setting": (_settings("momentum", 0.9), "settings holds 'momentum', which no certificate has"),
    "no claim": (_no_claim, "claim is missing"),
}


@pytest.mark.parametrize("kind", CORPUS)
def test_tampering_is_rejected_with_a_message_of_its_own(kind: str, certificate: ProvedRange, tmp_path: Path) -> None:
    tamper, message = CORPUS[kind]
    path = tampered(certificate, tmp_path / "it.cert", tamper)
    with pytest.raises(Rejected, match=message):
        check(read(path))


def test_an_untouched_copy_of_the_same_file_passes(certificate: ProvedRange, tmp_path: Path) -> None:
    checked = check(read(tampered(certificate, tmp_path / "it.cert", lambda _document, _arrays: None)))
    assert checked.bracketed
    assert checked.eps == certificate.eps_certified


def test_boxes_of_another_problem_are_rejected(certificate: ProvedRange, tmp_path: Path) -> None:
    other = proved("every-batch", seed=7)

    def exchange(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        arrays.update({name: value.copy() for name, value in other.described.arrays.items()})
        document["claim"]["cap"] = document["results"]["cap"] = min(certificate.cap, other.cap)
        rehashed(document, arrays)

    with pytest.raises(Rejected, match=r"box|change of sign"):
        check(read(tampered(certificate, tmp_path / "it.cert", exchange)))


def test_a_changed_weight_with_every_hash_in_line_stands_or_falls_by_its_own_proof(tmp_path: Path) -> None:
    found = proved("alignment", seed=3)
    assert found.negative is None

    def nudge(by: float) -> Tamper:
        def change(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
            arrays["layers.0.weight"][0, 0] += by
            document["boxes"] = [[lo, hi, lower * 0.9] for lo, hi, lower in document["boxes"]]
            rehashed(document, arrays)

        return change

    checked = check(read(tampered(found, tmp_path / "near.cert", nudge(1e-9))))
    assert checked.eps == found.eps_certified
    assert checked.fingerprint != found.described.fingerprint()


def test_the_seal_tells_of_an_accident(certificate: ProvedRange, tmp_path: Path) -> None:
    document = json.loads(json.dumps(certificate.content()))
    document["boxes"][0][2] /= 2
    (tmp_path / "it.cert").write_bytes(to_bytes(document, certificate.described.arrays))
    with pytest.raises(Rejected, match="the seal does not fit"):
        check(read(tmp_path / "it.cert"))


@pytest.mark.parametrize(
    ("content", "message"), [(b"no archive", "not a readable archive"), (b"", "not a readable archive")]
)
def test_what_is_no_archive_is_rejected(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "it.cert").write_bytes(content)
    with pytest.raises(Rejected, match=message):
        check(read(tmp_path / "it.cert"))


def test_damaged_archives_and_pickles_are_rejected(certificate: ProvedRange, tmp_path: Path) -> None:
    path = tmp_path / "it.cert"
    certificate.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Rejected, match="not a readable archive"):
        check(read(path))
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 255
    path.write_bytes(bytes(middle))
    with pytest.raises(Rejected):
        check(read(path))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    poisoned = io.BytesIO()
    np.save(poisoned, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for bad in (poisoned.getvalue(), pickle.dumps([1.0]), b"\x93NUMPY"):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (entries | {"inputs.npy": bad}).items():
                archive.writestr(name, content)
        with pytest.raises(Rejected, match=r"the array 'inputs' (cannot be read|is not of float64)"):
            check(read(path))
    for text, message in (
        (b"{", "breaks off or is not JSON from character 2 on$"),
        (b"[1]", "is not that of a certificate"),
        (b"", "certificate.json is empty$"),
        ("{}".encode("utf-16"), "certificate.json is not UTF-8: it has another byte at 0$"),
        ("\ufeff[1]".encode(), "certificate.json begins with a byte order mark"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("certificate.json", text)
        with pytest.raises(Rejected, match=message):
            check(read(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inputs.npy", entries["inputs.npy"])
    with pytest.raises(Rejected, match=r"no certificate.json"):
        check(read(path))


def test_another_problem_than_the_users_is_rejected_by_name(certificate: ProvedRange, tmp_path: Path) -> None:
    certificate.save(tmp_path / "it.cert")
    own = certificate.described
    settings = json.dumps(own.settings(), sort_keys=True)
    expected = own.digests() | {"settings": settings}
    assert check(read(tmp_path / "it.cert"), expected=expected).eps == certificate.eps_certified
    with pytest.raises(Rejected, match="another problem: the array 'inputs' differs"):
        check(read(tmp_path / "it.cert"), expected=expected | {"inputs": "0"})
    with pytest.raises(Rejected, match="another problem: the settings differ"):
        check(read(tmp_path / "it.cert"), expected=expected | {"settings": "{}"})


def test_no_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="certificate: cannot read"):
        check(read(tmp_path / "none.cert"))


def test_writing_is_whole_or_not_at_all(certificate: ProvedRange, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="out: cannot write"):
        certificate.save(tmp_path / "no folder" / "it.cert")
    certificate.save(tmp_path / "a.cert")
    certificate.save(tmp_path / "b.cert")
    assert (tmp_path / "a.cert").read_bytes() == (tmp_path / "b.cert").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.cert", "b.cert"]


def test_messages_of_the_corpus_are_told_apart() -> None:
    assert len(CORPUS) >= 20
    assert len({message for _, message in CORPUS.values()}) >= len(CORPUS) - 1  # a missing box is a gap
