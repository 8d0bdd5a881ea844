"""Running a learner's code: what counts as not attempted, whose error it is, and what must not leak out."""

import contextlib
import dis
import inspect
import linecache
import os
import random
import secrets
import sysconfig
import traceback

import numpy as np
import torch
from torch import nn


class NotAttempted(Exception):
    """There is no answer yet; the text says how that was seen."""


class Wrong(Exception):
    """The answer is wrong; the text says how."""


class Raised(Wrong):
    """The learner's code raised `error`; the text shows it with their line."""

    def __init__(self, error: Exception, call: str):
        self.error = error
        super().__init__(f"Your code raised an error when the check called `{call}`.\n{describe_error(error)}")

    def named(self, sentence: str) -> Wrong:
        """The same, when the check recognises the mistake behind the error."""
        return Wrong(f"{sentence}\n{describe_error(self.error)}")


def attempt(call: str, function, *args, **kwargs):
    """`function(*args, **kwargs)`, which is the learner's, or an exception that says in words what is the matter.

    Args:
        call: how the call reads to the learner, `"head(backbone(x))"`.

    Raises:
        NotAttempted: it gave `None` or `...`, or raised `NotImplementedError` itself.
        Wrong: it cannot be called like this.
        Raised: it raised an error.
    """
    signature = _signature(function)
    if signature is not None:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise Wrong(f"The check calls `{call}`, but yours takes `{signature}`: {error}.") from None
    try:
        value = function(*args, **kwargs)
    except NotImplementedError as error:
        if _raised_by_hand(error):
            raise NotAttempted("it raises NotImplementedError") from None
        raise Raised(error, call) from None
    except Exception as error:
        raise Raised(error, call) from None
    parts = value if isinstance(value, tuple) else (value,)
    for part in parts:
        if part is None or part is Ellipsis or part is NotImplemented:
            raise NotAttempted(f"`{call}` gave {part}; if you have written it, is a `return` missing?")
    return value


def is_stub(function) -> bool:
    """Whether a function's body does nothing: a docstring, `...`, `pass`, `return None`."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_names or set(code.co_consts) - {None, Ellipsis, function.__doc__}:
        return False
    operations = {step.opname for step in dis.get_instructions(code)}
    return not any(name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_SMALL", "BUILD")) for name in operations)


def own_function(answer, example: str) -> None:
    """Raise unless `answer` is a function (not its result, not a class)."""
    name = example.partition("(")[0]
    if answer is None or answer is Ellipsis:
        raise NotAttempted(f"it was given {answer} in place of `{name}`")
    if isinstance(answer, type):
        raise Wrong(f"You passed a class; asked is a function `{example}`.")
    if isinstance(answer, nn.Module) or not callable(answer):
        raise Wrong(
            f"You passed {a_kind(answer)} in place of a function. Pass the function itself, by its name and without "
            f"calling it: `{name}`, not `{example}`."
        )
    if is_stub(answer):
        raise NotAttempted("its body is still empty")


def own_module_class(answer, example: str, base: type) -> None:
    """Raise unless `answer` is a subclass of `base` with a `forward` of its own (not an instance, not a function)."""
    if answer is None or answer is Ellipsis:
        raise NotAttempted(f"it was given {answer} in place of `{example}`")
    if isinstance(answer, nn.Module):
        raise Wrong(
            f"You passed an instance, which the check cannot build again in other sizes. Pass the class itself, "
            f"without parentheses: `{type(answer).__name__}`."
        )
    if not isinstance(answer, type):
        raise Wrong(f"You passed {a_kind(answer)} in place of a class. Pass the class itself: `{example}`.")
    if not issubclass(answer, base):
        raise Wrong(f"Your class must inherit from `{base.__name__}`: `class {answer.__name__}({base.__name__}):`.")
    if answer is not base and (answer.forward is base.forward or is_stub(answer.forward)):
        raise NotAttempted("its `forward` is still empty")


def build(answer: type, call: str, *args, **kwargs) -> nn.Module:
    """An instance of the learner's module class."""
    if answer.__init__ is nn.Module.__init__:
        raise Wrong(f"`{answer.__name__}` has no `__init__`: the check builds it by `{call}`.")
    if is_stub(answer.__init__):
        raise NotAttempted("its `__init__` is still empty")
    module = attempt(call, answer, *args, **kwargs)
    if "_parameters" not in vars(module):
        raise Wrong("Your `__init__` does not call `super().__init__()`: without it a module cannot hold layers.")
    return module


def a_kind(value) -> str:
    """What a value is, in words: "a string", "a Tensor of shape (2, 3)"."""
    words = {str: "a string", bool: "a bool", int: "an int", float: "a float"}
    if type(value) in words:
        return words[type(value)]
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    for kind in (dict, tuple, list):
        if isinstance(value, kind):
            return f"a {kind.__name__} of {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, nn.Module):
        return f"a single module, a {type(value).__name__}"
    if callable(value) and hasattr(value, "__code__"):
        return "a function"
    return f"something of type {type(value).__name__}"


def describe_error(error: Exception) -> str:
    """Type and message of a learner's error, and the last line of theirs that led to it; none of our own stack."""
    text = "".join(traceback.format_exception_only(error)).strip()
    lines = ["    " + line for line in text.splitlines()[:6]]
    theirs = [frame for frame in _frames(error) if _is_learners(frame.tb_frame.f_code.co_filename)]
    if theirs:
        code, number = theirs[-1].tb_frame.f_code, theirs[-1].tb_lineno
        source = linecache.getline(code.co_filename, number, theirs[-1].tb_frame.f_globals).strip()
        name = code.co_qualname.rpartition("<locals>.")[2]
        lines.append(f"    in {name}, line {number - code.co_firstlineno + 1}{':  ' + source if source else ''}")
    return "\n".join(lines)


@contextlib.contextmanager
def isolated():
    """A fresh seed inside; outside, random states, gradient mode, default device and threads are as they were."""
    states, threads = (random.getstate(), np.random.get_state()), torch.get_num_threads()
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.device("cpu"),
    ):
        torch.default_generator.manual_seed(secrets.randbits(40))
        torch.set_num_threads(1)  # for tensors this small, threads only wait for each other
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(states[0])
            np.random.set_state(states[1])


def _signature(function):
    try:
        return inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except (TypeError, ValueError):
        return None


def _frames(error):
    step, frames = error.__traceback__, []
    while step is not None:
        frames.append(step)
        step = step.tb_next
    return frames


def _raised_by_hand(error) -> bool:
    """Whether a `raise` statement of the learner's raised it: PyTorch raises NotImplementedError too, by its own."""
    last = _frames(error)[-1]
    code = last.tb_frame.f_code
    by_raise = code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return by_raise and _is_learners(code.co_filename)


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OTHERS = {os.path.abspath(path) for key, path in sysconfig.get_paths().items() if "lib" in key}
_OTHERS |= {_PACKAGE, os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__)))}


def _is_learners(filename: str) -> bool:
    if filename.startswith("<"):  # no file: code that was typed in, or that Python or PyTorch made
        return not filename.startswith(("<frozen", "<eval_with_key", "<__array_function__"))
    path = os.path.abspath(filename)
    return not any(path.startswith(folder + os.sep) for folder in _OTHERS)
