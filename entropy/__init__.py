"""Integer context models and range coding of masks and values."""
