"""First bytes of a socket: who may come in, and whether it is a page or a WebSocket.

This room owns the port, admission, request heads, trusted proxies and the handshake up to the
101. Who somebody is and which endpoint there is it asks the door; what is said afterwards is
between the socket and its connection. The only Python room that speaks picows.
"""

from fastws.gateway.answers import busy
from fastws.gateway.gateway import Gateway
from fastws.gateway.peek import Door
from fastws.gateway.proxies import Proxies

__all__ = ["Door", "Gateway", "Proxies", "busy"]
