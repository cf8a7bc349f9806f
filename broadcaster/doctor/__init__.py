"""EDGE: `broadcaster check`, which looks at everything that the stream needs and says what to do about it.

`checks` does the looking; here is what goes round it: as whom, each apart from the others, what all of them know when
they begin, and how their lines are shown.
"""
