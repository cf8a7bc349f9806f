"""Settings for all tests."""

import os

import hypothesis

# No deadline, because a busy machine may be slow for a moment. CI uses the same examples each time; on a developer's
# machine hypothesis keeps searching for new ones.
hypothesis.settings.register_profile("broadcaster", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("broadcaster")
