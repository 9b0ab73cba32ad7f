"""Error messages for bytes that are not text."""


def not_utf8(content: bytes) -> str:
    """Return a message with the remedy for bytes that are not UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        what = f"byte 0x{content[error.start]:02x} is"
    else:
        what = "some bytes are"
    return (
        f"{what} not UTF-8, but perhaps Latin-1 or Windows-1252; expected UTF-8: "
        "iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
    )
