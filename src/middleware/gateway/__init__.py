"""The truth about the connection: what trusted proxies say of it, and what servers and gateways get wrong.

Names load when first asked for: a site without proxies does not read their fields.
"""

from __future__ import annotations

from middleware.front_door import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.gateway.gateway import GatewayMiddleware
    from middleware.gateway.proxy import ProxyMiddleware
    from middleware.gateway.raw_target import RawTargetMiddleware

__all__ = ["GatewayMiddleware", "ProxyMiddleware", "RawTargetMiddleware"]

__getattr__, __dir__ = later(
    __name__,
    {
        "gateway": ("GatewayMiddleware",),
        "proxy": ("ProxyMiddleware",),
        "raw_target": ("RawTargetMiddleware",),
    },
)
