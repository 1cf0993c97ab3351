"""`/api/admin`: everything that administers, in one list."""

from collections.abc import Sequence

from fastapi import APIRouter

from zhengwu.gateway.governed.ports import Authenticates
from zhengwu.gateway.routes.admin_addresses import address_routes
from zhengwu.gateway.routes.admin_keys import key_routes
from zhengwu.gateway.routes.admin_oidc import oidc_routes
from zhengwu.gateway.routes.admin_session import session_routes
from zhengwu.gateway.routes.admin_tenants import tenant_routes
from zhengwu.gateway.routes.admin_users import user_routes
from zhengwu.gateway.signin.acting import Acting
from zhengwu.gateway.tenancy.office import Door, Office


def admin_routes(callers: Authenticates, office: Office, door: Door) -> Sequence[APIRouter]:
    """The routers of administration; each route checks what its actor may do."""
    acting = Acting(callers, door.sessions, office.writes)
    return (
        session_routes(door),
        oidc_routes(door.oidc),
        tenant_routes(office.tenants, acting),
        key_routes(office.keys, acting),
        user_routes(office.users, acting),
        address_routes(office.addresses, acting),
    )
