"""What holds for all tests."""

import os

import hypothesis

# A shared machine may be slow for a moment: that is no failure of a property. A change is judged by the same examples
# each time; at a developer's, chance goes on looking for others.
hypothesis.settings.register_profile("broadcaster", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("broadcaster")
