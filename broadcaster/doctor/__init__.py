"""EDGE: `broadcaster check` tests everything that the stream needs, and suggests fixes.

`checks` contains the checks. The modules here provide what they share: the user that they run as, their isolation from
each other, the facts that they start with, and the report.
"""
