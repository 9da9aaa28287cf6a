"""The words that the program uses: no retired term, no British spelling, one list of all texts."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import explorer
from explorer.cli import messages, run
from explorer.core.params import parameters
from explorer.views import discover

ROOT = Path(explorer.__file__).parent
REPOSITORY = ROOT.parent
PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "resources" / "guide").glob("*.md")),
    *sorted((REPOSITORY / "resources" / "examples").glob("*.*")),
]

RETIRED = (
    # what boxes and networks do not do
    "surest", "surer", "killer", "victim", "the fallen", "sinks under", "leave each other alone",
    "takes its turn", "what the network sees", "the network sees", "network says", "network thinks",
    "network looks", "network knows", "networks know", "does not know", "answers with",
    "answer with",
    "dreams of", "looking for more", "before the network has looked", "be dreamed of",
    # invented or old-fashioned
    "by lot", "draws lots", "one-shot", "single shot", "suppression theatre", "ouroboros",
    "life of a box", "recall lab", "anchor sandbox", "roi microscope", "pipeline race",
    "old dream stays", "channels to climb", "positive from iou", "negative under iou",
    "found from iou", "score from", "mask from", "sure from", "margin from", "merge up to",
    "places per bin", "bins a side", "reach of the plot", "go on from", "keep lost",
    "numbered so far", "frames to begin", "across classes", "coarser answers",
    "each class by itself", "boxes from {", "look again", "as the system", "begun with other words",
    "begins anew", "begin anew", "at hand", "left out", "first guess", "first five guesses",
    "million weights", "m weights", "the gallery", "known answers", "right answers", "live budget",
    "ms old", "so many", "the way to its box", "people of the", "ask for", "no figure", "fate",
    "its life", "is wanted", "is no name", "begin afresh", "goes on from", "to learn from",
    "which call", "which tensor", "learned from", "photos that the training did not use",
    "boxes that are really there", "the true boxes", "rows as shares", "takes long",
    "detects objects with boxes", "boxed badly",
    "by itself; or", "inference {", "displayed /s", "deep dream", "a dozen methods", "mind its",
    "mind their", "right class", "p(answer)",
)  # fmt: skip
"""Words and phrases with a better one in the glossary; lower case, looked for as whole words."""

BRITISH = re.compile(
    r"\b\w*(colour|centre\b|centred|centring|\bgrey|neighbour|normalis|catalogue|labelled|"
    r"localis|behaviour|artefact|optimis[ei]|initialis|quantis|licence|\bdreamt|\blearnt|towards|"
    r"cancelled|visualis|recognis|organis|analys(e|ing)\b|judgement|favour|honour|rasteris)\w*",
    re.IGNORECASE,
)

NAMES = re.compile(r"explorer[./]networks[./]catalog|`[^`]*`|https?://\S+|\{[^}]*\}")
"""Code, addresses and what is put in: not the words of a text."""

WHOLE = re.compile(
    "|".join(rf"(?<![\w-]){re.escape(words)}(?![\w-])" for words in RETIRED), re.IGNORECASE
)


def prose(text: str) -> str:
    return NAMES.sub(" ", text)


@pytest.fixture(scope="module")
def found() -> list[messages.Message]:
    return messages.messages()


def test_no_retired_words_in_any_text(found: list[messages.Message]) -> None:
    bad = [
        f"{message.places[0]}: {match.group()!r} in {message.text[:80]!r}"
        for message in found
        for match in [WHOLE.search(prose(message.text))]
        if match
    ]
    assert not bad, "\n".join(bad)


def test_american_spelling_in_every_text(found: list[messages.Message]) -> None:
    bad = [
        f"{message.places[0]}: {match.group()!r} in {message.text[:80]!r}"
        for message in found
        for match in [BRITISH.search(prose(message.text))]
        if match
    ]
    assert not bad, "\n".join(bad)


FORMER = ("former_words.py", "optimiser", '"localis', '"unlabelled"', '"colours"')
"""Words of earlier versions and of other programs' files, which are still understood."""


