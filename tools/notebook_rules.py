"""What every lesson must hold, as plain functions: a parsed notebook in, sentences about what is wrong out.

`tests/test_notebooks.py` applies them to the lessons, `tools/execute_notebooks.py` after it has run one.
"""

import ast
import importlib
import json
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
from repository import published

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SLUG, TAG = published(ROOT)
REPOSITORY = f"https://github.com/{SLUG}"
COLAB = f"https://colab.research.google.com/github/{SLUG}/blob/{TAG}/"

NAME = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")
APPENDIX = re.compile(r"A\d_[a-z0-9_]+\.ipynb")
MAX_BYTES = 1_500_000  # of a notebook
MAX_IMAGE_BYTES = 120_000  # of one figure
MAX_CODE_LINES = 25
MAX_EXERCISE_LINES = 30  # such a cell brings its own imports, to run alone
MIN_WORDS = 1200  # of prose
QUIZ = re.compile(r"<details><summary><b>\d\.")
QUESTION = re.compile(r"<details><summary><b>\d\..*?</b><br>\n(.*?)</summary>\s*\*\*\(([a-c])\)", re.S)
HEADINGS = (
    "What you will be able to do",
    "Minutes",
    "Before you start",
    "Recap",
    "Quiz",
    "Where this lives in the package",
    "Further reading",
)
# What the first code cell must do: nothing when the package is there, else install it beside what Colab has.
FIRST_CELL = ("deeplab_teach", "--no-deps", "get-weights", REPOSITORY)
GUESS = re.compile(r"\*\*[^*\n]*\b[Gg]uess\b[^*\n]*\*\*")
MACHINE_PATH = re.compile(
    r"(?<![\w./:-])/(?:tmp|root|home|work|Users|var/folders|private|opt)/|[A-Za-z]:\\+Users|site-packages|ipykernel_\d+"
)
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?[^)]*\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")
DOTTED = re.compile(r"`(?:from |import )?((?:deeplab_teach|dt|check)(?:\.[A-Za-z_]\w*)+)")
PACKAGE_FILE = re.compile(r"`((?:deeplab_teach|tests|data|notebooks)/[\w./-]+)`")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def lessons():
    """The course's notebooks, in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def appendices():
    """Notebooks that a lesson links for whoever wants to know: without exercises, recap and quiz."""
    return sorted(NOTEBOOKS.glob("A[0-9]_*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def output_ignored(cell):
    """Whether nbval runs the cell but does not compare what it prints."""
    return "nbval-ignore-output" in tags(cell) or re.search(r"^#\s*NBVAL_IGNORE_OUTPUT", cell.source, re.M) is not None


def has_assert(source):
    """Whether a cell holds an assertion, a statement or one of numpy's or torch's functions, outside of strings."""
    plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    try:
        nodes = list(ast.walk(ast.parse(plain)))
    except SyntaxError:
        return re.search(r"^\s*assert\b", plain, re.M) is not None
    names = {getattr(n.func, "attr", getattr(n.func, "id", "")) for n in nodes if isinstance(n, ast.Call)}
    return any(isinstance(n, ast.Assert) for n in nodes) or any(name.startswith("assert_") for name in names)


def texts(output):
    """The readable parts of an output: (kind, text)."""
    if output.output_type == "stream":
        yield output.name, output.text
    elif output.output_type == "error":
        yield "error", "\n".join([output.ename, output.evalue, *output.traceback])
    else:
        for kind, value in output.data.items():
            if not kind.startswith("image/") or kind == "image/svg+xml":
                yield kind, value if isinstance(value, str) else json.dumps(value)


# ------------------------------------------------------------------------------------------------- outputs


def check_format(notebook):
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield f"format {notebook.nbformat}.{notebook.nbformat_minor}, not 4.5"
        return
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"not a valid notebook: {str(error).splitlines()[0]}"
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not named python3, so that a reader's Jupyter would ask for one"
    if "widgets" in notebook.metadata:
        yield "metadata.widgets is stored; its ids change with every run"


def check_executed(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"code cells not executed once, in order: counts are {counts}"


def check_outputs(notebook):
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                yield f"cell {index}: a stored error, {output.ename}: {output.evalue[:80]}"
            for kind, text in texts(output):
                if found := MACHINE_PATH.search(text):
                    yield f"cell {index}: a path of one machine, {text[found.start() : found.end() + 40]!r}"
                if kind == "stderr":
                    yield f"cell {index}: output on stderr, {text.strip()[:80]!r}"
            for kind, value in output.get("data", {}).items():
                if kind == WIDGET_VIEW:
                    yield f"cell {index}: a widget's view is stored; without its kernel it shows as an error"
                if kind in ("image/png", "image/jpeg"):
                    if not output.get("metadata", {}).get(kind, {}).get("alt", "").strip():
                        yield f"cell {index}: a figure without alt text: use plots.show(fig, alt=...), and no pyplot"
                    if (size := len(value) * 3 // 4) > MAX_IMAGE_BYTES:
                        yield f"cell {index}: a figure of {size // 1000} kB, at most {MAX_IMAGE_BYTES // 1000}"


def check_ignored(notebook):
    """What is printed but not compared must be held by an assertion: in the cell or in one of the next two."""
    cells = code_cells(notebook)
    for number, cell in enumerate(cells):
        if output_ignored(cell) and "widget" not in tags(cell):
            near = cells[number : number + 3]
            if not any(has_assert(c.source) for c in near):
                yield (
                    f"code cell {number + 1}: its output is not compared, and neither it nor the next two cells "
                    f"assert anything: {cell.source.strip().splitlines()[0][:60]!r}"
                )
        if tags(cell) & {"nbval-skip"} or re.search(r"^#\s*NBVAL_SKIP", cell.source, re.M):
            yield f"code cell {number + 1}: skipped by nbval, so that nothing tests it"


def check_guesses(notebook):
    """Where a guess is asked for, the result stays folded away until the learner runs the cell."""
    asked = False
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            asked = GUESS.search(cell.source) is not None
        elif asked and cell.get("outputs") and "widget" not in tags(cell):
            folded = cell.metadata.get("jupyter", {}).get("outputs_hidden") and "hide-output" in tags(cell)
            if not folded:
                yield f"cell {number}: a guess is asked for, and its output is not folded away (`hide-output`)"


# ------------------------------------------------------------------------------------------------- contents


def check_code(notebook):
    for number, cell in enumerate(code_cells(notebook), 1):
        limit = MAX_EXERCISE_LINES if re.search(r"^check\.", cell.source, re.M) else MAX_CODE_LINES
        if (lines := len(cell.source.strip().splitlines())) > limit:
            yield f"code cell {number}: {lines} lines, at most {limit}"
        if found := MACHINE_PATH.search(cell.source):
            yield f"code cell {number}: a path of one machine, {cell.source[found.start() : found.end() + 40]!r}"


def check_first_cell(notebook):
    cells = code_cells(notebook)
    missing = [part for part in FIRST_CELL if not cells or part not in cells[0].source]
    if missing:
        yield f"the first code cell is not the one that installs the course in Colab: {', '.join(missing)} missing"


def check_opening(notebook, name):
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "the first cell is not a title (# ...)"
    if "?" not in "".join(cell.source for cell in notebook.cells[:3] if cell.cell_type == "markdown"):
        yield "no question in the first three cells"
    if COLAB + "notebooks/" + name not in prose(notebook):
        yield f"no Colab badge that leads to {COLAB}notebooks/{name}"


def check_headings(notebook):
    text = prose(notebook)
    for heading in HEADINGS:
        if not re.search(rf"^\s*(?:#+ |[-*|] ?)?(?:\*\*)?[^\w\n]*{re.escape(heading)}", text, re.M | re.I):
            yield f"no heading {heading!r}"


def section(notebook, heading):
    """The prose under a heading, up to the next one of the same level; `None` without the heading."""
    found = re.search(rf"^## {re.escape(heading)}[^\n]*\n(.*?)(?=^## |\Z)", prose(notebook), re.M | re.S)
    return found[1] if found else None


def minutes(text):
    """Reading, running and exercises together, as the section on minutes says."""
    return sum(map(int, re.findall(r"(?:Reading|running|exercises) (\d+)", text)))


def answered(quiz):
    """Whether the quiz has 3 to 5 questions, each with an answer that begins with its letter: `**(a).**`."""
    answers = re.findall(r"</summary>\s*\*\*\([a-d]\)", quiz)
    return 3 <= len(QUIZ.findall(quiz)) <= 5 and len(answers) == len(QUIZ.findall(quiz))


def options(quiz):
    """Of each question: how long its options are, in order, and which of them is right, counted from 0."""
    for text, right in QUESTION.findall(quiz):
        shown = re.sub(r"<[^>]+>|&nbsp;|[`*]", "", " ".join(text.split()))
        yield [len(option.strip()) for option in re.split(r"\([a-c]\) ", shown)[1:]], "abc".index(right)


def check_quizzes(quizzes):
    """Over all lessons together: a guess by letter, or by length, is worth nothing."""
    every = [question for quiz in quizzes for question in options(quiz)]
    for i, letter in enumerate("abc"):
        share = sum(right == i for _, right in every) / len(every)
        if not 0.25 <= share <= 0.42:
            yield f"({letter}) is right in {100 * share:.0f} % of the questions: between 25 and 42 %"
    longest = sum(
        all(sizes[right] > 1.15 * size for i, size in enumerate(sizes) if i != right) for sizes, right in every
    )
    if longest > len(every) / 4:
        yield f"the right answer is the longest by far in {longest} of {len(every)} questions: a quarter at most"


# heading -> (what its section must hold, what to say if it does not)
SECTIONS = {
    "What you will be able to do": (
        lambda text: len(re.findall(r"^- ", text, re.M)) >= 3,
        "fewer than three things that a learner will be able to do",
    ),
    "Minutes": (minutes, "the minutes of reading, running and exercises are not given as numbers"),
    "Recap": (lambda text: len(re.findall(r"^\d\. ", text, re.M)) == 5, "the recap has not five points"),
    "Quiz": (answered, "the quiz has not 3 to 5 questions, each answered by its letter, **(a).**"),
    "Where this lives in the package": (
        lambda text: "`deeplab_teach." in text,
        "the package's pointers name nothing of the package",
    ),
    "Further reading": (
        lambda text: re.search(r"\(https://arxiv\.org/abs/\d{4}\.\d{4,5}\)", text),
        "the further reading links no paper",
    ),
}


def check_prose(notebook):
    """Long enough to teach, and each section holds what its heading promises."""
    if (words := len(prose(notebook).split())) < MIN_WORDS:
        yield f"{words} words of prose, at least {MIN_WORDS}"
    for heading, (holds, sentence) in SECTIONS.items():
        text = section(notebook, heading)
        if text is not None and not holds(text):
            yield sentence


def check_exercises(notebook):
    """Each exercise has its minutes, and a cell that checks it; the progress follows."""
    titles = re.findall(r"^### Exercise \d: .*", prose(notebook), re.M)
    checks = re.findall(r"^check\.(\w+)\(\w+\)$", "\n".join(cell.source for cell in code_cells(notebook)), re.M)
    if not 2 <= len(titles) <= 4 or len(titles) != len(checks):
        yield f"{len(titles)} exercises and {len(checks)} checks: 2 to 4, as many of each"
    if any(not re.search(r"\(\d+ minutes\)$", title) for title in titles):
        yield "an exercise without its minutes"


def anchors(notebook):
    """What `#...` may name: Jupyter makes them from headings, with `-` for a blank."""
    found = re.findall(r"^#+ (.+?)\s*$", prose(notebook), re.M)
    return {text.replace(" ", "-") for text in found} | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", prose(notebook)))


def links(text):
    """Targets of links and pictures, code left out."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    return [a or b for a, b in LINK.findall(text)]


