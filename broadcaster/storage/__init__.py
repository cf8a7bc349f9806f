"""Files of the state folder: desired state and secrets."""
