"""Reads every mail below a folder with Python's own parser and prints what it makes of each, a JSON
object a line: a second opinion that shares nothing with ours."""

import email.policy
import email.utils
import hashlib
import json
import os
import sys


def attempt(read):
    """What the parser itself dies of, or could not decode, is no opinion."""
    try:
        opinion = read()
        return None if "\ufffd" in json.dumps(opinion, ensure_ascii=False) else opinion
    except Exception:
        return None


def addresses(mail, name):
    values = [str(v) for v in mail.get_all(name, [])]
    return [a for _, a in email.utils.getaddresses(values) if a]


def parts(mail):
    """The leaves, a mail within a mail being one."""
    if mail.get_content_maintype() == "multipart" and mail.is_multipart():
        for part in mail.iter_parts():
            yield from parts(part)
    else:
        yield mail


def text(mail):
    words = []
    for part in parts(mail):
        if part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment" and not part.get_filename():
            words += part.get_content().replace("\0", "").split()
    return words or None


def files(mail):
    """Digests with the line ends of Unix: Python's parser does not keep those of the mail."""
    digests = []
    for part in parts(mail):
        if part.get_content_disposition() == "attachment" and part.get_content_maintype() != "message":
            digests.append(hashlib.sha256(part.get_payload(decode=True).replace(b"\r\n", b"\n")).hexdigest())
    return digests


for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if not name.endswith((".eml", ".raw")):
            continue
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            mail = email.message_from_binary_file(f, policy=email.policy.default)
        print(json.dumps({
            "path": path,
            "subject": attempt(lambda: " ".join(str(mail["subject"] or "").split())),
            "from": attempt(lambda: addresses(mail, "from")),
            "to": attempt(lambda: addresses(mail, "to")),
            "date": attempt(lambda: int(mail["date"].datetime.timestamp()) if mail["date"] and mail["date"].datetime and mail["date"].datetime.tzinfo else None),
            "text": attempt(lambda: text(mail)),
            "files": attempt(lambda: files(mail)),
        }))
