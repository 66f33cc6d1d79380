"""The truth about the connection: what trusted proxies say of it, and what servers and gateways get wrong."""

from __future__ import annotations

from middleware.gateway.middleware import ProxyMiddleware

__all__ = ["ProxyMiddleware"]
