"""The mutations that tools/mutants.py draws from: one small change each of one expression or statement of the package.

Comparisons and + - * / are swapped with their neighbour, numbers are changed by one (floats doubled), True and False,
`and` and `or`, min and max are swapped, `not` is taken away, what a predicate returns is negated, a call whose result
nobody takes is removed. Texts, annotations and what is printed or logged stay as they are.
"""

from __future__ import annotations

import ast
import copy
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
EXTREMES = {"min": "max", "max": "min"}
LOGIC = {ast.And: ast.Or, ast.Or: ast.And}
UNTOUCHED = {"print", "say", "warn", "_warn", "dataclass"}  # calls: wording, and what the type checker sees
UNCHANGED = {"annotation", "returns"}  # fields of a node: types


@dataclass(frozen=True)
class Mutant:
    """`text` in the place of the bytes from `start` to `end` of `file`, which begin in line `line`.

    `lines`: those of its statement; `function`: those of the function whose header or body it is in, if any; `name`:
    what the statement defines, where it is outside of functions.
    """

    file: str
    line: int
    kind: str
    start: int
    end: int
    before: str
    text: str
    lines: tuple[int, int]
    function: tuple[int, int] | None
    name: str | None

    @property
    def key(self) -> str:
        return f"{self.file}:{self.line}:{self.start}:{self.kind}:{self.text}"

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


def candidates(package: Path) -> list[Mutant]:
    """Every mutant of the package, in the order of files and lines."""
    files = sorted(package.rglob("*.py"))
    return [mutant for file in files for mutant in mutants_of(file.read_bytes(), str(file.relative_to(package.parent)))]


def drawn(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of `mutants` in a random order, from each folder of the package as many as its share of them all."""
    chance = random.Random(seed)
    folders: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        folders[mutant.file.split("/")[1]].append(mutant)
    shares = {folder: count * len(its) / len(mutants) for folder, its in folders.items()}
    numbers = {folder: int(share) for folder, share in shares.items()}
    for folder in sorted(shares, key=lambda folder: numbers[folder] - shares[folder])[: count - sum(numbers.values())]:
        numbers[folder] += 1
    chosen = [mutant for folder, its in folders.items() for mutant in chance.sample(its, numbers[folder])]
    chance.shuffle(chosen)
    return chosen


def mutants_of(source: bytes, file: str) -> Iterator[Mutant]:
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    for node, statement, function in _walk(ast.parse(source), None, None):
        for kind, text in (*_of_expression(node), *_of_statement(node, function)):
            start = offsets[node.lineno - 1] + node.col_offset
            end = offsets[node.end_lineno - 1] + node.end_col_offset
            yield Mutant(
                file,
                node.lineno,
                kind,
                start,
                end,
                source[start:end].decode(),
                text,
                _lines(statement),
                (function.lineno, function.end_lineno) if function else None,
                None if function else _name(statement),
            )


def _walk(node: ast.AST, statement: ast.stmt | None, function: ast.FunctionDef | None) -> Iterator[tuple]:
    """Every node that may be changed, with its statement and its function."""
    if isinstance(node, ast.stmt):
        statement = node
        if isinstance(node, ast.FunctionDef):
            function = node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _called(node) in UNTOUCHED):
        return
    if statement is not None and not (isinstance(node, ast.Expr) and _called(node.value) in UNTOUCHED):
        yield node, statement, function
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and field not in UNCHANGED:
                yield from _walk(child, statement, function)


def _called(node: ast.AST) -> str | None:
    """The last name of what a call calls."""
    called = node.func if isinstance(node, ast.Call) else None
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else None


def _of_expression(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Kind and text of each change of an expression."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            if type(operator) in COMPARISONS:
                changed = copy.deepcopy(node)
                changed.ops[number] = COMPARISONS[type(operator)]()
                yield "comparison", ast.unparse(changed)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _is_text(node.left, node.right):
        yield "arithmetic", ast.unparse(ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right))
    elif isinstance(node, ast.BoolOp):
        yield "logic", ast.unparse(ast.BoolOp(LOGIC[type(node.op)](), node.values))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "logic", ast.unparse(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "constant", str(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield "constant", str(node.value * 2 or 1.0)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EXTREMES:
        yield "extreme", ast.unparse(ast.Call(ast.Name(EXTREMES[node.func.id]), node.args, node.keywords))


def _of_statement(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[str, str]]:
    """Kind and text of each change of a whole statement."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not _is_super(node.value):
        yield "call", "pass"
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC and not _is_text(node.value):
        yield "arithmetic", ast.unparse(ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value))
    elif isinstance(node, ast.Return) and _is_predicate(function) and not _is_negated_already(node.value):
        yield "predicate", f"return not ({ast.unparse(node.value)})"


def _is_predicate(function: ast.FunctionDef | None) -> bool:
    return function is not None and isinstance(function.returns, ast.Name) and function.returns.id == "bool"


def _is_text(*nodes: ast.AST) -> bool:
    """Whether a node is a text, or a list, of which + makes a longer one."""
    return any(
        isinstance(node, ast.JoinedStr | ast.List | ast.Tuple)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for node in nodes
    )


def _is_super(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and _called(call.func.value) == "super"


def _is_negated_already(value: ast.AST) -> bool:
    """Whether another kind of mutation says the opposite of `value`."""
    single = isinstance(value, ast.Compare) and len(value.ops) == 1 and isinstance(value.ops[0], ast.Eq | ast.NotEq)
    return (
        single or isinstance(value, ast.Constant) or (isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not))
    )


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """The first and the last line of a statement, without the statements in it."""
    inner = [child.lineno for child in ast.walk(statement) if isinstance(child, ast.stmt) and child is not statement]
    last = min(inner) - 1 if inner else statement.end_lineno
    return statement.lineno, max(last, statement.lineno)


def _name(statement: ast.stmt) -> str | None:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else getattr(statement, "name", None)
