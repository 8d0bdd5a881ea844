"""The lessons hold the rules of `notebook_rules.py`, and each rule can really fail."""

import re

import execute_notebooks
import nbformat
import notebook_rules as rules
import pytest

LESSONS = rules.lessons()
NOTEBOOKS = [*LESSONS, *rules.appendices()]


@pytest.mark.skipif(not LESSONS, reason="there are no lessons in notebooks/ yet")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    assert path.stat().st_size <= rules.MAX_BYTES
    found = rules.problems(notebook, path.name)
    assert not found, "\n".join([f"{path.name}:", *found])


@pytest.mark.skipif(not LESSONS, reason="there are no lessons in notebooks/ yet")
def test_no_guess_by_letter_or_by_length_passes_the_quizzes():
    quizzes = {path.name: rules.section(nbformat.read(path, as_version=4), "Quiz") for path in LESSONS}
    for name, quiz in quizzes.items():
        read = list(rules.options(quiz))
        assert len(read) == len(rules.QUIZ.findall(quiz)) and all(len(sizes) == 3 for sizes, _ in read), name
    assert list(rules.check_quizzes(quizzes.values())) == []


def question(right, *options):
    letters = " &nbsp; ".join(f"({letter}) {option}" for letter, option in zip("abc", options, strict=True))
    return f"<details><summary><b>1. Which?</b><br>\n{letters}</summary>\n\n**({right}).** Since.\n</details>\n"


def test_the_rule_for_quizzes_can_fail():
    alike = [question(right, "one", "two", "six") for right in "abc"]
    assert list(rules.check_quizzes(alike)) == []
    assert any("(b) is right in 60 %" in found for found in rules.check_quizzes([*alike, *2 * [alike[1]]]))
    long = [
        question("a", "the one", "two", "six"),
        question("b", "one", "`t`wo", "six"),
        question("c", "1", "2", "six"),
    ]
    assert list(rules.check_quizzes(long)) == [
        "the right answer is the longest by far in 2 of 3 questions: a quarter at most"
    ]


@pytest.mark.parametrize("path", rules.lessons(), ids=lambda path: path.name[:2])
def test_an_exercise_cell_runs_in_a_fresh_kernel(path, capsys):
    """Whoever comes back to an exercise runs its cell alone, after the first one, which does nothing here."""
    cells = [cell.source for cell in rules.code_cells(nbformat.read(path, as_version=4))]
    exercises = [source for source in cells if re.search(r"^check\.(?!progress)\w+\(", source, re.M)]
    assert len(exercises) >= 2
    for source in exercises:
        exec(compile(source, path.name, "exec"), {"__name__": "__main__"})
        assert "not attempted" in capsys.readouterr().out


def test_lessons_share_their_first_code_cell():
    first = {path.name: rules.code_cells(nbformat.read(path, 4))[0].source for path in NOTEBOOKS}
    assert len(set(first.values())) == 1, f"the first code cells differ: {first}"


def test_every_notebook_is_a_lesson_or_an_appendix_that_one_links():
    strays = [
        p.name for p in rules.NOTEBOOKS.rglob("*.ipynb") if p not in NOTEBOOKS and ".ipynb_checkpoints" not in p.parts
    ]
    assert not strays, f"notebooks that no test looks at: {strays}"
    numbers = [path.name[:2] for path in LESSONS]
    assert len(set(numbers)) == len(numbers), f"two lessons with one number: {numbers}"
    for path in rules.appendices():
        assert any(f"]({path.name})" in rules.prose(nbformat.read(lesson, 4)) for lesson in LESSONS), path.name


def rows_of(page):
    """Rows of the lessons' table: number -> its cells."""
    lines = (rules.ROOT / page).read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| \d\d \|", line)]
    return {row[0]: row for row in cells}


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md"])
def test_the_map_shows_every_lesson(page):
    rows = rows_of(page)
    assert list(rows) == [path.name[:2] for path in LESSONS]
    for path in LESSONS:
        notebook = nbformat.read(path, as_version=4)
        row, title = rows[path.name[:2]], notebook.cells[0].source.splitlines()[0].partition(" · ")[2]
        assert f"[{title}](" in row[1] and row[1].endswith(f"{path.name})")
        assert rules.COLAB + "notebooks/" + path.name in row[-1]
        said = rules.minutes(rules.section(notebook, "Minutes"))
        assert abs(int(row[-2 if page == "README.md" else 3]) - said) < 3, f"{path.name} says {said} minutes"
        assert page == "README.md" or row[2].endswith("?"), "its question"


