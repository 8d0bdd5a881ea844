"""Where the course is published: owner, name and tag stand in pyproject.toml, and this writes them everywhere else.

python tools/repository.py                     say what they are
python tools/repository.py OWNER/NAME          for a fork: links, badges and install cells lead to it
python tools/repository.py OWNER/NAME v1.2     for a release: badges and install cells take its tag, not `main`
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from deeplab_teach.data_files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
WORD = r"[\w.-]+"


def published(root: Path = ROOT) -> tuple[str, str]:
    """`("owner/name", "tag")`, of `project.urls` and `tool.deeplab_teach` in pyproject.toml."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    slug = settings["project"]["urls"]["Repository"].removeprefix("https://github.com/")
    return slug, settings["tool"]["deeplab_teach"]["tag"]


def rewritten(text: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """A file's text, published at `new` in place of `old`."""
    (slug, tag), (new_slug, new_tag) = old, new
    at = "" if new_tag == "main" else f"@{new_tag}"
    text = text.replace(f"{slug}/blob/{tag}/", f"{new_slug}/blob/{new_tag}/")  # Colab's badges, and links
    text = text.replace(f"v2/gh/{slug}/{tag}", f"v2/gh/{new_slug}/{new_tag}")  # Binder's
    text = re.sub(rf"(git\+https://github\.com/){re.escape(slug)}(?:@{WORD})?(?!/)", rf"\g<1>{new_slug}{at}", text)
    text = re.sub(rf"{re.escape(slug)}(?![\w-])", new_slug, text)
    return re.sub(rf'^(tag = )"{re.escape(tag)}"', rf'\1"{new_tag}"', text, flags=re.M)


def publish_at(new: tuple[str, str], root: Path = ROOT) -> list[str]:
    """Rewrite every tracked file that names the repository; returns their names."""
    old = published(root)
    command = ["git", "grep", "-lIF", "-e", old[0], "-e", 'tag = "']
    files = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    changed = []
    for name in files:
        path = root / name
        text = path.read_text(encoding="utf-8")
        if (now := rewritten(text, old, new)) != text:
            with atomic_write(path) as temporary:
                temporary.write_text(now, encoding="utf-8")
            changed.append(name)
    if any(name.startswith("data/") for name in changed):
        subprocess.run([sys.executable, "data/make_sums.py"], cwd=root, check=True)
    return changed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slug", nargs="?", metavar="OWNER/NAME")
    parser.add_argument("tag", nargs="?", default="main")
    arguments = parser.parse_args()
    if arguments.slug is None:
        print("{} at {}".format(*published()))
    elif not re.fullmatch(f"{WORD}/{WORD}", arguments.slug) or not re.fullmatch(WORD, arguments.tag):
        sys.exit(f"expected OWNER/NAME and a tag, such as {published()[0]} main; got {arguments.slug} {arguments.tag}.")
    else:
        print(*publish_at((arguments.slug, arguments.tag)), sep="\n")
