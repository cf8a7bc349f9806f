"""Recordings on the disk: the folder, the files, their index, and the thread that writes."""
