"""Running a learner's code: what counts as not attempted, whose error it is, how long it may take, what must not leak.

A check runs in a thread of its own, so that an answer that never ends can be left behind, wherever the check was
called from. The thread also starts with PyTorch's own settings: a `no_grad`, an autocast or a default device of the
notebook does not reach it.
"""

import contextlib
import contextvars
import ctypes
import dis
import inspect
import linecache
import os
import random
import secrets
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

TIME_LIMIT = 20.0  # seconds for a whole check; right answers take about one. DEEPLAB_TEACH_TIME_LIMIT overrides it.


class NotAttempted(Exception):
    """There is no answer yet; the text says how that was seen."""


class Wrong(Exception):
    """The answer is wrong; the text says how."""


class Raised(Wrong):
    """The learner's code raised `error`; the text shows it with their line."""

    def __init__(self, error: BaseException, call: str):
        self.error = error
        super().__init__(f"Your code raised an error when the check called `{call}`.\n{describe_error(error)}")

    def named(self, sentence: str) -> Wrong:
        """The same, when the check recognises the mistake behind the error."""
        return Wrong(f"{sentence}\n{describe_error(self.error)}")


class Stopped(BaseException):
    """Thrown into a check that takes too long."""


class OwnReference(BaseException):
    """The package's own answer was called by the learner's code."""


# The functions and classes that an answer must not call, while a check runs.
BARRED: contextvars.ContextVar[tuple] = contextvars.ContextVar("barred", default=())


def attempt(call: str, function: Callable, *args, **kwargs) -> object:
    """`function(*args, **kwargs)`, which is the learner's, or an exception that says in words what is the matter.

    Args:
        call: how the call reads to the learner, `"head(backbone(x))"`.

    Raises:
        NotAttempted: it raised `NotImplementedError` itself.
        Wrong: it cannot be called like this, calls the package's own answer, ends the program, or leaves PyTorch's
            settings changed.
        Raised: it raised an error.
    """
    signature = signature_of(function)
    if signature is not None:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise Wrong(f"The check calls `{call}`, but yours takes `{signature}`: {error}.") from None
    try:
        with _barred():
            value = function(*args, **kwargs)
    except Stopped:
        raise
    except OwnReference:
        pass
    except SystemExit as error:
        raise escaped(error) from None
    except NotImplementedError as error:
        if _raised_by_hand(error):
            raise NotAttempted("it raises NotImplementedError") from None
        raise Raised(error, call) from None
    except BaseException as error:
        raise Raised(error, call) from None
    if _RUNG:
        raise _own(BARRED.get()[0])
    _require_settings()
    return value


def _require_settings():
    """Raise if the learner's code has left one of PyTorch's settings changed; put it back first."""
    if not torch.is_grad_enabled():
        torch.set_grad_enabled(True)
        raise Wrong(
            "Your code switches gradients off and leaves them off: whatever runs after it cannot be trained. "
            "`with torch.no_grad():` switches them on again at its end."
        )
    if torch.get_default_dtype() != torch.float32:
        torch.set_default_dtype(torch.float32)
        raise Wrong("Your code changes PyTorch's default dtype for all that runs after it.")


def is_nothing(value: object) -> bool:
    return value is None or value is Ellipsis or value is NotImplemented


def require_given(values: object, call: str) -> None:
    """Raise `NotAttempted` if all of these values, or the one that is no tuple or list, are nothing yet."""
    parts = values if isinstance(values, tuple | list) else [values]
    if parts and all(map(is_nothing, parts)):
        raise NotAttempted(f"`{call}` gave {parts[0]}; if you have written it, is a `return` missing?")


def outcome(call: str, function: Callable, *args, **kwargs) -> object:
    """What a function gives, or the `Raised` of its error; `Wrong` and `NotAttempted` go on."""
    try:
        return function(*args, **kwargs)
    except Raised as raised:
        return raised
    except (Wrong, NotAttempted):
        raise
    except Exception as error:
        return Raised(error, call)


