"""`dinp view`."""

import click

from dinp.cli.progress import out, say


@click.command()
@click.argument("sources", metavar="FILE...", nargs=-1)
@click.option("--out", "-o", "output", metavar="PAGE.html", help="Write the page there, and open no browser.")
@click.option("--all", "everything", is_flag=True, help="With all networks of restoration, for files dropped on it.")
@click.option("-f", "--force", is_flag=True, help="Overwrite PAGE.html.")
def view(sources: tuple[str, ...], output: str | None, everything: bool, force: bool) -> None:
    """Make a page that decodes dinp files in the browser.

    It is one HTML file that needs no server and nothing else. Further files can be dropped on it.
    """
    import os
    import tempfile
    import webbrowser
    from pathlib import Path

    from dinp.errors import DinpError
    from dinp.page.document import VERSIONS, needed_versions, page
    from dinp.pictures.files import check_output, display, read_dinp, write_output

    def read(path: str) -> bytes:
        try:
            return read_dinp(path)
        except DinpError as error:  # which one of several it is
            raise error if display(path) in str(error) else DinpError(f"{display(path)}: {error}") from error

    if output is not None:
        check_output(output, *sources, force=force)
    paths = list(dict.fromkeys(sources))
    names = [os.path.basename(path) for path in paths]
    files = {name if names.count(name) == 1 else path: read(path) for path, name in zip(paths, names, strict=True)}
    versions = VERSIONS if everything else needed_versions(files)
    text = page(files, versions=versions).encode()
    networks = f"restoration {', '.join(map(str, versions))}" if versions else "no restoration"
    said = f"{len(text):,} bytes, with {networks}"
    if output is not None:
        write_output(output, text, force=force)
        say(said)
        return
    path = Path(tempfile.mkdtemp(prefix="dinp-view-"), "page.html")
    path.write_bytes(text)
    out(str(path))
    say(said)
    webbrowser.open(path.as_uri())
