"""Files in the state folder: desired state and secrets."""