# ------------------------------------------------------------------------------------------- the package's own answer
def require_own(answer: object, reference: Callable) -> None:
    """Raise `Wrong` if the answer is the package's own, or a subclass of it. (A twin of a reloaded module counts.)"""
    names = {_name(reference)}
    classes = answer.__mro__ if isinstance(answer, type) else (inspect.unwrap(answer) if callable(answer) else answer,)
    if isinstance(reference, type | type(require_own)) and any(_name(each) in names for each in classes):
        raise _own(reference)


def _own(reference) -> Wrong:
    name = reference.__qualname__
    return Wrong(
        f"This is the package's own `{name}` at work, which your answer is compared with: of course it agrees. Write "
        "yours out of PyTorch's pieces; to read the package's, use `.solution()`."
    )


def _name(value):
    return getattr(value, "__module__", None), getattr(value, "__qualname__", None)


@contextlib.contextmanager
def _barred():
    """While the block runs, calling one of `BARRED` raises `OwnReference`, and `_RUNG` notes it.

    The code of the function itself is exchanged, so that it does not matter by which name somebody calls it.
    """
    _RUNG.clear()
    for reference in BARRED.get():
        methods = [vars(reference).get(name) for name in ("__init__", "forward")] if isinstance(reference, type) else []
        for function in methods or [inspect.unwrap(reference)]:
            if (code := getattr(function, "__code__", None)) is not None:
                _SWAPPED.append((function, code))
                function.__code__ = _alarm.__code__.replace(co_freevars=code.co_freevars)
    try:
        yield
    finally:
        _restore()


_RUNG: list[bool] = []
_SWAPPED: list[tuple] = []


def _restore():
    while _SWAPPED:
        function, code = _SWAPPED.pop()
        function.__code__ = code


def _alarm(*args, **kwargs):
    from deeplab_teach.check import run  # this code runs as another module's

    run._RUNG.append(True)
    raise run.OwnReference


# ------------------------------------------------------------------------------------------------ what was handed in
def is_stub(function: Callable) -> bool:
    """Whether a function's body does nothing: a docstring, `...`, `pass`, `return None`."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_names or set(code.co_consts) - {None, Ellipsis, function.__doc__}:
        return False
    operations = {step.opname for step in dis.get_instructions(code)}
    work = ("LOAD_FAST", "LOAD_DEREF", "LOAD_SMALL", "BUILD", "JUMP_BACKWARD")
    return not any(name.startswith(work) for name in operations)


def _has_blanks(code) -> bool:
    """Whether a code object holds a `...`, in a comprehension inside it too."""
    constants = getattr(code, "co_consts", ())
    return Ellipsis in constants or any(map(_has_blanks, constants))


def require_filled(answer: type) -> None:
    """Raise `NotAttempted` if a class that raised an error has blanks left in its `__init__`."""
    if _has_blanks(getattr(answer.__init__, "__code__", None)):
        raise NotAttempted("there are still blanks, `...`, in its `__init__`") from None


def own_function(answer: object, example: str) -> None:
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


def own_module_class(answer: object, example: str, base: type) -> None:
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
    if not any(_name(each) == _name(base) for each in answer.__mro__):  # by name: a reloaded module has a twin
        raise Wrong(f"Your class must inherit from `{base.__name__}`: `class {answer.__name__}({base.__name__}):`.")
    if answer is not base and (getattr(answer.forward, "__module__", "") == base.__module__ or is_stub(answer.forward)):
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


def random_size(low: int, high: int) -> tuple[int, int]:
    """Two sides of a map, not equal, so that rows and columns cannot be taken for each other."""
    rows = int(torch.randint(low, high, ()))
    return rows, rows + int(torch.randint(1, 4, ()))


def a_kind(value: object) -> str:
    """What a value is, in words: "a string", "a tensor of shape (2, 3)"."""
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


def describe_error(error: BaseException) -> str:
    """Type and message of a learner's error, and the last line of theirs that led to it; none of our own stack."""
    text = "".join(traceback.format_exception_only(error)).strip()
    lines = ["    " + line for line in text.splitlines()[:6]]
    if theirs := _learners_lines(error):
        lines.append(_line(*theirs[-1]))
    return "\n".join(lines)


