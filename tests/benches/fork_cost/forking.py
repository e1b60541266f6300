"""The standard library's server with a process for each connection: the lessons' echo and log."""

import os
import socketserver


def log(event):
    print(f"[{os.getpid()}] {event}", flush=True)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while message := self.request.recv(1024):
            log(f"received {message}")
            if message == b"Bye":
                return
            self.request.sendall(message)


class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128  # as the other servers have it; its own would be 5

    def process_request(self, request, client_address):
        super().process_request(request, client_address)  # the parent alone comes back
        log(f"a child serves {client_address[0]}:{client_address[1]}")


with Server(("127.0.0.1", 0), Echo) as server:
    log(f"listening on 127.0.0.1:{server.server_address[1]}")
    server.serve_forever()
