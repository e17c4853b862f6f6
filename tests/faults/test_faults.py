"""Three faults in every run of the tests; `make faults` tries all of them."""

import pytest

from tests.faults.table import Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("moment", ["while the second last.pt is written", "in the final evaluation"])
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(moment, bench):
    outcome = bench.signalled(moment, "SIGKILL")
    assert outcome.survived and outcome.lost == "nothing", outcome


def test_an_apostrophe_in_the_path_is_no_obstacle(bench):
    outcome = bench.surroundings("an apostrophe in the path", "the teacher's")
    assert outcome.survived, outcome
