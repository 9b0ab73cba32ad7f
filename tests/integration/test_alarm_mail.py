"""Messages as a mail server gets them."""

import asyncio
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from functools import partial
from typing import NamedTuple

from hydrascope.monitoring.delivery import send

TITLE = "Warning: Rig <7>\r\nBcc: all@example.com, pump: weak leakage"
BODY = "Machine: Rig <b>7</b> & Co (rig_7)\nPlace: pump\nSensors: PS1 (60%)"


class MailServer(NamedTuple):
    """A mail server that keeps what it gets."""

    port: int
    mails: list[bytes]
    receivers: list[bytes]


class _Session(socketserver.StreamRequestHandler):
    """One session of SMTP (RFC 5321)."""

    def __init__(self, *given: object, server: MailServer) -> None:
        self._kept = server
        super().__init__(*given)  # type: ignore[arg-type]

    def handle(self) -> None:
        self._say("220 here")
        for line in self.rfile:
            command = line.split()[0].upper()
            if command == b"DATA":
                self._say("354 go on")
                self._kept.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            if command == b"RCPT":
                self._kept.receivers.append(line.strip())
            self._say("250 good")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    kept = MailServer(0, [], [])
    handler = partial(_Session, server=kept)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept._replace(port=server.server_address[1])
        server.shutdown()


def test_a_mail_is_plain_text_and_no_name_is_read_as_html_or_as_a_header() -> None:
    with mail_server() as server:
        address = f"mailto://127.0.0.1:{server.port}?to=shift@example.com&from=rig@example.com"
        assert asyncio.run(send(f"{address}&mode=insecure", "shift", TITLE, BODY)) == ""
    (content,) = server.mails
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert "Bcc" not in mail
    assert mail["Subject"] == "Warning: Rig <7> Bcc: all@example.com, pump: weak leakage"
    assert len(server.receivers) == 1
    assert mail.get_body(("html",)) is None
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines()[:3] == BODY.splitlines()
