"""The checks: right answers in several styles pass, and each wrong answer gets the sentence that fits.

The answers lie in `tests/answers/`, a file a lesson; `make mutants-checks` judges them all and prints a table.
"""

import ast
import contextlib
import functools
import importlib
import inspect
import itertools
import json
import random
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import answers
import nbformat
import numpy as np
import pytest
import torch
from torch import nn

from deeplab_teach import check
from deeplab_teach.check import functions, modules, planted, progress_file, run
from deeplab_teach.check.engine import NOT_ATTEMPTED, RIGHT, WRONG
from deeplab_teach.check.mistakes import edited, read_table, with_mistake
from deeplab_teach.features import FeatureSpec
from deeplab_teach.heads import DeepLabV3Head, DeepLabV3PlusHead, LinearHead

NAMES = list(check.EXERCISES)
ROOT = Path(check.__file__).resolve().parent


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch, tmp_path):
    """Exercises remember what was tried; no test should see another's, nor a learner's."""
    for name in ("STRICT", "SEED", "HIDE", "VERDICTS"):
        monkeypatch.delenv(f"DEEPLAB_TEACH_{name}", raising=False)
    monkeypatch.setenv("DEEPLAB_TEACH_PROGRESS", "")
    forget()


def forget():
    for exercise in check.EXERCISES.values():
        exercise.state, exercise.wrong_tries, exercise.hints_shown = NOT_ATTEMPTED, 0, 0


