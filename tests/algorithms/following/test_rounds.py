"""Plans that follow each other for many rounds; `test_invariants` has the same under `jax.jit`."""

from hypothesis import settings

from tests.support.rounds import Rounds

TestRounds = Rounds.TestCase
TestRounds.settings = settings(max_examples=max(settings().max_examples // 5, 2), stateful_step_count=20)
