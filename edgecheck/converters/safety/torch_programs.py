"""What opening a program of PyTorch's would run: a `.pt2`, or the source code in a TorchScript archive.

`torch.export.load` evaluates more of a `.pt2`'s JSON than it looks like. Sizes are expressions that sympy evaluates as
Python, guards are compiled and run, operators are looked up by name from the module `torch` down, names become part of
generated source code, and a tree's description may import a module (torch/_export/serde/serialize.py,
torch/export/_unlift.py, torch/fx/graph.py, torch/utils/_pytree.py). So each string has to be what belongs in its place,
by the lists below; everything else is reported.

The format: https://github.com/pytorch/pytorch/blob/main/torch/_export/serde/schema.py
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator, Sequence
from typing import Any

#: Namespaces of operators whose members compute and nothing else, but for those in `_TOUCHES_FILES`.
_NAMESPACES = "aten|prims|prim|quantized|quantized_decomposed|torchvision"
#: Operators on graphs inside the program; others call compiled libraries or objects, or assemble machine code.
_ON_GRAPHS = (
    "_export_tracepoint|associative_scan|auto_functionalized(?:_v2)?|cond|flex_attention(?:_backward)?|foreach_map"
    "|hints_wrapper|invoke_quant(?:_packed)?|invoke_subgraph|map_impl|out_dtype|print|run_const_graph|scan|strict_mode"
    "|tag_activation_checkpoint|while_loop(?:_stack_output)?|with_effects|wrap|wrap_activation_checkpoint"
    "|wrap_with_autocast|wrap_with_set_grad_enabled"
)
_TOUCHES_FILES = re.compile(r"(from_file|save|load|_save|_load)\b")
_OPERATOR = re.compile(rf"torch\.ops\.(?:(?:{_NAMESPACES})\.(\w+)(?:\.\w+)?|higher_order\.(?:{_ON_GRAPHS}))")
#: What else a node may call: arithmetic on sizes.
_ARITHMETIC = re.compile(
    r"_operator\.(?:add|sub|mul|floordiv|truediv|mod|neg|pos|pow|abs|index|getitem|eq|ne|ge|gt|le|lt|and_|or_|xor|not_"
    r"|invert|lshift|rshift|is_|is_not)"
    r"|math\.(?:ceil|floor|trunc|sqrt|exp|log|log2|pow|isinf|isnan)"
    r"|torch\.(?:sym_\w+|_sym_\w+)"
)

#: A name that becomes source code as it stands.
_IDENTIFIER = re.compile(r"(?:\w[\w.]*)?")
#: Any other text: nothing that could leave a string of generated source code.
_PLAIN = re.compile(r"[^\x00-\x1f\"'`\\(){}\[\];=]*")
#: Keys below which texts are shown, compared or written as literals only: never evaluated, never source code.
_LITERALS = ("as_string", "as_strings", "metadata", "value", "torch_version")

#: Functions of expressions: sympy's, and torch/utils/_sympy/functions.py.
_FUNCTIONS = frozenset(
    ("Symbol", "Integer", "Float", "Rational", "Abs", "Max", "Min", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And",
    "Or", "Not", "Pow", "Mod", "Add", "Mul", "Piecewise", "ceiling", "floor", "FloorDiv", "ModularIndexing",
    "Where", "PythonMod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift", "PowByNatural",
    "FloatPow", "FloatTrueDiv", "IntTrueDiv", "IsNonOverlappingAndDenseIndicator", "TruncToFloat", "TruncToInt",
    "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "OpaqueUnaryFn_sqrt", "bool", "int", "float", "max",
    "min", "abs", "math_ceil")
)  # fmt: skip
#: What a guard asks of an input.
_QUESTIONS = frozenset(["size", "shape", "stride", "storage_offset", "ndim", "dim", "dtype", "device", "numel"])
_LONGEST_EXPRESSION = 10_000
#: Larger powers only cost time.
_LARGEST_EXPONENT = 64

_SAFE_NODES = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.Load, ast.Constant),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)

_SAFE_MODULES = ("builtins", "collections", "torch")


def what_runs(text: str) -> Iterator[str]:
    """Everything in one JSON document of a `.pt2` that loading it would run, in words; nothing where it only computes.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    waiting: list[tuple[str, Any]] = [("", json.loads(text))]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            if key in _LITERALS:
                continue
            waiting += value.items()
            yield from (f"the name {_short(name)}" for name in value if not _PLAIN.fullmatch(name))
        elif isinstance(value, list):
            waiting += [(key, each) for each in value]
        elif isinstance(value, str) and (found := _finding(key, value)):
            yield found


def _finding(key: str, text: str) -> str:
    """What is wrong with a text in the place called `key`; empty where it is what belongs there."""
    match key:
        case "expr_str":
            return "" if is_arithmetic(text) else f"the expression {_short(text)}"
        case "guards_code":
            return "" if is_arithmetic(text, _QUESTIONS) else f"the guard {_short(text)}"
        case "target" | "as_operator":
            return "" if _only_computes(text) else f"the operator {_short(text)}"
        case "in_spec" | "out_spec":
            return _of_tree(text)
        case "name" | "as_name" | "class_fqn":
            return "" if _IDENTIFIER.fullmatch(text) else f"the name {_short(text)}"
        case _ if key in _LITERALS or _PLAIN.fullmatch(text):
            return ""
        case _:
            return f"the text {_short(text)}"


