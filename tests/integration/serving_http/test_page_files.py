"""The page's files, as a browser asks for them."""

import gzip
import hashlib

import pytest
from serving_parts import Served

FILES = {
    "/": "text/html; charset=utf-8",
    "/page.js": "text/javascript; charset=utf-8",
    "/page.css": "text/css; charset=utf-8",
    "/icon.svg": "image/svg+xml",
}


@pytest.mark.parametrize(("path", "media_type"), FILES.items())
def test_a_file_is_sent_once_and_compressed_where_that_is_accepted(
    served: Served, path: str, media_type: str
) -> None:
    plain = served.get(path, headers={"accept-encoding": "identity, gzip;q=0"})
    zipped = served.get(path, headers={"accept-encoding": "br, GZIP;q=0.5"})
    assert plain.headers["content-type"] == media_type
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content
    assert plain.headers["etag"] != zipped.headers["etag"]
    for answer in (plain, zipped):
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["cache-control"] == "no-cache"
    known = {"accept-encoding": "gzip", "if-none-match": f'"other", W/{zipped.headers["etag"]}'}
    again = served.get(path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == zipped.headers["etag"]


def test_the_page_may_run_and_apply_its_own_files_alone(served: Served) -> None:
    policy = served.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    page = served.get("/").text
    assert "<style" not in page
    assert (
        page.count("<script") == page.count("<script type=") == page.count('src="./page.js"') == 1
    )


def test_the_page_is_small(served: Served) -> None:
    content = b"".join(served.get(path).content for path in FILES)
    assert len(gzip.compress(content)) < 80_000
    assert len({hashlib.sha256(served.get(path).content).hexdigest() for path in FILES}) == 4
