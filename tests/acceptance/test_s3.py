"""Files in a bucket: a real S3-compatible server, real web and worker processes."""

import hashlib
import http.server
import io
import threading

import pikepdf
import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import storages

from documents import exceptions
from documents.infrastructure import storage
from documents.infrastructure.s3 import BucketStorage
from documents.tasks.images import attachments
from spms import environment
from tests import factories
from tests.acceptance.bucket import KEYS, NAME, Server
from tests.acceptance.system import System
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("s3")

CLEAN_UP = """
from datetime import timedelta
from django.core.files.storage import default_storage
from documents.infrastructure import storage
from documents.models import DocumentImage, Task
from documents.tasks import maintenance
maintenance.UNFINISHED = timedelta({hours})
removed = maintenance.remove_files(storage.results(), [(Task, "file"), (Task, "source")])
pictures = [(DocumentImage, "file"), (DocumentImage, "thumbnail")]
print(removed, maintenance.remove_files(default_storage, pictures))
"""


@pytest.fixture(scope="module")
def server():
    s3_server = Server()
    yield s3_server
    s3_server.remove()


@pytest.fixture(scope="module")
def system(server, tmp_path_factory):
    settings = server.settings("agency") | {"SPMS_MODE": "auto", "SPMS_RETRY_BACKOFF": "1s"}
    started = System(tmp_path_factory.mktemp("system"), **settings)
    started.prepare()
    started.start_web()
    started.start_workers()
    wait_for(started.workers)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def plan(system):
    """A document with an image of its own."""
    document = system.documents(kind="concept_plan")[0]
    image = upload(system, document)
    assert image.status_code == 201, image.text
    sections = {"aims": f'<p>x</p><img src="{image.json()["url"]}" alt="Noise.">'}
    changed = system.call("PATCH", f"documents/{document['id']}/", json={"sections": sections})
    assert changed.status_code == 200, changed.text
    return document | {"image": image.json()["url"]}


