"""What a run of mutmut found: a table by module, and the survivors that equivalent.toml does not know.

A survivor is named by its module and function, and by the line that the mutant has there.
"""

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

MUTATED = ROOT / "mutants" / "src" / "eplb_xp" / "algorithms"
EQUIVALENT = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())["equivalent"]
KNOWN = {mutant for entry in EQUIVALENT for mutant in entry["mutants"]}
AT_LEAST = 0.9
SURVIVED = 0  # what pytest returns where every test passed


class Counts(NamedTuple):
    """Mutants of one module, or of several."""

    mutants: int
    killed: int
    equivalent: int

    def row(self, name: str) -> str:
        survived = self.mutants - self.killed
        of_all, of_others = self.killed / self.mutants, self.killed / (self.mutants - self.equivalent)
        numbers = f"{self.mutants} | {self.killed} | {survived} | {self.equivalent}"
        return f"| {name} | {numbers} | {of_all:.1%} | {of_others:.1%} |"


def survivors(module: Path, name: str, mutants: list[str]) -> Iterator[str]:
    """The name of each mutant of a module, its functions standing in the mutated file one beside the other."""
    source = module.read_text()
    tree = ast.parse(source)
    body = {f.name: ast.get_source_segment(source, f) or "" for f in tree.body if isinstance(f, ast.FunctionDef)}
    for mutant in mutants:
        function = mutant.rpartition("__mutmut_")[0]
        original = body[f"{function}__mutmut_orig"].splitlines()[1:]
        changed = [line for line in body[mutant].splitlines()[1:] if line not in original]
        yield f"{name}.{function.removeprefix('x_')}: {' '.join(line.strip() for line in changed)}"


def main() -> int:
    rows, unknown = [], []
    for module in sorted(MUTATED.rglob("*.py")):
        meta = module.with_suffix(".py.meta")
        codes = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {}
        tried = {key.rpartition(".")[2]: code for key, code in codes.items() if code is not None}
        if tried:
            name = ".".join(module.relative_to(MUTATED).with_suffix("").parts)
            alive = list(survivors(module, name, [mutant for mutant, code in tried.items() if code == SURVIVED]))
            unknown += [mutant for mutant in alive if mutant not in KNOWN]
            known = sum(mutant in KNOWN for mutant in alive)
            rows.append((name, Counts(len(tried), len(tried) - len(alive), known)))
    together = Counts(*(sum(each) for each in zip(*(counts for _, counts in rows), strict=True)))
    print("| module | mutants | killed | survived | of these equivalent | killed of all | killed of the others |")
    print("|---|---|---|---|---|---|---|")
    for name, counts in [*rows, ("all", together)]:
        print(counts.row(name))
    print(*(f"Survived: {name}" for name in unknown), sep="\n")
    return int(together.killed < AT_LEAST * together.mutants)


if __name__ == "__main__":
    sys.exit(main())
