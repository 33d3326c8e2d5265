"""HOST PORT BYTES: sends so many bytes whose values tell their place, ends its side, and exits 0 if
every one of them comes back before the other side ends."""

import socket
import sys
import threading

PERIOD = 251
KNOWN = bytes(at % PERIOD for at in range(PERIOD + 65536))
BLOCK = memoryview(KNOWN)[: PERIOD * 256]


def send(connection, total):
    while total > 0:
        connection.sendall(BLOCK[:total])
        total -= min(total, len(BLOCK))
    connection.shutdown(socket.SHUT_WR)


def main(host, port, total):
    connection = socket.create_connection((host, port), timeout=20)
    # A daemon, so that a failure in the loop below ends the program.
    sender = threading.Thread(target=send, args=(connection, total), daemon=True)
    sender.start()
    back = 0
    while data := connection.recv(65536):
        due = KNOWN[back % PERIOD :][: len(data)]
        assert data == due, f"wrong bytes after {back}"
        back += len(data)
    assert back == total, f"{back} bytes of {total} came back"


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
