"""How well the exercises' checks judge: `make mutants-checks`, for all exercises or those named.

First every answer of `tests/answers/` is judged: how many wrong ones are caught, by the right name, under a wrong one,
or in general words; how many are accepted; how many right ones are rejected. Then every reference is mutated by itself,
one operator, constant, comparison or line at a time: a check should notice each mutant. Mutants that it accepts are
printed; those that compute the same, whatever they are given, are listed in `EQUAL` with the reason.
"""

import argparse
import ast
import copy
import importlib
import inspect
import itertools
import os
import sys
import textwrap
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("DEEPLAB_TEACH_TIME_LIMIT", "5")
os.environ["DEEPLAB_TEACH_PROGRESS"] = ""
warnings.simplefilter("ignore")

import answers  # noqa: E402

from deeplab_teach import check  # noqa: E402
from deeplab_teach.check.engine import RIGHT, WRONG  # noqa: E402
from deeplab_teach.check.mistakes import compiled  # noqa: E402

# Exercise -> a piece of the changed line -> why a check should not notice it: nothing that is asked for changes.
EQUAL: dict[str, dict[str, str]] = {
    "sampling_points": {"samples: int=": "the exercise's function is always given `samples`"},
    "region_levels": {"+ 0).floor()": "a guard against rounding; the boundaries asked about come out exactly"},
    "answer_together": {"x.shape[+2]": "of four axes, the last two are those from the second on"},
    "paste_mask": {"abs() < 1": "the box's borders are whole pixels: no pixel's middle lies on one"},
    "vgg": {
        "min_side =": "images that are too small are not asked about",
        "self.name": "not asked for",
        "self.feature_specs": "not asked for",
        "require_output_stride(": "output strides are lesson 05's",
        "if depths is None": "the exercise's class has depths of its own",
        "depths = DEPTHS": "the exercise's class has depths of its own",
        "def __init__(self, name: str,": "the exercise's class has a signature of its own",
        "_bn": "the variant with batch norms is not asked for",
        "BatchNorm2d(": "the variant with batch norms is not asked for",
        "kaiming_normal_": "how weights begin; a check gives them values of its own",
        "zeros_(": "how weights begin; a check gives them values of its own",
        "for module in self.modules()": "how weights begin; a check gives them values of its own",
        "isinstance(module, nn.Conv2d)": "how weights begin; a check gives them values of its own",
        "inplace=True": "the same values",
    },
    "tiny_head": {
        "task = ": "what a head declares; the exercise's has no such thing",
        "require_num_classes(": "an impossible number of classes is not asked about",
        "self.num_classes = ": "what a head declares; the exercise's has no such thing",
    },
    "separable_conv": {"_require_odd(": "the exercise's kernel is 3x3"},
    "pixel_loss": {
        "(target == ignore_index).all()": "a batch of ignored pixels alone is not asked about",
        "logits.sum()": "a batch of ignored pixels alone is not asked about",
    },
    "confusion_matrix": {"ignore_index is None": "the exercise always has an ignored label"},
    "nms": {
        "stable=False": "no two scores are equal",
        "order[0:]": "a box overlaps itself by 1, and goes with the others",
    },
    "top_down": {"fine.shape[+2:]": "of four axes the last two"},
    "multiply_adds": {
        "ConvTranspose2d": "transposed convolutions are not asked about",
        "torch.Size(input_shape).numel()": "transposed convolutions are not asked about",
        "kernel_h, kernel_w = module.kernel_size": "the second such line is of transposed convolutions",
        "Attention": "the package's own attention is not asked about",
    },
    "same_features": {
        "noise = torch.randn(": "size, number and seed of the random image are left open",
        "and bool((found - due).abs().max() < limit)": "a difference of just the limit does not occur",
    },
    "image_pooling": {
        "size=x.shape[+2:]": "of four axes, the last two are those from the second on",
        "align_corners=True": "a single place is spread alike in both ways",
    },
    "aspp": {
        "def __init__(self, in_channels: int, atrous_rates": "the exercise's class has a signature of its own",
        "if separable else": "separable branches are not asked for",
    },
    "decoder": {"size=low.shape[+2:]": "of four axes, the last two are those from the second on"},
    "trimap_band": {"else labels[..., None, :, :].float()": "pooling takes (1, H, W) as well as (1, 1, H, W)"},
    "basic_block": {"expansion =": "read by a ResNet, not by the block; not asked for"},
    "resnet": {
        "self.name": "not asked for",
        "self.feature_specs": "not asked for",
        "FeatureSpec(": "not asked for",
        "kaiming_normal_": "how weights begin; a check gives them values of its own",
        "for module in self.modules()": "how weights begin; a check gives them values of its own",
        "isinstance(module, nn.Conv2d)": "how weights begin; a check gives them values of its own",
        "plan_strides(": "output strides are lesson 05's",
        "def __init__(self, name: str,": "the exercise's class has a signature of its own",
        "strict=True": "asked for is a network, not a complaint about a wrong table",
    },
    "adapt": {
        "mean": "the colours of other weights are not asked for",
        "std": "the colours of other weights are not asked for",
        "self.keys": "a body that gives a list is not asked for",
        "shapes = ": "the words of an error",
        "blank = torch.zeros(": "how many blank images there are changes no map's rows or channels",
        "shape[-2]": "the blank image is square",
    },
    "diagnose": {
        "image = torch.full(": "which colour and which size is left open",
        "mask = torch.zeros(": "its size is left open",
        "mask[:, 49:]": "where the edge lies is left open",
        "torch.allclose(x[": "all pixels of one colour are alike, and the tolerance is left open",
        "confusion = torch.tensor(": "which matrix is left open, as long as background counts in it",
        "tutorial.score(confusion)": "a difference of just the tolerance does not occur, and it is left open",
    },
    "fold_batch_norm": {
        "norm.weight is None": "a batch norm without weights is not asked for",
        "norm.bias is None": "a batch norm without weights is not asked for",
    },
}

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(source: str):
    """`(what was done, source)` of every mutant, once each."""
    tree, seen = ast.parse(source), {ast.unparse(ast.parse(source))}
    skipped = {id(node) for part in ast.walk(tree) for node in _not_mutated(part)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for kind, change in _changes(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[number]
            change(target)
            text = ast.unparse(ast.fix_missing_locations(mutant))
            if text not in seen:
                seen.add(text)
                yield f"{kind}: {_difference(ast.unparse(tree), text)}", text


def _difference(before: str, after: str) -> str:
    """ "old line => new line" of the first line that changed."""
    for old, new in itertools.zip_longest(before.splitlines(), after.splitlines(), fillvalue=""):
        if old != new:
            return f"{old.strip()} => {new.strip()}"
    return ""


def _not_mutated(node):
    """Docstrings, annotations, decorators, and what only guards against bad input."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        if ast.get_docstring(node) is not None:
            yield from ast.walk(node.body[0])
        for decorator in node.decorator_list:
            yield from ast.walk(decorator)
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
        yield from ast.walk(node.returns)
    if isinstance(node, ast.arg) and node.annotation is not None:
        yield from ast.walk(node.annotation)
    if isinstance(node, ast.If) and any(isinstance(step, ast.Raise) for step in node.body):
        yield from ast.walk(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and "check_" in ast.unparse(node.value.func):
        yield from ast.walk(node)


def _changes(node):
    """`(kind, function that changes the node)` of each way to mutate one node."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield "operator", lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    if isinstance(node, ast.BoolOp):
        yield "and / or", lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield "comparison", lambda n: n.ops.__setitem__(0, SWAPS[type(n.ops[0])]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", lambda n: setattr(n, "op", ast.UAdd())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", lambda n: setattr(n, "operand", ast.UnaryOp(ast.Not(), n.operand))
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "constant", lambda n: setattr(n, "value", not n.value)
        elif isinstance(node.value, int | float):
            yield "constant + 1", lambda n: setattr(n, "value", n.value + 1)
            yield "constant 0", lambda n: setattr(n, "value", 0)
    if isinstance(node, ast.IfExp):
        yield "the one branch", lambda n: setattr(n, "orelse", n.body)
        yield "the other branch", lambda n: setattr(n, "body", n.orelse)
    for field in ("body", "orelse"):
        for i, step in enumerate(getattr(node, field, None) or [] if isinstance(node, ast.stmt | ast.Module) else []):
            droppable = isinstance(step, ast.Assign | ast.AugAssign | ast.For | ast.If) or (
                isinstance(step, ast.Expr) and isinstance(step.value, ast.Call)
            )
            guards = isinstance(step, ast.If) and any(isinstance(part, ast.Raise) for part in step.body)
            is_check = isinstance(step, ast.Expr) and "check_" in ast.unparse(step)
            if droppable and not guards and not is_check:
                yield "dropped", lambda n, f=field, i=i: getattr(n, f).__setitem__(i, ast.Pass())


def judge_answers(names) -> bool:
    print(f"{'exercise':18} {'wrong':>5} {'caught':>6} {'named':>5} {'misnamed':>8} {'accepted':>8}   right rejected")
    total, bad = [0] * 7, []
    for name in names:
        exercise = check.EXERCISES[name]
        known = sentences(exercise.lesson)
        row = [0] * 7
        for label, (answer, phrase) in answers.WRONG.get(name, {}).items():
            verdict = exercise.judge(answer)
            caught = verdict.state == WRONG
            named = caught and bool(phrase) and phrase in verdict.message
            misnamed = caught and not named and any(sentence in verdict.message for sentence in known)
            row[:5] = (row[0] + 1, row[1] + caught, row[2] + named, row[3] + misnamed, row[4] + (not caught))
            if not caught or misnamed:
                bad.append(f"{name}, {label}: {verdict.state}. {verdict.message.splitlines()[0][:150]}")
        for label, answer in ((label, answer) for exercise, label, answer in answers.RIGHT if exercise == name):
            verdict = exercise.judge(answer)
            row[5:] = (row[5] + 1, row[6] + (verdict.state != RIGHT))
            if verdict.state != RIGHT:
                bad.append(f"{name}, {label}: a right answer, {verdict.message.splitlines()[0][:150]}")
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(f"{name:18} {row[0]:5} {row[1]:6} {row[2]:5} {row[3]:8} {row[4]:8} {row[5]:7} {row[6]:8}", flush=True)
    print(f"{'all':18} {total[0]:5} {total[1]:6} {total[2]:5} {total[3]:8} {total[4]:8} {total[5]:7} {total[6]:8}")
    print(f"caught {total[1] / total[0]:.1%}, rightly named {total[2] / total[0]:.1%}\n", *bad, sep="\n")
    return not bad


def sentences(lesson) -> list[str]:
    tables = vars(importlib.import_module(f"deeplab_teach.check.lesson{lesson}"))
    return [mistake.sentence for name, rows in tables.items() if name.endswith("MISTAKES") for mistake in rows]


def judge_mutants(names) -> bool:
    print(f"{'exercise':18} mutants  killed")
    count = killed = 0
    survivors = []
    for name in names:
        exercise = check.EXERCISES[name]
        before = count, killed
        for what, source in mutants(textwrap.dedent(inspect.getsource(exercise.reference))):
            try:
                mutant = compiled(source, exercise.reference)
            except Exception:
                continue  # it cannot even be defined
            count += 1
            if exercise.judge(exercise.as_answer(mutant)).state == RIGHT:
                reason = next((why for line, why in EQUAL.get(name, {}).items() if line in what), None)
                count -= reason is not None  # nobody could kill it
                survivors.append(f"{name}, {what}: {reason or 'NOT EXPLAINED'}")
            else:
                killed += 1
        print(f"{name:18} {count - before[0]:7} {killed - before[1]:7}", flush=True)
    print(f"{'all':18} {count:7} {killed:7}   {killed / count:.1%}", *survivors, sep="\n")
    return killed >= 0.95 * count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="exercises; all without")
    parser.add_argument("--only", choices=("answers", "mutants"))
    options = parser.parse_args()
    names, start = options.names or list(check.EXERCISES), time.monotonic()
    good = options.only == "mutants" or judge_answers(names)
    good = (options.only == "answers" or judge_mutants(names)) and good
    print(f"{time.monotonic() - start:.0f} seconds")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
