from cnx_tutorial.teaching.tolerance import about


def test_two_machines_print_the_same_and_a_broken_training_does_not():
    assert about(0.52, 0.45, 0.1) == about(0.36, 0.45, 0.1) == "0.45 ± 0.10"
    assert about(0.71, 0.45, 0.1) == "0.71, and not 0.45 ± 0.10"
    assert about(float("nan"), 0.45, 0.1) == "nan, and not 0.45 ± 0.10"
    assert about(12.4, 12, 1, digits=0) == "12 ± 1"
