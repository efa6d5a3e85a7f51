"""The one error a person can meet, and the notice given when a picture is not coded exactly as it came."""


class DinpError(Exception):
    """Bad input: one sentence that says what was wrong and what to do."""


class DinpNotice(UserWarning):
    """A picture was converted before coding; the message says from what to what. Never raised by decoding."""
