"""A page that decodes dinp files in the browser, and a script that paints previews; of the face: may import everything.

`js/` is a decoder of its own, written from `docs/format.md`; what is here puts its modules and tables into one file.
"""
