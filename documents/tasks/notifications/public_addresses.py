"""Resolve a host once, and refuse it unless all of its addresses belong to the public internet."""

import ipaddress
import socket

from django.conf import settings

from documents import exceptions

PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
# Parts of 2000::/3 that lead elsewhere: protocol assignments with Teredo, documentation, 6to4.
REFUSED_IPV6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# Protocol assignments, and relays of 6to4.
REFUSED_IPV4 = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))


def is_public(address: str) -> bool:
    """Return True for an IPv4 or IPv6 address that leads to one host of the public internet, and nowhere else."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in REFUSED_IPV4)
    return ip in PUBLIC_IPV6 and not any(ip in network for network in REFUSED_IPV6)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, the preferred one first. Raises OSError and NotificationRefused.

    Connect to one of them, not to the name: another look-up may give another address.
    """
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if not (settings.SPMS_WEBHOOK_ALLOW_PRIVATE or all(map(is_public, addresses))):
        raise exceptions.NotificationRefused("The host has a private address.")
    return addresses