@functools.cache
def cell_of(name):
    """The source of an exercise's cell in the lessons, without the call of its check."""
    cells = [
        cell.source
        for path in sorted((ROOT.parents[1] / "notebooks").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and re.search(rf"^check\.{name}\(\w", cell.source, re.M)
    ]
    assert len(cells) == 1, f"check.{name} is called in {len(cells)} cells"
    return re.sub(r"^check\..*", "", cells[0], flags=re.M)


def stub_of(name):
    namespace, asked = {}, ast.parse(cell_of(name)).body[-1].name
    exec(cell_of(name), namespace)
    return namespace[asked]


def a_right_one(name):
    return next(answer for exercise, _, answer in answers.RIGHT if exercise == name)


# --- the answers ------------------------------------------------------------------------------------------------------

CASES = [(name, label) for name in NAMES for label in answers.WRONG.get(name, {})]
VERDICTS: dict[tuple[str, str], object] = {}
RAISED: set[tuple[str, int]] = set()  # where `Wrong` was raised while the answers were judged: (file, line)


@pytest.fixture(autouse=True)
def watch_sentences(monkeypatch):
    """Note from where each `Wrong` comes."""

    def noting(self, *args):
        frame = sys._getframe(1)
        while frame and frame.f_code.co_name in ("named", "__init__"):
            RAISED.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
            frame = frame.f_back
        if frame:
            RAISED.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        Exception.__init__(self, *args)

    monkeypatch.setattr(run.Wrong, "__init__", noting)


def verdict_on(name, label):
    if (name, label) not in VERDICTS:
        VERDICTS[name, label] = check.EXERCISES[name].judge(answers.WRONG[name][label][0])
    return VERDICTS[name, label]


@pytest.mark.parametrize(("name", "label"), CASES, ids=[f"{name}-{label}" for name, label in CASES])
def test_wrong_answers_are_caught_and_named(name, label, monkeypatch):
    monkeypatch.setattr(run, "TIME_LIMIT", 5.0)
    _, phrase = answers.WRONG[name][label]
    verdict = verdict_on(name, label)
    assert verdict.state == WRONG, verdict
    assert phrase in verdict.message
    assert "Traceback" not in verdict.message
    assert not re.search("0x[0-9a-f]{6}", verdict.message)  # an address would change from run to run


@pytest.mark.parametrize(("name", "label", "answer"), answers.RIGHT, ids=[f"{n}-{x}" for n, x, _ in answers.RIGHT])
def test_right_answers_pass_whatever_their_style(name, label, answer):
    for _ in range(2):  # fresh seeds and sizes each time
        verdict = check.EXERCISES[name].judge(answer)
        assert verdict.state == RIGHT, verdict.message


def test_there_are_enough_answers():
    assert set(answers.WRONG) == set(NAMES)
    assert len(CASES) + len(answers.RIGHT) >= 450
    for name in NAMES:
        assert len(answers.WRONG[name]) >= 15, name
        assert sum(exercise == name for exercise, _, _ in answers.RIGHT) >= 3, name


# --- known mistakes ---------------------------------------------------------------------------------------------------


def tables():
    """`(lesson, table, mistake)` of every known mistake."""
    for lesson in check.LESSONS:
        module = importlib.import_module(f"deeplab_teach.check.{lesson}")
        for table, rows in vars(module).items():
            if table.endswith("MISTAKES"):
                yield from ((lesson, table, mistake) for mistake in rows)


@pytest.mark.parametrize("lesson", check.LESSONS)
def test_sentences_are_each_of_its_own(lesson):
    found = [(table, mistake.sentence) for name, table, mistake in tables() if name == lesson]
    once = [row for before, row in zip([None, *found], found, strict=False) if row != before]  # `or`: another way to it
    assert once and len(once) == len(set(once))


MISTAKES = [(lesson, mistake) for lesson, _, mistake in tables()]


@pytest.mark.parametrize(("lesson", "mistake"), MISTAKES, ids=[f"{x}-{m.sentence[:40]}" for x, m in MISTAKES])
def test_each_mistake_gets_its_own_sentence_and_no_other(lesson, mistake):
    """Whoever hands in the reference with a known mistake is told it: it shows, and no other sentence claims it."""
    told = []
    for exercise in (e for e in check.EXERCISES.values() if f"lesson{e.lesson}" == lesson):
        with contextlib.suppress(ValueError, SyntaxError):  # an edit of another exercise's reference
            made = exercise.as_answer(with_mistake(exercise.reference, mistake))
            made.__module__ = "an answer"
            told.append(exercise.judge(made).message)
    assert said(mistake.sentence, told), told
    assert not said("NameError", told), "an edit uses a name that the reference's file does not have"


def constants(node):
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def said(sentence, messages):
    return any(sentence in message for message in messages)


@pytest.mark.parametrize("edits", [(("no such text", "x"),), (("step", "x"),)])
def test_an_edit_must_fit_once(edits):
    with pytest.raises(ValueError, match="must be once"):
        edited(check.receptive_field.reference, edits)


def test_a_table_of_mistakes():
    rows = read_table("First\nsentence.\n    a => b\n    c d => e\n        f\nSecond.\n    x\\ny =>\n")
    assert rows == [("First sentence.", [("a", "b"), ("c d", "e f")]), ("Second.", [("x\ny", "")])]


@pytest.mark.parametrize("name", NAMES)
def test_no_message_or_hint_contains_the_answer(name):
    """The learner's own line is echoed after an error; nothing else of the source may appear."""
    exercise = check.EXERCISES[name]
    told = [mistake.sentence for lesson, _, mistake in tables() if lesson == f"lesson{exercise.lesson}"]
    told += [*exercise.hints, exercise.statement, cell_of(name)]
    source, docstring = inspect.getsource(exercise.reference), exercise.reference.__doc__ or ""
    lines = {line.partition("#")[0].strip() for line in source.splitlines() if line.strip() not in docstring}
    lines = {line for line in lines if len(line) > 20 and not line.startswith(("def ", "class ", "return backbone"))}
    given = {line.strip() for line in cell_of(name).splitlines()}  # what the learner starts from is no secret
    assert len(lines - given) >= 1
    assert not [line for line in lines - given for text in told if line in text]


# --- not attempted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_stub_is_not_attempted(name, capsys):
    for answer in (stub_of(name), None, ...):
        assert check.EXERCISES[name](answer) is None
    check.EXERCISES[name]()
    assert capsys.readouterr().out.count("not attempted") == 4
    assert check.EXERCISES[name].state == NOT_ATTEMPTED


def not_implemented(*_, **__):
    raise NotImplementedError("later")


def forgot_return(layers, *_, **__):
    _ = type(layers)


class NothingYet(nn.Module):
    pass


class EmptyForward(nn.Module):
    def __init__(self, feature_specs, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(feature_specs["c5"].channels, num_classes, 1)

    def forward(self, features):
        """Classify."""
        raise NotImplementedError


class EmptyInit(nn.Module):
    def __init__(self, feature_specs, num_classes): ...

    def forward(self, features):
        return self.conv(features["c5"])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("receptive_field", not_implemented),
        ("receptive_field", forgot_return),
        ("tiny_head", NothingYet),
        ("tiny_head", EmptyForward),
        ("tiny_head", EmptyInit),
        ("trimap_band", not_implemented),
        ("is_deeplabv3plus", lambda model: NotImplemented),
    ],
)
def test_other_ways_of_not_attempting(name, answer):
    verdict = check.EXERCISES[name].judge(answer)
    assert verdict.state == NOT_ATTEMPTED, verdict.message


