import gzip
import tarfile

import pytest

from latelier.contracts.errors import DataError
from latelier.data.streaming import http, shards
from latelier.data.streaming.shards import stream_shard

FILES = {"1.png": b"red", "1.txt": b"a", "2.png": b"blue", "2.html": b"-", "d/3.JPG": b"lime"}


def names(url, waits=(0, 0)):
    return [sample.name for sample in stream_shard(url, waits)]


def test_the_samples_of_a_shard_come_in_order(shard_server):
    url = shard_server.add("a.tar", FILES)
    first, second, third = stream_shard(f"{url}?signature=secret")
    assert (first.name, dict(first.files)) == ("a.tar: 1", {"png": b"red", "txt": b"a"})
    assert dict(second.files) == {"png": b"blue"}  # other files are not kept
    assert (third.name, third.size) == ("a.tar: d/3", 4)
    assert shard_server.requests == ["/a.tar?signature=secret"]


@pytest.mark.parametrize("fault", [503, 429, -512, -1600])
def test_a_failed_connection_goes_on_where_it_was(shard_server, fault):
    url = shard_server.add("a.tar", FILES)
    shard_server.faults["/a.tar"] = [fault, fault]
    assert names(url) == ["a.tar: 1", "a.tar: 2", "a.tar: d/3"]
    assert len(shard_server.requests) == 3


def test_a_connection_that_fails_again_and_again_is_an_error(shard_server):
    url = shard_server.add("a.tar", FILES)
    shard_server.faults["/a.tar"] = [500] * 9
    with pytest.raises(DataError, match=r"a.tar: cannot be read: the server .* 500 .* \(try 3"):
        names(f"{url}?signature=secret")
    assert len(shard_server.requests) == 3


def test_the_message_hides_secrets(shard_server):
    with pytest.raises(DataError) as caught:
        names(f"{shard_server.url}/missing.tar?signature=secret")
    assert str(caught.value) == f"{shard_server.url}/missing.tar: the server answers 404 Not Found"
    assert len(shard_server.requests) == 1  # another try would not help
    assert http.hide_secrets("https://me:secret@host/a.tar?b#c") == "https://host/a.tar"


def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(DataError, match=r"http://127.0.0.1:9/a.tar: cannot be read: .*refused"):
        names("http://127.0.0.1:9/a.tar", ())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a.tar", "http://h:port/a.tar"])
def test_another_scheme_or_no_url_is_an_error(url):
    with pytest.raises(DataError, match=r"unknown url type|expected a URL of http or https"):
        names(url, ())


def test_a_redirection_is_followed_to_http_alone(shard_server):
    url = shard_server.add("a.tar", FILES)
    shard_server.faults["/b.tar"] = [url, "ftp://host/a.tar", "file:///etc/passwd"]
    assert len(names(f"{shard_server.url}/b.tar")) == 3
    for _ in range(2):
        with pytest.raises(DataError, match=r"b.tar: (is redirected to ftp|.*is not allowed)"):
            names(f"{shard_server.url}/b.tar")


@pytest.mark.parametrize(
    "content",
    [b"", b"no tar file" * 100, gzip.compress(b"x" * 2000, mtime=0)],
    ids=["empty", "text", "gzip"],
)
def test_what_is_no_tar_file_is_an_error(shard_server, content):
    shard_server.content["/a.tar"] = content
    with pytest.raises(DataError, match=r"a.tar: expected an uncompressed tar file"):
        names(f"{shard_server.url}/a.tar")


def test_a_file_that_is_too_large_is_an_error(shard_server, monkeypatch):
    monkeypatch.setattr(shards, "_MAX_BYTES", 40_000)
    url = shard_server.add("a.tar", {f"{k}.png": bytes(20_000) for k in range(5)})
    assert len(names(url)) == 5
    url = shard_server.add("a.tar", {"1.html": bytes(60_000), "2.png": b"-"})
    with pytest.raises(DataError, match=r"a.tar: has a file of more than 40000 bytes"):
        names(url)


def test_a_long_header_is_an_error(shard_server, monkeypatch):
    monkeypatch.setattr(shards, "_MAX_BYTES", 40_000)
    member = tarfile.TarInfo("1.png")
    member.pax_headers = {"comment": "x" * 100_000}
    data = member.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
    shard_server.content["/a.tar"] = data
    with pytest.raises(DataError, match="has a file of more than"):
        names(f"{shard_server.url}/a.tar")
