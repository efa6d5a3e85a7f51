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

    from dinp.page.document import VERSIONS, needed_versions, page
    from dinp.pictures.files import check_output, read_dinp, write_output

    if output is not None:
        for source in sources or ("",):
            check_output(output, force=force, source=source)
    paths = list(dict.fromkeys(sources))
    names = [os.path.basename(path) for path in paths]
    files = {name if names.count(name) == 1 else path: read_dinp(path) for path, name in zip(paths, names, strict=True)}
    versions = VERSIONS if everything else needed_versions(files)
    text = page(files, versions=versions).encode()
    networks = f"restoration {' and '.join(map(str, versions))}" if versions else "no restoration"
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