def test_every_page_links_to_what_is_there():
    for page in [*rules.ROOT.glob("*.md"), *rules.NOTEBOOKS.glob("*.md"), rules.ROOT / "data" / "README.md"]:
        for link in rules.links(page.read_text(encoding="utf-8")):
            target = link.partition("#")[0]
            if target and not target.startswith(("http", "mailto")):
                assert (page.parent / target).exists(), f"{page.name} links to {link}"


def test_the_glossary_is_sorted_and_points_to_lessons():
    lines = (rules.NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8").split("|---|---|---|\n")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    words = [row[0].lower() for row in rows]
    assert words == sorted(words) and len(set(words)) == len(words)
    texts = {path.name[:2]: rules.prose(nbformat.read(path, as_version=4)).lower() for path in LESSONS}
    for word, meaning, number in rows:
        assert meaning and number.isdigit()
        if number in texts:
            names = [part.strip() for part in word.lower().replace("(", ",").replace(")", "").split(",")]
            said = any(all(part in texts[number] for part in re.findall(r"\w{3,}", name)) for name in names)
            assert said, f"lesson {number} does not explain {word!r}"


# -------------------------------------------------------------------------- the rules, on notebooks made here

NAME = "00_made_up.ipynb"
PNG = "iVBORw0KGgo" * 10


def code(source, outputs=(), *, count=None, tags=()):
    cell = nbformat.v4.new_code_cell(source, execution_count=count, outputs=list(outputs))
    if tags:
        cell.metadata["tags"] = list(tags)
    return cell


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def picture(kind="image/png", data=PNG, alt="A bar chart: ResNet-50 has the most parameters."):
    return nbformat.v4.new_output("display_data", {kind: data}, metadata={kind: {"alt": alt}} if alt else {})


QUESTION = "<details><summary><b>{}. Why so.</b><br>(a) so</summary>\n\n**(a).** Since.\n</details>"
CLOSING = {
    "What you will be able to do": "- read;\n- write;\n- count." + "\n\n" + "Words. " * 1200,
    "Minutes": "Reading 20, running 1, exercises 15.",
    "Recap": "\n".join(f"{i}. Words." for i in range(1, 6)),
    "Quiz": "\n\n".join(QUESTION.format(i) for i in (1, 2, 3)),
    "Where this lives in the package": "- `deeplab_teach.data_files.data_path`",
    "Further reading": "- [arXiv 1802.02611](https://arxiv.org/abs/1802.02611)",
}
EXERCISES = "### Exercise 1: read (3 minutes)\n\nDo it.\n\n### Exercise 2: write (4 minutes)\n\nDo it."


def good():
    """The smallest notebook that holds every rule."""
    first = (
        "import importlib.util\n"
        'if importlib.util.find_spec("deeplab_teach") is None:\n'
        f"    %pip install --no-deps git+{rules.REPOSITORY}\n"
        "    !python -m deeplab_teach get-weights"
    )
    badge = (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({rules.COLAB}notebooks/{NAME})"
    )
    markdown = nbformat.v4.new_markdown_cell
    cells = [
        markdown("# Made up\n\nWhich part is the backbone?\n\n" + badge),
        markdown("\n\n".join(f"## {heading}\n\n{CLOSING.get(heading, 'Words.')}" for heading in rules.HEADINGS)),
        code(first),
        markdown(EXERCISES),
        code("check.split(split)\ncheck.tiny_head(TinyHead)"),
        code("print(6 * 7)", [stream("42\n")]),
        code("plots.show(fig)", [picture()]),
        code("loss = train()", [stream("loss 0.123\n")], tags=["nbval-ignore-output"]),
        code("assert loss < 1"),
        markdown("See [the top](#Made-up), [the tests](../tests/conftest.py), `deeplab_teach.data_files.data_path`."),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    renumber(notebook)
    return notebook


def renumber(notebook):
    for count, cell in enumerate(rules.code_cells(notebook), 1):
        cell.execution_count = count


def found_in(change, *, name=NAME, renumbered=True):
    notebook = good()
    change(notebook)
    if renumbered:
        renumber(notebook)
    return rules.problems(notebook, name)


def add(cell):
    return lambda notebook: notebook.cells.append(cell)


def add_output(*outputs, **kwargs):
    return add(code("x", outputs, **kwargs))


def add_prose(text):
    return add(nbformat.v4.new_markdown_cell(text))


def without(heading):
    def change(notebook):
        notebook.cells[1].source = notebook.cells[1].source.replace(heading, "Something else")

    return change


def rewrite(old, new):
    def change(notebook):
        assert old in notebook.cells[1].source
        notebook.cells[1].source = notebook.cells[1].source.replace(old, new)

    return change


def test_a_good_notebook_passes():
    assert rules.problems(good(), NAME) == []


ERROR = nbformat.v4.new_output("error", ename="KeyError", evalue="'c6'", traceback=["KeyError: 'c6'"])
WIDGET = nbformat.v4.new_output("display_data", {rules.WIDGET_VIEW: {"model_id": "1"}, "text/plain": "interactive()"})
IGNORED = ["nbval-ignore-output"]
ASKED = nbformat.v4.new_markdown_cell("**Guess before you look:** how many?")
PLAIN = [code("a = 1"), code("b = 2"), code("c = 3")]
BAD = {
    "stored error": add_output(ERROR),
    "path of one machine, '/tmp": add_output(stream("saved /tmp/run/model.pt\n")),
    "path of one machine, '/home": add_output(stream("file=/home/ann/course\n")),
    r"path of one machine, 'C:\\": add_output(stream("saved C:\\Users\\ann\\model.pt\n")),
    "code cell 7: a path of one machine, '/root": add(code('open("/root/model.pt")')),
    "path of one machine, 'ipykernel_": add_output(stream("ipykernel_812/33.py:4\n")),
    "stderr": add_output(stream("UserWarning: old\n", "stderr")),
    "without alt text": add_output(picture(alt="")),
    "figure of": add_output(picture(data="A" * 200_000)),
    "MB, at most": add_output(picture("image/gif", data="A" * 1_600_000)),
    "widget's view": add_output(WIDGET),
    "metadata.widgets": lambda notebook: notebook.metadata.update(widgets={}),
    "not 4.5": lambda notebook: notebook.update(nbformat_minor=4),
    "not named python3": lambda notebook: notebook.metadata["kernelspec"].update(name="my-env"),
    "assert anything": lambda nb: nb.cells.extend([code("print(t)", [stream("3\n")], tags=IGNORED), *PLAIN]),
    "assert anything: '# NBVAL": add(code("# NBVAL_IGNORE_OUTPUT\nprint('assert')")),
    "not folded away": lambda nb: nb.cells.extend([ASKED, code("a = 1"), code("print(3)", [stream("3\n")])]),
    "skipped by nbval": add(code("y", tags=["nbval-skip"])),
    "26 lines": add(code("\n".join(f"a{i} = {i}" for i in range(26)))),
    "get-weights missing": lambda nb: nb.cells[2].update(source=nb.cells[2].source.replace("get-weights", "doctor")),
    "not a title": lambda nb: nb.cells.insert(0, nbformat.v4.new_markdown_cell("Welcome")),
    "no question": lambda nb: nb.cells[0].update(source=nb.cells[0].source.replace("?", ".")),
    "no Colab badge": lambda nb: nb.cells[0].update(source=nb.cells[0].source.replace(NAME, "07_other.ipynb")),
    "link to 99_none.ipynb": add_prose("Next: [lesson 99](99_none.ipynb)."),
    "link to images/none.png": add_prose('<img src="images/none.png" alt="none">'),
    "link to #Nowhere": add_prose("[up](#Nowhere)"),
    "names `deeplab_teach.no_such_module.x`": add_prose("`deeplab_teach.no_such_module.x`"),
    "names `dt.files.no_such_function`": add_prose("`dt.files.no_such_function(3)`"),
    "names the file `deeplab_teach/nothing.py`": add_prose("`deeplab_teach/nothing.py`"),
    **{f"no heading {heading!r}": without(heading) for heading in rules.HEADINGS},
    "words of prose": rewrite("Words. " * 1000, ""),
    "fewer than three things": rewrite("- write;\n", ""),
    "not given as numbers": rewrite("Reading 20, running 1, exercises 15.", "Half an hour."),
    "not five points": rewrite("\n5. Words.", ""),
    "not 3 to 5 questions": rewrite(QUESTION.format(2), ""),
    "answered by its letter": rewrite("**(a).** Since.\n</details>\n\n## Where", "It is (a).\n</details>\n\n## Where"),
    "name nothing of the package": rewrite("`deeplab_teach.data_files.data_path`", "the package"),
    "links no paper": rewrite("(https://arxiv.org/abs/1802.02611)", "(https://example.org)"),
    "2 exercises and 1 checks": lambda nb: nb.cells[4].update(source="check.split(split)"),
    "without its minutes": lambda nb: nb.cells[3].update(source=EXERCISES.replace(" (4 minutes)", "")),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_notebook_is_named(message):
    found = found_in(BAD[message])
    assert any(message in problem for problem in found), found
    assert len(found) == 1, found


def test_a_stripped_notebook_is_named():
    def strip(notebook):
        for cell in rules.code_cells(notebook):
            cell.execution_count, cell.outputs = None, []

    assert any("not executed" in problem for problem in found_in(strip, renumbered=False))
    assert any("not executed" in problem for problem in found_in(add(code("late", count=9)), renumbered=False))


def test_a_bad_name_is_named():
    assert any("NN_title" in problem for problem in found_in(lambda notebook: None, name="Lesson 0.ipynb"))


def test_a_folded_result_may_follow_a_guess():
    folded = code("print(3)", [stream("3\n")], tags=["hide-output"])
    folded.metadata["jupyter"] = {"outputs_hidden": True}
    told = [nbformat.v4.new_markdown_cell("It is three."), code("print(4)", [stream("4\n")])]
    assert found_in(lambda notebook: notebook.cells.extend([ASKED, folded, *told])) == []


def test_what_is_allowed_stays_allowed():
    allowed = [
        add(code("boom", [ERROR], tags=["raises-exception"])),
        add(code("interact(draw)", tags=["nbval-ignore-output", "widget"])),
        add_prose("[paper](https://arxiv.org/abs/1802.02611), [quiz](#Quiz), `python -m deeplab_teach doctor`"),
        add_output(stream("https://example.org/home/index.html and data/tmp/x\n")),
    ]
    for change in allowed:
        assert found_in(change) == []


# ---------------------------------------------------------------------------- the command that runs the lessons


def test_running_a_lesson_stores_what_it_prints(tmp_path):
    notebook = good()
    notebook.cells[2:-1] = [code("print(6 * 7)"), code("import os\nprint(os.getcwd())")]
    seconds, peak = execute_notebooks.run(notebook, tmp_path)
    execute_notebooks.tidy(notebook)
    first, second = rules.code_cells(notebook)
    assert first.outputs[0].text == "42\n" and (first.execution_count, second.execution_count) == (1, 2)
    assert second.outputs[0].text.strip() == str(tmp_path.resolve())
    assert seconds > 0 and (peak is None or 0.02 < peak < 1)
    nbformat.validate(notebook)


def test_tidying_keeps_what_a_reader_sees_and_drops_the_rest():
    bar = stream("\rtrain:  50%|#####     | 1/2 [00:01<00:01]\rtrain: 100%|##########| 2/2 [00:02<00:00]\n", "stderr")
    warning = stream("UserWarning: old\n", "stderr")
    notebook = good()
    notebook.metadata["widgets"] = {"state": {}}
    cell = code("x", [bar, warning, WIDGET, picture(), stream("42\n")], tags=["nbval-ignore-output"])
    cell.metadata.update(trusted=True, ExecuteTime={"start_time": "now"})
    notebook.cells.append(cell)
    ids = [c.id for c in notebook.cells]
    execute_notebooks.tidy(notebook)
    assert "widgets" not in notebook.metadata and cell.metadata == {"tags": ["nbval-ignore-output"]}
    assert [output.get("text", output.output_type) for output in cell.outputs] == [
        "UserWarning: old\n",  # stays, so that the rules can name it
        "display_data",
        "42\n",
    ]
    assert "alt" in cell.outputs[1].metadata["image/png"]
    assert [c.id for c in notebook.cells] == ids
    once = nbformat.writes(notebook)
    assert nbformat.writes(execute_notebooks.tidy(notebook)) == once


def test_limits_of_time_and_memory():
    assert list(execute_notebooks.limits("00_a.ipynb", 119, 1.9)) == []
    assert list(execute_notebooks.limits("07_a.ipynb", 239, None)) == []
    assert "at most 120" in next(execute_notebooks.limits("00_a.ipynb", 121, 1.0))
    assert "2.50 GB" in next(execute_notebooks.limits("00_a.ipynb", 10, 2.5))
