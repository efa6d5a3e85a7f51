"""What an encoder decides: where points go, which values and levels they get, which quality meets a target.

Another encoder may decide otherwise: the format does not change. May import every other room of the codec, but neither
the face nor what is learned: that is handed in.
"""
