# SPDX-License-Identifier: Apache-2.0
"""Authorities and certificates for a test, made by the openssl command."""
import pathlib
import subprocess

CONFIG = """
[ca]
default_ca = d
[d]
new_certs_dir = {folder}
database = {folder}/{ca}.index
serial = {folder}/{ca}.serial
default_md = sha256
policy = p
unique_subject = no
copy_extensions = copy
[p]
commonName = supplied
"""


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], capture_output=True, timeout=60, check=True)


class Pki:
    """Files of one folder: NAME.pem and NAME.key (mode 600)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.authority("ca")
        self.authority("other")
        self.make("server")
        self.make("client", names=None)
        self.make("stranger", ca="other", names=None)

    def pem(self, name):
        return str(self.folder / f"{name}.pem")

    def key(self, name):
        return str(self.folder / f"{name}.key")

    def authority(self, ca):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key(ca), "-out", self.pem(ca), "-days", "30", "-subj", f"/CN={ca}")
        (self.folder / f"{ca}.index").write_text("")
        (self.folder / f"{ca}.serial").write_text("1000\n")
        (self.folder / f"{ca}.cnf").write_text(CONFIG.format(folder=self.folder, ca=ca))

    def make(self, name, ca="ca", names="DNS:localhost,IP:127.0.0.1,IP:::1", until="20991231235959Z"):
        request = self.folder / f"{name}.csr"
        alternatives = ["-addext", f"subjectAltName={names}"] if names else []
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.key(name), "-out", request, "-subj", f"/CN={name}", *alternatives)
        openssl("ca", "-batch", "-notext", "-config", self.folder / f"{ca}.cnf", "-cert",
                self.pem(ca), "-keyfile", self.key(ca), "-in", request, "-out", self.pem(name),
                "-startdate", "20200101000000Z", "-enddate", until)
        pathlib.Path(self.key(name)).chmod(0o600)
        return self
