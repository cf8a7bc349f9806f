"""The README's diagram of the stream's states is the code's table."""

import re

from broadcaster.stream.machine import TABLE
from tests.house.project import read


def test_the_diagram_is_the_table():
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", read("README.md"), re.DOTALL)
    arrows = {(start, end, event) for start, end, events in re.findall(r"(\w+) --> (\w+): (.+)", diagram)
              for event in events.split(", ")}  # fmt: skip
    assert arrows == {(phase.value, end.value, event.value) for (phase, event), (end, _) in TABLE.items()}
