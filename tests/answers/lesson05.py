"""Answers to the exercises of lesson 05."""

import copy
import math

import numpy as np
import torch

from answers import right, slips

# -------------------------------------------------------------------------------------------------------- plan_strides


@right("plan_strides")
def plan(strides, output_stride):
    rows, reached, rate = [], 1, 1
    for stride in strides:
        before = rate
        if reached * stride <= output_stride:
            taken = stride
        else:
            taken = 1
            rate = rate * stride
        reached = reached * taken
        rows.append((taken, before, rate))
    return rows


slips(
    "plan_strides",
    plan,
    r"""
the `return` stands inside the loop
    rate))\n    return => rate))\n        return
No stage of yours gives its stride up
    reached = reached * taken => reached = 1
leave every rate at 1
    (taken, before, rate) => (taken, 1, 1)
Your rate_in is the new rate already
    (taken, before, rate) => (taken, rate, rate)
Your rate_out comes one stage late
    (taken, before, rate) => (taken, before, before)
Your rate_in is always 1
    (taken, before, rate) => (taken, 1, rate)
Each stage of yours begins at rate 1 again
    before = rate => rate = before = 1
falls back to rate 1
    taken = stride => rows.append((stride, 1, 1))\n            reached *= stride\n            continue
Rates are added in yours
    rate * stride => rate + stride - 1
only knows the stage's own stride
    rate = rate * stride => rate = stride
Your rate doubles
    rate * stride => rate * 2
?
    (taken, before => (stride, before
dilates and strides as well
    taken = 1\n => taken = stride\n
to reach output_stride exactly is allowed
    <= output => < output
You notice one stage too late
    reached * stride <= => reached <=
whether output_stride is reached, not
    reached * stride <= => reached <
all later ones do in yours
    before = rate\n => before, reached = rate, reached * stride\n
    reached * stride <= => reached <=
    reached = reached * taken => pass
You add up the strides
    rows, reached, rate = [], 1, 1 => rows, reached, rate = [], 0, 1
    reached * stride <= => reached + stride <=
    reached * taken => reached + taken
is the product of the strides so far
    (taken, before => (reached, before
rate_in and rate_out are swapped
    before, rate)) => rate, before))
?
    (taken, before, rate) => (before, rate, taken)
You divide the product of all strides
    strides:\n => strides:\n        total = reached if not rows else total * nominal\n        nominal = stride\n
    before = rate\n => before = max(1, total // output_stride)\n
    rate)) => max(1, total * stride // output_stride)))
does not return a list
    return rows => return zip(*zip(*rows))
hold three numbers
    before, rate)) => rate))
There are floats
    rate = rate * stride => rate = rate * stride / 1
changes what it is given
    return rows => strides.append(1) if isinstance(strides, list) else None\n    return rows
yours takes
    def plan(strides => def plan(steps
    in strides => in steps
Go through it stage by stage
    return rows => return [row for row in rows if row[1] != row[2]]
Go through it stage by stage
    in strides => in [2] * len(strides)
raised an error
    in strides: => in strides.copy():
the package's own `plan_strides`
    rows, reached, rate = [], 1, 1 => from deeplab_teach.layers import plan_strides as f\n    return f(strides, 8)
in it
    return rows => globals().setdefault('ROWS', []).append(1)\n    return rows + [(1, 1, 1)] * (len(ROWS) > 17)
""",
)