@pytest.fixture
def bucket(server, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return BucketStorage(bucket_name=NAME, location="alone", endpoint_url=server.door.address)


def upload(system, document):
    picture = factories.image_file((900, 700), "JPEG").read()
    return system.call("POST", f"documents/{document['id']}/images/", files={"file": ("a.jpg", picture)})


def address(system, document):
    return f"{system.address}/api/v1/documents/{document['id']}/pdf/"


def has_picture(content):
    """Say whether the large picture is in a PDF."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pictures = [item for item in pdf.objects if isinstance(item, pikepdf.Stream)]
        return any(picture.get("/Width") == 900 for picture in pictures)


def test_an_image_is_kept_in_the_bucket_and_sent_by_the_application(system, server, plan):
    answer = system.session.get(system.address + plan["image"])
    key = key_of(server, answer.content)
    stored = server.client.get_object(Bucket=NAME, Key=key)["Body"].read()
    assert (answer.status_code, answer.content) == (200, stored)
    grants = server.client.get_object_acl(Bucket=NAME, Key=key)["Grants"]
    assert [grant["Grantee"]["Type"] for grant in grants] == ["CanonicalUser"]  # its owner, and nobody else
    assert not list(system.folder.glob("media/**/*.jpg"))


def key_of(server, content):
    digest = hashlib.sha256(content).hexdigest()
    [key] = [key for key in server.keys("agency/media/") if f"{digest}." in key]
    return key


@pytest.mark.parametrize(
    ("wish", "status"), [({}, 201), ({"Prefer": "respond-async"}, 202)], ids=["inline", "queue"]
)
def test_a_pdf_with_its_image_is_made(system, server, plan, wish, status):
    answer = system.make(plan, headers=wish)
    assert answer.status_code == status, answer.text
    task = system.ended(answer.json()["task_id"])
    assert (task["status"], task["result"]["warnings"]) == ("succeeded", [])
    sent = system.session.get(system.address + task["result"]["url"])
    assert has_picture(sent.content)
    assert len(sent.content) == task["result"]["bytes"] == int(sent.headers["Content-Length"])
    assert sent.headers["ETag"].strip('"') == hashlib.sha256(sent.content).hexdigest()
    assert server.keys("agency/results/")
    assert not list(system.folder.glob("results/**/*.pdf"))
    assert not list(system.folder.glob("work/*/*/*"))


def test_ranges_and_conditions_hold(system, plan):
    system.make(plan)
    whole = system.session.get(address(system, plan))
    etag, size = whole.headers["ETag"], len(whole.content)
    for byte_range, part in {
        "0-99": whole.content[:100],
        "-50": whole.content[-50:],
        "900-": whole.content[900:],
    }.items():
        answer = system.session.get(address(system, plan), headers={"Range": f"bytes={byte_range}"})
        assert (answer.status_code, answer.content) == (206, part), byte_range
        assert answer.headers["Content-Range"].endswith(f"/{size}")
    unchanged = system.session.get(address(system, plan), headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    beyond = system.session.get(address(system, plan), headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416


def test_the_clean_up_removes_what_no_row_names(system, server, plan):
    system.make(plan)
    for key in ("agency/results/2026/11/stray.pdf", "agency/media/images/00/stray.jpg"):
        server.client.put_object(Bucket=NAME, Key=key, Body=b"left")
    server.client.put_object(Bucket=NAME, Key="elsewhere/results/other.pdf", Body=b"of somebody else")
    assert system.manage("shell", "-v", "0", "-c", CLEAN_UP.format(hours="hours=1")).stdout.split() == [
        "0",
        "0",
    ]
    assert system.manage("shell", "-v", "0", "-c", CLEAN_UP.format(hours="0")).stdout.split() == ["1", "1"]
    assert not [key for key in server.keys("agency/") if "stray" in key]
    assert server.keys("elsewhere/")
    assert system.session.get(address(system, plan)).status_code == 200


def test_while_the_server_is_away_it_is_a_plain_problem_and_then_it_goes_on(system, server, plan):
    system.make(plan)
    server.door.shut()
    try:
        answers = [
            system.make(plan),
            system.session.get(address(system, plan)),
            system.session.get(system.address + plan["image"]),
            upload(system, plan),
        ]
        queued = system.make(plan, headers={"Prefer": "respond-async"}).json()
        wait_for(lambda: system.call("GET", f"tasks/{queued['task_id']}/").json()["status"] == "retrying")
    finally:
        server.door.open()
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:spms:problem:storage-unavailable")
        assert f"cannot be reached at {server.door.address}" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) > 0
    assert system.ended(queued["task_id"])["status"] == "succeeded"
    assert system.make(plan).status_code == 201
    assert system.session.get(system.address + plan["image"]).status_code == 200
    assert "Traceback" not in system.log()


def test_a_vanished_object_is_a_missing_pdf_and_a_missing_image(system, server, plan):
    system.make(plan)
    for key in server.keys("agency/results/"):
        server.client.delete_object(Bucket=NAME, Key=key)
    assert system.session.get(address(system, plan)).json()["type"] == "urn:spms:problem:pdf-missing"
    image = upload(system, plan).json()
    content = system.session.get(system.address + image["url"]).content
    server.client.delete_object(Bucket=NAME, Key=key_of(server, content))
    assert system.session.get(system.address + image["url"]).status_code == 404


def test_only_what_is_asked_for_comes_over_the_wire(bucket, server):
    name = bucket.save("large.pdf", ContentFile(bytes(range(256)) * 80_000))
    before = server.door.bytes_out
    with bucket.open_at(name, 20_000_000) as stream:
        assert stream.read(4) == bytes(range(4))
        assert stream.size == 20_480_000
    assert server.door.bytes_out - before < 1_000_000
    with bucket.open(name) as stream:
        assert stream.seek(-3, io.SEEK_END) == 20_479_997
        assert stream.read() == bytes((253, 254, 255))


def test_a_file_is_there_whole_or_not_at_all(bucket, server):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 8_000_000:
                raise OSError("the disk it is read from broke")
            return super().read(size)

    with pytest.raises(OSError, match="broke"):
        bucket.save("half.pdf", File(Breaking(b"x" * 20_000_000)))
    assert not bucket.exists("half.pdf")


def test_a_bucket_that_is_not_there_is_named(server, bucket):
    missing = BucketStorage(bucket_name="no-such-bucket", location="", endpoint_url=server.door.address)
    for attempt in (
        lambda: missing.exists("a"),
        lambda: missing.open("a"),
        lambda: missing.save("a", ContentFile(b"a")),
        lambda: missing.listdir(""),
    ):
        with pytest.raises(storage.StorageUnreachable, match=r"no-such-bucket .* does not exist: create it"):
            attempt()


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers like a bucket to which the key has no rights."""

    def do_GET(self):
        body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def test_a_refusal_says_what_to_check(bucket):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        closed = BucketStorage(
            bucket_name=NAME, location="", endpoint_url=f"http://127.0.0.1:{refusing.server_port}"
        )
        for attempt in (
            lambda: closed.exists("a"),
            lambda: closed.open("a"),
            lambda: closed.get_modified_time("a"),
        ):
            with pytest.raises(
                storage.StorageUnreachable, match=r"denies access .*: check AWS_ACCESS_KEY_ID"
            ):
                attempt()
        refusing.shutdown()


def test_without_credentials_it_says_which_to_set(server, monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nowhere")
    keyless = BucketStorage(bucket_name=NAME, location="", endpoint_url=server.door.address)
    with pytest.raises(storage.StorageUnreachable, match="set AWS_ACCESS_KEY_ID"):
        keyless.exists("a")


def test_files_can_be_encrypted_at_rest(server, bucket, monkeypatch, tmp_path):
    for name, value in (server.settings("sealed") | {"SPMS_S3_ENCRYPTION": "AES256"}).items():
        monkeypatch.setenv(name, value)
    options = environment.files(tmp_path)["results"]["OPTIONS"]
    sealed = BucketStorage(**options)
    sealed.save("a.pdf", ContentFile(b"%PDF"))
    head = server.client.head_object(Bucket=NAME, Key="sealed/results/a.pdf")
    assert (head["ServerSideEncryption"], head["ContentType"]) == ("AES256", "application/pdf")


def test_an_image_is_copied_for_the_render_or_said_to_be_gone(bucket, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(attachments, "default_storage", bucket)
    bucket.save("images/ab/abc.png", ContentFile(b"PNG"))
    assert attachments.local_path("images/ab/abc.png", tmp_path).read_bytes() == b"PNG"
    assert not attachments.local_path("images/ab/gone.png", tmp_path).exists()
    away = BucketStorage(bucket_name=NAME, location="", endpoint_url="http://127.0.0.1:9")
    monkeypatch.setattr(attachments, "default_storage", away)
    with pytest.raises(exceptions.StorageUnavailable, match="cannot be reached"):
        attachments.local_path("images/ab/abc.png", tmp_path)
    assert storages["results"] is storage.results()
