"""Who may use the platform, in which unit, with which role, and within which bounds."""
