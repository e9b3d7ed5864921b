"""A mail server on loopback (RFC 5321, 3207, 4954): STARTTLS with a certificate of its own, AUTH PLAIN, refusals.

It keeps what it was given and answers as a server does: commands out of order are refused, dots are unstuffed, an
addressee that it does not know gets 550.
"""

import base64
import datetime
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class MailServer:
    """A running server: what it accepted, and how it shall behave."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    client_context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    server_context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


@contextmanager
def mail_server(folder: Path, *, users: dict[str, str] | None = None) -> Iterator[MailServer]:
    """Run a server; with `users` it takes letters after STARTTLS and AUTH only."""
    made = MailServer(users=users or {})
    certificate = _certificate(folder)
    made.server_context.load_cert_chain(certificate)
    made.client_context = ssl.create_default_context(cafile=certificate)

    class Session(_Session):
        mail = made

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join(5)


class _Session(socketserver.StreamRequestHandler):
    mail: MailServer

    def handle(self) -> None:
        self.secure, self.known = False, False
        self.sender, self.recipients = None, []
        self._say("220 test ESMTP")
        while line := self.rfile.readline(1000).decode().rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            answer = getattr(self, f"do_{verb.lower()}", None)
            if answer is None:
                self._say("502 not implemented")
            elif answer(rest) is False:
                return

    def do_ehlo(self, _: str) -> None:
        offers = ["test", "8BITMIME", "SIZE 1000000"]
        if not self.secure:
            offers.append("STARTTLS")
        if self.mail.users and self.secure:
            offers.append("AUTH PLAIN")
        for offer in offers[:-1]:
            self._say(f"250-{offer}")
        self._say(f"250 {offers[-1]}")

    def do_starttls(self, _: str) -> None:
        self._say("220 go on")
        self.connection = self.mail.server_context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.secure = True

    def do_auth(self, rest: str) -> None:
        if not self.secure:
            return self._say("530 Must issue a STARTTLS command first")
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        self.known = self.mail.users.get(user) == password
        return self._say("235 welcome" if self.known else "535 wrong password")

    def do_mail(self, rest: str) -> None:
        if self.mail.users and not self.known:
            return self._say("530 Authentication required")
        self.sender, self.recipients = rest, []
        return self._say("250 ok")

    def do_rcpt(self, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        if self.sender is None:
            return self._say("503 MAIL first")
        if address in self.mail.unknown:
            return self._say(f"550 <{address}> no such user here")
        self.recipients.append(address)
        return self._say("250 ok")

    def do_data(self, _: str) -> None:
        if not self.recipients:
            return self._say("503 RCPT first")
        self._say("354 end with a dot")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        parsed = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mail.letters.append(parsed)
        self.mail.encrypted.append(self.secure)
        self.sender = None
        return self._say("250 taken")

    def do_rset(self, _: str) -> None:
        self.sender, self.recipients = None, []
        self._say("250 ok")

    def do_quit(self, _: str) -> bool:
        self._say("221 bye")
        return False

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
        self.wfile.flush()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
