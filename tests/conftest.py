"""What holds for all tests."""

import hypothesis

# A shared machine may be slow for a moment: that is no failure of a property.
hypothesis.settings.register_profile("broadcaster", deadline=None)
hypothesis.settings.load_profile("broadcaster")
