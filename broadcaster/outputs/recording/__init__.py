"""The recorder: which part of the stream goes into which file. Files are written by `storage.recordings`."""