def test_a_missing_return_is_suspected():
    assert "is a `return` missing?" in check.receptive_field.judge(forgot_return).message


# --- whatever an answer does ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["text", 3, torch.ones(2), nn.ReLU(), (1, 2), {}, dict, len])
def test_answers_of_another_kind_get_a_sentence(name, answer):
    verdict = check.EXERCISES[name].judge(answer)
    assert verdict.state == WRONG
    assert "Traceback" not in verdict.message


class Hostile:
    """Whatever one does with it raises."""

    def __getattr__(self, name):
        raise RuntimeError("hands off")

    __eq__ = __len__ = __iter__ = __getitem__ = __bool__ = __repr__ = __call__ = __getattr__


class Own(BaseException):
    pass


def raises(error):
    def answer(*_, **__):
        raise error

    return answer


def recurses(*args, **kwargs):
    return recurses(*args, **kwargs)


def generates(*_, **__):
    while True:
        yield 1


STRANGE = {
    "hostile": lambda *_, **__: Hostile(),
    "exit": raises(SystemExit(0)),
    "os._exit": lambda *_, **__: __import__("os")._exit(0),
    "interrupt": raises(KeyboardInterrupt()),
    "stop": raises(StopIteration()),
    "own": raises(Own()),
    "generator exit": raises(GeneratorExit()),
    "recursion": recurses,
    "generator": generates,
    "itself": lambda *args, **__: args[0],
    "a class": lambda *_, **__: nn.Module,
    "a set": lambda *_, **__: {1, 2},
    "complex": lambda *_, **__: 1j,
    "nan": lambda *_, **__: float("nan"),
    "a stranger": lambda *_, **__: np.array(["a", None], dtype=object),
    "a bare module": lambda *_, **__: nn.Module(),
    "two": lambda *_, **__: (Hostile(), Hostile()),
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_an_answer_gives_or_raises_is_wrong_with_a_sentence(name, what):
    stub, answer = stub_of(name), STRANGE[what]
    if isinstance(stub, type) and not issubclass(stub, nn.Module):
        init = lambda self, root: setattr(self, "root", root)
        answer = type("Answer", stub.__mro__[1:2], {"__init__": init, "__len__": answer, "__getitem__": answer})
    elif isinstance(stub, type):
        start = stub.__mro__[1].__init__ if stub.__mro__[1] is not nn.Module else lambda self, *_, **__: None
        forward = lambda self, *args, **kwargs: answer(*args, **kwargs)
        init = lambda self, *args, **kwargs: (
            (nn.Module.__init__(self) if start.__name__ == "<lambda>" else start(self, *args, **kwargs)) and None
        )
        answer = type("Answer", (stub.__mro__[1],), {"__init__": init, "forward": forward})
    verdict = check.EXERCISES[name].judge(answer)
    assert verdict.state == WRONG, verdict
    assert "fault of" not in verdict.message


def loops(*_, **__):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0)


def sleeps(*_, **__):
    time.sleep(60)


def swallows(*_, **__):
    while True:
        try:
            for _ in range(1000):
                pass
        except BaseException:
            return (1, 1)


