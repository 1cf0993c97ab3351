"""The steps of the answer path; each takes the state and returns a changed one."""
