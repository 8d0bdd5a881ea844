"""Tokens in a row, names as points, and networks cut into the parts that their authors name."""

import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from deeplab_teach.papers import Case, Network, role_of
from deeplab_teach.plots.style import COLORS, OBJECTS, ink, new_figure, own_style, set_title, to_image

NONE = "#BDBDBD"  # a part that plays none of the three roles
# The questions that a definition may ask of a part, in words.
QUESTIONS = {
    "reads_input": "reads the\ninput itself",
    "reads_image": "the input is\nan image",
    "gives_features": "gives\nfeatures",
    "learnt_elsewhere": "other task\nfirst",
    "exchanged": "was\nexchanged",
    "several_heads": "several\nheads",
    "called": "authors say\nbackbone",
}


@own_style
def draw_tokens(rows: dict[str, Sequence[Tensor | str | None]], title: str) -> Figure:
    """Each row a sequence of tokens, side by side: pieces of a photograph `(3, h, w)`, or of a text.

    `None` stands for padding, drawn in grey.
    """
    longest = max(len(row) for row in rows.values())
    fig, (ax,) = new_figure(9.2, 0.85 * len(rows) + 0.75)
    for number, (name, row) in enumerate(rows.items()):
        y = -1.45 * number
        ax.text(-0.15, y + 0.5, name, ha="right", va="center", fontsize=8.5)
        for i, token in enumerate(row):
            if isinstance(token, Tensor):
                ax.imshow(to_image(token), extent=(i, i + 0.92, y, y + 0.92), zorder=2)
            color = COLORS["input"] if token is None else COLORS["backbone"]
            fill = "#E4E4E4" if token is None else "none" if isinstance(token, Tensor) else "#E6F0F7"
            ax.add_patch(Rectangle((i, y), 0.92, 0.92, facecolor=fill, edgecolor=color, linewidth=1.5, zorder=3))
            if not isinstance(token, Tensor):
                word = "[PAD]" if token is None else token
                size = 7 if len(word) < 8 or token is None else 5.6
                ax.text(i + 0.46, y + 0.46, word, ha="center", va="center", fontsize=size, zorder=4)
    ax.set(xlim=(-2.6, longest + 0.1), ylim=(-1.45 * (len(rows) - 1) - 0.2, 1.25), aspect="equal")
    ax.axis("off")
    set_title(fig, title)
    return fig


@own_style
def draw_cloud(
    points: Tensor, groups: dict[str, Tensor], names: dict[int, str], title: str, *, xlabel: str, ylabel: str
) -> Figure:
    """Many things as points `(n, 2)`, coloured by group, a few of them named.

    Args:
        groups: `{"animals": bool (n,), ...}`, two of them.
        names: what is written beside which point.
    """
    fig, (ax,) = new_figure(8.2, 4.6)
    for (group, inside), color, marker in zip(groups.items(), (OBJECTS[5], OBJECTS[3]), "o^", strict=True):
        x, y = points[inside].T.tolist()
        ax.plot(x, y, marker, color=color, markersize=3.5, alpha=0.45, linewidth=0, label=group)
    for number, name in names.items():
        place = points[number].tolist()
        ax.plot(*place, "o", markersize=9, markerfacecolor="none", markeredgecolor="black")
        ax.annotate(name, place, (5, 4), textcoords="offset points", fontsize=8)
    ax.set(xlabel=xlabel, ylabel=ylabel, xticks=[], yticks=[])
    fig.legend(loc="outside lower center", ncols=2, frameon=False, markerscale=2)
    set_title(fig, title)
    return fig


@own_style
def draw_parts(networks: Sequence[Network], title: str) -> Figure:
    """Each network a row of its parts, in its authors' words and in the colour of the role that the part plays."""
    fig, (ax,) = new_figure(9.2, 0.52 * len(networks) + 0.9)
    widths = {"backbone": 4.0, "neck": 3.2, "head": 4.0, "none": 2.6}
    for row, network in enumerate(networks):
        y, x = -row, 2.6
        ax.text(0, y + 0.36, network.name, va="center", fontsize=9, weight="bold")
        ax.text(0, y + 0.04, f"{network.year}, {network.reads}", va="center", fontsize=7, color="#555555")
        for words, role in network.parts:
            color, width = COLORS.get(role, NONE), widths[role]
            box = FancyBboxPatch((x, y - 0.06), width - 0.2, 0.58, boxstyle="round,pad=0.03", edgecolor="none")
            box.set_facecolor(color)
            ax.add_patch(box)
            lines = textwrap.fill(words, int(width * 6.8))
            on_it = "white" if role in ("backbone", "neck") else "black"
            ax.text(x + width / 2 - 0.1, y + 0.23, lines, ha="center", va="center", fontsize=7, color=on_it)
            x += width
    for x, (role, color) in zip(
        (2.6, 4.9, 6.6, 8.3),
        [*((role, COLORS[role]) for role in ("backbone", "neck", "head")), ("none of the three", NONE)],
        strict=True,
    ):
        ax.add_patch(Rectangle((x, 0.93), 0.3, 0.3, facecolor=color))
        ax.text(x + 0.42, 1.08, role, va="center", fontsize=8, color=ink(color) if color != NONE else "#444444")
    ax.set(xlim=(-0.1, 13.9), ylim=(-len(networks) + 0.7, 1.35))
    ax.axis("off")
    set_title(fig, title)
    return fig


def fits(case: Case, asked: Sequence[str]) -> bool:
    """Whether a part answers yes to all questions that a definition asks (keys of `QUESTIONS`)."""
    return all("backbone" in case.called if key == "called" else getattr(case, key) for key in asked)


@own_style
def draw_definition(cases: Sequence[Case], asked: Sequence[str], title: str) -> Figure:
    """Parts against questions: a dot for yes, and which parts a definition that asks some of them calls a backbone."""
    fig, (ax,) = new_figure(9.2, 0.36 * len(cases) + 1.3)
    columns = list(QUESTIONS)
    for column, key in enumerate(columns):
        color = COLORS["backbone"] if key in asked else "#777777"
        ax.text(column, 0.75, QUESTIONS[key], ha="center", va="bottom", fontsize=7.5, color=color)
        if key in asked:
            ax.add_patch(Rectangle((column - 0.46, -len(cases) + 0.55), 0.92, len(cases), facecolor="#E6F0F7"))
    ax.text(len(columns) + 0.1, 0.75, "so it is,\nby this\ndefinition", ha="center", va="bottom", fontsize=7.5)
    ax.text(len(columns) + 1.4, 0.75, "by the\ncourse's", ha="center", va="bottom", fontsize=7.5)
    for row, case in enumerate(cases):
        ax.text(-0.65, -row, case.part, ha="right", va="center", fontsize=8)
        for column, key in enumerate(columns):
            ax.plot(column, -row, "o" if fits(case, [key]) else "_", color="#333333", markersize=5)
        said = (fits(case, asked), role_of(case) == "backbone")
        for x, yes, weight in zip((0.1, 1.4), said, ("bold", "normal"), strict=True):
            color = COLORS["backbone"] if yes else "#777777"
            words = {"color": color, "weight": weight, "ha": "center", "va": "center", "fontsize": 8}
            ax.text(len(columns) + x, -row, "backbone" if yes else "no", **words)
    ax.set(xlim=(-5.6, len(columns) + 2.1), ylim=(-len(cases) + 0.4, 2.2))
    ax.axis("off")
    set_title(fig, title)
    return fig
