"""A media file as picture and sound, in a loop."""
