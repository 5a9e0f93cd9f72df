"""What a run of mutmut found: a table by module, and the survivors that docs/testing.md does not know.

A survivor is named by its function and the line that the mutant has there.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MUTATED = ROOT / "mutants" / "src" / "eplb_xp" / "algorithms"
KNOWN = set((ROOT / "docs" / "testing.md").read_text().splitlines())
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


def survivors(module: Path, mutants: list[str]) -> Iterator[str]:
    """The name of each mutant of a module, its functions standing in the mutated file one beside the other."""
    source = module.read_text()
    tree = ast.parse(source)
    body = {f.name: ast.get_source_segment(source, f) or "" for f in tree.body if isinstance(f, ast.FunctionDef)}
    for mutant in mutants:
        function = mutant.rpartition("__mutmut_")[0]
        original = body[f"{function}__mutmut_orig"].splitlines()[1:]
        changed = [line for line in body[mutant].splitlines()[1:] if line not in original]
        yield f"{module.stem}.{function.removeprefix('x_')}: {' '.join(line.strip() for line in changed)}"


def main() -> int:
    rows, unknown = [], []
    for module in sorted(MUTATED.glob("*.py")):
        meta = module.with_suffix(".py.meta")
        codes = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {}
        tried = {key.rpartition(".")[2]: code for key, code in codes.items() if code is not None}
        if tried:
            alive = list(survivors(module, [mutant for mutant, code in tried.items() if code == SURVIVED]))
            unknown += [name for name in alive if name not in KNOWN]
            rows.append(
                (module.stem, Counts(len(tried), len(tried) - len(alive), sum(name in KNOWN for name in alive)))
            )
    together = Counts(*(sum(each) for each in zip(*(counts for _, counts in rows), strict=True)))
    print("| module | mutants | killed | survived | of these equivalent | killed of all | killed of the others |")
    print("|---|---|---|---|---|---|---|")
    for name, counts in [*rows, ("all", together)]:
        print(counts.row(name))
    print(*(f"Survived: {name}" for name in unknown), sep="\n")
    return int(together.killed < AT_LEAST * together.mutants)


if __name__ == "__main__":
    sys.exit(main())
