"""The test picture and its beep: what is shown where there is no camera, and what tests read in a browser."""