def check_links(notebook, folder):
    for link in links(prose(notebook)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        if target and not (folder / unquote(target)).resolve().exists():
            yield f"a link to {link}, which does not exist"
        elif not target and unquote(anchor) not in anchors(notebook):
            yield f"a link to #{anchor}, which no heading makes"


def resolves(name):
    """Whether a dotted name such as `deeplab_teach.models.SegmentationModel` exists."""
    parts = name.split(".")
    parts = {"dt": ["deeplab_teach"], "check": ["deeplab_teach", "check"]}.get(parts[0], parts[:1]) + parts[1:]
    thing = importlib.import_module(parts[0])
    for depth, part in enumerate(parts[1:], 1):
        if not hasattr(thing, part):
            try:
                importlib.import_module(".".join(parts[: depth + 1]))
            except ModuleNotFoundError:
                return False
        thing = getattr(thing, part)
    return True


def check_names(text):
    for name in sorted(set(DOTTED.findall(text))):
        if not resolves(name):
            yield f"prose names `{name}`, which does not exist"
    for path in sorted(set(PACKAGE_FILE.findall(text))):
        if not (ROOT / path).exists():
            yield f"prose names the file `{path}`, which does not exist"


def problems(notebook, name, folder=NOTEBOOKS):
    """Everything that is wrong with one lesson or appendix, as sentences; an empty list is a good one."""
    appendix = APPENDIX.fullmatch(name)
    named = appendix or NAME.fullmatch(name)
    found = [] if named else [f"the file's name is neither NN_title.ipynb nor AN_title.ipynb: {name}"]
    if (size := len(nbformat.writes(notebook).encode())) > MAX_BYTES:
        found.append(f"{size / 1e6:.2f} MB, at most {MAX_BYTES / 1e6}")
    for check in (
        check_format,
        check_executed,
        check_outputs,
        check_ignored,
        check_guesses,
        check_code,
        check_first_cell,
    ):
        found += check(notebook)
    found += check_opening(notebook, name)
    found += check_links(notebook, folder)
    found += check_names(prose(notebook))
    if not appendix:
        found += check_headings(notebook)
        found += check_prose(notebook)
        found += check_exercises(notebook)
    return found
