"""The benchmarks, on figures that are made up or small."""
