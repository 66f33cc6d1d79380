"""The truth about the connection, where trusted proxies stand in front."""

from __future__ import annotations

from middleware.gateway.middleware import ProxyMiddleware

__all__ = ["ProxyMiddleware"]
