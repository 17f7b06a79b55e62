"""Asks as a client does for what many tests need: PDFs, images, an answer's status."""


def address(document, query=""):
    """Return where the PDF of a document is made and had."""
    return f"/api/v1/documents/{document.pk}/pdf/{query}"


def send(client, document, file, headers=None, **values):
    """Upload an image to a document, from its begin; a list of files is a mistake of clients."""
    for upload in file if isinstance(file, list) else [file]:
        upload.seek(0)
    path = f"/api/v1/documents/{document.pk}/images/"
    return client.post(path, {"file": file, **values}, format="multipart", headers=headers or {})


def status_of(client, path):
    """Return how a client is answered that takes the whole answer."""
    answer = client.get(path)
    if answer.streaming:
        list(answer.streaming_content)  # which closes the file
    return answer.status_code
