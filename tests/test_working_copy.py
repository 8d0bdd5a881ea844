"""Learners write into copies of the lessons: what is theirs stays, the rest follows the course."""

import pytest
import working_copy


@pytest.fixture
def folders(tmp_path):
    source, target = tmp_path / "notebooks", tmp_path / "my_notebooks"
    for name, text in {"00.ipynb": "zero", "01.ipynb": "one", "images/a.png": "picture"}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (source / ".deeplab_teach_progress.json").write_text("{}")
    (source / ".ipynb_checkpoints").mkdir()
    (source / ".ipynb_checkpoints" / "00-checkpoint.ipynb").write_text("old")
    assert working_copy.update(source, target) == []
    return source, target


def test_everything_is_copied_once(folders):
    source, target = folders
    there = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert there == {"00.ipynb", "01.ipynb", "images/a.png", working_copy.RECORD}
    assert working_copy.update(source, target) == []


def test_what_is_untouched_follows_the_course(folders):
    source, target = folders
    (source / "00.ipynb").write_text("zero, second edition")
    (source / "02.ipynb").write_text("two")
    assert working_copy.update(source, target) == []
    assert (target / "00.ipynb").read_text() == "zero, second edition" and (target / "02.ipynb").read_text() == "two"


def test_what_is_yours_stays_and_is_told_once(folders):
    source, target = folders
    (target / "00.ipynb").write_text("zero, and my answers")
    assert working_copy.update(source, target) == []
    (source / "00.ipynb").write_text("zero, second edition")
    (told,) = working_copy.update(source, target)
    assert told.startswith("00.ipynb has changed in the course. Yours stays as it is")
    assert working_copy.update(source, target) == []
    assert (target / "00.ipynb").read_text() == "zero, and my answers"


def test_a_deleted_copy_begins_again(folders):
    source, target = folders
    (target / "00.ipynb").write_text("zero, and my answers")
    working_copy.update(source, target)
    (target / "00.ipynb").unlink()
    assert working_copy.update(source, target) == []
    assert (target / "00.ipynb").read_text() == "zero"
