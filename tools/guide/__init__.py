"""The pages of `docs/` that are taken from the code, so that they cannot say anything else than it does."""

from collections.abc import Callable

from .mistakes import mistakes_page
from .objectives import objectives_page
from .questions import bank_page, concept_page
from .troubleshooting import troubleshooting_page

PAGES: dict[str, Callable[[], str]] = {
    "objectives.md": objectives_page,
    "mistakes.md": mistakes_page,
    "question_bank.md": bank_page,
    "concept_test.md": concept_page,
    "troubleshooting.md": troubleshooting_page,
}
