"""The one error a person can meet."""


class DinpError(Exception):
    """Bad input: one sentence that says what was wrong and what to do."""
