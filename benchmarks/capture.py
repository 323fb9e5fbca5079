# SPDX-License-Identifier: Apache-2.0
"""A proxy before PostgreSQL that keeps what a client says, so that bench_replay_statements can say it again."""
import socket
import struct
import threading

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


class Capture:
    """Listens from construction until `close`; each connection's bytes without its startup packet are in `connections`."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def committing(self):
        """Of the connections that commit batches, in the order in which they were opened: a host may go on with another one while its first is in use."""
        said = [b"".join(parts) for parts in self.connections]
        return [one for one in said if len(one) > 0.02 * sum(map(len, said))]

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.server_port))
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:  # the startup packet; no password and no encryption here
            head = self._exactly(client, 4)
            body = self._exactly(client, struct.unpack("!i", head)[0] - 4)
            if struct.unpack("!i", body[:4])[0] in (SSL_REQUEST, GSS_REQUEST):
                client.sendall(b"N")
                continue
            server.sendall(head + body)
            break
        kept = []
        self.connections.append(kept)
        threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()
        self._pump(client, server, kept)

    @staticmethod
    def _exactly(side, size):
        data = b""
        while len(data) < size:
            more = side.recv(size - len(data))
            if not more:
                raise ConnectionError("closed within its startup packet")
            data += more
        return data

    @staticmethod
    def _pump(source, target, kept):
        while True:
            try:
                data = source.recv(1 << 18)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                if kept is not None:
                    kept.append(data)
                target.sendall(data)
            except OSError:
                return
