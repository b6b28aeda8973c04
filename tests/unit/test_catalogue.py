"""Fetching on request, against a server of our own: progress, cancel, cache, and everything that may come instead."""

import hashlib
import http.server
import threading
import time

import pytest

from dvae_core.data import catalogue
from dvae_core.data.catalogue import CATALOGUE, Entry, Remote
from dvae_core.data.dataset import DataError

GOOD = b"x,u\n" + b"1,2\n" * 100_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one page of every kind, slowly where asked."""

    asked: list[str] = []  # noqa: RUF012  one server at a time

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {"/page": b"<!DOCTYPE html><html>quota exceeded</html>", "/other": b"y" * 1000}.get(self.path, GOOD)
        endless = self.path == "/endless"
        self.send_response(200)
        if not endless:
            self.send_header("Content-Length", str(len(body) + (5 if self.path == "/short" else 0)))
        self.end_headers()
        try:
            for _ in range(100 if endless else 1):
                for at in range(0, len(body), 2**15):
                    self.wfile.write(body[at : at + 2**15])
                    if self.path == "/slow":
                        time.sleep(0.02)
        except ConnectionError:
            pass

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def listed(server: str, *pages: str, digest: str = "", size: int | None = len(GOOD)) -> Entry:
    digest = digest or f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
    files = tuple(Remote(f"{server}/{page}", f"{page}.csv", digest, size) for page in pages)
    return Entry("-".join(pages), "A table", "x and u", "none", "us", files)


def test_a_file_is_fetched_once_with_progress(server, tmp_path):
    wanted, shares = listed(server, "good"), []
    path = catalogue.fetch(wanted, tmp_path, progress=shares.append)
    assert path.read_bytes() == GOOD
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 3
    assert catalogue.is_fetched(wanted, tmp_path)
    count = len(Handler.asked)
    assert catalogue.fetch(wanted, tmp_path) == path
    assert len(Handler.asked) == count  # from the cache


def test_several_files_make_a_folder(server, tmp_path):
    path = catalogue.fetch(listed(server, "one", "two"), tmp_path)
    assert sorted(p.name for p in path.iterdir()) == ["one.csv", "two.csv"]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("other", "digest differs"),
        ("page", "a web page instead of page.csv"),
        ("missing", "answered 404"),
        ("short", "the line broke"),
        ("endless", "larger than listed"),
    ],
)
def test_what_is_not_the_file_is_refused_and_not_kept(server, tmp_path, page, words):
    with pytest.raises(DataError, match=words):
        catalogue.fetch(listed(server, page), tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not catalogue.is_fetched(listed(server, page), tmp_path)


def test_a_damaged_cache_is_fetched_again(server, tmp_path):
    path = catalogue.fetch(listed(server, "good"), tmp_path)
    path.write_bytes(b"changed")
    assert catalogue.fetch(listed(server, "good"), tmp_path).read_bytes() == GOOD


def test_no_server_is_said_in_words(tmp_path):
    with pytest.raises(DataError, match="no answer from its server"):
        catalogue.fetch(listed("http://127.0.0.1:9", "good"), tmp_path)


def test_in_the_background_it_can_be_watched_and_cancelled(server, tmp_path):
    job = catalogue.begin(listed(server, "slow"), tmp_path)
    assert catalogue.begin(listed(server, "slow"), tmp_path) is job  # one at a time
    assert catalogue.download_of(listed(server, "slow")) is job
    job.cancel()
    job.join(10)
    assert (job.state, job.path) == ("cancelled", None)
    assert "Stopped" in job.message
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    again = catalogue.begin(listed(server, "slow"), tmp_path)
    again.join(10)
    assert (again.state, again.share) == ("finished", 1.0)
    assert again.path.read_bytes() == GOOD
    failing = catalogue.begin(listed(server, "missing"), tmp_path)
    failing.join(10)
    assert failing.state == "failed"


def test_the_catalogue_is_pinned_and_safe():
    assert len({e.key for e in CATALOGUE}) == len(CATALOGUE)
    for known in CATALOGUE:
        assert known.licence
        assert all(f.url.startswith("https://") for f in known.files)
        assert catalogue.entry(known.key) is known
    with pytest.raises(DataError, match="The catalogue has no 'celeba'"):
        catalogue.entry("celeba")
    with pytest.raises(ValueError, match="needs a digest"):
        Remote("http://host/a", "a", "")
    with pytest.raises(ValueError, match="no plain file name"):
        Remote("http://host/a", "../a", "md5:0")


def test_the_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("DVAE_CACHE", str(tmp_path))
    assert catalogue.cache_folder() == tmp_path
    monkeypatch.delenv("DVAE_CACHE")
    assert catalogue.cache_folder().name == "disentanglement-lab"