def test_names_and_comments_are_american_too() -> None:
    """Python itself says `cancelled` (of futures and tasks), and so do our names."""
    for path in sorted(ROOT.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not any(word in f"{path.name} {line}" for word in FORMER):
                found = [match.group().lower() for match in BRITISH.finditer(line)]
                bad = [word for word in found if not re.search("cancelled|organism", word)]
                bad += re.findall(r"(?i)\b(?:killers?|victims?|surest)\b", line)
                assert not bad, (path, number, bad)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_use_the_same_words(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "glossary.md":  # whose last column lists what is not used
        text = "\n".join(re.sub(r"\|[^|]*\|$", "|", line) for line in text.splitlines())
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    bad = [match.group() for match in BRITISH.finditer(prose(text))]
    bad += [match.group() for match in WHOLE.finditer(prose(text))]
    assert not bad


def test_percent_and_plurals_are_written_one_way(found: list[messages.Message]) -> None:
    for message in found:
        assert not re.search(r"[\d}] %(?!\w)", message.text), message
        assert "(s)" not in message.text or "%n" in message.text, message


def test_no_text_shows_the_code_of_what_is_put_in() -> None:
    """`{nms.threshold:g}` in a string that lacks its f would be read by the user."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = re.search(r"\{[a-z_]+\.[a-z_.]+(:[^{}\s]*)?\}", node.value)
                assert not found, (path, node.lineno, found)


def test_titles_need_no_workshop() -> None:
    """Bench, desk, lab and ladder stay out of titles; no two views share one."""
    titles = [view.title for view in discover().values()]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert not re.search(r"\b(bench|desk|lab|ladder|theatre|sandbox)\b", title, re.IGNORECASE)


# -- the list of texts ----------------------------------------------------------------------------


def test_whatever_a_view_declares_is_listed(found: list[messages.Message]) -> None:
    texts = {message.text for message in found}
    for view in discover().values():
        wanted = [view.title, view.summary, view.explanation.strip(), view.reference]
        wanted += [text for action in view.actions for text in (action.title, action.help)]
        for parameter in parameters(view.Params):
            wanted += [parameter.meta.title, parameter.meta.help]
        missing = [text for text in wanted if text.strip() and text.strip() not in texts]
        assert not missing, view.name


def test_whatever_the_window_translates_is_listed(found: list[messages.Message]) -> None:
    texts = {message.text for message in found}
    for path in sorted((ROOT / "ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="tr") | ast.Name(id="QT_NOOP"),
                    args=[ast.Constant(value=str(text)), *_],
                ) if re.search(r"[A-Za-z]{2}", text):
                    assert text.strip() in texts, path


def test_every_error_and_hint_is_listed(found: list[messages.Message]) -> None:
    texts = {message.text for message in found}
    count = 0
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id != "ExplorerError":
                    continue
                for part in node.args:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        assert not part.value or part.value.strip() in texts, path
                        count += 1
    assert count > 100


def test_each_text_is_listed_once_with_its_place(found: list[messages.Message]) -> None:
    texts = [message.text for message in found]
    assert len(texts) == len(set(texts)) > 1500
    for message in found:
        assert message.places
        file, _, line = message.places[0].partition(":")
        if line:  # a place in the sources: the text begins on that line or soon after
            assert (ROOT / file).is_file()
            assert 0 < int(line) <= len((ROOT / file).read_text("utf-8").splitlines())


def test_the_list_holds_words_and_no_code(found: list[messages.Message]) -> None:
    for message in found:
        assert "import " not in message.text or "explorer" in message.text, message
        assert not message.text.startswith(("http", "<svg", "QWidget")), message


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--messages"]) == 0
    shown = capsys.readouterr().out
    assert "views/predictions/classify.py:" in shown
    assert "Enter a title." in shown
    assert run(["list", "--messages", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"text", "kind", "places"} == set(listed[0])