@pytest.mark.parametrize("answer", [loops, sleeps, swallows])
@pytest.mark.parametrize("where", ["here", "in a thread"])
def test_an_answer_that_never_ends_is_given_up(answer, where, monkeypatch):
    monkeypatch.setenv("DEEPLAB_TEACH_TIME_LIMIT", "0.5")
    monkeypatch.setattr(run, "_stop", lambda thread, stop=run._stop: stop(thread, patience=0.5))
    found = []
    judge = lambda: found.append(check.receptive_field.judge(answer))
    start = time.monotonic()
    if where == "here":
        judge()
    else:
        thread = threading.Thread(target=judge)
        thread.start()
        thread.join()
    assert time.monotonic() - start < 15
    assert found[0].state == WRONG and "does not come to an end" in found[0].message
    assert f"in {answer.__name__}, line" in found[0].message
    assert ("restart the kernel" in found[0].message) == (answer is sleeps)
    assert check.receptive_field.judge(a_right_one("receptive_field")).state == RIGHT


def test_strict_mode_ends_with_a_failure_whatever_the_answer_does(tmp_path):
    script = textwrap.dedent("""
        import os, sys
        from deeplab_teach import check
        from deeplab_teach.layers import receptive_field as package
        def loop(layers):
            while True: pass
        def switch_off(layers):
            os.environ["DEEPLAB_TEACH_STRICT"] = "0"
            return 1
        answers = {"loop": loop, "exit": lambda x: sys.exit(0), "_exit": lambda x: os._exit(0), "off": switch_off,
                   "package": package, "wrapped": lambda x: package(x), "stub": lambda x: None}
        check.receptive_field(answers[sys.argv[1]])
    """)
    path = tmp_path / "grade.py"
    path.write_text(script)
    environment = {
        "DEEPLAB_TEACH_STRICT": "1",
        "DEEPLAB_TEACH_TIME_LIMIT": "1",
        "PATH": "",
        "PYTHONPATH": str(ROOT.parents[1]),
    }
    for what in ("loop", "exit", "_exit", "off", "package", "wrapped", "stub"):
        done = subprocess.run(
            [sys.executable, path, what], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 1, (what, done)
        assert "AssertionError: receptive_field: " in done.stderr, (what, done.stderr)


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_own_answer_is_recognised(name):
    exercise = check.EXERCISES[name]
    if isinstance(exercise.reference, type):
        verdict = exercise.judge(type("Mine", (exercise.reference,), {}))
        assert verdict.state == WRONG and "package's own" in verdict.message, verdict
    verdict = exercise.judge(exercise.reference)
    assert verdict.state == WRONG, verdict
    if not isinstance(exercise.reference, type) and name != "decoder":
        assert "package's own" in verdict.message
        wrapped = exercise.judge(lambda *args, **kwargs: exercise.reference(*args, **kwargs))
        assert wrapped.state == WRONG and "package's own" in wrapped.message, wrapped
    copied = edited(exercise.reference, ())  # a pasted solution cannot be told from honest work
    assert copied is not exercise.reference


def test_after_a_reload_nothing_must_inherit_from_its_own_twin():
    script = textwrap.dedent("""
        import importlib, sys
        from deeplab_teach import check, features, heads
        importlib.reload(features)
        importlib.reload(sys.modules["deeplab_teach.heads.deeplabv3plus"])
        importlib.reload(heads)
        sys.path.insert(0, sys.argv[1])
        import answers
        for name, label, answer in answers.RIGHT:
            if name in ("decoder", "adapt", "tiny_head", "is_deeplabv3plus"):
                verdict = check.EXERCISES[name].judge(answer)
                assert verdict.state == "right", (name, label, verdict.message)
    """)
    run_alone(script, str(Path(__file__).parent))


def run_alone(script, *arguments):
    code = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(code, capture_output=True, text=True, timeout=300, cwd=ROOT.parents[1])
    assert done.returncode == 0, done.stderr


def test_an_error_is_shown_with_the_learners_line():
    verdict = check.trimap_band.judge(raises_deep_inside)
    assert "RuntimeError" in verdict.message
    assert verdict.message.endswith("in helper, line 3:  return torch.stack([labels, rows])  # here")
    assert "run.py" not in verdict.message


def raises_deep_inside(labels, width, ignore_index=255):
    return helper(labels)


def helper(labels):
    rows = labels[1:]
    return torch.stack([labels, rows])  # here


def test_an_error_in_a_notebook_cell_is_shown_with_its_line():
    IPython = pytest.importorskip("IPython.core.interactiveshell")
    shell = IPython.InteractiveShell()
    shell.run_cell("def is_deeplabv3plus(model):\n    # cell\n    return model.heda is None\n", store_history=False)
    message = check.is_deeplabv3plus.judge(shell.user_ns["is_deeplabv3plus"]).message
    assert "AttributeError" in message
    assert "in is_deeplabv3plus, line 3:  return model.heda is None" in message


def test_an_error_without_source_still_names_the_line():
    namespace = {}
    exec("def is_deeplabv3plus(model):\n    return model['head']", namespace)
    message = check.is_deeplabv3plus.judge(namespace["is_deeplabv3plus"]).message
    assert message.endswith("in is_deeplabv3plus, line 2")


@pytest.mark.parametrize("name", NAMES)
def test_checks_leave_no_trace_and_no_setting_reaches_them(name):
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    answer = a_right_one(name)
    try:
        torch.set_default_dtype(torch.bfloat16)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            verdict = check.EXERCISES[name].judge(answer)
            assert not torch.is_grad_enabled() and torch.get_default_dtype() == torch.bfloat16
    finally:
        torch.set_default_dtype(torch.float32)
    assert verdict.state == RIGHT, verdict.message
    with torch.inference_mode():
        assert check.EXERCISES[name].judge(answer).state == RIGHT
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_those_of_the_lesson(name):
    stub = stub_of(name)
    written = not isinstance(stub, type) or "__init__" in vars(stub)
    parameters = inspect.signature(stub).parameters if written else {}
    promised = {key: each.default for key, each in parameters.items() if each.default is not each.empty}
    assert check.EXERCISES[name].defaults == promised


@pytest.mark.parametrize("name", [name for name in NAMES if check.EXERCISES[name].blanks])
def test_the_blanks_that_a_solution_names_fill_the_lesson(name, capsys):
    start, body = cell_of(name).split("super().__init__()")
    for blank in re.findall("`(.+?)`", check.EXERCISES[name].blanks):
        body = body.replace("...", blank, 1)
    namespace = {}
    exec(f"{start}super().__init__(){body}", namespace)
    verdict = check.EXERCISES[name].judge(namespace[ast.parse(cell_of(name)).body[-1].name])
    assert "..." not in body and verdict.state == RIGHT, verdict.message
    check.EXERCISES[name].solution()
    assert capsys.readouterr().out.startswith("# The blanks, in order: `")


def test_defaults_that_the_lesson_promises_are_kept():
    source = inspect.getsource(a_right_one("resnet")).partition("\n")[2]
    for old, phrase in (("width=64", "keep that default"), ("depths, width=64", "")):
        namespace = {"nn": nn}
        exec(source.replace(old, old.replace("=64", "=32" if phrase else "=64")), namespace)
        verdict = check.resnet.judge(namespace["MyResNet"])
        assert (verdict.state == WRONG) == bool(phrase) and phrase in verdict.message, verdict


# --- comparing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (3, np.int64(3), True),
        (3, np.int8(3), True),
        (3, True, False),
        (3, 3.0, False),
        (0.5, np.float64(0.5), True),
        (1 / 3, np.float32(1 / 3), False),
        (True, np.bool_(True), True),
        ((1, 2), [1, 2], True),
        ((1, 2), (1, 2, 3), False),
        (torch.tensor(3), 3, False),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False),
        (float("nan"), float("nan"), True),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (nn.Linear(2, 2).eval(), nn.Linear(2, 2), False),
    ],
)
def test_what_counts_as_the_same(a, b, same):
    assert functions.alike(a, b) is same
    assert functions.alike(b, a) is same


