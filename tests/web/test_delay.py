"""What `make bench-browser` makes of its milliseconds."""

from __future__ import annotations

import pytest

from tests.web.delay import figures


@pytest.mark.parametrize(("later", "met"), [(150.0, True), (151.0, False)])
def test_the_browser_is_judged_by_how_much_later_it_is_heard(later: float, met: bool) -> None:
    here = [1000.0, 1400.0, 3000.0]
    found = {figure.name: figure for figure in figures([ms + later for ms in here], here)}
    judged = found["browser later than command line, p50"]
    assert (judged.value, judged.met) == (later, met)
    assert found["command line: replied to"].value == 3
