"""The one error a person can meet, and the notice of what came out otherwise than asked."""


class DinpError(Exception):
    """Bad input: one sentence that says what was wrong and what to do."""


class DinpNotice(UserWarning):
    """A picture was converted before coding, or decoded plainly for want of its restoration; the message says which."""