def test_values_before_the_weights_are_known_depend_on_the_shape_alone():
    a, b = nn.Conv2d(3, 5, 3), nn.Sequential(nn.Conv2d(3, 5, 3))
    for module in (a, b):
        modules.fill(module)
    assert torch.equal(a.weight, b[0].weight)
    assert torch.equal(a.weight, a.weight.transpose(2, 3))
    assert a.weight.std() > 0.1


# --- progress, hints, graders -----------------------------------------------------------------------------------------


def a_wrong_one(name):
    return next(answer for answer, phrase in answers.WRONG[name].values() if phrase)


def test_progress_remembers_what_was_right(capsys, monkeypatch, tmp_path):
    path = tmp_path / "notes" / "progress.json"
    monkeypatch.setenv("DEEPLAB_TEACH_PROGRESS", str(path))
    check.receptive_field(a_right_one("receptive_field"))
    check.receptive_field(lambda layers: 1)
    check.basic_block(a_wrong_one("basic_block"))
    check.basic_block(None)
    forget()  # as a restarted kernel
    capsys.readouterr()
    check.progress("02")
    out = capsys.readouterr().out
    assert "Lesson 02: 1 of 3 right" in out
    assert "[ok] receptive_field: right" in out
    assert "[!!] basic_block: wrong, 1 try" in out
    check.progress()
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("Lesson")][0].startswith("Lesson 00: 0 of")
    assert "[ok] receptive_field" in out and "not attempted" not in out
    path.write_text("{ damaged")
    forget()
    check.progress("02")
    assert "Lesson 02: 0 of 3 right" in capsys.readouterr().out
    check.receptive_field(a_right_one("receptive_field"))
    assert json.loads(path.read_text())["receptive_field"]["state"] == RIGHT
    with pytest.raises(ValueError, match="lessons 00, 01, 02, 03, 04, 05, 06, 07, 08"):
        check.progress("99")