def _line(frame, number) -> str:
    """ "    in f, line 3:  the source of it", counted from the function's first line."""
    code = frame.f_code
    source = linecache.getline(code.co_filename, number, frame.f_globals).strip()
    name = code.co_qualname.rpartition("<locals>.")[2]
    return f"    in {name}, line {number - code.co_firstlineno + 1}{':  ' + source if source else ''}"


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """A seed of its own inside; outside, random states, default dtype, threads and ways out are as they were.

    DEEPLAB_TEACH_SEED, a secret of whoever grades, makes the random sizes and values the same for all.
    """
    states, threads = (random.getstate(), np.random.get_state()), torch.get_num_threads()
    dtype, precision = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    secret = os.environ.get("DEEPLAB_TEACH_SEED", "")
    seed = random.Random(secret).getrandbits(40) if secret else secrets.randbits(40)
    with torch.random.fork_rng(devices=[]), _no_way_out():
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_float32_matmul_precision(precision)
            torch.set_num_threads(threads)
            random.setstate(states[0])
            np.random.set_state(states[1])
            _restore()  # of a check that was left behind


@contextlib.contextmanager
def _no_way_out():
    """While a check runs, what would end the process (or a notebook's kernel) without an exception raises one."""

    def leave(*_, **__):
        raise SystemExit

    doors = [(os, "_exit")]
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
        doors.append((shell, "ask_exit"))
    before = [(owner, name, getattr(owner, name)) for owner, name in doors]
    for owner, name in doors:
        setattr(owner, name, leave)
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def in_time(function: Callable) -> object:
    """`function()` in a thread of its own; `Wrong` if it does not come to an end within the time limit."""
    limit = float(os.environ.get("DEEPLAB_TEACH_TIME_LIMIT") or TIME_LIMIT)
    result = {}

    def work():
        try:
            torch.set_num_threads(1)  # for tensors this small, threads only wait for each other
            result["value"] = function()
        except BaseException as error:
            result["error"] = error

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    thread.start()
    try:
        thread.join(limit)
    except BaseException:  # the learner interrupts: stop it, then do as they say
        _stop(thread)
        raise
    if not result:
        where = _where(thread)
        ended = _stop(thread)
        rest = "" if ended else " It could not be stopped either: restart the kernel when you have changed it."
        raise Wrong(
            f"Your code does not come to an end: after {limit:g} seconds the check has given up on it. Is there a loop "
            f"whose condition never changes, or a list that grows while you go through it?{rest}{where}"
        )
    if "error" in result:
        raise result["error"]
    return result["value"]


def _stop(thread, patience=2.0) -> bool:
    """Throw `Stopped` into a thread until it ends; whether it did."""
    for _ in range(int(patience / 0.05)):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped))
        thread.join(0.05)
        if not thread.is_alive():
            return True
    return False


def _where(thread) -> str:
    """The line of the learner's at which a thread is."""
    frame = sys._current_frames().get(thread.ident)
    while frame is not None and not _is_learners(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else "\n" + _line(frame, frame.f_lineno)


def escaped(error: BaseException) -> Wrong:
    """What to say of an error that came out of a check: the answer's code is behind it, or what the answer gave."""
    if isinstance(error, SystemExit):
        return Wrong("Your code ends the program (`exit`, `quit`, `sys.exit`). A function ends by `return`.")
    if _learners_lines(error):
        return Wrong(f"Your code raised an error while the check looked at what it gave.\n{describe_error(error)}")
    return Wrong(
        "The check can make nothing of what your code gives; something in it has another kind or shape than was asked "
        f"for. If you are sure that it is right, please report this.\n{describe_error(error)}"
    )


def signature_of(function: Callable) -> inspect.Signature | None:
    """What a function, class or module takes; None of what cannot be called, or does not say."""
    try:
        return inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except (TypeError, ValueError):
        return None


def _learners_lines(error) -> list[tuple]:
    """`(frame, line number)` of each step of the learner's on the way to an error."""
    return [row for row in traceback.walk_tb(error.__traceback__) if _is_learners(row[0].f_code.co_filename)]


def _raised_by_hand(error) -> bool:
    """Whether a `raise` statement of the learner's raised it: PyTorch raises NotImplementedError too, by its own."""
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
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
