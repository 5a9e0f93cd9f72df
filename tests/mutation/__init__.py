"""What a run of mutmut found, beside the mutants that no test can tell from the original."""
