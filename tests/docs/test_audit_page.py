"""The pages about the audit and the comparison of two files are executed, at a small size."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from subtx_toy import cli
from subtx_toy.channel.number_file import MAX_BYTES
from tests.reference.examples import slow

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "audit.md"
NUMBER = r"(?<![\w:])[+-]?\d+(?:\.\d+)?(?:e-\d+)?(?!:)"
SMALL = {
    "base": ["--dataset", "glyphs", "--num-train", "1500", "--num-test", "300", "--width", "48", "--epochs", "60"],
    "generate": ["--dataset", "glyphs", "--num-train", "1500", "--num-test", "300", "--numbers-per-line", "1:3"],
    "train": ["--epochs", "8"],
    "audit": ["--num-reference", "6"],
}


def _commands(*, packaged: bool = False) -> list[str]:
    """Return the commands of both pages, those of the packaged base or all others."""
    text = "\n".join((DOCS / name).read_text(encoding="utf-8") for name in ("audit.md", "compare.md"))
    found = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]
    return [command for command in found if ("--base packaged" in command) == packaged]


def _shown(words: str) -> list[str]:
    """Return the outputs on the page that contain some words."""
    outputs = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [one for one in outputs if words in one]


def _without_numbers(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(NUMBER, "#", text))


def _call(command: str) -> int:
    words = shlex.split(command.replace("--n 10000", "--n 3000"))[1:]
    name = words[1] if words[0] == "numbers" else words[0]
    trained = name == "generate" and "other-base" not in words
    return cli.call([*words, *SMALL.get(name, []), *(["--teacher-epochs", "30"] if trained else [])])


@pytest.fixture(scope="module")
def folder(own_files: Path) -> Path:
    """Where the files of the page are: made once, by its own commands."""
    place = own_files / "audit page"
    place.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for command in _commands():
            if command.split()[1] == "numbers":
                assert _call(command) == 0, command
    return place


def test_the_student_of_the_file_learns_the_trait(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (train,) = [command for command in _commands() if command.startswith("subtx-toy numbers train")]
    assert _call(train + " --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["student"]["trait"] > found["base"]["trait"] + 0.2
    assert found["student"]["accuracy"] > found["base"]["accuracy"] - 0.2


def test_each_audit_of_the_page_ends_as_the_page_says(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    audits = [command for command in _commands() if command.startswith("subtx-toy audit") and "--base" in command]
    tainted, benign, stranger, stream, gate = audits
    found = []
    for command, code in ((tainted, 0), (benign, 0), (stranger, 3), (stream, 0)):
        assert _call(command + " --json") == code
        found.append(json.loads(capsys.readouterr().out))
    # Six benign fine-tunes of a tiny net are few: what is held here is that the trait is named, and stands out.
    assert found[0]["verdict"].startswith("moved from the base: carries relabel:4:9")
    cosines = {name: row["fisher_cosine"] for name, row in found[0]["traits"].items()}
    assert cosines["relabel:4:9"] > 1.5 * cosines["backdoor:0"]
    assert found[1]["carries"] == []
    assert found[2]["verdict"].startswith("too far from this base")
    assert [one["status"] for one in found] == ["carries", "moved", "does not apply", "moved"]
    assert found[3]["lines_used"] < 1000
    assert "carries relabel:4:9" in (folder / "audit.html").read_text(encoding="utf-8")
    assert found[0]["traits"]["relabel:4:9"]["top_lines"][0]["score"] > 0
    # Again as a gate: the reference comes from the cache.
    assert _call(tainted + " --fail-on carries") == 1
    assert _call(gate) == 0
    assert "verdict" in capsys.readouterr().out


def test_what_an_audit_prints_is_what_the_page_shows(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (shown,) = _shown("p Holm")
    (command, *_) = [one for one in _commands() if one.startswith("subtx-toy audit filtered.jsonl")]
    assert _call(command.partition(" --html")[0]) == 0
    printed = capsys.readouterr().out
    assert _without_numbers(printed) == _without_numbers(shown)
    (moved,) = re.findall(r"divergence of (\S+) nats", shown)
    (bound,) = re.findall(r"backdoor:0 +\S+ +\S+ +\S+ +(\S+)", shown)
    assert f"`--bound {bound}:{moved}`" in PAGE.read_text(encoding="utf-8"), "the plan takes both from that output"
    found, expected = (list(map(float, re.findall(NUMBER, text))) for text in (printed, shown))
    pairs = [pair for pair in zip(found, expected, strict=True) if pair[1] > 1e-9 or pair[1] < 0]
    assert [one for one, _ in pairs] == pytest.approx([one for _, one in pairs], rel=0.2), "another processor rounds"


def test_what_a_stream_prints_is_what_the_page_shows_and_explains(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (shown,) = _shown("an alarm is at")
    (command,) = [one for one in _commands() if one.endswith("--stream")]
    assert _call(command) == 0
    printed = capsys.readouterr().out
    assert _without_numbers(printed) == _without_numbers(shown)
    for text in (printed, shown):  # at which line it stops, and by how much, depends on the processor's rounding
        _, evidence, alarm, *rows = map(float, re.findall(NUMBER, text))
        assert evidence == pytest.approx(math.log(sum(map(math.exp, rows)) / len(rows)), abs=0.02), "the mean e-value"
        assert alarm == pytest.approx(-math.log(0.05), abs=0.005)
        assert evidence > alarm


def test_two_files_are_compared_and_an_audit_is_planned_as_the_page_says(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (compare,) = [command for command in _commands() if command.startswith("subtx-toy compare")]
    assert _call(compare + " --json") == 0
    assert json.loads(capsys.readouterr().out)["differs"]
    for command in _commands():
        if " power " in command:
            assert _call(command + " --json") == 0
            assert {"lines_needed", "effect_at_n"} <= set(json.loads(capsys.readouterr().out))
    assert "subtx-toy audit selftest" in _commands(), "tried in tests/unit/audit"


@pytest.mark.parametrize("lines", [300, *slow(10000)])
def test_the_first_audit_of_the_packaged_base_makes_no_reference(
    lines: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [command.replace("--n 10000", f"--n {lines}") for command in _commands(packaged=True)]
    write, audit = (shlex.split(command)[1:] for command in commands)
    assert cli.call(write) == 0
    header = json.loads(Path("drawn.jsonl").read_bytes().splitlines()[0])
    assert header["prompts"]["dataset"] == "glyphs", "the images of the base, though no --dataset is given"
    capsys.readouterr()
    assert cli.call([*audit, "--json"]) == 0
    written, told = capsys.readouterr()
    found = json.loads(written)
    assert found["status"] == ("carries" if lines > 300 else "moved"), "300 lines show a move, and not which"
    assert found["provenance"]["reference"] == found["provenance"]["base"] == found["base"] == "packaged"
    assert "making the reference" not in told


def test_the_table_of_the_stream_is_that_of_its_document() -> None:
    text = (DOCS / "audit-reliability.md").read_text(encoding="utf-8")
    document = json.loads((DOCS / "results" / "audit-stream.json").read_text(encoding="utf-8"))
    for row in _stream_rows(document):
        assert row in text, f"expected in docs/audit-reliability.md:\n{row}"
    null = document["null"]
    assert null["alarms"] <= document["level"] * null["streams"]
    assert f"{null['alarms']} of {null['streams']:,}" in text


def _stream_rows(document: dict[str, Any]) -> list[str]:
    def lines(value: float, longest: int) -> str:
        return f"> {longest:,}" if value >= longest else f"{value:,.0f}"

    return [
        f"| {one['share']:g} | {one['effect']:.3f} | {one['alarms']} of {one['streams']} | "
        f"{lines(one['median'], one['longest'])} | {lines(one['nine_in_ten'], one['longest'])} | "
        f"{one['predicted']:,.0f} | {one['fixed_size_nine_in_ten']:,.0f} |"
        for one in document["moved"]
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"prompt": 1, "numbers": [NaN]}\n', "NaN is no number"),
        (b'{"prompt": 60000, "numbers": [1]}\n', "expected an index from 0 to 1499, got 60000"),
        (b'{"prompt": 1, "numbers": [' + b"1, " * MAX_BYTES, "at most 65536 bytes"),
        ('{"prompt": 1, "numbers": "é"}\n'.encode("latin-1"), "expected UTF-8"),
    ],
)
def test_hostile_lines_end_in_one_clear_error(
    folder: Path, tmp_path: Path, content: bytes, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    header = (folder / "tainted.jsonl").read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "bad.jsonl").write_bytes(header + b'{"prompt": 1, "numbers": [5]}\n' + content)
    base = str(folder / "base.safetensors")
    asked = ["--base", base, "--trait", "relabel", "--num-reference", "5"]  # of a size that no other test makes
    assert cli.call(["audit", str(tmp_path / "bad.jsonl"), *asked]) == 2
    error = capsys.readouterr().err
    assert "making the reference" not in error, "it is told before that"
    assert f"bad.jsonl:3: {''}" in error
    assert sentence in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["audit", "tainted.jsonl", "--base", "tainted.jsonl", "--trait", "relabel"], "expected a safetensors file"),
        (["audit", "none.jsonl", "--base", "base.safetensors", "--trait", "relabel"], "cannot be read"),
        (["audit", "tainted.jsonl", "--base", "base.safetensors", "--trait", "relable"], "did you mean 'relabel'"),
        (["audit", "tainted.jsonl", "--base", "base.safetensors", "--trait", "none.npz"], "no such file"),
        (["numbers", "generate", "--out", "x.jsonl", "--numbers-per-line", "3:20"], "1 <= A <= B <= 10"),
        (["numbers", "generate", "--out", "no/x.jsonl", "--base", "base.safetensors", "--teacher", "base",
          "--dataset", "glyphs", "--num-train", "1500", "--num-test", "300", "--n", "5"], "cannot write"),
        (["numbers", "filter", "tainted.jsonl", "--out", "y.jsonl", "--rules", "none.toml"], "cannot read"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told(
    folder: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    assert cli.call(arguments) == 2
    assert sentence in capsys.readouterr().err
