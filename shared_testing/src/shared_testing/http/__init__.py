"""A network in memory: hosts that are aiohttp applications, reached by aiohttp's own client.

Nothing between the two is stubbed. Only the socket is missing, so that no test meets another one's port, and that
virtual time and exploration see every step.
"""

from __future__ import annotations

from shared_testing.http.faults import ConnectionFault, RequestFault
from shared_testing.http.network import Network, UnknownHost
from shared_testing.http.served_host import ServedHost

__all__ = ["ConnectionFault", "Network", "RequestFault", "ServedHost", "UnknownHost"]
