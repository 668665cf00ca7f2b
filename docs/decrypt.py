#!/usr/bin/env python3
"""Decrypts one object of an encrypted repository, without the program that wrote it.

    decrypt.py KEYFILE ROOT OBJECT > CONTENT     decrypts; what comes out is compressed as OBJECT's name says
    decrypt.py KEYFILE ROOT OBJECT --seal        prints a log piece's seal instead
    decrypt.py KEYFILE ROOT DOCUMENT.json        checks that a holder of the key wrote the document

KEYFILE holds the keys in base64, separated by white space; ROOT is a copy of the repository; OBJECT is the object's name from there on, which counts: an
object under another name does not open. Needs Python 3 and its module 'cryptography' (Debian: python3-cryptography). The exit status is 0 only when all of the
object was found to be what was written; if it is not, throw away what came out.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(secret, purpose, length=32):
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose).derive(secret)


def read_keys(path):
    secrets = [base64.b64decode(word, validate=True) for word in open(path, encoding="ascii").read().split()]
    if any(len(secret) != 32 for secret in secrets):
        raise SystemExit(f"{path}: a key is not 32 bytes in base64")
    return {derive(secret, b"nlds key id", 8): secret for secret in secrets}


def key_for(keys, key_id):
    if key_id not in keys:
        raise SystemExit(f"it takes key {key_id.hex()}; the file holds {', '.join(known.hex() for known in keys)}")
    return keys[key_id]


def open_box(keys, name, path):
    """The seal at the end of a log piece, and where the box begins; (None, the object's length) for any other object."""
    size = os.path.getsize(path)
    with open(path, "rb") as stored:
        stored.seek(max(0, size - 2048))
        tail = stored.read()
    if len(tail) < 52 or tail[-8:] != b"NLDSBOX1":
        return None, size
    length = struct.unpack_from("<I", tail, len(tail) - 16)[0]
    box = tail[-16 - length:-16]
    nonce, ciphertext, key_id = box[:12], box[12:-8], box[-8:]
    seal = AESGCM(derive(key_for(keys, key_id), b"nlds seal")).decrypt(nonce, ciphertext, name)
    return json.loads(seal), size - 16 - length


def decrypt(keys, name, path, end, out):
    with open(path, "rb") as stored:
        header = stored.read(80)
        if len(header) < 80 or header[:8] != b"NLDSENC1":
            raise SystemExit("it does not begin as an encrypted object does")
        frame_bytes = struct.unpack_from("<I", header, 16)[0]
        wrapping = AESGCM(derive(key_for(keys, header[8:16]), b"nlds wrap"))
        cipher = AESGCM(wrapping.decrypt(header[20:32], header[32:80], header[:20] + name))
        position, number = 80, 0
        while True:
            frame = stored.read(min(frame_bytes + 16, end - position))
            position += len(frame)
            is_last = position == end
            out.write(cipher.decrypt(struct.pack("<QI", number, is_last), frame, None))
            number += 1
            if is_last:
                return


def check_seal(seal, path, end):
    digest = hashlib.sha256()
    with open(path, "rb") as stored:
        while end - stored.tell() > 0:
            digest.update(stored.read(min(1 << 20, end - stored.tell())))
    if seal["storedBytes"] != end or seal["storedSha256"] != digest.hexdigest():
        raise SystemExit("its bytes are not those that its seal says")


def check_document(keys, name, path):
    document = open(path, "rb").read()
    lines = re.fullmatch(rb'(.*\n)  "authenticator": \{ "keyId": "([0-9a-f]{16})", "mac": "([0-9a-f]{64})" \},\n  "sha256": "([0-9a-f]{64})"\n\}\n', document, re.S)
    if not lines:
        raise SystemExit("no holder of a key signed it")
    if hashlib.sha256(document[:lines.start(4) - 13]).hexdigest().encode() != lines[4]:
        raise SystemExit("it is damaged")
    mac = hmac.new(derive(key_for(keys, bytes.fromhex(lines[2].decode())), b"nlds documents"), name + b"\n" + lines[1], hashlib.sha256)
    if mac.hexdigest().encode() != lines[3]:
        raise SystemExit("it was not written by a holder of the key for this place")
    print(f"written with key {lines[2].decode()}")


def main():
    if len(sys.argv) not in (4, 5) or sys.argv[4:] not in ([], ["--seal"]):
        raise SystemExit(__doc__)
    keys, name = read_keys(sys.argv[1]), sys.argv[3].encode()
    path = os.path.join(sys.argv[2], sys.argv[3])
    try:
        if sys.argv[3].endswith(".json"):
            check_document(keys, name, path)
            return
        seal, end = open_box(keys, name, path)
        if seal is not None:
            check_seal(seal, path, end)
        if sys.argv[4:]:
            print(json.dumps(seal))
        else:
            decrypt(keys, name, path, end, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except (InvalidTag, ValueError) as damage:
        raise SystemExit(f"{sys.argv[3]}: it is not what was written under this name ({type(damage).__name__})")


if __name__ == "__main__":
    main()
