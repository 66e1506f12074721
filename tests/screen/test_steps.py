"""Work in steps may be done at once."""

from kasmd.screen.steps import Steps, finished


def test_all_of_it_is_done_and_what_it_comes_to_is_given() -> None:
    done = []

    def work() -> Steps[str]:
        for step in range(3):
            done.append(step)
            yield
        return "result"

    assert finished(work()) == "result"
    assert done == [0, 1, 2]
