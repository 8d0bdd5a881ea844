"""Answers to the exercises of lesson 05: wrong ones, each with a phrase of its message, and right ones."""

import math

import torch
from torch import nn

from deeplab_teach.backbones.resnet import BasicBlock

WRONG = {"plan_strides": {}, "dilated_kernel": {}, "make_stage": {}}


def wrong(name, phrase):
    def register(answer):
        WRONG[name][answer.__name__.strip("_")] = (answer, phrase)
        return answer

    return register


# ------------------------------------------------------------------------------------------------- plan_strides


def right_plan(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        if reached * stride <= output_stride:
            reached *= stride
            plan.append((stride, rate, rate))
        else:
            plan.append((1, rate, rate * stride))
            rate *= stride
    return plan


@wrong("plan_strides", "leave every rate at 1")
def stride_not_converted(strides, output_stride):
    return [(stride, 1, 1) for stride, _, _ in right_plan(strides, output_stride)]


@wrong("plan_strides", "spread out too early")
def first_dilated(strides, output_stride):
    return [(stride, rate, rate) for stride, _, rate in right_plan(strides, output_stride)]


def first_dilated_by_division(strides, output_stride):
    plan, total = [], 1
    for stride in strides:
        total *= stride
        rate = max(1, total // output_stride)
        plan.append((stride if total <= output_stride else 1, rate, rate))
    return plan


@wrong("plan_strides", "Your rate_out comes one stage late")
def rate_out_late(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        before = rate
        if reached * stride > output_stride:
            rate *= stride
            stride = 1
        reached *= stride
        plan.append((stride, before, before))
    return plan


def both_rates_late(strides, output_stride):
    plan, rate_in, rate_out = [], 1, 1
    for stride, _, rate in right_plan(strides, output_stride):
        plan.append((stride, rate_in, rate_out))
        rate_in, rate_out = rate_out, rate
    return plan


@wrong("plan_strides", "Rates are added")
def rates_added(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached * stride > output_stride:
            rate += stride - 1
            stride = 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "begins at rate 1 again")
def rate_reset(strides, output_stride):
    plan, reached = [], 1
    for stride in strides:
        if reached * stride > output_stride:
            plan.append((1, 1, stride))
        else:
            plan.append((stride, 1, 1))
            reached *= stride
    return plan


def rate_in_always_one(strides, output_stride):
    return [(stride, 1, rate) for stride, _, rate in right_plan(strides, output_stride)]


@wrong("plan_strides", "A stage whose own stride is 1 falls back")
def undilated_where_nothing_strides(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        if reached * stride > output_stride:
            plan.append((1, rate, rate * stride))
            rate *= stride
        else:
            plan.append((stride, 1, 1))
            reached *= stride
    return plan


@wrong("plan_strides", "only knows the stage's own stride")
def rate_not_multiplied(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached * stride > output_stride:
            rate, stride = stride, 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "dilates and strides as well")
def strides_too(strides, output_stride):
    plan = right_plan(strides, output_stride)
    return [(stride, *row[1:]) for stride, row in zip(strides, plan, strict=True)]


@wrong("plan_strides", "You give a stride up too early")
def one_stage_too_early(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached * stride >= output_stride:
            rate, stride = rate * stride, 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "You notice one stage too late")
def one_stage_too_late(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached > output_stride:
            rate, stride = rate * stride, 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "whether output_stride is reached already")
def reached_already(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached >= output_stride:
            rate, stride = rate * stride, 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "doubles, whatever the stride is")
def always_doubled(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached * stride > output_stride:
            rate, stride = rate * 2, 1
        reached *= stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "doubles in every stage")
def doubled_in_every_stage(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        if reached < output_stride:
            reached *= stride
            plan.append((stride, 1, 1))
        else:
            plan.append((1, rate, rate * 2))
            rate *= 2
    return plan


@wrong("plan_strides", "No stage of yours gives its stride up")
def never_counts(strides, output_stride):
    plan, reached, rate = [], 1, 1
    for stride in strides:
        rate_in = rate
        if reached * stride > output_stride:
            rate, stride = rate * stride, 1
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "You add up the strides")
def strides_added(strides, output_stride):
    plan, reached, rate = [], 0, 1
    for stride in strides:
        rate_in = rate
        if reached + stride > output_stride:
            rate, stride = rate * stride, 1
        reached += stride
        plan.append((stride, rate_in, rate))
    return plan


@wrong("plan_strides", "divide the product of all strides by output_stride")
def by_division(strides, output_stride):
    plan, total, rate_in = [], 1, 1
    for stride in strides:
        total *= stride
        rate_out = max(1, total // output_stride)
        plan.append((stride if total <= output_stride else 1, rate_in, rate_out))
        rate_in = rate_out
    return plan


@wrong("plan_strides", "rate_in and rate_out are swapped")
def rates_swapped(strides, output_stride):
    return [(stride, rate_out, rate_in) for stride, rate_in, rate_out in right_plan(strides, output_stride)]


@wrong("plan_strides", "The stride comes first in a row")
def stride_last(strides, output_stride):
    return [(*rates, stride) for stride, *rates in right_plan(strides, output_stride)]


@wrong("plan_strides", "is the product of all strides so far")
def running_strides_in_rows(strides, output_stride):
    rows, reached = [], 1
    for stride, *rates in right_plan(strides, output_stride):
        reached *= stride
        rows.append((reached, *rates))
    return rows


@wrong("plan_strides", "You return one number per stage")
def running_strides(strides, output_stride):
    return [row[0] for row in running_strides_in_rows(strides, output_stride)]


@wrong("plan_strides", "a stage has two rates besides its stride")
def pairs(strides, output_stride):
    return [(stride, rate) for stride, _, rate in right_plan(strides, output_stride)]


@wrong("plan_strides", "a generator (or `zip`, `map`)")
def generator(strides, output_stride):
    yield from right_plan(strides, output_stride)


@wrong("plan_strides", "You return three lists")
def three_lists(strides, output_stride):
    return tuple(list(column) for column in zip(*right_plan(strides, output_stride), strict=True))


@wrong("plan_strides", "changes the list of strides")
def overwrites(strides, output_stride):
    plan = right_plan(strides, output_stride)
    for i, (stride, _, _) in enumerate(plan):
        strides[i] = stride
    return plan


@wrong("plan_strides", "gives a list of 1; asked is one row for each of the 5 stages")
def dilated_stages_only(strides, output_stride):
    return [row for row in right_plan(strides, output_stride) if row[1] != row[2]]


@wrong("plan_strides", "has a float in a row")
def float_rates(strides, output_stride):
    plan, total, reached = [], 1, 1
    for stride in strides:
        rate_in = total / reached
        total *= stride
        if reached * stride > output_stride:
            stride = 1
        reached *= stride
        plan.append((stride, rate_in, total / reached))
    return plan


@wrong("plan_strides", "a dict of 5; asked is a list")
def by_number(strides, output_stride):
    return dict(enumerate(right_plan(strides, output_stride)))


@wrong("plan_strides", "a row of your plan is a dict of 3")
def named_rows(strides, output_stride):
    return [named(row) for row in right_plan(strides, output_stride)]


@wrong("plan_strides", "(the first is row 0) is (1, 4, 8); it should be (1, 1, 2). Look at the rates")
def rates_too_large(strides, output_stride):
    plan = right_plan(strides, output_stride)
    return [row if row[1:] == [1, 1] or row[0] > 1 else (1, 4 * row[1], 4 * row[2]) for row in plan]


@wrong("plan_strides", "Which stages may stride?")
def resnets_only(strides, output_stride):
    return right_plan([2] * len(strides), output_stride)


def both_too_simple(strides, output_stride):
    """Two mistakes: the whole stage dilated, and a stride of 4 taken at 4 although only 8 is allowed."""
    plan, reached, rate = [], 1, 1
    for stride in strides:
        if reached >= output_stride:
            rate, stride = rate * stride, 1
        reached *= stride
        plan.append((stride, rate, rate))
    return plan


def plan_by_product(strides, output_stride):
    """The rate is what the nominal strides have and the network has not."""
    rows, total, reached = [], 1, 1
    for stride in strides:
        old_rate = total // reached
        total *= stride
        taken = stride if reached * stride <= output_stride else 1
        reached *= taken
        rows.append([taken, old_rate, total // reached])
    return tuple(rows)


def plan_with_a_switch(strides, output_stride):
    """Once a stride was given up none is taken any more."""
    products = [math.prod(strides[: i + 1]) for i in range(len(strides))]
    over = [product > output_stride for product in products]
    own = [1 if dilates else stride for stride, dilates in zip(strides, over, strict=True)]
    factors = [stride if dilates else 1 for stride, dilates in zip(strides, over, strict=True)]
    rates = [math.prod(factors[:i]) for i in range(len(strides) + 1)]
    return [(own[i], rates[i], rates[i + 1]) for i in range(len(strides))]


# ------------------------------------------------------------------------------------------------- dilated_kernel


@wrong("dilated_kernel", "there are only 2 gaps")
def rate_times_size(kernel_size, rate):
    return rate * kernel_size, rate * kernel_size // 2


@wrong("dilated_kernel", "Kernel size and rate are added")
def size_plus_rate(kernel_size, rate):
    reach = kernel_size + rate
    return reach, (reach - 1) // 2


def size_plus_rate_less_one(kernel_size, rate):
    reach = kernel_size + rate - 1
    return reach, (reach - 1) // 2


@wrong("dilated_kernel", "whatever the rate is. At rate 2 a map would lose 2 rows")
def padding_of_one(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, 1


@wrong("dilated_kernel", "Your padding is the rate")
def padding_is_rate(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, rate


@wrong("dilated_kernel", "that of the kernel without dilation")
def undilated_padding(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, kernel_size // 2


@wrong("dilated_kernel", "both sides together")
def padding_of_both_sides(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 1
    return reach, reach - 1


@wrong("dilated_kernel", "counts the steps from the first weight")
def reach_without_one(kernel_size, rate):
    reach = rate * (kernel_size - 1)
    return reach, reach // 2


@wrong("dilated_kernel", "a float. Places are counted in ints")
def halves(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 1
    return reach, (reach - 1) / 2


@wrong("dilated_kernel", "Reach and padding are swapped")
def padding_first(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 1
    return reach // 2, reach


@wrong("dilated_kernel", "Your function returns one number")
def only_the_reach(kernel_size, rate):
    return rate * (kernel_size - 1) + 1


@wrong("dilated_kernel", "The kernel size does not change your reach")
def for_three(kernel_size, rate):
    return 2 * rate + 1, rate


@wrong("dilated_kernel", "2 gaps whatever its size")
def two_gaps(kernel_size, rate):
    reach = kernel_size + 2 * (rate - 1)
    return reach, reach // 2


@wrong("dilated_kernel", "has a single weight and no gaps")
def one_grows(kernel_size, rate):
    reach = rate * max(1, kernel_size - 1) + 1
    return reach, reach // 2


@wrong("dilated_kernel", "You leave `rate` empty places")
def rate_empty_places(kernel_size, rate):
    reach = kernel_size + (kernel_size - 1) * rate
    return reach, reach // 2


@wrong("dilated_kernel", "Your reach is the kernel size")
def undilated(kernel_size, rate):
    return kernel_size, kernel_size // 2


@wrong("dilated_kernel", "one place too many")
def one_too_many(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 2
    return reach, reach // 2


@wrong("dilated_kernel", "that to one side of the middle weight")
def one_side(kernel_size, rate):
    return rate * (kernel_size // 2), rate * (kernel_size // 2)


@wrong("dilated_kernel", "the places of a square")
def squared(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 1
    return reach**2, reach // 2


@wrong("dilated_kernel", "the empty places between the weights")
def empty_places(kernel_size, rate):
    return (kernel_size - 1) * (rate - 1), 0


@wrong("dilated_kernel", "Your padding is one place too much")
def rounded_up(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 1
    return reach, (reach + 1) // 2


@wrong("dilated_kernel", "Your padding is one place too few")
def one_less(kernel_size, rate):
    reach = rate * (kernel_size - 1) + 1
    return reach, reach // 2 - 1


@wrong("dilated_kernel", "Your padding is half of rate * kernel_size")
def half_of_the_product(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, rate * kernel_size // 2


@wrong("dilated_kernel", "Your padding is half of kernel_size + rate")
def half_of_the_sum(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, (kernel_size + rate - 1) // 2


@wrong("dilated_kernel", "Your padding is 0")
def not_padded(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, 0


@wrong("dilated_kernel", "Your padding is the whole reach")
def padded_by_the_reach(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, rate * (kernel_size - 1) + 1


@wrong(
    "dilated_kernel",
    "At rate 1 your padding is right, but not at every rate. `dilated_kernel(3, 2)` gives a padding of 4",
)
def rate_squared(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, rate * rate * (kernel_size // 2)


@wrong("dilated_kernel", "right for a kernel of 3, but not for every size")
def from_a_table(kernel_size, rate):
    reach = {1: 1, 3: 2 * rate + 1}.get(kernel_size, 4 * rate)
    return reach, reach // 2


@wrong("dilated_kernel", "`dilated_kernel(3, 1)` gives a reach of 4, and the right one is 3. Draw")
def another_formula(kernel_size, rate):
    return rate * kernel_size + 1, rate


@wrong("dilated_kernel", "gives a tuple of 3; asked is a pair")
def both_paddings(kernel_size, rate):
    padding = rate * (kernel_size // 2)
    return 2 * padding + 1, padding, padding


@wrong("dilated_kernel", "the padding is a string; asked is an int")
def same_in_words(kernel_size, rate):
    return rate * (kernel_size - 1) + 1, "same"


@wrong("dilated_kernel", "The check calls `dilated_kernel(3, 1)`")
def no_rate(kernel_size):
    return kernel_size, kernel_size // 2


def by_drawing(kernel_size, rate):
    places = list(range(0, rate * kernel_size, rate))
    reach = places[-1] - places[0] + 1
    return [reach, places[kernel_size // 2]]


def by_weights(kernel_size, rate):
    row = [1]
    for _ in range(kernel_size - 1):
        row += [0] * (rate - 1) + [1]
    return len(row), len(row) // 2


def padding_by_pytorch(kernel_size, rate):
    """The padding for which PyTorch's convolution keeps a map's size."""
    x = torch.zeros(1, 1, 100)
    sizes = [nn.Conv1d(1, 1, kernel_size, padding=p, dilation=rate)(x).shape[-1] for p in range(50)]
    padding = sizes.index(100)
    return 2 * padding + 1, padding


# ------------------------------------------------------------------------------------------------- make_stage


def staged(first, later, *, width=lambda block, n, c: c * block.expansion, build=nn.Sequential):
    """A stage whose blocks' settings follow from two rules; the wrong ones change one."""

    def make_stage(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
        settings = stride, rate_in, rate_out
        inner = width(block, in_channels, channels)
        blocks = [block(in_channels, channels, **named(first(*settings)))]
        return build(*blocks, *(block(inner, channels, **named(later(*settings))) for _ in range(depth - 1)))

    return make_stage


def named(settings):
    return dict(zip(("stride", "rate_in", "rate_out"), settings, strict=True))


def changed(label, phrase, **how):
    rules = {"first": lambda s, i, o: (s, i, o), "later": lambda s, i, o: (1, o, o)} | how
    answer = staged(rules.pop("first"), rules.pop("later"), **rules)
    answer.__name__ = label
    return wrong("make_stage", phrase)(answer)


changed("first_at_new_rate", "dilated by the new rate throughout", first=lambda s, i, o: (s, o, o))
changed("all_at_old_rate", "stays at rate_in. After", first=lambda s, i, o: (s, i, i), later=lambda s, i, o: (1, i, i))
changed("later_like_the_first", "begin at rate_in again", later=lambda s, i, o: (1, i, o))
changed("first_at_old_rate", "Your first block stays at rate_in", first=lambda s, i, o: (s, i, i))
changed("all_stride", "All your blocks stride", later=lambda s, i, o: (s, o, o))
changed("stride_ignored", "no block of yours strides", first=lambda s, i, o: (1, i, o))
changed("later_stride", "the other way round", first=lambda s, i, o: (1, i, o), later=lambda s, i, o: (s, o, o))
changed("always_two", "a stride of 2, whatever", first=lambda s, i, o: (2, i, o))
changed("only_rate_out", "rate_in is not used", first=lambda s, i, o: (s, 1, o), later=lambda s, i, o: (1, 1, o))
changed("only_rate_out_later", "given rate_out only", later=lambda s, i, o: (1, 1, o))
changed("only_rate_in", "rate_out is not passed on", first=lambda s, i, o: (s, i, 1), later=lambda s, i, o: (1, i, 1))
changed("rates_only_first", "Only your first block is given rates", later=lambda s, i, o: (1, 1, 1))
changed("no_rates", "No block of yours is dilated", first=lambda s, i, o: (s, 1, 1), later=lambda s, i, o: (1, 1, 1))
changed("first_plain", "not dilated at all", first=lambda s, i, o: (s, 1, 1))
changed("swapped_rates", "rate_in and rate_out are swapped", first=lambda s, i, o: (s, o, i))
changed("rates_grow", "3x3 rates = (1, 2); expected is (1, 1)", later=lambda s, i, o: (1, o, 2 * o))
changed("inner_in_channels", "`in_channels` in yours, but they get", width=lambda block, n, c: n)
changed("no_expansion", "as many.", width=lambda block, n, c: c)
changed("always_four", "4 * channels", width=lambda block, n, c: 4 * c)
changed("expanded_input", "a multiple of `in_channels`", width=lambda block, n, c: n * block.expansion)
changed("inner_sum", "(in_channels, channels) = (16, 10); expected is (10, 10)", width=lambda block, n, c: n + c)
changed("a_list", "returns a list of 3, which is no module", build=lambda *blocks: list(blocks))
changed("module_list", "An `nn.ModuleList` holds blocks", build=lambda *blocks: nn.ModuleList(blocks))
changed("list_in_sequential", "a star unpacks what holds them", build=lambda *blocks: nn.Sequential(list(blocks)))
changed("nested", "Element 0 of your stage is", build=lambda *blocks: nn.Sequential(nn.Sequential(*blocks)))
changed("relu_after", "Element 3 of your stage is", build=lambda *blocks: nn.Sequential(*blocks, nn.ReLU()))
changed("one_too_few", "one block too few", build=lambda *blocks: nn.Sequential(*blocks[:-1]))
changed("three_blocks", "has 3 blocks, and `depth` is 4", build=lambda *blocks: nn.Sequential(*blocks[:3]))
changed("generator", "something of type generator; asked is", build=lambda *blocks: (block for block in blocks))


@wrong("make_stage", "one block too many")
def one_too_many_blocks(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    blocks = [block(in_channels, channels, stride=stride, rate_in=rate_in, rate_out=rate_out)]
    for _ in range(depth):
        blocks.append(block(channels * block.expansion, channels, rate_in=rate_out, rate_out=rate_out))
    return nn.Sequential(*blocks)


@wrong("make_stage", "The same block stands in your stage more than once")
def same_block(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    first = block(in_channels, channels, stride=stride, rate_in=rate_in, rate_out=rate_out)
    later = block(channels * block.expansion, channels, rate_in=rate_out, rate_out=rate_out)
    return nn.Sequential(*[first], *[later] * (depth - 1))


@wrong("make_stage", "Your last block strides")
def last_strides(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    blocks = []
    for i in range(depth):
        rates = named((stride if i == depth - 1 else 1, rate_out if i else rate_in, rate_out))
        blocks.append(block(in_channels, channels, **rates))
        in_channels = channels * block.expansion
    return nn.Sequential(*blocks)


@wrong("make_stage", "Your last block begins at rate_in")
def last_at_old_rate(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    blocks = []
    for i in range(depth):
        rate = rate_in if i in (0, depth - 1) else rate_out
        blocks.append(block(in_channels, channels, **named((1 if i else stride, rate, rate_out))))
        in_channels = channels * block.expansion
    return nn.Sequential(*blocks)


@wrong("make_stage", "Your first block is not built for `in_channels`")
def one_width(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    blocks, width = [], channels * block.expansion
    for i in range(depth):
        blocks.append(block(width, channels, **named((1 if i else stride, rate_out if i else rate_in, rate_out))))
    return nn.Sequential(*blocks)


@wrong("make_stage", "swapped in your first block")
def swapped_widths(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    first = block(channels, in_channels, stride=stride, rate_in=rate_in, rate_out=rate_out)
    width = channels * block.expansion
    return nn.Sequential(first, *(block(width, channels, **named((1, rate_out, rate_out))) for _ in range(1, depth)))


@wrong("make_stage", "You multiply `channels` before you pass it on")
def multiplied(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    width = channels * block.expansion
    first = block(in_channels, width, stride=stride, rate_in=rate_in, rate_out=rate_out)
    return nn.Sequential(first, *(block(width, width, **named((1, rate_out, rate_out))) for _ in range(1, depth)))


@wrong("make_stage", "You build a BasicBlock, whatever `block` is")
def always_basic(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    return right_stage(BasicBlock, in_channels, channels, depth, stride, rate_in, rate_out)


@wrong("make_stage", "returns a single module, a BasicBlock; asked is")
def only_the_first(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    return block(in_channels, channels, stride=stride, rate_in=rate_in, rate_out=rate_out)


@wrong("make_stage", "by name `stride`, `rate_in` and `rate_out`")
def by_position(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    return nn.Sequential(block(in_channels, channels, stride, rate_in, rate_out))


@wrong("make_stage", "The check calls `make_stage(BasicBlock, 10, 10, 2)`")
def no_defaults(block, in_channels, channels, depth, stride, rate_in, rate_out):
    return right_stage(block, in_channels, channels, depth, stride, rate_in, rate_out)


@wrong("make_stage", "In `make_stage(BasicBlock, 10, 10, 2)` block 0 (the first is 0) has stride = 2; expected is 1")
def other_default(block, in_channels, channels, depth, stride=2, rate_in=1, rate_out=1):
    return right_stage(block, in_channels, channels, depth, stride, rate_in, rate_out)


@wrong("make_stage", "must agree at every other row and column")
def also_pools(*args, **settings):
    class Stage(nn.Sequential):
        def forward(self, x):
            return nn.functional.max_pool2d(super().forward(x), 3, 1, 1)

    return Stage(*right_stage(*args, **settings))


@wrong("make_stage", "the right shape but other values")
def also_doubles(*args, **settings):
    class Stage(nn.Sequential):
        def forward(self, x):
            return 2 * super().forward(x)

    return Stage(*right_stage(*args, **settings))


@wrong("make_stage", "changes its input in place")
def overwrites_input(*args, **settings):
    class Stage(nn.Sequential):
        def forward(self, x):
            out = super().forward(x)
            x.zero_()
            return out

    return Stage(*right_stage(*args, **settings))


@wrong("make_stage", "The size of tensor a (12) must match the size of tensor b (14)")
def padding_of_one_place(*args, **settings):
    stage = right_stage(*args, **settings)
    for module in stage.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.padding = (1, 1)
    return stage


def right_stage(block, in_channels, channels, depth, stride=1, rate_in=1, rate_out=1):
    """In a loop, as torchvision builds its stages."""
    blocks = []
    for i in range(depth):
        if i == 0:
            blocks.append(block(in_channels, channels, stride=stride, rate_in=rate_in, rate_out=rate_out))
        else:
            blocks.append(block(in_channels, channels, stride=1, rate_in=rate_out, rate_out=rate_out))
        in_channels = channels * block.expansion
    return nn.Sequential(*blocks)


def by_appending(block, n, c, depth, stride=1, rate_in=1, rate_out=1):
    stage = nn.Sequential()
    while len(stage) < depth:
        stage.append(block(n, c, stride=stride, rate_in=rate_in, rate_out=rate_out))
        n, stride, rate_in = c * block.expansion, 1, rate_out
    return stage


ALSO_WRONG = [
    ("plan_strides", first_dilated_by_division, "spread out too early"),
    ("plan_strides", both_too_simple, "spread out too early"),
    ("plan_strides", both_rates_late, "comes one stage late"),
    ("plan_strides", rate_in_always_one, "begins at rate 1 again"),
    ("dilated_kernel", size_plus_rate_less_one, "Kernel size and rate are added"),
    ("make_stage", staged(lambda s, i, o: (s, o, o), lambda s, i, o: (s, o, o)), "All your blocks stride"),
    ("make_stage", staged(lambda s, i, o: (s, 1, o), lambda s, i, o: (1, o, o)), "rate_in is not used"),
    ("make_stage", staged(lambda s, i, o: (s, o, i), lambda s, i, o: (1, i, i)), "are swapped"),
    (
        "make_stage",
        lambda block, n, c, depth, **_: nn.Sequential(block(n, c) for _ in range(depth)),
        "a star unpacks what holds them",
    ),
]

RIGHT = [
    ("plan_strides", right_plan),
    ("plan_strides", plan_by_product),
    ("plan_strides", plan_with_a_switch),
    ("dilated_kernel", by_drawing),
    ("dilated_kernel", by_weights),
    ("dilated_kernel", padding_by_pytorch),
    ("make_stage", right_stage),
    ("make_stage", by_appending),
    ("make_stage", staged(lambda s, i, o: (s, i, o), lambda s, i, o: (1, o, o))),
]
