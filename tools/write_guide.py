"""Write the pages of `docs/` that are taken from the code, and the diagram.

python tools/write_guide.py
"""

from pathlib import Path

from guide import PAGES
from guide.diagram import write_diagram

from deeplab_teach.data_files import atomic_write

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    for name, page in PAGES.items():
        with atomic_write(DOCS / name) as temporary:
            temporary.write_text(page().rstrip() + "\n", encoding="utf-8")
        print(f"wrote docs/{name}")
    write_diagram(DOCS)
    print("wrote docs/diagram.pdf and docs/diagram.png")


if __name__ == "__main__":
    main()
