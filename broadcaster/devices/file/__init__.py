"""The sources `file`: video and audio of a media file, played in a loop."""