def is_arithmetic(text: str, questions: frozenset[str] = frozenset()) -> bool:
    """Whether an expression holds numbers, names, operators and known functions only.

    Args:
        text: As Python.
        questions: Attributes and methods that it may use besides.
    """
    if len(text) > _LONGEST_EXPRESSION:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_safe(node, questions) for node in ast.walk(tree))


def _is_safe(node: ast.AST, questions: frozenset[str]) -> bool:
    match node:
        case ast.Constant(value=str() as text):  # sympy evaluates the texts that some of its functions are given
            return (_PLAIN if questions else _IDENTIFIER).fullmatch(text) is not None
        case ast.BinOp(op=ast.Pow(), right=right):
            return isinstance(right, ast.Constant) and _is_small(right.value)
        case ast.Name(id=name) | ast.keyword(arg=str() as name):
            return not name.startswith("_")
        case ast.Call(func=called):
            return isinstance(called, ast.Attribute) or (isinstance(called, ast.Name) and called.id in _FUNCTIONS)
        case ast.Attribute(attr=name):
            return name in questions
        case ast.Subscript():
            return bool(questions)
        case _:
            return isinstance(node, _SAFE_NODES)


def _is_small(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _LARGEST_EXPONENT


def _only_computes(target: str) -> bool:
    if found := _OPERATOR.fullmatch(target):
        return _TOUCHES_FILES.match(found[1] or "") is None
    return _ARITHMETIC.fullmatch(target) is not None


def _of_tree(text: str) -> str:
    """A tree's description is JSON in a text, and has more of it inside."""
    try:
        waiting: list[tuple[str, Any]] = [("", json.loads(text))]
    except (ValueError, RecursionError):
        return f"the tree {_short(text)}"
    found = ""
    while waiting and not found:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, each) for each in value]
        elif isinstance(value, str):
            found = _import_of_tree(key, value)
    return found


def _import_of_tree(key: str, text: str) -> str:
    """The module that a text in a tree's description would import: of an enumeration, or of a dict's defaults."""
    if key in ("default_factory_module", "fqn") and text.partition(":")[0].partition(".")[0] not in _SAFE_MODULES:
        return f"the module {_short(text)}"
    return _of_tree(text) if key == "context" and text[:1] in ("[", "{") else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")  # noqa: PLR2004 - a message's line


# TorchScript: the source code is in the archive, under `code/`. It is a subset of Python with operators as
# `torch.NAME(...)` and `ops.NAMESPACE.NAME(...)`; what each of them does is the library's
# (https://docs.pytorch.org/docs/stable/jit_language_reference.html).

#: Namespaces of operators that compute and nothing else, but for those below.
_SCRIPT_NAMESPACES = frozenset(
    ("aten", "prim", "prims", "quantized", "_quantized", "quantization", "sparse", "mkl", "mkldnn",
    "mkldnn_prepacked", "onednn", "rngprims", "torchvision", "prepacked", "profiler")
)  # fmt: skip
#: aten::save, aten::from_file, and the operators that call other machines (prim::rpc_*).
_REACHES_OUT = frozenset(["save", "load", "from_file", "rpc_async", "rpc_sync", "rpc_remote"])
#: Classes that C++ code brings along; those of quantised layers hold weights.
_CLASSES = frozenset(("quantized", "sparse", "xnnpack", "mkldnn"))


#: How pickles in the archive name the classes that C++ code brings along.
_CLASS = re.compile(r"__torch__\.torch\.classes\.(\w+)")


def what_script_runs(text: str) -> Iterator[str]:
    """The operators in one source file of an archive that do more than compute, as it names them.

    Raises:
        ValueError: the text cannot be taken apart as Python can.
    """
    words = _words(text)
    for at, word in enumerate(words):
        if word not in ("torch", "ops") or words[at + 1 : at + 2] != ["."]:
            continue
        path = _path(words, at)
        if word == "torch" and path[1:2] == ["classes"] and path[2:3] and path[2] not in _CLASSES:
            yield ".".join(path)
        elif at >= 1 and words[at - 1] == ".":
            continue  # a part of a longer name: __torch__.torch.nn.functional
        elif (word == "ops" and path[1:2] and path[1] not in _SCRIPT_NAMESPACES) or path[-1] in _REACHES_OUT:
            yield ".".join(path)


def is_foreign(module: str) -> bool:
    """Whether a pickle in the archive that names this module makes an object of a class that may do anything."""
    found = _CLASS.match(module)
    return found is not None and found[1] not in _CLASSES


def _words(text: str) -> list[str]:
    """The text's tokens, without comments, line breaks and indentation."""
    kinds = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
    try:
        return [each.string for each in tokenize.generate_tokens(io.StringIO(text).readline) if each.type in kinds]
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(f"its code cannot be read: {error}") from error


def _path(words: Sequence[str], at: int) -> list[str]:
    """The dotted name that begins at `at`."""
    path = [words[at]]
    while words[at + 1 : at + 2] == ["."] and at + 2 < len(words):
        path.append(words[at + 2])
        at += 2
    return path
