"""Pictures in and out: modes and arrays, colour and planes, files on disk.

Knows what a picture is, not how it is coded. May import `dinp.errors`, `dinp.limits` and, for its magic,
`dinp.bitstream.container`.
"""
