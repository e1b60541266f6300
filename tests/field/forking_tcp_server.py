"""An echo server by the standard library's ForkingTCPServer, which polls for dead children."""

import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            self.request.sendall(data)


class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True


host, port = sys.argv[1:]
with Server((host, int(port)), Echo) as server:
    server.serve_forever()