def test_progress_lies_beside_the_notebooks_or_nowhere(monkeypatch, tmp_path):
    monkeypatch.delenv("DEEPLAB_TEACH_PROGRESS")
    monkeypatch.chdir(tmp_path)
    assert progress_file.progress_file() is None
    (tmp_path / "00_lesson.ipynb").touch()
    assert progress_file.progress_file() == tmp_path / progress_file.FILE
    assert progress_file.FILE in (ROOT.parents[1] / ".gitignore").read_text().split()
    (tmp_path / progress_file.FILE).mkdir()  # cannot be written
    check.receptive_field(a_right_one("receptive_field"))
    assert check.receptive_field.state == RIGHT


def test_graders_can_set_a_seed_hide_help_and_read_verdicts(monkeypatch, tmp_path, capsys):
    path = tmp_path / "verdicts.jsonl"
    monkeypatch.setenv("DEEPLAB_TEACH_VERDICTS", str(path))
    monkeypatch.setenv("DEEPLAB_TEACH_HIDE", "1")
    seen = []

    def spying(layers):
        seen.append(layers)
        return 1, 1

    for seed in ("secret", "secret", "another"):
        monkeypatch.setenv("DEEPLAB_TEACH_SEED", seed)
        check.receptive_field(spying)
    a, b, c = (seen[i * len(seen) // 3 : (i + 1) * len(seen) // 3] for i in range(3))
    assert a == b != c
    check.receptive_field.hint()
    check.receptive_field.solution()
    check.receptive_field(None)
    check.receptive_field(a_right_one("receptive_field"))
    out = capsys.readouterr().out
    assert "switched off" in out and "hint()" not in out and "solution()" not in out and "def " not in out
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["state"] for row in rows] == [WRONG, WRONG, WRONG, NOT_ATTEMPTED, RIGHT]
    assert rows[0]["exercise"] == "receptive_field" and rows[0]["message"].startswith("wrong.")


@pytest.mark.parametrize("name", NAMES)
def test_strict_mode_raises_unless_right(name, monkeypatch, capsys):
    monkeypatch.setenv("DEEPLAB_TEACH_STRICT", "1")
    with pytest.raises(AssertionError, match="wrong"):
        check.EXERCISES[name](a_wrong_one(name))
    with pytest.raises(AssertionError, match="not attempted"):
        check.EXERCISES[name](stub_of(name))
    check.EXERCISES[name](a_right_one(name))
    assert "right" in capsys.readouterr().out
    monkeypatch.setenv("DEEPLAB_TEACH_STRICT", "0")
    check.EXERCISES[name](a_wrong_one(name))


@pytest.mark.parametrize("name", NAMES)
def test_hints_come_one_after_the_other_in_short_lines(name, capsys):
    shown = []
    for _ in range(3):
        check.EXERCISES[name].hint()
        shown.append(capsys.readouterr().out)
    assert shown[0].startswith("Hint 1 of 2: ")
    assert shown[1].startswith("Hint 2 of 2: ")
    assert shown[2] == shown[1]
    check.EXERCISES[name](a_wrong_one(name))
    lines = "".join([*shown, capsys.readouterr().out, repr(check.EXERCISES[name])]).splitlines()
    assert all(len(line) <= 100 for line in lines if not line.startswith(" "))


@pytest.mark.parametrize("name", NAMES)
def test_solution_is_the_packages_own_source(name, capsys):
    exercise = check.EXERCISES[name]
    exercise.solution()
    printed = capsys.readouterr().out.partition("# The blanks")
    heading, _, source = (printed[2].partition("\n")[2] or printed[0]).partition("\n")
    assert heading.startswith("# deeplab_teach.")
    assert source == textwrap.dedent(inspect.getsource(exercise.reference))


def test_a_typo_is_met_with_the_near_name():
    with pytest.raises(AttributeError, match="did you mean tiny_head"):
        _ = check.tiny_haed
    with pytest.raises(AttributeError, match="there are: split, tiny_head"):
        _ = check.xyz
    assert set(NAMES) < set(dir(check))


def test_the_reference_head_fits_the_specs_of_the_stub():
    head = LinearHead({"c5": FeatureSpec(channels=320, stride=32)}, 3)
    assert head({"c5": torch.zeros(1, 320, 2, 2)}).shape == (1, 3, 2, 2)
    assert not isinstance(DeepLabV3Head({"c5": FeatureSpec(8, 16)}, 3, channels=4), DeepLabV3PlusHead)


@pytest.mark.parametrize("number", range(len(planted.FAULTS) + 1))
def test_the_tutorial_of_lesson_13_has_the_faults_that_are_planted(number):
    """On a ResNet-18, as in the lesson, in all combinations."""
    find = a_right_one("diagnose")
    for faults in itertools.combinations(planted.FAULTS, number):
        assert find(planted.Tutorial(faults)) == set(faults)


def test_a_fault_of_another_name_cannot_be_planted():
    with pytest.raises(ValueError, match="faults must be among rate, labels, .*; got 'dropout'"):
        planted.Tutorial(["rate", "dropout"])
    with pytest.raises(ValueError, match="faults must be among"):
        planted.Tutorial("rate")  # its letters


def test_every_sentence_is_produced_by_an_answer():
    """Of the mistakes: some answer is told each. Of the rest: every `Wrong(...)` was raised by some answer above.

    It comes last, for it reads what the tests above have seen.
    """
    told = [verdict_on(name, label).message for name, label in CASES]
    silent = [f"{lesson}: {mistake.sentence}" for lesson, _, mistake in tables() if not said(mistake.sentence, told)]
    assert not silent, "\n".join(silent)
    never = []
    for path in sorted(ROOT.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Wrong", "Habit"):
                lines = range(node.lineno, node.end_lineno + 1)
                if not any((path.name, line) in RAISED for line in lines):
                    never.append(f"{path.name}, line {node.lineno}")
    assert not never, "\n".join(never)
    for path in sorted(ROOT.glob("lesson*.py")):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("_kind"):
                returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
                texts = [max(parts, key=len) for value in returned if value and (parts := constants(value))]
                assert all(said(text, told) for text in texts), [text for text in texts if not said(text, told)]