@right("plan_strides")
def by_product(strides, output_stride):
    """The rate is what the nominal strides have and the network has not."""
    rows, total, reached = [], 1, 1
    for i in range(len(strides)):
        rate_in = total // reached
        total = math.prod(strides[: i + 1])
        stride = strides[i] if reached * strides[i] <= output_stride else 1
        reached *= stride
        rows += [[stride, rate_in, total // reached]]
    return rows


@right("plan_strides")
def by_recursion(strides, output_stride, rate=1):
    if not strides:
        return ()
    first, *rest = strides
    if first > output_stride:
        return ((1, rate, rate * first), *by_recursion(rest, output_stride, rate * first))
    return ((first, rate, rate), *by_recursion(rest, output_stride / first, rate))


@right("plan_strides")
def with_numpy(strides, output_stride):
    taken, reached = np.array(strides, dtype=np.int64), 1
    dropped = np.ones_like(taken)
    for i, stride in enumerate(strides):
        if reached * stride > output_stride:
            taken[i], dropped[i] = 1, stride
        reached *= taken[i]
    after = np.cumprod(dropped)
    return list(zip(taken, after // dropped, after, strict=True))


# ------------------------------------------------------------------------------------------------------- same_features


@right("same_features")
def agree(a, b):
    a, b = copy.deepcopy(a), copy.deepcopy(b)
    a.eval()
    b.eval()
    x = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        coarse = a(x)
        dense = b(x)
    result = {}
    for key in coarse:
        k = a.feature_specs[key].stride // b.feature_specs[key].stride
        mine = dense[key][:, :, ::k, ::k]
        if mine.shape != coarse[key].shape:
            result[key] = False
        else:
            error = (mine - coarse[key]).abs().max() / coarse[key].abs().max()
            result[key] = error.item() < 1e-3
    return result


slips(
    "same_features",
    agree,
    r"""
the `return` stands inside the loop
    < 1e-3\n    return => < 1e-3\n        return
True and False are exchanged
    < 1e-3 => > 1e-3
    result[key] = False => result[key] = True
?
    < 1e-3 => > 1e-3
Nothing agrees in yours
    b(x) => b(torch.randn(2, 3, 128, 128))
Nothing agrees in yours
    a.eval()\n    b.eval() => a.train()\n    b.train()
Both backbones must be in eval mode
    a.eval()\n    b.eval() => pass
shared places are every second row
    [:, :, ::k, ::k] => [:]
shared places are every second row
    [:, :, ::k, ::k] => [:, :, :coarse[key].shape[2], :coarse[key].shape[3]]
shared places are every second row
    [:, :, ::k, ::k] => [:, :, k // 2::k, k // 2::k]
A step of 2 is written out
    ::k, ::k => ::2, ::2
One step is used for all maps
    a.feature_specs[key].stride // b.feature_specs[key].stride => 1
    ::k, ::k] => ::list(a.feature_specs.values())[-1].stride // list(b.feature_specs.values())[-1].stride,
        ::list(a.feature_specs.values())[-1].stride // list(b.feature_specs.values())[-1].stride]
raised an error
    a.feature_specs[key].stride // b.feature_specs[key].stride => b.feature_specs[key].stride //
        a.feature_specs[key].stride
You ask for equal numbers
    error.item() < 1e-3 => torch.equal(mine, coarse[key])
?
    error.item() < 1e-3 => torch.allclose(mine, coarse[key])
Your limit does not depend on the map
    / coarse[key].abs().max() => / 1
Your limit does not depend on the map
    error.item() < 1e-3 => torch.allclose(mine, coarse[key], atol=1e-4)
A map that is wrong by half a percent passes
    < 1e-3 => < 0.02
Differences below zero pass
    (mine - coarse[key]).abs().max() => (mine - coarse[key]).max()
Not all values count
    (mine - coarse[key]).abs().max() => (mine - coarse[key])[:, :, 0, 0].abs().max()
The border does not count
    (mine - coarse[key]).abs().max() => (mine - coarse[key])[..., 1:-1, 1:-1].abs().max()
stops at the first map
    < 1e-3\n => < 1e-3\n            if not result[key]: break\n
takes images of 64 x 64 pixels or more
    128, 128 => 32, 32
Maps of different sizes were compared
    mine.shape != coarse[key].shape => False
the same value everywhere
    torch.randn(2, 3, => torch.ones(2, 3,
Not all values count
    mine = dense[key][:, :, => mine = dense[key][:, :3,
    mine.shape != coarse[key].shape => mine.shape[2:] != coarse[key].shape[2:]
    mine - coarse[key] => mine[:, 0] - coarse[key][:, 0]
records gradients
    with torch.no_grad(): => if True:
changes what it is given
    copy.deepcopy(a), copy.deepcopy(b) => a, b
changes what it is given
    copy.deepcopy(a), copy.deepcopy(b) => a, b
    return result => a.train()\n    b.train()\n    return result
does not return a dict
    return result => return [key for key in result if not result[key]]
There is a tensor of shape () in your dict
    error.item() < 1e-3 => error < 1e-3
There is a float in your dict
    error.item() < 1e-3 => error.item()
raised an error
    != coarse[key] => != coarse(key)
""",
)


@right("same_features")
def with_modes_put_back(a, b):
    """No copies: the modes are remembered."""
    modes = [(part, part.training) for net in (a, b) for part in net.modules()]
    try:
        with torch.inference_mode():
            image = torch.rand(1, 3, 97, 66)
            first, second = a.eval()(image), b.eval()(image)
    finally:
        for part, mode in modes:
            part.training = mode
    answer = dict.fromkeys(first, False)
    for key, spec in a.feature_specs.items():
        x, y = first[key].double(), second[key].double()
        y = y[..., :: spec.stride // b.feature_specs[key].stride, :: spec.stride // b.feature_specs[key].stride]
        answer[key] = x.shape == y.shape and torch.allclose(x, y, rtol=0, atol=5e-4 * float(x.abs().max()))
    return answer


@right("same_features")
def by_length(a, b):
    """With lengths in place of the largest values, in double precision, the step from the sizes of the maps."""
    a, b = (copy.deepcopy(net).double().eval().requires_grad_(False) for net in (a, b))
    with torch.no_grad():
        image = torch.randn(1, 3, 128, 128, dtype=torch.float64)
        maps, dense = a(image), b(image)

    def same(x, y):
        step = round(y.shape[2] / x.shape[2])
        y = y[:, :, ::step, ::step]
        return y.shape == x.shape and np.linalg.norm((x - y).flatten()) < 1e-3 * np.linalg.norm(x.flatten())

    return {key: same(maps[key], dense[key]) for key in maps}


@right("same_features")
def by_places(a, b):
    def run(net, image):
        with torch.no_grad():
            return copy.deepcopy(net).eval()(image)

    image = torch.randn(1, 3, 64, 80)
    coarse, dense = run(a, image), run(b, image)
    same = {}
    for key, x in coarse.items():
        step = a.feature_specs[key].stride // b.feature_specs[key].stride
        rows, columns = (torch.arange(0, size, step) for size in dense[key].shape[-2:])
        y = dense[key].index_select(2, rows).index_select(3, columns)
        same[key] = x.size() == y.size() and ((x - y).abs() <= 1e-3 * x.abs().max()).all().item()
    return same
