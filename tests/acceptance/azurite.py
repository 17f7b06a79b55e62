"""Azurite, the emulator of Azure Blob Storage, as a process of its own."""

import base64
import os
import subprocess

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from bench.ports import free_port
from tests.waiting import wait_for

CONTAINER = "spms-tests"
KEY, OTHER_KEY = (base64.b64encode(text * 32).decode() for text in (b"k", b"x"))


class Azurite:
    """Azurite in memory, with one container."""

    def __init__(self, folder):
        self._port = free_port()
        command = [f"{folder}/node_modules/.bin/azurite-blob", "--inMemoryPersistence", "--silent"]
        command += ["--blobHost", "127.0.0.1", "--blobPort", str(self._port), "--skipApiVersionCheck"]
        environment = {"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": f"agency:{KEY}"}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        service = BlobServiceClient.from_connection_string(self.connection(), retry_total=0)
        wait_for(lambda: self._is_prepared(service))
        self.container = service.get_container_client(CONTAINER)

    def connection(self, key=KEY, port=None):
        address = f"http://127.0.0.1:{port or self._port}/agency"
        return f"DefaultEndpointsProtocol=http;AccountName=agency;AccountKey={key};BlobEndpoint={address}"

    def settings(self, prefix):
        """Return the settings of a system whose files are here."""
        address = f"azure://{CONTAINER}/{prefix}"
        return {"SPMS_FILE_STORAGE": address, "AZURE_STORAGE_CONNECTION_STRING": self.connection()}

    def names(self, prefix):
        return [blob.name for blob in self.container.list_blobs(name_starts_with=prefix)]

    def _is_prepared(self, service):
        """Create the container, once the server answers."""
        assert self._process.poll() is None
        try:
            service.create_container(CONTAINER)
        except AzureError:
            return False
        return True

    def remove(self):
        self._process.kill()
        self._process.wait()
